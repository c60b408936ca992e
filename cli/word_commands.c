/*
 * word_commands.c - see word_commands.h.
 */
#include "cli/word_commands.h"

#include <stdio.h>
#include <string.h>

bool word_command_is(const struct word_command *command, const char *name)
{
    const char *rest = command->names;
    if (name[0] == '-')
        name++;
    size_t length = strlen(name);
    while (rest != NULL && length > 0) {
        if (strncmp(rest, name, length) == 0 && (rest[length] == 0 || rest[length] == ' '))
            return true;
        rest = strchr(rest, ' ');
        rest = rest != NULL ? rest + 1 : NULL;
    }
    return false;
}

void word_command_print_row(const struct word_command *command)
{
    printf("  %-28s %s\n", command->names, command->purpose);
}

void word_command_print_usage(const char *program, const struct word_command *command)
{
    int length = (int)strcspn(command->names, " ");
    printf("Usage: %s %.*s%s%s%s\n", program, length, command->names,
           command->options->names != NULL ? " [OPTION...]" : "",
           command->arguments[0] != 0 ? " " : "", command->arguments);
}

void word_command_print_help(const char *program, const struct word_command *command)
{
    word_command_print_usage(program, command);
    printf("%c%s.\n", command->purpose[0] - 'a' + 'A', command->purpose + 1);
    const char *other = strchr(command->names, ' ');
    if (other != NULL)
        printf("Also called%s.\n", other);
    if (command->options->names != NULL)
        printf("\n");
    words_print_options(command->options);
}
