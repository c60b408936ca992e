/*
 * rpc_server.c - the serving side of rpc.h: one completion queue, several
 * threads.
 *
 * Life of a call: a slot (struct rpc_request) waits in the library; when a call
 * lands in it, a new slot takes its place, one batch watches for the caller's
 * end and one reads the message; then the holder answers, which is one last
 * batch. A request lives until the holder has answered and every batch has
 * returned (reference count).
 *
 * The stop has an order that must not change: no new slots; the library's
 * shutdown; grace; cancel; wait until no call lives; only then the queue,
 * because an answer given to a queue that was shut down aborts inside the
 * library.
 */
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/net/net_private.h"
#include "lib/net/rpc.h"
#include "lib/net/rpc_common.h"

enum {
    SERVER_SLOTS = 64,
    SERVER_THREADS = 2,
    SERVER_THREADS_MAX = 64,
};

struct rpc_server {
    struct rpc_server_options options; /* strings in it are not used after open */
    grpc_server *server;
    grpc_completion_queue *queue;
    uint16_t port;
    pthread_t threads[SERVER_THREADS_MAX];
    unsigned thread_count;
    struct rpc_tag shutdown;
    pthread_mutex_t mutex; /* of the fields below */
    pthread_cond_t changed;
    size_t live_count; /* calls accepted and not yet freed */
    bool is_stopping;
    bool is_shut; /* the library has let go of all connections */
};

struct rpc_request {
    struct rpc_server *server;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    grpc_slice body;
    char *peer;
    struct rpc_tag accepted;
    struct rpc_tag closed;
    struct rpc_tag received;
    struct rpc_tag sent;
    int was_cancelled; /* written by the library before closed returns */
    grpc_metadata trailing;
    size_t trailing_count;
    pthread_mutex_t mutex; /* of the fields below */
    unsigned references;
    uint64_t tag;
    bool is_handled; /* handle has returned */
    bool is_answered;
    bool is_gone; /* the caller has gone */
    bool is_told; /* the cancelled callback was called */
};

static void server_post_slot(struct rpc_server *server);

static void request_free(struct rpc_request *request)
{
    gpr_free(request->peer);
    grpc_slice_unref(request->body);
    if (request->trailing_count > 0) {
        grpc_slice_unref(request->trailing.key);
        grpc_slice_unref(request->trailing.value);
    }
    grpc_metadata_array_destroy(&request->metadata);
    grpc_call_details_destroy(&request->details);
    if (request->call != NULL)
        grpc_call_unref(request->call);
    (void)pthread_mutex_destroy(&request->mutex);
    mem_free(request);
}

static void request_reference(struct rpc_request *request)
{
    (void)pthread_mutex_lock(&request->mutex);
    request->references++;
    (void)pthread_mutex_unlock(&request->mutex);
}

static void request_release(struct rpc_request *request)
{
    (void)pthread_mutex_lock(&request->mutex);
    CHECK(request->references > 0);
    bool is_last = --request->references == 0;
    (void)pthread_mutex_unlock(&request->mutex);
    if (!is_last)
        return;
    struct rpc_server *server = request->server;
    request_free(request);
    (void)pthread_mutex_lock(&server->mutex);
    CHECK(server->live_count > 0);
    server->live_count--;
    if (server->live_count == 0)
        (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->mutex);
}

/* Starts a batch that keeps a reference until its tag returns. */
static void request_start(struct rpc_request *request,
                          const grpc_op *operations,
                          size_t count,
                          struct rpc_tag *tag)
{
    request_reference(request);
    grpc_call_error error =
        grpc_call_start_batch(request->call, operations, count, rpc_tag_hand(tag), NULL);
    /* Every batch is of our making, metadata was looked at before, and the queue
     * still runs. */
    CHECK(error == GRPC_CALL_OK);
}

/* Sends the answer: status, and the body when the code is RPC_OK. The holder
 * has given up request. */
