/*
 * namenode.c - the door: one event in, its handler, then whatever has come due.
 * Called by the shell's one thread; see machine.h for the contract.
 */
#include "dfs/namenode/core/namenode.h"

#include <stdarg.h>
#include <stdio.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/message.h"

enum {
    FAILURE_TEXT_BYTES = 512,
    HOUSEKEEPING_MS_MAX = 1000,
    MS_MAX = 1000000000, /* of a duration setting: eleven days */
};

#define MIB      ((uint64_t)1 << 20)
#define RATE_MAX ((uint64_t)1 << 40) /* bytes per second: a terabyte */

void namenode_settings_default(struct namenode_settings *ret_settings)
{
    *ret_settings = (struct namenode_settings){
        .superuser = slice_from_string("millrace"),
        .supergroup = slice_from_string("supergroup"),
        .replication = 3,
        .replication_max = LIMIT_REPLICAS,
        .min_replicas = 2,
        .block_size = 128 * MIB,
        .block_size_min = LIMIT_BLOCK_BYTES_MIN,
        .block_size_max = LIMIT_BLOCK_BYTES,
        .blocks_per_file_max = LIMIT_BLOCKS_PER_FILE,
        .inodes_max = 50000000,
        .release_max = 1000,
        .list_limit = LIMIT_LIST_PAGE,
        .ids_reserved = 1024,
        .access_time_precision_ms = 3600000,
        .block_token_ms = 36000000,
        .compact_runs = 16,
        .compact_bytes_per_second = 16 * MIB,
        .lease_ms = 60000,
        .lease_hard_ms = 300000,
        .mutation_keep_ms = LIMIT_REQUESTS_REMEMBERED_MS,
        .mutations_max = 200000,
        .fences_max = 100000,
        .heartbeat_interval_ms = 1000,
        .stale_ms = 10000,
        .lost_ms = 30000,
        .rereplicate_ms = 120000,
        .report_wait_ms = 10000,
        .report_interval_ms = 21600000,
        .safe_mode_ppm = 999000,
        .repair_start_ms = 30000,
        .repair_retry_ms = 5000,
        .maintenance_min_replicas = 1,
        .repair_bytes_per_second = 1024 * MIB,
        .repair_node_bytes_per_second = 256 * MIB,
        .slow_factor = 5,
        .slow_floor_us = 50000,
        .slow_samples_min = 20,
        .slow_keep_ms = 60000,
        .balance = true,
        .balance_threshold_ppm = 100000,
        .balance_bytes_per_second = 64 * MIB,
        .copies_per_node = 2,
        .copy_timeout_ms = 120000,
        .pipeline_wait_ms = 10000,
        .unknown_grace_ms = 60000,
        .delete_retry_ms = 60000,
        .deletes_per_heartbeat = LIMIT_COMMANDS_PER_HEARTBEAT,
    };
}

static bool durations_are_valid(const struct namenode_settings *settings)
{
    const int64_t durations[] = {
        settings->lease_ms,           settings->lease_hard_ms,
        settings->mutation_keep_ms,   settings->heartbeat_interval_ms,
        settings->stale_ms,           settings->lost_ms,
        settings->rereplicate_ms,     settings->report_wait_ms,
        settings->report_interval_ms, settings->repair_retry_ms,
        settings->copy_timeout_ms,    settings->pipeline_wait_ms,
        settings->unknown_grace_ms,   settings->delete_retry_ms,
        settings->slow_keep_ms,       settings->block_token_ms,
    };
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        if (durations[i] < 1 || durations[i] > MS_MAX) {
            return false;
        }
    }
    return settings->repair_start_ms >= 0 && settings->repair_start_ms <= MS_MAX &&
           settings->access_time_precision_ms >= 0 &&
           settings->access_time_precision_ms <= MS_MAX && settings->trash_keep_ms >= 0 &&
           settings->trash_keep_ms <= NAMENODE_TRASH_MS_MAX && settings->trash_checkpoint_ms >= 0 &&
           settings->trash_checkpoint_ms <= NAMENODE_TRASH_MS_MAX;
}

static bool rates_are_valid(const struct namenode_settings *settings)
{
    return settings->repair_bytes_per_second <= RATE_MAX &&
           settings->repair_node_bytes_per_second <= RATE_MAX &&
           settings->balance_bytes_per_second <= RATE_MAX && settings->balance_threshold_ppm >= 1 &&
           settings->balance_threshold_ppm <= 1000000;
}

