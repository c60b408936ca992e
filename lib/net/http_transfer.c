/*
 * http_transfer.c - see http_transfer.h.
 */
#include "lib/net/http_transfer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/net/net_private.h"

enum {
    TRANSFER_BUFFER_BYTES = 512 * 1024,
    RANGE_TEXT_BYTES = 64,
    STATUS_TEXT_BYTES = 64,
    FIRST_LINE_BYTES = 400,
    /* Longer than any stall: who does not say 100 is stalled, and not one who has agreed. */
    CONSENT_MS = 24 * 60 * 60 * 1000,
};

void http_clock_leave(struct http_clock *clock)
{
    clock->since_ms = net_now_ms();
}

void http_clock_return(struct http_clock *clock)
{
    if (clock->since_ms != 0)
        clock->away_ms += net_now_ms() - clock->since_ms;
    clock->since_ms = 0;
}

int64_t http_clock_now_ms(const struct http_clock *clock)
{
    return net_now_ms() - clock->away_ms;
}

static void transfer_touch(struct http_transfer *transfer)
{
    transfer->moved_ms = http_clock_now_ms(transfer->clock);
}

void http_transfer_stop(struct http_transfer *transfer, enum status status, const char *why)
{
    if (transfer->status == OK)
        transfer->status = error_set(&transfer->error, status, "%s: %s", transfer->name, why);
}

bool http_transfer_is_stalled(struct http_transfer *transfer)
{
    if (!transfer->is_connected ||
        http_clock_now_ms(transfer->clock) - transfer->moved_ms < transfer->stall_ms)
        return false;
    char why[96];
    (void)snprintf(why, sizeof(why), "no byte has moved for %" PRId64 " ms", transfer->stall_ms);
    http_transfer_stop(transfer, ERR_DEADLINE, why);
    return true;
}

/* --- the library's callbacks ------------------------------------------------------------------ */

static int on_connected(void *user, char *peer, char *self, int peer_port, int self_port)
{
    (void)peer;
    (void)self;
    (void)peer_port;
    (void)self_port;
    struct http_transfer *transfer = user;
    transfer->is_connected = true;
    transfer_touch(transfer);
    return CURL_PREREQFUNC_OK;
}

static int on_progress(
    void *user, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    (void)down_all;
    (void)up_all;
    struct http_transfer *transfer = user;
    uint64_t moved = (uint64_t)down + (uint64_t)up;
    if (moved != transfer->moved_bytes)
        transfer_touch(transfer);
    transfer->moved_bytes = moved;
    return 0;
}

/* The library opens sockets that survive exec. */
static curl_socket_t on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static unsigned transfer_code(const struct http_transfer *transfer)
{
    long code = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
    return (unsigned)code;
}

static bool code_is_success(unsigned code)
{
    return code >= 200 && code < 300;
}

static void transfer_take_header(struct http_transfer *transfer,
                                 struct slice name,
                                 struct slice value)
{
    char text[STATUS_TEXT_BYTES];
    if (slice_equal_string(name, HTTP_STATUS_HEADER) && value.length < sizeof(text)) {
        memcpy(text, value.data, value.length);
        text[value.length] = '\0';
        transfer->told = status_from_name(text);
    }
    if (transfer->header == NULL)
        return;
    http_clock_leave(transfer->clock);
    transfer->header(transfer->user, name, value);
    http_clock_return(transfer->clock);
}

/* One line of the response's head: "HTTP/1.1 200 OK", "Name: value" or the empty one. */
static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    size_t length = size * count;
    transfer_touch(transfer);
    struct slice whole = slice_make(line, length);
    size_t colon = slice_find(whole, ':');
    if (colon == length || slice_has_prefix(whole, slice_from_string("HTTP/")))
        return length;
    for (size_t i = 0; i < colon; i++)
        line[i] = (char)tolower((unsigned char)line[i]);
    size_t from = colon + 1;
    size_t end = length;
    while (from < end && (line[from] == ' ' || line[from] == '\t'))
        from++;
    while (end > from && isspace((unsigned char)line[end - 1]))
        end--;
    transfer_take_header(transfer, slice_sub(whole, 0, colon), slice_sub(whole, from, end - from));
    return length;
}

/* The body of a response without callback, or of a failure, whose end may be cut off. */
static void transfer_keep(struct http_transfer *transfer, struct slice data, bool is_success)
{
    struct buf *body = &transfer->response.body;
    size_t room = HTTP_RESPONSE_BODY_BYTES - body->length;
    if (data.length > room && is_success) {
        http_transfer_stop(transfer, ERR_LIMIT, "the response is too long");
        return;
    }
    if (buf_append(body, data.data, data.length < room ? data.length : room) != OK)
        http_transfer_stop(transfer, ERR_NO_MEMORY, "no memory for the response");
}

