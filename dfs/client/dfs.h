/*
 * dfs.h - the filesystem client: namespace calls, a writer and a reader.
 *
 * Guarantees. A file exists for readers when dfs_writer_complete has returned OK, and then survives
 * the loss of power on any minority of the hosts that hold it (of all of them, unless it was
 * created with DURABILITY_REPLICATED); before that nothing of it is seen. No byte that does not
 * match its checksum is handed out: a bad replica is reported and the next one is read. A call that
 * fails for a passing reason (namenode restarting, safe mode, no answer) is repeated with the same
 * request id until settings.deadline_ms; a mutation takes effect at most once.
 *
 * Threads. A struct dfs may be used by any number of threads; one writer or reader by one thread at
 * a time. Paths are absolute, UTF-8, "/"-separated; the namenode judges them.
 *
 * Errors. Every function sets *reterr_error (may be NULL) to a sentence for people when it fails,
 * and leaves its ret_ arguments untouched. Structs returned into an arena live as long as that
 * arena. Source: docs/protocols/data-plane.md, proto/dfs.proto.
 */
#ifndef MILLRACE_DFS_CLIENT_DFS_H
#define MILLRACE_DFS_CLIENT_DFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

struct dfs;
struct dfs_writer;
struct dfs_reader;

struct dfs_settings {
    const char *namenode_address; /* "127.0.0.1:41234", gRPC */
    const char *token;            /* the bearer token of the user (docs/protocols/token.md) */
    const char *host;             /* name that locality compares; NULL: this host's name */
    int64_t deadline_ms;          /* how long passing failures are ridden out; 0: 60,000 */
    int64_t call_timeout_ms;      /* one try of one call; 0: 10,000 */
    int64_t hedged_read_ms;       /* a replica that has not delivered for so long gets a rival; 0:
                                     500; below 0: never */
    uint64_t seed;                /* of the client id and the jitter; 0: from the kernel */
    bool no_local_files;          /* never read through a passed descriptor (tests, benches) */
};

/*
 * Everything in settings is copied. No packet is sent before the first call. The program has called
 * net_open (lib/net/net.h).
 */
MUST_USE enum status dfs_open(const struct dfs_settings *settings,
                              struct dfs **ret_dfs,
                              struct error *reterr_error);
/* All writers and readers must be closed before. NULL is fine. */
void dfs_close(struct dfs *dfs);
/* A newer token of the same user, for clients that outlive the first; copied. */
void dfs_set_token(struct dfs *dfs, const char *token);
/* Gives up waiting in all calls of this client, now and later: they return ERR_CANCELLED. */
void dfs_cancel(struct dfs *dfs);
/* Takes dfs_cancel back, for a caller that wants to clean up. */
void dfs_resume(struct dfs *dfs);
/* The name that locality compares; lives as long as dfs. */
const char *dfs_host(const struct dfs *dfs);

/* --- namespace ------------------------------------------------------------------------------- */

/* ERR_NOT_FOUND when nothing has this path. */
MUST_USE enum status dfs_get_status(struct dfs *dfs,
                                    struct slice path,
                                    struct arena *arena,
                                    struct dfs_file_status *ret_status,
                                    struct error *reterr_error);
/* One page, names after start_after (empty: from the first), in byte order. A file lists itself. */
MUST_USE enum status dfs_list_page(struct dfs *dfs,
                                   struct slice path,
                                   struct slice start_after,
                                   struct arena *arena,
                                   struct dfs_list_status_response *ret_page,
                                   struct error *reterr_error);
/* All pages put together; the entries live in arena. */
MUST_USE enum status dfs_list(struct dfs *dfs,
                              struct slice path,
                              struct arena *arena,
                              const struct dfs_file_status **ret_entries,
                              size_t *ret_count,
                              struct error *reterr_error);
/* Where the bytes [offset, offset + length) are, nearest replica first; length 0: to the end. */
MUST_USE enum status dfs_get_blocks(struct dfs *dfs,
                                    struct slice path,
                                    uint64_t offset,
                                    uint64_t length,
                                    struct arena *arena,
                                    struct dfs_get_blocks_response *ret_blocks,
                                    struct error *reterr_error);
/* create_parents: like mkdir -p, an existing directory is fine; otherwise it is ERR_EXISTS. */
MUST_USE enum status dfs_mkdirs(struct dfs *dfs,
                                struct slice path,
                                uint32_t permission,
                                bool create_parents,
                                struct error *reterr_error);
/* An existing directory as destination receives the source under its own name. */
MUST_USE enum status dfs_rename(struct dfs *dfs,
                                struct slice source,
                                struct slice destination,
                                struct error *reterr_error);
