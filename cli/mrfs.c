/*
 * mrfs.c - the filesystem's shell: "mrfs COMMAND [OPTION...] PATH...". The command line is taken
 * apart, the cluster found, the command run. Data goes to stdout, everything else to stderr.
 * Exit codes: docs/exit-codes.md. All verbs: docs/commands.md.
 */
#include "cli/mrfs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "lib/daemon/cluster.h"
#include "lib/model/text.h"
#include "lib/net/net.h"
#include "lib/os/host.h"
#include "lib/os/signals.h"
#include "lib/os/thread.h"

enum {
    DEFAULT_TIMEOUT_S = 20
};

/* Before the command, and after it; Hadoop's -D, -fs and -conf are taken, so that scripts run. */
static const struct words_option common_options[] = {
    {"cluster dir", KEY_CLUSTER, "DIR",     "the cluster's folder"                      },
    {"timeout",     KEY_TIMEOUT, "SECONDS", "how long a busy cluster is waited for (20)"},
    {"literal",     KEY_LITERAL, NULL,      "take * ? [ { and \\ in names as they are"  },
    {"help ?",      KEY_HELP,    NULL,      "explain the command"                       },
    {NULL,          0,           NULL,      NULL                                        },
};
static const struct words_option generic_options[] = {
    {"D",       KEY_DEFINE, "NAME=VALUE",
     "dfs.replication, dfs.blocksize or dfs.durability; others mean nothing here"              },
    {"fs conf", KEY_URI,    "URI",        "taken and not used: --cluster says which filesystem"},
    {NULL,      0,          NULL,         NULL                                                 },
};

static atomic_bool was_interrupted;

bool mrfs_was_interrupted(void)
{
    return atomic_load(&was_interrupted);
}

bool mrfs_has(const struct mrfs *mrfs, int key)
{
    return mrfs->words.flags[key];
}

void mrfs_complain(struct mrfs *mrfs, struct slice name, enum status status, const char *text)
{
    const char *why = text[0] != 0 ? text : status_sentence(status);
    struct text_quote quoted = text_quote(name);
    mutex_lock(mrfs->mutex);
    mrfs->has_failed = true;
    if (status == ERR_UNAVAILABLE || status == ERR_DEADLINE)
        mrfs->is_unreachable = true;
    fprintf(stderr, "%smrfs: %s: %s: %s\n", mrfs->is_terminal ? "\r\033[K" : "", mrfs->command,
            quoted.text, why);
    mutex_unlock(mrfs->mutex);
}

bool mrfs_number(struct mrfs *mrfs, int key, uint64_t fallback, uint64_t max, uint64_t *ret_value)
{
    const char *text = mrfs->words.values[key];
    uint64_t value = fallback;
    if (mrfs->words.flags[key] &&
        (!slice_parse_u64(slice_from_string(text), &value) || value == 0 || value > max)) {
        struct error error = {OK, ""};
        enum status status = error_set(&error, ERR_INVALID, "expected a number from 1 to %llu",
                                       (unsigned long long)max);
        mrfs_complain(mrfs, slice_from_string(text), status, error.text);
        return false;
    }
    *ret_value = value;
    return true;
}

/* --- command line ------------------------------------------------------------------------------
 */

/* "-D dfs.replication=2" is "--replication 2", unless that is said, too. */
static void apply_define(struct mrfs *mrfs, const char *text)
{
    static const struct {
        const char *name;
        int key;
    } known[] = {
        {"dfs.replication=", KEY_REPLICATION},
        {"dfs.blocksize=",   KEY_BLOCK_SIZE },
        {"dfs.block.size=",  KEY_BLOCK_SIZE },
        {"dfs.durability=",  KEY_DURABILITY },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t length = strlen(known[i].name);
        if (strncmp(text, known[i].name, length) == 0 && !mrfs->words.flags[known[i].key]) {
            mrfs->words.flags[known[i].key] = true;
            mrfs->words.values[known[i].key] = text + length;
        }
    }
}

