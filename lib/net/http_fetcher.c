/*
 * http_fetcher.c - many fetches at once from one thread. Requests wait in a queue per host, and the
 * hosts that may start one more take turns, so one host with many requests does not hold up the
 * others. The limits are ours and not libcurl's, whose waiting requests run into their time limits.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/http_client.h"
#include "lib/net/http_transfer.h"
#include "lib/net/net_private.h"

enum {
    FETCHER_PARALLEL = 16,
    FETCHER_PER_HOST = 4,
    FETCHER_POLL_MS_MAX = 1000,
};

struct fetch_host {
    char *key; /* the URL up to its path */
    struct list waiting;
    unsigned active_count;
    struct list_node ready; /* in fetcher->ready while one more may start */
};

struct http_fetch {
    struct http_transfer transfer; /* first: the library gives its address back */
    struct http_fetcher *fetcher;
    struct fetch_host *host;
    http_fetch_done *done;
    struct list_node node; /* in its host's waiting, the fetcher's active or its ended */
    bool is_active;
    CURLcode code;
};

struct http_fetcher {
    CURLM *multi;
    struct http_clock clock;
    struct http_transfer_limits limits;
    unsigned parallel_max;
    unsigned per_host_max;
    struct map *hosts;
    struct list ready;
    struct list active;
    struct list ended; /* over, done not yet called */
    size_t count;
    atomic_bool is_woken;
};

/* --- hosts ------------------------------------------------------------------------------------ */

/* "http://host:port" of a URL. */
static struct slice host_key(const char *url)
{
    struct slice whole = slice_from_string(url);
    const char *authority = strstr(url, "://");
    size_t from = authority == NULL ? 0 : (size_t)(authority - url) + 3;
    struct slice rest = slice_sub(whole, from, whole.length - from);
    return slice_sub(whole, 0, from + slice_find(rest, '/'));
}

static struct fetch_host *fetcher_host(struct http_fetcher *fetcher, const char *url)
{
    struct slice key = host_key(url);
    struct fetch_host *host = map_get(fetcher->hosts, key);
    if (host != NULL)
        return host;
    host = MEM_NEW(struct fetch_host);
    host->key = mem_new(key.length + 1);
    memcpy(host->key, key.data, key.length);
    (void)map_put(fetcher->hosts, key, host);
    return host;
}

/* Puts the host where its counts say: among the ready, nowhere, or out of the map. */
static void host_sort(struct http_fetcher *fetcher, struct fetch_host *host)
{
    bool is_ready = host->waiting.count > 0 && host->active_count < fetcher->per_host_max;
    if (is_ready && !list_node_is_listed(&host->ready))
        list_append(&fetcher->ready, &host->ready, host);
    if (!is_ready)
        list_remove(&host->ready);
    if (host->waiting.count == 0 && host->active_count == 0) {
        (void)map_remove(fetcher->hosts, slice_from_string(host->key));
        mem_free(host->key);
        mem_free(host);
    }
}

/* --- fetches ---------------------------------------------------------------------------------- */

/* Takes it out of the library's hands and out of its list. */
static void fetch_leave(struct http_fetch *fetch)
{
    struct http_fetcher *fetcher = fetch->fetcher;
    list_remove(&fetch->node);
    if (fetch->is_active) {
        (void)curl_multi_remove_handle(fetcher->multi, fetch->transfer.easy);
        fetch->host->active_count--;
        fetch->is_active = false;
    }
    host_sort(fetcher, fetch->host);
    fetch->host = NULL; /* it may be gone */
}

static void fetch_end(struct http_fetch *fetch)
{
    fetch_leave(fetch);
    list_append(&fetch->fetcher->ended, &fetch->node, fetch);
}

static void fetch_free(struct http_fetch *fetch)
{
    struct http_fetcher *fetcher = fetch->fetcher;
    CURL *easy = fetch->transfer.easy;
    http_transfer_close(&fetch->transfer);
    curl_easy_cleanup(easy);
    mem_free(fetch);
    fetcher->count--;
}

