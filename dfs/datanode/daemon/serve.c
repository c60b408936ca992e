/*
 * serve.c - blocks out: over HTTP, verified chunk by chunk, and as descriptors to readers on this
 * host.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/datanode/daemon/node.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/shell.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"

enum {
    STATUS_BYTES_MAX = 256 * 1024,
    CHUNKS_TOLD_MAX = 128 /* of a range: 8 MiB, whose checksums make a header of 1 KiB */
};

/* --- HTTP --------------------------------------------------------------------------------------
 */

struct serving {
    struct node *node;
    struct store_reader *reader;
    size_t volume;
    uint64_t begin; /* of the range, in the block */
    uint64_t end;
};

struct range {
    uint64_t begin;
    uint64_t end;
    bool is_partial;
};

/* Digits up to the first other byte, moved off the front; false when there is none. */
static bool take_number(struct slice *rest, uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < rest->length && rest->data[digits] >= '0' && rest->data[digits] <= '9')
        digits++;
    if (!slice_parse_u64(slice_sub(*rest, 0, digits), ret_value))
        return false;
    *rest = slice_sub(*rest, digits, rest->length - digits);
    return true;
}

/* "bytes=a-b", "bytes=a-" or "bytes=-n". False: it asks for nothing of the block. Any other form is
 * ignored, as RFC 9110 (14.2) allows. */
static bool parse_range(const char *text, uint64_t length, struct range *ret_range)
{
    *ret_range = (struct range){0, length, false};
    struct slice rest = slice_from_string(text);
    struct slice unit = slice_from_string("bytes=");
    if (!slice_has_prefix(rest, unit))
        return true;
    rest = slice_sub(rest, unit.length, rest.length - unit.length);
    uint64_t first = 0;
    uint64_t last = 0;
    bool has_first = take_number(&rest, &first);
    if (rest.length == 0 || rest.data[0] != '-')
        return true;
    rest = slice_sub(rest, 1, rest.length - 1);
    bool has_last = take_number(&rest, &last);
    if (rest.length != 0 || (!has_first && !has_last) || (has_first && has_last && last < first))
        return true;
    if (!has_first) { /* the last n bytes */
        first = last < length ? length - last : 0;
        has_last = false;
        if (last == 0)
            return false;
    }
    if (first >= length)
        return false;
    *ret_range = (struct range){first, has_last && last < length ? last + 1 : length, true};
    return true;
}

static enum status stream_read(
    void *state, uint64_t offset, uint8_t *data, size_t room, size_t *ret_length)
{
    struct serving *serving = state;
    uint64_t at = serving->begin + offset;
    uint64_t left = serving->end - at;
    size_t length = left < room ? (size_t)left : room;
    /* Up to the end of a chunk, so that the next piece begins with a whole one. */
    uint64_t over = (at + length) % BLOCK_CHUNK_BYTES;
    if (length == room && over < length)
        length -= (size_t)over;
    struct error error = {0};
    int64_t begin_us = clock_monotonic_us();
    enum status status =
        length == 0 ? OK : store_reader_read(serving->reader, at, data, length, &error);
    int64_t end_us = clock_monotonic_us();
    if (length > 0)
        latencies_add_read(serving->node->latencies, serving->volume, end_us, end_us - begin_us);
    if (status != OK)
        node_tell_corrupt(serving->node, store_reader_block(serving->reader).block_id,
                          serving->volume, status, error.text);
    if (status == OK)
        *ret_length = length;
    return status;
}

static void stream_close(void *state)
{
    struct serving *serving = state;
    store_reader_close(serving->reader);
    mem_free(serving);
}

/* So that damage at the front is a proper answer instead of a cut connection. */
static enum status check_first_chunk(struct store_reader *reader,
                                     const struct range *range,
                                     struct error *error)
{
    uint8_t first;
    if (range->begin == range->end)
        return OK;
    return store_reader_read(reader, range->begin, &first, 1, error);
}

/* Those of the chunks, so that the reader may use the first while the last is on its way. */
static void add_chunks(struct http_request *request,
                       const struct store_reader *reader,
                       const struct range *range)
{
    const struct block_sidecar *sidecar = store_reader_sidecar(reader);
    char text[CHUNKS_TOLD_MAX * 8 + 1] = "";
    size_t length = 0;
    if (block_chunk_count(range->end - range->begin) > CHUNKS_TOLD_MAX)
        return;
    for (uint64_t at = range->begin; at < range->end; at += BLOCK_CHUNK_BYTES) {
        uint32_t crc = block_chunk_crc(sidecar, (size_t)(at / BLOCK_CHUNK_BYTES));
        (void)snprintf(text + length, sizeof(text) - length, "%08" PRIx32, crc); /* fits */
        length += 8;
    }
    http_reply_header(request, "X-Millrace-Chunks-Crc32c", text);
}

