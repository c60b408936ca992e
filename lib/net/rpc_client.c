/*
 * rpc_client.c - the calling side of rpc.h: one completion queue and one thread
 * that always polls, because a connection whose loss nobody polls for is
 * neither noticed nor made again. For the same reason every channel always has
 * a watch outstanding.
 *
 * References: a channel is held by its openers, by the cache and by its calls;
 * a call by the thread (until its callback has returned) and by the caller who
 * asked for it. All counts are under the client's mutex.
 */
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/net_private.h"
#include "lib/net/rpc.h"
#include "lib/net/rpc_common.h"

enum {
    CLIENT_BACKOFF_FIRST_MS = 100,
    CLIENT_BACKOFF_MAX_MS = 500,
    CLIENT_CONNECT_MS = 5000, /* the library's least backoff is also the limit of one attempt */
    CLIENT_METADATA_MAX = 16,
    CLIENT_STATUS_NAME_BYTES = 64,
};

/* rpc_channel_options with strings of its own. */
struct client_settings {
    size_t message_bytes_max;
    bool has_own_connection;
    bool has_credentials;
    char *certificate;
    char *key;
    char *authority;
};

struct rpc_client {
    struct client_settings settings; /* of cached channels */
    grpc_completion_queue *queue;
    pthread_t thread;
    pthread_mutex_t mutex; /* of the fields below and of all counts */
    pthread_cond_t changed;
    struct list calls;
    size_t channel_count; /* not yet freed */
    struct map *channels; /* address to struct rpc_channel */
    struct list recent;   /* cached channels, the least recently used first */
    bool is_closing;
};

struct rpc_channel {
    struct rpc_client *client;
    grpc_channel *channel;
    struct rpc_tag watched;
    struct list_node recent;
    char *address; /* of a cached one, its key */
    unsigned references;
    bool is_closed; /* no references left; freed when the watch returns */
};

struct rpc_call {
    struct rpc_client *client;
    struct rpc_channel *channel;
    grpc_call *call;
    struct rpc_tag finished;
    struct list_node node;
    unsigned references;
    rpc_call_done *done;
    void *user;
    grpc_metadata metadata[CLIENT_METADATA_MAX];
    size_t metadata_count;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *payload;
    grpc_slice details;
    grpc_status_code code;
};

/* --- settings
 * ---------------------------------------------------------------------------------
 */

static void settings_close(struct client_settings *settings)
{
    mem_free(settings->certificate);
    mem_free(settings->key);
    mem_free(settings->authority);
    *settings = (struct client_settings){.message_bytes_max = 0};
}

static enum status settings_open(struct client_settings *settings,
                                 const struct rpc_channel_options *options,
                                 struct error *error)
{
    *settings = (struct client_settings){.message_bytes_max = RPC_MESSAGE_BYTES};
    if (options == NULL)
        return OK;
    if (options->message_bytes_max != 0)
        settings->message_bytes_max = options->message_bytes_max;
    settings->has_own_connection = options->has_own_connection;
    if (options->credentials == NULL)
        return OK;
    settings->has_credentials = true;
    settings->certificate = rpc_string_copy(options->credentials->certificate);
    settings->key = rpc_string_copy(options->credentials->key);
    settings->authority = rpc_string_copy(options->credentials->authority);
    if (settings->certificate != NULL && settings->key != NULL && settings->authority != NULL)
        return OK;
    settings_close(settings);
    return error_set(error, ERR_NO_MEMORY, "copy the certificates");
}

static grpc_channel_credentials *settings_credentials(const struct client_settings *settings)
{
    if (!settings->has_credentials)
        return grpc_insecure_credentials_create();
    grpc_ssl_pem_key_cert_pair pair = {.private_key = settings->key,
                                       .cert_chain = settings->certificate};
    return grpc_ssl_credentials_create_ex(settings->authority, &pair, NULL, NULL);
}

