/*
 * millrace.c - the launcher of whole clusters on one host: up, status, restart, down; and what
 * people need to talk to one: a token, its settings.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/millrace_verbs.h"
#include "lib/base/buf.h"
#include "lib/daemon/settings.h"
#include "lib/os/process.h"

/* --- token ----------------------------------------------------------------------------------- */

static error_t take_nothing(int key, char *argument, struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->input;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", argument);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp token_argp = {
    .parser = take_nothing,
    .children = cli_folder_child,
    .doc =
        "Prints a token of the calling user, for clients that are not of this project.\v"
        "HTTP: curl -H \"authorization: Bearer $(millrace token)\" http://...; gRPC: the same as "
        "metadata. It is valid for a day (setting daemon.token_lifetime).",
};

int millrace_token(int argc, char **argv)
{
    const char *directory = NULL;
    struct arena *arena = arena_open(0);
    struct error error = {OK, ""};
    struct cluster cluster;
    struct slice token = {.length = 0};
    int exit_code = CLI_USAGE;
    if (argp_parse(&token_argp, argc, argv, 0, NULL, &directory) == 0) {
        enum status status =
            cluster_load(arena, cluster_directory(arena, directory), &cluster, &error);
        if (status == OK)
            status = cluster_token(&cluster, arena, &token, &error);
        if (status == OK)
            printf("%.*s\n", SLICE_ARGS(token));
        exit_code = status == OK ? CLI_DONE : cli_fail(argv[0], &error);
    }
    arena_close(arena);
    return exit_code;
}

/* --- settings -------------------------------------------------------------------------------- */

struct settings_view {
    const char *directory;
    const char *name; /* of one daemon; NULL: one of each role */
    bool is_json;
    struct arena *arena;
};

static error_t take_settings_option(int key, char *argument, struct argp_state *state)
{
    struct settings_view *view = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &view->directory;
        return 0;
    case 'j':
        view->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (view->name != NULL)
            argp_error(state, "one daemon at a time");
        view->name = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option settings_options[] = {
    {"json", 'j', NULL, 0, "Prints one JSON object: an array of settings for each daemon", 0},
    {0 },
};

static const struct argp settings_argp = {
    .options = settings_options,
    .parser = take_settings_option,
    .children = cli_folder_child,
    .args_doc = "[DAEMON]",
    .doc = "Lists the settings as a daemon would read them when started now, and where each value "
           "comes from: of millrace and of one daemon of each kind, or of DAEMON alone.",
};

/* The daemon's program knows its settings; it prints them itself, on our output. */
static enum status print_of_daemon(const struct settings_view *view,
                                   const struct millrace_cluster *cluster,
                                   const struct cluster_process *process,
                                   struct error *reterr_error)
{
    const char *const *arguments =
        cluster_process_arguments(process, cluster->directory, view->arena);
    size_t count = 0;
    while (arguments[count] != NULL)
        count++;
    const char **longer = ARENA_ARRAY(view->arena, const char *, count + 2);
    memcpy(longer, arguments, count * sizeof(*arguments));
    longer[count] = view->is_json ? "--settings-json" : "--settings";
    const struct process_spec spec = {.arguments = longer};
    int64_t pid = 0;
    struct process_exit exit = {.code = 0};
    (void)fflush(stdout); /* its failure is found at the end */
    enum status status = process_spawn(&spec, &pid, reterr_error);
    if (status == OK)
        status = process_wait(pid, &exit, reterr_error);
    if (status == OK && process_exit_code(exit) != 0)
        status = error_set(reterr_error, ERR_INVALID, "mr-%s refuses its settings", process->role);
    return status;
}

static enum status print_own(const struct settings_view *view,
                             const struct millrace_cluster *cluster,
                             struct error *reterr_error)
{
    struct buf text;
    buf_open(&text, 0);
    enum status status = view->is_json ? settings_print_json(cluster->settings, &text)
                                       : settings_print(cluster->settings, &text);
    if (status == OK)
        fputs(buf_string(&text), stdout);
    buf_close(&text);
    return status == OK ? OK
                        : error_set(reterr_error, status, "print: %s", status_sentence(status));
}

static void print_title(const struct settings_view *view, const char *name, bool is_first)
{
    if (view->is_json)
        printf("%s\"%s\": ", is_first ? "{" : ",\n", name);
    else
        printf("%s%s\n", is_first ? "" : "\n", name);
}

/* The first of its role, or the one that was named. */
static bool is_wanted(const struct settings_view *view,
                      const struct millrace_cluster *cluster,
                      size_t index)
{
    if (view->name != NULL)
        return strcmp(cluster->processes[index].name, view->name) == 0;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(cluster->processes[i].role, cluster->processes[index].role) == 0)
            return false;
    }
    return true;
}

static enum status print_settings(const struct settings_view *view, struct error *reterr_error)
{
    struct millrace_cluster cluster;
    enum status status =
        millrace_cluster_open(view->directory, view->arena, &cluster, reterr_error);
    if (status != OK)
        return status;
    size_t printed = 0;
    if (view->name == NULL) {
        print_title(view, "millrace", printed++ == 0);
        status = print_own(view, &cluster, reterr_error);
    }
    for (size_t i = 0; i < cluster.count && status == OK; i++) {
        if (!is_wanted(view, &cluster, i))
            continue;
        print_title(view, cluster.processes[i].name, printed++ == 0);
        status = print_of_daemon(view, &cluster, &cluster.processes[i], reterr_error);
    }
    if (status == OK && printed == 0)
        status = error_set(reterr_error, ERR_INVALID, "the cluster in %s has no daemon %s",
                           cluster.directory, view->name);
    if (status == OK && view->is_json)
        printf("}\n");
    millrace_cluster_close(&cluster);
    return status;
}

int millrace_settings(int argc, char **argv)
{
    struct settings_view view = {.arena = arena_open(0)};
    struct error error = {OK, ""};
    int exit_code = CLI_USAGE;
    if (argp_parse(&settings_argp, argc, argv, 0, NULL, &view) == 0)
        exit_code = print_settings(&view, &error) == OK ? CLI_DONE : cli_fail(argv[0], &error);
    arena_close(view.arena);
    return exit_code;
}

/* --- main ------------------------------------------------------------------------------------ */

static const struct cli_verb verbs[] = {
    {"up",       "[--nodes N] [--dir DIR]", "start a cluster, or what of it does not run", millrace_up      },
    {"status",   "[--json]",                "show daemons, filesystem, nodes",             millrace_status  },
    {"down",     "[--purge]",               "stop it, and remove its folder",              millrace_down    },
    {"restart",  "DAEMON...",               "stop daemons and start them again",           millrace_restart },
    {"settings", "[DAEMON]",                "list settings and where they come from",      millrace_settings},
    {"token",    "",                        "print a token for curl and gRPC clients",     millrace_token   },
};

int main(int argc, char **argv)
{
    return cli_run(argc, argv, "millrace", "starts, shows and stops a cluster on this host", verbs,
                   sizeof(verbs) / sizeof(verbs[0]));
}
