/*
 * mradmin.c - looks after the filesystem: "mradmin COMMAND [OPTION...] [ARGUMENT...]". Most
 * commands are the superuser's; the namenode judges. Exit codes: docs/exit-codes.md.
 */
#include "cli/mradmin.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/model/message.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"
#include "lib/services/calls.h"

enum {
    PAUSE_MS = 500,
    TIMEOUT_S_MAX = 1000000
};

struct admin_command {
    struct word_command words;
    mradmin_run *run;
};

/* clang-format off */
#define END_OPTIONS {NULL, 0, NULL, NULL}
#define JSON_OPTION {"json", ADMIN_KEY_JSON, NULL, "print JSON"}
#define WAIT_OPTION {"w wait", ADMIN_KEY_WAIT, NULL, "until it is done, with progress"}

static const struct words_option common_options[] = {
    {"cluster dir", ADMIN_KEY_CLUSTER, "DIR", "the cluster's folder"},
    {"timeout", ADMIN_KEY_TIMEOUT, "SECONDS", "how long the command may take (waiting: no limit)"},
    {"help ?", ADMIN_KEY_HELP, NULL, "explain the command"},
    END_OPTIONS};
static const struct words_option report_options[] = {
    {"live", ADMIN_KEY_LIVE, NULL, "only datanodes that answer"},
    {"stale", ADMIN_KEY_STALE, NULL, "only datanodes that are silent"},
    {"dead", ADMIN_KEY_DEAD, NULL, "only datanodes that are lost"},
    {"decommissioning", ADMIN_KEY_DECOMMISSIONING, NULL, "only datanodes that are going"},
    {"inmaintenance enteringmaintenance", ADMIN_KEY_MAINTENANCE, NULL, "only datanodes in maintenance"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option json_options[] = {JSON_OPTION, END_OPTIONS};
static const struct words_option wait_options[] = {WAIT_OPTION, JSON_OPTION, END_OPTIONS};
static const struct words_option maintenance_options[] = {
    {"for", ADMIN_KEY_FOR, "TIME", "back in service by itself after 30m, 2h, ..."},
    WAIT_OPTION,
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option balance_options[] = {
    {"threshold", ADMIN_KEY_THRESHOLD, "PERCENT", "how far from the mean use is too far"},
    {"rate", ADMIN_KEY_RATE, "BYTES", "a second, at most"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option no_options[] = {END_OPTIONS};

static const struct admin_command commands[] = {
    {{"balance balancer", "[status|on|off|wait]", "even out how full datanodes are", 0, 1,
      balance_options, WORDS_REFUSE}, mradmin_balance},
    {{"checkpoint saveNamespace", "", "write the namespace now, so that a restart is short", 0, 0,
      json_options, WORDS_REFUSE}, mradmin_checkpoint},
    {{"clrQuota clrquota", "PATH...", "take away the limit of names", 1, SIZE_MAX,
      no_options, WORDS_REFUSE}, mradmin_clear_quota},
    {{"clrSpaceQuota clrspacequota", "PATH...", "take away the limit of bytes", 1, SIZE_MAX,
      no_options, WORDS_REFUSE}, mradmin_clear_space_quota},
    {{"decommission", "NODE...", "copy what datanodes hold elsewhere, to switch them off", 1, SIZE_MAX,
      wait_options, WORDS_REFUSE}, mradmin_decommission},
    {{"forget", "NODE...", "drop lost datanodes from reports", 1, SIZE_MAX,
      json_options, WORDS_REFUSE}, mradmin_forget},
    {{"journal", "FILE|FOLDER...", "print the journal's segments and checkpoints, daemon or not", 1,
      SIZE_MAX, no_options, WORDS_REFUSE}, mradmin_journal},
    {{"maintenance", "NODE...", "count what datanodes hold as there while they are away", 1, SIZE_MAX,
      maintenance_options, WORDS_REFUSE}, mradmin_maintenance},
    {{"queues refreshQueues", "[refresh]", "show the queues, or read their file again", 0, 1,
      json_options, WORDS_REFUSE}, mradmin_queues},
    {{"recommission", "NODE...", "put datanodes back in service", 1, SIZE_MAX,
      json_options, WORDS_REFUSE}, mradmin_recommission},
    {{"refresh refreshNodes", "", "read the table of racks again", 0, 0,
      json_options, WORDS_REFUSE}, mradmin_refresh},
    {{"report", "", "show the filesystem and its datanodes", 0, 0,
      report_options, WORDS_REFUSE}, mradmin_report},
    {{"safemode", "get|enter|leave|wait", "refuse changes, or not", 1, 1,
      json_options, WORDS_REFUSE}, mradmin_safemode},
    {{"setBalancerBandwidth", "BYTES", "limit how fast blocks are moved to even out", 1, 1,
      json_options, WORDS_REFUSE}, mradmin_balance_rate},
    {{"setQuota setquota", "N PATH...", "limit how many names there are below directories", 2, SIZE_MAX,
      no_options, WORDS_REFUSE}, mradmin_set_quota},
    {{"setSpaceQuota setspacequota", "BYTES PATH...", "limit the bytes of all copies below directories",
      2, SIZE_MAX, no_options, WORDS_REFUSE}, mradmin_set_space_quota},
    {{"topology printTopology", "", "show racks and the datanodes in them", 0, 0,
      json_options, WORDS_REFUSE}, mradmin_topology},
};

/* clang-format on */

bool mradmin_has(const struct mradmin *mradmin, int key)
{
    return mradmin->words.flags[key];
}

void mradmin_print_json(const struct message_type *type, const void *message)
{
    struct buf text = {0};
    CHECK(message_print_json(type, message, &text) == OK);
    printf("%s\n", buf_string(&text));
    buf_close(&text);
}

enum status mradmin_cluster(struct mradmin *mradmin,
                            struct arena *arena,
                            const struct dfs_cluster_status_response **ret_found,
                            struct error *reterr_error)
{
    struct service_target target = mradmin->namenode;
    target.arena = arena;
    struct dfs_cluster_status_request request = {0};
    return services_namenode_cluster_status(&target, &request, ret_found, reterr_error);
}

enum status mradmin_pause(struct mradmin *mradmin, struct error *reterr_error)
{
    if (mradmin->deadline_ms - clock_monotonic_ms() < PAUSE_MS)
        return error_set(reterr_error, ERR_DEADLINE, "not done within -timeout; it goes on");
    if (fflush(stdout) != 0)
        return error_set(reterr_error, ERR_IO, "standard output could not be written");
    clock_sleep_until_ms(clock_monotonic_ms() + PAUSE_MS);
    return OK;
}

/* --- command line ------------------------------------------------------------------------------
 */

static const struct admin_command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (word_command_is(&commands[i].words, name))
            return &commands[i];
    }
    return NULL;
}

static void print_commands(void)
{
    printf("Usage: mradmin COMMAND [OPTION...] [ARGUMENT...]\n"
           "Looks after the Millrace filesystem and the queues. COMMAND may have a dash in "
           "front.\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        word_command_print_row(&commands[i].words);
    printf("\nNODE is the number, host or HTTP address of a datanode, as \"mradmin report\" shows "
           "it.\n"
           "\"mradmin help COMMAND\" tells arguments and options. Exit codes: 0 done, 1 failed, 2 "
           "wrong\n"
           "command line, 3 cluster not reached.\n");
}

static int help(const char *const *names, size_t count)
{
    int code = CLI_DONE;
    if (count == 0)
        print_commands();
    for (size_t i = 0; i < count; i++) {
        const struct admin_command *command = find_command(names[i]);
        if (command == NULL) {
            fprintf(stderr, "mradmin: there is no command %s\n",
                    text_quote(slice_from_string(names[i])).text);
            code = CLI_USAGE;
        } else {
            word_command_print_help("mradmin", &command->words);
            printf("\nAll commands take:\n");
            words_print_options(common_options);
        }
    }
    return cli_finish("mradmin help", code);
}

static enum status parse(struct mradmin *mradmin,
                         const struct admin_command *command,
                         const char *const *arguments,
                         size_t count,
                         struct error *reterr_error)
{
    const struct words_option *tables[] = {command->words.options, common_options, NULL};
    uint64_t seconds = 0;
    enum status status = words_parse(arguments, count, tables, command->words.unknown,
                                     mradmin->arena, &mradmin->words, reterr_error);
    if (status != OK || mradmin_has(mradmin, ADMIN_KEY_HELP))
        return status;
    if (mradmin->words.count < command->words.arguments_min ||
        mradmin->words.count > command->words.arguments_max)
        return error_set(reterr_error, ERR_INVALID, "expected %s; see mradmin help %s",
                         command->words.arguments[0] != 0 ? command->words.arguments
                                                          : "no arguments",
                         mradmin->command);
    struct slice timeout = slice_from_string(mradmin->words.values[ADMIN_KEY_TIMEOUT]);
    mradmin->deadline_ms = INT64_MAX;
    if (mradmin_has(mradmin, ADMIN_KEY_TIMEOUT)) {
        if (!slice_parse_u64(timeout, &seconds) || seconds == 0 || seconds > TIMEOUT_S_MAX)
            return error_set(reterr_error, ERR_INVALID, "-timeout is a number of seconds, from 1");
        mradmin->deadline_ms = clock_monotonic_ms() + (int64_t)seconds * 1000;
    }
    mradmin->is_json = mradmin_has(mradmin, ADMIN_KEY_JSON);
    return OK;
}

static enum status connect_and_run(struct mradmin *mradmin,
                                   const struct admin_command *command,
                                   int *ret_code,
                                   struct error *reterr_error)
{
    if (command->run == mradmin_journal)
        return command->run(mradmin, ret_code, reterr_error);
    enum status status =
        cli_session_open(mradmin->words.values[ADMIN_KEY_CLUSTER], &mradmin->session, reterr_error);
    if (status != OK)
        return status;
    status = cli_session_target(mradmin->session, "namenode", &mradmin->namenode, reterr_error);
    int64_t left_ms = mradmin->deadline_ms - clock_monotonic_ms();
    if (left_ms < mradmin->namenode.timeout_ms)
        mradmin->namenode.timeout_ms = left_ms > 0 ? left_ms : 1;
    if (status == OK)
        status = command->run(mradmin, ret_code, reterr_error);
    cli_session_close(mradmin->session);
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    while (name[0] == '-')
        name++;
    if (strcmp(name, "help") == 0 || strcmp(name, "?") == 0)
        return help((const char *const *)argv + 2, (size_t)argc - 2);
    if (strcmp(name, "version") == 0) {
        puts("mradmin " PACKAGE_VERSION);
        return cli_finish("mradmin version", CLI_DONE);
    }
    const struct admin_command *command = find_command(name);
    if (command == NULL) {
        fprintf(stderr, "mradmin: %s%s; see mradmin help\n",
                argc > 1 ? "there is no command " : "which command?",
                argc > 1 ? text_quote(slice_from_string(argv[1])).text : "");
        return CLI_USAGE;
    }
    struct mradmin mradmin = {
        .command = name,
        .arena = arena_open(0),
        .is_terminal = host_is_terminal(2),
    };
    char full_name[64];
    (void)snprintf(full_name, sizeof(full_name), "mradmin %s", name); /* of our own table */
    struct error error = {OK, ""};
    int code = CLI_DONE;
    enum status status =
        parse(&mradmin, command, (const char *const *)argv + 2, (size_t)argc - 2, &error);
    if (status == OK && mradmin_has(&mradmin, ADMIN_KEY_HELP))
        code = help(&name, 1);
    else if (status == OK)
        status = connect_and_run(&mradmin, command, &code, &error);
    if (status != OK)
        code = cli_fail(full_name, &error);
    arena_close(mradmin.arena);
    return cli_finish(full_name, code);
}