static int usage_error(const char *command, const char *text)
{
    fprintf(stderr, "mrfs%s%s: %s\nTry \"mrfs help%s%s\".\n", command[0] != 0 ? " " : "", command,
            text, command[0] != 0 ? " " : "", command);
    return CLI_USAGE;
}

/* "-Dname=value" as one word, which words.c does not know. */
static bool is_joined_define(const char *word)
{
    return strncmp(word, "-D", 2) == 0 && word[2] != 0;
}

/* How many words stand before the command. */
static size_t count_generic(const char *const *arguments, size_t count)
{
    static const char *const with_value[] = {"-D",    "-fs",  "-conf",     "--cluster", "-cluster",
                                             "--dir", "-dir", "--timeout", "-timeout"};
    size_t i = 0;
    while (i < count) {
        bool has_value = false;
        for (size_t j = 0; j < sizeof(with_value) / sizeof(with_value[0]); j++)
            has_value = has_value || strcmp(arguments[i], with_value[j]) == 0;
        bool is_equals = strncmp(arguments[i], "--cluster=", 10) == 0 ||
                         strncmp(arguments[i], "--timeout=", 10) == 0 ||
                         strncmp(arguments[i], "--dir=", 6) == 0;
        if (has_value)
            i += 2;
        else if (is_equals || is_joined_define(arguments[i]))
            i++;
        else
            break;
    }
    return i < count ? i : count;
}

static int parse_command(const struct mrfs_command *command,
                         const char *const *arguments,
                         size_t before,
                         size_t count,
                         struct mrfs *mrfs)
{
    const struct words_option *tables[] = {command->words.options, common_options, generic_options,
                                           NULL};
    const char **words = ARENA_ARRAY(mrfs->arena, const char *, 2 * count + 1);
    struct error error = {OK, ""};
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == before)
            continue; /* the command's own name */
        const char *word = arguments[i];
        if (i < before && is_joined_define(word)) {
            words[used++] = "-D";
            word += 2;
        }
        words[used++] = word;
    }
    if (words_parse(words, used, tables, command->words.unknown, mrfs->arena, &mrfs->words,
                    &error) != OK)
        return usage_error(mrfs->command, error.text);
    /* Of two that say the same the later one holds. */
    for (size_t i = used; i > 1; i--) {
        if (strcmp(words[i - 2], "-D") == 0)
            apply_define(mrfs, words[i - 1]);
    }
    size_t left = mrfs->words.count;
    if (!mrfs->words.flags[KEY_HELP] &&
        (left < command->words.arguments_min || left > command->words.arguments_max)) {
        enum status status =
            error_set(&error, ERR_INVALID, "expected %s", command->words.arguments);
        status_ignore(status); /* it is a sentence now */
        return usage_error(mrfs->command, error.text);
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
    const char *directory = cluster_directory(mrfs->arena, mrfs->words.values[KEY_CLUSTER]);
    uint64_t seconds = DEFAULT_TIMEOUT_S;
    const char *timeout = mrfs->words.values[KEY_TIMEOUT];
    if (timeout != NULL && (!slice_parse_u64(slice_from_string(timeout), &seconds) ||
                            seconds == 0 || seconds > 1000000))
        return error_set(reterr_error, ERR_INVALID, "--timeout is a number of seconds, from 1");
    enum status status = cluster_load(mrfs->arena, directory, &cluster, reterr_error);
    if (status == OK)
        status = cluster_rpc_address(&cluster, "namenode", &address, reterr_error);
    if (status == OK)
        status = cluster_token(&cluster, mrfs->arena, &token, reterr_error);
    if (status != OK)
        return status;
    struct dfs_settings settings = {
        .namenode_address = address,
        .token = (const char *)arena_copy(mrfs->arena, token).data,
        .deadline_ms = (int64_t)seconds * 1000,
        .no_local_files = mrfs->words.flags[KEY_REMOTE],
    };
    mrfs->user = slice_from_string(host_user_name(mrfs->arena, host_uid()));
    mrfs->home = arena_format(mrfs->arena, "/user/%.*s", SLICE_ARGS(mrfs->user));
    return dfs_open(&settings, &mrfs->dfs, reterr_error);
}

