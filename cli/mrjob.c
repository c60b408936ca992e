/*
 * mrjob.c - looks at jobs and stops them: list, status, history, why, move, set-priority, kill;
 * logs are in job_logs.c.
 */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/job_logs.h"
#include "cli/job_view.h"
#include "cli/session.h"
#include "cli/table.h"
#include "lib/base/buf.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/services/calls.h"

enum {
    LIST_MAX = 1000,
    KILL_WAIT_MS = 60 * 1000,
    WAIT_MS = 5 * 1000, /* one held call */
    KEY_STDOUT = 1000,
    KEY_STDERR,
    KEY_ATTEMPT,
    KEY_CONTAINER,
    KEY_TAIL,
    KEY_ATTEMPTS,
    KEY_NO_WAIT
};

/* The options of all verbs; each verb's table says which it takes. */
struct mrjob {
    const char *command;
    const char *directory;
    const char *id;
    bool takes_id;
    const char *takes_second; /* what the second argument is; NULL: there is none */
    const char *second;
    bool is_all;
    bool is_json;
    bool with_attempts;
    bool is_no_wait;
    const char *attempt;
    const char *container;
    bool is_stdout;
    bool is_stderr;
    uint64_t tail_lines; /* 0: everything */
    struct app_id app;
    struct cli_session *session;
};

static error_t take_tail(struct mrjob *mrjob, const char *argument, struct argp_state *state)
{
    if (!slice_parse_u64(slice_from_string(argument), &mrjob->tail_lines) ||
        mrjob->tail_lines == 0 || mrjob->tail_lines > JOB_LOGS_TAIL_MAX)
        argp_error(state, "--tail takes a number of lines from 1 to %d, not %s",
                   (int)JOB_LOGS_TAIL_MAX, argument);
    return 0;
}

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    struct mrjob *mrjob = state->input;
    switch (key) {
    case 'd':
        mrjob->directory = argument;
        return 0;
    case 'a':
        mrjob->is_all = true;
        return 0;
    case 'j':
        mrjob->is_json = true;
        return 0;
    case KEY_ATTEMPTS:
        mrjob->with_attempts = true;
        return 0;
    case KEY_NO_WAIT:
        mrjob->is_no_wait = true;
        return 0;
    case KEY_ATTEMPT:
        mrjob->attempt = argument;
        return 0;
    case KEY_CONTAINER:
        mrjob->container = argument;
        return 0;
    case KEY_STDOUT:
        mrjob->is_stdout = true;
        return 0;
    case KEY_STDERR:
        mrjob->is_stderr = true;
        return 0;
    case KEY_TAIL:
        return take_tail(mrjob, argument, state);
    case ARGP_KEY_ARG:
        if (mrjob->takes_second != NULL && mrjob->id != NULL && mrjob->second == NULL) {
            mrjob->second = argument;
            return 0;
        }
        if (!mrjob->takes_id || mrjob->id != NULL)
            argp_error(state, "unexpected argument %s", argument);
        mrjob->id = argument;
        return 0;
    case ARGP_KEY_END:
        if (mrjob->takes_id && mrjob->id == NULL)
            argp_error(state, "which application? mrjob list --all shows them");
        if (mrjob->takes_second != NULL && mrjob->second == NULL)
            argp_error(state, "which %s?", mrjob->takes_second);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Two rows: the second is what millrace calls it. */
#define DIRECTORY_OPTION                                                                           \
 {"cluster",                                                                                       \
  'd',                                                                                             \
  "DIR",                                                                                           \
  0,                                                                                               \
  "The cluster's folder (default: MILLRACE_DIR, else $HOME/.millrace/cluster)",                    \
  0},                                                                                              \
 {                                                                                                 \
  "dir", 0, NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0                                            \
 }
#define JSON_OPTION                                                                                \
 {                                                                                                 \
  "json", 'j', NULL, 0, "Prints JSON", 0                                                           \
 }

/* Parses; opens the session; parses the id, when there is one. */
static enum status begin(
    struct mrjob *mrjob, const struct argp *argp, int argc, char **argv, struct error *reterr_error)
{
    enum status status = OK;
    mrjob->command = argv[0];
    if (argp_parse(argp, argc, argv, 0, NULL, mrjob) != 0)
        return error_set(reterr_error, ERR_INVALID, "bad usage");
    if (mrjob->takes_id)
        status = job_view_parse_id(mrjob->id, &mrjob->app, reterr_error);
    if (status == OK)
        status = cli_session_open(mrjob->directory, &mrjob->session, reterr_error);
    return status;
}

static int finish(struct mrjob *mrjob, enum status status, const struct error *error)
{
    cli_session_close(mrjob->session);
    return status == OK ? CLI_DONE : cli_fail(mrjob->command, error);
}

/* --- list ------------------------------------------------------------------------------------ */

static const struct argp_option list_options[] = {
    {"all", 'a', NULL, 0, "Also those that are over", 0},
    JSON_OPTION, DIRECTORY_OPTION, {0}
};

static const struct argp list_argp = {
    .options = list_options,
    .parser = take_option,
    .doc = "Lists the applications that wait or run, newest first.",
};

static void print_list(const struct rm_list_apps_response *response)
{
    static const char *const titles[] = {"APPLICATION", "NAME",        "USER",
                                         "STATE",       "RESULT",      ">PROGRESS",
                                         "SUBMITTED",   ">CONTAINERS", NULL};
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < response->apps_count; i++) {
        const struct rm_app_report *app = &response->apps[i];
        bool has_result = app->final_status != FINAL_UNDEFINED;
        cli_table_add_string(table, app_id_text(app->app).text);
        cli_table_add(table, app->name);
        cli_table_add(table, app->user);
        cli_table_add_string(table, rm_app_state_name(app->state) + strlen("APP_"));
        cli_table_add_string(
            table, has_result ? rm_final_status_name(app->final_status) + strlen("FINAL_") : "");
        cli_table_add_string(table, cli_percent(app->progress).text);
        cli_table_add_string(table, cli_time(app->submitted_ms).text);
        cli_table_add_format(table, "%" PRIu32, app->containers_running);
    }
    cli_table_print(table, 0);
    if (cli_table_rows(table) == 0)
        fputs("No applications.\n", stderr);
    cli_table_close(table);
}