static void add_headers(struct http_request *request,
                        const struct store_reader *reader,
                        const struct range *range)
{
    char text[96];
    uint32_t crc;
    if (block_sidecar_range_crc(store_reader_sidecar(reader), range->begin,
                                range->end - range->begin, &crc)) {
        (void)snprintf(text, sizeof(text), "%08" PRIx32, crc); /* fits */
        http_reply_header(request, "X-Millrace-Crc32c", text);
        add_chunks(request, reader, range);
    }
    http_reply_header(request, "Accept-Ranges", "bytes");
    if (!range->is_partial)
        return;
    (void)snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->begin,
                   range->end - 1, store_reader_block(reader).length); /* fits: 3 * 20 + 9 */
    http_reply_header(request, "Content-Range", text);
}

static void reply_block(struct node *node,
                        struct http_request *request,
                        struct store_reader *reader,
                        size_t volume)
{
    struct range range;
    struct error error = {0};
    uint64_t length = store_reader_block(reader).length;
    if (!parse_range(http_request_header(request, "Range"), length, &range)) {
        store_reader_close(reader);
        http_reply(request, 416, "text/plain",
                   slice_from_string("no byte of the block is asked\n"));
        return;
    }
    enum status status = check_first_chunk(reader, &range, &error);
    if (status != OK) {
        node_tell_corrupt(node, store_reader_block(reader).block_id, volume, status, error.text);
        store_reader_close(reader);
        http_reply_error(request, status, error.text);
        return;
    }
    add_headers(request, reader, &range);
    struct serving *serving = MEM_NEW(struct serving);
    *serving = (struct serving){node, reader, volume, range.begin, range.end};
    struct http_stream stream = {stream_read, stream_close, serving};
    http_reply_stream(request, range.is_partial ? 206 : 200, "application/octet-stream",
                      range.end - range.begin, &stream);
}

void node_serve_block(void *user, struct http_request *request)
{
    struct node *node = user;
    struct dfs_block_info wanted;
    bool has_claim = false;
    struct error error = {0};
    struct store_reader *reader = NULL;
    size_t volume = 0;
    enum status status =
        node_admit(node, request, 1U << BLOCK_READ | 1U << BLOCK_COPY, &wanted, &has_claim, &error);
    if (status == OK) {
        status = volumes_reader_open(node->volumes, wanted.block_id, &reader, &volume, &error);
        if (status != OK)
            node_tell_corrupt(node, wanted.block_id, volume, status, error.text);
    }
    if (status == OK && has_claim) {
        struct dfs_block_info block = store_reader_block(reader);
        if (block.length != wanted.length || block.crc32c != wanted.crc32c) {
            status = error_set(&error, ERR_STALE,
                               "the replica here has %" PRIu64 " bytes with checksum %08" PRIx32,
                               block.length, block.crc32c);
            store_reader_close(reader);
        }
    }
    if (status == OK)
        reply_block(node, request, reader, volume);
    else
        http_reply_error(request, status, error.text);
}

struct status_page {
    struct datanode_totals totals;
    struct arena *arena;
    struct dfs_volume_info *volumes;
};

static void take_totals(void *user, const void *machine)
{
    struct status_page *page = user;
    page->totals = datanode_totals(machine);
    page->volumes = ARENA_ARRAY(page->arena, struct dfs_volume_info, page->totals.volumes);
    for (uint32_t i = 0; i < page->totals.volumes; i++) {
        struct dfs_volume_info info = datanode_volume_info(machine, i);
        message_copy_into(&dfs_volume_info_type, &info, &page->volumes[i], page->arena);
    }
}

static const char *const registration_texts[REGISTRATION_STATE_COUNT] = {
#define REGISTRATION_TEXT(constant, name) name,
    DATANODE_REGISTRATION_STATE_LIST(REGISTRATION_TEXT)
#undef REGISTRATION_TEXT
};