static void fetch_start(struct http_fetch *fetch)
{
    struct http_fetcher *fetcher = fetch->fetcher;
    list_remove(&fetch->node);
    list_append(&fetcher->active, &fetch->node, fetch);
    fetch->host->active_count++;
    fetch->is_active = true;
    if (fault_hit(FAULT_SEND))
        http_transfer_stop(&fetch->transfer, ERR_UNAVAILABLE, "send: fault");
    CHECK(curl_multi_add_handle(fetcher->multi, fetch->transfer.easy) == CURLM_OK);
}

_Static_assert(offsetof(struct http_fetch, transfer) == 0, "a transfer is its fetch");

enum status http_fetcher_add(struct http_fetcher *fetcher,
                             const struct http_request_options *options,
                             http_fetch_done *done,
                             struct http_fetch **ret_fetch,
                             struct error *reterr_error)
{
    CURL *easy = http_transfer_handle();
    if (easy == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "no memory for a request");
    struct http_fetch *fetch = MEM_NEW(struct http_fetch);
    enum status status = http_transfer_open(&fetch->transfer, easy, &fetcher->clock, "GET", options,
                                            &fetcher->limits, reterr_error);
    if (status != OK) {
        curl_easy_cleanup(easy);
        mem_free(fetch);
        return status;
    }
    fetch->fetcher = fetcher;
    fetch->done = done;
    fetch->host = fetcher_host(fetcher, options->url);
    list_append(&fetch->host->waiting, &fetch->node, fetch);
    host_sort(fetcher, fetch->host);
    fetcher->count++;
    if (ret_fetch != NULL)
        *ret_fetch = fetch;
    return OK;
}

void http_fetch_cancel(struct http_fetch *fetch)
{
    /* Perhaps inside a callback of the library: taken out by the run, like one that has stalled. */
    http_transfer_stop(&fetch->transfer, ERR_CANCELLED, "cancelled");
    if (!fetch->is_active && fetch->host != NULL)
        fetch_end(fetch);
}

/* --- the run ---------------------------------------------------------------------------------- */

static void fetcher_start_ready(struct http_fetcher *fetcher)
{
    while (fetcher->active.count < fetcher->parallel_max) {
        struct fetch_host *host = list_pop(&fetcher->ready);
        if (host == NULL)
            return;
        fetch_start(host->waiting.first->object);
        host_sort(fetcher, host); /* at the end of the line, if there is more */
    }
}

/* Moves what can be moved and finds out which are over. */
static void fetcher_move(struct http_fetcher *fetcher)
{
    int running = 0;
    CHECK(curl_multi_perform(fetcher->multi, &running) == CURLM_OK);
    int left = 0;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *private_data = NULL;
        CURLcode result = message->data.result; /* the message goes with the handle */
        CHECK(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data) == CURLE_OK);
        struct http_fetch *fetch = (void *)private_data;
        fetch->code = result;
        fetch_end(fetch);
    }
    for (struct list_node *node = fetcher->active.first; node != NULL;) {
        struct http_fetch *fetch = node->object;
        node = node->next;
        if (fetch->transfer.status != OK || http_transfer_is_stalled(&fetch->transfer))
            fetch_end(fetch);
    }
}

/* Calls done for all that are over; returns how many. */
static size_t fetcher_report(struct http_fetcher *fetcher)
{
    size_t count = 0;
    struct http_fetch *fetch;
    while ((fetch = list_pop(&fetcher->ended)) != NULL) {
        struct error error = {.status = OK};
        enum status status = http_transfer_result(&fetch->transfer, fetch->code, &error);
        http_clock_leave(&fetcher->clock);
        fetch->done(fetch->transfer.user, status, &fetch->transfer.response, &error);
        http_clock_return(&fetcher->clock);
        fetch_free(fetch);
        count++;
    }
    return count;
}

