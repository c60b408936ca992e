/*
 * session.c - what passes between this node and the namenode.
 * Owns the registration, the four lanes (registration, heartbeat, report, changes) and their
 * back-off. A heartbeat is held by the namenode and asked again as soon as it is answered; whatever
 * is new here is sent at once. A session that the namenode does not know any more (it was
 * restarted) is replaced by a new registration and a full report. Invariants: DN-5 one call in each
 * lane, none of report and changes without a session; DN-6 nothing is announced before the cluster
 * id is on disk. States: docs/states/datanode_registration.dot.
 */
#include "dfs/datanode/core/internal.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    HEARTBEAT_INTERVAL_MIN_MS = 10,
    HEARTBEAT_INTERVAL_MAX_MS = 600000,
    BACK_OFF_DOUBLINGS_MAX = 20,
    HEARTBEAT_FAILURES_MAX = 5 /* in a row; then the namenode is looked up anew */
};

/* X(constant, name) */
#define REGISTRATION_EVENT_LIST(X)                                                                 \
 X(REGISTRATION_FIND, "FIND")                                                                      \
 X(REGISTRATION_ASK, "ASK")                                                                        \
 X(REGISTRATION_ACCEPTED, "ACCEPTED")                                                              \
 X(REGISTRATION_ACCEPTED_NEW, "ACCEPTED_NEW")                                                      \
 X(REGISTRATION_SAVED, "SAVED")                                                                    \
 X(REGISTRATION_FAILED, "FAILED")                                                                  \
 X(REGISTRATION_DENIED, "DENIED")                                                                  \
 X(REGISTRATION_REPORTED, "REPORTED")                                                              \
 X(REGISTRATION_REPORT_ASKED, "REPORT_ASKED")                                                      \
 X(REGISTRATION_LOST, "LOST")

enum registration_event {
#define EVENT_ENUM(constant, name) constant,
    REGISTRATION_EVENT_LIST(EVENT_ENUM)
#undef EVENT_ENUM
    REGISTRATION_EVENT_COUNT
};

static const char *const registration_event_names[REGISTRATION_EVENT_COUNT] = {
#define EVENT_NAME(constant, name) name,
    REGISTRATION_EVENT_LIST(EVENT_NAME)
#undef EVENT_NAME
};

static const char *const registration_state_names[REGISTRATION_STATE_COUNT] = {
#define REGISTRATION_STATE_NAME(constant, name) name,
    DATANODE_REGISTRATION_STATE_LIST(REGISTRATION_STATE_NAME)
#undef REGISTRATION_STATE_NAME
};

static void begin_report(void *object, void *context)
{
    struct datanode *datanode = object;
    (void)context;
    datanode->report_serial++;
    datanode->report_part = 0;
    datanode->report_next = datanode->replica_list.first;
    datanode->report_is_last = false;
}

static void save_identity(void *object, void *context)
{
    struct datanode *datanode = object;
    const struct datanode_context *c = context;
    struct datanode_identity *data = ARENA_NEW(c->actions->arena, struct datanode_identity);
    data->cluster_id = datanode->saving_cluster_id;
    (void)datanode_ask_effect(datanode, c->actions, USE_SAVE_IDENTITY, 0, 0,
                              DATANODE_EFFECT_SAVE_IDENTITY, data);
}

static void find_namenode(void *object, void *context)
{
    const struct datanode_context *c = context;
    (void)datanode_ask_effect(object, c->actions, USE_FIND, 0, 0, DATANODE_EFFECT_FIND_NAMENODE,
                              NULL);
}

static void cancel_lane(struct lane *lane, struct actions *actions)
{
    if (lane->tag != 0)
        actions_cancel(actions, lane->tag);
    lane->tag = 0;
    lane->failures = 0;
    lane->due_ms = 0;
}

static void lose_session(void *object, void *context)
{
    struct datanode *datanode = object;
    const struct datanode_context *c = context;
    cancel_lane(&datanode->heartbeat_lane, c->actions);
    cancel_lane(&datanode->report_lane, c->actions);
    cancel_lane(&datanode->changes_lane, c->actions);
    datanode_changes_drop(datanode);
    for (struct list_node *n = datanode->replica_list.first; n != NULL; n = n->next) {
        struct replica *replica = n->object;
        replica->known = KNOWN_NOTHING;
    }
    datanode->session = 0;
    datanode->report_next = NULL;
}

