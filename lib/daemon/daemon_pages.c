/*
 * daemon_pages.c - what every daemon serves over HTTP: /metrics and /healthz, and how it listens.
 *
 * Both pages may be read without a token by whoever reaches loopback (docs/protocols/metrics.md);
 * any other peer needs one.
 */
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/daemon/daemon_private.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/serve.h"
#include "lib/net/http_server.h"
#include "lib/net/net.h"
#include "lib/os/clock.h"

enum {
    PAGE_BYTES_MAX = 16 * 1024 * 1024,
    PULSE_MS = 5000 /* a core that takes longer over a round is not healthy */
};

enum status daemon_listen_http(struct daemon *daemon,
                               struct http_server_options *options,
                               struct http_server **ret_server,
                               const char **ret_address,
                               struct error *reterr_error)
{
    char address[NET_ADDRESS_BYTES];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", daemon_http_port(daemon));
    options->address = address;
    enum status status = http_server_open(options, ret_server, reterr_error);
    if (status == ERR_BUSY && settings_u64(daemon->settings, "daemon.http_port") == 0) {
        /* The port of the last life is taken; nobody asked for that one. */
        (void)snprintf(address, sizeof(address), "127.0.0.1:0");
        status = http_server_open(options, ret_server, reterr_error);
    }
    options->address = NULL;
    if (status != OK)
        return status;
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(*ret_server));
    daemon_set_http_address(daemon, address);
    daemon->http = *ret_server;
    if (ret_address != NULL)
        *ret_address = daemon->addresses.http_address;
    return OK;
}

/* Refuses who may not read; also before the daemon's state is there. */
static bool may_read(struct daemon *daemon, struct http_request *request)
{
    struct error error = {.status = OK};
    enum status status = OK;
    if (!http_request_is_loopback(request)) {
        struct arena *arena = arena_open(0);
        struct slice user;
        status =
            serve_authenticate(&daemon->secret, http_request_bearer(request), arena, &user, &error);
        arena_close(arena);
    }
    if (status == OK && !shell_is_started(daemon->shell))
        status = error_set(&error, ERR_UNAVAILABLE, "the daemon is starting");
    if (status != OK)
        http_reply_error(request, status, error.text);
    return status == OK;
}

static void write_shell(struct daemon *daemon, struct metrics_page *page)
{
    struct shell_counters counters = shell_counters_get(daemon->shell);
    metrics_gauge(page, "millrace_mailbox_events", "Events that wait for the core.",
                  counters.mailbox_count);
    metrics_counter(page, "millrace_steps_total", "Steps of the core.", counters.events);
    metrics_counter(page, "millrace_step_rounds_total", "Rounds of steps that shared a sync.",
                    counters.rounds);
    metrics_family(page, "millrace_step_max_seconds", METRICS_GAUGE, "The slowest step so far.");
    metrics_sample_seconds(page, NULL, (struct slice){0}, (int64_t)counters.step_us_max);
    metrics_gauge(page, "millrace_requests_open", "Requests the core has not answered yet.",
                  counters.requests_open);
    if (daemon->definition->door->snapshot == NULL)
        return;
    metrics_counter(page, "millrace_journal_batches_total", "Batches of records journaled.",
                    counters.journal_batches);
    metrics_counter(page, "millrace_journal_syncs_total", "Syncs of the journal.",
                    counters.journal_syncs);
    metrics_counter(page, "millrace_journal_written_bytes_total",
                    "Bytes of records appended to the journal.", counters.journal_bytes);
    metrics_counter(page, "millrace_journal_checkpoints_total", "Checkpoints made.",
                    counters.checkpoints);
    metrics_counter(page, "millrace_journal_checkpoint_failures_total",
                    "Checkpoints that could not be made.", counters.checkpoint_failures);
    metrics_gauge(page, "millrace_journal_checkpoint_sequence",
                  "Last batch in the newest checkpoint made since the start.",
                  counters.checkpoint_sequence);
    metrics_gauge(page, "millrace_journal_checkpoint_bytes", "Its size.",
                  counters.checkpoint_bytes);
    metrics_gauge(page, "millrace_journal_directories", "Folders that hold the journal.",
                  counters.journal_directories);
    metrics_gauge(page, "millrace_journal_is_read_only",
                  "1 while the journal's disk is full and changes are refused.",
                  counters.is_read_only ? 1 : 0);
}

/* Called by a handler of that server, so it is there. */
static void write_http(struct daemon *daemon, struct metrics_page *page)
{
    static const char *const classes[HTTP_CODE_CLASSES] = {"none", "1xx", "2xx",
                                                           "3xx",  "4xx", "5xx"};
    struct http_server_counts counts = http_server_counts_get(daemon->http);
    metrics_family(page, "millrace_http_requests_total", METRICS_COUNTER,
                   "HTTP requests that are over; none: the connection was lost before the answer.");
    for (size_t i = 0; i < HTTP_CODE_CLASSES; i++)
        metrics_sample(page, "code", slice_from_string(classes[i]), counts.by_class[i]);
    metrics_gauge(page, "millrace_http_requests_open", "HTTP requests in progress, this one too.",
                  counts.active);
}

void daemon_serve_metrics(struct daemon *daemon, struct http_request *request)
{
    if (!may_read(daemon, request))
        return;
    struct buf text;
    buf_open(&text, PAGE_BYTES_MAX);
    struct metrics_page page = {.text = &text};
    metrics_family(&page, "millrace_daemon_info", METRICS_GAUGE, "Which daemon this is.");
    metrics_sample(&page, "daemon", slice_from_string(daemon->definition->name), 1);
    metrics_gauge(&page, "millrace_incarnation", "Starts of the daemon in this folder.",
                  daemon->incarnation);
    metrics_process_write(&page, daemon->started_wall_ms);
    write_shell(daemon, &page);
    metrics_calls_write(daemon->calls, &page);
    write_http(daemon, &page);
    if (daemon->definition->metrics != NULL)
        daemon->definition->metrics(daemon->state, &page);
    if (page.status == OK)
        http_reply(request, 200, METRICS_CONTENT_TYPE, buf_slice(&text));
    else
        http_reply_error(request, page.status, "the page could not be written");
    buf_close(&text);
}

void daemon_serve_health(struct daemon *daemon, struct http_request *request)
{
    if (!may_read(daemon, request))
        return;
    struct buf notes;
    struct error error = {.status = OK};
    buf_open(&notes, PAGE_BYTES_MAX);
    enum status status = buf_append(&notes, "ok\n", 3);
    if (status == OK)
        status = shell_pulse(daemon->shell, clock_monotonic_ms() + PULSE_MS, &error);
    if (status == OK && shell_counters_get(daemon->shell).is_read_only)
        status =
            buf_append_format(&notes, "read-only: the disk of the journal is full; changes are "
                                      "refused until there is room again\n");
    if (status == OK && daemon->definition->health != NULL)
        status = daemon->definition->health(daemon->state, &notes, &error);
    if (status == OK)
        http_reply(request, 200, "text/plain; charset=utf-8", buf_slice(&notes));
    else
        http_reply_unavailable(request, status,
                               error.text[0] != '\0' ? error.text : status_sentence(status));
    buf_close(&notes);
}
