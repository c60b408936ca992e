/*
 * map_output.c - finding one partition's segment in a map's output. Format: docs/formats/run.md.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/os/file.h"
#include "mr/core/run.h"
#include "nodemgr/daemon/folders.h"

static enum status find_segment(struct file *file,
                                uint32_t partition,
                                struct run_segment *ret_segment,
                                struct error *reterr_error)
{
    uint64_t length = 0;
    uint8_t head[RUN_MAGIC_BYTES];
    uint8_t trailer[RUN_TRAILER_BYTES];
    uint64_t index_offset = 0;
    uint32_t partitions = 0;
    enum status status = file_length(file, &length, reterr_error);
    if (status == OK && length < sizeof(head) + sizeof(trailer))
        return error_set(reterr_error, ERR_CORRUPT, "%s: no run file", file_path(file));
    if (status == OK)
        status = file_read_exactly(file, 0, head, sizeof(head), reterr_error);
    if (status == OK)
        status = run_head_parse(slice_make(head, sizeof(head)), reterr_error);
    if (status == OK)
        status = file_read_exactly(file, length - RUN_TRAILER_BYTES, trailer, sizeof(trailer),
                                   reterr_error);
    struct slice end = slice_make(trailer, sizeof(trailer));
    if (status == OK)
        status = run_trailer_parse(end, length, &index_offset, &partitions, reterr_error);
    if (status != OK)
        return status;
    size_t bytes = (size_t)partitions * RUN_INDEX_ENTRY_BYTES; /* at most 24 MiB, as parsed */
    uint8_t *index = mem_try_array(bytes > 0 ? bytes : 1, 1);
    if (index == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "%s: index", file_path(file));
    status = file_read_exactly(file, index_offset, index, bytes, reterr_error);
    if (status == OK)
        status =
            run_index_find(slice_make(index, bytes), end, partition, ret_segment, reterr_error);
    mem_free(index);
    return status;
}

enum status nodemgr_folders_open_segment(const struct nodemgr_folders *folders,
                                         struct app_id app,
                                         uint32_t map,
                                         uint32_t attempt,
                                         uint32_t partition,
                                         struct file **ret_file,
                                         uint64_t *ret_offset,
                                         uint64_t *ret_bytes,
                                         uint64_t *ret_records,
                                         struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct file *file = NULL;
    struct run_segment segment = {.offset = 0};
    const char *output = nodemgr_folders_output(folders, arena, app);
    struct slice path = arena_format(arena, "%s/%" PRIu32 "_%" PRIu32 ".run", output, map, attempt);
    enum status status = file_open((const char *)path.data, FILE_MODE_READ, 0, &file, reterr_error);
    if (status == OK)
        status = find_segment(file, partition, &segment, reterr_error);
    arena_close(arena);
    if (status != OK) {
        file_close(file);
        return status;
    }
    *ret_file = file;
    *ret_offset = segment.offset;
    *ret_bytes = segment.bytes;
    *ret_records = segment.records;
    return OK;
}