static bool settings_are_valid(const struct namenode_settings *settings)
{
    return settings->replication >= 1 && settings->replication_max <= LIMIT_REPLICAS &&
           settings->min_replicas >= 1 && settings->block_size_min >= 1 &&
           settings->blocks_per_file_max >= 1 && settings->blocks_per_file_max < UINT32_MAX &&
           settings->inodes_max >= 1 && settings->release_max >= 1 && settings->list_limit >= 1 &&
           settings->ids_reserved >= 1 && settings->ids_reserved <= UINT32_MAX &&
           settings->mutations_max >= 1 && settings->fences_max >= 1 &&
           settings->safe_mode_ppm <= 1000000 &&
           settings->maintenance_min_replicas <= LIMIT_REPLICAS && settings->copies_per_node >= 1 &&
           settings->deletes_per_heartbeat >= 1 && rates_are_valid(settings) &&
           durations_are_valid(settings);
}

enum status namenode_open(const struct namenode_settings *settings,
                          uint64_t seed,
                          struct namenode **ret_namenode)
{
    if (!settings_are_valid(settings) || namenode_settings_complaint(settings) != NULL) {
        return ERR_INVALID;
    }
    struct namenode *nn = MEM_NEW(struct namenode);
    nn->settings = *settings;
    nn->rng = rng_seed(seed);
    nn->interned = arena_open(0);
    nn->interned_names = map_open();
    nn->settings.superuser = namenode_intern(nn, settings->superuser);
    nn->settings.supergroup = namenode_intern(nn, settings->supergroup);
    nn->settings.rack_table = namenode_intern(nn, settings->rack_table);
    nn->settings.rack_script = namenode_intern(nn, settings->rack_script);
    nn->inodes = map_u64_open();
    nn->leases = map_u64_open();
    nn->blocks = map_u64_open();
    nn->nodes = map_u64_open();
    nn->racks = map_open();
    namenode_racks_open(nn);
    namenode_balance_open(nn);
    nn->mutations = map_open();
    nn->fences = map_open();
    nn->merges = map_u64_open();
    nn->accessed = map_u64_open();
    nn->compact_waiting = map_u64_open();
    nn->failures_by_block = map_u64_open();
    nn->next_id = 1;
    *ret_namenode = nn;
    return OK;
}

static void free_nodes(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        namenode_node_clear(nn, value, true);
    }
    /* Only now: a copy under way knows its source. */
    cursor = 0;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        namenode_node_free(nn, value);
    }
    cursor = 0;
    while (map_next(nn->racks, &cursor, NULL, &value)) {
        struct rack *rack = value;
        mem_free((void *)(uintptr_t)rack->name.data);
        mem_free(rack);
    }
}

static void free_memories(struct namenode *nn)
{
    struct mutation *mutation = NULL;
    while ((mutation = list_pop(&nn->mutation_order)) != NULL) {
        mem_free(mutation);
    }
    struct fence *fence = NULL;
    while ((fence = list_pop(&nn->fence_order)) != NULL) {
        mem_free((void *)(uintptr_t)fence->key.data);
        mem_free(fence);
    }
}

void namenode_close(struct namenode *nn)
{
    if (nn == NULL) {
        return;
    }
    struct actions nowhere = {0};
    nn->actions = &nowhere;
    /* Nodes first: blocks that go then have no replica left to be told about. */
    free_nodes(nn);
    namenode_release_all(nn);
    if (nn->root != NULL) {
        namenode_inode_remove(nn, nn->root);
    }
    free_memories(nn);
    namenode_compact_close(nn);
    namenode_failures_close(nn);
    map_u64_close(nn->accessed);
    heap_close(&nn->timers);
    heap_close(&nn->repair_queue);
    map_close(nn->fences);
    map_close(nn->mutations);
    map_close(nn->racks);
    namenode_racks_close(nn);
    map_u64_close(nn->nodes);
    map_u64_close(nn->blocks);
    map_u64_close(nn->leases);
    namenode_children_close(&nn->writing);
    namenode_children_close(&nn->installed);
    map_u64_close(nn->inodes);
    map_close(nn->interned_names);
    arena_close(nn->interned);
    mem_free(nn);
}

void namenode_timer_set(struct namenode *nn, struct timer *timer, int64_t due_ms)
{
    if (heap_node_is_queued(&timer->node)) {
        heap_update(&nn->timers, &timer->node, due_ms);
    } else {
        heap_push(&nn->timers, &timer->node, due_ms, timer);
    }
}

void namenode_timer_clear(struct namenode *nn, struct timer *timer)
{
    heap_remove(&nn->timers, &timer->node);
}

