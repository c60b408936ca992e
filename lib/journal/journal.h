/*
 * journal.h - the write-ahead journal of a machine: batches of records, synced in groups, replayed
 * at the start, shortened by checkpoints that are made beside it while it goes on. An interface,
 * and its implementation on local files, in one directory or several that hold the same. Format of
 * the files: docs/formats/journal.md; how checkpoints are made: docs/checkpoint.md.
 *
 * Promises:
 *   J-1 a batch is replayed whole or not at all, and batches in the order in which they were
 *       appended;
 *   J-2 every batch appended before a journal_sync that returned OK is replayed by every later
 *       open, as long as one directory that was in use then is whole;
 *   J-3 a torn tail (what was being written when power or process went) is cut at open; damage to
 *       anything that had been synced stops open with ERR_CORRUPT, naming file, offset and what is
 *       good before it, and changes nothing on disk - unless another directory holds the same
 *       whole, or an older checkpoint and all batches since do: then open goes on with that and
 *       says so loudly;
 *   J-4 after a failed write or sync a directory is not used any more until the next open, because
 *       a kernel forgets what it could not write (fsyncgate); when it was the last, append, sync
 *       and checkpoint refuse for ever (ERR_IO);
 *   J-5 a checkpoint that was damaged, or was being made when power or process went, loses nothing:
 *       the one before it and all segments since are kept.
 * One thread at a time, but for what journal_checkpoint_* say.
 */
#ifndef MILLRACE_LIB_JOURNAL_JOURNAL_H
#define MILLRACE_LIB_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct journal_record {
    struct slice type;  /* 1..JOURNAL_TYPE_BYTES_MAX bytes; a message type's name */
    struct slice bytes; /* the message */
};

enum {
    JOURNAL_TYPE_BYTES_MAX = 255,
    JOURNAL_DIRECTORIES_MAX = 4,
    JOURNAL_BATCH_BYTES_MAX =
        64 << 20 /* of one batch: a bigger one could not be told from damage */
};

/* What open found and did, for the log. */
struct journal_report {
    uint64_t generation; /* of the segment in use */
    uint64_t checkpoint; /* generation of the checkpoint that was loaded; 0: none */
    uint64_t sequence;   /* of the last batch */
    uint64_t batches;    /* replayed, with those of the checkpoint */
    uint64_t records;
    uint64_t bytes;      /* of the segment in use, after the cut */
    uint64_t cut_offset; /* where the torn tail began */
    uint64_t cut_bytes;  /* its length; 0: nothing was cut */
    bool was_room;       /* what was cut was reserved and never written: no write was torn */
    bool was_created;
};

/* How large the journal is now, to decide when to make a checkpoint. */
struct journal_size {
    uint64_t checkpoint_bytes; /* of the newest; 0: none */
    uint64_t log_bytes;        /* appended since */
    uint64_t sequence;         /* of the last batch appended */
    size_t directories;        /* in use; fewer than were given when some have failed */
};

/*
 * Receives the records at open, in order. record is borrowed until it returns. A failure stops
 * open, which then fails with it.
 */
typedef enum status journal_replay(void *user,
                                   const struct journal_record *record,
                                   struct error *reterr_error);

/* Things a person must hear of although the journal goes on; text is a sentence. */
enum journal_notice {
    JOURNAL_CHECKPOINT_DAMAGED, /* an older one and what followed it were loaded instead */
    JOURNAL_DIRECTORY_DAMAGED,  /* another directory was loaded instead */
    JOURNAL_DIRECTORY_FAILED,   /* a directory is not used any more until the next open */
    JOURNAL_DIRECTORY_RESTORED  /* a directory that was behind holds the same as the others now */
};

typedef void journal_notice(void *user, enum journal_notice notice, const char *text);

struct journal;

struct journal_options {
    uint64_t reserve_bytes; /* disk room to reserve ahead of the end, 0: none */
    /* Further directories that hold the same as the first; borrowed for the journal's life. */
    const char *const *mirrors;
    size_t mirror_count;
    journal_notice *notice; /* NULL: nobody listens; on the caller's thread */
    void *notice_user;
};

/*
 * Opens the journal called name in directory (and its mirrors) on local files, creating it when
 * there is none, and replays it. Cuts a torn tail. ERR_CORRUPT as J-3 says, also when directories
 * contradict each other; ERR_UNSUPPORTED for a newer format. The caller keeps other processes out
 * (file_lock_open). ret_report may be NULL.
 */
MUST_USE enum status journal_open(const char *directory,
                                  const char *name,
                                  const struct journal_options *options,
                                  journal_replay *replay,
                                  void *user,
                                  struct journal_report *ret_report,
                                  struct journal **ret_journal,
                                  struct error *reterr_error);
