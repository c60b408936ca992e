/*
 * service.c - datanodes that are to go for good (decommission) or to be away for a while
 * (maintenance), and what is remembered of datanodes over restarts.
 * Owns tracked->service, until_ms and left_count. All are journaled by node id (DatanodePut),
 * except left_count: it is counted as blocks are reviewed. Invariants: NN-6 (left_count), NN-13.
 * States: docs/states/namenode_service.dot.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/model/message.h"

#define EVENT_NAME(name) #name,

static const char *const service_names[] = {
    [ADMIN_IN_SERVICE] = "ADMIN_IN_SERVICE",
    [ADMIN_DECOMMISSIONING] = "ADMIN_DECOMMISSIONING",
    [ADMIN_DECOMMISSIONED] = "ADMIN_DECOMMISSIONED",
    [ADMIN_ENTERING_MAINTENANCE] = "ADMIN_ENTERING_MAINTENANCE",
    [ADMIN_IN_MAINTENANCE] = "ADMIN_IN_MAINTENANCE",
};
static const char *const service_event_names[] = {SERVICE_EVENT_LIST(EVENT_NAME)};
static const struct transition_row service_rows[] = {
    {ADMIN_IN_SERVICE,           SERVICE_RESUMED,       ADMIN_IN_SERVICE,           NULL},
    {ADMIN_IN_SERVICE,           SERVICE_ENDED,         ADMIN_DECOMMISSIONING,      NULL},
    {ADMIN_IN_SERVICE,           SERVICE_PAUSED,        ADMIN_ENTERING_MAINTENANCE, NULL},
    {ADMIN_DECOMMISSIONING,      SERVICE_ENDED,         ADMIN_DECOMMISSIONING,      NULL},
    {ADMIN_DECOMMISSIONING,      SERVICE_DRAINED,       ADMIN_DECOMMISSIONED,       NULL},
    {ADMIN_DECOMMISSIONING,      SERVICE_RESUMED,       ADMIN_IN_SERVICE,           NULL},
    {ADMIN_DECOMMISSIONING,      SERVICE_PAUSED,        ADMIN_ENTERING_MAINTENANCE, NULL},
    {ADMIN_DECOMMISSIONED,       SERVICE_ENDED,         ADMIN_DECOMMISSIONED,       NULL},
    {ADMIN_DECOMMISSIONED,       SERVICE_RESUMED,       ADMIN_IN_SERVICE,           NULL},
    {ADMIN_DECOMMISSIONED,       SERVICE_PAUSED,        ADMIN_ENTERING_MAINTENANCE, NULL},
    {ADMIN_ENTERING_MAINTENANCE, SERVICE_PAUSED,        ADMIN_ENTERING_MAINTENANCE, NULL},
    {ADMIN_ENTERING_MAINTENANCE, SERVICE_DRAINED,       ADMIN_IN_MAINTENANCE,       NULL},
    {ADMIN_ENTERING_MAINTENANCE, SERVICE_PAUSE_EXPIRED, ADMIN_IN_SERVICE,           NULL},
    {ADMIN_ENTERING_MAINTENANCE, SERVICE_RESUMED,       ADMIN_IN_SERVICE,           NULL},
    {ADMIN_ENTERING_MAINTENANCE, SERVICE_ENDED,         ADMIN_DECOMMISSIONING,      NULL},
    {ADMIN_IN_MAINTENANCE,       SERVICE_PAUSED,        ADMIN_IN_MAINTENANCE,       NULL},
    {ADMIN_IN_MAINTENANCE,       SERVICE_PAUSE_EXPIRED, ADMIN_IN_SERVICE,           NULL},
    {ADMIN_IN_MAINTENANCE,       SERVICE_RESUMED,       ADMIN_IN_SERVICE,           NULL},
    {ADMIN_IN_MAINTENANCE,       SERVICE_ENDED,         ADMIN_DECOMMISSIONING,      NULL},
};
const struct transition_table namenode_service_table = {
    .name = "namenode_service",
    .rows = service_rows,
    .count = sizeof(service_rows) / sizeof(service_rows[0]),
    .state_names = service_names,
    .state_count = sizeof(service_names) / sizeof(service_names[0]),
    .event_names = service_event_names,
    .event_count = SERVICE_EVENT_COUNT,
};

bool namenode_node_is_in_service(const struct tracked *node)
{
    return node->service == ADMIN_IN_SERVICE;
}

bool namenode_node_is_excused(const struct tracked *node)
{
    return node->service == ADMIN_ENTERING_MAINTENANCE || node->service == ADMIN_IN_MAINTENANCE;
}

/* --- records ------------------------------------------------------------------------- */