uint64_t namenode_new_id(struct namenode *nn)
{
    if (nn->next_id > nn->reserved_up_to) {
        nn->reserved_up_to = nn->next_id - 1 + nn->settings.ids_reserved;
        namenode_record_ids(nn);
    }
    return nn->next_id++;
}

void namenode_fail(struct namenode *nn, enum status status, const char *format, ...)
{
    char text[FAILURE_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments); /* a longer text is cut */
    va_end(arguments);
    actions_fail(nn->actions, nn->event->call, status, "%s", text);
}

void namenode_reply(struct namenode *nn, const void *response)
{
    actions_reply(nn->actions, nn->event->call, method_info(nn->event->method)->response, response);
}

bool namenode_is_superuser(const struct namenode *nn, struct slice user)
{
    return slice_equal(user, nn->settings.superuser) || slice_equal_string(user, "millrace") ||
           namenode_access_is_member(nn, nn->settings.supergroup);
}

static int64_t housekeeping_ms(const struct namenode *nn)
{
    int64_t interval_ms = nn->settings.heartbeat_interval_ms;
    return interval_ms < HOUSEKEEPING_MS_MAX ? interval_ms : HOUSEKEEPING_MS_MAX;
}

static void make_root(struct namenode *nn)
{
    struct inode *root = namenode_inode_new(nn, namenode_new_id(nn), FILE_DIRECTORY);
    root->state = INODE_INSTALLED;
    root->permission = 0755;
    root->owner = nn->settings.superuser;
    root->group = nn->settings.supergroup;
    root->modified_ms = nn->wall_ms;
    nn->root = root;
    nn->directory_count++;
    namenode_record_inode(nn, root);
}

static void start(struct namenode *nn)
{
    nn->mode = namenode_transition(&namenode_mode_table, nn->mode, MODE_STARTED);
    if (nn->cluster_id == 0) {
        while (nn->cluster_id == 0) {
            nn->cluster_id = rng_u64(&nn->rng) >> 1; /* fits signed 64-bit fields of other tools */
        }
        namenode_record_format(nn);
    }
    nn->older_id = nn->reserved_up_to;
    nn->next_id = nn->reserved_up_to + 1;
    if (nn->root == NULL) {
        make_root(nn);
    }
    nn->safe_total = nn->sealed_count;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        ((struct tracked *)value)->heard_ms = nn->now_ms; /* its silence begins */
    }
    cursor = 0;
    while (map_u64_next(nn->leases, &cursor, NULL, &value)) {
        struct lease *lease = value;
        lease->due_ms = nn->now_ms + nn->settings.lease_hard_ms;
        namenode_timer_set(nn, &lease->timer, lease->due_ms);
    }
    namenode_mutation_expire(nn);
    nn->release_timer.kind = TIMER_RELEASE;
    nn->repair_timer.kind = TIMER_REPAIR;
    nn->housekeeping.kind = TIMER_HOUSEKEEPING;
    namenode_timer_set(nn, &nn->housekeeping, nn->now_ms + housekeeping_ms(nn));
    namenode_review_safe_mode(nn);
}

/* Unlike ERR_UNSUPPORTED this cannot come from a newer peer: the shell serves these methods only.
 */
static void dispatch_tracker(struct namenode *nn, const struct event *event)
{
    if (!namenode_is_superuser(nn, event->user)) {
        namenode_fail(nn, ERR_DENIED, "only daemons may call %s", method_info(event->method)->path);
        return;
    }
    switch ((int)event->method) {
    case METHOD_DATANODE_TRACKER_REGISTER_DATANODE:
        namenode_register_datanode(nn, event->message);
        return;
    case METHOD_DATANODE_TRACKER_BLOCK_REPORT:
        namenode_block_report(nn, event->message);
        return;
    case METHOD_DATANODE_TRACKER_BLOCK_CHANGES:
        namenode_block_changes(nn, event->message);
        return;
    case METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT:
        namenode_heartbeat(nn, event->message);
        return;
    default:
        namenode_fail(nn, ERR_UNSUPPORTED, "%s is not served here",
                      method_info(event->method)->path);
    }
}

static bool dispatch_read(struct namenode *nn, const struct event *event)
{
    switch ((int)event->method) {
    case METHOD_NAMENODE_GET_STATUS:
        namenode_get_status(nn, event->message);
        return true;
    case METHOD_NAMENODE_LIST_STATUS:
        namenode_list_status(nn, event->message);
        return true;
    case METHOD_NAMENODE_GET_BLOCKS:
        namenode_get_blocks(nn, event->message);
        return true;
    case METHOD_NAMENODE_CONTENT_SUMMARY:
        namenode_content_summary(nn, event->message);
        return true;
    case METHOD_NAMENODE_GET_SERVER_DEFAULTS:
        namenode_get_server_defaults(nn);
        return true;
    case METHOD_NAMENODE_CLUSTER_STATUS:
        namenode_cluster_status(nn);
        return true;
    case METHOD_NAMENODE_CHECK_FILES:
        namenode_check_files(nn, event->message);
        return true;
    default:
        return false;
    }
}

