/*
 * nodes.c - the datanodes: registration, heartbeats, liveness, what each is to be told.
 * Owns namenode->nodes and racks, and each node's commands. A command is told again until the
 * node's reports show that it was followed, so a lost answer does no harm.
 * Invariants: NN-6 (racks), NN-8, NN-10, NN-12.
 */
#include <string.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/message.h"

bool namenode_node_is_usable(const struct tracked *node)
{
    return node->state == TRACKED_LIVE || node->state == TRACKED_STALE;
}

bool namenode_node_is_gone(const struct tracked *node)
{
    return node->state == TRACKED_ABSENT || node->state == TRACKED_GIVEN_UP;
}

/* --- racks and states ---------------------------------------------------------------- */

static struct rack *get_rack(struct namenode *nn, struct slice name)
{
    struct rack *rack = map_get(nn->racks, name);
    if (rack == NULL) {
        rack = MEM_NEW(struct rack);
        uint8_t *copy = mem_new(name.length + 1);
        memcpy(copy, name.data, name.length);
        rack->name = slice_make(copy, name.length);
        (void)map_put(nn->racks, name, rack); /* it was absent */
    }
    return rack;
}

/* Counts node in or out of its rack; whether there are two racks decides where replicas belong. */
static void count_rack(struct namenode *nn, const struct tracked *node, bool is_added)
{
    struct rack *rack = node->rack;
    bool had_choice = nn->live_rack_count >= 2;
    if (is_added) {
        nn->live_rack_count += rack->live_count == 0 ? 1 : 0;
        rack->live_count++;
    } else {
        rack->live_count--;
        nn->live_rack_count -= rack->live_count == 0 ? 1 : 0;
    }
    if (had_choice != (nn->live_rack_count >= 2)) {
        namenode_repair_review_all(nn);
    }
}

static bool counts_in_rack(const struct tracked *node)
{
    return namenode_node_is_usable(node) && namenode_node_is_in_service(node);
}

static void set_liveness_timer(struct namenode *nn, struct tracked *node)
{
    switch ((enum tracked_state)node->state) {
    case TRACKED_LIVE:
        namenode_timer_set(nn, &node->liveness_timer, node->heard_ms + nn->settings.stale_ms);
        return;
    case TRACKED_STALE:
        namenode_timer_set(nn, &node->liveness_timer, node->heard_ms + nn->settings.lost_ms);
        return;
    case TRACKED_LOST:
        if (namenode_node_is_excused(node)) { /* it may be away */
            namenode_timer_clear(nn, &node->liveness_timer);
        } else {
            namenode_timer_set(nn, &node->liveness_timer,
                               node->heard_ms + nn->settings.rereplicate_ms);
        }
        return;
    case TRACKED_ABSENT:
    case TRACKED_GIVEN_UP:
    case TRACKED_STATE_COUNT:
        namenode_timer_clear(nn, &node->liveness_timer);
        return;
    }
}

static void node_apply(struct namenode *nn, struct tracked *node, enum tracked_event event)
{
    int before = node->state;
    bool was_counted = counts_in_rack(node);
    node->state = namenode_transition(&namenode_tracked_table, before, (int)event);
    if (before != node->state) {
        NAMENODE_TRACE(nn, "datanode node=%llu %s->%s silent_ms=%lld",
                       (unsigned long long)node->endpoint.node_id,
                       namenode_tracked_table.state_names[before],
                       namenode_tracked_table.state_names[node->state],
                       (long long)(nn->now_ms - node->heard_ms));
    }
    if (was_counted != counts_in_rack(node)) {
        count_rack(nn, node, !was_counted);
    }
    if (before != node->state && node->state == TRACKED_LIVE) {
        nn->has_repair_work = true;
        nn->unpark_ms = nn->now_ms;
    }
}

void namenode_node_set_service(struct namenode *nn, struct tracked *node, int service)
{
    bool was_counted = counts_in_rack(node);
    node->service = service;
    if (was_counted != counts_in_rack(node)) {
        count_rack(nn, node, !was_counted);
    }
    set_liveness_timer(nn, node);
}

void namenode_node_heard(struct namenode *nn, struct tracked *node)
{
    node_apply(nn, node, TRACKED_HEARD);
    node->heard_ms = nn->now_ms;
    node->is_hung_up = false;
    set_liveness_timer(nn, node);
    if (node->has_surplus) {
        node->has_surplus = false;
        struct list_node *at = node->replicas.first;
        while (at != NULL) {
            struct replica *replica = at->object;
            at = at->next; /* a review may take back a copy to this node, of this block only */
            namenode_block_review(nn, replica->block);
        }
    }
}