static void request_send(struct rpc_request *request,
                         enum rpc_code code,
                         const char *status_name,
                         struct slice text,
                         struct slice body)
{
    (void)pthread_mutex_lock(&request->mutex);
    CHECK(!request->is_answered);
    request->is_answered = true;
    (void)pthread_mutex_unlock(&request->mutex);

    if (status_name != NULL) {
        request->trailing.key = grpc_slice_from_static_string(RPC_STATUS_KEY);
        request->trailing.value = grpc_slice_from_copied_string(status_name);
        request->trailing_count = 1;
        CHECK(grpc_header_nonbin_value_is_legal(request->trailing.value));
    }
    grpc_slice details = rpc_slice_copy(
        slice_make(text.data, text.length > RPC_TEXT_BYTES ? RPC_TEXT_BYTES : text.length));
    grpc_byte_buffer *payload = code == RPC_OK ? rpc_buffer_make(body) : NULL;
    grpc_op operations[3];
    memset(operations, 0, sizeof(operations));
    size_t count = 0;
    operations[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (payload != NULL) {
        operations[count].op = GRPC_OP_SEND_MESSAGE;
        operations[count].data.send_message.send_message = payload;
        count++;
    }
    operations[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    operations[count].data.send_status_from_server.status = (grpc_status_code)code;
    operations[count].data.send_status_from_server.status_details = &details;
    operations[count].data.send_status_from_server.trailing_metadata =
        request->trailing_count > 0 ? &request->trailing : NULL;
    operations[count].data.send_status_from_server.trailing_metadata_count =
        request->trailing_count;
    count++;
    request_start(request, operations, count, &request->sent);
    grpc_slice_unref(details);
    if (payload != NULL)
        grpc_byte_buffer_destroy(payload);
    request_release(request);
}

void rpc_request_reply(struct rpc_request *request, struct slice body)
{
    request_send(request, RPC_OK, NULL, slice_make(NULL, 0), body);
}

void rpc_request_fail(struct rpc_request *request,
                      enum rpc_code code,
                      const char *status_name,
                      struct slice text)
{
    CHECK(code != RPC_OK);
    request_send(request, code, status_name, text, slice_make(NULL, 0));
}

void rpc_request_fail_status(struct rpc_request *request, enum status status, struct slice text)
{
    CHECK(status != OK);
    rpc_request_fail(request, rpc_code_from_status(status), status_name(status), text);
}

/* True when the holder is now to be told that the caller has gone; at most
 * once. */
static bool request_must_tell(struct rpc_request *request)
{
    if (!request->is_gone || !request->is_handled || request->is_answered || request->is_told)
        return false;
    request->is_told = true;
    return true;
}

static void request_tell(struct rpc_request *request, uint64_t tag)
{
    const struct rpc_server_options *options = &request->server->options;
    if (options->cancelled != NULL)
        options->cancelled(options->user, tag);
}

static void request_on_closed(void *owner, bool is_ok)
{
    (void)is_ok; /* says nothing that was_cancelled does not */
    struct rpc_request *request = owner;
    (void)pthread_mutex_lock(&request->mutex);
    request->is_gone = request->was_cancelled != 0;
    bool must_tell = request_must_tell(request);
    uint64_t tag = request->tag;
    (void)pthread_mutex_unlock(&request->mutex);
    if (must_tell)
        request_tell(request, tag);
    request_release(request);
}

static void request_on_sent(void *owner, bool is_ok)
{
    (void)is_ok; /* whether the caller got the answer is for the caller to find
                    out */
    request_release(owner);
}

static void request_on_received(void *owner, bool is_ok)
{
    struct rpc_request *request = owner;
    struct rpc_server *server = request->server;
    bool has_body = is_ok && request->payload != NULL;
    if (has_body)
        has_body = rpc_buffer_take(request->payload, &request->body);
    request->peer = grpc_call_get_peer(request->call);
    request_reference(request); /* the holder's, which the answer gives back */
    if (!has_body) {
        rpc_request_fail(request, RPC_INVALID_ARGUMENT, NULL,
                         slice_from_string("the call has no message"));
        request_release(request);
        return;
    }
    server->options.handle(server->options.user, request);
    (void)pthread_mutex_lock(&request->mutex);
    request->is_handled = true;
    bool must_tell = request_must_tell(request);
    uint64_t tag = request->tag;
    (void)pthread_mutex_unlock(&request->mutex);
    if (must_tell)
        request_tell(request, tag);
    request_release(request);
}

static void request_on_accepted(void *owner, bool is_ok)
{
    struct rpc_request *request = owner;
    struct rpc_server *server = request->server;
    if (!is_ok) { /* the server stops and gives the slot back */
        request_free(request);
        return;
    }
    (void)pthread_mutex_lock(&server->mutex);
    server->live_count++;
    bool is_full = server->live_count > server->options.calls_max;
    (void)pthread_mutex_unlock(&server->mutex);
    server_post_slot(server);

    request->references = 1;
    grpc_op operation;
    memset(&operation, 0, sizeof(operation));
    operation.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    operation.data.recv_close_on_server.cancelled = &request->was_cancelled;
    request_start(request, &operation, 1, &request->closed);
    if (is_full) { /* the answer takes the reference of this function */
        rpc_request_fail(request, RPC_UNAVAILABLE, status_name(ERR_UNAVAILABLE),
                         slice_from_string("the server holds as many calls as it may"));
        return;
    }
    memset(&operation, 0, sizeof(operation));
    operation.op = GRPC_OP_RECV_MESSAGE;
    operation.data.recv_message.recv_message = &request->payload;
    request_start(request, &operation, 1, &request->received);
    request_release(request);
}

/* Gives the library a place for one more call, unless the server stops. */
static void server_post_slot(struct rpc_server *server)
{
    struct rpc_request *request = MEM_NEW(struct rpc_request);
    request->server = server;
    request->body = grpc_empty_slice();
    grpc_call_details_init(&request->details);
    grpc_metadata_array_init(&request->metadata);
    CHECK(pthread_mutex_init(&request->mutex, NULL) == 0);
    rpc_tag_open(&request->accepted, request_on_accepted, request);
    rpc_tag_open(&request->closed, request_on_closed, request);
    rpc_tag_open(&request->received, request_on_received, request);
    rpc_tag_open(&request->sent, request_on_sent, request);
    grpc_call_error error = GRPC_CALL_ERROR;
    (void)pthread_mutex_lock(&server->mutex);
    if (!server->is_stopping)
        error = grpc_server_request_call(server->server, &request->call, &request->details,
                                         &request->metadata, server->queue, server->queue,
                                         rpc_tag_hand(&request->accepted));
    (void)pthread_mutex_unlock(&server->mutex);
    if (error != GRPC_CALL_OK)
        request_free(request);
}

struct slice rpc_request_path(const struct rpc_request *request)
{
    return rpc_slice_borrow(&request->details.method);
}

struct slice rpc_request_body(const struct rpc_request *request)
{
    return rpc_slice_borrow(&request->body);
}

bool rpc_request_metadata(const struct rpc_request *request,
                          const char *key,
                          struct slice *ret_value)
{
    return rpc_metadata_find(&request->metadata, key, ret_value);
}

struct slice rpc_request_peer(const struct rpc_request *request)
{
    return slice_from_string(request->peer);
}

int64_t rpc_request_remaining_ms(const struct rpc_request *request)
{
    gpr_timespec deadline = request->details.deadline;
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
        return RPC_NO_DEADLINE;
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    int64_t left_ms = left.tv_sec * 1000 + left.tv_nsec / 1000000;
    return left_ms < 0 ? 0 : left_ms;
}

void rpc_request_set_tag(struct rpc_request *request, uint64_t tag)
{
    (void)pthread_mutex_lock(&request->mutex);
    request->tag = tag;
    (void)pthread_mutex_unlock(&request->mutex);
}

uint64_t rpc_request_tag(const struct rpc_request *request)
{
    return request->tag;
}

bool rpc_request_is_cancelled(struct rpc_request *request)
{
    (void)pthread_mutex_lock(&request->mutex);
    bool is_gone = request->is_gone;
    (void)pthread_mutex_unlock(&request->mutex);
    return is_gone;
}

/* --- the server
 * -------------------------------------------------------------------------------
 */

static void server_on_shutdown(void *owner, bool is_ok)
{
    (void)is_ok; /* a shutdown cannot fail */
    struct rpc_server *server = owner;
    (void)pthread_mutex_lock(&server->mutex);
    server->is_shut = true;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->mutex);
}

static void *server_thread(void *user)
{
    struct rpc_server *server = user;
    rpc_queue_run(server->queue);
    return NULL;
}

/* NULL when the certificates cannot be used. */
static grpc_server_credentials *server_credentials(const struct net_credentials *credentials)
{
    if (credentials == NULL)
        return grpc_insecure_server_credentials_create();
    char *authority = rpc_string_copy(credentials->authority);
    char *key = rpc_string_copy(credentials->key);
    char *certificate = rpc_string_copy(credentials->certificate);
    grpc_server_credentials *result = NULL;
    if (authority != NULL && key != NULL && certificate != NULL) {
        grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = certificate};
        result = grpc_ssl_server_credentials_create_ex(
            authority, &pair, 1, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, NULL);
    }
    mem_free(authority);
    mem_free(key);
    mem_free(certificate);
    return result;
}