static bool dispatch_write(struct namenode *nn, const struct event *event)
{
    switch ((int)event->method) {
    case METHOD_NAMENODE_CREATE:
        namenode_create(nn, event->message);
        return true;
    case METHOD_NAMENODE_APPEND:
        namenode_append(nn, event->message);
        return true;
    case METHOD_NAMENODE_CONCAT:
        namenode_concat(nn, event->message);
        return true;
    case METHOD_NAMENODE_ADD_BLOCK:
        namenode_add_block(nn, event->message);
        return true;
    case METHOD_NAMENODE_SEAL_BLOCK:
        namenode_seal_block(nn, event->message);
        return true;
    case METHOD_NAMENODE_COMPLETE:
        namenode_complete(nn, event->message);
        return true;
    case METHOD_NAMENODE_ABANDON:
        namenode_abandon(nn, event->message);
        return true;
    case METHOD_NAMENODE_RENEW_LEASE:
        namenode_renew_lease(nn, event->message);
        return true;
    case METHOD_NAMENODE_REPORT_CORRUPT:
        namenode_report_corrupt(nn, event->message);
        return true;
    default:
        return false;
    }
}

static bool dispatch_tree(struct namenode *nn, const struct event *event)
{
    switch ((int)event->method) {
    case METHOD_NAMENODE_MKDIRS:
        namenode_mkdirs(nn, event->message);
        return true;
    case METHOD_NAMENODE_RENAME:
        namenode_rename(nn, event->message);
        return true;
    case METHOD_NAMENODE_DELETE:
        namenode_delete(nn, event->message);
        return true;
    case METHOD_NAMENODE_SET_PERMISSION:
        namenode_set_permission(nn, event->message);
        return true;
    case METHOD_NAMENODE_SET_OWNER:
        namenode_set_owner(nn, event->message);
        return true;
    case METHOD_NAMENODE_SET_TIMES:
        namenode_set_times(nn, event->message);
        return true;
    case METHOD_NAMENODE_SET_REPLICATION:
        namenode_set_replication(nn, event->message);
        return true;
    case METHOD_NAMENODE_SET_QUOTA:
        namenode_set_quota(nn, event->message);
        return true;
    case METHOD_NAMENODE_FENCE_OUTPUT:
        namenode_fence_output(nn, event->message);
        return true;
    case METHOD_NAMENODE_PUBLISH_OUTPUT:
        namenode_publish_output(nn, event->message);
        return true;
    default:
        return false;
    }
}

/* The operator's calls about blocks and datanodes. */
static bool dispatch_admin(struct namenode *nn, const struct event *event)
{
    switch ((int)event->method) {
    case METHOD_NAMENODE_SET_SAFE_MODE:
        namenode_set_safe_mode(nn, event->message);
        return true;
    case METHOD_NAMENODE_REFRESH_NODES:
        namenode_refresh_nodes(nn);
        return true;
    case METHOD_NAMENODE_SET_BALANCER:
        namenode_set_balancer(nn, event->message);
        return true;
    case METHOD_NAMENODE_SET_DATANODE_ADMIN:
        namenode_set_datanode_admin(nn, event->message);
        return true;
    default:
        return false;
    }
}

static void dispatch(struct namenode *nn, const struct event *event)
{
    if (nn->mode == MODE_REPLAY || nn->is_stopping) {
        namenode_fail(nn, ERR_UNAVAILABLE, "the namenode is starting or stopping");
        return;
    }
    if (event->user.length == 0) {
        namenode_fail(nn, ERR_UNAUTHENTICATED, "the call names no user");
        return;
    }
    if (dispatch_read(nn, event) || dispatch_write(nn, event) || dispatch_tree(nn, event) ||
        dispatch_admin(nn, event)) {
        return;
    }
    dispatch_tracker(nn, event);
}

/* A held heartbeat is the only call that waits. */
static void answer_cancelled(struct namenode *nn, uint64_t call)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        if (node->has_held && node->held_call == call) {
            namenode_timer_clear(nn, &node->held_timer);
            node->has_held = false;
            node->is_hung_up = true;
            actions_fail(nn->actions, call, ERR_CANCELLED, "the caller has gone");
            return;
        }
    }
}