static size_t on_data(char *data, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    struct slice piece = slice_make(data, size * count);
    unsigned code = transfer_code(transfer);
    if (transfer->status != OK)
        return CURL_WRITEFUNC_ERROR; /* given up in another callback */
    if (fault_hit(FAULT_RECEIVE)) {
        http_transfer_stop(transfer, ERR_UNAVAILABLE, "receive: fault");
    } else if (!code_is_success(code) || transfer->data == NULL) {
        transfer_keep(transfer, piece, code_is_success(code));
    } else if (transfer->is_ranged && code != 206) {
        http_transfer_stop(transfer, ERR_UNSUPPORTED, "the server does not know ranges");
    } else {
        http_clock_leave(transfer->clock);
        enum status status = transfer->data(transfer->user, piece);
        http_clock_return(transfer->clock);
        if (status != OK)
            http_transfer_stop(transfer, status, status_sentence(status));
    }
    transfer_touch(transfer);
    return transfer->status == OK ? piece.length : CURL_WRITEFUNC_ERROR;
}

static size_t on_upload(char *data, size_t size, size_t count, void *user)
{
    struct http_transfer *transfer = user;
    transfer->is_asked = true;
    if (transfer->pending.length == 0) {
        if (!transfer->is_open)
            return 0;
        transfer->is_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    size_t length = size * count;
    if (length > transfer->pending.length)
        length = transfer->pending.length;
    memcpy(data, transfer->pending.data, length);
    transfer->pending = slice_sub(transfer->pending, length, transfer->pending.length - length);
    return length;
}

/* --- setting up ------------------------------------------------------------------------------- */

static bool is_header_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    }
    return true;
}

static enum status transfer_add_header(struct http_transfer *transfer,
                                       const char *name,
                                       const char *value,
                                       struct error *error)
{
    if (!is_header_text(name) || !is_header_text(value) || strchr(name, ':') != NULL)
        return error_set(error, ERR_INVALID, "%s: a header holds a forbidden character",
                         transfer->name);
    struct buf line = {.length = 0};
    struct curl_slist *longer = NULL;
    if (buf_append_format(&line, "%s: %s", name, value) == OK)
        longer = curl_slist_append(transfer->headers, buf_string(&line));
    buf_close(&line);
    if (longer == NULL)
        return error_set(error, ERR_NO_MEMORY, "%s: no memory for headers", transfer->name);
    transfer->headers = longer;
    return OK;
}

/* "Name:" takes a header that the library would add out of the request. */
static enum status transfer_drop_header(struct http_transfer *transfer,
                                        const char *text,
                                        struct error *error)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, text);
    if (longer == NULL)
        return error_set(error, ERR_NO_MEMORY, "%s: no memory for headers", transfer->name);
    transfer->headers = longer;
    return OK;
}

static enum status transfer_set_headers(struct http_transfer *transfer,
                                        const struct http_request_options *options,
                                        struct error *error)
{
    enum status status = OK;
    for (size_t i = 0; i < options->header_count && status == OK; i++)
        status = transfer_add_header(transfer, options->headers[i].name, options->headers[i].value,
                                     error);
    if (status == OK && options->bearer != NULL) {
        struct buf value = {.length = 0};
        status = buf_append_format(&value, "Bearer %s", options->bearer);
        if (status == OK)
            status = transfer_add_header(transfer, "Authorization", buf_string(&value), error);
        buf_close(&value);
    }
    return status;
}

#define SET(option, value) CHECK(curl_easy_setopt(transfer->easy, option, value) == CURLE_OK)

static void transfer_set_range(struct http_transfer *transfer,
                               const struct http_request_options *options)
{
    if (options->length == 0) {
        CHECK(options->offset == 0);
        return;
    }
    transfer->is_ranged = true;
    char text[RANGE_TEXT_BYTES];
    if (options->length == HTTP_TO_END)
        (void)snprintf(text, sizeof(text), "%" PRIu64 "-", options->offset);
    else
        (void)snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, options->offset,
                       options->offset + options->length - 1);
    SET(CURLOPT_RANGE, text);
}

CURL *http_transfer_handle(void)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    CHECK(curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)TRANSFER_BUFFER_BYTES) == CURLE_OK);
    CHECK(curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)TRANSFER_BUFFER_BYTES) ==
          CURLE_OK);
    return easy;
}

/* What all transfers have in common; the library's defaults hold for the rest. */
static void transfer_set_basics(struct http_transfer *transfer,
                                const char *method,
                                int64_t connect_ms)
{
    SET(CURLOPT_CUSTOMREQUEST, strcmp(method, "GET") == 0 ? NULL : method);
    SET(CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PROXY, ""); /* whatever the environment says */
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USERAGENT, "millrace");
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(CURLOPT_ERRORBUFFER, transfer->curl_text);
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_data);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, transfer);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
}

