/*
 * journal.h - the write-ahead journal of a machine: batches of records, synced in groups, replayed
 * at the start, shortened by snapshots. An interface, and its implementation on local files. Format
 * of the files: docs/formats/journal.md.
 *
 * Promises:
 *   J-1 a batch is replayed whole or not at all, and batches in the order in which they were
 * appended; J-2 every batch appended before a journal_sync that returned OK is replayed by every
 * later open; J-3 a torn tail (what was being written when power or process went) is cut at open;
 * damage to anything that had been synced stops open with ERR_CORRUPT, naming file and offset, and
 *       changes nothing on disk;
 *   J-4 after one failed write or sync, append, sync and compact refuse for ever (ERR_IO): the only
 *       way on is to open again, because a kernel forgets what it could not write (fsyncgate).
 * One thread at a time.
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
    JOURNAL_BATCH_BYTES_MAX =
        64 << 20 /* of one batch: a bigger one could not be told from damage */
};

/* What open found and did, for the log. */
struct journal_report {
    uint64_t generation; /* of the segment in use */
    uint64_t batches;    /* replayed */
    uint64_t records;
    uint64_t bytes;      /* of the segment, after the cut */
    uint64_t cut_offset; /* where the torn tail began */
    uint64_t cut_bytes;  /* its length; 0: nothing was cut */
    bool was_created;
};

/* How large the journal is now, to decide when to compact. */
struct journal_size {
    uint64_t snapshot_bytes; /* the part written by the last compaction */
    uint64_t log_bytes;      /* what was appended since */
};

/*
 * Receives the records at open, in order. record is borrowed until it returns. A failure stops
 * open, which then fails with it.
 */
typedef enum status journal_replay(void *user,
                                   const struct journal_record *record,
                                   struct error *reterr_error);

struct journal;

struct journal_options {
    uint64_t reserve_bytes; /* disk room to reserve ahead of the end, 0: none */
};

/*
 * Opens the journal called name in directory on local files, creating it when there is none, and
 * replays it. Cuts a torn tail. ERR_CORRUPT as J-3 says; ERR_UNSUPPORTED for a newer format. The
 * caller keeps other processes out (file_lock_open). ret_report may be NULL.
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
/* Makes all appended batches durable with one write and one sync; at once OK when there are none.
 */
MUST_USE enum status journal_sync(struct journal *journal, struct error *reterr_error);
/*
 * Replaces everything appended so far, which must be synced, by records, which must rebuild the
 * same state. Durable when it returns OK; a crash before leaves the old segment in use. The segment
 * before is kept for people, the one before that is removed. A failure before the new segment is
 * installed leaves the journal usable as it was; journal_has_failed tells.
 */
MUST_USE enum status journal_compact(struct journal *journal,
                                     const struct journal_record *records,
                                     size_t count,
                                     struct error *reterr_error);
struct journal_size journal_size_get(const struct journal *journal);
bool journal_has_failed(const struct journal *journal);
/* What was not synced may be lost. NULL is fine. */
void journal_close(struct journal *journal);

/* --- for implementations other than local files ---------------------------------------------- */

struct journal_methods {
    enum status (*append)(struct journal *journal,
                          const struct journal_record *records,
                          size_t count,
                          struct error *reterr_error);
    enum status (*sync)(struct journal *journal, struct error *reterr_error);
    enum status (*compact)(struct journal *journal,
                           const struct journal_record *records,
                           size_t count,
                           struct error *reterr_error);
    struct journal_size (*size)(const struct journal *journal);
    bool (*has_failed)(const struct journal *journal);
    void (*close)(struct journal *journal);
};

/* The first member of every implementation. */
struct journal {
    const struct journal_methods *methods;
};

#endif