/* --- channels
 * ---------------------------------------------------------------------------------
 */

/* Asks to be told of the next change; the mutex is held and the channel is
 * open. */
static void channel_watch(struct rpc_channel *channel)
{
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(channel->channel, 0);
    grpc_channel_watch_connectivity_state(channel->channel, state,
                                          gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                          channel->client->queue, rpc_tag_hand(&channel->watched));
}

static void channel_free(struct rpc_channel *channel)
{
    mem_free(channel->address);
    mem_free(channel);
}

static void channel_on_watched(void *owner, bool is_ok)
{
    (void)is_ok; /* without a time limit a watch ends with a change only */
    struct rpc_channel *channel = owner;
    struct rpc_client *client = channel->client;
    (void)pthread_mutex_lock(&client->mutex);
    bool is_closed = channel->is_closed;
    if (!is_closed) {
        channel_watch(channel);
    } else {
        client->channel_count--;
        (void)pthread_cond_broadcast(&client->changed);
    }
    (void)pthread_mutex_unlock(&client->mutex);
    if (is_closed)
        channel_free(channel);
}

/* Takes one reference off; returns the library's channel to be destroyed,
 * outside the mutex. */
static grpc_channel *channel_release_locked(struct rpc_channel *channel)
{
    CHECK(channel->references > 0);
    if (--channel->references > 0)
        return NULL;
    channel->is_closed = true;
    return channel->channel; /* its end makes the watch return */
}

void rpc_channel_close(struct rpc_channel *channel)
{
    if (channel == NULL)
        return;
    struct rpc_client *client = channel->client;
    (void)pthread_mutex_lock(&client->mutex);
    grpc_channel *rest = channel_release_locked(channel);
    (void)pthread_mutex_unlock(&client->mutex);
    if (rest != NULL)
        grpc_channel_destroy(rest);
}

static void channel_target(const struct net_address *address, char *target, size_t target_bytes)
{
    char text[NET_ADDRESS_BYTES];
    net_address_format(address, text);
    const char *scheme = "dns:///";
    if (strchr(address->host, ':') != NULL)
        scheme = "ipv6:";
    else if (address->host[strspn(address->host, "0123456789.")] == '\0')
        scheme = "ipv4:";
    (void)snprintf(target, target_bytes, "%s%s", scheme, text);
}