static void stop(struct namenode *nn)
{
    nn->is_stopping = true;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        namenode_node_answer_held(nn, value);
    }
    namenode_racks_stop(nn);
    actions_exit(nn->actions, 0);
}

static void run_timer(struct namenode *nn, struct timer *timer)
{
    switch (timer->kind) {
    case TIMER_HEARTBEAT:
        namenode_node_answer_held(nn, timer->object);
        return;
    case TIMER_LIVENESS:
        namenode_node_liveness(nn, timer->object);
        return;
    case TIMER_REPLICA:
        namenode_replica_overdue(nn, timer->object);
        return;
    case TIMER_LEASE:
        namenode_lease_expired(nn, timer->object);
        return;
    case TIMER_RELEASE:
        namenode_release_run(nn);
        return;
    case TIMER_REPAIR:
        nn->has_repair_work = true;
        return;
    case TIMER_HOUSEKEEPING:
        namenode_release_run(nn); /* it rests in safe mode */
        namenode_unknown_expire(nn);
        namenode_accessed_flush(nn);
        namenode_trash_run(nn);
        namenode_compact_run(nn);
        namenode_nodes_housekeeping(nn);
        namenode_identity_housekeeping(nn);
        namenode_service_housekeeping(nn);
        namenode_slow_housekeeping(nn);
        nn->balancer.has_work = true;
        namenode_failures_expire(nn);
        namenode_repair_unpark(nn);
        namenode_timer_set(nn, timer, nn->now_ms + housekeeping_ms(nn));
        return;
    }
}

static void run_timers(struct namenode *nn)
{
    struct heap_node *first = NULL;
    while ((first = heap_peek(&nn->timers)) != NULL && first->key <= nn->now_ms) {
        struct timer *timer = heap_pop(&nn->timers)->object;
        run_timer(nn, timer);
    }
}

/*
 * When this process itself did not run for a while (stopped, swapped out), datanodes and clients
 * could not be heard: the gap is not their silence.
 */
static void excuse_pause(struct namenode *nn, int64_t before_ms)
{
    int64_t pause_ms = nn->now_ms - before_ms;
    int64_t longest_ms = 3 * housekeeping_ms(nn);
    if (longest_ms < nn->settings.stale_ms / 2) {
        longest_ms = nn->settings.stale_ms / 2;
    }
    if (pause_ms <= longest_ms) {
        return;
    }
    NAMENODE_TRACE(nn, "namenode paused ms=%lld", (long long)pause_ms);
    namenode_nodes_excuse(nn, pause_ms);
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->leases, &cursor, NULL, &value)) {
        struct lease *lease = value;
        lease->due_ms += pause_ms;
        namenode_timer_set(nn, &lease->timer, lease->due_ms);
    }
}

void namenode_step(struct namenode *nn, const struct event *event, struct actions *ret_actions)
{
    int64_t before_ms = nn->now_ms;
    nn->event = event;
    nn->actions = ret_actions;
    nn->now_ms = event->now_ms;
    nn->wall_ms = event->wall_ms < 0 ? 0 : (uint64_t)event->wall_ms;
    nn->step++;
    nn->release_left = nn->settings.release_max;
    if (nn->mode != MODE_REPLAY) {
        excuse_pause(nn, before_ms);
        namenode_mutation_expire(nn);
    }
    switch (event->kind) {
    case EVENT_REPLAY:
        CHECK(nn->mode == MODE_REPLAY);
        namenode_replay(nn, event->type, event->message);
        break;
    case EVENT_START:
        start(nn);
        break;
    case EVENT_REQUEST:
        dispatch(nn, event);
        break;
    case EVENT_REQUEST_CANCELLED:
        answer_cancelled(nn, event->call);
        break;
    case EVENT_STOP:
        stop(nn);
        break;
    case EVENT_EFFECT_DONE:
        namenode_racks_effect_done(nn, event);
        break;
    case EVENT_TICK:
    case EVENT_RESPONSE: /* it calls nobody */
    case EVENT_LOCAL:
        break;
    }
    if (nn->mode != MODE_REPLAY && !nn->is_stopping) {
        run_timers(nn);
        namenode_repair_start(nn);
        namenode_repair_run(nn);
        namenode_balance_run(nn);
        namenode_nodes_flush(nn);
    }
    nn->event = NULL;
    nn->actions = NULL;
}

int64_t namenode_deadline_ms(const struct namenode *nn)
{
    if (nn->mode == MODE_REPLAY || nn->is_stopping) {
        return INT64_MAX;
    }
    const struct heap_node *first = heap_peek(&nn->timers);
    return first == NULL ? INT64_MAX : first->key;
}
