/*
 * table.h - rows with aligned columns, and numbers as people read them.
 */
#ifndef MILLRACE_CLI_TABLE_H
#define MILLRACE_CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/slice.h"

struct cli_table;

enum {
    CLI_WORD_BYTES = 32
};

/* A short text by value: use as cli_bytes(n).text within one expression. */
struct cli_word {
    char text[CLI_WORD_BYTES];
};

/* titles: NULL-terminated; a title that starts with '>' is a column aligned to the right. */
struct cli_table *cli_table_open(const char *const *titles);
void cli_table_close(struct cli_table *table); /* NULL is fine */
/* Adds a cell, row by row; the text is copied. Control characters become spaces, "" becomes "-". */
void cli_table_add(struct cli_table *table, struct slice text);
void cli_table_add_string(struct cli_table *table, const char *text);
/* printf style */
void cli_table_add_format(struct cli_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
size_t cli_table_rows(const struct cli_table *table);
/* Prints titles and rows to stdout, indented by indent spaces; nothing when there are no rows. */
void cli_table_print(const struct cli_table *table, int indent);

/* "512 B", "1.5 KiB", "20.0 GiB" */
struct cli_word cli_bytes(uint64_t bytes);
/* "850 ms", "12.3 s", "5 m 03 s", "3 h 20 m", "4 d 3 h" */
struct cli_word cli_duration(uint64_t ms);
/* Wall-clock ms since 1970 as "2026-01-31 10:00:00" (UTC); "-" for 0. */
struct cli_word cli_time(uint64_t wall_ms);
/* 0..1 as "42 %"; what lies outside is cut to it. */
struct cli_word cli_percent(float part);

#endif
