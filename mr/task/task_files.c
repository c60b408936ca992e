/*
 * task_files.c - sinks, scratch files and mapped inputs over lib/os.
 */
#include "mr/task/task_files.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/base/mem.h"
#include "lib/os/process.h"

enum {
    SINK_BUFFER_BYTES = 256 << 10,
    SCRATCH_PATH_BYTES = 4096
};

/* --- sinks ------------------------------------------------------------------------------------ */

enum status file_sink_open(struct file_sink *sink, const char *path, struct error *reterr_error)
{
    *sink = (struct file_sink){0};
    return file_open(path, FILE_MODE_CREATE_NEW, FILE_PUBLIC, &sink->file, reterr_error);
}

enum status file_sink_flush(struct file_sink *sink, struct error *reterr_error)
{
    enum status status = OK;
    if (sink->pending.length > 0)
        status = file_write_at(sink->file, sink->length - sink->pending.length,
                               buf_slice(&sink->pending), reterr_error);
    if (status == OK)
        buf_clear(&sink->pending);
    return status;
}

enum status file_sink_append(struct file_sink *sink, struct slice bytes, struct error *reterr_error)
{
    enum status status = OK;

    if (sink->pending.length + bytes.length > SINK_BUFFER_BYTES)
        status = file_sink_flush(sink, reterr_error);
    if (status != OK)
        return status;
    if (bytes.length >= SINK_BUFFER_BYTES / 2) {
        status = file_sink_flush(sink, reterr_error);
        if (status == OK)
            status = file_write_at(sink->file, sink->length, bytes, reterr_error);
    } else {
        status = buf_append_slice(&sink->pending, bytes);
        if (status != OK)
            status = error_set(reterr_error, status, "buffer %zu bytes for %s", bytes.length,
                               file_path(sink->file));
    }
    if (status == OK)
        sink->length += bytes.length;
    return status;
}

enum status file_sink_sync(struct file_sink *sink, struct error *reterr_error)
{
    enum status status = file_sink_flush(sink, reterr_error);
    return status == OK ? file_sync(sink->file, reterr_error) : status;
}

void file_sink_close(struct file_sink *sink)
{
    file_close(sink->file);
    buf_close(&sink->pending);
    *sink = (struct file_sink){0};
}

static enum status append_to_sink(void *user, struct slice bytes, struct error *reterr_error)
{
    return file_sink_append(user, bytes, reterr_error);
}

struct byte_sink file_sink_as_sink(struct file_sink *sink)
{
    return (struct byte_sink){.user = sink, .append = append_to_sink};
}

/* --- scratch ---------------------------------------------------------------------------------- */

static enum status scratch_create(void *user, void **ret_file, struct error *reterr_error)
{
    struct task_scratch *scratch = user;
    struct file_sink *sink;
    char path[SCRATCH_PATH_BYTES];
    enum status status;

    sink = MEM_NEW(struct file_sink);
    do { /* one that an earlier attempt could not remove may still be there */
        int length = snprintf(path, sizeof(path), "%s/spill.%" PRId64 ".%p.%" PRIu64,
                              scratch->directory, process_self(), (void *)scratch, scratch->next++);
        if (length < 0 || (size_t)length >= sizeof(path))
            status = error_set(reterr_error, ERR_LIMIT, "the path of scratch files is too long");
        else
            status = file_sink_open(sink, path, reterr_error);
    } while (status == ERR_EXISTS);
    if (status == OK)
        status = file_remove(path, reterr_error);
    if (status != OK) {
        file_sink_close(sink);
        mem_free(sink);
        return status;
    }
    *ret_file = sink;
    return OK;
}

static enum status scratch_seal(void *file, struct error *reterr_error)
{
    return file_sink_flush(file, reterr_error);
}

static enum status scratch_read(
    void *file, uint64_t offset, uint8_t *data, size_t length, struct error *reterr_error)
{
    struct file_sink *sink = file;
    return file_read_exactly(sink->file, offset, data, length, reterr_error);
}

static void scratch_discard(void *file)
{
    if (file == NULL)
        return;
    file_sink_close(file);
    mem_free(file);
}

struct scratch task_scratch_as_scratch(struct task_scratch *scratch)
{
    return (struct scratch){
        .user = scratch,
        .create = scratch_create,
        .append = append_to_sink,
        .seal = scratch_seal,
        .read = scratch_read,
        .discard = scratch_discard,
    };
}

/* --- mapped input ----------------------------------------------------------------------------- */

enum status mapped_input_open(struct mapped_input *input,
                              const char *path,
                              struct error *reterr_error)
{
    struct file *file;
    uint64_t length;
    enum status status = file_open(path, FILE_MODE_READ, 0, &file, reterr_error);

    *input = (struct mapped_input){0};
    if (status != OK)
        return status;
    status = file_length(file, &length, reterr_error);
    if (status == OK)
        status = file_map_open(file, 0, length, &input->map, reterr_error);
    file_close(file);
    return status;
}

void mapped_input_close(struct mapped_input *input)
{
    file_map_close(&input->map);
    *input = (struct mapped_input){0};
}

static enum status mapped_read(void *user,
                               uint64_t offset,
                               size_t length_max,
                               struct slice *ret_bytes,
                               struct error *reterr_error)
{
    const struct mapped_input *input = user;
    size_t left = input->map.bytes.length - (size_t)offset;
    (void)reterr_error; /* memory cannot fail */
    *ret_bytes = slice_sub(input->map.bytes, (size_t)offset, left < length_max ? left : length_max);
    return OK;
}

struct byte_source mapped_input_as_source(struct mapped_input *input)
{
    return (struct byte_source){
        .user = input, .length = input->map.bytes.length, .read = mapped_read};
}
