/*
 * identity.c - who may register as which datanode. Refused: another cluster's datanode, an older
 * process of a known one, a copy of one that runs, one at the address of another that runs.
 * A refusal is final (ERR_INVALID, ERR_STALE) once it is certain; while the process that holds the
 * place may just have died unnoticed it is ERR_BUSY, and the newcomer asks again.
 * Owns tracked->is_hung_up and rival. Invariant: NN-14.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

enum {
    BEATS_MISSED = 3, /* heartbeats after which a process is not said to run */
    BEATS_HEARD = 3,  /* ... after which it is certain to: a dead one has at most one on its way */
};

/* Heard of lately, and its connection was not seen to break. */
static bool is_running(const struct namenode *nn, const struct tracked *node)
{
    return namenode_node_is_usable(node) && !node->is_hung_up &&
           nn->now_ms - node->heard_ms < BEATS_MISSED * nn->settings.heartbeat_interval_ms;
}

static bool is_same_rival(const struct rival *rival,
                          const struct dfs_register_datanode_request *request)
{
    return rival->is_there && rival->node_id == request->node.node_id &&
           rival->incarnation == request->incarnation;
}

/*
 * True when node is certain to run beside the newcomer: it has beaten again and again since the
 * newcomer first asked. Before that the newcomer may be what became of node, whose last messages
 * come late.
 */
static bool is_certain(struct tracked *node, const struct dfs_register_datanode_request *request)
{
    if (!is_same_rival(&node->rival, request)) {
        node->rival = (struct rival){.is_there = true,
                                     .node_id = request->node.node_id,
                                     .incarnation = request->incarnation};
        return false;
    }
    return node->rival.beats >= BEATS_HEARD;
}

static bool is_same_process(const struct tracked *node,
                            const struct dfs_register_datanode_request *request)
{
    return node->incarnation == request->incarnation &&
           slice_equal(node->endpoint.http_address, request->node.http_address);
}

static bool admits_id(struct namenode *nn,
                      struct tracked *node,
                      const struct dfs_register_datanode_request *request)
{
    if (request->incarnation < node->incarnation) {
        namenode_fail(nn, ERR_STALE, "a later incarnation of datanode %llu is registered",
                      (unsigned long long)request->node.node_id);
        return false;
    }
    if (is_same_process(node, request) || !is_running(nn, node)) {
        return true;
    }
    if (is_certain(node, request)) {
        NAMENODE_TRACE(nn, "datanode node=%llu copied", (unsigned long long)node->endpoint.node_id);
        namenode_fail(nn, ERR_INVALID,
                      "datanode %llu runs already, at %.*s on %.*s: this folder is a copy of its "
                      "folder; start the copy with an empty one",
                      (unsigned long long)node->endpoint.node_id,
                      SLICE_ARGS(node->endpoint.http_address), SLICE_ARGS(node->endpoint.host));
        return false;
    }
    namenode_fail(nn, ERR_BUSY, "datanode %llu still runs, at %.*s on %.*s",
                  (unsigned long long)node->endpoint.node_id,
                  SLICE_ARGS(node->endpoint.http_address), SLICE_ARGS(node->endpoint.host));
    return false;
}

/* --- a new datanode in the place of another ------------------------------------------ */

static struct tracked *other_at_address(const struct namenode *nn, const struct endpoint *endpoint)
{
    size_t cursor = 0;
    void *value = NULL;
    while (endpoint->http_address.length > 0 && map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        if (node->endpoint.node_id != endpoint->node_id && !node->is_superseded &&
            slice_equal(node->endpoint.http_address, endpoint->http_address)) {
            return node;
        }
    }
    return NULL;
}

static bool admits_address(struct namenode *nn,
                           struct tracked *other,
                           const struct dfs_register_datanode_request *request)
{
    if (!is_running(nn, other)) {
        return true;
    }
    bool is_final = is_certain(other, request);
    namenode_fail(nn, is_final ? ERR_INVALID : ERR_BUSY, "datanode %llu runs at %.*s",
                  (unsigned long long)other->endpoint.node_id,
                  SLICE_ARGS(other->endpoint.http_address));
    return false;
}

/* Its disk was wiped or exchanged: what it held is not waited for. */
static void supersede(struct namenode *nn, struct tracked *other, uint64_t node_id)
{
    NAMENODE_TRACE(nn, "datanode node=%llu superseded by=%llu replicas=%zu",
                   (unsigned long long)other->endpoint.node_id, (unsigned long long)node_id,
                   other->replicas.count);
    other->is_superseded = true;
    if (!namenode_node_is_gone(other)) {
        namenode_node_give_up(nn, other);
    }
}

bool namenode_identity_admits(struct namenode *nn,
                              const struct dfs_register_datanode_request *request)
{
    if (request->cluster_id != 0 && request->cluster_id != nn->cluster_id) {
        namenode_fail(nn, ERR_INVALID, "the datanode belongs to cluster %llu, this is %llu",
                      (unsigned long long)request->cluster_id, (unsigned long long)nn->cluster_id);
        return false;
    }
    struct tracked *node = map_u64_get(nn->nodes, request->node.node_id);
    struct tracked *other = other_at_address(nn, &request->node);
    if (node != NULL && !admits_id(nn, node, request)) {
        return false;
    }
    if (other != NULL && !admits_address(nn, other, request)) {
        return false;
    }
    if (other != NULL) {
        supersede(nn, other, request->node.node_id);
    }
    return true;
}

void namenode_identity_housekeeping(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        if (node->is_superseded && namenode_node_is_in_service(node) &&
            namenode_node_is_forgettable(node)) {
            namenode_node_forget(nn, node);
        }
    }
}