void namenode_record_node(struct namenode *nn, const struct tracked *node)
{
    struct journal_datanode_put record = {
        .node = node->endpoint,
        .admin_state = (enum dfs_datanode_admin_state)node->service,
        .until_ms = node->until_ms,
    };
    actions_journal(nn->actions, &journal_datanode_put_type, &record);
}

void namenode_replay_node(struct namenode *nn, const struct journal_datanode_put *record)
{
    struct tracked *node = namenode_node_remember(nn, &record->node);
    node->service = (int)record->admin_state;
    node->until_ms = record->until_ms;
}

bool namenode_node_is_forgettable(const struct tracked *node)
{
    return namenode_node_is_gone(node) && node->copies_out == 0 && node->replicas.count == 0;
}

static void remove_node(struct namenode *nn, struct tracked *node)
{
    CHECK(namenode_node_is_forgettable(node));
    CHECK(map_u64_remove(nn->nodes, node->endpoint.node_id) == node);
    namenode_node_free(nn, node);
}

void namenode_node_forget(struct namenode *nn, struct tracked *node)
{
    struct journal_datanode_remove record = {.node_id = node->endpoint.node_id};
    actions_journal(nn->actions, &journal_datanode_remove_type, &record);
    NAMENODE_TRACE(nn, "datanode node=%llu forgotten", (unsigned long long)record.node_id);
    remove_node(nn, node);
}

void namenode_replay_node_removed(struct namenode *nn, const struct journal_datanode_remove *record)
{
    struct tracked *node = map_u64_get(nn->nodes, record->node_id);
    CHECK(node != NULL);
    remove_node(nn, node);
}

/* --- blocks that depend on a node ---------------------------------------------------- */

void namenode_service_uncount(struct replica *replica)
{
    replica->node->left_count -= replica->is_left ? 1 : 0;
    replica->is_left = false;
}

void namenode_service_count_left(struct block *block, bool is_short)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        struct replica *replica = block->replicas[i];
        namenode_service_uncount(replica);
        if (is_short && replica->state == REPLICA_STORED &&
            !namenode_node_is_in_service(replica->node)) {
            replica->is_left = true;
            replica->node->left_count++;
        }
    }
}

/* --- changes ------------------------------------------------------------------------- */

static void service_apply(struct namenode *nn,
                          struct tracked *node,
                          enum service_event event,
                          uint64_t until_ms)
{
    int before = node->service;
    uint64_t until_before_ms = node->until_ms;
    int after = namenode_transition(&namenode_service_table, before, (int)event);
    bool is_excused = after == ADMIN_ENTERING_MAINTENANCE || after == ADMIN_IN_MAINTENANCE;
    node->until_ms = is_excused ? until_ms : 0;
    if (before == after && until_before_ms == node->until_ms) {
        return;
    }
    namenode_node_set_service(nn, node, after);
    namenode_record_node(nn, node);
    if (before == after) {
        return;
    }
    NAMENODE_TRACE(nn, "service node=%llu %s->%s left=%llu",
                   (unsigned long long)node->endpoint.node_id, service_names[before],
                   service_names[after], (unsigned long long)node->left_count);
    struct list_node *at = node->replicas.first;
    while (at != NULL) {
        struct replica *replica = at->object;
        at = at->next; /* a review never drops this node's replica of another block */
        namenode_block_review(nn, replica->block);
    }
    nn->has_repair_work = true;
    nn->unpark_ms = nn->now_ms;
}

/* Nothing that it holds, or will hold soon, is needed from it. */
static bool is_drained(const struct namenode *nn, const struct tracked *node)
{
    if (!nn->is_repairing) {
        return false;
    }
    if (namenode_node_is_gone(node)) {
        return nn->health_counts[HEALTH_UNDER] == 0 && nn->health_counts[HEALTH_MISSING] == 0;
    }
    return node->has_reported && node->left_count == 0 && node->expected_count == 0;
}

void namenode_service_housekeeping(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        bool is_draining =
            node->service == ADMIN_DECOMMISSIONING || node->service == ADMIN_ENTERING_MAINTENANCE;
        if (node->until_ms != 0 && nn->wall_ms >= node->until_ms) {
            service_apply(nn, node, SERVICE_PAUSE_EXPIRED, 0);
        } else if (is_draining && is_drained(nn, node)) {
            service_apply(nn, node, SERVICE_DRAINED, node->until_ms);
        }
    }
}