static void end_node(struct namenode *nn, struct tracked *node)
{
    namenode_node_answer_held(nn, node);
    namenode_node_clear(nn, node, false);
    nn->has_repair_work = true;
}

void namenode_node_give_up(struct namenode *nn, struct tracked *node)
{
    node_apply(nn, node, TRACKED_SUPERSEDED);
    end_node(nn, node);
    set_liveness_timer(nn, node);
}

void namenode_node_liveness(struct namenode *nn, struct tracked *node)
{
    static const enum tracked_event next[] = {
        [TRACKED_LIVE] = TRACKED_SILENT,
        [TRACKED_STALE] = TRACKED_SILENT_LONG,
        [TRACKED_LOST] = TRACKED_SILENT_TOO_LONG,
    };

    CHECK(!namenode_node_is_gone(node));
    node_apply(nn, node, next[node->state]);
    if (node->state == TRACKED_GIVEN_UP) {
        end_node(nn, node);
    }
    set_liveness_timer(nn, node);
}

void namenode_nodes_excuse(struct namenode *nn, int64_t pause_ms)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        node->heard_ms += pause_ms;
        set_liveness_timer(nn, node);
    }
}

/* The caller has given up on its held heartbeat: commands must not be lost with it. */
static void drop_held(struct namenode *nn, struct tracked *node, enum status status)
{
    if (node->has_held) {
        namenode_timer_clear(nn, &node->held_timer);
        node->has_held = false;
        actions_fail(nn->actions, node->held_call, status, "a later call took this one's place");
    }
}

/* --- registration -------------------------------------------------------------------- */

static struct tracked *node_new(struct namenode *nn, uint64_t node_id)
{
    struct tracked *node = MEM_NEW(struct tracked);
    node->strings = arena_open(0);
    node->beat_strings = arena_open(0);
    node->endpoint.node_id = node_id;
    node->suspects = map_u64_open();
    node->deletions = map_u64_open();
    node->unknown = map_u64_open();
    node->held_timer.kind = TIMER_HEARTBEAT;
    node->held_timer.object = node;
    node->liveness_timer.kind = TIMER_LIVENESS;
    node->liveness_timer.object = node;
    CHECK(map_u64_put(nn->nodes, node_id, node) == NULL);
    return node;
}

static void set_rack(struct namenode *nn, struct tracked *node, struct rack *rack)
{
    if (node->rack == rack) {
        return;
    }
    if (node->rack != NULL && counts_in_rack(node)) {
        count_rack(nn, node, false);
    }
    node->rack = rack;
    if (counts_in_rack(node)) {
        count_rack(nn, node, true);
    }
    struct list_node *at = node->replicas.first;
    while (at != NULL) { /* they are elsewhere now */
        struct replica *replica = at->object;
        at = at->next; /* a review never drops this node's replica of another block */
        namenode_block_review(nn, replica->block);
    }
}

/* said: with the rack the datanode names. True when it differs from what was stored. */
static bool store_endpoint(struct namenode *nn, struct tracked *node, const struct endpoint *said)
{
    struct endpoint stored = *said;
    stored.rack = namenode_rack_of(nn, said, said->rack);
    if (node->rack != NULL && message_equal(&endpoint_type, &stored, &node->endpoint) &&
        slice_equal(said->rack, node->said_rack)) {
        return false;
    }
    /* What is given may be the node's own. */
    const struct endpoint *copy = message_copy(&endpoint_type, &stored, nn->actions->arena);
    struct slice said_rack = arena_copy(nn->actions->arena, said->rack);
    arena_reset(node->strings);
    message_copy_into(&endpoint_type, copy, &node->endpoint, node->strings);
    node->said_rack = arena_copy(node->strings, said_rack);
    set_rack(nn, node, get_rack(nn, node->endpoint.rack));
    return true;
}

bool namenode_node_place(struct namenode *nn, struct tracked *node)
{
    const struct rack *before = node->rack;
    struct endpoint said = node->endpoint;
    said.rack = node->said_rack;
    (void)store_endpoint(nn, node, &said); /* the rack tells */
    if (node->rack == before) {
        return false;
    }
    NAMENODE_TRACE(nn, "datanode node=%llu rack=%.*s", (unsigned long long)node->endpoint.node_id,
                   SLICE_ARGS(node->endpoint.rack));
    namenode_record_node(nn, node);
    return true;
}

