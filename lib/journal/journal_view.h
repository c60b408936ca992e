/*
 * journal_view.h - reads one file of a journal for people: a segment or a checkpoint, damaged ones
 * as far as they are good. Changes nothing and needs no other file. Format:
 * docs/formats/journal.md.
 */
#ifndef MILLRACE_LIB_JOURNAL_JOURNAL_VIEW_H
#define MILLRACE_LIB_JOURNAL_JOURNAL_VIEW_H

#include "lib/base/arena.h"
#include "lib/journal/journal.h"

enum {
    JOURNAL_VIEW_ID_BYTES = 33 /* of text, with its NUL */
};

struct journal_view_file {
    const char *path;
    bool is_checkpoint;
    uint32_t version;
    char journal_id[JOURNAL_VIEW_ID_BYTES]; /* hexadecimal */
    uint64_t generation;
    uint64_t first_sequence; /* of its first batch; a checkpoint: of the first it does not hold */
    uint64_t bytes;
    /* After the last record: */
    uint64_t end;           /* offset behind the last good batch */
    uint64_t last_sequence; /* ... and its number */
    uint64_t batches;
    uint64_t records;
    const char *damage; /* a sentence; NULL: the file is whole, but for a torn tail behind end */
};

struct journal_view_record {
    uint64_t offset;   /* of its batch */
    uint64_t sequence; /* of its batch; in a checkpoint counted from 1 */
    uint64_t index;    /* in its batch */
    struct slice type;
    struct slice bytes;
};

/* All borrow what they get; a failure ends the view, which then fails with it. */
struct journal_view {
    void *user;
    enum status (*begin)(void *user, const struct journal_view_file *file, struct error *error);
    enum status (*record)(void *user,
                          const struct journal_view_record *record,
                          struct error *error);
    enum status (*end)(void *user, const struct journal_view_file *file, struct error *error);
};

/*
 * Calls begin, record for each record, and end; when the header is damaged, only end. Damage is no
 * failure: *ret_damaged. Fails when the file cannot be read, with ERR_UNSUPPORTED for a newer
 * version, and with what the functions return.
 */
MUST_USE enum status journal_view_file(const char *path,
                                       const struct journal_view *view,
                                       bool *ret_damaged,
                                       struct error *reterr_error);
/* The segments and checkpoints in directory, in the order of their names; from arena. */
MUST_USE enum status journal_view_list(const char *directory,
                                       struct arena *arena,
                                       const char ***ret_paths,
                                       size_t *ret_count,
                                       struct error *reterr_error);

#endif
