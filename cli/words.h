/*
 * words.h - command lines as Hadoop's tools take them: options are words, with one dash or two
 * ("-skipTrash", "--json", "-R"), before, between or after the arguments; letters may be put
 * together ("-Rh"); "--" ends them; "-" alone is an argument.
 */
#ifndef MILLRACE_CLI_WORDS_H
#define MILLRACE_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct arena;

enum {
    WORDS_KEYS = 128 /* options are numbered by their letter, or below 32 */
};

struct words_option {
    const char *names;    /* "r R recursive": any of them; NULL ends a table */
    int key;              /* 1..WORDS_KEYS - 1 */
    const char *argument; /* NULL: takes none; "N" */
    const char *purpose;
};

struct words {
    bool flags[WORDS_KEYS];         /* options given */
    const char *values[WORDS_KEYS]; /* their arguments; of several the last */
    const char **arguments;         /* what is left, NULL-terminated; borrowed from argv */
    size_t count;
};

enum words_unknown {
    WORDS_REFUSE,  /* an unknown option is an error */
    WORDS_ARGUMENT /* it is an argument: "chmod -x", "find / -name a" */
};

/*
 * Takes count arguments apart. tables: NULL-terminated, searched in order. ERR_INVALID names the
 * option that is unknown, lacks its argument, or takes none.
 */
MUST_USE enum status words_parse(const char *const *arguments,
                                 size_t count,
                                 const struct words_option *const *tables,
                                 enum words_unknown unknown,
                                 struct arena *arena,
                                 struct words *ret_words,
                                 struct error *reterr_error);
/* "  -f, -r, --block-size N   purpose" for each row, to stdout. */
void words_print_options(const struct words_option *options);

#endif