enum status http_transfer_open(struct http_transfer *transfer,
                               CURL *easy,
                               struct http_clock *clock,
                               const char *method,
                               const struct http_request_options *options,
                               const struct http_transfer_limits *limits,
                               struct error *error)
{
    *transfer = (struct http_transfer){.easy = easy,
                                       .clock = clock,
                                       .data = options->data,
                                       .header = options->header,
                                       .user = options->user};
    transfer->stall_ms = limits->stall_ms > 0 ? limits->stall_ms : HTTP_CLIENT_STALL_MS;
    struct buf name = {.length = 0};
    enum status status = buf_append_format(&name, "%s %s", method, options->url);
    transfer->name = (char *)name.data; /* taken over */
    if (status != OK)
        return error_set(error, status, "no memory for a request");
    status = transfer_set_headers(transfer, options, error);
    if (status == OK)
        status = transfer_drop_header(transfer, "Accept:", error);
    if (status == OK && curl_easy_setopt(easy, CURLOPT_URL, options->url) != CURLE_OK)
        status = error_set(error, ERR_NO_MEMORY, "%s: no memory", transfer->name);
    if (status != OK) {
        http_transfer_close(transfer);
        return status;
    }
    transfer_set_basics(transfer, method,
                        limits->connect_ms > 0 ? limits->connect_ms : HTTP_CLIENT_CONNECT_MS);
    transfer_set_range(transfer, options);
    return OK;
}

void http_transfer_set_upload(struct http_transfer *transfer, uint64_t length, bool wants_consent)
{
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, on_upload);
    SET(CURLOPT_READDATA, transfer);
    if (length != HTTP_LENGTH_CHUNKED)
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)length);
    SET(CURLOPT_EXPECT_100_TIMEOUT_MS, (long)CONSENT_MS);
    struct curl_slist *longer =
        curl_slist_append(transfer->headers, wants_consent ? "Expect: 100-continue" : "Expect:");
    CHECK(longer != NULL);
    transfer->headers = longer;
    SET(CURLOPT_HTTPHEADER, transfer->headers);
}

/* --- the end ---------------------------------------------------------------------------------- */

static enum status status_from_curl(CURLcode code)
{
    if (code == CURLE_OK)
        return OK;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return ERR_INVALID;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ERR_DEADLINE;
    if (code == CURLE_OUT_OF_MEMORY)
        return ERR_NO_MEMORY;
    /* No connection, a broken one, or one that speaks something else: another try may help. */
    return ERR_UNAVAILABLE;
}

/* What a person sees of a failed response: the first line of its body. */
static int first_line_length(const struct buf *body)
{
    size_t length = slice_find(buf_slice(body), '\n');
    return (int)(length < FIRST_LINE_BYTES ? length : FIRST_LINE_BYTES);
}

enum status http_transfer_result(struct http_transfer *transfer,
                                 CURLcode code,
                                 struct error *reterr_error)
{
    unsigned number = transfer_code(transfer);
    transfer->response.code = number;
    if (transfer->status != OK) {
        if (reterr_error != NULL)
            *reterr_error = transfer->error;
        return transfer->status;
    }
    /* A refusal that came before the body was sent breaks the sending, but it is the reason. */
    if (number >= 300) {
        enum status status = transfer->told != OK ? transfer->told : http_code_status(number);
        return error_set(reterr_error, status != OK ? status : ERR_UNSUPPORTED, "%s: %u %.*s",
                         transfer->name, number, first_line_length(&transfer->response.body),
                         buf_string(&transfer->response.body));
    }
    if (code != CURLE_OK)
        return error_set(reterr_error, status_from_curl(code), "%s: %s", transfer->name,
                         transfer->curl_text[0] != '\0' ? transfer->curl_text
                                                        : curl_easy_strerror(code));
    if (number < 200) /* "100 Continue" and then nothing: the library is content with that */
        return error_set(reterr_error, ERR_UNAVAILABLE,
                         "%s: the connection ended before the response", transfer->name);
    if (transfer->is_ranged && number != 206)
        return error_set(reterr_error, ERR_UNSUPPORTED, "%s: the server does not know ranges",
                         transfer->name);
    return OK;
}

void http_transfer_close(struct http_transfer *transfer)
{
    /* They point to what is freed here. */
    SET(CURLOPT_HTTPHEADER, NULL);
    SET(CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(transfer->headers);
    mem_free(transfer->name);
    http_response_close(&transfer->response);
    transfer->headers = NULL;
    transfer->name = NULL;
}
