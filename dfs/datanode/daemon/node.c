/*
 * node.c - what requests of all kinds need: who asks, for which block, and where to send on.
 */
#include "dfs/datanode/daemon/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/model/limits.h"
#include "lib/net/http_server.h"

const char *node_block_url(struct arena *arena,
                           struct slice address,
                           const struct dfs_block_info *block,
                           struct slice pipeline,
                           const struct node_wish *wish)
{
    char name[BLOCK_NAME_BYTES];
    block_name_format(block->block_id, name);
    struct slice url =
        arena_format(arena, "http://%.*s/v1/block/%s?length=%" PRIu64 "&crc32c=%08" PRIx32 "%s%.*s",
                     SLICE_ARGS(address), name, block->length, block->crc32c,
                     pipeline.length > 0 ? "&pipeline=" : "", SLICE_ARGS(pipeline));
    if (wish->needed > 0)
        url = arena_format(arena, "%.*s&needed=%" PRIu32, SLICE_ARGS(url), wish->needed);
    if (wish->durability == DURABILITY_REPLICATED)
        url = arena_format(arena, "%.*s&durability=replicated", SLICE_ARGS(url));
    return (const char *)url.data;
}

struct http_client *node_client(struct node *node, size_t behind)
{
    return node->clients[behind < NODE_CLIENTS ? behind : NODE_CLIENTS - 1];
}

/* Eight hexadecimal digits, by way of the sixteen of a name. */
static bool parse_crc(const char *text, uint32_t *ret_crc)
{
    struct slice digits = slice_from_string(text);
    if (digits.length != 8)
        return false;
    if (slice_equal_string(digits, "00000000")) {
        *ret_crc = 0;
        return true;
    }
    char padded[BLOCK_NAME_BYTES];
    (void)snprintf(padded, sizeof(padded), "00000000%s", text); /* 16 digits */
    uint64_t crc;
    if (!block_name_parse(slice_from_string(padded), &crc))
        return false;
    *ret_crc = (uint32_t)crc;
    return true;
}

enum status node_parse_block(const struct http_request *request,
                             struct dfs_block_info *ret_block,
                             bool *ret_has_claim,
                             struct error *reterr_error)
{
    struct dfs_block_info block = {0};
    if (!block_name_parse(slice_from_string(http_request_rest(request)), &block.block_id))
        return error_set(reterr_error, ERR_INVALID, "a block id is 16 hexadecimal digits");
    const char *length = http_request_query(request, "length");
    const char *crc = http_request_query(request, "crc32c");
    *ret_has_claim = length != NULL && crc != NULL;
    if (length != NULL && (!slice_parse_u64(slice_from_string(length), &block.length) ||
                           block.length > LIMIT_BLOCK_BYTES))
        return error_set(reterr_error, ERR_INVALID, "length is a number of bytes, at most %d",
                         (int)LIMIT_BLOCK_BYTES);
    if (crc != NULL && !parse_crc(crc, &block.crc32c))
        return error_set(reterr_error, ERR_INVALID, "crc32c is 8 hexadecimal digits");
    *ret_block = block;
    return OK;
}

enum status node_admit(struct node *node,
                       const struct http_request *request,
                       unsigned modes,
                       struct dfs_block_info *ret_block,
                       bool *ret_has_claim,
                       struct error *reterr_error)
{
    const struct node_wanted wanted = {
        .what = http_request_method(request),
        .from = http_request_peer(request),
        .bearer = http_request_bearer(request),
        .block_token = slice_from_string(http_request_header(request, BLOCK_TOKEN_HEADER)),
        .modes = modes,
    };
    struct arena *arena = arena_open(0);
    struct slice user = {0};
    enum status status = node_access_identify(node->access, &wanted, arena, &user, reterr_error);
    if (status == OK)
        status = node_parse_block(request, ret_block, ret_has_claim, reterr_error);
    if (status == OK)
        status = node_access_check(node->access, &wanted, user, ret_block->block_id, reterr_error);
    arena_close(arena);
    return status;
}

enum status node_parse_synced(struct slice body,
                              struct node_synced *ret_synced,
                              struct error *reterr_error)
{
    *ret_synced = (struct node_synced){0};
    json_error_t where;
    json_t *answer = json_loadb((const char *)body.data, body.length, 0, &where);
    const json_t *synced = answer == NULL ? NULL : json_object_get(answer, "synced");
    size_t count = json_array_size(synced);
    bool is_understood = json_is_array(synced) && count <= LIMIT_REPLICAS;
    for (size_t i = 0; i < count && is_understood; i++) {
        const char *id = json_string_value(json_array_get(synced, i));
        is_understood = id != NULL && block_name_parse(slice_from_string(id), &ret_synced->ids[i]);
    }
    const char *failed =
        answer == NULL ? NULL : json_string_value(json_object_get(answer, "failed"));
    if (failed != NULL)
        status_ignore(error_set(&ret_synced->failure, ERR_UNAVAILABLE, "%s", failed)); /* kept */
    json_decref(answer);
    if (!is_understood)
        return error_set(reterr_error, ERR_UNAVAILABLE, "the answer is not understood");
    ret_synced->count = count;
    return OK;
}

static void free_block(void *data)
{
    mem_free(data);
}

void node_tell_corrupt(
    struct node *node, uint64_t block_id, size_t volume, enum status status, const char *how)
{
    if (status != ERR_CORRUPT && status != ERR_IO)
        return;
    char name[BLOCK_NAME_BYTES];
    block_name_format(block_id, name);
    log_event(node->log, LOG_LEVEL_WARN, "block_corrupt", log_text("block", name),
              log_text("how", how));
    struct datanode_block *data = MEM_NEW(struct datanode_block);
    data->block.block_id = block_id;
    data->volume = (uint32_t)volume;
    data->is_unreadable = status == ERR_IO;
    shell_local(node->shell, DATANODE_LOCAL_BLOCK_CORRUPT, data, free_block);
}

/* The text lies behind its struct, so that both are freed as one. */
void node_tell_volume(struct node *node, size_t volume, const char *why)
{
    size_t length = strlen(why);
    struct datanode_volume *data = mem_new(sizeof(*data) + length + 1);
    char *text = (char *)(data + 1);
    memcpy(text, why, length + 1);
    data->volume = (uint32_t)volume;
    data->text = slice_make(text, length);
    shell_local(node->shell, DATANODE_LOCAL_VOLUME_FAILED, data, free_block);
}
