/*
 * http_reply.c - replies of the HTTP server: fixed bodies, errors, files with ranges, streams.
 */
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/net/http_server_private.h"

enum {
    RANGE_TEXT_BYTES = 96
};

static char *copy_text(const char *text)
{
    size_t length = strlen(text);
    char *copy = mem_new(length + 1);
    memcpy(copy, text, length);
    return copy;
}

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
    request->headers = mem_reserve(request->headers, request->header_count + 1,
                                   &request->header_capacity, sizeof(*request->headers));
    char *safe = copy_text(value);
    /* Else a name from a peer could end the header and begin another one. */
    for (char *at = safe; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    }
    request->headers[request->header_count++] = copy_text(name);
    request->headers[request->header_count++] = safe;
}

/* Adds the collected headers and hands the response over. */
static void finish(struct http_request *request,
                   unsigned code,
                   const char *content_type,
                   struct MHD_Response *response)
{
    CHECK(response != NULL);
    if (content_type != NULL)
        http_reply_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; i < request->header_count; i += 2)
        CHECK(MHD_add_response_header(response, request->headers[i], request->headers[i + 1]) ==
              MHD_YES);
    http_request_finish(request, code, response);
}

void http_reply(struct http_request *request,
                unsigned code,
                const char *content_type,
                struct slice body)
{
    /* The library copies; it only forgot to say const. */
    union {
        const uint8_t *in;
        void *out;
    } data = {.in = body.length == 0 ? (const uint8_t *)"" : body.data};

    finish(request, code, content_type,
           MHD_create_response_from_buffer(body.length, data.out, MHD_RESPMEM_MUST_COPY));
}

