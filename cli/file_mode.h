/*
 * file_mode.h - permissions as people write them: "755", "1777", "u=rwx,g+w,o-rwx", "a+X", "+t".
 */
#ifndef MILLRACE_CLI_FILE_MODE_H
#define MILLRACE_CLI_FILE_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
    FILE_MODE_CLAUSES_MAX = 16,
    FILE_MODE_TEXT_BYTES = 11 /* "drwxr-xr-t" and its NUL */
};

struct file_mode_clause {
    char operation;   /* '+', '-' or '=' */
    uint32_t who;     /* 0700, 0070, 0007 */
    uint32_t bits;    /* of 01777; not yet limited to who */
    bool is_x_folder; /* X: execute for directories and for what somebody can execute already */
};

struct file_mode_change {
    struct file_mode_clause clauses[FILE_MODE_CLAUSES_MAX];
    size_t count;
};

/* ERR_INVALID says what a mode looks like. No who means all of them. */
MUST_USE enum status file_mode_parse(struct slice text,
                                     struct file_mode_change *ret_change,
                                     struct error *reterr_error);
uint32_t file_mode_apply(const struct file_mode_change *change, uint32_t mode, bool is_directory);
/* "drwxr-xr-x", with t or T for the sticky bit. */
void file_mode_format(uint32_t mode, bool is_directory, char ret_text[FILE_MODE_TEXT_BYTES]);

#endif
