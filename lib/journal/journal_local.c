/*
 * journal_local.c - the journal on local files: which segment is in use, appending, syncing, and
 * replacing it by a compacted one.
 */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/journal/journal.h"
#include "lib/journal/segment.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

enum {
    GENERATION_DIGITS = 10,
    SNAPSHOT_FRAME_BYTES = 1 << 20 /* records of a snapshot share frames of about this size */
};

struct journal_local {
    struct journal journal; /* first: a struct journal * is one of these */
    struct arena *arena;    /* for the two names */
    const char *directory;
    const char *name;
    uint64_t reserve_bytes;
    struct file *file;
    struct segment_header header;
    struct segment_end end; /* with all that is pending */
    uint64_t written_end;   /* without */
    uint64_t reserved_end;
    uint64_t synced_sequence;
    struct buf pending;
    bool has_failed;
};

static struct journal_local *local_of(struct journal *journal)
{
    return (struct journal_local *)journal;
}

static const struct journal_local *local_of_const(const struct journal *journal)
{
    return (const struct journal_local *)journal;
}

static const char *segment_path(struct arena *arena,
                                const struct journal_local *local,
                                uint64_t generation)
{
    return (const char *)arena_format(arena, "%s/%s.%0*llu.journal", local->directory, local->name,
                                      GENERATION_DIGITS, (unsigned long long)generation)
        .data;
}

static enum status refuse(const struct journal_local *local, struct error *reterr_error)
{
    return error_set(reterr_error, ERR_IO,
                     "journal %s/%s: a write or sync failed before; open it again",
                     local->directory, local->name);
}

static enum status append_local(struct journal *journal,
                                const struct journal_record *records,
                                size_t count,
                                struct error *reterr_error)
{
    struct journal_local *local = local_of(journal);
    if (local->has_failed)
        return refuse(local, reterr_error);
    enum status status = segment_frame_append(&local->pending, local->header.id,
                                              local->synced_sequence, records, count, &local->end);
    if (status != OK)
        return error_set(reterr_error, status, "append %zu records to journal %s: %s", count,
                         local->name, status_sentence(status));
    return OK;
}

/* Room ahead spares the filesystem a change of the file's size with each sync. */
static void reserve_ahead(struct journal_local *local)
{
    if (local->reserve_bytes == 0 || local->end.offset <= local->reserved_end)
        return;
    uint64_t bytes = local->end.offset - local->written_end + local->reserve_bytes;
    if (file_reserve(local->file, local->written_end, bytes, NULL) == OK)
        local->reserved_end = local->written_end + bytes;
    else
        local->reserve_bytes = 0; /* only a speed-up: without it the file grows as it is written */
}

static enum status sync_local(struct journal *journal, struct error *reterr_error)
{
    struct journal_local *local = local_of(journal);
    if (local->has_failed)
        return refuse(local, reterr_error);
    if (local->pending.length == 0)
        return OK;
    reserve_ahead(local);
    enum status status =
        file_write_at(local->file, local->written_end, buf_slice(&local->pending), reterr_error);
    if (status == OK)
        status = file_sync_data(local->file, reterr_error);
    if (status != OK) {
        local->has_failed = true;
        return error_prefix(reterr_error, status, "journal");
    }
    buf_clear(&local->pending);
    local->written_end = local->end.offset;
    local->synced_sequence = local->end.sequence;
    return OK;
}

/* How many of the first records share the next frame of a snapshot; at least one. */
static size_t snapshot_batch(const struct journal_record *records, size_t count)
{
    size_t taken = 1;
    uint64_t bytes = segment_payload_bytes(records, 1);
    while (taken < count && bytes < SNAPSHOT_FRAME_BYTES)
        bytes += segment_payload_bytes(records + taken++, 1);
    return taken;
}

static uint64_t snapshot_bytes(const struct journal_record *records, size_t count)
{
    uint64_t bytes = 0;
    for (size_t done = 0; done < count;) {
        size_t batch = snapshot_batch(records + done, count - done);
        bytes += SEGMENT_FRAME_BYTES + segment_payload_bytes(records + done, batch);
        done += batch;
    }
    return bytes;
}

