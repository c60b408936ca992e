/*
 * table.c - collects cells, finds the widths, prints.
 */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/clock.h"

struct cli_table {
    const char *const *titles;
    size_t columns;
    struct arena *arena;
    struct slice *cells;
    size_t count;
    size_t capacity;
};

struct cli_table *cli_table_open(const char *const *titles)
{
    struct cli_table *table = MEM_NEW(struct cli_table);
    table->titles = titles;
    while (titles[table->columns] != NULL)
        table->columns++;
    CHECK(table->columns > 0);
    table->arena = arena_open(0);
    return table;
}

void cli_table_close(struct cli_table *table)
{
    if (table == NULL)
        return;
    arena_close(table->arena);
    mem_free(table->cells);
    mem_free(table);
}

void cli_table_add(struct cli_table *table, struct slice text)
{
    uint8_t *copy = arena_new(table->arena, text.length + 2);
    for (size_t i = 0; i < text.length; i++)
        copy[i] = text.data[i] < 0x20 || text.data[i] == 0x7f ? ' ' : text.data[i];
    if (text.length == 0)
        copy[0] = '-';
    table->cells = mem_reserve(table->cells, table->count, &table->capacity, sizeof(*table->cells));
    table->cells[table->count++] = slice_make(copy, text.length > 0 ? text.length : 1);
}

void cli_table_add_string(struct cli_table *table, const char *text)
{
    cli_table_add(table, slice_from_string(text));
}

void cli_table_add_format(struct cli_table *table, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments); /* a longer cell is cut */
    va_end(arguments);
    cli_table_add(table, slice_from_string(text));
}

size_t cli_table_rows(const struct cli_table *table)
{
    return table->count / table->columns;
}

static const char *title_text(const char *title)
{
    return title[0] == '>' ? title + 1 : title;
}

/* Characters, not bytes, so that UTF-8 names line up. */
static size_t width_of(struct slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.length; i++)
        width += (text.data[i] & 0xc0) != 0x80;
    return width;
}

static void print_cell(struct slice text, size_t width, bool is_right, bool is_last)
{
    size_t own = width_of(text);
    int pad = width > own ? (int)(width - own) : 0;
    if (is_right)
        printf("%*s%.*s", pad, "", SLICE_ARGS(text));
    else
        printf("%.*s%*s", SLICE_ARGS(text), is_last ? 0 : pad, "");
    fputs(is_last ? "\n" : "  ", stdout);
}

void cli_table_print(const struct cli_table *table, int indent)
{
    CHECK(table->count % table->columns == 0);
    if (table->count == 0)
        return;
    size_t *widths = mem_new(table->columns * sizeof(*widths));
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = strlen(title_text(table->titles[i]));
    for (size_t i = 0; i < table->count; i++) {
        size_t width = width_of(table->cells[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t i = 0; i < table->count + table->columns; i++) {
        size_t column = i % table->columns;
        const char *title = table->titles[column];
        struct slice text = i < table->columns ? slice_from_string(title_text(title))
                                               : table->cells[i - table->columns];
        if (column == 0)
            printf("%*s", indent, "");
        print_cell(text, widths[column], title[0] == '>', column + 1 == table->columns);
    }
    mem_free(widths);
}

struct cli_word cli_bytes(uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct cli_word word;
    if (bytes < 1024) {
        (void)snprintf(word.text, sizeof(word.text), "%u B", (unsigned)bytes);
        return word;
    }
    size_t unit = 0;
    double value = (double)bytes / 1024;
    while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(word.text, sizeof(word.text), "%.1f %s", value, units[unit]);
    return word;
}

struct cli_word cli_duration(uint64_t ms)
{
    struct cli_word word;
    unsigned long long seconds = ms / 1000;
    if (ms < 1000)
        (void)snprintf(word.text, sizeof(word.text), "%u ms", (unsigned)ms);
    else if (seconds < 60)
        (void)snprintf(word.text, sizeof(word.text), "%llu.%u s", seconds,
                       (unsigned)(ms % 1000 / 100));
    else if (seconds < 3600)
        (void)snprintf(word.text, sizeof(word.text), "%llu m %02llu s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        (void)snprintf(word.text, sizeof(word.text), "%llu h %02llu m", seconds / 3600,
                       seconds % 3600 / 60);
    else
        (void)snprintf(word.text, sizeof(word.text), "%llu d %llu h", seconds / 86400,
                       seconds % 86400 / 3600);
    return word;
}

struct cli_word cli_time(uint64_t wall_ms)
{
    struct cli_word word = {"-"};
    if (wall_ms == 0 || wall_ms > INT64_MAX)
        return word;
    char text[CLOCK_TEXT_BYTES];
    clock_format_wall((int64_t)wall_ms, text);
    (void)snprintf(word.text, sizeof(word.text), "%.10s %.8s", text, text + 11);
    return word;
}

struct cli_word cli_percent(float part)
{
    struct cli_word word;
    float kept = part > 0 ? (part < 1 ? part : 1) : 0; /* also for NaN */
    (void)snprintf(word.text, sizeof(word.text), "%d %%", (int)(kept * 100));
    return word;
}