/* The report listed what is good; the rest of the truth follows as changes. */
static void end_report(void *object, void *context)
{
    struct datanode *datanode = object;
    (void)context;
    for (struct list_node *n = datanode->replica_list.first; n != NULL; n = n->next) {
        struct replica *replica = n->object;
        if (replica->report_serial == datanode->report_serial)
            replica->known = KNOWN_GOOD;
        if (replica->state == REPLICA_CORRUPT)
            datanode_change_note(datanode, CHANGE_CORRUPT, replica->block);
    }
}

static const struct transition_row registration_rows[] = {
    {REGISTRATION_NONE,      REGISTRATION_FIND,         REGISTRATION_FINDING,   find_namenode},
    {REGISTRATION_NONE,      REGISTRATION_ASK,          REGISTRATION_ASKED,     NULL         },
    {REGISTRATION_FINDING,   REGISTRATION_ASK,          REGISTRATION_ASKED,     NULL         },
    {REGISTRATION_FINDING,   REGISTRATION_FAILED,       REGISTRATION_NONE,      NULL         },
    {REGISTRATION_ASKED,     REGISTRATION_ACCEPTED,     REGISTRATION_REPORTING, begin_report },
    {REGISTRATION_ASKED,     REGISTRATION_ACCEPTED_NEW, REGISTRATION_SAVING,    save_identity},
    {REGISTRATION_ASKED,     REGISTRATION_FAILED,       REGISTRATION_NONE,      NULL         },
    {REGISTRATION_ASKED,     REGISTRATION_DENIED,       REGISTRATION_REFUSED,   NULL         },
    {REGISTRATION_SAVING,    REGISTRATION_SAVED,        REGISTRATION_REPORTING, begin_report },
    {REGISTRATION_SAVING,    REGISTRATION_FAILED,       REGISTRATION_NONE,      NULL         },
    {REGISTRATION_REPORTING, REGISTRATION_REPORTED,     REGISTRATION_ACTIVE,    end_report   },
    {REGISTRATION_REPORTING, REGISTRATION_LOST,         REGISTRATION_NONE,      lose_session },
    {REGISTRATION_ACTIVE,    REGISTRATION_REPORT_ASKED, REGISTRATION_REPORTING, begin_report },
    {REGISTRATION_ACTIVE,    REGISTRATION_LOST,         REGISTRATION_NONE,      lose_session },
};

const struct transition_table datanode_registration_table = {
    .name = "datanode_registration",
    .rows = registration_rows,
    .count = sizeof(registration_rows) / sizeof(registration_rows[0]),
    .state_names = registration_state_names,
    .state_count = REGISTRATION_STATE_COUNT,
    .event_names = registration_event_names,
    .event_count = REGISTRATION_EVENT_COUNT,
};

/* The only place where the registration changes state. */
static void registration_apply(struct datanode *datanode,
                               struct actions *actions,
                               enum registration_event event)
{
    struct datanode_context context = {datanode, actions};
    int from = datanode->registration;
    CHECK(transition_apply(&datanode_registration_table, &datanode->registration, (int)event,
                           datanode, &context) == OK);
    trace_emit(actions->trace, "registration %s->%s", registration_state_names[from],
               registration_state_names[datanode->registration]);
}

static bool has_session(const struct datanode *datanode)
{
    return datanode->registration == REGISTRATION_REPORTING ||
           datanode->registration == REGISTRATION_ACTIVE;
}

/* --- lanes -------------------------------------------------------------------------------------
 */

/* Doubles with every failure in a row; half of it by lot, so that nodes do not come back in step.
 */
static void lane_failed(struct datanode *datanode, struct lane *lane)
{
    int64_t delay_ms = datanode->settings.retry_min_ms;
    for (uint32_t i = 0; i < lane->failures && delay_ms < datanode->settings.retry_max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > datanode->settings.retry_max_ms)
        delay_ms = datanode->settings.retry_max_ms;
    if (lane->failures < BACK_OFF_DOUBLINGS_MAX)
        lane->failures++;
    int64_t half_ms = delay_ms / 2;
    lane->due_ms = datanode->now_ms + half_ms +
                   (int64_t)rng_below(&datanode->rng, (uint64_t)(delay_ms - half_ms) + 1);
}

static void lane_succeeded(struct datanode *datanode, struct lane *lane)
{
    lane->failures = 0;
    lane->due_ms = datanode->now_ms;
}

static bool lane_is_ready(const struct datanode *datanode, const struct lane *lane)
{
    return lane->tag == 0 && lane->due_ms <= datanode->now_ms;
}

