/*
 * mrfs_read.c - parts of files and several as one: cat, head, tail, getmerge, checksum.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/mrfs_transfer.h"
#include "lib/base/crc32c.h"
#include "lib/model/path.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"

enum {
    PART_BYTES = 1024, /* what head and tail show */
    FOLLOW_MS = 500
};

/* --- cat, head, tail ---------------------------------------------------------------------------
 */

struct part {
    uint64_t bytes;
    bool is_end;
};

/*
 * Prints what is appended, until the file is gone, is another one, or shrinks. Half a second is
 * what a person does not notice.
 */
static enum status follow(struct mrfs *mrfs,
                          struct slice path,
                          const struct dfs_file_status *begin,
                          struct error *reterr_error)
{
    uint64_t printed = begin->length;
    enum status status = OK;
    while (status == OK && fflush(stdout) == 0) {
        struct arena *arena = arena_open(0);
        struct dfs_file_status found;
        clock_sleep_until_ms(clock_monotonic_ms() + FOLLOW_MS);
        status = dfs_get_status(mrfs->dfs, path, arena, &found, reterr_error);
        if (status == OK && (found.file_id != begin->file_id || found.length < printed))
            status = error_set(reterr_error, ERR_STALE, "was replaced or cut; start again");
        if (status == OK && found.length > printed)
            status = transfer_read(mrfs, path, printed, found.length - printed, NULL,
                                   transfer_take_to_output, NULL, reterr_error);
        if (status == OK)
            printed = found.length;
        arena_close(arena);
    }
    return status;
}

static void print_part(struct mrfs *mrfs, struct slice path, void *user)
{
    const struct part *part = user;
    struct error error = {OK, ""};
    struct dfs_file_status found;
    if (!mrfs_status(mrfs, path, &found))
        return;
    enum status status = OK;
    uint64_t offset = part->is_end && found.length > part->bytes ? found.length - part->bytes : 0;
    if (found.kind == FILE_DIRECTORY)
        status = error_set(&error, ERR_IS_DIRECTORY, "is a directory");
    else
        status = transfer_read(mrfs, path, offset, part->bytes, NULL, transfer_take_to_output, NULL,
                               &error);
    if (status == OK && mrfs_has(mrfs, 'f'))
        status = follow(mrfs, path, &found, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
}

static void print_parts(struct mrfs *mrfs, bool is_end)
{
    struct part part = {.is_end = is_end};
    if (mrfs_number(mrfs, 'c', PART_BYTES, UINT64_MAX, &part.bytes))
        mrfs_each(mrfs, 0, mrfs->words.count, print_part, &part);
}

void mrfs_cat(struct mrfs *mrfs)
{
    struct part part = {.bytes = UINT64_MAX};
    mrfs_each(mrfs, 0, mrfs->words.count, print_part, &part);
}

void mrfs_head(struct mrfs *mrfs)
{
    print_parts(mrfs, false);
}

void mrfs_tail(struct mrfs *mrfs)
{
    print_parts(mrfs, true);
}

/* --- getmerge ----------------------------------------------------------------------------------
 */

struct merging {
    struct file *file;
    bool has_failed;
};

static void merge_file(struct mrfs *mrfs,
                       struct slice path,
                       const struct dfs_file_status *found,
                       struct merging *merging)
{
    struct error error = {OK, ""};
    if (found->length == 0 && mrfs_has(mrfs, KEY_SKIP_EMPTY))
        return;
    enum status status = transfer_read(mrfs, path, 0, UINT64_MAX, NULL, transfer_take_to_file,
                                       merging->file, &error);
    if (status == OK && mrfs_has(mrfs, KEY_NEWLINE))
        status = file_append(merging->file, slice_from_string("\n"), &error);
    if (status != OK) {
        merging->has_failed = true;
        mrfs_complain(mrfs, path, status, error.text);
    }
}

/* The files of a directory by name; what lies deeper is left out, as in Hadoop. */
static void merge_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct merging *merging = user;
    struct dfs_file_status found;
    const struct dfs_file_status *entries = NULL;
    struct error error = {OK, ""};
    size_t count = 0;
    if (merging->has_failed || !mrfs_status(mrfs, path, &found))
        return;
    if (found.kind == FILE_REGULAR) {
        merge_file(mrfs, path, &found, merging);
        return;
    }
    enum status status = dfs_list(mrfs->dfs, path, mrfs->arena, &entries, &count, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    for (size_t i = 0; i < count && !merging->has_failed; i++) {
        if (entries[i].kind == FILE_REGULAR)
            merge_file(mrfs, path_append(path, entries[i].path, mrfs->arena), &entries[i], merging);
    }
}

void mrfs_getmerge(struct mrfs *mrfs)
{
    struct merging merging = {.has_failed = false};
    struct error error = {OK, ""};
    size_t count = mrfs->words.count - 1;
    const char *local = mrfs_local_text(mrfs, mrfs->words.arguments[count]);
    bool is_output = strcmp(local, "-") == 0;
    const char *temporary = transfer_temporary(local, mrfs->arena);
    enum status status = OK;
    if (is_output)
        merging.file = file_adopt(1, "standard output");
    else
        status = file_open(temporary, FILE_MODE_CREATE_NEW, FILE_PUBLIC, &merging.file, &error);
    if (status == OK)
        mrfs_each(mrfs, 0, count, merge_path, &merging);
    if (is_output) {
        (void)file_release(merging.file); /* standard output stays open */
        return;
    }
    file_close(merging.file);
    bool is_whole = status == OK && !mrfs->has_failed && !mrfs_was_interrupted();
    if (is_whole)
        status = file_rename(temporary, local, &error);
    if (!is_whole || status != OK)
        status_ignore(file_remove(temporary, NULL)); /* the first failure is the one to tell */
    if (status != OK)
        mrfs_complain(mrfs, slice_from_string(local), status, error.text);
}

/* --- checksum ----------------------------------------------------------------------------------
 */

/* Of the whole file, put together from those of its blocks: the same for any size of block. */
static void print_checksum(struct mrfs *mrfs, struct slice path, void *user)
{
    struct error error = {OK, ""};
    struct dfs_file_status found;
    struct dfs_get_blocks_response blocks;
    (void)user;
    if (!mrfs_status(mrfs, path, &found))
        return;
    enum status status = OK;
    if (found.kind == FILE_DIRECTORY)
        status = error_set(&error, ERR_IS_DIRECTORY, "is a directory");
    if (status == OK)
        status = dfs_get_blocks(mrfs->dfs, path, 0, 0, mrfs->arena, &blocks, &error);
    if (status != OK) {
        mrfs_complain(mrfs, path, status, error.text);
        return;
    }
    uint32_t crc = 0;
    for (size_t i = 0; i < blocks.blocks_count; i++)
        crc = crc32c_combine(crc, blocks.blocks[i].crc32c, blocks.blocks[i].length);
    printf("%.*s\tCOMPOSITE-CRC32C\t%08" PRIx32 "\n", SLICE_ARGS(path), crc);
}

void mrfs_checksum(struct mrfs *mrfs)
{
    mrfs_each(mrfs, 0, mrfs->words.count, print_checksum, NULL);
}
