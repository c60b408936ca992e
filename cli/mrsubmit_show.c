/*
 * mrsubmit_show.c - progress on stderr, the summary on stdout.
 */
#include <stdio.h>
#include <string.h>

#include "cli/mrsubmit.h"
#include "cli/table.h"
#include "lib/base/buf.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"

enum {
    DRAW_MS = 100 /* between two drawings of the line */
};

/* --- progress --------------------------------------------------------------------------------- */

void submit_display_open(struct submit_display *display, bool is_quiet)
{
    *display = (struct submit_display){
        .is_quiet = is_quiet,
        .is_terminal = host_is_terminal(2),
        .started_ms = clock_monotonic_ms(),
    };
}

static void clear_line(struct submit_display *display)
{
    if (display->has_line)
        fputs("\r\033[K", stderr);
    display->has_line = false;
}

void submit_display_say(struct submit_display *display, const char *sentence)
{
    if (display->is_quiet)
        return;
    clear_line(display);
    fprintf(stderr, "mrsubmit: %s\n", sentence);
}

static const char *state_text(enum am_job_state state)
{
    switch (state) {
    case JOB_NEW:
    case JOB_SETUP:
        return "looking at the input";
    case JOB_RUNNING:
        return "running";
    case JOB_COMMITTING:
        return "committing";
    case JOB_SUCCEEDED:
        return "succeeded";
    case JOB_FAILED:
        return "failed";
    case JOB_KILLED:
        return "killed";
    case AM_JOB_STATE_COUNT:
        break;
    }
    return "?";
}

static void draw(struct submit_display *display,
                 const struct am_job_report *report,
                 const char *state)
{
    int64_t now_ms = clock_monotonic_ms();
    if (display->has_line && now_ms - display->drawn_ms < DRAW_MS)
        return;
    display->drawn_ms = now_ms;
    clear_line(display);
    fprintf(stderr, "%s", state);
    if (report->maps_total > 0)
        fprintf(stderr, "  maps %u/%u (%.0f %%)  reduces %u/%u (%.0f %%)", report->maps_done,
                report->maps_total, (double)report->map_progress * 100, report->reduces_done,
                report->reduces_total, (double)report->reduce_progress * 100);
    fprintf(stderr, "  %.1f s", (double)(now_ms - display->started_ms) / 1000);
    (void)fflush(stderr); /* a line that is not drawn is no loss */
    display->has_line = true;
}

void submit_display_report(struct submit_display *display,
                           const struct am_job_report *report,
                           const char *waiting)
{
    char state[sizeof(display->last)];
    if (display->is_quiet)
        return;
    int length =
        snprintf(state, sizeof(state), "%s", waiting != NULL ? waiting : state_text(report->state));
    if (waiting == NULL && report->state == JOB_RUNNING && length > 0)
        (void)snprintf(state + length, sizeof(state) - (size_t)length, ": %u maps, %u reduces%s",
                       report->maps_total, report->reduces_total,
                       report->app_attempt > 1 ? ", under a new master" : "");
    if (display->is_terminal) {
        draw(display, report, waiting != NULL ? waiting : state_text(report->state));
    } else if (strcmp(state, display->last) != 0) {
        submit_display_say(display, state);
    }
    memcpy(display->last, state, sizeof(state));
}

void submit_display_close(struct submit_display *display)
{
    clear_line(display);
}

/* --- the summary ------------------------------------------------------------------------------ */

static uint64_t counter_of(const struct am_job_report *report, const char *name)
{
    for (size_t i = 0; i < report->counters_count; i++) {
        if (slice_equal_string(report->counters[i].group, "task") &&
            slice_equal_string(report->counters[i].name, name))
            return report->counters[i].value;
    }
    return 0;
}

static void print_json(const struct am_job_report *report)
{
    struct buf text = {0};
    if (message_print_json(&am_job_report_type, report, &text) == OK)
        printf("%s\n", buf_string(&text));
    else
        fputs("mrsubmit: the report does not fit into memory\n", stderr);
    buf_close(&text);
}

/* Text of people's, on one line whatever is in it. */
static void print_line(const char *label, struct slice text)
{
    printf("%-12s", label);
    for (size_t i = 0; i < text.length; i++)
        putchar(text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
    putchar('\n');
}

static void print_tasks(const struct am_job_report *report, bool is_local)
{
    printf("%-12s%u of %u", "maps", report->maps_done, report->maps_total);
    if (!is_local && report->maps_total > 0)
        printf(" (%u node-local, %u rack-local, %u off-rack)", report->maps_node_local,
               report->maps_rack_local, report->maps_off_rack);
    printf("\n%-12s%u of %u\n", "reduces", report->reduces_done, report->reduces_total);
    if (is_local)
        return;
    printf("%-12s%u failed, %u killed, %u lost\n", "attempts", report->attempts_failed,
           report->attempts_killed, report->attempts_lost);
    if (report->maps_rerun > 0)
        printf("%-12s%u finished maps, because their output was lost\n", "run again",
               report->maps_rerun);
    if (report->app_attempt > 1)
        printf("%-12s%u\n", "masters", report->app_attempt);
}

void submit_print_result(const struct am_job_report *report, bool is_json, bool is_local)
{
    if (is_json) {
        print_json(report);
        return;
    }
    if (!app_id_is_none(report->app))
        printf("%-12s%s\n", "application", app_id_text(report->app).text);
    print_line("name", report->name);
    printf("%-12s%s\n", "state", state_text(report->state));
    print_tasks(report, is_local);
    printf("%-12s%s read, %s shuffled, %s written\n", "bytes",
           cli_bytes(counter_of(report, "map_input_bytes")).text,
           cli_bytes(counter_of(report, "shuffled_bytes")).text,
           cli_bytes(counter_of(report, "output_bytes")).text);
    if (report->finished_ms >= report->submitted_ms)
        printf("%-12s%s\n", "elapsed",
               cli_duration(report->finished_ms - report->submitted_ms).text);
    if (report->counters_count > 0)
        printf("counters\n");
    for (size_t i = 0; i < report->counters_count; i++)
        printf("  %.*s.%.*s %llu\n", SLICE_ARGS(report->counters[i].group),
               SLICE_ARGS(report->counters[i].name), (unsigned long long)report->counters[i].value);
    print_line("output",
               report->state == JOB_SUCCEEDED ? report->output : slice_from_string("none"));
}

void submit_print_failure(const struct am_job_report *report, bool is_local)
{
    struct slice text = report->diagnostics;
    (void)fflush(stdout); /* its failure is found at the end */
    while (text.length > 0 && text.data[text.length - 1] == '\n')
        text.length--;
    if (report->state == JOB_SUCCEEDED)
        return;
    fprintf(stderr, "mrsubmit: the job %s: %.*s\n",
            report->state == JOB_KILLED ? "was killed" : "failed",
            SLICE_ARGS(text.length > 0 ? text : slice_from_string("nobody says why")));
    if (!is_local && !app_id_is_none(report->app))
        fprintf(stderr, "mrsubmit: `mrjob logs %s` shows what its tasks wrote\n",
                app_id_text(report->app).text);
}

enum submit_exit submit_exit_of(const struct am_job_report *report)
{
    if (report->state == JOB_SUCCEEDED)
        return SUBMIT_SUCCEEDED;
    return report->state == JOB_KILLED ? SUBMIT_KILLED : SUBMIT_JOB_FAILED;
}