static void lane_call(struct datanode *datanode,
                      struct actions *actions,
                      struct lane *lane,
                      enum method method,
                      const void *message,
                      int64_t timeout_ms)
{
    lane->tag = datanode_next_tag(datanode);
    actions_call(actions, lane->tag, slice_from_string(datanode->namenode_address), method, message,
                 timeout_ms);
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void send_register(struct datanode *datanode, struct actions *actions)
{
    struct dfs_register_datanode_request request = {
        .node = datanode->settings.node,
        .cluster_id = datanode->cluster_id,
        .incarnation = datanode->settings.incarnation,
        .capacity_bytes = datanode_capacity_bytes(datanode),
    };
    registration_apply(datanode, actions, REGISTRATION_ASK);
    lane_call(datanode, actions, &datanode->register_lane,
              METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request,
              datanode->settings.call_timeout_ms);
}

static void send_heartbeat(struct datanode *datanode, struct actions *actions)
{
    struct dfs_volume_info *volumes =
        ARENA_ARRAY(actions->arena, struct dfs_volume_info, datanode->volumes_count);
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        volumes[i] = datanode_volume_info(datanode, i);
    struct dfs_datanode_heartbeat_request request = {
        .node_id = datanode->settings.node.node_id,
        .session = datanode->session,
        .volumes = volumes,
        .volumes_count = datanode->volumes_count,
        .latencies = datanode->latency,
        .peers = datanode->peers,
        .peers_count = datanode->peers_count,
        .capacity_bytes = datanode_capacity_bytes(datanode),
        .used_bytes = datanode->used_bytes,
        .free_bytes = datanode_free_bytes(datanode),
        .transfers_active = datanode->receives + (uint32_t)datanode->copies_running.count,
    };
    /* An empty answer that comes at once would make this a busy loop. */
    datanode->heartbeat_lane.due_ms = datanode->now_ms + datanode->heartbeat_interval_ms / 10;
    lane_call(datanode, actions, &datanode->heartbeat_lane,
              METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, &request,
              datanode->heartbeat_interval_ms + datanode->settings.call_timeout_ms);
}

static void send_report_part(struct datanode *datanode, struct actions *actions)
{
    struct dfs_block_info *blocks =
        ARENA_ARRAY(actions->arena, struct dfs_block_info, datanode->settings.report_part_blocks);
    struct dfs_block_report_request request = {
        .node_id = datanode->settings.node.node_id,
        .session = datanode->session,
        .part = datanode->report_part,
        .serial = datanode->report_serial,
        .blocks = blocks,
    };
    struct list_node *n = datanode->report_next;
    for (; n != NULL && request.blocks_count < datanode->settings.report_part_blocks; n = n->next) {
        struct replica *replica = n->object;
        if (!datanode_replica_is_good(replica))
            continue;
        replica->report_serial = datanode->report_serial;
        blocks[request.blocks_count++] = replica->block;
    }
    datanode->report_next = n;
    datanode->report_is_last = n == NULL;
    request.is_last = datanode->report_is_last;
    lane_call(datanode, actions, &datanode->report_lane, METHOD_DATANODE_TRACKER_BLOCK_REPORT,
              &request, datanode->settings.call_timeout_ms);
}

static void send_changes(struct datanode *datanode, struct actions *actions)
{
    struct dfs_block_changes_request request = {
        .node_id = datanode->settings.node.node_id,
        .session = datanode->session,
    };
    datanode_changes_take(datanode, actions->arena, &request);
    lane_call(datanode, actions, &datanode->changes_lane, METHOD_DATANODE_TRACKER_BLOCK_CHANGES,
              &request, datanode->settings.call_timeout_ms);
}

void datanode_session_pump(struct datanode *datanode, struct actions *actions)
{
    if (datanode->is_stopping)
        return;
    if (datanode->registration == REGISTRATION_NONE && datanode_volumes_are_known(datanode) &&
        lane_is_ready(datanode, &datanode->register_lane)) {
        if (datanode->is_namenode_fixed)
            send_register(datanode, actions);
        else
            registration_apply(datanode, actions, REGISTRATION_FIND);
    }
    if (!has_session(datanode))
        return;
    if (lane_is_ready(datanode, &datanode->heartbeat_lane))
        send_heartbeat(datanode, actions);
    /* Changes wait for the report: it lists what was there when its part was put together. */
    if (datanode->registration == REGISTRATION_REPORTING) {
        if (lane_is_ready(datanode, &datanode->report_lane))
            send_report_part(datanode, actions);
    } else if (datanode_changes_are_waiting(datanode) &&
               lane_is_ready(datanode, &datanode->changes_lane)) {
        send_changes(datanode, actions);
    }
}

static int64_t lane_deadline_ms(const struct lane *lane, int64_t deadline_ms)
{
    return lane->tag == 0 && lane->due_ms < deadline_ms ? lane->due_ms : deadline_ms;
}

int64_t datanode_session_deadline_ms(const struct datanode *datanode)
{
    int64_t deadline_ms = DATANODE_NEVER;
    if (datanode->is_stopping)
        return deadline_ms;
    if (datanode->registration == REGISTRATION_NONE && datanode_volumes_are_known(datanode))
        deadline_ms = lane_deadline_ms(&datanode->register_lane, deadline_ms);
    if (!has_session(datanode))
        return deadline_ms;
    deadline_ms = lane_deadline_ms(&datanode->heartbeat_lane, deadline_ms);
    if (datanode->registration == REGISTRATION_REPORTING)
        deadline_ms = lane_deadline_ms(&datanode->report_lane, deadline_ms);
    else if (datanode_changes_are_waiting(datanode))
        deadline_ms = lane_deadline_ms(&datanode->changes_lane, deadline_ms);
    return deadline_ms;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void session_lost(struct datanode *datanode, struct actions *actions)
{
    registration_apply(datanode, actions, REGISTRATION_LOST);
    /* A restarted namenode hears from all its nodes at once; spread them a little. */
    uint64_t spread_ms = (uint64_t)datanode->settings.retry_min_ms;
    datanode->register_lane.due_ms =
        datanode->now_ms + (int64_t)rng_below(&datanode->rng, spread_ms + 1);
}

static void refuse(struct datanode *datanode, struct actions *actions, struct slice why)
{
    registration_apply(datanode, actions, REGISTRATION_DENIED);
    struct datanode_refusal *data = ARENA_NEW(actions->arena, struct datanode_refusal);
    data->text = why;
    actions_effect(actions, 0, DATANODE_EFFECT_TELL_REFUSAL, data);
    actions_exit(actions, DATANODE_EXIT_REFUSED);
}

static bool is_refusal(enum status status)
{
    return status == ERR_FENCED || status == ERR_STALE || status == ERR_INVALID ||
           status == ERR_DENIED;
}

static void register_answered(struct datanode *datanode,
                              struct actions *actions,
                              const struct event *event)
{
    if (event->status != OK) {
        if (is_refusal(event->status)) {
            refuse(datanode, actions,
                   arena_format(actions->arena, "the namenode refuses this node: %.*s",
                                SLICE_ARGS(event->text)));
            return;
        }
        lane_failed(datanode, &datanode->register_lane);
        registration_apply(datanode, actions, REGISTRATION_FAILED);
        return;
    }
    const struct dfs_register_datanode_response *response = event->message;
    if (datanode->cluster_id != 0 && response->cluster_id != datanode->cluster_id) {
        refuse(datanode, actions,
               arena_format(actions->arena,
                            "this node's blocks belong to cluster %016" PRIx64
                            ", but the namenode serves cluster %016" PRIx64,
                            datanode->cluster_id, response->cluster_id));
        return;
    }
    lane_succeeded(datanode, &datanode->register_lane);
    datanode->session = response->session;
    uint64_t interval_ms = response->heartbeat_interval_ms;
    if (interval_ms < HEARTBEAT_INTERVAL_MIN_MS)
        interval_ms = HEARTBEAT_INTERVAL_MIN_MS;
    if (interval_ms > HEARTBEAT_INTERVAL_MAX_MS)
        interval_ms = HEARTBEAT_INTERVAL_MAX_MS;
    datanode->heartbeat_interval_ms = (int64_t)interval_ms;
    datanode->saving_cluster_id = response->cluster_id;
    registration_apply(datanode, actions,
                       datanode->cluster_id == 0 ? REGISTRATION_ACCEPTED_NEW
                                                 : REGISTRATION_ACCEPTED);
}

/* Looked up anew before each registration: a namenode may come back elsewhere. */
void datanode_namenode_found(struct datanode *datanode,
                             struct actions *actions,
                             const struct event *event)
{
    const struct datanode_namenode *found = event->data;
    if (event->status != OK || datanode->is_stopping || found->address.length == 0 ||
        found->address.length > LIMIT_ADDRESS_BYTES) {
        lane_failed(datanode, &datanode->register_lane);
        registration_apply(datanode, actions, REGISTRATION_FAILED);
        return;
    }
    memcpy(datanode->namenode_address, found->address.data, found->address.length);
    datanode->namenode_address[found->address.length] = 0;
    send_register(datanode, actions);
}

void datanode_identity_saved(struct datanode *datanode, struct actions *actions, enum status status)
{
    if (status == OK) {
        datanode->cluster_id = datanode->saving_cluster_id;
        registration_apply(datanode, actions, REGISTRATION_SAVED);
        return;
    }
    lane_failed(datanode, &datanode->register_lane);
    registration_apply(datanode, actions, REGISTRATION_FAILED);
}

static void obey(struct datanode *datanode,
                 struct actions *actions,
                 const struct dfs_datanode_heartbeat_response *response)
{
    for (size_t i = 0; i < response->commands_count; i++) {
        const struct dfs_datanode_command *command = &response->commands[i];
        switch (command->kind) {
        case DATANODE_COPY_BLOCK:
            datanode_copy_asked(datanode, actions, command);
            break;
        case DATANODE_MERGE_BLOCKS:
            datanode_merge_asked(datanode, actions, command);
            break;
        case DATANODE_DELETE_BLOCK:
            datanode_delete_asked(datanode, actions, command->block.block_id);
            break;
        case DATANODE_VERIFY_BLOCK:
            datanode_verify_asked(datanode, command->block.block_id);
            break;
        case DATANODE_REPORT_BLOCKS:
            if (datanode->registration == REGISTRATION_ACTIVE)
                registration_apply(datanode, actions, REGISTRATION_REPORT_ASKED);
            break;
        case DFS_DATANODE_COMMAND_KIND_COUNT:
        default: /* a newer namenode's: it must not rely on it */
            break;
        }
    }
}

static void heartbeat_answered(struct datanode *datanode,
                               struct actions *actions,
                               const struct event *event)
{
    if (event->status == ERR_STALE) {
        session_lost(datanode, actions);
        return;
    }
    if (event->status != OK) {
        lane_failed(datanode, &datanode->heartbeat_lane);
        /* It may have come back elsewhere, which only a new look-up can tell. */
        if (!datanode->is_namenode_fixed &&
            datanode->heartbeat_lane.failures >= HEARTBEAT_FAILURES_MAX)
            session_lost(datanode, actions);
        return;
    }
    const struct dfs_datanode_heartbeat_response *response = event->message;
    datanode->heartbeat_lane.failures = 0;
    if (response->commands_count != 0)
        datanode->heartbeat_lane.due_ms = datanode->now_ms;
    obey(datanode, actions, response);
}

static void report_answered(struct datanode *datanode,
                            struct actions *actions,
                            const struct event *event)
{
    if (event->status == ERR_STALE) {
        session_lost(datanode, actions);
        return;
    }
    if (event->status != OK) {
        /* Whether the part was taken is not known, and what it listed may have changed: all again.
         */
        lane_failed(datanode, &datanode->report_lane);
        struct datanode_context context = {datanode, actions};
        begin_report(datanode, &context);
        return;
    }
    lane_succeeded(datanode, &datanode->report_lane);
    if (!datanode->report_is_last) {
        datanode->report_part++;
        return;
    }
    registration_apply(datanode, actions, REGISTRATION_REPORTED);
}

static void changes_answered(struct datanode *datanode,
                             struct actions *actions,
                             const struct event *event)
{
    if (event->status == ERR_STALE) {
        session_lost(datanode, actions);
        return;
    }
    if (event->status != OK) {
        datanode_changes_failed(datanode);
        lane_failed(datanode, &datanode->changes_lane);
        return;
    }
    datanode_changes_acknowledged(datanode);
    lane_succeeded(datanode, &datanode->changes_lane);
}

/* An answer to a call that was cancelled with its session has no lane any more. */
void datanode_session_response(struct datanode *datanode,
                               struct actions *actions,
                               const struct event *event)
{
    struct {
        struct lane *lane;
        void (*answered)(struct datanode *, struct actions *, const struct event *);
    } lanes[] = {
        {&datanode->register_lane,  register_answered },
        {&datanode->heartbeat_lane, heartbeat_answered},
        {&datanode->report_lane,    report_answered   },
        {&datanode->changes_lane,   changes_answered  },
    };

    for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++) {
        if (event->tag == 0 || lanes[i].lane->tag != event->tag)
            continue;
        lanes[i].lane->tag = 0;
        if (!datanode->is_stopping)
            lanes[i].answered(datanode, actions, event);
        return;
    }
}

void datanode_session_forget_replica(struct datanode *datanode, const struct replica *replica)
{
    if (datanode->report_next == &replica->in_replicas)
        datanode->report_next = replica->in_replicas.next;
}
