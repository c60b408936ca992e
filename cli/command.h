/*
 * command.h - what all commands have in common: verbs, exit codes, failures.
 */
#ifndef MILLRACE_CLI_COMMAND_H
#define MILLRACE_CLI_COMMAND_H

#include <argp.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

/* docs/exit-codes.md is the list for people. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2, /* bad option, argument or value */
    CLI_DOWN = 3,  /* the cluster, or a part of it that was needed, does not run */
    CLI_INTERRUPTED = 130
};

struct cli_verb {
    const char *name;
    const char *arguments; /* for the list of verbs: "APP [--json]" */
    const char *purpose;   /* half a sentence */
    /* argv[0] is "program verb", for messages; returns the exit code. */
    int (*run)(int argc, char **argv);
};

/*
 * Runs the verb that argv[1] names; --help lists them, --version tells the version. Sets argp's
 * exit code for usage errors to CLI_USAGE. Returns the exit code.
 */
int cli_run(int argc,
            char **argv,
            const char *program,
            const char *purpose,
            const struct cli_verb *verbs,
            size_t count);
/*
 * The options --dir, -d and --cluster, as the children of a verb's struct argp. That verb's parser
 * says where the folder goes: case ARGP_KEY_INIT: state->child_inputs[0] = &a const char pointer.
 */
extern const struct argp_child cli_folder_child[];
/* Prints "command: sentence" to stderr and returns the exit code for error->status. */
int cli_fail(const char *command, const struct error *error);
/* Flushes stdout; exit_code, or CLI_FAILED with a message when what was printed could not be
 * written. */
int cli_finish(const char *command, int exit_code);

#endif
