/*
 * receive.c - PUT /v1/block/<id>: a block comes in and goes on to the next node at the same time.
 * The machine is asked before the first byte and told after the last; in between one HTTP thread
 * owns the receive. A next node that breaks is left out; the replica here still counts.
 */
#include <inttypes.h>
#include <string.h>

#include "dfs/datanode/daemon/node.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/model/limits.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/os/thread.h"

struct receive {
    struct node *node;
    uint64_t transfer;
    struct dfs_block_info block;
    struct arena *arena;
    uint32_t volume; /* where the machine wants it */
    struct store_writer *writer;
    struct http_put *next; /* NULL: the last of the pipeline, or it broke */
    struct error next_error;
    bool has_next_broken;
    bool is_let_in;           /* the machine waits for the end */
    enum status write_status; /* why nothing more is written */
    struct error write_error;
    /* under node->mutex */
    bool is_answered;
    enum status answer;
    uint32_t answer_volume;
    struct slice answer_text; /* in arena */
};

static void free_data(void *data)
{
    mem_free(data);
}

/* --- the machine's word ------------------------------------------------------------------------
 */

void node_receive_answer(struct node *node, const struct datanode_answer *answer)
{
    mutex_lock(node->mutex);
    struct receive *receive = map_u64_get(node->receives, answer->transfer);
    if (receive != NULL) { /* NULL: its connection broke before */
        receive->is_answered = true;
        receive->answer = answer->status;
        receive->answer_volume = answer->volume;
        receive->answer_text = arena_copy(receive->arena, answer->text);
        condition_broadcast(node->condition);
    }
    mutex_unlock(node->mutex);
}

void node_receives_stop(struct node *node)
{
    mutex_lock(node->mutex);
    node->has_stopped = true;
    condition_broadcast(node->condition);
    mutex_unlock(node->mutex);
}

static enum status wait_for_answer(struct receive *receive, struct error *reterr_error)
{
    struct node *node = receive->node;
    mutex_lock(node->mutex);
    while (!receive->is_answered && !node->has_stopped)
        condition_wait(node->condition, node->mutex);
    enum status status = receive->is_answered ? receive->answer : ERR_UNAVAILABLE;
    if (status != OK)
        status = error_set(reterr_error, status, "%.*s",
                           receive->is_answered ? (int)receive->answer_text.length : 24,
                           receive->is_answered ? (const char *)receive->answer_text.data
                                                : "the datanode is stopping");
    receive->is_answered = false;
    mutex_unlock(node->mutex);
    return status;
}

static enum status ask_to_receive(struct receive *receive, struct error *reterr_error)
{
    struct node *node = receive->node;
    mutex_lock(node->mutex);
    receive->transfer = ++node->transfers;
    (void)map_u64_put(node->receives, receive->transfer, receive); /* the number is new */
    mutex_unlock(node->mutex);
    struct datanode_receive *data = MEM_NEW(struct datanode_receive);
    data->transfer = receive->transfer;
    data->block = receive->block;
    shell_local(node->shell, DATANODE_LOCAL_RECEIVE_ASKED, data, free_data);
    enum status status = wait_for_answer(receive, reterr_error);
    receive->is_let_in = status == OK;
    receive->volume = receive->answer_volume;
    return status;
}

static bool has_broken_volume(const struct receive *receive, enum status status)
{
    /* Without a writer the file for it could not be made, or the sender went before. */
    return receive->writer != NULL ? store_writer_broke_volume(receive->writer)
                                   : store_is_broken_by(status);
}

/* The text lies behind its struct, so that both are freed as one. */
static void tell_end(struct receive *receive, enum status status, const char *why)
{
    size_t length = strlen(why);
    struct datanode_received *data = mem_new(sizeof(*data) + length + 1);
    char *text = (char *)(data + 1);
    memcpy(text, why, length + 1);
    data->text = slice_make(text, length);
    data->transfer = receive->transfer;
    data->block_id = receive->block.block_id;
    data->status = status;
    data->is_volume_failed = has_broken_volume(receive, status);
    receive->is_let_in = false;
    shell_local(receive->node->shell, DATANODE_LOCAL_RECEIVE_DONE, data, free_data);
}

