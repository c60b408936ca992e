/*
 * http_client.c - fetching and storing one at a time. Each exchange runs on a lane, a pair of
 * libcurl handles that keeps its connections; lanes not in use wait in the client, the last used on
 * top.
 */
#include "lib/net/http_client.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/net/http_transfer.h"
#include "lib/net/net_private.h"

enum {
    CLIENT_IDLE_LANES = 64,
    LANE_CONNECTIONS = 8,
    POLL_MS_MAX = 1000,
};

struct http_lane {
    CURLM *multi;
    CURL *easy; /* of the transfer; else NULL */
    struct http_clock clock;
    struct http_transfer transfer;
    bool is_done;
    CURLcode code; /* once done */
};

struct http_client {
    struct http_transfer_limits limits;
    pthread_mutex_t mutex; /* of the fields below */
    struct http_lane *idle[CLIENT_IDLE_LANES];
    size_t idle_count;
    size_t used_count;
};

struct http_put {
    struct http_client *client;
    struct http_lane *lane;
    uint64_t length;
    uint64_t pushed;
};

void http_response_close(struct http_response *response)
{
    buf_close(&response->body);
    response->code = 0;
}

enum status http_url_append(struct buf *url, struct slice text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        enum status status = byte != '\0' && strchr(plain, byte) != NULL
                                 ? buf_append(url, &byte, 1)
                                 : buf_append_format(url, "%%%02X", (unsigned)byte);
        if (status != OK)
            return status;
    }
    return OK;
}

/* --- lanes ------------------------------------------------------------------------------------ */

static void lane_close(struct http_lane *lane)
{
    if (lane->multi != NULL)
        (void)curl_multi_cleanup(lane->multi);
    mem_free(lane);
}

static struct http_lane *lane_open(void)
{
    struct http_lane *lane = MEM_NEW(struct http_lane);
    lane->multi = curl_multi_init();
    if (lane->multi == NULL) {
        lane_close(lane);
        return NULL;
    }
    CHECK(curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)LANE_CONNECTIONS) == CURLM_OK);
    return lane;
}

static struct http_lane *client_take_lane(struct http_client *client)
{
    struct http_lane *lane = NULL;
    (void)pthread_mutex_lock(&client->mutex);
    client->used_count++;
    if (client->idle_count > 0)
        lane = client->idle[--client->idle_count];
    (void)pthread_mutex_unlock(&client->mutex);
    return lane != NULL ? lane : lane_open();
}

/* lane may be NULL: it could not be opened. */
static void client_give_lane(struct http_client *client, struct http_lane *lane)
{
    if (lane != NULL && lane->easy != NULL) {
        curl_easy_cleanup(lane->easy);
        lane->easy = NULL;
    }
    (void)pthread_mutex_lock(&client->mutex);
    client->used_count--;
    if (lane != NULL && client->idle_count < CLIENT_IDLE_LANES) {
        client->idle[client->idle_count++] = lane;
        lane = NULL;
    }
    (void)pthread_mutex_unlock(&client->mutex);
    if (lane != NULL)
        lane_close(lane);
}

/* Opens a transfer on a lane; *ret_lane is to be given to lane_end. */
static enum status lane_begin(struct http_client *client,
                              const char *method,
                              const struct http_request_options *options,
                              struct http_lane **ret_lane,
                              struct error *error)
{
    if (fault_hit(FAULT_SEND))
        return error_set(error, ERR_UNAVAILABLE, "%s %s: send: fault", method, options->url);
    enum status status = net_curl_load(error);
    if (status != OK)
        return error_prefix(error, status, "%s %s", method, options->url);
    struct http_lane *lane = client_take_lane(client);
    if (lane != NULL)
        lane->easy = http_transfer_handle();
    if (lane == NULL || lane->easy == NULL) {
        status = error_set(error, ERR_NO_MEMORY, "no memory for a request");
    } else {
        lane->clock = (struct http_clock){.away_ms = 0};
        lane->is_done = false;
        lane->code = CURLE_OK;
        status = http_transfer_open(&lane->transfer, lane->easy, &lane->clock, method, options,
                                    &client->limits, error);
    }
    if (status != OK) {
        client_give_lane(client, lane);
        return status;
    }
    *ret_lane = lane;
    return OK;
}

