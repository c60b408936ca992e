/*
 * word_commands.h - a table of verbs as Hadoop's tools have them: found with or without a dash,
 * under any of their names, and explained by one text.
 */
#ifndef MILLRACE_CLI_WORD_COMMANDS_H
#define MILLRACE_CLI_WORD_COMMANDS_H

#include "cli/words.h"

struct word_command {
    const char *names;     /* "get copyToLocal" */
    const char *arguments; /* "PATH... LOCAL" */
    const char *purpose;   /* half a sentence */
    size_t arguments_min;
    size_t arguments_max; /* SIZE_MAX: any number */
    const struct words_option *options;
    enum words_unknown unknown;
};

/* With one dash in front or none. */
bool word_command_is(const struct word_command *command, const char *name);
/* "  get copyToLocal      copy files out" to stdout. */
void word_command_print_row(const struct word_command *command);
/* "Usage: mrfs get [OPTION...] PATH... LOCAL" to stdout. */
void word_command_print_usage(const char *program, const struct word_command *command);
/* Usage, purpose, other names, options. */
void word_command_print_help(const char *program, const struct word_command *command);

#endif