static grpc_server *server_make(const struct rpc_server_options *options)
{
    struct rpc_arguments arguments = {.count = 0};
    /* Without this two daemons bind the same port and no one is told. */
    rpc_arguments_add(&arguments, GRPC_ARG_ALLOW_REUSEPORT, 0);
    rpc_arguments_add(&arguments, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                      rpc_argument_bytes(options->message_bytes_max));
    rpc_arguments_add(&arguments, GRPC_ARG_MAX_METADATA_SIZE, RPC_METADATA_BYTES);
    rpc_arguments_add(&arguments, GRPC_ARG_HTTP2_BDP_PROBE, 0);
    /* Identity only: a limit on messages means nothing for what they may
     * decompress to. */
    rpc_arguments_add(&arguments, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1);
    grpc_channel_args list = rpc_arguments_get(&arguments);
    return grpc_server_create(&list, NULL);
}

static enum status server_check_address(const struct rpc_server_options *options,
                                        struct net_address *ret_address,
                                        struct error *error)
{
    enum status status = net_address_parse(options->address, ret_address, error);
    if (status != OK)
        return status;
    if (options->credentials == NULL && !net_address_is_loopback(ret_address))
        return error_set(error, ERR_DENIED,
                         "will not listen at %s: addresses beyond loopback need mutual TLS",
                         options->address);
    return OK;
}