struct tracked *namenode_node_remember(struct namenode *nn, const struct endpoint *endpoint)
{
    struct tracked *node = map_u64_get(nn->nodes, endpoint->node_id);
    if (node == NULL) {
        node = node_new(nn, endpoint->node_id);
    }
    (void)store_endpoint(nn, node, endpoint); /* the caller knows */
    return node;
}

static bool registration_is_valid(struct namenode *nn,
                                  const struct dfs_register_datanode_request *request)
{
    const struct endpoint *endpoint = &request->node;
    if (endpoint->node_id == 0 || endpoint->host.length == 0 ||
        endpoint->host.length > LIMIT_HOST_BYTES || endpoint->rack.length > LIMIT_RACK_BYTES) {
        namenode_fail(nn, ERR_INVALID, "a datanode needs an id and a host");
        return false;
    }
    return namenode_identity_admits(nn, request);
}

/* Whatever the older process was told is told again. */
static void begin_session(struct namenode *nn,
                          struct tracked *node,
                          const struct dfs_register_datanode_request *request)
{
    node->incarnation = request->incarnation;
    node->session = (rng_u64(&nn->rng) >> 1) | 1U;
    node->capacity_bytes = request->capacity_bytes;
    node->is_reporting = false;
    node->has_reported = false;
    node->is_hung_up = false;
    node->is_superseded = false;
    node->rival = (struct rival){0};
    node->report_serial = 0;
    node->report_next_part = 0;
    node->wants_report = false;
    node->report_due_ms = nn->now_ms + nn->settings.report_wait_ms;
    namenode_suspects_restarted(node);
    struct deletion *deletion = NULL;
    while ((deletion = list_pop(&node->deletions_told)) != NULL) {
        deletion->was_told = false;
        list_append(&node->deletions_waiting, &deletion->in_node, deletion);
    }
}

void namenode_register_datanode(struct namenode *nn,
                                const struct dfs_register_datanode_request *request)
{
    if (!registration_is_valid(nn, request)) {
        return;
    }
    struct tracked *node = map_u64_get(nn->nodes, request->node.node_id);
    if (node == NULL && map_u64_count(nn->nodes) >= LIMIT_NODES) {
        namenode_fail(nn, ERR_LIMIT, "the cluster has %d datanodes", (int)LIMIT_NODES);
        return;
    }
    if (node == NULL) {
        node = node_new(nn, request->node.node_id);
        NAMENODE_TRACE(nn, "datanode node=%llu new", (unsigned long long)request->node.node_id);
    }
    drop_held(nn, node, ERR_STALE);
    namenode_rack_ask(nn, request->node.host);
    if (node->incarnation != request->incarnation) {
        namenode_repair_restarted(nn, node);
    }
    bool is_changed = store_endpoint(nn, node, &request->node);
    node_apply(nn, node, TRACKED_REGISTERED);
    if (is_changed) {
        namenode_record_node(nn, node);
    }
    begin_session(nn, node, request);
    node->heard_ms = nn->now_ms;
    set_liveness_timer(nn, node);
    nn->unpark_ms = nn->now_ms;
    struct dfs_register_datanode_response response = {
        .cluster_id = nn->cluster_id,
        .heartbeat_interval_ms = (uint64_t)nn->settings.heartbeat_interval_ms,
        .session = node->session,
    };
    namenode_reply(nn, &response);
}

struct tracked *namenode_node_find(struct namenode *nn, uint64_t node_id, uint64_t session)
{
    struct tracked *node = map_u64_get(nn->nodes, node_id);
    if (node == NULL || node->session != session || namenode_node_is_gone(node)) {
        namenode_fail(nn, ERR_STALE, "register again");
        return NULL;
    }
    return node;
}

/* --- heartbeats and commands --------------------------------------------------------- */

void namenode_node_wake(struct namenode *nn, struct tracked *node)
{
    if (!list_node_is_listed(&node->in_woken)) {
        list_append(&nn->woken, &node->in_woken, node);
    }
}

/* What waits while safe mode lasts waits (NN-8). */
static bool has_commands(const struct namenode *nn, const struct tracked *node)
{
    bool has_work = node->outgoing.count > 0 || node->deletions_waiting.count > 0 ||
                    namenode_compact_waits(nn, node);
    return node->wants_report || node->suspects_waiting.count > 0 ||
           (nn->mode == MODE_OPEN && has_work);
}

