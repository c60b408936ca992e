/*
 * store_internal.h - what store.c and the store_*.c share.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_STORE_INTERNAL_H
#define MILLRACE_DFS_DATANODE_DAEMON_STORE_INTERNAL_H

#include <stdatomic.h>

#include "dfs/datanode/daemon/store.h"

enum {
    STORE_FOLDERS = 256 /* of blocks/, by the last two digits of the id */
};

enum store_place {
    STORE_BLOCKS,
    STORE_CORRUPT
};

struct store {
    const char *directory; /* in arena */
    atomic_ulong incoming_count;
    struct arena *arena; /* used while opening only */
};

/* "<directory>/blocks/5f/9f3c0a1b2c3d4e5f.blk", from arena. */
const char *store_path(const struct store *store,
                       struct arena *arena,
                       enum store_place place,
                       uint64_t block_id,
                       const char *suffix);

#endif