/* Frees what is there; the queue is drained and no thread runs. */
static void server_free(struct rpc_server *server)
{
    if (server->server != NULL)
        grpc_server_destroy(server->server);
    if (server->queue != NULL)
        grpc_completion_queue_destroy(server->queue);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->mutex);
    mem_free(server);
}

/* Waits until the library is shut and no call lives, or then_ms; true when it
 * is so. */
static bool server_wait_idle(struct rpc_server *server, int64_t then_ms)
{
    (void)pthread_mutex_lock(&server->mutex);
    bool is_in_time = true;
    while (is_in_time && (!server->is_shut || server->live_count > 0))
        is_in_time = net_condition_wait(&server->changed, &server->mutex, then_ms);
    bool is_idle = server->is_shut && server->live_count == 0;
    (void)pthread_mutex_unlock(&server->mutex);
    return is_idle;
}

void rpc_server_stop(struct rpc_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    bool is_first = !server->is_stopping;
    server->is_stopping = true;
    (void)pthread_mutex_unlock(&server->mutex);
    if (is_first)
        grpc_server_shutdown_and_notify(server->server, server->queue,
                                        rpc_tag_hand(&server->shutdown));
}

void rpc_server_close(struct rpc_server *server, int64_t grace_ms)
{
    if (server == NULL)
        return;
    rpc_server_stop(server);
    /* With no thread (open failed on the first) somebody must still run the
     * shutdown's tag. */
    if (server->thread_count > 0 && !server_wait_idle(server, net_time_after_ms(grace_ms))) {
        grpc_server_cancel_all_calls(server->server);
        CHECK(server_wait_idle(server, INT64_MAX));
    }
    grpc_completion_queue_shutdown(server->queue);
    if (server->thread_count == 0)
        rpc_queue_run(server->queue);
    for (unsigned i = 0; i < server->thread_count; i++)
        CHECK(pthread_join(server->threads[i], NULL) == 0);
    server_free(server);
}