static void reply_status(struct http_request *request,
                         unsigned code,
                         enum status status,
                         const char *text)
{
    CHECK(status != OK);
    struct buf body = {.length = 0};
    if (buf_append_format(&body, "%s\n", text) != OK)
        buf_clear(&body); /* no memory for the text: the code must do */
    http_reply_header(request, HTTP_STATUS_HEADER, status_name(status));
    if (status == ERR_UNAUTHENTICATED)
        http_reply_header(request, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    http_reply(request, code, "text/plain; charset=utf-8", buf_slice(&body));
    buf_close(&body);
}

void http_reply_error(struct http_request *request, enum status status, const char *text)
{
    reply_status(request, http_code_from_status(status), status, text);
}

void http_reply_unavailable(struct http_request *request, enum status status, const char *text)
{
    reply_status(request, MHD_HTTP_SERVICE_UNAVAILABLE, status, text);
}

/* --- ranges ----------------------------------------------------------------------------------- */

enum range_kind {
    RANGE_NONE, /* send all of it */
    RANGE_PART,
    RANGE_OUTSIDE,
};

/*
 * Reads "bytes=first-last", "bytes=first-" or "bytes=-count" for a resource of length bytes. What
 * is none of these, several ranges for example, may be ignored (RFC 9110, 14.2).
 */
static enum range_kind range_read(struct slice text,
                                  uint64_t length,
                                  uint64_t *ret_first,
                                  uint64_t *ret_count)
{
    static const char unit[] = "bytes=";
    if (!slice_has_prefix(text, slice_from_string(unit)))
        return RANGE_NONE;
    text = slice_sub(text, sizeof(unit) - 1, text.length - (sizeof(unit) - 1));
    size_t dash = slice_find(text, '-');
    if (dash == text.length)
        return RANGE_NONE;
    struct slice left = slice_sub(text, 0, dash);
    struct slice right = slice_sub(text, dash + 1, text.length - dash - 1);
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    if (left.length == 0) { /* the last so many bytes */
        uint64_t count = 0;
        if (!slice_parse_u64(right, &count))
            return RANGE_NONE;
        if (count == 0 || length == 0)
            return RANGE_OUTSIDE;
        *ret_count = count < length ? count : length;
        *ret_first = length - *ret_count;
        return RANGE_PART;
    }
    if (!slice_parse_u64(left, &first) ||
        (right.length > 0 && (!slice_parse_u64(right, &last) || last < first)))
        return RANGE_NONE;
    if (first >= length)
        return RANGE_OUTSIDE;
    *ret_first = first;
    *ret_count = last >= length ? length - first : last - first + 1;
    return RANGE_PART;
}

/* --- files ------------------------------------------------------------------------------------ */

struct file_source {
    int fd;
    uint64_t offset; /* of the reply's first byte in the file */
};

static ssize_t file_read(void *user, uint64_t position, char *data, size_t room)
{
    const struct file_source *source = user;
    if (fault_hit(FAULT_FILE_READ))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    ssize_t length;
    do {
        length = pread(source->fd, data, room, (off_t)(source->offset + position));
    } while (length < 0 && errno == EINTR);
    /* The library asks for no more than the file had: its end here means that it was cut. */
    return length <= 0 ? MHD_CONTENT_READER_END_WITH_ERROR : length;
}

static void file_close(void *user)
{
    struct file_source *source = user;
    (void)close(source->fd);
    mem_free(source);
}

/* A response with the bytes from offset on; takes fd. */
static struct MHD_Response *file_response(const struct http_request *request,
                                          int fd,
                                          uint64_t offset,
                                          uint64_t length)
{
    /* Beyond a file's end the library would call sendfile again and again. */
    struct stat info;
    if (request->server->options.use_sendfile && fstat(fd, &info) == 0 && info.st_size >= 0 &&
        (uint64_t)info.st_size >= offset + length)
        return MHD_create_response_from_fd_at_offset64(length, fd, offset);
    struct file_source *source = MEM_NEW(struct file_source);
    source->fd = fd;
    source->offset = offset;
    size_t block = length < HTTP_SERVER_BLOCK_BYTES ? (size_t)length : HTTP_SERVER_BLOCK_BYTES;
    return MHD_create_response_from_callback(length, block == 0 ? 1 : block, file_read, source,
                                             file_close);
}

void http_reply_file(struct http_request *request,
                     const char *content_type,
                     int fd,
                     uint64_t offset,
                     uint64_t length)
{
    const char *range = http_request_header(request, MHD_HTTP_HEADER_RANGE);
    /* If-Range names a version of the resource, and we name none: all of it is the answer. */
    if (http_request_header(request, MHD_HTTP_HEADER_IF_RANGE) != NULL)
        range = NULL;
    uint64_t first = 0;
    uint64_t count = length;
    enum range_kind kind =
        range == NULL ? RANGE_NONE : range_read(slice_from_string(range), length, &first, &count);
    char text[RANGE_TEXT_BYTES];
    http_reply_header(request, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    if (kind == RANGE_OUTSIDE) {
        (void)close(fd);
        (void)snprintf(text, sizeof(text), "bytes */%" PRIu64, length);
        http_reply_header(request, MHD_HTTP_HEADER_CONTENT_RANGE, text);
        http_reply(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, NULL, slice_make(NULL, 0));
        return;
    }
    if (kind == RANGE_PART) {
        (void)snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first,
                       first + count - 1, length);
        http_reply_header(request, MHD_HTTP_HEADER_CONTENT_RANGE, text);
    }
    finish(request, kind == RANGE_PART ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, content_type,
           file_response(request, fd, offset + first, count));
}

/* --- streams ---------------------------------------------------------------------------------- */

struct stream_source {
    struct http_stream stream;
    uint64_t length;
};

static ssize_t stream_read(void *user, uint64_t position, char *data, size_t room)
{
    const struct stream_source *source = user;
    size_t length = 0;
    enum status status =
        source->stream.read(source->stream.state, position, (uint8_t *)data, room, &length);
    if (status != OK)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    CHECK(length <= room);
    if (length == 0)
        return source->length == HTTP_LENGTH_UNKNOWN ? MHD_CONTENT_READER_END_OF_STREAM
                                                     : MHD_CONTENT_READER_END_WITH_ERROR;
    return (ssize_t)length;
}

static void stream_close(void *user)
{
    struct stream_source *source = user;
    if (source->stream.close != NULL)
        source->stream.close(source->stream.state);
    mem_free(source);
}

void http_reply_stream(struct http_request *request,
                       unsigned code,
                       const char *content_type,
                       uint64_t length,
                       const struct http_stream *stream)
{
    struct stream_source *source = MEM_NEW(struct stream_source);
    source->stream = *stream;
    source->length = length;
    finish(request, code, content_type,
           MHD_create_response_from_callback(length, HTTP_SERVER_BLOCK_BYTES, stream_read, source,
                                             stream_close));
}
