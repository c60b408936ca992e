/*
 * cluster_plan.h - which daemons a cluster on one host has, and what each of them is told.
 * Pure: the same answers for the same numbers. docs/cluster.md describes the outcome.
 */
#ifndef MILLRACE_CLI_CLUSTER_PLAN_H
#define MILLRACE_CLI_CLUSTER_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/status.h"

enum {
    CLUSTER_PLAN_NODES_MAX = 64, /* each is two processes */
    CLUSTER_PLAN_VCORES_MIN = 2, /* of a node: one for a job's master and one for its tasks */
    CLUSTER_PLAN_REPLICAS = 3    /* copies of a block, where there are as many nodes */
};

/* Least memory of a node, for the same reason. */
#define CLUSTER_PLAN_MEMORY_MIN (UINT64_C(2) << 30)

struct cluster_plan_input {
    uint64_t nodes;        /* 1..CLUSTER_PLAN_NODES_MAX */
    uint64_t racks;        /* 1..nodes */
    uint32_t cpus;         /* of the host */
    uint64_t memory_bytes; /* of the host */
};

struct cluster_plan_daemon {
    const char *name; /* "namenode", "rm", "datanode-1", "nodemgr-1", ...; also of its folder */
    const char *role; /* "datanode": its program is mr-datanode */
    const char *host; /* "node1"; NULL: not a node's */
    const char *rack;
};

struct cluster_plan {
    const struct cluster_plan_daemon *daemons; /* in starting order: who is asked comes first */
    size_t count;
    const char *settings; /* text of the new cluster's millrace.conf */
};

/*
 * Node i of 1..nodes is host "node<i>" on "/rack<(i - 1) mod racks>", so racks differ by one node
 * at most; its datanode and its node manager share both. ERR_INVALID, in a sentence, when the
 * numbers are out of range.
 */
MUST_USE enum status cluster_plan_make(const struct cluster_plan_input *input,
                                       struct arena *arena,
                                       struct cluster_plan *ret_plan,
                                       struct error *reterr_error);
/* The row of this name, or NULL. */
const struct cluster_plan_daemon *cluster_plan_find(const struct cluster_plan *plan,
                                                    const char *name);

#endif