/* How long to wait for the library: not beyond then_ms, nor so long that a stall is seen late. */
static int fetcher_patience_ms(const struct http_fetcher *fetcher, int64_t then_ms)
{
    int64_t left_ms = then_ms - net_now_ms();
    int64_t stall_ms =
        fetcher->limits.stall_ms > 0 ? fetcher->limits.stall_ms : HTTP_CLIENT_STALL_MS;
    if (left_ms > FETCHER_POLL_MS_MAX)
        left_ms = FETCHER_POLL_MS_MAX;
    if (left_ms > stall_ms)
        left_ms = stall_ms;
    return left_ms < 0 ? 0 : (int)left_ms;
}

size_t http_fetcher_run(struct http_fetcher *fetcher, int64_t wait_ms)
{
    int64_t then_ms = net_time_after_ms(wait_ms);
    http_clock_return(&fetcher->clock);
    for (;;) {
        fetcher_start_ready(fetcher);
        fetcher_move(fetcher);
        size_t ended_count = fetcher_report(fetcher);
        bool is_woken = atomic_exchange(&fetcher->is_woken, false);
        if (ended_count > 0 || is_woken || fetcher->count == 0 || net_now_ms() >= then_ms)
            break;
        CHECK(curl_multi_poll(fetcher->multi, NULL, 0, fetcher_patience_ms(fetcher, then_ms),
                              NULL) == CURLM_OK);
    }
    http_clock_leave(&fetcher->clock);
    return fetcher->count;
}

size_t http_fetcher_count(const struct http_fetcher *fetcher)
{
    return fetcher->count;
}

void http_fetcher_stop(struct http_fetcher *fetcher)
{
    atomic_store(&fetcher->is_woken, true); /* nobody sleeps */
}

void http_fetcher_wake(struct http_fetcher *fetcher)
{
    atomic_store(&fetcher->is_woken, true);
    CHECK(curl_multi_wakeup(fetcher->multi) == CURLM_OK);
}

enum status http_fetcher_open(const struct http_fetcher_options *options,
                              struct http_fetcher **ret_fetcher,
                              struct error *reterr_error)
{
    enum status status = net_curl_load(reterr_error);
    if (status != OK)
        return status;
    CURLM *multi = curl_multi_init();
    if (multi == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "no memory for a fetcher");
    struct http_fetcher *fetcher = MEM_NEW(struct http_fetcher);
    fetcher->multi = multi;
    fetcher->parallel_max = FETCHER_PARALLEL;
    fetcher->per_host_max = FETCHER_PER_HOST;
    if (options != NULL) {
        fetcher->limits = (struct http_transfer_limits){.connect_ms = options->connect_ms,
                                                        .stall_ms = options->stall_ms};
        if (options->parallel_max > 0)
            fetcher->parallel_max = options->parallel_max;
        if (options->parallel_per_host_max > 0)
            fetcher->per_host_max = options->parallel_per_host_max;
    }
    CHECK(curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)fetcher->parallel_max * 2) ==
          CURLM_OK);
    fetcher->hosts = map_open();
    atomic_init(&fetcher->is_woken, false);
    *ret_fetcher = fetcher;
    return OK;
}

static void fetcher_drop_all(struct http_fetcher *fetcher)
{
    while (fetcher->active.first != NULL)
        fetch_end(fetcher->active.first->object);
    size_t cursor = 0;
    void *value = NULL;
    while (map_next(fetcher->hosts, &cursor, NULL, &value)) {
        struct fetch_host *host = value;
        size_t left = host->waiting.count;
        while (left-- > 0) /* with the last one the host goes too */
            fetch_end(host->waiting.first->object);
    }
    struct http_fetch *fetch;
    while ((fetch = list_pop(&fetcher->ended)) != NULL)
        fetch_free(fetch);
}

void http_fetcher_close(struct http_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    fetcher_drop_all(fetcher);
    CHECK(fetcher->count == 0);
    (void)curl_multi_cleanup(fetcher->multi);
    map_close(fetcher->hosts);
    mem_free(fetcher);
}