static void add_copies(struct namenode *nn,
                       struct tracked *node,
                       struct dfs_datanode_command *commands,
                       size_t *count)
{
    struct replica *replica = NULL;
    while ((replica = list_pop(&node->outgoing)) != NULL) {
        const struct block *block = replica->block;
        struct endpoint *target = ARENA_NEW(nn->actions->arena, struct endpoint);
        *target = replica->node->endpoint;
        commands[(*count)++] = (struct dfs_datanode_command){
            .kind = DATANODE_COPY_BLOCK,
            .block = {.block_id = block->id, .length = block->length, .crc32c = block->crc32c},
            .targets = target,
            .targets_count = 1,
            .token = namenode_grant_datanode(nn, block->id),
        };
    }
}

static void add_deletions(struct namenode *nn,
                          struct tracked *node,
                          struct dfs_datanode_command *commands,
                          size_t *count)
{
    for (uint32_t i = 0; i < nn->settings.deletes_per_heartbeat; i++) {
        struct deletion *deletion = list_pop(&node->deletions_waiting);
        if (deletion == NULL) {
            return;
        }
        deletion->was_told = true;
        deletion->retry_ms = nn->now_ms + nn->settings.delete_retry_ms;
        list_append(&node->deletions_told, &deletion->in_node, deletion);
        commands[(*count)++] = (struct dfs_datanode_command){
            .kind = DATANODE_DELETE_BLOCK, .block = {.block_id = deletion->block_id}};
    }
}

void namenode_node_answer_held(struct namenode *nn, struct tracked *node)
{
    if (!node->has_held) {
        return;
    }
    size_t deletes = node->deletions_waiting.count < nn->settings.deletes_per_heartbeat
                         ? node->deletions_waiting.count
                         : nn->settings.deletes_per_heartbeat;
    struct dfs_datanode_command *commands = ARENA_ARRAY(
        nn->actions->arena, struct dfs_datanode_command,
        1 + node->outgoing.count + NAMENODE_MERGES_MAX + deletes + node->suspects_waiting.count);
    size_t count = 0;
    if (node->wants_report) {
        commands[count++].kind = DATANODE_REPORT_BLOCKS;
        node->wants_report = false;
    }
    namenode_suspects_tell(nn, node, commands, nn->settings.deletes_per_heartbeat, &count);
    if (nn->mode == MODE_OPEN) { /* NN-8 */
        add_copies(nn, node, commands, &count);
        namenode_compact_tell(nn, node, commands, &count);
        add_deletions(nn, node, commands, &count);
    }
    namenode_timer_clear(nn, &node->held_timer);
    node->has_held = false;
    struct dfs_datanode_heartbeat_response response = {.commands = commands,
                                                       .commands_count = count};
    actions_reply(nn->actions, node->held_call, &dfs_datanode_heartbeat_response_type, &response);
}

void namenode_nodes_flush(struct namenode *nn)
{
    struct tracked *node = NULL;
    while ((node = list_pop(&nn->woken)) != NULL) {
        if (has_commands(nn, node)) {
            namenode_node_answer_held(nn, node);
        }
    }
}

static void store_measures(struct tracked *node,
                           const struct dfs_datanode_heartbeat_request *request)
{
    struct arena *arena = node->beat_strings;
    arena_reset(arena);
    node->latencies = request->latencies;
    node->volume_count = request->volumes_count;
    node->volumes = ARENA_ARRAY(arena, struct dfs_volume_info, request->volumes_count + 1);
    for (size_t i = 0; i < request->volumes_count; i++) {
        message_copy_into(&dfs_volume_info_type, &request->volumes[i], &node->volumes[i], arena);
    }
    node->peer_count = request->peers_count;
    node->peers = ARENA_ARRAY(arena, struct dfs_peer_latency, request->peers_count + 1);
    for (size_t i = 0; i < request->peers_count; i++) {
        message_copy_into(&dfs_peer_latency_type, &request->peers[i], &node->peers[i], arena);
    }
}