/* Writes header and snapshot into file and syncs it. */
static enum status write_snapshot(struct file *file,
                                  const struct segment_header *header,
                                  const struct journal_record *records,
                                  size_t count,
                                  struct segment_end *ret_end,
                                  struct error *reterr_error)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_end end = {.offset = SEGMENT_HEADER_BYTES};
    end.chain = segment_header_encode(header, bytes);
    end.sequence = header->first_sequence - 1;
    enum status status =
        file_write_at(file, 0, slice_make(bytes, SEGMENT_HEADER_BYTES), reterr_error);
    struct buf frame;
    buf_open(&frame, 0);
    for (size_t done = 0; done < count && status == OK;) {
        size_t batch = snapshot_batch(records + done, count - done);
        uint64_t offset = end.offset;
        buf_clear(&frame);
        status = segment_frame_append(&frame, header->id, header->first_sequence - 1,
                                      records + done, batch, &end);
        if (status != OK)
            status = error_set(reterr_error, status, "write a snapshot's batch: %s",
                               status_sentence(status));
        else
            status = file_write_at(file, offset, buf_slice(&frame), reterr_error);
        done += batch;
    }
    buf_close(&frame);
    if (status == OK)
        status = file_sync(file, reterr_error);
    if (status == OK)
        *ret_end = end;
    return status;
}

/*
 * Makes the segment that header describes under its temporary name. On failure nothing is left but,
 * at worst, that file, which the next open removes.
 */
static enum status make_segment(const char *temporary,
                                const struct segment_header *header,
                                const struct journal_record *records,
                                size_t count,
                                struct segment_end *ret_end,
                                struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status =
        file_open(temporary, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, reterr_error);
    if (status != OK)
        return status;
    status = write_snapshot(file, header, records, count, ret_end, reterr_error);
    file_close(file);
    if (status != OK)
        status_ignore(file_remove(temporary, NULL)); /* the first failure is the one to tell */
    return status;
}

/* Gives the finished segment its name, durably, and opens it. */
static enum status install_segment(const struct journal_local *local,
                                   const char *temporary,
                                   const char *path,
                                   struct file **ret_file,
                                   struct error *reterr_error)
{
    enum status status = file_rename(temporary, path, reterr_error);
    if (status == OK)
        status = directory_sync(local->directory, reterr_error);
    if (status == OK)
        status = file_open(path, FILE_MODE_UPDATE, 0, ret_file, reterr_error);
    return status;
}

/* The number in "<name>.<generation>.journal" + suffix; 0 when name is something else. */
static uint64_t parse_name(const struct journal_local *local, struct slice name, const char *suffix)
{
    size_t prefix = strlen(local->name);
    struct slice tail = slice_from_string(suffix);
    if (name.length != prefix + 1 + GENERATION_DIGITS + tail.length ||
        !slice_has_prefix(name, slice_from_string(local->name)) || name.data[prefix] != '.')
        return 0;
    struct slice digits = slice_sub(name, prefix + 1, GENERATION_DIGITS);
    struct slice rest = slice_sub(name, prefix + 1 + GENERATION_DIGITS, tail.length);
    uint64_t generation = 0;
    return slice_equal(rest, tail) && slice_parse_u64(digits, &generation) ? generation : 0;
}

/* Finds the newest generation (0: none) and removes unfinished segments. */
static enum status look_around(const struct journal_local *local,
                               uint64_t *ret_newest,
                               struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    uint64_t newest = 0;
    enum status status = directory_list(local->directory, arena, &names, &count, reterr_error);
    for (size_t i = 0; i < count && status == OK; i++) {
        uint64_t generation = parse_name(local, names[i], ".journal");
        if (generation > newest)
            newest = generation;
        if (parse_name(local, names[i], ".journal.tmp") != 0)
            status = file_remove(path_join(arena, local->directory, (const char *)names[i].data),
                                 reterr_error);
    }
    arena_close(arena);
    if (status == OK)
        *ret_newest = newest;
    return status;
}

/* Keeps the generation before the one in use, removes what is older. */
static void remove_old(const struct journal_local *local)
{
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    if (directory_list(local->directory, arena, &names, &count, NULL) != OK)
        count = 0; /* what stays behind only takes room, and the next compaction tries again */
    for (size_t i = 0; i < count; i++) {
        uint64_t generation = parse_name(local, names[i], ".journal");
        if (generation != 0 && generation + 1 < local->header.generation)
            status_ignore(
                file_remove(/* as above */
                            path_join(arena, local->directory, (const char *)names[i].data), NULL));
    }
    arena_close(arena);
}

static enum status compact_local(struct journal *journal,
                                 const struct journal_record *records,
                                 size_t count,
                                 struct error *reterr_error)
{
    struct journal_local *local = local_of(journal);
    if (local->has_failed)
        return refuse(local, reterr_error);
    CHECK(local->pending.length == 0);
    struct segment_header header = local->header;
    header.generation++;
    header.first_sequence = local->end.sequence + 1;
    header.snapshot_bytes = snapshot_bytes(records, count);
    struct arena *arena = arena_open(0);
    const char *path = segment_path(arena, local, header.generation);
    const char *temporary = (const char *)arena_format(arena, "%s.tmp", path).data;
    struct segment_end end;
    struct file *file = NULL;
    enum status status = make_segment(temporary, &header, records, count, &end, reterr_error);
    if (status == OK) {
        status = install_segment(local, temporary, path, &file, reterr_error);
        if (status != OK) /* nobody knows which segment a crash would leave */
            local->has_failed = true;
    }
    arena_close(arena);
    if (status != OK)
        return error_prefix(reterr_error, status, "compact journal %s", local->name);
    file_close(local->file);
    local->file = file;
    local->header = header;
    local->end = end;
    local->written_end = end.offset;
    local->reserved_end = end.offset;
    local->synced_sequence = end.sequence;
    remove_old(local);
    return OK;
}

