/*
 * millrace_up.c - millrace up: makes a cluster's folder, starts what does not run.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cluster_folder.h"
#include "cli/command.h"
#include "cli/conf_text.h"
#include "cli/millrace_verbs.h"
#include "lib/base/buf.h"
#include "lib/daemon/settings.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

enum {
    ASSIGNMENTS_MAX = 200
};

struct up {
    const char *command;
    struct arena *arena;
    const char *directory;
    const char *assignments[ASSIGNMENTS_MAX];
    size_t assignment_count;
    struct buf old_settings; /* millrace.conf, to go back to when the start fails */
    struct buf new_settings;
    bool is_new;      /* the folder holds no cluster yet */
    size_t old_count; /* of its daemons */
    struct millrace_cluster cluster;
};

static void add_assignment(struct up *up, struct argp_state *state, const char *text)
{
    if (up->assignment_count == ASSIGNMENTS_MAX)
        argp_error(state, "more than %d settings", (int)ASSIGNMENTS_MAX);
    up->assignments[up->assignment_count++] = text;
}

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    struct up *up = state->input;
    switch (key) {
    case 'n':
        add_assignment(up, state,
                       (const char *)arena_format(up->arena, "up.nodes=%s", argument).data);
        return 0;
    case 'r':
        add_assignment(up, state,
                       (const char *)arena_format(up->arena, "up.racks=%s", argument).data);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &up->directory;
        return 0;
    case 's':
        add_assignment(up, state, argument);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", argument);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    {"nodes",                                                      'n', "N", 0, "Nodes of the cluster (default 3; more can be added later)", 0},
    {"racks",                                                         'r', "R", 0, "Racks they stand in (default 2)", 0},
    {"set", 's', "NAME=VALUE", 0,
     "Gives a setting a value and keeps it in the folder's millrace.conf; may be repeated", 0},
    {0                                                           },
};

static const struct argp up_argp = {
    .options = option_rows,
    .parser = take_option,
    .children = cli_folder_child,
    .doc = "Starts a cluster on this host, or what of it does not run, and waits until it is ready."
           "\vThe daemons stay in the background; millrace down stops them. All ports are on "
           "loopback and free ones, unless given: up.rm_port, up.rm_http_port, up.namenode_port, "
           "up.namenode_http_port. See docs/cluster.md.",
};

/* --- settings -------------------------------------------------------------------------------- */

static bool is_own(struct slice name)
{
    return slice_has_prefix(name, slice_from_string("up."));
}

/* Tries the values of millrace's own settings, so that a bad one is never written. */
static enum status try_settings(const struct up *up,
                                struct settings *settings,
                                struct error *reterr_error)
{
    for (size_t i = 0; i < up->assignment_count; i++) {
        struct slice name;
        struct slice value;
        enum status status = conf_text_split(up->assignments[i], &name, &value, reterr_error);
        if (status == OK && is_own(name))
            status = settings_set(settings, up->assignments[i], "--set", reterr_error);
        if (status != OK) {
            reterr_error->status = ERR_INVALID; /* also for a name that nobody has: bad usage */
            return ERR_INVALID;
        }
    }
    return OK;
}

static enum status apply_assignments(struct up *up, struct error *reterr_error)
{
    for (size_t i = 0; i < up->assignment_count; i++) {
        struct slice name;
        struct slice value;
        struct buf changed;
        buf_open(&changed, 0);
        enum status status = conf_text_split(up->assignments[i], &name, &value, reterr_error);
        if (status == OK)
            status = conf_text_set(buf_slice(&up->new_settings), name, value, &changed);
        buf_close(&up->new_settings);
        up->new_settings = changed;
        if (status != OK)
            return status;
    }
    return OK;
}

/* Most settings are read when a daemon starts; adding nodes is the exception. */
static enum status check_changes(const struct up *up, struct error *reterr_error)
{
    size_t running = 0;
    for (size_t i = 0; i < up->cluster.count; i++)
        running += up->cluster.processes[i].pid > 0;
    for (size_t i = 0; i < up->assignment_count; i++) {
        struct slice name = {.length = 0};
        struct slice value = {.length = 0};
        struct slice old = {.length = 0};
        status_ignore(conf_text_split(up->assignments[i], &name, &value, NULL)); /* tried before */
        bool has_old = conf_text_get(buf_slice(&up->old_settings), name, &old);
        if (has_old && slice_equal(old, value))
            continue;
        if (slice_equal_string(name, "up.racks"))
            return error_set(reterr_error, ERR_INVALID,
                             "the cluster in %s has %.*s racks, which cannot change", up->directory,
                             SLICE_ARGS(old));
        if (running > 0 && !slice_equal_string(name, "up.nodes"))
            return error_set(reterr_error, ERR_INVALID,
                             "%.*s cannot change while the cluster runs: millrace down comes first",
                             SLICE_ARGS(name));
    }
    return OK;
}

/* The nodes that are there stay: their blocks would be lost. */
static enum status check_nodes(const struct up *up,
                               const struct settings *settings,
                               struct error *reterr_error)
{
    uint64_t nodes = 0;
    for (size_t i = 0; i < up->cluster.count; i++)
        nodes += strcmp(up->cluster.processes[i].role, "datanode") == 0;
    if (settings_u64(settings, "up.nodes") < nodes)
        return error_set(reterr_error, ERR_INVALID,
                         "the cluster in %s has %llu nodes, with blocks on them: nodes can be "
                         "added, not taken away",
                         up->directory, (unsigned long long)nodes);
    return OK;
}

/* --- the folder ------------------------------------------------------------------------------ */

