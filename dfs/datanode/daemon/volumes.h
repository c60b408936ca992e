/*
 * volumes.h - the data folders of this node, each a store on a disk of its own: whose they are,
 * which can be used, and where a block is.
 * A folder that cannot be opened at the start, or was retired since, is not touched again before
 * the next start. Folders that belong to somebody else are never taken: see volumes_open. Any
 * thread. Files: docs/formats/block.md; what fails a volume: docs/datanode.md.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_VOLUMES_H
#define MILLRACE_DFS_DATANODE_DAEMON_VOLUMES_H

#include "dfs/datanode/daemon/store.h"

struct volumes;

struct volumes_settings {
    const struct slice *directories; /* made when absent; copied */
    size_t count;                    /* 1 to DATANODE_VOLUMES_MAX */
    uint64_t node_id;
    size_t tolerated; /* folders that may be unusable at the start, as long as one is left */
};

/*
 * Opens every folder and signs the new ones. ERR_FENCED, with a sentence: a folder belongs to
 * another node, two of them belong to different clusters, are copies of each other or one and the
 * same, or one holds blocks and does not say whose. ERR_IO: more folders than tolerated cannot be
 * used.
 */
MUST_USE enum status volumes_open(const struct volumes_settings *settings,
                                  struct volumes **ret_volumes,
                                  struct error *reterr_error);
void volumes_close(struct volumes *volumes); /* NULL is fine; no writer or reader is left */
size_t volumes_count(const struct volumes *volumes);
/* 0: this node was never registered. */
uint64_t volumes_cluster_id(const struct volumes *volumes);
const char *volumes_directory(const struct volumes *volumes, size_t index);
bool volumes_is_usable(const struct volumes *volumes, size_t index);
/* Why it is not usable; empty when it is. */
const char *volumes_failure(const struct volumes *volumes, size_t index);
/* ERR_IO when it is not usable. The store stays until volumes_close. */
MUST_USE enum status volumes_store(const struct volumes *volumes,
                                   size_t index,
                                   struct store **ret_store,
                                   struct error *reterr_error);
void volumes_retire(struct volumes *volumes, size_t index, struct slice why);

/* Room on it; folders on one file system share its room equally. */
MUST_USE enum status volumes_space_get(const struct volumes *volumes,
                                       size_t index,
                                       struct store_space *ret_space,
                                       struct error *reterr_error);
/* Writes VERSION in one folder. */
MUST_USE enum status volumes_sign(struct volumes *volumes,
                                  size_t index,
                                  uint64_t cluster_id,
                                  struct error *reterr_error);

/* As store_reader_open, on whichever volume the block is; *ret_index is also set on failure. */
MUST_USE enum status volumes_reader_open(const struct volumes *volumes,
                                         uint64_t block_id,
                                         struct store_reader **ret_reader,
                                         size_t *ret_index,
                                         struct error *reterr_error);
/* As store_open_file; the same. */
MUST_USE enum status volumes_open_file(const struct volumes *volumes,
                                       uint64_t block_id,
                                       bool is_sidecar,
                                       struct file **ret_file,
                                       size_t *ret_index,
                                       struct error *reterr_error);

#endif
