/*
 * history.c - what the files of a journal in one directory hold together: a base, and the segments
 * that follow it without a gap. All is read and checked before anything is replayed, because a
 * machine that was fed half of a damaged history cannot be used for another.
 */
#include <string.h>

#include "lib/journal/family.h"
#include "lib/os/file.h"

/* Reads one file of the family. */
static enum status read_one(const struct family *family,
                            const struct segment_reading *reading,
                            struct arena *arena,
                            struct segment_content *ret_content,
                            struct error *reterr_error)
{
    const char *suffix = reading->kind == SEGMENT_LOG ? FAMILY_SEGMENT : FAMILY_CHECKPOINT;
    const char *path = family_path(family, reading->generation, suffix, arena);
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_READ, 0, &file, reterr_error);
    if (status == ERR_NOT_FOUND)
        status = error_set(reterr_error, ERR_CORRUPT, "journal %s is missing; nothing was changed",
                           path);
    if (status != OK)
        return status;
    status = segment_read(file, reading, ret_content, reterr_error);
    file_close(file);
    return status;
}

/* --- the base --------------------------------------------------------------------------------- */

/* True when nothing before this segment is needed. */
static bool is_self_contained(const struct segment_header *header)
{
    return header->version == SEGMENT_VERSION_OLD || header->first_sequence == 1;
}

/* Tries the checkpoints, the newest first; *ret_content is the chosen one's. */
static enum status choose_checkpoint(struct history *history,
                                     struct arena *arena,
                                     struct segment_content *ret_content,
                                     struct error *reterr_error)
{
    const struct inventory *inventory = &history->inventory;
    for (size_t i = inventory->checkpoint_count; i > 0; i--) {
        uint64_t generation = inventory->checkpoints[i - 1];
        struct error error = {.status = OK};
        struct segment_reading reading = {.kind = SEGMENT_CHECKPOINT, .generation = generation};
        if (generation > history->last_segment)
            continue; /* below the limit there is an older one, or the segments are gone */
        enum status status = read_one(&history->family, &reading, arena, ret_content, &error);
        if (status == OK) {
            history->checkpoint = generation;
            history->first_segment = generation;
            history->checkpoint_bytes = SEGMENT_HEADER_BYTES + ret_content->header.content_bytes;
            return OK;
        }
        if (status != ERR_CORRUPT && status != ERR_IO)
            return error_set(reterr_error, status, "%s", error.text);
        if (history->damaged == NULL) {
            history->damaged = family_path(&history->family, generation, FAMILY_CHECKPOINT, arena);
            history->damage = (const char *)arena_format(arena, "%s", error.text).data;
            history->is_damage_lasting = status == ERR_CORRUPT;
        }
    }
    return OK;
}

/* Without a checkpoint the newest segment that needs none before it is the base. */
static enum status choose_segment(struct history *history,
                                  struct arena *arena,
                                  struct error *reterr_error)
{
    const struct inventory *inventory = &history->inventory;
    for (size_t i = inventory->segment_count; i > 0; i--) {
        uint64_t generation = inventory->segments[i - 1];
        if (generation > history->last_segment)
            continue;
        struct segment_content content;
        struct segment_reading reading = {
            .kind = SEGMENT_LOG,
            .generation = generation,
            .is_header_only = true, /* all of it is checked later */
        };
        enum status status = read_one(&history->family, &reading, arena, &content, reterr_error);
        if (status != OK)
            return status;
        if (is_self_contained(&content.header)) {
            history->first_segment = generation;
            return OK;
        }
    }
    return error_set(reterr_error, ERR_CORRUPT,
                     "journal %s/%s has no whole checkpoint, and the segments from its beginning "
                     "are not there%s%s; nothing was changed",
                     history->family.directory, history->family.name,
                     history->damage != NULL ? ": " : "",
                     history->damage != NULL ? history->damage : "");
}

/* --- what follows ----------------------------------------------------------------------------- */

/* What the next segment has to continue. */
struct joint {
    bool is_known;
    uint8_t id[SEGMENT_ID_BYTES];
    uint64_t sequence; /* of the last batch */
    uint32_t chain;
};

static enum status check_joint(const struct history *history,
                               const struct joint *joint,
                               const struct segment_header *header,
                               struct arena *arena,
                               struct error *reterr_error)
{
    if (!joint->is_known)
        return OK;
    const char *path = family_path(&history->family, header->generation, FAMILY_SEGMENT, arena);
    if (memcmp(header->id, joint->id, SEGMENT_ID_BYTES) != 0)
        return error_set(reterr_error, ERR_CORRUPT,
                         "%s belongs to another journal than the files before it; nothing was "
                         "changed",
                         path);
    if (header->first_sequence == joint->sequence + 1 &&
        (header->previous == joint->chain || header->version == SEGMENT_VERSION_OLD))
        return OK;
    return error_set(reterr_error, ERR_CORRUPT,
                     "%s begins with batch %llu and does not continue the files before it, which "
                     "are good and end with batch %llu; nothing was changed",
                     path, (unsigned long long)header->first_sequence,
                     (unsigned long long)joint->sequence);
}