static enum status print_list_json(const struct rm_list_apps_response *response,
                                   struct error *reterr_error)
{
    struct buf json;
    buf_open(&json, 0);
    enum status status = buf_append_format(&json, "[");
    for (size_t i = 0; i < response->apps_count && status == OK; i++) {
        const struct rm_app_report *app = &response->apps[i];
        status = buf_append_format(&json, "%s{\"id\": \"%s\", \"report\": ", i > 0 ? ",\n " : "",
                                   app_id_text(app->app).text);
        if (status == OK)
            status = message_print_json(&rm_app_report_type, app, &json);
        if (status == OK)
            status = buf_append_format(&json, "}");
    }
    if (status == OK)
        printf("%s]\n", buf_string(&json));
    buf_close(&json);
    return status == OK
               ? OK
               : error_set(reterr_error, status, "print as JSON: %s", status_sentence(status));
}

static int run_list(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = false};
    struct error error = {OK, ""};
    struct service_target target;
    const struct rm_list_apps_response *response = NULL;
    enum status status = begin(&mrjob, &list_argp, argc, argv, &error);
    const struct rm_list_apps_request request = {
        .include_finished = mrjob.is_all,
        .limit = LIST_MAX,
    };
    if (status == OK)
        status = cli_session_target(mrjob.session, "rm", &target, &error);
    if (status == OK)
        status = services_resource_manager_list_apps(&target, &request, &response, &error);
    if (status == OK && mrjob.is_json)
        status = print_list_json(response, &error);
    else if (status == OK)
        print_list(response);
    return finish(&mrjob, status, &error);
}

