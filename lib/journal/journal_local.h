/*
 * journal_local.h - private to lib/journal: the parts of a journal on local files.
 */
#ifndef MILLRACE_LIB_JOURNAL_JOURNAL_LOCAL_H
#define MILLRACE_LIB_JOURNAL_JOURNAL_LOCAL_H

#include "lib/journal/family.h"

enum {
    SNAPSHOT_FRAME_BYTES = 1 << 20 /* records of a checkpoint share frames of about this size */
};

/* One of the directories that hold the same. */
struct journal_side {
    struct family family;
    struct file *file; /* the segment in use */
    uint64_t reserved_end;
    bool is_active;   /* false: not used any more until the next open */
    bool has_no_room; /* the room ahead could not be reserved: the disk is full */
    bool is_unable;   /* ... its filesystem cannot reserve */
};

struct journal_local {
    struct journal journal; /* first: a struct journal * is one of these */
    struct arena *arena;    /* for names */
    const char *name;
    struct journal_options options;
    struct journal_side sides[JOURNAL_DIRECTORIES_MAX];
    size_t side_count;
    struct segment_header header; /* of the segment in use */
    struct segment_end end;       /* with all that is pending */
    uint64_t written_end;         /* without */
    uint64_t synced_sequence;
    struct buf pending;
    uint64_t checkpoint_bytes; /* of the newest */
    uint64_t log_bytes;        /* since the newest */
    uint64_t rolled_bytes;     /* of them, before the last begin of a checkpoint */
    bool has_failed;
};

/* An empty journal that knows its directories. */
struct journal_local *journal_local_new(const char *directory,
                                        const char *name,
                                        const struct journal_options *options);
/*
 * Ends the segment in use and begins the next in all active directories. With is_forced, a
 * directory that cannot is dropped; otherwise a failure before the first name is given changes
 * nothing. Afterwards no directory that was dropped has a segment as new as the others'.
 */
MUST_USE enum status journal_local_roll(struct journal_local *local,
                                        bool is_forced,
                                        struct error *reterr_error);
/* The first segment of a new journal, in all directories. */
MUST_USE enum status journal_local_create(struct journal_local *local, struct error *reterr_error);
/* Does not use the directory any more, and says so. */
void journal_local_drop(struct journal_local *local, struct journal_side *side, const char *why);
/* Tries to have the room ahead that the options ask for. */
void journal_local_reserve(struct journal_local *local);
size_t journal_local_active(const struct journal_local *local);
void journal_local_tell(const struct journal_local *local,
                        enum journal_notice notice,
                        const char *format,
                        ...) __attribute__((format(printf, 3, 4)));
/* Checkpoint of the files below the segment in use, which has just begun. */
struct journal_checkpoint *journal_local_checkpoint(const struct journal_local *local);

#endif
