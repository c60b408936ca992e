/*
 * mrfs_transfer.h - copies files, several at a time, and shows how far it is.
 *
 * The main thread finds files and hands them over; workers copy. A file appears under its name when
 * all of it is there: what goes into the filesystem is written beside its name and renamed (or,
 * over an old file, replaced by the namenode at the end), what comes out is written beside its
 * local name and renamed. A file that fails leaves nothing, and the others go on.
 */
#ifndef MILLRACE_CLI_MRFS_TRANSFER_H
#define MILLRACE_CLI_MRFS_TRANSFER_H

#include "cli/mrfs.h"

struct file;

enum transfer_way {
    TRANSFER_IN,    /* local to filesystem */
    TRANSFER_OUT,   /* filesystem to local */
    TRANSFER_WITHIN /* filesystem to filesystem */
};

/* One file. The strings are copied when it is handed over. */
struct transfer {
    enum transfer_way way;
    struct slice source; /* "-": standard input */
    struct slice target;
    uint64_t length;     /* 0: unknown */
    uint32_t permission; /* of the target */
    uint64_t modified_ms;
    uint64_t accessed_ms;
    struct slice owner; /* kept with -p; empty: not wanted */
    struct slice group;
};

/* What holds for all files of one command. */
struct transfer_settings {
    struct dfs_create_options create; /* permission and overwrite are ignored */
    unsigned threads;                 /* 1..TRANSFER_THREADS_MAX */
    bool is_forced;                   /* an existing target is replaced */
    bool is_direct;                   /* written under its own name from the start */
    bool is_preserving;               /* times, owner and group go along */
    bool is_moving;                   /* a local source is removed when it was copied */
};

enum {
    TRANSFER_THREADS = 4,
    TRANSFER_THREADS_MAX = 64
};

struct transfers;

/* -durability: complains and returns false when it is wrong. */
bool transfer_durability(struct mrfs *mrfs, enum dfs_durability *ret_durability);
/* --replication, --block-size, -durability, -f, -p, -d, -t: complains and returns false when one is
 * wrong. */
bool transfer_options(struct mrfs *mrfs, struct transfer_settings *ret_settings);
struct transfers *transfers_open(struct mrfs *mrfs, const struct transfer_settings *settings);
/* Waits while many are under way already. */
void transfers_add(struct transfers *transfers, const struct transfer *transfer);
/* Waits for all; true when none failed and nobody interrupted. */
bool transfers_close(struct transfers *transfers);

/* --- mrfs_transfer_file.c -----------------------------------------------------------------------
 */
/* Tells how many bytes more were copied; may be NULL. */
struct transfer_progress;
void transfer_progress_add(struct transfer_progress *progress, uint64_t bytes);
MUST_USE enum status transfer_one(struct mrfs *mrfs,
                                  const struct transfer_settings *settings,
                                  const struct transfer *transfer,
                                  struct transfer_progress *progress,
                                  struct arena *arena,
                                  struct error *reterr_error);
/* Hands all bytes [offset, length) of path to take. */
MUST_USE enum status transfer_read(struct mrfs *mrfs,
                                   struct slice path,
                                   uint64_t offset,
                                   uint64_t length_max,
                                   struct transfer_progress *progress,
                                   enum status (*take)(void *user, struct slice, struct error *),
                                   void *user,
                                   struct error *reterr_error);
/* Writes all that is left of source. */
MUST_USE enum status transfer_fill(struct file *source,
                                   struct dfs_writer *writer,
                                   struct transfer_progress *progress,
                                   struct error *reterr_error);
/* A name beside local, for what becomes local when it is whole; in arena. */
const char *transfer_temporary(const char *local, struct arena *arena);
/* take for transfer_read: user is ignored, a struct file. */
enum status transfer_take_to_output(void *user, struct slice part, struct error *reterr_error);
enum status transfer_take_to_file(void *user, struct slice part, struct error *reterr_error);

#endif