/* ERR_NOT_FOUND, ERR_NOT_EMPTY for a directory with entries unless recursive. */
MUST_USE enum status dfs_delete(struct dfs *dfs,
                                struct slice path,
                                bool recursive,
                                struct error *reterr_error);
MUST_USE enum status dfs_set_permission(struct dfs *dfs,
                                        struct slice path,
                                        uint32_t permission,
                                        struct error *reterr_error);
/* An empty owner or group stays as it is. */
MUST_USE enum status dfs_set_owner(struct dfs *dfs,
                                   struct slice path,
                                   struct slice owner,
                                   struct slice group,
                                   struct error *reterr_error);
/* Wall clock, ms since 1970; NULL: stays as it is. */
MUST_USE enum status dfs_set_times(struct dfs *dfs,
                                   struct slice path,
                                   const uint64_t *modified_ms,
                                   const uint64_t *accessed_ms,
                                   struct error *reterr_error);
/* Of a file; copies are made and removed by and by. */
MUST_USE enum status dfs_set_replication(struct dfs *dfs,
                                         struct slice path,
                                         uint32_t replication,
                                         struct error *reterr_error);
/*
 * Limits what a directory holds, itself and everything below, for superusers. NULL: stays as it is;
 * 0: no limit. Bytes count every replica. What would grow it beyond fails with ERR_QUOTA.
 */
MUST_USE enum status dfs_set_quota(struct dfs *dfs,
                                   struct slice path,
                                   const uint64_t *names,
                                   const uint64_t *bytes,
                                   struct error *reterr_error);
/*
 * Puts the blocks of complete files behind those of target, in their order; the sources are gone
 * then. All or nothing.
 */
MUST_USE enum status dfs_concat(struct dfs *dfs,
                                struct slice target,
                                const struct slice *sources,
                                size_t source_count,
                                struct error *reterr_error);
MUST_USE enum status dfs_server_defaults(struct dfs *dfs,
                                         struct arena *arena,
                                         struct dfs_get_server_defaults_response *ret_defaults,
                                         struct error *reterr_error);
MUST_USE enum status dfs_content_summary(struct dfs *dfs,
                                         struct slice path,
                                         struct dfs_content_summary_response *ret_summary,
                                         struct error *reterr_error);
MUST_USE enum status dfs_cluster_status(struct dfs *dfs,
                                        struct arena *arena,
                                        struct dfs_cluster_status_response *ret_status,
                                        struct error *reterr_error);

/* One page of files with all their blocks and replicas; proto/dfs.proto says how to go on. */
MUST_USE enum status dfs_check_files(struct dfs *dfs,
                                     const struct dfs_check_files_request *request,
                                     struct arena *arena,
                                     struct dfs_check_files_response *ret_page,
                                     struct error *reterr_error);

/* --- output of jobs -------------------------------------------------------------------------- */

/* From now on publishes for key with a lower epoch are refused (ERR_FENCED), for ever. */
MUST_USE enum status dfs_fence_output(struct dfs *dfs,
                                      struct slice key,
                                      uint64_t epoch,
                                      struct error *reterr_error);
/* All entries or none. client_id and request_id of request are ignored and filled in here. */
MUST_USE enum status dfs_publish_output(struct dfs *dfs,
                                        const struct dfs_publish_output_request *request,
                                        struct error *reterr_error);

/* --- writing --------------------------------------------------------------------------------- */

struct dfs_create_options {
    uint32_t permission;  /* 0: 0644 */
    uint32_t replication; /* 0: the cluster's default */
    uint64_t block_size;  /* bytes; 0: the cluster's default */
    bool overwrite;       /* an old file is replaced at the moment of dfs_writer_complete */
    bool create_parents;
    /*
     * DURABILITY_REPLICATED: blocks are acknowledged when min_replicas datanodes have received and
     * checked them, without a sync. Faster; the loss of power on all of them at once loses data.
     */
    enum dfs_durability durability;
};

/*
 * Starts a new file. options: NULL for the defaults. Keeps at most one block in memory, and only as
 * much of it as has been written. The lease is renewed by a thread of dfs while writers are open.
 */
MUST_USE enum status dfs_create(struct dfs *dfs,
                                struct slice path,
                                const struct dfs_create_options *options,
                                struct dfs_writer **ret_writer,
                                struct error *reterr_error);
/*
 * Opens a complete file to write more at its end. Readers see it as it was until
 * dfs_writer_complete; a writer that is closed before leaves it so. ERR_BUSY when somebody writes
 * it, ERR_NOT_FOUND when it is not there. dfs_writer_length counts the old bytes, too;
 * dfs_writer_file_id is not the file's own. durability: of the new blocks, as in
 * dfs_create_options.
 */