/* Makes the library's server and binds the port; on failure the caller frees
 * what is there. */
static enum status server_bind(struct rpc_server *server,
                               const struct net_address *address,
                               struct error *error)
{
    grpc_server_credentials *credentials = server_credentials(server->options.credentials);
    if (credentials == NULL)
        return error_set(error, ERR_INVALID, "the certificates for TLS cannot be used");
    char text[NET_ADDRESS_BYTES];
    net_address_format(address, text);
    server->server = server_make(&server->options);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server->server, server->queue, NULL);
    int port = grpc_server_add_http2_port(server->server, text, credentials);
    grpc_server_credentials_release(credentials);
    if (port <= 0) {
        enum status status = net_address_explain(address, error);
        if (status == ERR_INTERNAL && server->options.credentials != NULL)
            status = error_set(error, ERR_INVALID, "the certificates for TLS cannot be used");
        return status;
    }
    server->port = (uint16_t)port;
    return OK;
}

static enum status server_start(struct rpc_server *server, struct error *error)
{
    /* Threads first: should one not start, no call has come that nobody could
     * answer. */
    while (server->thread_count < server->options.threads) {
        enum status status = net_thread_start(&server->threads[server->thread_count], "rpc-server",
                                              server_thread, server, error);
        if (status != OK)
            return status;
        server->thread_count++;
    }
    grpc_server_start(server->server);
    for (unsigned i = 0; i < SERVER_SLOTS; i++)
        server_post_slot(server);
    return OK;
}

enum status rpc_server_open(const struct rpc_server_options *options,
                            struct rpc_server **ret_server,
                            struct error *reterr_error)
{
    CHECK(options->handle != NULL);
    struct net_address address;
    enum status status = server_check_address(options, &address, reterr_error);
    if (status != OK)
        return status;
    struct rpc_server *server = MEM_NEW(struct rpc_server);
    server->options = *options;
    if (server->options.threads == 0)
        server->options.threads = SERVER_THREADS;
    if (server->options.threads > SERVER_THREADS_MAX)
        server->options.threads = SERVER_THREADS_MAX;
    if (server->options.message_bytes_max == 0)
        server->options.message_bytes_max = RPC_MESSAGE_BYTES;
    if (server->options.calls_max == 0)
        server->options.calls_max = RPC_SERVER_CALLS;
    CHECK(pthread_mutex_init(&server->mutex, NULL) == 0);
    net_condition_open(&server->changed);
    rpc_tag_open(&server->shutdown, server_on_shutdown, server);

    sigset_t before;
    net_signals_block(&before);
    status = server_bind(server, &address, reterr_error);
    bool is_bound = status == OK;
    if (is_bound)
        status = server_start(server, reterr_error);
    net_signals_restore(&before);
    if (status != OK) {
        if (server->server != NULL)
            rpc_server_close(server, 0);
        else
            server_free(server);
        return status;
    }
    *ret_server = server;
    return OK;
}

uint16_t rpc_server_port(const struct rpc_server *server)
{
    return server->port;
}