static void log_failure(const struct receive *receive, enum status status, const char *why)
{
    char name[BLOCK_NAME_BYTES];
    block_name_format(receive->block.block_id, name);
    bool is_broken = has_broken_volume(receive, status);
    log_event(receive->node->log, is_broken ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
              is_broken ? "write_failed" : "receive_failed", log_text("block", name),
              log_status("status", status), log_text("why", why));
}

/* --- the next node -----------------------------------------------------------------------------
 */

static void next_has_broken(struct receive *receive, struct slice address)
{
    receive->has_next_broken = true;
    char name[BLOCK_NAME_BYTES];
    block_name_format(receive->block.block_id, name);
    log_event(receive->node->log, LOG_LEVEL_WARN, "pipeline_broke", log_text("block", name),
              log_slice("next", address), log_text("why", receive->next_error.text));
}

static void open_next(struct receive *receive, struct http_request *request)
{
    struct slice pipeline = slice_from_string(http_request_query(request, "pipeline"));
    if (pipeline.length == 0)
        return;
    size_t end = slice_find(pipeline, ',');
    struct slice address = slice_sub(pipeline, 0, end);
    struct slice rest = {0};
    size_t behind = 0;
    if (end < pipeline.length) {
        rest = slice_sub(pipeline, end + 1, pipeline.length - end - 1);
        behind = 1;
        for (size_t i = 0; i < rest.length; i++)
            behind += rest.data[i] == ',';
    }
    struct slice token = arena_copy(receive->arena, http_request_bearer(request));
    struct http_request_options options = {
        .url = node_block_url(receive->arena, address, &receive->block, rest),
        .bearer = (const char *)token.data,
    };
    enum status status =
        http_put_begin(node_client(receive->node, behind), &options, receive->block.length,
                       &receive->next, &receive->next_error);
    if (status != OK) {
        receive->next = NULL;
        next_has_broken(receive, address);
    }
}

static void push_next(struct receive *receive, struct slice data)
{
    if (receive->next == NULL)
        return;
    if (http_put_push(receive->next, data, &receive->next_error) == OK)
        return;
    http_put_abort(receive->next);
    receive->next = NULL;
    next_has_broken(receive, slice_from_string(""));
}

/* The ids that the rest of the pipeline has synced; none when it broke. */
static size_t finish_next(struct receive *receive, uint64_t *ret_ids)
{
    if (receive->next == NULL)
        return 0;
    struct http_response response = {0};
    size_t count = 0;
    enum status status = http_put_finish(receive->next, &response, &receive->next_error);
    receive->next = NULL;
    if (status == OK)
        status =
            node_parse_synced(buf_slice(&response.body), ret_ids, &count, &receive->next_error);
    if (status != OK)
        next_has_broken(receive, slice_from_string(""));
    http_response_close(&response);
    return status == OK ? count : 0;
}

/* --- the request -------------------------------------------------------------------------------
 */

static enum status check_request(struct receive *receive,
                                 struct http_request *request,
                                 struct error *reterr_error)
{
    bool has_claim = false;
    enum status status = node_parse_block(request, &receive->block, &has_claim, reterr_error);
    if (status != OK)
        return status;
    if (!has_claim)
        return error_set(reterr_error, ERR_INVALID, "length and crc32c are missing");
    uint64_t length = 0;
    if (http_request_content_length(request, &length) && length != receive->block.length)
        return error_set(reterr_error, ERR_INVALID,
                         "the body has %" PRIu64 " bytes, length says %" PRIu64, length,
                         receive->block.length);
    const char *pipeline = http_request_query(request, "pipeline");
    struct slice list = slice_from_string(pipeline);
    if (list.length > (size_t)LIMIT_REPLICAS * (LIMIT_ADDRESS_BYTES + 1))
        return error_set(reterr_error, ERR_LIMIT, "the pipeline is too long");
    return OK;
}

