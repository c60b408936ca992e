/*
 * journal_view.c - see journal_view.h. A file is read twice: checked first, so that its header can
 * be told before its records, then shown.
 */
#include "lib/journal/journal_view.h"

#include <stdio.h>
#include <string.h>

#include "lib/journal/family.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

struct viewer {
    const struct journal_view *view;
    enum status status; /* what view returned last */
};

static enum status visit(void *user,
                         const struct segment_place *place,
                         const struct journal_record *record,
                         struct error *reterr_error)
{
    struct viewer *viewer = user;
    struct journal_view_record shown = {
        .offset = place->offset,
        .sequence = place->sequence,
        .index = place->index,
        .type = record->type,
        .bytes = record->bytes,
    };
    viewer->status = viewer->view->record(viewer->view->user, &shown, reterr_error);
    return viewer->status;
}

static void describe(const struct segment_content *content, struct journal_view_file *file)
{
    const struct segment_header *header = &content->header;
    file->is_checkpoint = header->kind == SEGMENT_CHECKPOINT;
    file->version = header->version;
    file->generation = header->generation;
    file->first_sequence = header->first_sequence;
    file->bytes = content->file_bytes;
    file->end = content->end.offset;
    file->last_sequence = content->end.sequence;
    file->batches = content->batches;
    file->records = content->records;
    for (size_t i = 0; i < SEGMENT_ID_BYTES; i++)
        (void)snprintf(file->journal_id + 2 * i, 3, "%02x", header->id[i]);
}

static enum status view_open(struct file *file,
                             const struct journal_view *view,
                             bool *ret_damaged,
                             struct error *reterr_error)
{
    struct viewer viewer = {.view = view};
    struct segment_reading reading = {.kind = SEGMENT_KIND_COUNT, .is_last = true};
    struct segment_content content;
    struct error damage = {.status = OK};
    struct journal_view_file shown = {.path = file_path(file)};
    enum status status = segment_read(file, &reading, &content, &damage);
    if (status != OK && status != ERR_CORRUPT)
        return error_set(reterr_error, status, "%s", damage.text);
    *ret_damaged = status == ERR_CORRUPT;
    if (content.end.offset > 0) { /* the header is good */
        describe(&content, &shown);
        status = view->begin(view->user, &shown, reterr_error);
        if (status != OK)
            return status;
        reading.visit = visit;
        reading.user = &viewer;
        struct error again = {.status = OK};
        status = segment_read(file, &reading, &content, &again);
        if (viewer.status != OK || (status != OK && status != ERR_CORRUPT))
            return error_set(reterr_error, status, "%s", again.text);
    }
    if (*ret_damaged)
        shown.damage = damage.text;
    return view->end(view->user, &shown, reterr_error);
}

enum status journal_view_file(const char *path,
                              const struct journal_view *view,
                              bool *ret_damaged,
                              struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_READ, 0, &file, reterr_error);
    if (status != OK)
        return status;
    status = view_open(file, view, ret_damaged, reterr_error);
    file_close(file);
    return status;
}

static bool has_suffix(struct slice name, const char *suffix)
{
    size_t length = strlen(suffix);
    return name.length > length && memcmp(name.data + name.length - length, suffix, length) == 0;
}

enum status journal_view_list(const char *directory,
                              struct arena *arena,
                              const char ***ret_paths,
                              size_t *ret_count,
                              struct error *reterr_error)
{
    struct slice *names = NULL;
    size_t count = 0;
    size_t kept = 0;
    enum status status = directory_list(directory, arena, &names, &count, reterr_error);
    if (status != OK)
        return status;
    const char **paths = ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (has_suffix(names[i], FAMILY_SEGMENT) || has_suffix(names[i], FAMILY_CHECKPOINT) ||
            has_suffix(names[i], FAMILY_DAMAGED))
            paths[kept++] = path_join(arena, directory, (const char *)names[i].data);
    }
    *ret_paths = paths;
    *ret_count = kept;
    return OK;
}