/*
 * Adds one atomic batch, count at least 1; it is durable after the next journal_sync. The records
 * are copied. ERR_LIMIT when the batch is larger than JOURNAL_BATCH_BYTES_MAX: then nothing was
 * added and the journal goes on.
 */
MUST_USE enum status journal_append(struct journal *journal,
                                    const struct journal_record *records,
                                    size_t count,
                                    struct error *reterr_error);
/*
 * Makes all appended batches durable with one write and one sync per directory; at once OK when
 * there are none. A directory that fails is dropped; ERR_IO when none is left.
 */
MUST_USE enum status journal_sync(struct journal *journal, struct error *reterr_error);
struct journal_size journal_size_get(const struct journal *journal);
bool journal_has_failed(const struct journal *journal);
/*
 * True while the room reserved ahead (reserve_bytes) cannot be kept: the disk is full. What is
 * appended still fits for a while, so that what is under way ends well; the caller should take in
 * nothing new. Tries again to reserve.
 */
bool journal_is_short_of_room(struct journal *journal);
/* What was not synced may be lost. NULL is fine. */
void journal_close(struct journal *journal);

/* --- checkpoints ----------------------------------------------------------------------------- */

/* One being made. */
struct journal_checkpoint;

struct journal_checkpoint_result {
    uint64_t generation;
    uint64_t sequence; /* of the last batch it holds */
    uint64_t bytes;
    size_t directories; /* that hold it */
};

/*
 * Begins a checkpoint of all that was appended so far, which must be synced: what comes after goes
 * to a new segment. This is quick (an empty file and its name are synced). On failure there is no
 * checkpoint and the journal is as it was; journal_has_failed tells when it cannot go on.
 */
MUST_USE enum status journal_checkpoint_begin(struct journal *journal,
                                              struct journal_checkpoint **ret_checkpoint,
                                              struct error *reterr_error);
/*
 * The following are for one thread, which need not be the journal's, and share nothing with the
 * journal; one checkpoint at a time.
 */
/* Replays all that the checkpoint is to hold, into a fresh machine. Fails as journal_open does. */
MUST_USE enum status journal_checkpoint_replay(struct journal_checkpoint *checkpoint,
                                               journal_replay *replay,
                                               void *user,
                                               struct error *reterr_error);
/* Adds records that rebuild the state; any number of calls. Memory stays bounded. */
MUST_USE enum status journal_checkpoint_write(struct journal_checkpoint *checkpoint,
                                              const struct journal_record *records,
                                              size_t count,
                                              struct error *reterr_error);
/*
 * Makes the checkpoint durable and removes what is older than the one before it. OK when one
 * directory has it; reterr_error then tells why another has not, else its text is "".
 */
MUST_USE enum status journal_checkpoint_install(struct journal_checkpoint *checkpoint,
                                                struct journal_checkpoint_result *ret_result,
                                                struct error *reterr_error);
/* Removes what was not installed. NULL is fine. */
void journal_checkpoint_close(struct journal_checkpoint *checkpoint);
/* Tells the journal, on its own thread, that the checkpoint begun last was installed. */
void journal_checkpoint_done(struct journal *journal,
                             const struct journal_checkpoint_result *result);

/* --- for implementations other than local files ---------------------------------------------- */

struct journal_methods {
    enum status (*append)(struct journal *journal,
                          const struct journal_record *records,
                          size_t count,
                          struct error *reterr_error);
    enum status (*sync)(struct journal *journal, struct error *reterr_error);
    enum status (*checkpoint_begin)(struct journal *journal,
                                    struct journal_checkpoint **ret_checkpoint,
                                    struct error *reterr_error);
    void (*checkpoint_done)(struct journal *journal,
                            const struct journal_checkpoint_result *result);
    struct journal_size (*size)(const struct journal *journal);
    bool (*has_failed)(const struct journal *journal);
    bool (*is_short_of_room)(struct journal *journal);
    void (*close)(struct journal *journal);
};

/* The first member of every implementation. */
struct journal {
    const struct journal_methods *methods;
};

struct journal_checkpoint_methods {
    enum status (*replay)(struct journal_checkpoint *checkpoint,
                          journal_replay *replay,
                          void *user,
                          struct error *reterr_error);
    enum status (*write)(struct journal_checkpoint *checkpoint,
                         const struct journal_record *records,
                         size_t count,
                         struct error *reterr_error);
    enum status (*install)(struct journal_checkpoint *checkpoint,
                           struct journal_checkpoint_result *ret_result,
                           struct error *reterr_error);
    void (*close)(struct journal_checkpoint *checkpoint);
};

struct journal_checkpoint {
    const struct journal_checkpoint_methods *methods;
};

#endif
