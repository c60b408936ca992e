/*
 * cluster_plan.c - names, places and shares of the daemons of a cluster on one host.
 */
#include "cli/cluster_plan.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/slice.h"

static const char *format_text(struct slice formatted)
{
    return (const char *)formatted.data;
}

static uint64_t at_least(uint64_t value, uint64_t minimum)
{
    return value > minimum ? value : minimum;
}

static enum status check_input(const struct cluster_plan_input *input, struct error *reterr_error)
{
    if (input->nodes < 1 || input->nodes > CLUSTER_PLAN_NODES_MAX)
        return error_set(reterr_error, ERR_INVALID,
                         "a cluster on one host has 1 to %d nodes, not %" PRIu64,
                         CLUSTER_PLAN_NODES_MAX, input->nodes);
    if (input->racks < 1 || input->racks > input->nodes)
        return error_set(reterr_error, ERR_INVALID,
                         "%" PRIu64 " nodes can stand in 1 to %" PRIu64 " racks, not in %" PRIu64,
                         input->nodes, input->nodes, input->racks);
    return OK;
}

/*
 * What all daemons of a new cluster read. A quarter of the memory is left for datanodes, the
 * kernel's cache and everybody else; blocks have as many copies as there are nodes to hold them, up
 * to the usual three.
 */
static const char *make_settings(const struct cluster_plan_input *input, struct arena *arena)
{
    uint64_t replicas = input->nodes < CLUSTER_PLAN_REPLICAS ? input->nodes : CLUSTER_PLAN_REPLICAS;
    uint64_t memory = at_least(input->memory_bytes / 4 * 3 / input->nodes, CLUSTER_PLAN_MEMORY_MIN);
    uint64_t vcores = at_least(input->cpus / input->nodes, CLUSTER_PLAN_VCORES_MIN);
    return format_text(
        arena_format(arena,
                     "; Settings of this cluster, read by each daemon when it starts."
                     " All names: millrace settings\n"
                     "\n"
                     "[up]\n"
                     "nodes = %" PRIu64 "\n"
                     "racks = %" PRIu64 "\n"
                     "\n"
                     "[dfs]\n"
                     "replication = %" PRIu64 "\n"
                     "\n"
                     "[nodemgr]\n"
                     "memory = %" PRIu64 "m\n"
                     "vcores = %" PRIu64 "\n",
                     input->nodes, input->racks, replicas, memory >> 20, vcores));
}

static struct cluster_plan_daemon make_node(const struct cluster_plan_input *input,
                                            struct arena *arena,
                                            const char *role,
                                            uint64_t node)
{
    return (struct cluster_plan_daemon){
        .name = format_text(arena_format(arena, "%s-%" PRIu64, role, node)),
        .role = role,
        .host = format_text(arena_format(arena, "node%" PRIu64, node)),
        .rack = format_text(arena_format(arena, "/rack%" PRIu64, (node - 1) % input->racks)),
    };
}

enum status cluster_plan_make(const struct cluster_plan_input *input,
                              struct arena *arena,
                              struct cluster_plan *ret_plan,
                              struct error *reterr_error)
{
    enum status status = check_input(input, reterr_error);
    if (status != OK)
        return status;
    struct cluster_plan_daemon *daemons =
        ARENA_ARRAY(arena, struct cluster_plan_daemon, 2 + 2 * input->nodes);
    size_t count = 0;
    daemons[count++] = (struct cluster_plan_daemon){.name = "namenode", .role = "namenode"};
    daemons[count++] = (struct cluster_plan_daemon){.name = "rm", .role = "rm"};
    for (uint64_t node = 1; node <= input->nodes; node++)
        daemons[count++] = make_node(input, arena, "datanode", node);
    for (uint64_t node = 1; node <= input->nodes; node++)
        daemons[count++] = make_node(input, arena, "nodemgr", node);
    ret_plan->daemons = daemons;
    ret_plan->count = count;
    ret_plan->settings = make_settings(input, arena);
    return OK;
}

const struct cluster_plan_daemon *cluster_plan_find(const struct cluster_plan *plan,
                                                    const char *name)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (strcmp(plan->daemons[i].name, name) == 0)
            return &plan->daemons[i];
    }
    return NULL;
}