/* --- status, history ------------------------------------------------------------------------- */

static const struct argp_option status_options[] = {
    {"attempts", KEY_ATTEMPTS, NULL, 0, "Also lists the attempts of its tasks", 0},
    JSON_OPTION,
    DIRECTORY_OPTION,
    {0     }
};

static const struct argp status_argp = {
    .options = status_options,
    .parser = take_option,
    .args_doc = "APPLICATION",
    .doc = "Shows one application and its job: as its master tells while it runs, as its history "
           "tells when it is over.",
};

static enum status print_view_json(const struct job_view *view, struct error *reterr_error)
{
    struct buf json;
    buf_open(&json, 0);
    enum status status = job_view_append_json(view, &json);
    if (status == OK)
        fputs(buf_string(&json), stdout);
    buf_close(&json);
    return status == OK
               ? OK
               : error_set(reterr_error, status, "print as JSON: %s", status_sentence(status));
}

static int run_status(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = true};
    struct error error = {OK, ""};
    struct job_view view;
    enum status status = begin(&mrjob, &status_argp, argc, argv, &error);
    if (status == OK)
        status = job_view_get(mrjob.session, mrjob.app, &view, &error);
    if (status != OK)
        return finish(&mrjob, status, &error);
    if (mrjob.is_json) {
        status = print_view_json(&view, &error);
        return finish(&mrjob, status, &error);
    }
    job_view_print(&view);
    job_view_print_counters(&view);
    if (mrjob.with_attempts)
        job_view_print_attempts(&view);
    if (view.source == JOB_VIEW_NONE)
        fprintf(stderr, "%s: nothing is known of its tasks: %s\n", mrjob.command,
                view.job_error.text);
    return finish(&mrjob, status, &error);
}

static const struct argp_option history_options[] = {JSON_OPTION, DIRECTORY_OPTION, {0}};

static const struct argp history_argp = {
    .options = history_options,
    .parser = take_option,
    .args_doc = "APPLICATION",
    .doc =
        "Shows what is kept of a job that is over: what was asked for, how it went, its counters "
        "and all attempts of its tasks.",
};

static void print_spec(const struct am_job_spec *spec)
{
    printf("%-12s %.*s\n", "Object", SLICE_ARGS(spec->object_name));
    for (size_t i = 0; i < spec->inputs_count; i++)
        printf("%-12s %.*s\n", i == 0 ? "Input" : "", SLICE_ARGS(spec->inputs[i]));
    for (size_t i = 0; i < spec->parameters_count; i++)
        printf("%-12s %.*s=%.*s\n", i == 0 ? "Parameters" : "", SLICE_ARGS(spec->parameters[i].key),
               SLICE_ARGS(spec->parameters[i].value));
}

static int run_history(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = true};
    struct error error = {OK, ""};
    struct job_view view;
    enum status status = begin(&mrjob, &history_argp, argc, argv, &error);
    if (status == OK)
        status = job_view_get(mrjob.session, mrjob.app, &view, &error);
    if (status == OK && !job_view_is_over(view.app))
        status = error_set(&error, ERR_NOT_FOUND, "%s is not over: see mrjob status", mrjob.id);
    else if (status == OK && view.source != JOB_VIEW_HISTORY)
        status = error_set(&error, ERR_NOT_FOUND, "%s: %s", mrjob.id, view.job_error.text);
    if (status == OK && mrjob.is_json) {
        status = print_view_json(&view, &error);
    } else if (status == OK) {
        job_view_print(&view);
        print_spec(view.spec);
        job_view_print_counters(&view);
        job_view_print_attempts(&view);
    }
    return finish(&mrjob, status, &error);
}

/* --- kill ------------------------------------------------------------------------------------ */