MUST_USE enum status dfs_append(struct dfs *dfs,
                                struct slice path,
                                enum dfs_durability durability,
                                struct dfs_writer **ret_writer,
                                struct error *reterr_error);
/*
 * Cuts a file to its first length bytes, at once for readers. ERR_INVALID when it is shorter. Where
 * that cuts a block, the block's head is read and written anew.
 */
MUST_USE enum status dfs_truncate(struct dfs *dfs,
                                  struct slice path,
                                  uint64_t length,
                                  struct error *reterr_error);
/*
 * Appends. A block that is full is sent and acknowledged by min_replicas datanodes before this
 * returns; when the pipeline breaks the block is sent again to other nodes. After a failure the
 * writer can only be closed.
 */
MUST_USE enum status dfs_writer_write(struct dfs_writer *writer,
                                      const void *data,
                                      size_t length,
                                      struct error *reterr_error);
/* Bytes written so far. */
uint64_t dfs_writer_length(const struct dfs_writer *writer);
/* Names the file under construction; what dfs_publish_output asks for. */
uint64_t dfs_writer_file_id(const struct dfs_writer *writer);
/* Sends the last block and makes the file visible. The writer must still be closed. */
MUST_USE enum status dfs_writer_complete(struct dfs_writer *writer, struct error *reterr_error);
/* Frees; a file that was not completed is abandoned: nothing of it stays. NULL is fine. */
void dfs_writer_close(struct dfs_writer *writer);

/* Create, write, complete. ret_file_id may be NULL. */
MUST_USE enum status dfs_write_file(struct dfs *dfs,
                                    struct slice path,
                                    struct slice content,
                                    const struct dfs_create_options *options,
                                    uint64_t *ret_file_id,
                                    struct error *reterr_error);

/* --- reading --------------------------------------------------------------------------------- */

/*
 * Opens a file for reading. [offset, offset + length) is the part that will probably be read (0, 0:
 * the whole file): its blocks are looked up at once, others when they are needed.
 */
MUST_USE enum status dfs_reader_open(struct dfs *dfs,
                                     struct slice path,
                                     uint64_t offset,
                                     uint64_t length,
                                     struct dfs_reader **ret_reader,
                                     struct error *reterr_error);
uint64_t dfs_reader_length(const struct dfs_reader *reader); /* of the file, bytes */
uint64_t dfs_reader_file_id(const struct dfs_reader *reader);
/*
 * Gives the verified bytes at offset without copying: at least one and at most length_max of them,
 * less where the block ends; empty at and beyond the end of the file. A replica on this host is
 * mapped, others are fetched (some MiB ahead). Slices of one block lie in one run of memory:
 * mapping [0, 10) and then [10, 20) of a block gives neighbours, so a parser may walk from one into
 * the other. A slice stays valid until dfs_reader_forget passes it or the reader is closed. What
 * is appended after dfs_reader_open is not seen; a file that was cut or replaced is ERR_STALE once
 * blocks have to be looked up again.
 * ERR_CORRUPT when every replica is corrupt or lost, ERR_UNAVAILABLE when none can be reached.
 */
MUST_USE enum status dfs_reader_map(struct dfs_reader *reader,
                                    uint64_t offset,
                                    size_t length_max,
                                    struct slice *ret_slice,
                                    struct error *reterr_error);
/* Gives back the memory of all blocks that end at or before offset. */
void dfs_reader_forget(struct dfs_reader *reader, uint64_t offset);
/*
 * Copies up to length verified bytes; fewer only where the file ends (0 at and beyond the end).
 * Keeps one block in memory at most.
 */
MUST_USE enum status dfs_reader_pread(struct dfs_reader *reader,
                                      uint64_t offset,
                                      void *data,
                                      size_t length,
                                      size_t *ret_length,
                                      struct error *reterr_error);

/* How the bytes came, for counters and logs. */
struct dfs_reader_totals {
    uint64_t local_bytes;  /* through a passed descriptor */
    uint64_t remote_bytes; /* over HTTP */
    uint64_t failovers;    /* times another replica had to be asked */
    uint64_t hedges;       /* times one was asked because the first was slow */
    uint64_t hedge_wins;   /* ... and was faster in the end */
};

struct dfs_reader_totals dfs_reader_totals(const struct dfs_reader *reader);
void dfs_reader_close(struct dfs_reader *reader); /* NULL is fine */

/* Appends a whole file to ret_content; ERR_LIMIT when that would pass its maximum. */
MUST_USE enum status dfs_read_file(struct dfs *dfs,
                                   struct slice path,
                                   struct buf *ret_content,
                                   struct error *reterr_error);

#endif