/* --- the call ------------------------------------------------------------------------ */

static bool is_meant(const struct dfs_set_datanode_admin_request *request,
                     const struct tracked *node)
{
    if (request->node_id != 0) {
        return node->endpoint.node_id == request->node_id;
    }
    return slice_equal(node->endpoint.host, request->host) ||
           slice_equal(node->endpoint.http_address, request->host);
}

static bool request_is_valid(struct namenode *nn,
                             const struct dfs_set_datanode_admin_request *request)
{
    if (!namenode_is_superuser(nn, nn->event->user)) {
        namenode_fail(nn, ERR_DENIED, "only the superuser may change the service of datanodes");
        return false;
    }
    if (request->node_id == 0 && request->host.length == 0) {
        namenode_fail(nn, ERR_INVALID, "which datanode? name its id or its host");
        return false;
    }
    if ((unsigned)request->action >= DFS_DATANODE_ADMIN_ACTION_COUNT) {
        namenode_fail(nn, ERR_INVALID, "no action %d of datanodes", (int)request->action);
        return false;
    }
    if (request->until_ms != 0 && request->action != DATANODE_MAINTENANCE) {
        namenode_fail(nn, ERR_INVALID, "only maintenance ends at a time");
        return false;
    }
    if (request->until_ms != 0 && request->until_ms <= nn->wall_ms) {
        namenode_fail(nn, ERR_INVALID, "until_ms %llu has passed: it is now %llu",
                      (unsigned long long)request->until_ms, (unsigned long long)nn->wall_ms);
        return false;
    }
    return true;
}

/* False: the call failed. */
static bool may_forget(struct namenode *nn, const struct tracked *node)
{
    if (namenode_node_is_forgettable(node)) {
        return true;
    }
    if (!namenode_node_is_gone(node)) {
        namenode_fail(nn, ERR_BAD_TRANSITION,
                      "datanode %llu (%.*s) is not given up yet: stop it first",
                      (unsigned long long)node->endpoint.node_id, SLICE_ARGS(node->endpoint.host));
        return false;
    }
    namenode_fail(nn, ERR_BUSY, "copies from datanode %llu (%.*s) are still awaited",
                  (unsigned long long)node->endpoint.node_id, SLICE_ARGS(node->endpoint.host));
    return false;
}

static void act(struct namenode *nn,
                const struct dfs_set_datanode_admin_request *request,
                struct tracked *node)
{
    switch (request->action) {
    case DATANODE_SERVE:
        service_apply(nn, node, SERVICE_RESUMED, 0);
        return;
    case DATANODE_DECOMMISSION:
        service_apply(nn, node, SERVICE_ENDED, 0);
        return;
    case DATANODE_MAINTENANCE:
        service_apply(nn, node, SERVICE_PAUSED, request->until_ms);
        return;
    case DATANODE_FORGET:
    case DFS_DATANODE_ADMIN_ACTION_COUNT:
        return;
    }
}

void namenode_set_datanode_admin(struct namenode *nn,
                                 const struct dfs_set_datanode_admin_request *request)
{
    if (!request_is_valid(nn, request)) {
        return;
    }
    bool is_forget = request->action == DATANODE_FORGET;
    struct dfs_datanode_info *infos =
        ARENA_ARRAY(nn->actions->arena, struct dfs_datanode_info, map_u64_count(nn->nodes) + 1);
    struct tracked **nodes =
        ARENA_ARRAY(nn->actions->arena, struct tracked *, map_u64_count(nn->nodes) + 1);
    size_t count = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        if (is_meant(request, value)) {
            nodes[count++] = value;
            if (is_forget && !may_forget(nn, value)) {
                return;
            }
        }
    }
    if (count == 0) {
        namenode_fail(nn, ERR_NOT_FOUND, "no datanode %llu %.*s is known",
                      (unsigned long long)request->node_id, SLICE_ARGS(request->host));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        act(nn, request, nodes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct dfs_datanode_info info;
        namenode_datanode_info(nn, nodes[i], &info);
        infos[i] = *(struct dfs_datanode_info *)message_copy(&dfs_datanode_info_type, &info,
                                                             nn->actions->arena);
        if (is_forget) {
            namenode_node_forget(nn, nodes[i]);
        }
    }
    struct dfs_set_datanode_admin_response response = {.datanodes = infos,
                                                       .datanodes_count = count};
    namenode_reply(nn, &response);
}
