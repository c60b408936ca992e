/*
 * mrfs.c - the filesystem's shell: "mrfs COMMAND [OPTION...] PATH...".
 * Data goes to stdout, everything else to stderr. Exit codes: docs/exit-codes.md.
 */
#include "cli/mrfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <argp.h>

#include "cli/command.h"
#include "lib/daemon/cluster.h"
#include "lib/model/path.h"
#include "lib/model/text.h"
#include "lib/net/net.h"
#include "lib/os/host.h"
#include "lib/os/signals.h"

enum {
    DEFAULT_TIMEOUT_S = 20
};

struct command {
    const char *name;
    const char *arguments;
    const char *purpose;
    size_t paths_min;
    size_t paths_max; /* SIZE_MAX: any number */
    void (*run)(struct mrfs *mrfs);
    const struct argp_option *options;
};

#define COMMON_OPTIONS                                                                             \
 {"cluster", KEY_CLUSTER, "DIR", 0, "the cluster's folder", 9},                                    \
     {"timeout", KEY_TIMEOUT, "SECONDS", 0, "how long a busy cluster is waited for (20)", 9},      \
 {                                                                                                 \
  0                                                                                                \
 }

static const struct argp_option put_options[] = {
    {"force",       'f',             NULL,    0, "replace files that exist",              1},
    {"recursive",   'r',             NULL,    0, "copy folders with all that is in them", 1},
    {"parents",     'p',             NULL,    0, "make missing parent directories",       1},
    {"replication", KEY_REPLICATION, "N",     0, "copies of each block",                  1},
    {"block-size",  KEY_BLOCK_SIZE,  "BYTES", 0, "bytes of a block; suffixes k, m, g",    1},
    COMMON_OPTIONS
};
static const struct argp_option get_options[] = {
    {"force",     'f',        NULL, 0, "replace local files that exist",            1},
    {"recursive", 'r',        NULL, 0, "copy directories with all that is in them", 1},
    {"remote",    KEY_REMOTE, NULL, 0, "fetch over HTTP even what is on this host", 1},
    COMMON_OPTIONS
};
static const struct argp_option cat_options[] = {
    {"remote", KEY_REMOTE, NULL, 0, "fetch over HTTP even what is on this host", 1},
    COMMON_OPTIONS
};
static const struct argp_option ls_options[] = {
    {"recursive", 'R',      NULL, 0, "list directories below, too",                      1},
    {"directory", 'd',      NULL, 0, "show directories themselves, not what is in them", 1},
    {"json",      KEY_JSON, NULL, 0, "print a JSON array",                               1},
    COMMON_OPTIONS
};
static const struct argp_option mkdir_options[] = {
    {"parents", 'p', NULL,   0, "make missing parents; an existing directory is fine", 1},
    {"mode",    'm', "MODE", 0, "octal permission (755)",                              1},
    COMMON_OPTIONS
};
static const struct argp_option rm_options[] = {
    {"recursive", 'r', NULL, 0, "remove directories with all that is in them", 1},
    {"force",     'f', NULL, 0, "what does not exist is no failure",           1},
    COMMON_OPTIONS
};
static const struct argp_option du_options[] = {
    {"summarize", 's',      NULL, 0, "one line for each PATH",         1},
    {"human",     'h',      NULL, 0, "KiB, MiB, GiB instead of bytes", 1},
    {"json",      KEY_JSON, NULL, 0, "print a JSON array",             1},
    COMMON_OPTIONS
};
static const struct argp_option stat_options[] = {
    {"blocks", KEY_BLOCKS, NULL, 0, "show every block and where its replicas are", 1},
    {"json",   KEY_JSON,   NULL, 0, "print a JSON array",                          1},
    COMMON_OPTIONS
};
static const struct argp_option change_options[] = {
    {"recursive", 'R', NULL, 0, "change everything below, too", 1},
    COMMON_OPTIONS
};
static const struct argp_option plain_options[] = {COMMON_OPTIONS};