static const struct argp_option kill_options[] = {
    {"no-wait", KEY_NO_WAIT, NULL, 0, "Returns as soon as the wish is noted", 0},
    DIRECTORY_OPTION,
    {0    }
};

static const struct argp kill_argp = {
    .options = kill_options,
    .parser = take_option,
    .args_doc = "APPLICATION",
    .doc =
        "Stops an application and waits until it is over. One that is over already is left alone.",
};

/* Holds calls at the resource manager until the application is over. */
static enum status wait_until_over(struct mrjob *mrjob,
                                   const struct rm_app_report **ret_report,
                                   struct error *reterr_error)
{
    struct service_target target;
    int64_t deadline_ms = clock_monotonic_ms() + KILL_WAIT_MS;
    struct rm_get_app_request request = {.app = mrjob->app, .wait_ms = WAIT_MS};
    const struct rm_get_app_response *response = NULL;
    enum status status = cli_session_target(mrjob->session, "rm", &target, reterr_error);
    target.timeout_ms = WAIT_MS + CLI_CALL_MS;
    while (status == OK) {
        status = services_resource_manager_get_app(&target, &request, &response, reterr_error);
        if (status == OK && job_view_is_over(&response->report)) {
            *ret_report = &response->report;
            return OK;
        }
        if (status == OK && clock_monotonic_ms() >= deadline_ms)
            return error_set(reterr_error, ERR_DEADLINE, "%s was told to stop, but still runs",
                             mrjob->id);
        if (status == OK)
            request.after_version = response->report.version;
    }
    return status;
}

static int run_kill(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = true};
    struct error error = {OK, ""};
    struct service_target target;
    const struct rm_app_report *report = NULL;
    const struct rm_kill_app_response *response = NULL;
    enum status status = begin(&mrjob, &kill_argp, argc, argv, &error);
    const struct rm_kill_app_request request = {
        .app = mrjob.app,
        .diagnostics = slice_from_string("killed by mrjob kill"),
    };
    if (status == OK)
        status = cli_session_target(mrjob.session, "rm", &target, &error);
    if (status == OK)
        status = services_resource_manager_kill_app(&target, &request, &response, &error);
    if (status == OK && mrjob.is_no_wait) {
        fprintf(stderr, "%s\n", response->was_running ? "It will stop." : "It is over already.");
        return finish(&mrjob, status, &error);
    }
    if (status == OK)
        status = wait_until_over(&mrjob, &report, &error);
    if (status == OK)
        printf("%s %s%s\n", app_id_text(report->app).text,
               rm_app_state_name(report->state) + strlen("APP_"),
               response->was_running ? "" : " (it was over already)");
    return finish(&mrjob, status, &error);
}

/* --- why, move, set-priority ----------------------------------------------------------------- */

static const struct argp_option why_options[] = {JSON_OPTION, DIRECTORY_OPTION, {0}};

static const struct argp why_argp = {
    .options = why_options,
    .parser = take_option,
    .args_doc = "APPLICATION",
    .doc = "Says of every container that an application wants and has not got why it waits, and "
           "what would end the wait.",
};

static void print_waiting(const struct rm_waiting *waiting)
{
    if (waiting->is_master)
        printf("its master");
    else
        printf("%" PRIu32 " container%s of priority %" PRIu32, waiting->want,
               waiting->want == 1 ? "" : "s", waiting->priority);
    printf(" (%s, %" PRIu32 " vcores): %s\n  %.*s\n  would free it: %.*s\n",
           cli_bytes(waiting->resource.memory_bytes).text, waiting->resource.vcores,
           rm_wait_reason_name(waiting->reason) + strlen("WAIT_"), SLICE_ARGS(waiting->text),
           SLICE_ARGS(waiting->would_free));
}

