/*
 * store.h - blocks on this node's disk: receive, read verified, take out of service, remove.
 * Files and the order of their writes: docs/formats/block.md. Any thread may use a store; one
 * writer or reader belongs to one thread at a time. What may be done when is the machine's decision
 * (dfs/datanode/core); the store only makes sure that a name in blocks/ is a whole, checked block.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_STORE_H
#define MILLRACE_DFS_DATANODE_DAEMON_STORE_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/model/block.h"
#include "lib/model/messages.h"

struct store;
struct store_writer;
struct store_reader;
struct file;
struct rate;

struct store_settings {
    const char *directory; /* made when absent; copied */
};

/* Makes the folders and empties incoming/. The caller holds the lock of the folder. */
MUST_USE enum status store_open(const struct store_settings *settings,
                                struct store **ret_store,
                                struct error *reterr_error);
void store_close(struct store *store); /* NULL is fine; no writer or reader is left */

/*
 * Who the folder belongs to; zeros when it is new. ERR_CORRUPT when the file is damaged, ERR_FENCED
 * when there is none and yet there are blocks.
 */
struct store_identity {
    uint64_t node_id;
    uint64_t cluster_id;
    uint64_t volume_id; /* random; 0: written before there were several */
};

MUST_USE enum status store_identity_load(struct store *store,
                                         struct store_identity *ret_identity,
                                         struct error *reterr_error);
/* Replaced atomically and synced. */
MUST_USE enum status store_identity_save(struct store *store,
                                         const struct store_identity *identity,
                                         struct error *reterr_error);

struct store_scan {
    struct dfs_block_info *blocks; /* sizes and sidecar headers are sound */
    size_t blocks_count;
    struct dfs_block_info *corrupt; /* out of service, by this scan or earlier */
    size_t corrupt_count;
    size_t unreadable_count; /* of corrupt: the disk could not read them; left where they are */
    size_t stray_count;      /* names that are no block's; left alone */
};

/* Finds what is here, and takes out of service what cannot be whole. The lists come from arena. */
MUST_USE enum status store_scan(struct store *store,
                                struct arena *arena,
                                struct store_scan *ret_scan,
                                struct error *reterr_error);

struct store_space {
    uint64_t volume_bytes;
    uint64_t free_bytes;
};

MUST_USE enum status store_space_get(struct store *store,
                                     struct store_space *ret_space,
                                     struct error *reterr_error);

/*
 * True for a failure of a write, or of a change of names, that says that the disk cannot be trusted
 * any more: anything but a lack of room, memory or descriptors.
 */
bool store_is_broken_by(enum status status);

/* --- receiving ---------------------------------------------------------------------------------
 */
/* is_synced false: the durability "replicated", nothing is synced. */
MUST_USE enum status store_writer_open(struct store *store,
                                       const struct dfs_block_info *block,
                                       bool is_synced,
                                       struct store_writer **ret_writer,
                                       struct error *reterr_error);
/* ERR_LIMIT beyond the block's length, ERR_NO_SPACE; ERR_IO: see store_writer_broke_volume. */
MUST_USE enum status store_writer_push(struct store_writer *writer,
                                       struct slice data,
                                       struct error *reterr_error);
/*
 * Checks length and checksum against the claim (ERR_CORRUPT), syncs, and moves the block into
 * place. After OK the block is durable (if it is synced); after a failure nothing of it
 * stays but what store_writer_close removes.
 */
MUST_USE enum status store_writer_commit(struct store_writer *writer, struct error *reterr_error);
/* True when a write or sync failed in a way that says the disk cannot be trusted any more. */
bool store_writer_broke_volume(const struct store_writer *writer);
void store_writer_close(struct store_writer *writer); /* NULL is fine */

/* --- reading -----------------------------------------------------------------------------------
 */
/*
 * Opens a block and its sidecar. ERR_NOT_FOUND; ERR_CORRUPT when the sidecar is damaged or does not
 * belong to these bytes.
 */
MUST_USE enum status store_reader_open(struct store *store,
                                       uint64_t block_id,
                                       struct store_reader **ret_reader,
                                       struct error *reterr_error);
struct dfs_block_info store_reader_block(const struct store_reader *reader);
const struct block_sidecar *store_reader_sidecar(const struct store_reader *reader);
/*
 * Reads [offset, offset + length), which lies inside the block, after every chunk that it touches
 * has been verified in memory. ERR_CORRUPT when one is bad; then data holds nothing of use.
 */
MUST_USE enum status store_reader_read(struct store_reader *reader,
                                       uint64_t offset,
                                       void *data,
                                       size_t length,
                                       struct error *reterr_error);
/* Lets the kernel forget what it has cached of the block. */
void store_reader_forget_cached(struct store_reader *reader);
void store_reader_close(struct store_reader *reader); /* NULL is fine */
/* Opens the data file, or the sidecar, for another process. The caller closes it. */
MUST_USE enum status store_open_file(struct store *store,
                                     uint64_t block_id,
                                     bool is_sidecar,
                                     struct file **ret_file,
                                     struct error *reterr_error);

/* --- care --------------------------------------------------------------------------------------
 */
/*
 * Reads all of it and checks each chunk, at that rate (NULL: none). What the kernel has cached and
 * nobody maps is dropped first, so that it is the disk that is checked. ERR_CANCELLED: the rate was
 * stopped.
 */
MUST_USE enum status store_verify(struct store *store,
                                  uint64_t block_id,
                                  struct rate *rate,
                                  struct error *reterr_error);
/*
 * The block that the scrubber has verified last: where the next start goes on. Saving replaces it
 * atomically, but syncs nothing; one thread at a time. Loading: ERR_NOT_FOUND when none was saved,
 * ERR_CORRUPT when the file is damaged or foreign.
 */
MUST_USE enum status store_position_load(struct store *store,
                                         uint64_t *ret_block_id,
                                         struct error *reterr_error);
MUST_USE enum status store_position_save(struct store *store,
                                         uint64_t block_id,
                                         struct error *reterr_error);
/* Moves both files into corrupt/. What is not there is not missed. */
MUST_USE enum status store_quarantine(struct store *store,
                                      uint64_t block_id,
                                      struct error *reterr_error);
/* Removes the files wherever they are. Nothing there is OK. */
MUST_USE enum status store_delete(struct store *store,
                                  uint64_t block_id,
                                  struct error *reterr_error);

#endif