static const struct command commands[] = {
    {"put",   "LOCAL... PATH",           "copy local files into the filesystem; \"-\" is stdin", 2, SIZE_MAX,
     mrfs_put,                                                                                                            put_options  },
    {"get",   "PATH... LOCAL",           "copy files out of the filesystem; \"-\" is stdout",    2, SIZE_MAX,
     mrfs_get,                                                                                                            get_options  },
    {"cat",   "PATH...",                 "print files",                                          1, SIZE_MAX, mrfs_cat,   cat_options  },
    {"ls",    "[PATH...]",               "list directories",                                     0, SIZE_MAX, mrfs_ls,    ls_options   },
    {"mkdir", "PATH...",                 "make directories",                                     1, SIZE_MAX, mrfs_mkdir, mkdir_options},
    {"mv",    "PATH... PATH",            "rename, or move into a directory",                     2, SIZE_MAX, mrfs_mv,    plain_options},
    {"rm",    "PATH...",                 "remove files and, with -r, directories",               1, SIZE_MAX, mrfs_rm,    rm_options   },
    {"du",    "[PATH...]",               "show how many bytes there are below",                  0, SIZE_MAX, mrfs_du,    du_options   },
    {"stat",  "PATH...",                 "show what is known of files",                          1, SIZE_MAX, mrfs_stat,  stat_options },
    {"chmod", "MODE PATH...",            "change permissions; MODE is octal",                    2, SIZE_MAX, mrfs_chmod,
     change_options                                                                                                                    },
    {"chown", "[OWNER][:GROUP] PATH...", "change owner and group",                               2, SIZE_MAX, mrfs_chown,
     change_options                                                                                                                    },
};

/* --- helpers for all commands ------------------------------------------------------------------
 */

void mrfs_complain(struct mrfs *mrfs, const char *name, enum status status, const char *text)
{
    mrfs->has_failed = true;
    if (status == ERR_UNAVAILABLE || status == ERR_DEADLINE)
        mrfs->is_unreachable = true;
    const char *why = text[0] != 0 ? text : status_sentence(status);
    struct text_quote quoted = text_quote(slice_from_string(name));
    fprintf(stderr, "mrfs: %s: %s: %s\n", mrfs->command, quoted.text, why);
}

bool mrfs_path(struct mrfs *mrfs, const char *text, struct slice *ret_path)
{
    struct error error = {0};
    enum status status = path_normalise(slice_from_string(text), mrfs->arena, ret_path, &error);
    if (status != OK)
        mrfs_complain(mrfs, text, status, error.text);
    return status == OK;
}

const char *mrfs_bytes_text(uint64_t bytes, unsigned slot)
{
    static char texts[2][32];
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    char *text = texts[slot % 2];
    size_t unit = 0;
    uint64_t rest = 0;
    while (bytes >= 1024) {
        rest = bytes % 1024;
        bytes /= 1024;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(text, sizeof(texts[0]), "%llu B", (unsigned long long)bytes);
    else
        (void)snprintf(text, sizeof(texts[0]), "%llu.%llu %s", (unsigned long long)bytes,
                       (unsigned long long)(rest * 10 / 1024), units[unit]);
    return text;
}

/* --- command line ------------------------------------------------------------------------------
 */

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct mrfs *mrfs = state->input;
    if (key == ARGP_KEY_ARG) {
        mrfs->paths[mrfs->paths_count++] = argument;
        return 0;
    }
    if (key <= 0 || key >= 128)
        return ARGP_ERR_UNKNOWN;
    mrfs->flags[key] = true;
    mrfs->values[key] = argument;
    return 0;
}