void node_receive_begin(void *user, struct http_request *request)
{
    struct node *node = user;
    if (!node_authorises(node, request))
        return;
    struct receive *receive = MEM_NEW(struct receive);
    receive->node = node;
    receive->arena = arena_open(0);
    http_request_set_state(request, receive);
    struct error error = {0};
    enum status status = check_request(receive, request, &error);
    if (status == OK)
        status = ask_to_receive(receive, &error);
    if (status != OK) {
        http_reply_error(request, status, error.text);
        return;
    }
    struct store *store = NULL;
    status = volumes_store(node->volumes, receive->volume, &store, &error);
    if (status == OK)
        status = store_writer_open(store, &receive->block, &receive->writer, &error);
    if (status != OK) {
        receive->writer = NULL;
        log_failure(receive, status, error.text);
        tell_end(receive, status, error.text);
        http_reply_error(request, status, error.text);
        return;
    }
    open_next(receive, request);
}

enum status node_receive_chunk(void *user, struct http_request *request, struct slice data)
{
    (void)user;
    struct receive *receive = http_request_state(request);
    struct error error = {0};
    enum status status = store_writer_push(receive->writer, data, &error);
    if (status != OK) {
        log_failure(receive, status, error.text);
        receive->write_status = status;
        receive->write_error = error;
        return status;
    }
    push_next(receive, data);
    return OK;
}

static void reply_synced(struct receive *receive,
                         struct http_request *request,
                         const uint64_t *ids,
                         size_t count)
{
    char name[BLOCK_NAME_BYTES];
    struct buf body = {0};
    block_name_format(receive->node->node_id, name);
    enum status status = buf_append_format(&body, "{\"synced\": [\"%s\"", name);
    for (size_t i = 0; i < count && status == OK; i++) {
        block_name_format(ids[i], name);
        status = buf_append_format(&body, ", \"%s\"", name);
    }
    if (status == OK)
        status =
            buf_append_format(&body, "], \"crc32c\": \"%08" PRIx32 "\"", receive->block.crc32c);
    if (status == OK && receive->has_next_broken) {
        status = buf_append_format(&body, ", \"failed\": ");
        if (status == OK)
            status = message_print_json_string(slice_from_string(receive->next_error.text), &body);
    }
    if (status == OK)
        status = buf_append_format(&body, "}\n");
    if (status == OK)
        http_reply(request, 201, "application/json", buf_slice(&body));
    else
        http_reply_error(request, status, "the answer does not fit into memory");
    buf_close(&body);
}

void node_receive_handle(void *user, struct http_request *request)
{
    (void)user;
    struct receive *receive = http_request_state(request);
    struct error error = {0};
    enum status status = http_request_body_status(request);
    if (status != OK) {
        http_reply_error(request, status, "the block could not be written");
        return;
    }
    /* The next node has all bytes by now and syncs while this one does. */
    status = store_writer_commit(receive->writer, &error);
    if (status != OK)
        log_failure(receive, status, error.text);
    uint64_t ids[LIMIT_REPLICAS];
    size_t count = finish_next(receive, ids);
    tell_end(receive, status, error.text);
    struct error refusal = {0};
    enum status confirmed = wait_for_answer(receive, &refusal);
    if (status == OK && confirmed != OK) {
        status = confirmed;
        error = refusal;
    }
    if (status != OK)
        http_reply_error(request, status, error.text);
    else
        reply_synced(receive, request, ids, count);
}

void node_receive_end(void *user, struct http_request *request, bool is_complete)
{
    struct node *node = user;
    struct receive *receive = http_request_state(request);
    (void)is_complete;
    if (receive == NULL)
        return;
    if (receive->is_let_in)
        tell_end(receive, receive->write_status != OK ? receive->write_status : ERR_CANCELLED,
                 receive->write_error.text);
    mutex_lock(node->mutex);
    (void)map_u64_remove(node->receives, receive->transfer); /* absent when never asked */
    mutex_unlock(node->mutex);
    http_put_abort(receive->next);
    store_writer_close(receive->writer);
    arena_close(receive->arena);
    mem_free(receive);
}
