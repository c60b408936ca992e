/*
 * receive.c - PUT /v1/block/<id>: a block comes in and goes on to the next node at the same time.
 * The machine is asked before the first byte and told after the last; in between one HTTP thread
 * owns the receive. A next node that breaks, stalls or limps is left out; the replica here still
 * counts. A writer who needs no more replicas than there are is answered, and a thread of its own
 * (struct tail) hears what becomes of the rest.
 */
#include <inttypes.h>
#include <string.h>

#include "dfs/datanode/daemon/node.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/model/limits.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"

struct receive {
    struct node *node;
    uint64_t transfer;
    struct dfs_block_info block;
    struct node_wish wish;
    struct arena *arena;
    uint32_t volume; /* where the machine wants it */
    struct store_writer *writer;
    struct http_put *next;     /* NULL: the last of the pipeline, or it broke */
    struct slice next_address; /* in arena */
    size_t behind;             /* nodes behind the next */
    int64_t waited_us;         /* for the next to take bytes */
    uint64_t pushed_bytes;
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

static void log_broken(const struct node *node,
                       const struct dfs_block_info *block,
                       struct slice address,
                       const char *why)
{
    char name[BLOCK_NAME_BYTES];
    block_name_format(block->block_id, name);
    log_event(node->log, LOG_LEVEL_WARN, "pipeline_broke", log_text("block", name),
              log_slice("next", address), log_text("why", why));
}

static void next_has_broken(struct receive *receive)
{
    receive->has_next_broken = true;
    log_broken(receive->node, &receive->block, receive->next_address, receive->next_error.text);
}

static void open_next(struct receive *receive, struct http_request *request)
{
    struct slice pipeline = slice_from_string(http_request_query(request, "pipeline"));
    if (pipeline.length == 0)
        return;
    size_t end = slice_find(pipeline, ',');
    struct slice address = slice_sub(pipeline, 0, end);
    struct slice rest = {0};
    if (end < pipeline.length) {
        rest = slice_sub(pipeline, end + 1, pipeline.length - end - 1);
        receive->behind = 1;
        for (size_t i = 0; i < rest.length; i++)
            receive->behind += rest.data[i] == ',';
    }
    receive->next_address = arena_copy(receive->arena, address);
    struct node_wish wish = receive->wish;
    if (wish.needed > 1)
        wish.needed--; /* with the replica here; of one, the next answers as soon as it has its own
                        */
    struct slice token = arena_copy(receive->arena, http_request_bearer(request));
    const struct http_header header = {BLOCK_TOKEN_HEADER,
                                       http_request_header(request, BLOCK_TOKEN_HEADER)};
    struct http_request_options options = {
        .url = node_block_url(receive->arena, address, &receive->block, rest, &wish),
        .headers = &header, /* it let the writer in here, and lets him in there */
        .header_count = 1,
        .bearer = (const char *)token.data,
    };
    enum status status =
        http_put_begin(node_client(receive->node, receive->behind), &options, receive->block.length,
                       &receive->next, &receive->next_error);
    if (status != OK) {
        receive->next = NULL;
        next_has_broken(receive);
    }
}

/*
 * One that takes bytes now and then never stalls, and yet holds up everybody before it. Its
 * patience grows with the bytes and with what is behind it, as that of a stall does.
 */
static bool next_is_limping(struct receive *receive)
{
    const struct node *node = receive->node;
    int64_t allowed_ms = (node->pipeline_stall_ms +
                          (int64_t)(receive->pushed_bytes * 1000 / node->pipeline_rate_min)) *
                         (int64_t)(receive->behind + 1);
    if (receive->waited_us / 1000 <= allowed_ms)
        return false;
    status_ignore(error_set(&receive->next_error, ERR_DEADLINE,
                            "it took %" PRIu64 " bytes in %" PRId64 " ms", receive->pushed_bytes,
                            receive->waited_us / 1000)); /* kept for the answer */
    return true;
}

static void push_next(struct receive *receive, struct slice data)
{
    if (receive->next == NULL)
        return;
    int64_t begin_us = clock_monotonic_us();
    enum status status = http_put_push(receive->next, data, &receive->next_error);
    int64_t end_us = clock_monotonic_us();
    receive->waited_us += end_us - begin_us;
    latencies_add_peer(receive->node->latencies, receive->next_address, end_us, end_us - begin_us);
    receive->pushed_bytes += data.length;
    if (status == OK && !next_is_limping(receive))
        return;
    http_put_abort(receive->next);
    receive->next = NULL;
    next_has_broken(receive);
}

static enum status finish_put(struct http_put *put,
                              struct node_synced *ret_synced,
                              struct error *reterr_error)
{
    struct http_response response = {0};
    enum status status = http_put_finish(put, &response, reterr_error);
    if (status == OK)
        status = node_parse_synced(buf_slice(&response.body), ret_synced, reterr_error);
    http_response_close(&response);
    return status;
}

/* Who of the rest of the pipeline has it; nobody when it broke. */
static void finish_next(struct receive *receive, struct node_synced *ret_synced)
{
    if (receive->next == NULL)
        return;
    enum status status = finish_put(receive->next, ret_synced, &receive->next_error);
    receive->next = NULL;
    if (status != OK) {
        *ret_synced = (struct node_synced){0};
        next_has_broken(receive);
    } else if (ret_synced->failure.text[0] != 0) {
        receive->has_next_broken = true; /* whoever saw it has logged it */
        receive->next_error = ret_synced->failure;
    }
}

/* --- the tail: what goes on when the writer has its answer --------------------------------------
 */

struct tail {
    struct node *node;
    struct http_put *put;
    struct dfs_block_info block;
    struct slice address;
    struct arena *arena;
};

static void run_tail(void *argument)
{
    struct tail *tail = argument;
    struct node_synced synced = {0};
    struct error error = {0};
    if (finish_put(tail->put, &synced, &error) != OK)
        log_broken(tail->node, &tail->block, tail->address, error.text);
    arena_close(tail->arena);
    mem_free(tail);
}

/* The namenode expects those replicas for a while, and has them copied if they do not come. */
static void leave_tail(struct receive *receive)
{
    struct tail *tail = MEM_NEW(struct tail);
    tail->node = receive->node;
    tail->put = receive->next;
    tail->block = receive->block;
    tail->arena = arena_open(0);
    tail->address = arena_copy(tail->arena, receive->next_address);
    receive->next = NULL;
    workers_post(receive->node->tails, run_tail, tail);
}

/* --- the request -------------------------------------------------------------------------------
 */

static enum status check_wish(struct receive *receive,
                              const struct http_request *request,
                              struct error *reterr_error)
{
    const char *needed = http_request_query(request, "needed");
    uint64_t number = 0;
    if (needed != NULL &&
        (!slice_parse_u64(slice_from_string(needed), &number) || number > LIMIT_REPLICAS))
        return error_set(reterr_error, ERR_INVALID, "needed is a number of replicas, at most %d",
                         (int)LIMIT_REPLICAS);
    receive->wish.needed = (uint32_t)number;
    const char *durability = http_request_query(request, "durability");
    if (durability != NULL && strcmp(durability, "replicated") == 0)
        receive->wish.durability = DURABILITY_REPLICATED;
    else if (durability != NULL && strcmp(durability, "synced") != 0)
        return error_set(reterr_error, ERR_INVALID, "durability is synced or replicated");
    return OK;
}

static enum status check_request(struct receive *receive,
                                 struct http_request *request,
                                 struct error *reterr_error)
{
    bool has_claim = false;
    enum status status = node_admit(receive->node, request, 1U << BLOCK_WRITE | 1U << BLOCK_COPY,
                                    &receive->block, &has_claim, reterr_error);
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
    return check_wish(receive, request, reterr_error);
}

void node_receive_begin(void *user, struct http_request *request)
{
    struct node *node = user;
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
        status =
            store_writer_open(store, &receive->block, receive->wish.durability == DURABILITY_SYNCED,
                              &receive->writer, &error);
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
                         const struct node_synced *synced)
{
    char name[BLOCK_NAME_BYTES];
    struct buf body = {0};
    block_name_format(receive->node->node_id, name);
    enum status status = buf_append_format(&body, "{\"synced\": [\"%s\"", name);
    for (size_t i = 0; i < synced->count && status == OK; i++) {
        block_name_format(synced->ids[i], name);
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
    int64_t begin_us = clock_monotonic_us();
    status = store_writer_commit(receive->writer, &error);
    int64_t end_us = clock_monotonic_us();
    latencies_add_write(receive->node->latencies, receive->volume, end_us, end_us - begin_us);
    if (status != OK)
        log_failure(receive, status, error.text);
    struct node_synced synced = {0};
    bool is_enough = status == OK && receive->wish.needed == 1;
    if (!is_enough)
        finish_next(receive, &synced);
    tell_end(receive, status, error.text);
    struct error refusal = {0};
    enum status confirmed = wait_for_answer(receive, &refusal);
    if (status == OK && confirmed != OK) {
        status = confirmed;
        error = refusal;
    }
    if (receive->next != NULL)
        leave_tail(receive);
    if (status != OK)
        http_reply_error(request, status, error.text);
    else
        reply_synced(receive, request, &synced);
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