static struct journal_size size_local(const struct journal *journal)
{
    const struct journal_local *local = local_of_const(journal);
    return (struct journal_size){
        .snapshot_bytes = local->header.snapshot_bytes,
        .log_bytes = local->end.offset - SEGMENT_HEADER_BYTES - local->header.snapshot_bytes,
    };
}

static bool has_failed_local(const struct journal *journal)
{
    return local_of_const(journal)->has_failed;
}

static void close_local(struct journal *journal)
{
    struct journal_local *local = local_of(journal);
    file_close(local->file);
    buf_close(&local->pending);
    arena_close(local->arena);
    mem_free(local);
}

static const struct journal_methods local_methods = {
    .append = append_local,
    .sync = sync_local,
    .compact = compact_local,
    .size = size_local,
    .has_failed = has_failed_local,
    .close = close_local,
};

/* The first segment of a new journal: empty. */
static enum status create_first(struct journal_local *local, struct error *reterr_error)
{
    host_random_bytes(local->header.id, sizeof(local->header.id));
    local->header.generation = 1;
    local->header.first_sequence = 1;
    const char *path = segment_path(local->arena, local, 1);
    const char *temporary = (const char *)arena_format(local->arena, "%s.tmp", path).data;
    enum status status =
        make_segment(temporary, &local->header, NULL, 0, &local->end, reterr_error);
    if (status == OK)
        status = install_segment(local, temporary, path, &local->file, reterr_error);
    return status;
}

/* Opens the newest segment, replays it and cuts its torn tail. */
static enum status open_newest(struct journal_local *local,
                               uint64_t generation,
                               journal_replay *replay,
                               void *user,
                               struct journal_report *report,
                               struct error *reterr_error)
{
    const char *path = segment_path(local->arena, local, generation);
    struct segment_content content;
    enum status status = file_open(path, FILE_MODE_UPDATE, 0, &local->file, reterr_error);
    if (status == OK)
        status = segment_read(local->file, generation, replay, user, &content, reterr_error);
    if (status != OK)
        return status;
    local->header = content.header;
    local->end = content.end;
    report->batches = content.batches;
    report->records = content.records;
    if (content.file_bytes > content.end.offset) {
        report->cut_offset = content.end.offset;
        report->cut_bytes = content.file_bytes - content.end.offset;
        status = file_truncate(local->file, content.end.offset, reterr_error);
    }
    /*
     * Synced even when nothing was cut: the last process may have written the end and died before
     * its sync, and from now on we answer by what we read.
     */
    if (status == OK)
        status = file_sync(local->file, reterr_error);
    if (status == OK)
        status = directory_sync(local->directory, reterr_error);
    return status;
}

enum status journal_open(const char *directory,
                         const char *name,
                         const struct journal_options *options,
                         journal_replay *replay,
                         void *user,
                         struct journal_report *ret_report,
                         struct journal **ret_journal,
                         struct error *reterr_error)
{
    CHECK(path_is_plain_name(slice_from_string(name)));
    struct journal_local *local = MEM_NEW(struct journal_local);
    local->journal.methods = &local_methods;
    local->arena = arena_open(0);
    local->directory = (const char *)arena_copy(local->arena, slice_from_string(directory)).data;
    local->name = (const char *)arena_copy(local->arena, slice_from_string(name)).data;
    local->reserve_bytes = options->reserve_bytes;
    buf_open(&local->pending, 0);
    struct journal_report report = {.generation = 0};
    uint64_t newest = 0;
    enum status status = look_around(local, &newest, reterr_error);
    if (status == OK && newest == 0) {
        report.was_created = true;
        status = create_first(local, reterr_error);
    } else if (status == OK) {
        status = open_newest(local, newest, replay, user, &report, reterr_error);
    }
    if (status != OK) {
        close_local(&local->journal);
        return error_prefix(reterr_error, status, "open journal %s", name);
    }
    local->written_end = local->end.offset;
    local->reserved_end = local->end.offset;
    local->synced_sequence = local->end.sequence;
    report.generation = local->header.generation;
    report.bytes = local->end.offset;
    if (ret_report != NULL)
        *ret_report = report;
    *ret_journal = &local->journal;
    return OK;
}
