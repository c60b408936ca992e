/*
 * daemon_options.c - a daemon's command line, settings and folders.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon_private.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"

enum {
    ASSIGNMENTS_MAX = 1000,
    OPTION_DIR = 1000,
    OPTION_CLUSTER,
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_SETTINGS,
    OPTION_SETTINGS_JSON,
    OPTION_VERSION
};

static const struct setting common_settings[] = {
    {"cluster.dir",                 SETTING_STRING, "",       "the cluster's folder; empty: $HOME/.millrace/cluster",       0,
     0                                                                                                                               },
    {"cluster.namenode",            SETTING_STRING, "",       "host:port of the namenode; empty: the folder tells",
     0,                                                                                                                           0  },
    {"cluster.rm",                  SETTING_STRING, "",       "host:port of the resource manager; empty: the folder tells",
     0,                                                                                                                           0  },
    {"daemon.dir",                  SETTING_STRING, "",       "this daemon's own folder; empty: <cluster.dir>/<program>",
     0,                                                                                                                           0  },
    {"daemon.name",                 SETTING_STRING, "",       "its name in the cluster; empty: the program's",              0,    0  },
    {"daemon.host",                 SETTING_STRING, "",       "host name that locality compares; empty: the host's",        0,
     0                                                                                                                               },
    {"daemon.rack",                 SETTING_STRING, "/rack0", "rack this host is in",                                       0,    0  },
    {"daemon.rpc_port",             SETTING_U64,    "0",      "gRPC port on loopback; 0: the last one, or any",             0,
     65535                                                                                                                           },
    {"daemon.http_port",            SETTING_U64,    "0",      "HTTP port on loopback; 0: the last one, or any",             0,
     65535                                                                                                                           },
    {"daemon.rpc_threads",          SETTING_U64,    "2",      "threads that take gRPC calls",                               1,    64 },
    {"daemon.workers",              SETTING_U64,    "4",      "threads for work that blocks",                               1,    256},
    {"daemon.stop_ms",              SETTING_MS,     "10s",    "how long an orderly stop may take",                          0,    0  },
    {"daemon.check",                SETTING_BOOL,   "false",  "check every invariant after every step",                     0,    0  },
    {"daemon.trace",                SETTING_BOOL,   "false",  "log what the machine does, at level debug",                  0,    0  },
    {"daemon.fault",                SETTING_STRING, "",       "for drills: point:nth:repeat, see lib/base/fault.h",         0,
     0                                                                                                                               },
    {"daemon.token_lifetime",       SETTING_MS,     "24h",    "how long issued tokens are valid",                           1000,
     INT64_MAX                                                                                                                       },
    {"daemon.groups_keep",          SETTING_MS,     "60s",    "how long the groups of a user are remembered",               1,
     INT64_MAX                                                                                                                       },
    {"journal.checkpoint_bytes",    SETTING_BYTES,  "64m",
     "make a checkpoint when the log is larger; 0: not for that",                                                           0,    0  },
    {"journal.checkpoint_interval", SETTING_MS,     "1h",
     "make one so long after the last if anything changed; 0: not",                                                         0,    0  },
    {"journal.check_tally",         SETTING_BOOL,   "true",
     "refuse to start when the state is not what the journal says",                                                         0,    0  },
    {"journal.dirs",                SETTING_STRING, "",
     "up to 4 folders, comma between, that each hold the journal; empty: daemon.dir",                                       0,    0  },
    {"journal.reserve_bytes",       SETTING_BYTES,  "16m",    "disk room the journal reserves ahead",                       0,    0  },
    {"log.level",                   SETTING_STRING, "info",   "error, warn, info or debug",                                 0,    0  },
    {"log.file",                    SETTING_STRING, "",       "where log lines go; empty: stderr",                          0,    0  },
};

/* The command line, in order. */
struct daemon_options {
    const char *assignments[ASSIGNMENTS_MAX];
    const char *sources[ASSIGNMENTS_MAX];
    size_t count;
    const char *config;
    enum daemon_request request;
    struct arena *arena;
    const char *version;
};

