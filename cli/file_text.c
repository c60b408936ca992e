/*
 * file_text.c - sizes, times and formats.
 */
#include "cli/file_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/file_mode.h"
#include "lib/base/check.h"
#include "lib/model/messages.h"
#include "lib/os/clock.h"

struct cli_word file_text_size(uint64_t bytes)
{
    static const char units[] = {'K', 'M', 'G', 'T', 'P', 'E'};
    struct cli_word word;
    if (bytes < 1024) {
        (void)snprintf(word.text, sizeof(word.text), "%u", (unsigned)bytes);
        return word;
    }
    size_t unit = 0;
    while (unit + 1 < sizeof(units) && bytes >> (10 * (unit + 2)) > 0)
        unit++;
    unsigned shift = (unsigned)(10 * (unit + 1));
    if ((bytes & (((uint64_t)1 << shift) - 1)) == 0) {
        (void)snprintf(word.text, sizeof(word.text), "%" PRIu64 " %c", bytes >> shift, units[unit]);
        return word;
    }
    double value = (double)bytes / (double)((uint64_t)1 << shift);
    if (value >= 1023.95 && unit + 1 < sizeof(units)) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(word.text, sizeof(word.text), "%.1f %c", value, units[unit]);
    return word;
}

struct cli_word file_text_time(uint64_t wall_ms, bool has_seconds)
{
    char text[CLOCK_TEXT_BYTES];
    struct cli_word word;
    clock_format_wall((int64_t)wall_ms, text);
    text[10] = ' ';
    text[has_seconds ? 19 : 16] = 0;
    (void)snprintf(word.text, sizeof(word.text), "%s", text);
    return word;
}

static bool parse_digits(struct slice text, size_t from, size_t count, int64_t *ret_value)
{
    uint64_t value = 0;
    if (!slice_parse_u64(slice_sub(text, from, count), &value))
        return false;
    *ret_value = (int64_t)value;
    return true;
}

static bool is_leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool file_text_parse_time(struct slice text, uint64_t *ret_wall_ms)
{
    static const int64_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day, hour, minute, second;
    if (text.length != 15 || text.data[8] != ':' || !parse_digits(text, 0, 4, &year) ||
        !parse_digits(text, 4, 2, &month) || !parse_digits(text, 6, 2, &day) ||
        !parse_digits(text, 9, 2, &hour) || !parse_digits(text, 11, 2, &minute) ||
        !parse_digits(text, 13, 2, &second))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    int64_t days_of_month = month_days[month - 1] + (month == 2 && is_leap_year(year) ? 1 : 0);
    if (day > days_of_month)
        return false;
    int64_t days = day - 1;
    for (int64_t i = 1970; i < year; i++)
        days += is_leap_year(i) ? 366 : 365;
    for (int64_t i = 1; i < month; i++)
        days += month_days[i - 1] + (i == 2 && is_leap_year(year) ? 1 : 0);
    *ret_wall_ms = (uint64_t)(((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
    return true;
}

static void append_number(struct buf *buf, uint64_t value)
{
    CHECK(buf_append_format(buf, "%" PRIu64, value) == OK);
}

/* False when letter stands for nothing. */
static bool append_field(char letter,
                         struct slice path,
                         const struct dfs_file_status *file,
                         struct buf *buf)
{
    bool is_directory = file->kind == FILE_DIRECTORY;
    char mode[FILE_MODE_TEXT_BYTES];
    switch (letter) {
    case 'a':
        CHECK(buf_append_format(buf, "%" PRIo32, file->permission) == OK);
        return true;
    case 'A':
        file_mode_format(file->permission, is_directory, mode);
        CHECK(buf_append_format(buf, "%s", mode + 1) == OK);
        return true;
    case 'b':
        append_number(buf, file->length);
        return true;
    case 'F':
        CHECK(buf_append_format(buf, "%s", is_directory ? "directory" : "regular file") == OK);
        return true;
    case 'g':
        CHECK(buf_append_slice(buf, file->group) == OK);
        return true;
    case 'n':
        CHECK(buf_append_slice(buf, path) == OK);
        return true;
    case 'o':
        append_number(buf, file->block_size);
        return true;
    case 'r':
        append_number(buf, file->replication);
        return true;
    case 'u':
        CHECK(buf_append_slice(buf, file->owner) == OK);
        return true;
    case 'x':
    case 'y':
        CHECK(
            buf_append_format(
                buf, "%s",
                file_text_time(letter == 'x' ? file->accessed_ms : file->modified_ms, true).text) ==
            OK);
        return true;
    case 'X':
    case 'Y':
        append_number(buf, letter == 'X' ? file->accessed_ms : file->modified_ms);
        return true;
    case '%':
        CHECK(buf_append(buf, "%", 1) == OK);
        return true;
    default:
        return false;
    }
}

void file_text_format(struct slice format,
                      struct slice path,
                      const struct dfs_file_status *file,
                      struct buf *buf)
{
    struct slice name = path;
    for (size_t i = path.length; i > 0; i--) {
        if (path.data[i - 1] == '/') {
            name = slice_sub(path, i, path.length - i);
            break;
        }
    }
    for (size_t i = 0; i < format.length; i++) {
        if (format.data[i] == '%' && i + 1 < format.length &&
            append_field((char)format.data[i + 1], name, file, buf))
            i++;
        else
            CHECK(buf_append(buf, &format.data[i], 1) == OK);
    }
}