/* Refuses what an existing cluster cannot become. */
static enum status check_existing(struct up *up,
                                  const struct settings *settings,
                                  struct error *reterr_error)
{
    enum status status =
        millrace_cluster_open(up->directory, up->arena, &up->cluster, reterr_error);
    if (status != OK)
        return status;
    status =
        cluster_folder_read_settings(up->directory, up->arena, &up->old_settings, reterr_error);
    if (status == OK)
        status = check_changes(up, reterr_error);
    if (status == OK)
        status = check_nodes(up, settings, reterr_error);
    up->old_count = up->cluster.count;
    millrace_cluster_close(&up->cluster);
    return status;
}

static enum status prepare_folder(struct up *up,
                                  const struct settings *settings,
                                  struct error *reterr_error)
{
    struct cluster_plan plan;
    enum status status = up->is_new ? OK : check_existing(up, settings, reterr_error);
    if (status == OK)
        status = millrace_plan(settings, up->arena, &plan, reterr_error);
    if (status == OK && up->is_new)
        status = buf_append_slice(&up->old_settings, slice_from_string(plan.settings));
    if (status == OK)
        status = buf_append_slice(&up->new_settings, buf_slice(&up->old_settings));
    if (status == OK)
        status = apply_assignments(up, reterr_error);
    if (status == OK)
        status = cluster_folder_write_settings(up->directory, up->arena,
                                               buf_slice(&up->new_settings), reterr_error);
    if (status == OK && (up->is_new || plan.count > up->old_count))
        status = cluster_folder_make(up->directory, &plan, up->arena, reterr_error);
    return status;
}

/* Makes or changes what is in the folder; then the cluster can be opened as it is to be. */
static enum status prepare(struct up *up, struct error *reterr_error)
{
    struct settings *settings = NULL;
    enum status status = millrace_settings_open(up->directory, up->arena, &settings, reterr_error);
    if (status != OK)
        return status;
    up->is_new = !cluster_folder_is_made(up->directory, up->arena);
    status = try_settings(up, settings, reterr_error);
    if (status == OK)
        status = prepare_folder(up, settings, reterr_error);
    settings_close(settings);
    return status;
}

/* --- the start ------------------------------------------------------------------------------- */

static size_t missing_count(const struct up *up)
{
    size_t missing = 0;
    for (size_t i = 0; i < up->cluster.count; i++)
        missing += up->cluster.processes[i].pid == 0;
    return missing;
}

static bool is_default_directory(const struct up *up, const char *inherited)
{
    return strcmp(up->directory, cluster_directory(up->arena, inherited)) == 0;
}

static void print_ready(const struct up *up, size_t missing, int64_t took_ms, const char *inherited)
{
    millrace_print_daemons(&up->cluster);
    if (missing == 0)
        printf("All of it was running already.\n");
    else
        printf("Ready after %lld.%02lld s.\n", (long long)(took_ms / 1000),
               (long long)(took_ms % 1000 / 10));
    if (!is_default_directory(up, inherited))
        printf("Commands find it by --dir, or by: export MILLRACE_DIR=%s\n", up->directory);
}

static enum status start(struct up *up, const char *inherited, struct error *reterr_error)
{
    int64_t begin_ms = clock_monotonic_ms();
    enum status status =
        millrace_cluster_open(up->directory, up->arena, &up->cluster, reterr_error);
    if (status != OK)
        return status;
    size_t missing = missing_count(up);
    if (missing > 0)
        printf("Starting %zu of %zu daemons in %s\n", missing, up->cluster.count, up->directory);
    else
        printf("Cluster in %s\n", up->directory);
    (void)fflush(stdout); /* its failure is found at the end */
    status = millrace_cluster_start(&up->cluster, up->arena, reterr_error);
    if (status == OK)
        print_ready(up, missing, clock_monotonic_ms() - begin_ms, inherited);
    millrace_cluster_close(&up->cluster);
    return status;
}

/* What was asked for in a start that failed is not kept for the next one; logs are. */
static void take_back(const struct up *up)
{
    struct error error = {OK, ""};
    enum status status = up->is_new
                             ? cluster_folder_unmake(up->directory, up->arena, &error)
                             : cluster_folder_write_settings(up->directory, up->arena,
                                                             buf_slice(&up->old_settings), &error);
    if (status != OK)
        fprintf(stderr, "%s: while taking back what was set: %s\n", up->command, error.text);
}

static enum status bring_up(struct up *up, struct error *reterr_error)
{
    const char *inherited = host_environment("MILLRACE_DIR");
    if (inherited != NULL)
        inherited = (const char *)arena_copy(up->arena, slice_from_string(inherited)).data;
    up->directory = cluster_directory(up->arena, up->directory);
    struct file_lock *lock = NULL;
    enum status status = millrace_take_signals(reterr_error);
    if (status == OK)
        status = cluster_folder_prepare(up->directory, up->arena, reterr_error);
    if (status == OK)
        status = cluster_folder_lock(up->directory, up->arena, &lock, reterr_error);
    if (status != OK)
        return status;
    status = prepare(up, reterr_error);
    if (status == OK) {
        status = start(up, inherited, reterr_error);
        if (status != OK)
            take_back(up);
    }
    file_lock_close(lock);
    return status;
}

int millrace_up(int argc, char **argv)
{
    struct up up = {.command = argv[0], .arena = arena_open(0)};
    struct error error = {OK, ""};
    int exit_code = CLI_USAGE;
    if (argp_parse(&up_argp, argc, argv, 0, NULL, &up) == 0)
        exit_code = bring_up(&up, &error) == OK ? CLI_DONE : cli_fail(up.command, &error);
    buf_close(&up.old_settings);
    buf_close(&up.new_settings);
    arena_close(up.arena);
    return exit_code;
}
