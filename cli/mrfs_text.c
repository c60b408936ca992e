/*
 * mrfs_text.c - text: prints files, and unpacks those that are gzip (RFC 1952) on the way.
 */
#include <stdio.h>
#include <string.h>

#define ZLIB_CONST /* next_in is const */
#include <zlib.h>

#include "cli/mrfs_transfer.h"
#include "lib/base/mem.h"

enum {
    TEXT_BYTES = 256 * 1024, /* unpacked at a time */
    GZIP_WINDOW = 15 + 16    /* zlib: the largest window, with a gzip header */
};

struct unpacking {
    uint8_t begin[2]; /* the first bytes of the file, which say what it is */
    size_t begin_length;
    bool is_known;
    bool is_gzip;
    bool is_whole; /* a member has just ended; another may follow */
    z_stream stream;
    uint8_t *room;
};

static enum status inflate_part(struct unpacking *unpacking,
                                struct slice part,
                                struct error *reterr_error)
{
    z_stream *stream = &unpacking->stream;
    stream->next_in = part.data;
    stream->avail_in = (uInt)part.length;
    while (stream->avail_in > 0) {
        if (unpacking->is_whole && inflateReset(stream) != Z_OK)
            return error_set(reterr_error, ERR_INTERNAL, "zlib cannot begin again");
        unpacking->is_whole = false;
        stream->next_out = unpacking->room;
        stream->avail_out = TEXT_BYTES;
        int result = inflate(stream, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return error_set(reterr_error, ERR_CORRUPT, "is damaged gzip: %s",
                             stream->msg != NULL ? stream->msg : "cannot be unpacked");
        struct slice text = slice_make(unpacking->room, TEXT_BYTES - stream->avail_out);
        enum status status = transfer_take_to_output(NULL, text, reterr_error);
        if (status != OK)
            return status;
        unpacking->is_whole = result == Z_STREAM_END;
    }
    return OK;
}

static enum status take_known(struct unpacking *unpacking,
                              struct slice part,
                              struct error *reterr_error)
{
    if (unpacking->is_gzip)
        return inflate_part(unpacking, part, reterr_error);
    return transfer_take_to_output(NULL, part, reterr_error);
}

/* The two bytes that tell may come in two parts: blocks can be that small. */
static enum status take_text(void *user, struct slice part, struct error *reterr_error)
{
    struct unpacking *unpacking = user;
    while (!unpacking->is_known && part.length > 0) {
        unpacking->begin[unpacking->begin_length++] = part.data[0];
        part = slice_sub(part, 1, part.length - 1);
        if (unpacking->begin_length < sizeof(unpacking->begin))
            continue;
        unpacking->is_known = true;
        unpacking->is_gzip = unpacking->begin[0] == 0x1f && unpacking->begin[1] == 0x8b;
        enum status status = take_known(
            unpacking, slice_make(unpacking->begin, sizeof(unpacking->begin)), reterr_error);
        if (status != OK)
            return status;
    }
    return unpacking->is_known ? take_known(unpacking, part, reterr_error) : OK;
}

static enum status print_unpacked(struct mrfs *mrfs, struct slice path, struct error *reterr_error)
{
    struct unpacking unpacking = {.room = mem_new(TEXT_BYTES)};
    enum status status = OK;
    if (inflateInit2(&unpacking.stream, GZIP_WINDOW) != Z_OK)
        status = error_set(reterr_error, ERR_NO_MEMORY, "no memory to unpack with");
    else
        status =
            transfer_read(mrfs, path, 0, UINT64_MAX, NULL, take_text, &unpacking, reterr_error);
    if (status == OK && !unpacking.is_known) /* it has less than two bytes */
        status = transfer_take_to_output(NULL, slice_make(unpacking.begin, unpacking.begin_length),
                                         reterr_error);
    if (status == OK && unpacking.is_gzip && !unpacking.is_whole)
        status = error_set(reterr_error, ERR_CORRUPT, "is gzip that ends too early");
    (void)inflateEnd(&unpacking.stream); /* an unused stream says so; nothing is lost */
    mem_free(unpacking.room);
    return status;
}

static void print_text(struct mrfs *mrfs, struct slice path, void *user)
{
    struct error error = {OK, ""};
    struct dfs_file_status found;
    (void)user;
    if (!mrfs_status(mrfs, path, &found))
        return;
    enum status status = OK;
    if (found.kind == FILE_DIRECTORY)
        status = error_set(&error, ERR_IS_DIRECTORY, "is a directory");
    else
        status = print_unpacked(mrfs, path, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
}

void mrfs_text(struct mrfs *mrfs)
{
    mrfs_each(mrfs, 0, mrfs->words.count, print_text, NULL);
}