void namenode_heartbeat(struct namenode *nn, const struct dfs_datanode_heartbeat_request *request)
{
    struct tracked *node = namenode_node_find(nn, request->node_id, request->session);
    if (node == NULL) {
        return;
    }
    namenode_node_heard(nn, node);
    node->rival.beats++;
    drop_held(nn, node, ERR_CANCELLED);
    bool had_room = node->free_bytes > node->expected_bytes;
    node->capacity_bytes = request->capacity_bytes;
    node->used_bytes = request->used_bytes;
    node->free_bytes = request->free_bytes;
    node->transfers_active = request->transfers_active;
    store_measures(node, request);
    if (!had_room && node->free_bytes > node->expected_bytes) {
        nn->unpark_ms = nn->now_ms;
    }
    node->has_held = true;
    node->held_call = nn->event->call;
    namenode_timer_set(nn, &node->held_timer, nn->now_ms + nn->settings.heartbeat_interval_ms);
    namenode_node_wake(nn, node);
}

/* --- deletions ----------------------------------------------------------------------- */

void namenode_node_delete(struct namenode *nn, struct tracked *node, uint64_t block_id)
{
    CHECK(nn->mode == MODE_OPEN);          /* NN-8 */
    CHECK(block_id <= nn->reserved_up_to); /* NN-10 */
    CHECK(!namenode_node_is_gone(node));
    if (map_u64_get(node->deletions, block_id) != NULL) {
        return;
    }
    struct deletion *deletion = MEM_NEW(struct deletion);
    deletion->block_id = block_id;
    (void)map_u64_put(node->deletions, block_id, deletion); /* it was absent */
    list_append(&node->deletions_waiting, &deletion->in_node, deletion);
    namenode_node_wake(nn, node);
}

static void deletion_forget(struct tracked *node, struct deletion *deletion)
{
    (void)map_u64_remove(node->deletions, deletion->block_id); /* is deletion */
    list_remove(&deletion->in_node);
    mem_free(deletion);
}

void namenode_node_deleted(struct namenode *nn, struct tracked *node, uint64_t block_id)
{
    struct deletion *deletion = map_u64_get(node->deletions, block_id);
    if (deletion != NULL) {
        deletion_forget(node, deletion);
    }
    struct unknown *unknown = map_u64_get(node->unknown, block_id);
    if (unknown != NULL) {
        namenode_unknown_drop(nn, unknown);
    }
    struct block *block = map_u64_get(nn->blocks, block_id);
    struct replica *replica = block == NULL ? NULL : namenode_replica_find(block, node);
    if (replica != NULL) {
        namenode_replica_drop(nn, replica);
        namenode_block_review(nn, block);
    }
}

static void housekeep_node(struct namenode *nn, struct tracked *node)
{
    if (!namenode_node_is_usable(node)) {
        return;
    }
    while (node->deletions_told.first != NULL) {
        struct deletion *oldest = node->deletions_told.first->object;
        if (oldest->retry_ms > nn->now_ms) {
            break;
        }
        list_remove(&oldest->in_node);
        oldest->was_told = false;
        list_append(&node->deletions_waiting, &oldest->in_node, oldest);
        namenode_node_wake(nn, node);
    }
    namenode_suspects_housekeeping(nn, node);
    if (nn->now_ms >= node->report_due_ms) {
        node->wants_report = true;
        node->report_due_ms = nn->now_ms + nn->settings.report_wait_ms;
        namenode_node_wake(nn, node);
    }
}

void namenode_nodes_housekeeping(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        housekeep_node(nn, value);
    }
}

/* --- the end ------------------------------------------------------------------------- */

static void drop_and_review(struct namenode *nn, struct replica *replica, bool is_closing)
{
    struct block *block = replica->block;
    namenode_replica_drop(nn, replica);
    if (!is_closing) {
        namenode_block_review(nn, block);
    }
}

void namenode_node_clear(struct namenode *nn, struct tracked *node, bool is_closing)
{
    while (node->replicas.first != NULL) {
        drop_and_review(nn, node->replicas.first->object, is_closing);
    }
    while (node->outgoing.first != NULL) { /* copies it was not told of */
        drop_and_review(nn, node->outgoing.first->object, is_closing);
    }
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(node->deletions, &cursor, NULL, &value)) {
        deletion_forget(node, value);
    }
    cursor = 0;
    while (map_u64_next(node->unknown, &cursor, NULL, &value)) {
        namenode_unknown_drop(nn, value);
    }
    node->is_reporting = false;
}

void namenode_node_free(struct namenode *nn, struct tracked *node)
{
    namenode_timer_clear(nn, &node->held_timer);
    namenode_timer_clear(nn, &node->liveness_timer);
    list_remove(&node->in_woken);
    map_u64_close(node->suspects);
    map_u64_close(node->deletions);
    map_u64_close(node->unknown);
    arena_close(node->strings);
    arena_close(node->beat_strings);
    mem_free(node);
}
