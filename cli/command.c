/*
 * command.c - finds the verb, runs it, says what failed.
 */
#include "cli/command.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"

/* --- the cluster's folder --------------------------------------------------------------------- */

static error_t take_folder(int key, char *argument, struct argp_state *state)
{
    const char **folder = state->input;
    if (key != 'd')
        return ARGP_ERR_UNKNOWN;
    *folder = argument;
    return 0;
}

static const struct argp_option folder_options[] = {
    {"dir",                                                                        'd', "DIR", 0,
     "The cluster's folder (default: MILLRACE_DIR, else $HOME/.millrace/cluster)", 0},
    {"cluster",                                                                       0, NULL, OPTION_ALIAS, NULL, 0},
    {0},
};

static const struct argp folder_argp = {.options = folder_options, .parser = take_folder};

const struct argp_child cli_folder_child[] = {
    {&folder_argp, 0, NULL, 0},
    {0       },
};

/* --- verbs ------------------------------------------------------------------------------------ */

static void print_verbs(const char *program,
                        const char *purpose,
                        const struct cli_verb *verbs,
                        size_t count)
{
    printf("%s - %s\n\n", program, purpose);
    for (size_t i = 0; i < count; i++) {
        struct error left = {OK, ""};
        status_ignore(error_set(&left, OK, "%s %s %s", program, verbs[i].name, verbs[i].arguments));
        printf("  %-44s %s\n", left.text, verbs[i].purpose);
    }
    printf("\nEach verb has --help. Exit codes: 0 done, 1 failed, 2 usage, 3 not running.\n");
}

int cli_run(int argc,
            char **argv,
            const char *program,
            const char *purpose,
            const struct cli_verb *verbs,
            size_t count)
{
    static char version[64];
    (void)snprintf(version, sizeof(version), "%s %s", program, PACKAGE_VERSION);
    argp_program_version = version;
    argp_err_exit_status = CLI_USAGE;
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0 || strcmp(name, "help") == 0) {
        print_verbs(program, purpose, verbs, count);
        return cli_finish(program, CLI_DONE);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts(version);
        return cli_finish(program, CLI_DONE);
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        struct arena *arena = arena_open(0);
        size_t bytes = strlen(program) + strlen(name) + 2;
        char *full_name = arena_new(arena, bytes);
        (void)snprintf(full_name, bytes, "%s %s", program, name); /* it has just this room */
        argv[1] = full_name;
        int code = cli_finish(full_name, verbs[i].run(argc - 1, argv + 1));
        arena_close(arena);
        return code;
    }
    if (argc > 1)
        fprintf(stderr, "%s: there is no verb \"%s\"; see %s --help\n", program, name, program);
    else
        fprintf(stderr, "%s: which verb? See %s --help\n", program, program);
    return CLI_USAGE;
}

int cli_fail(const char *command, const struct error *error)
{
    (void)fflush(stdout); /* its failure is found at the end */
    fprintf(stderr, "%s: %s\n", command, error->text);
    if (error->status == ERR_INVALID)
        return CLI_USAGE;
    if (error->status == ERR_CANCELLED)
        return CLI_INTERRUPTED;
    return error->status == ERR_UNAVAILABLE ? CLI_DOWN : CLI_FAILED;
}

int cli_finish(const char *command, int exit_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_code;
    fprintf(stderr, "%s: write the output: %s\n", command, strerror(errno));
    return CLI_FAILED;
}