static void lane_start(struct http_lane *lane)
{
    CHECK(curl_multi_add_handle(lane->multi, lane->easy) == CURLM_OK);
}

/* Moves data until the transfer is done or is_enough says so. */
static void lane_run(struct http_lane *lane,
                     bool (*is_enough)(const struct http_transfer *transfer))
{
    struct http_transfer *transfer = &lane->transfer;
    http_clock_return(&lane->clock);
    while (transfer->status == OK) {
        int running = 0;
        CURLMcode code = curl_multi_perform(lane->multi, &running);
        int left = 0;
        const CURLMsg *message = curl_multi_info_read(lane->multi, &left);
        if (message != NULL && message->msg == CURLMSG_DONE) {
            lane->is_done = true;
            lane->code = message->data.result;
        }
        if (code != CURLM_OK)
            http_transfer_stop(transfer, ERR_INTERNAL, curl_multi_strerror(code));
        if (lane->is_done || transfer->status != OK || http_transfer_is_stalled(transfer) ||
            (is_enough != NULL && is_enough(transfer)))
            break;
        int64_t left_ms = transfer->stall_ms < POLL_MS_MAX ? transfer->stall_ms : POLL_MS_MAX;
        code = curl_multi_poll(lane->multi, NULL, 0, (int)left_ms, NULL);
        if (code != CURLM_OK)
            http_transfer_stop(transfer, ERR_INTERNAL, curl_multi_strerror(code));
    }
    http_clock_leave(&lane->clock);
}

/* Takes the result and gives the lane back; a transfer that is not done breaks its connection. */
static enum status lane_end(struct http_client *client,
                            struct http_lane *lane,
                            struct http_response *ret_response,
                            struct error *error)
{
    struct http_transfer *transfer = &lane->transfer;
    enum status status = http_transfer_result(transfer, lane->code, error);
    if (ret_response != NULL) {
        http_response_close(ret_response);
        *ret_response = transfer->response;
        transfer->response = (struct http_response){.code = 0};
    }
    (void)curl_multi_remove_handle(lane->multi, lane->easy);
    http_transfer_close(transfer);
    client_give_lane(client, lane);
    return status;
}

/* --- the client ------------------------------------------------------------------------------- */

enum status http_client_open(const struct http_client_options *options,
                             struct http_client **ret_client,
                             struct error *reterr_error)
{
    (void)reterr_error; /* nothing can fail before the first request */
    struct http_client *client = MEM_NEW(struct http_client);
    if (options != NULL)
        client->limits = (struct http_transfer_limits){.connect_ms = options->connect_ms,
                                                       .stall_ms = options->stall_ms};
    CHECK(pthread_mutex_init(&client->mutex, NULL) == 0);
    *ret_client = client;
    return OK;
}

void http_client_close(struct http_client *client)
{
    if (client == NULL)
        return;
    CHECK(client->used_count == 0);
    while (client->idle_count > 0)
        lane_close(client->idle[--client->idle_count]);
    (void)pthread_mutex_destroy(&client->mutex);
    mem_free(client);
}

enum status http_get(struct http_client *client,
                     const struct http_request_options *options,
                     struct http_response *ret_response,
                     struct error *reterr_error)
{
    struct http_lane *lane = NULL;
    enum status status = lane_begin(client, "GET", options, &lane, reterr_error);
    if (status != OK)
        return status;
    lane_start(lane);
    lane_run(lane, NULL);
    return lane_end(client, lane, ret_response, reterr_error);
}

enum status http_send(struct http_client *client,
                      const char *method,
                      const struct http_request_options *options,
                      struct slice body,
                      struct http_response *ret_response,
                      struct error *reterr_error)
{
    struct http_lane *lane = NULL;
    enum status status = lane_begin(client, method, options, &lane, reterr_error);
    if (status != OK)
        return status;
    if (body.length > 0 || strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0)
        http_transfer_set_upload(&lane->transfer, body.length, false);
    lane->transfer.pending = body;
    lane_start(lane);
    lane_run(lane, NULL);
    return lane_end(client, lane, ret_response, reterr_error);
}

