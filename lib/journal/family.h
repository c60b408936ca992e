/*
 * family.h - private to lib/journal: the files of one journal in one directory, and what they hold
 * together (docs/formats/journal.md).
 */
#ifndef MILLRACE_LIB_JOURNAL_FAMILY_H
#define MILLRACE_LIB_JOURNAL_FAMILY_H

#include "lib/base/arena.h"
#include "lib/journal/segment.h"

#define FAMILY_SEGMENT    ".journal"
#define FAMILY_CHECKPOINT ".checkpoint"
#define FAMILY_UNFINISHED ".tmp"     /* behind one of the others */
#define FAMILY_DAMAGED    ".damaged" /* set aside for people */

struct family {
    const char *directory;
    const char *name;
};

/* Generations in ascending order. */
struct inventory {
    uint64_t *segments;
    size_t segment_count;
    uint64_t *checkpoints;
    size_t checkpoint_count;
};

/* "<directory>/<name>.<generation><suffix>" */
const char *family_path(const struct family *family,
                        uint64_t generation,
                        const char *suffix,
                        struct arena *arena);
/* Lists the family; with is_sweeping removes unfinished files. */
MUST_USE enum status family_list(const struct family *family,
                                 bool is_sweeping,
                                 struct arena *arena,
                                 struct inventory *ret_inventory,
                                 struct error *reterr_error);
bool family_has(const uint64_t *generations, size_t count, uint64_t generation);
/*
 * Keeps the two newest checkpoints and the segments since the older one, removes the rest. What
 * cannot be removed only takes room, and the next call tries again.
 */
void family_prune(const struct family *family);
/* Copies a file of the family: whole and synced, but for the directory. */
MUST_USE enum status family_copy(const struct family *from,
                                 const struct family *to,
                                 uint64_t generation,
                                 const char *suffix,
                                 struct error *reterr_error);

/* What a directory holds, from the base on which everything else follows. */
struct history {
    struct family family;
    struct inventory inventory;
    uint64_t checkpoint;    /* the base; 0: the first segment is */
    uint64_t first_segment; /* to be replayed */
    uint64_t last_segment;
    struct segment_header header; /* of the last segment */
    struct segment_end end;
    uint64_t file_bytes; /* of the last segment; beyond end.offset there is a torn tail */
    bool is_room;        /* ... or only room that was reserved */
    uint64_t checkpoint_bytes;
    uint64_t log_bytes; /* in all segments since */
    uint64_t batches;
    uint64_t records;
    const char *damaged; /* a newer checkpoint that cannot be used: its path, from arena; or NULL */
    const char *damage;  /* ... and why */
    bool is_damage_lasting; /* its bytes are wrong; otherwise it could not be read */
};

/*
 * Reads all that counts and checks it; changes nothing. below: only what is older than this
 * generation, which was closed; 0: everything, and the end may be torn. An empty directory has
 * last_segment 0. On failure inventory is set (empty when the directory cannot be listed).
 */
MUST_USE enum status history_examine(const struct family *family,
                                     uint64_t below,
                                     struct arena *arena,
                                     struct history *ret_history,
                                     struct error *reterr_error);
/* Replays what was examined. */
MUST_USE enum status history_replay(const struct history *history,
                                    journal_replay *replay,
                                    void *user,
                                    struct error *reterr_error);
/*
 * Tells the chain after batch sequence in segment generation; *ret_found false when this directory
 * has no such segment any more; *ret_has false when the segment has not got the batch.
 */
MUST_USE enum status history_probe(const struct history *history,
                                   uint64_t generation,
                                   uint64_t sequence,
                                   bool *ret_found,
                                   bool *ret_has,
                                   uint32_t *ret_chain,
                                   struct error *reterr_error);

#endif