static enum status channel_make(struct rpc_client *client,
                                const char *address_text,
                                const struct client_settings *settings,
                                struct rpc_channel **ret_channel,
                                struct error *error)
{
    struct net_address address;
    enum status status = net_address_parse(address_text, &address, error);
    if (status != OK)
        return status;
    if (address.port == 0)
        return error_set(error, ERR_INVALID, "cannot call \"%.300s\": port 0", address_text);
    grpc_channel_credentials *credentials = settings_credentials(settings);
    if (credentials == NULL)
        return error_set(error, ERR_INVALID, "the certificates for TLS cannot be used");
    struct rpc_arguments arguments = {.count = 0};
    rpc_arguments_add(&arguments, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                      rpc_argument_bytes(settings->message_bytes_max));
    rpc_arguments_add(&arguments, GRPC_ARG_MAX_METADATA_SIZE, RPC_METADATA_BYTES);
    rpc_arguments_add(&arguments, GRPC_ARG_ENABLE_HTTP_PROXY, 0); /* else even for 127.0.0.1 */
    rpc_arguments_add(&arguments, GRPC_ARG_HTTP2_BDP_PROBE, 0);   /* else a ping per heartbeat */
    rpc_arguments_add(&arguments, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, CLIENT_BACKOFF_FIRST_MS);
    rpc_arguments_add(&arguments, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, CLIENT_BACKOFF_MAX_MS);
    rpc_arguments_add(&arguments, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CLIENT_CONNECT_MS);
    rpc_arguments_add(&arguments, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1);
    if (settings->has_own_connection)
        rpc_arguments_add(&arguments, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    grpc_channel_args list = rpc_arguments_get(&arguments);
    char target[NET_ADDRESS_BYTES + 16];
    channel_target(&address, target, sizeof(target));

    struct rpc_channel *channel = MEM_NEW(struct rpc_channel);
    channel->client = client;
    channel->references = 1;
    rpc_tag_open(&channel->watched, channel_on_watched, channel);
    sigset_t before;
    net_signals_block(&before);
    channel->channel = grpc_channel_create(target, credentials, &list);
    net_signals_restore(&before);
    grpc_channel_credentials_release(credentials);
    *ret_channel = channel;
    return OK;
}

/* Counts the new channel and starts its watch; the mutex is held. */
static void channel_begin_locked(struct rpc_channel *channel)
{
    channel->client->channel_count++;
    channel_watch(channel);
}

enum status rpc_channel_open(struct rpc_client *client,
                             const char *address,
                             const struct rpc_channel_options *options,
                             struct rpc_channel **ret_channel,
                             struct error *reterr_error)
{
    struct client_settings settings;
    enum status status = settings_open(&settings, options, reterr_error);
    if (status != OK)
        return status;
    struct rpc_channel *channel = NULL;
    status = channel_make(client, address, &settings, &channel, reterr_error);
    settings_close(&settings);
    if (status != OK)
        return status;
    (void)pthread_mutex_lock(&client->mutex);
    CHECK(!client->is_closing);
    channel_begin_locked(channel);
    (void)pthread_mutex_unlock(&client->mutex);
    *ret_channel = channel;
    return OK;
}

/* The cached channel with one more reference, now the most recent; NULL when
 * there is none. */
static struct rpc_channel *client_find_locked(struct rpc_client *client, struct slice address)
{
    struct rpc_channel *channel = map_get(client->channels, address);
    if (channel == NULL)
        return NULL;
    list_remove(&channel->recent);
    list_append(&client->recent, &channel->recent, channel);
    channel->references++;
    return channel;
}

/* Puts channel, with a second reference for the cache, into it; returns what
 * must be destroyed. */
static grpc_channel *client_cache_locked(struct rpc_client *client, struct rpc_channel *channel)
{
    channel_begin_locked(channel);
    channel->references++;
    (void)map_put(client->channels, slice_from_string(channel->address), channel);
    list_append(&client->recent, &channel->recent, channel);
    if (client->recent.count <= RPC_CLIENT_CHANNELS)
        return NULL;
    struct rpc_channel *oldest = list_pop(&client->recent);
    (void)map_remove(client->channels, slice_from_string(oldest->address));
    return channel_release_locked(oldest);
}

enum status rpc_client_channel(struct rpc_client *client,
                               struct slice address,
                               struct rpc_channel **ret_channel,
                               struct error *reterr_error)
{
    (void)pthread_mutex_lock(&client->mutex);
    struct rpc_channel *found = client_find_locked(client, address);
    (void)pthread_mutex_unlock(&client->mutex);
    if (found != NULL) {
        *ret_channel = found;
        return OK;
    }
    char *text = rpc_string_copy(address);
    if (text == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "open a channel");
    struct rpc_channel *made = NULL;
    enum status status = channel_make(client, text, &client->settings, &made, reterr_error);
    if (status != OK) {
        mem_free(text);
        return status;
    }
    made->address = text;
    grpc_channel *rest = NULL;
    (void)pthread_mutex_lock(&client->mutex);
    found = client_find_locked(client, address); /* another thread may have been faster */
    if (found == NULL)
        rest = client_cache_locked(client, made);
    (void)pthread_mutex_unlock(&client->mutex);
    if (rest != NULL)
        grpc_channel_destroy(rest);
    if (found != NULL) {
        grpc_channel_destroy(made->channel);
        channel_free(made);
    }
    *ret_channel = found != NULL ? found : made;
    return OK;
}

/* --- calls
 * ------------------------------------------------------------------------------------
 */

static void call_free(struct rpc_call *call)
{
    for (size_t i = 0; i < call->metadata_count; i++) {
        grpc_slice_unref(call->metadata[i].key);
        grpc_slice_unref(call->metadata[i].value);
    }
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    if (call->payload != NULL)
        grpc_byte_buffer_destroy(call->payload);
    grpc_slice_unref(call->details);
    if (call->call != NULL)
        grpc_call_unref(call->call);
    mem_free(call);
}

void rpc_call_close(struct rpc_call *call)
{
    if (call == NULL)
        return;
    (void)pthread_mutex_lock(&call->client->mutex);
    CHECK(call->references > 0);
    bool is_last = --call->references == 0;
    (void)pthread_mutex_unlock(&call->client->mutex);
    if (is_last)
        call_free(call);
}

void rpc_call_cancel(struct rpc_call *call)
{
    /* It fails only for a call that is over already. */
    (void)grpc_call_cancel(call->call, NULL);
}

/* The status the server named, or else the nearest to the code. */
static enum status call_status(enum rpc_code code, struct slice name)
{
    if (code == RPC_OK)
        return OK;
    enum status status = OK;
    char text[CLIENT_STATUS_NAME_BYTES];
    if (name.length > 0 && name.length < sizeof(text)) {
        memcpy(text, name.data, name.length);
        text[name.length] = '\0';
        status = status_from_name(text);
    }
    return status != OK ? status : rpc_code_status(code);
}

static void call_on_finished(void *owner, bool is_ok)
{
    (void)is_ok; /* always true with a received status in the batch */
    struct rpc_call *call = owner;
    struct rpc_client *client = call->client;
    struct rpc_result result = {.code = (enum rpc_code)call->code};
    grpc_slice body = grpc_empty_slice();
    result.text = rpc_slice_borrow(&call->details);
    if (result.code == RPC_OK) {
        bool has_body = call->payload != NULL && rpc_buffer_take(call->payload, &body);
        call->payload = NULL;
        if (has_body) {
            result.body = rpc_slice_borrow(&body);
            result.text = slice_make(NULL, 0);
        } else {
            result.code = RPC_INTERNAL;
            result.text = slice_from_string("the server's answer has no message");
        }
    }
    (void)rpc_metadata_find(&call->trailing, RPC_STATUS_KEY, &result.status_name);
    result.status = call_status(result.code, result.status_name);
    call->done(call->user, &result);
    grpc_slice_unref(body);

    (void)pthread_mutex_lock(&client->mutex);
    list_remove(&call->node);
    grpc_channel *rest = channel_release_locked(call->channel);
    bool is_last = --call->references == 0;
    (void)pthread_cond_broadcast(&client->changed);
    (void)pthread_mutex_unlock(&client->mutex);
    if (is_last)
        call_free(call);
    if (rest != NULL)
        grpc_channel_destroy(rest);
}

static enum status call_set_metadata(struct rpc_call *call, const struct rpc_call_options *options)
{
    if (options->metadata_count > CLIENT_METADATA_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < options->metadata_count; i++) {
        grpc_metadata *item = &call->metadata[call->metadata_count];
        item->key = grpc_slice_from_copied_string(options->metadata[i].key);
        item->value = rpc_slice_copy(options->metadata[i].value);
        call->metadata_count++;
        if (!grpc_header_key_is_legal(item->key) || grpc_is_binary_header(item->key) ||
            !grpc_header_nonbin_value_is_legal(item->value))
            return ERR_INVALID;
    }
    return OK;
}

static gpr_timespec call_deadline(int64_t timeout_ms)
{
    if (timeout_ms == RPC_NO_DEADLINE)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

/* The one batch of a call; its tag returns exactly once. */
static void call_send(struct rpc_call *call, struct slice body, bool wait_for_ready)
{
    grpc_byte_buffer *payload = rpc_buffer_make(body);
    grpc_op operations[6];
    memset(operations, 0, sizeof(operations));
    operations[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    operations[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
    if (wait_for_ready)
        operations[0].flags |= GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    operations[0].data.send_initial_metadata.count = call->metadata_count;
    operations[0].data.send_initial_metadata.metadata = call->metadata;
    operations[1].op = GRPC_OP_SEND_MESSAGE;
    operations[1].data.send_message.send_message = payload;
    operations[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    operations[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    operations[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    operations[4].op = GRPC_OP_RECV_MESSAGE;
    operations[4].data.recv_message.recv_message = &call->payload;
    operations[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    operations[5].data.recv_status_on_client.trailing_metadata = &call->trailing;
    operations[5].data.recv_status_on_client.status = &call->code;
    operations[5].data.recv_status_on_client.status_details = &call->details;
    grpc_call_error error =
        grpc_call_start_batch(call->call, operations, 6, rpc_tag_hand(&call->finished), NULL);
    CHECK(error == GRPC_CALL_OK); /* metadata was looked at before */
    grpc_byte_buffer_destroy(payload);
}

enum status rpc_call_start(struct rpc_channel *channel,
                           const char *path,
                           struct slice body,
                           const struct rpc_call_options *options,
                           rpc_call_done *done,
                           void *user,
                           struct rpc_call **ret_call)
{
    CHECK(options->timeout_ms > 0);
    struct rpc_client *client = channel->client;
    struct rpc_call *call = MEM_NEW(struct rpc_call);
    call->client = client;
    call->channel = channel;
    call->done = done;
    call->user = user;
    call->details = grpc_empty_slice();
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    rpc_tag_open(&call->finished, call_on_finished, call);
    enum status status = call_set_metadata(call, options);
    if (status != OK) {
        call_free(call);
        return status;
    }
    grpc_slice method = grpc_slice_from_copied_string(path);
    call->call =
        grpc_channel_create_call(channel->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue,
                                 method, NULL, call_deadline(options->timeout_ms), NULL);
    grpc_slice_unref(method);
    (void)pthread_mutex_lock(&client->mutex);
    if (client->is_closing) {
        (void)pthread_mutex_unlock(&client->mutex);
        call_free(call);
        return ERR_CANCELLED;
    }
    call->references = ret_call != NULL ? 2 : 1;
    channel->references++;
    list_append(&client->calls, &call->node, call);
    (void)pthread_mutex_unlock(&client->mutex);
    if (ret_call != NULL)
        *ret_call = call; /* before the callback may come and look for it */
    call_send(call, body, options->wait_for_ready);
    return OK;
}

struct call_waiter {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_done;
    struct buf *body;
    struct error *error;
    enum status status;
};

static void call_waiter_done(void *user, const struct rpc_result *result)
{
    struct call_waiter *waiter = user;
    enum status status = result->status;
    if (status != OK)
        status = error_set(waiter->error, status, "%.*s", SLICE_ARGS(result->text));
    else if (waiter->body != NULL)
        status = buf_append_slice(waiter->body, result->body);
    if (status != OK && result->status == OK)
        status = error_set(waiter->error, status, "no room for %zu bytes", result->body.length);
    (void)pthread_mutex_lock(&waiter->mutex);
    waiter->status = status;
    waiter->is_done = true;
    (void)pthread_cond_signal(&waiter->changed);
    (void)pthread_mutex_unlock(&waiter->mutex);
}

enum status rpc_call_wait(struct rpc_channel *channel,
                          const char *path,
                          struct slice body,
                          const struct rpc_call_options *options,
                          struct buf *ret_body,
                          struct error *reterr_error)
{
    CHECK(!pthread_equal(pthread_self(), channel->client->thread));
    struct call_waiter waiter = {.body = ret_body, .error = reterr_error};
    CHECK(pthread_mutex_init(&waiter.mutex, NULL) == 0);
    net_condition_open(&waiter.changed);
    enum status status =
        rpc_call_start(channel, path, body, options, call_waiter_done, &waiter, NULL);
    if (status == OK) {
        (void)pthread_mutex_lock(&waiter.mutex);
        while (!waiter.is_done)
            (void)net_condition_wait(&waiter.changed, &waiter.mutex, INT64_MAX);
        (void)pthread_mutex_unlock(&waiter.mutex);
        status = waiter.status;
    } else {
        status = error_set(reterr_error, status, "%s: %s", path, status_sentence(status));
    }
    (void)pthread_cond_destroy(&waiter.changed);
    (void)pthread_mutex_destroy(&waiter.mutex);
    return status;
}

/* --- the client
 * -------------------------------------------------------------------------------
 */

static void *client_thread(void *user)
{
    struct rpc_client *client = user;
    rpc_queue_run(client->queue);
    return NULL;
}

static void client_free(struct rpc_client *client)
{
    grpc_completion_queue_destroy(client->queue);
    map_close(client->channels);
    settings_close(&client->settings);
    (void)pthread_cond_destroy(&client->changed);
    (void)pthread_mutex_destroy(&client->mutex);
    mem_free(client);
}

enum status rpc_client_open(const struct rpc_channel_options *channel_options,
                            struct rpc_client **ret_client,
                            struct error *reterr_error)
{
    struct client_settings settings;
    enum status status = settings_open(&settings, channel_options, reterr_error);
    if (status != OK)
        return status;
    struct rpc_client *client = MEM_NEW(struct rpc_client);
    client->settings = settings;
    client->channels = map_open();
    CHECK(pthread_mutex_init(&client->mutex, NULL) == 0);
    net_condition_open(&client->changed);
    sigset_t before;
    net_signals_block(&before);
    client->queue = grpc_completion_queue_create_for_next(NULL);
    net_signals_restore(&before);
    status = net_thread_start(&client->thread, "rpc-client", client_thread, client, reterr_error);
    if (status != OK) {
        grpc_completion_queue_shutdown(client->queue);
        rpc_queue_run(client->queue);
        client_free(client);
        return status;
    }
    *ret_client = client;
    return OK;
}

/* Empties the cache; the calls are over, so nothing but the cache holds these
 * channels. */
static void client_drop_channels(struct rpc_client *client)
{
    for (;;) {
        (void)pthread_mutex_lock(&client->mutex);
        struct rpc_channel *channel = list_pop(&client->recent);
        if (channel != NULL)
            (void)map_remove(client->channels, slice_from_string(channel->address));
        (void)pthread_mutex_unlock(&client->mutex);
        if (channel == NULL)
            return;
        rpc_channel_close(channel);
    }
}

void rpc_client_close(struct rpc_client *client)
{
    if (client == NULL)
        return;
    CHECK(!pthread_equal(pthread_self(), client->thread));
    (void)pthread_mutex_lock(&client->mutex);
    client->is_closing = true;
    /* A cancelled call comes back on the other thread, which waits for this mutex
     * meanwhile. */
    for (struct list_node *node = client->calls.first; node != NULL; node = node->next)
        rpc_call_cancel(node->object);
    while (client->calls.count > 0)
        (void)net_condition_wait(&client->changed, &client->mutex, INT64_MAX);
    (void)pthread_mutex_unlock(&client->mutex);
    client_drop_channels(client);
    (void)pthread_mutex_lock(&client->mutex);
    while (client->channel_count > 0)
        (void)net_condition_wait(&client->changed, &client->mutex, INT64_MAX);
    (void)pthread_mutex_unlock(&client->mutex);
    grpc_completion_queue_shutdown(client->queue);
    CHECK(pthread_join(client->thread, NULL) == 0);
    client_free(client);
}
