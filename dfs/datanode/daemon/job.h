/*
 * job.h - one effect of the machine, on its way through a worker thread. Private to work.c and
 * copy.c.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_JOB_H
#define MILLRACE_DFS_DATANODE_DAEMON_JOB_H

#include "dfs/datanode/daemon/node.h"

struct job {
    struct node *node;
    uint64_t tag;
    int effect;
    struct arena *arena; /* of the copy of data */
    struct dfs_block_info block;
    uint32_t volume;
    const struct endpoint *targets;
    size_t targets_count;
    const char *token; /* of block, for the targets; in arena */
    uint64_t cluster_id;
    bool is_urgent;
    bool has_put_failed;                        /* sending, not reading, came to an end */
    const struct dfs_datanode_command *command; /* MERGE_BLOCKS; in arena */
    /* the answer */
    struct error error;
    void *data;
};

/* --- copy.c -------------------------------------------------------------------------------------
 */
/* Pushes a block of store to the job's targets. ERR_CORRUPT, ERR_IO: the replica here is bad. */
MUST_USE enum status node_copy_block(struct job *job, struct store *store);
/* Writes the command's sources, one after the other, as one block to the job's targets. */
MUST_USE enum status node_merge_blocks(struct job *job);

#endif