/* --- uploads ---------------------------------------------------------------------------------- */

static bool upload_is_asked(const struct http_transfer *transfer)
{
    return transfer->is_asked;
}

static bool upload_is_taken(const struct http_transfer *transfer)
{
    return transfer->pending.length == 0;
}

/* Tells the library that there is something to ask for again. */
static void upload_resume(struct http_lane *lane)
{
    if (!lane->transfer.is_paused)
        return;
    lane->transfer.is_paused = false;
    CURLcode code = curl_easy_pause(lane->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK)
        http_transfer_stop(&lane->transfer, ERR_UNAVAILABLE, curl_easy_strerror(code));
}

static bool upload_has_failed(const struct http_lane *lane)
{
    return lane->transfer.status != OK || lane->is_done;
}

enum status http_put_begin(struct http_client *client,
                           const struct http_request_options *options,
                           uint64_t length,
                           struct http_put **ret_put,
                           struct error *reterr_error)
{
    struct http_lane *lane = NULL;
    enum status status = lane_begin(client, "PUT", options, &lane, reterr_error);
    if (status != OK)
        return status;
    http_transfer_set_upload(&lane->transfer, length, true);
    lane->transfer.is_open = true;
    lane_start(lane);
    if (length > 0) /* for an empty body nobody asks */
        lane_run(lane, upload_is_asked);
    if (upload_has_failed(lane)) {
        status = lane_end(client, lane, NULL, reterr_error);
        /* A success without a look at the body: the server stores something else than we send. */
        return status != OK ? status
                            : error_set(reterr_error, ERR_UNSUPPORTED,
                                        "PUT %s: the server did not want the body", options->url);
    }
    struct http_put *put = MEM_NEW(struct http_put);
    put->client = client;
    put->lane = lane;
    put->length = length;
    *ret_put = put;
    return OK;
}

enum status http_put_push(struct http_put *put, struct slice data, struct error *reterr_error)
{
    struct http_lane *lane = put->lane;
    struct http_transfer *transfer = &lane->transfer;
    CHECK(put->length == HTTP_LENGTH_CHUNKED || data.length <= put->length - put->pushed);
    if (data.length == 0)
        return OK;
    put->pushed += data.length;
    transfer->pending = data;
    if (fault_hit(FAULT_SEND))
        http_transfer_stop(transfer, ERR_UNAVAILABLE, "send: fault");
    if (!upload_has_failed(lane)) {
        upload_resume(lane);
        lane_run(lane, upload_is_taken);
    }
    bool is_taken = transfer->pending.length == 0;
    transfer->pending = slice_make(NULL, 0); /* it was only lent */
    /* Taken but over already: the answer may come while the last bytes are on their way. */
    if (transfer->status == OK && is_taken)
        return OK;
    enum status status = http_transfer_result(transfer, lane->code, reterr_error);
    if (status == OK)
        status = error_set(reterr_error, ERR_UNAVAILABLE,
                           "%s: the server ended before the body did", transfer->name);
    return status;
}

enum status http_put_finish(struct http_put *put,
                            struct http_response *ret_response,
                            struct error *reterr_error)
{
    struct http_lane *lane = put->lane;
    if (put->length != HTTP_LENGTH_CHUNKED && put->pushed < put->length)
        http_transfer_stop(&lane->transfer, ERR_INVALID, "less was pushed than was promised");
    lane->transfer.is_open = false;
    if (!upload_has_failed(lane)) {
        upload_resume(lane);
        lane_run(lane, NULL);
    }
    enum status status = lane_end(put->client, lane, ret_response, reterr_error);
    mem_free(put);
    return status;
}

void http_put_abort(struct http_put *put)
{
    if (put == NULL)
        return;
    http_transfer_stop(&put->lane->transfer, ERR_CANCELLED, "aborted");
    struct error unused;
    status_ignore(lane_end(put->client, put->lane, NULL, &unused)); /* what we just said */
    mem_free(put);
}