static void add_assignment(struct daemon_options *options,
                           struct argp_state *state,
                           const char *assignment,
                           const char *source)
{
    if (options->count == ASSIGNMENTS_MAX)
        argp_error(state, "more than %d settings", (int)ASSIGNMENTS_MAX);
    options->assignments[options->count] = assignment;
    options->sources[options->count++] = source;
}

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    struct daemon_options *options = state->input;
    switch (key) {
    case OPTION_DIR:
        add_assignment(options, state,
                       (const char *)arena_format(options->arena, "daemon.dir=%s", argument).data,
                       "--dir");
        return 0;
    case OPTION_CLUSTER:
        add_assignment(options, state,
                       (const char *)arena_format(options->arena, "cluster.dir=%s", argument).data,
                       "--cluster");
        return 0;
    case OPTION_CONFIG:
        options->config = argument;
        return 0;
    case OPTION_SET:
        add_assignment(options, state, argument, "--set");
        return 0;
    case 'D':
        add_assignment(options, state, argument, "-D");
        return 0;
    case OPTION_SETTINGS:
        options->request = DAEMON_PRINT_SETTINGS;
        return 0;
    case OPTION_SETTINGS_JSON:
        options->request = DAEMON_PRINT_SETTINGS_JSON;
        return 0;
    case OPTION_VERSION:
        (void)printf("%s\n", options->version); /* nobody to tell when stdout is closed */
        exit(0);
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", argument);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    {"dir",                                           OPTION_DIR, "DIR", 0, "The daemon's own folder (setting daemon.dir)", 0},
    {"cluster",                                          OPTION_CLUSTER, "DIR", 0, "The cluster's folder (setting cluster.dir)", 0},
    {"config", OPTION_CONFIG, "FILE", 0, "Settings; default: millrace.conf in the cluster's folder",
     0},
    {"set",                                               OPTION_SET, "NAME=VALUE", 0, "Gives a setting a value; may be repeated", 0},
    {NULL,'D', "NAME=VALUE", 0, "The same", 0},
    {"settings",                                              OPTION_SETTINGS, NULL, 0, "Prints all settings and where they come from, and ends",
     0},
    {"settings-json",                                              OPTION_SETTINGS_JSON, NULL, 0, "The same as JSON", 0},
    {"version",                                        OPTION_VERSION, NULL, 0, "Prints the version and ends", 0},
    {0                                        },
};

static void parse_command_line(const struct daemon *daemon,
                               int argc,
                               char **argv,
                               struct daemon_options *options)
{
    const struct argp argp = {
        .options = option_rows, .parser = take_option, .doc = daemon->definition->purpose};
    argp_err_exit_status = EXIT_USAGE;
    CHECK(argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options) == 0);
}

static struct settings *new_settings(const struct daemon *daemon)
{
    struct settings *settings = settings_open();
    settings_add(settings, common_settings, sizeof(common_settings) / sizeof(common_settings[0]));
    settings_add(settings, daemon->definition->settings, daemon->definition->settings_count);
    return settings;
}

/* The sources that win over the file. */
static enum status apply_overrides(struct settings *settings,
                                   const struct daemon_options *options,
                                   struct error *reterr_error)
{
    enum status status = settings_load_environment(settings, reterr_error);
    const char *directory = host_environment("MILLRACE_DIR"); /* the name everybody uses */
    if (status == OK && directory != NULL) {
        struct slice assignment = arena_format(options->arena, "cluster.dir=%s", directory);
        status = settings_set(settings, (const char *)assignment.data, "environment MILLRACE_DIR",
                              reterr_error);
    }
    for (size_t i = 0; i < options->count && status == OK; i++)
        status = settings_set(settings, options->assignments[i], options->sources[i], reterr_error);
    return status;
}

/* The file is looked for in the cluster's folder, which only the other sources can name. */
static enum status load_settings(struct daemon *daemon,
                                 const struct daemon_options *options,
                                 struct error *reterr_error)
{
    struct settings *first = new_settings(daemon);
    enum status status = apply_overrides(first, options, reterr_error);
    const char *path = options->config;
    if (path == NULL)
        path = host_environment("MILLRACE_CONFIG");
    bool must_exist = path != NULL;
    if (path == NULL)
        path = path_join(daemon->arena,
                         cluster_directory(daemon->arena, settings_string(first, "cluster.dir")),
                         "millrace.conf");
    settings_close(first);
    if (status != OK)
        return status;
    daemon->settings = new_settings(daemon);
    status = settings_load_file(daemon->settings, path, must_exist, reterr_error);
    return status == OK ? apply_overrides(daemon->settings, options, reterr_error) : status;
}

/* A folder from a setting, absolute; from its default when the setting is empty. */
static enum status find_folders(struct daemon *daemon, struct error *reterr_error)
{
    struct arena *arena = daemon->arena;
    const struct settings *settings = daemon->settings;
    daemon->cluster_directory = cluster_directory(arena, settings_string(settings, "cluster.dir"));
    const char *directory = settings_string(settings, "daemon.dir");
    if (directory[0] == '\0')
        directory = path_join(arena, daemon->cluster_directory, daemon->definition->name);
    const char *host = settings_string(settings, "daemon.host");
    daemon->host = host[0] != '\0' ? host : host_name(arena);
    return path_absolute(arena, directory, &daemon->directory, reterr_error);
}

enum status daemon_configure(struct daemon *daemon,
                             int argc,
                             char **argv,
                             enum daemon_request *ret_request,
                             struct error *reterr_error)
{
    struct daemon_options *options = MEM_NEW(struct daemon_options);
    options->arena = daemon->arena;
    options->version = PACKAGE_VERSION;
    parse_command_line(daemon, argc, argv, options);
    enum status status = load_settings(daemon, options, reterr_error);
    if (status == OK)
        status = find_folders(daemon, reterr_error);
    *ret_request = options->request;
    mem_free(options);
    return status;
}