static enum status print_status(const struct node *node,
                                const struct status_page *page,
                                struct buf *body)
{
    const struct datanode_totals *totals = &page->totals;
    enum status status = buf_append_format(
        body,
        "{\"node_id\": \"%016" PRIx64 "\", \"cluster_id\": \"%016" PRIx64
        "\", \"registration\": \"%s\", \"blocks\": %" PRIu64 ", \"corrupt_blocks\": %" PRIu64
        ", \"used_bytes\": %" PRIu64 ", \"free_bytes\": %" PRIu64 ", \"reserved_bytes\": %" PRIu64
        ", \"copies_running\": %" PRIu32 ", \"copies_waiting\": %" PRIu32
        ", \"changes_waiting\": %" PRIu64 ", \"blocks_scrubbed\": %" PRIu64
        ", \"volumes_failed\": %" PRIu32 ", \"volumes\": [",
        node->node_id, totals->cluster_id, registration_texts[totals->registration],
        totals->block_count, totals->corrupt_count, totals->used_bytes, totals->free_bytes,
        totals->reserved_bytes, totals->copies_running, totals->copies_waiting,
        totals->changes_waiting, totals->blocks_scrubbed, totals->volumes_failed);
    for (uint32_t i = 0; i < totals->volumes && status == OK; i++) {
        if (i > 0)
            status = buf_append_format(body, ", ");
        if (status == OK)
            status = message_print_json(&dfs_volume_info_type, &page->volumes[i], body);
    }
    return status == OK ? buf_append_format(body, "]}\n") : status;
}

void node_serve_status(void *user, struct http_request *request)
{
    struct node *node = user;
    struct status_page page = {.arena = arena_open(0)};
    struct buf body;
    buf_open(&body, STATUS_BYTES_MAX);
    if (shell_inspect(node->shell, take_totals, &page) != OK)
        http_reply_error(request, ERR_UNAVAILABLE, "the datanode is starting or stopping");
    else if (print_status(node, &page, &body) != OK)
        http_reply_error(request, ERR_NO_MEMORY, "the answer does not fit into memory");
    else
        http_reply(request, 200, "application/json", buf_slice(&body));
    buf_close(&body);
    arena_close(page.arena);
}

/* --- descriptors -------------------------------------------------------------------------------
 */

/* Takes the words before the next space, or the rest. */
static struct slice take_word(struct slice *rest)
{
    size_t space = slice_find(*rest, ' ');
    struct slice word = slice_sub(*rest, 0, space);
    size_t next = space < rest->length ? space + 1 : space;
    *rest = slice_sub(*rest, next, rest->length - next);
    return word;
}

/*
 * The socket's own credentials do not say in whose name a process asks: containers of many users
 * run as the node manager's.
 */
static enum status admit_asker(struct node *node,
                               const struct node_wanted *wanted,
                               uint64_t block_id,
                               struct error *error)
{
    struct arena *arena = arena_open(0);
    struct slice user = {0};
    enum status status = node_access_identify(node->access, wanted, arena, &user, error);
    if (status == OK)
        status = node_access_check(node->access, wanted, user, block_id, error);
    arena_close(arena);
    return status;
}

enum status node_answer_descriptor(void *user,
                                   uint32_t uid,
                                   struct slice question,
                                   struct buf *answer,
                                   int *ret_fd,
                                   struct error *error)
{
    struct node *node = user;
    (void)answer;
    struct slice what = take_word(&question);
    struct slice name = take_word(&question);
    struct slice block_token = take_word(&question);
    bool is_sidecar = slice_equal_string(what, "sidecar");
    uint64_t block_id = 0;
    if ((!is_sidecar && !slice_equal_string(what, "block")) || !block_name_parse(name, &block_id))
        return error_set(error, ERR_INVALID,
                         "ask \"block <id> <block token> <token>\", or sidecar");
    char from[32];
    (void)snprintf(from, sizeof(from), "uid %" PRIu32, uid); /* fits */
    const struct node_wanted wanted = {
        .from = from,
        .what = is_sidecar ? "sidecar" : "block",
        .block_token = block_token,
        .bearer = question,
        .modes = 1U << BLOCK_READ,
    };
    enum status status = admit_asker(node, &wanted, block_id, error);
    if (status != OK)
        return status;
    struct file *file;
    size_t volume = 0;
    status = volumes_open_file(node->volumes, block_id, is_sidecar, &file, &volume, error);
    if (status == OK)
        *ret_fd = file_release(file);
    else
        node_tell_corrupt(node, block_id, volume, status, error->text);
    return status;
}