static void interrupted(void *user, enum signal_kind kind)
{
    if (kind != SIGNAL_STOP)
        return;
    if (atomic_exchange(&was_interrupted, true))
        quick_exit(CLI_INTERRUPTED); /* the second time: at once, whatever is left behind */
    dfs_cancel(user);
}

static enum status run_command(const struct mrfs_command *command,
                               struct mrfs *mrfs,
                               struct error *reterr_error)
{
    struct signal_watcher *watcher = NULL;
    enum status status = OK;
    if (command->is_cancelled)
        status = signal_watcher_open(interrupted, mrfs->dfs, &watcher, reterr_error);
    if (status == OK)
        command->run(mrfs);
    signal_watcher_close(watcher);
    return status;
}

static int exit_code(struct mrfs *mrfs)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "mrfs: %s: standard output could not be written\n", mrfs->command);
        mrfs->has_failed = true;
    }
    if (mrfs_was_interrupted())
        return CLI_INTERRUPTED;
    if (mrfs->is_unreachable)
        return CLI_DOWN;
    return mrfs->has_failed || mrfs->is_false ? CLI_FAILED : CLI_DONE;
}

static int run(const struct mrfs_command *command, struct mrfs *mrfs)
{
    struct error error = {OK, ""};
    if (command->is_cancelled)
        signals_block(); /* before any thread */
    enum status status = net_open(NULL, &error);
    if (status == OK) {
        status = connect_to_cluster(mrfs, &error);
        if (status == OK)
            status = run_command(command, mrfs, &error);
        dfs_close(mrfs->dfs);
        net_close();
    }
    if (status == OK)
        return exit_code(mrfs);
    fprintf(stderr, "mrfs: %s\n", error.text);
    return status == ERR_INVALID ? CLI_USAGE : CLI_DOWN;
}

/* --- help --------------------------------------------------------------------------------------
 */

static int help(const char *const *names, size_t count, bool is_usage)
{
    int code = CLI_DONE;
    if (count == 0)
        mrfs_print_commands();
    for (size_t i = 0; i < count; i++) {
        const struct mrfs_command *command = mrfs_find_command(names[i]);
        if (command == NULL) {
            fprintf(stderr, "mrfs: there is no command %s\n",
                    text_quote(slice_from_string(names[i])).text);
            code = CLI_USAGE;
        } else if (is_usage) {
            word_command_print_usage("mrfs", &command->words);
        } else {
            word_command_print_help("mrfs", &command->words);
            printf("\nAll commands take:\n");
            words_print_options(common_options);
        }
    }
    return cli_finish("mrfs help", code);
}

int main(int argc, char **argv)
{
    const char *const *arguments = (const char *const *)argv + 1;
    size_t count = argc > 0 ? (size_t)argc - 1 : 0;
    size_t before = count_generic(arguments, count);
    if (before == count)
        return usage_error("", "which command?");
    const char *name = arguments[before];
    while (name[0] == '-')
        name++;
    if (strcmp(name, "help") == 0 || strcmp(name, "?") == 0 || strcmp(name, "usage") == 0)
        return help(arguments + before + 1, count - before - 1, name[0] == 'u');
    if (strcmp(name, "version") == 0) {
        puts("mrfs " PACKAGE_VERSION);
        return cli_finish("mrfs version", CLI_DONE);
    }
    const struct mrfs_command *command = mrfs_find_command(name);
    if (command == NULL) {
        fprintf(stderr, "mrfs: there is no command %s\nTry \"mrfs help\".\n",
                text_quote(slice_from_string(arguments[before])).text);
        return CLI_USAGE;
    }
    struct mrfs mrfs = {
        .arena = arena_open(0),
        .command = name,
        .mutex = mutex_open(),
        .is_terminal = host_is_terminal(2),
    };
    int code = parse_command(command, arguments, before, count, &mrfs);
    if (code == CLI_DONE && mrfs.words.flags[KEY_HELP])
        code = help(&name, 1, false);
    else if (code == CLI_DONE)
        code = run(command, &mrfs);
    mutex_close(mrfs.mutex);
    arena_close(mrfs.arena);
    return code;
}