static void print_commands(FILE *to)
{
    fprintf(to, "Usage: mrfs COMMAND [OPTION...] PATH...\n"
                "Works with files in the Millrace filesystem.\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(to, "  mrfs %-5s %-26s %s\n", commands[i].name, commands[i].arguments,
                commands[i].purpose);
    fprintf(to, "\n\"mrfs COMMAND --help\" tells the options of a command.\n"
                "The cluster is the folder in MILLRACE_DIR, else $HOME/.millrace/cluster.\n"
                "Exit codes: 0 done, 1 something failed, 2 wrong command line, 3 cluster not "
                "reached.\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int parse_command(const struct command *command, int argc, char **argv, struct mrfs *mrfs)
{
    struct argp argp = {
        .options = command->options,
        .parser = parse_option,
        .args_doc = command->arguments,
        .doc = command->purpose,
    };
    char name[32];
    (void)snprintf(name, sizeof(name), "mrfs %s", command->name); /* the longest has 5 letters */
    argv[0] = name;                                               /* what argp calls the program */
    mrfs->command = command->name;
    mrfs->paths = ARENA_ARRAY(mrfs->arena, char *, (size_t)argc);
    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, mrfs) != 0)
        return CLI_USAGE;
    if (mrfs->paths_count < command->paths_min || mrfs->paths_count > command->paths_max) {
        fprintf(stderr, "mrfs %s: expected %s\nTry \"mrfs %s --help\".\n", command->name,
                command->arguments, command->name);
        return CLI_USAGE;
    }
    return CLI_DONE;
}

/* --- connection --------------------------------------------------------------------------------
 */

static enum status connect_to_cluster(struct mrfs *mrfs, struct error *reterr_error)
{
    struct cluster cluster;
    const char *address = NULL;
    struct slice token = {0};
    const char *directory = cluster_directory(mrfs->arena, mrfs->values[KEY_CLUSTER]);
    if (mrfs->flags[KEY_CLUSTER]) /* on the command line it is stronger than MILLRACE_DIR */
        directory = mrfs->values[KEY_CLUSTER];
    enum status status = cluster_load(mrfs->arena, directory, &cluster, reterr_error);
    if (status == OK)
        status = cluster_rpc_address(&cluster, "namenode", &address, reterr_error);
    if (status == OK)
        status = cluster_token(&cluster, mrfs->arena, &token, reterr_error);
    if (status != OK)
        return status;
    uint64_t seconds = DEFAULT_TIMEOUT_S;
    const char *timeout = mrfs->values[KEY_TIMEOUT];
    if (timeout != NULL && (!slice_parse_u64(slice_from_string(timeout), &seconds) ||
                            seconds == 0 || seconds > 1000000))
        return error_set(reterr_error, ERR_INVALID, "--timeout is a number of seconds, from 1");
    struct dfs_settings settings = {
        .namenode_address = address,
        .token = (const char *)arena_copy(mrfs->arena, token).data,
        .deadline_ms = (int64_t)seconds * 1000,
        .no_local_files = mrfs->flags[KEY_REMOTE],
    };
    return dfs_open(&settings, &mrfs->dfs, reterr_error);
}

static int exit_code(struct mrfs *mrfs)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "mrfs: %s: standard output could not be written\n", mrfs->command);
        mrfs->has_failed = true;
    }
    if (mrfs->is_interrupted)
        return MRFS_INTERRUPTED;
    if (mrfs->is_unreachable)
        return CLI_DOWN;
    return mrfs->has_failed ? CLI_FAILED : CLI_DONE;
}

static int run(const struct command *command, struct mrfs *mrfs)
{
    struct error error = {0};
    enum status status = net_open(NULL, &error);
    if (status == OK) {
        status = connect_to_cluster(mrfs, &error);
        if (status == OK)
            command->run(mrfs);
        dfs_close(mrfs->dfs);
        net_close();
    }
    if (status == OK)
        return exit_code(mrfs);
    fprintf(stderr, "mrfs: %s\n", error.text);
    return status == ERR_INVALID ? CLI_USAGE : CLI_DOWN;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_commands(stdout);
        return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL) {
        fprintf(stderr, "mrfs: %s is no command\nTry \"mrfs --help\".\n",
                text_quote(slice_from_string(argv[1])).text);
        return CLI_USAGE;
    }
    struct mrfs mrfs = {.arena = arena_open(0), .is_terminal = host_is_terminal(2)};
    int code = parse_command(command, argc - 1, argv + 1, &mrfs);
    if (code == CLI_DONE) {
        if (command->run == mrfs_put)
            signals_block(); /* before any thread; an interrupted put abandons what it wrote */
        code = run(command, &mrfs);
    }
    arena_close(mrfs.arena);
    return code;
}