static void print_why(const struct rm_explain_app_response *response)
{
    const struct rm_app_report *app = &response->report;
    printf("%s %s, queue %.*s, priority %" PRIu32 "\n", app_id_text(app->app).text,
           rm_app_state_name(app->state) + strlen("APP_"), SLICE_ARGS(app->queue), app->priority);
    for (size_t i = 0; i < response->waiting_count; i++)
        print_waiting(&response->waiting[i]);
    if (response->waiting_count == 0)
        puts(job_view_is_over(app) ? "It is over." : "It waits for no container.");
}

static int run_why(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = true};
    struct error error = {OK, ""};
    struct service_target target;
    const struct rm_explain_app_response *response = NULL;
    enum status status = begin(&mrjob, &why_argp, argc, argv, &error);
    const struct rm_explain_app_request request = {.app = mrjob.app};
    if (status == OK)
        status = cli_session_target(mrjob.session, "rm", &target, &error);
    if (status == OK)
        status = services_resource_manager_explain_app(&target, &request, &response, &error);
    if (status == OK && mrjob.is_json) {
        struct buf json = {0};
        status = message_print_json(&rm_explain_app_response_type, response, &json);
        if (status == OK)
            puts(buf_string(&json));
        else
            status = error_set(&error, status, "print as JSON: %s", status_sentence(status));
        buf_close(&json);
    } else if (status == OK) {
        print_why(response);
    }
    return finish(&mrjob, status, &error);
}

static const struct argp_option place_options[] = {DIRECTORY_OPTION, {0}};

static const struct argp move_argp = {
    .options = place_options,
    .parser = take_option,
    .args_doc = "APPLICATION QUEUE",
    .doc = "Moves an application that is not over to another queue, with all it holds.",
};

static void print_place(const struct rm_app_report *app)
{
    printf("%s queue %.*s, priority %" PRIu32 "\n", app_id_text(app->app).text,
           SLICE_ARGS(app->queue), app->priority);
}

static int run_move(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = true, .takes_second = "queue"};
    struct error error = {OK, ""};
    struct service_target target;
    const struct rm_move_app_response *response = NULL;
    enum status status = begin(&mrjob, &move_argp, argc, argv, &error);
    struct rm_move_app_request request = {.app = mrjob.app};
    if (status == OK) {
        request.queue = slice_from_string(mrjob.second);
        status = cli_session_target(mrjob.session, "rm", &target, &error);
    }
    if (status == OK)
        status = services_resource_manager_move_app(&target, &request, &response, &error);
    if (status == OK)
        print_place(&response->report);
    return finish(&mrjob, status, &error);
}

static const struct argp priority_argp = {
    .options = place_options,
    .parser = take_option,
    .args_doc = "APPLICATION PRIORITY",
    .doc = "Gives an application that is not over another priority; higher ones are served first "
           "in their queue.",
};

static int run_set_priority(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = true, .takes_second = "priority"};
    struct error error = {OK, ""};
    struct service_target target;
    const struct rm_set_priority_response *response = NULL;
    uint64_t priority = 0;
    enum status status = begin(&mrjob, &priority_argp, argc, argv, &error);
    if (status == OK &&
        (!slice_parse_u64(slice_from_string(mrjob.second), &priority) || priority > UINT32_MAX))
        status = error_set(&error, ERR_INVALID, "a priority is a number, not %s", mrjob.second);
    const struct rm_set_priority_request request = {.app = mrjob.app,
                                                    .priority = (uint32_t)priority};
    if (status == OK)
        status = cli_session_target(mrjob.session, "rm", &target, &error);
    if (status == OK)
        status = services_resource_manager_set_priority(&target, &request, &response, &error);
    if (status == OK)
        print_place(&response->report);
    return finish(&mrjob, status, &error);
}

/* --- logs ------------------------------------------------------------------------------------ */