static enum status check_segments(struct history *history,
                                  struct joint joint,
                                  bool may_be_torn,
                                  struct arena *arena,
                                  struct error *reterr_error)
{
    for (uint64_t g = history->first_segment; g <= history->last_segment; g++) {
        struct segment_content content;
        struct segment_reading reading = {
            .kind = SEGMENT_LOG,
            .generation = g,
            .is_last = may_be_torn && g == history->last_segment,
        };
        enum status status = read_one(&history->family, &reading, arena, &content, reterr_error);
        if (status == OK)
            status = check_joint(history, &joint, &content.header, arena, reterr_error);
        if (status != OK)
            return status;
        joint = (struct joint){
            .is_known = true, .sequence = content.end.sequence, .chain = content.end.chain};
        memcpy(joint.id, content.header.id, SEGMENT_ID_BYTES);
        history->header = content.header;
        history->end = content.end;
        history->file_bytes = content.file_bytes;
        history->is_room = content.is_room;
        history->batches += content.batches;
        history->records += content.records;
        history->log_bytes += content.end.offset - SEGMENT_HEADER_BYTES;
        if (content.header.version == SEGMENT_VERSION_OLD) {
            history->log_bytes -= content.header.content_bytes;
            history->checkpoint_bytes = content.header.content_bytes;
        }
    }
    return OK;
}

enum status history_examine(const struct family *family,
                            uint64_t below,
                            struct arena *arena,
                            struct history *ret_history,
                            struct error *reterr_error)
{
    struct history *history = ret_history;
    *history = (struct history){.family = *family};
    enum status status = family_list(family, below == 0, arena, &history->inventory, reterr_error);
    if (status != OK)
        return status;
    const struct inventory *inventory = &history->inventory;
    for (size_t i = 0; i < inventory->segment_count; i++) {
        if (below == 0 || inventory->segments[i] < below)
            history->last_segment = inventory->segments[i];
    }
    if (history->last_segment == 0 && inventory->checkpoint_count == 0)
        return OK;
    if (below == 0 && inventory->checkpoint_count > 0 &&
        inventory->checkpoints[inventory->checkpoint_count - 1] > history->last_segment)
        return error_set(reterr_error, ERR_CORRUPT, "journal %s is missing; nothing was changed",
                         family_path(family,
                                     inventory->checkpoints[inventory->checkpoint_count - 1],
                                     FAMILY_SEGMENT, arena));
    struct segment_content base;
    struct joint joint = {.is_known = false};
    status = choose_checkpoint(history, arena, &base, reterr_error);
    if (status == OK && history->checkpoint == 0)
        status = choose_segment(history, arena, reterr_error);
    if (status != OK)
        return status;
    if (history->checkpoint != 0) {
        joint = (struct joint){
            .is_known = true,
            .sequence = base.header.first_sequence - 1,
            .chain = base.header.previous,
        };
        memcpy(joint.id, base.header.id, SEGMENT_ID_BYTES);
        history->batches = base.batches;
        history->records = base.records;
    }
    return check_segments(history, joint, below == 0, arena, reterr_error);
}

/* --- replay ----------------------------------------------------------------------------------- */

struct replayer {
    journal_replay *replay;
    void *user;
};

static enum status replay_visit(void *user,
                                const struct segment_place *place,
                                const struct journal_record *record,
                                struct error *reterr_error)
{
    const struct replayer *replayer = user;
    (void)place;
    return replayer->replay(replayer->user, record, reterr_error);
}

enum status history_replay(const struct history *history,
                           journal_replay *replay,
                           void *user,
                           struct error *reterr_error)
{
    struct replayer replayer = {.replay = replay, .user = user};
    struct segment_content content;
    struct arena *arena = arena_open(0);
    struct segment_reading reading = {
        .kind = SEGMENT_CHECKPOINT,
        .generation = history->checkpoint,
        .visit = replay_visit,
        .user = &replayer,
    };
    enum status status = OK;
    if (history->checkpoint != 0)
        status = read_one(&history->family, &reading, arena, &content, reterr_error);
    reading.kind = SEGMENT_LOG;
    for (uint64_t g = history->first_segment; g <= history->last_segment && status == OK; g++) {
        reading.generation = g;
        reading.is_last = g == history->last_segment; /* examined before: as strict as it must be */
        status = read_one(&history->family, &reading, arena, &content, reterr_error);
    }
    arena_close(arena);
    return status;
}

enum status history_probe(const struct history *history,
                          uint64_t generation,
                          uint64_t sequence,
                          bool *ret_found,
                          bool *ret_has,
                          uint32_t *ret_chain,
                          struct error *reterr_error)
{
    const struct inventory *inventory = &history->inventory;
    *ret_has = false;
    *ret_found = family_has(inventory->segments, inventory->segment_count, generation);
    if (!*ret_found)
        return OK;
    struct arena *arena = arena_open(0);
    struct segment_content content;
    struct segment_reading reading = {
        .kind = SEGMENT_LOG,
        .generation = generation,
        .is_last = generation == history->last_segment,
        .probe_sequence = sequence,
    };
    enum status status = read_one(&history->family, &reading, arena, &content, reterr_error);
    arena_close(arena);
    if (status != OK)
        return status;
    *ret_has = content.was_probed;
    *ret_chain = content.probe_chain;
    return OK;
}
