/*
 * millrace_down.c - millrace down: stops a cluster; millrace restart: stops and starts some of it.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cluster_folder.h"
#include "cli/command.h"
#include "cli/millrace_verbs.h"
#include "lib/daemon/settings.h"
#include "lib/os/file.h"

enum {
    NAMES_MAX = 200
};

struct down {
    const char *command;
    struct arena *arena;
    const char *directory;
    bool is_purge;
    const char *names[NAMES_MAX]; /* restart: of daemons */
    size_t name_count;
    struct file_lock *lock;
    struct millrace_cluster cluster;
};

static enum status open_cluster(struct down *down, struct error *reterr_error)
{
    enum status status =
        millrace_cluster_open(down->directory, down->arena, &down->cluster, reterr_error);
    if (status != OK)
        return status;
    status = cluster_folder_lock(down->cluster.directory, down->arena, &down->lock, reterr_error);
    if (status != OK)
        millrace_cluster_close(&down->cluster);
    return status;
}

static void close_cluster(struct down *down)
{
    file_lock_close(down->lock);
    millrace_cluster_close(&down->cluster);
}

static size_t running_count(const struct millrace_cluster *cluster)
{
    size_t running = 0;
    for (size_t i = 0; i < cluster->count; i++)
        running += cluster->processes[i].pid > 0;
    return running;
}

static enum status purge(struct down *down, const char *directory, struct error *reterr_error)
{
    enum status status = cluster_folder_remove(directory, down->arena, reterr_error);
    if (status == OK)
        printf("Removed %s.\n", directory);
    return status;
}

static enum status bring_down(struct down *down, struct error *reterr_error)
{
    const char *directory = cluster_directory(down->arena, down->directory);
    /* Whoever asks twice to remove a cluster has what he wants. */
    struct file_info info;
    if (down->is_purge && file_info_get(directory, true, &info, NULL) == ERR_NOT_FOUND) {
        printf("There is no %s.\n", directory);
        return OK;
    }
    if (down->is_purge && !cluster_folder_is_made(directory, down->arena))
        return purge(down, directory, reterr_error); /* of a start that failed, or refused */
    enum status status = open_cluster(down, reterr_error);
    if (status != OK)
        return status;
    size_t running = running_count(&down->cluster);
    size_t killed = 0;
    status = cluster_processes_stop(down->cluster.processes, down->cluster.count,
                                    settings_ms(down->cluster.settings, "up.stop_ms"), &killed,
                                    reterr_error);
    if (status == OK && running == 0)
        printf("Nothing of the cluster in %s was running.\n", directory);
    else if (status == OK)
        printf("Stopped %zu daemons of the cluster in %s.\n", running, directory);
    if (status == OK && killed > 0)
        fprintf(stderr, "%s: %zu of them did not stop in time and were killed\n", down->command,
                killed);
    if (status == OK && down->is_purge)
        status = purge(down, directory, reterr_error);
    close_cluster(down);
    return status;
}

static error_t take_down_option(int key, char *argument, struct argp_state *state)
{
    struct down *down = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &down->directory;
        return 0;
    case 'p':
        down->is_purge = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", argument);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option down_options[] = {
    {"purge", 'p', NULL, 0, "Removes the folder with all files in it, too", 0},
    {0  },
};

static const struct argp down_argp = {
    .options = down_options,
    .parser = take_down_option,
    .children = cli_folder_child,
    .doc = "Stops a cluster: resource manager and node managers, datanodes, namenode.\v"
           "Files stay, for the next millrace up. Running jobs are tried again then.",
};

int millrace_down(int argc, char **argv)
{
    struct down down = {.command = argv[0], .arena = arena_open(0)};
    struct error error = {OK, ""};
    int exit_code = CLI_USAGE;
    if (argp_parse(&down_argp, argc, argv, 0, NULL, &down) == 0)
        exit_code = bring_down(&down, &error) == OK ? CLI_DONE : cli_fail(down.command, &error);
    arena_close(down.arena);
    return exit_code;
}

/* --- restart --------------------------------------------------------------------------------- */

static error_t take_restart_option(int key, char *argument, struct argp_state *state)
{
    struct down *down = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &down->directory;
        return 0;
    case ARGP_KEY_ARG:
        if (down->name_count == NAMES_MAX)
            argp_error(state, "more than %d names", (int)NAMES_MAX);
        down->names[down->name_count++] = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which daemons? millrace status lists them");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp restart_argp = {
    .parser = take_restart_option,
    .children = cli_folder_child,
    .args_doc = "DAEMON...",
    .doc = "Stops these daemons (\"rm\", \"datanode-2\", ...), and starts all that do not run.",
};

static struct cluster_process *find_process(struct millrace_cluster *cluster, const char *name)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (strcmp(cluster->processes[i].name, name) == 0)
            return &cluster->processes[i];
    }
    return NULL;
}

static enum status restart_named(struct down *down, struct error *reterr_error)
{
    for (size_t i = 0; i < down->name_count; i++) {
        if (find_process(&down->cluster, down->names[i]) == NULL)
            return error_set(reterr_error, ERR_INVALID, "the cluster in %s has no daemon %s",
                             down->cluster.directory, down->names[i]);
    }
    for (size_t i = 0; i < down->name_count; i++) {
        struct cluster_process *process = find_process(&down->cluster, down->names[i]);
        enum status status = cluster_processes_stop(
            process, 1, settings_ms(down->cluster.settings, "up.stop_ms"), NULL, reterr_error);
        if (status != OK)
            return status;
    }
    enum status status = millrace_cluster_start(&down->cluster, down->arena, reterr_error);
    if (status == OK)
        millrace_print_daemons(&down->cluster);
    return status;
}

int millrace_restart(int argc, char **argv)
{
    struct down down = {.command = argv[0], .arena = arena_open(0)};
    struct error error = {OK, ""};
    int exit_code = CLI_USAGE;
    if (argp_parse(&restart_argp, argc, argv, 0, NULL, &down) == 0) {
        enum status status = open_cluster(&down, &error);
        if (status == OK) {
            status = millrace_take_signals(&error);
            if (status == OK)
                status = restart_named(&down, &error);
            close_cluster(&down);
        }
        exit_code = status == OK ? CLI_DONE : cli_fail(down.command, &error);
    }
    arena_close(down.arena);
    return exit_code;
}