static const struct argp_option logs_options[] = {
    {"attempt",                                KEY_ATTEMPT, "ATTEMPT", 0, "Only of the container of this attempt", 0},
    {"container",                               KEY_CONTAINER, "CONTAINER", 0, "Only of this container", 0},
    {"stdout", KEY_STDOUT, NULL, 0, "Only what it wrote to its standard output", 0},
    {"stderr",                                        KEY_STDERR, NULL, 0, "Only what it wrote to its standard error", 0},
    {"tail",KEY_TAIL, "LINES", 0, "Only the last lines of each", 0},
    DIRECTORY_OPTION,
    {0                                      }
};

static const struct argp logs_argp = {
    .options = logs_options,
    .parser = take_option,
    .args_doc = "APPLICATION",
    .doc =
        "Prints what the containers of an application wrote, as far as their nodes run and still "
        "keep it. Titles between several logs go to the standard error.",
};

static enum status find_container(struct mrjob *mrjob,
                                  struct job_logs_choice *choice,
                                  struct error *reterr_error)
{
    if (mrjob->container != NULL) {
        choice->has_container = true;
        if (!container_id_parse(slice_from_string(mrjob->container), &choice->container) ||
            !app_id_equal(choice->container.app, mrjob->app))
            return error_set(reterr_error, ERR_INVALID, "%s is no container of %s",
                             mrjob->container, mrjob->id);
        return OK;
    }
    if (mrjob->attempt == NULL)
        return OK;
    struct attempt_id attempt;
    struct job_view view;
    if (!attempt_id_parse(slice_from_string(mrjob->attempt), &attempt) ||
        !app_id_equal(attempt.app, mrjob->app))
        return error_set(reterr_error, ERR_INVALID, "%s is no attempt of %s", mrjob->attempt,
                         mrjob->id);
    enum status status = job_view_get(mrjob->session, mrjob->app, &view, reterr_error);
    if (status != OK)
        return status;
    for (size_t i = 0; i < view.attempts_count; i++) {
        if (!attempt_id_equal(view.attempts[i].attempt, attempt) ||
            container_id_is_none(view.attempts[i].container))
            continue;
        choice->has_container = true;
        choice->container = view.attempts[i].container;
        return OK;
    }
    return error_set(reterr_error, ERR_NOT_FOUND, "no container of %s is known%s%s", mrjob->attempt,
                     view.source == JOB_VIEW_NONE ? ": " : "", view.job_error.text);
}

static int run_logs(int argc, char **argv)
{
    struct mrjob mrjob = {.takes_id = true};
    struct error error = {OK, ""};
    enum status status = begin(&mrjob, &logs_argp, argc, argv, &error);
    bool is_any = mrjob.is_stdout == mrjob.is_stderr;
    struct job_logs_choice choice = {
        .app = mrjob.app,
        .with_stdout = is_any || mrjob.is_stdout,
        .with_stderr = is_any || mrjob.is_stderr,
        .tail_lines = mrjob.tail_lines,
    };
    if (status == OK)
        status = find_container(&mrjob, &choice, &error);
    if (status == OK)
        status = job_logs_print(mrjob.session, &choice, &error);
    return finish(&mrjob, status, &error);
}

/* --- main ------------------------------------------------------------------------------------ */

static const struct cli_verb verbs[] = {
    {"list",         "[--all] [--json]",          "list applications",                         run_list        },
    {"status",       "APP [--attempts] [--json]", "show one of them",                          run_status      },
    {"history",      "APP [--json]",              "show all that is kept of one that is over", run_history     },
    {"logs",         "APP [--tail LINES]",        "print what its containers wrote",           run_logs        },
    {"why",          "APP [--json]",              "say why it waits and what would free it",   run_why         },
    {"move",         "APP QUEUE",                 "move it to another queue",                  run_move        },
    {"set-priority", "APP PRIORITY",              "serve it sooner or later in its queue",     run_set_priority},
    {"kill",         "APP",                       "stop one",                                  run_kill        },
};

int main(int argc, char **argv)
{
    return cli_run(argc, argv, "mrjob", "looks at jobs and stops them", verbs,
                   sizeof(verbs) / sizeof(verbs[0]));
}
