/*
 * proc.c - reads /proc/<pid>/stat (proc(5)).
 */
#include "lib/os/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/slice.h"

/* Takes the next word of text; the empty slice at its end. */
static struct slice take_word(struct slice *text)
{
    size_t end = slice_find(*text, ' ');
    struct slice word = slice_sub(*text, 0, end);
    size_t skip = end < text->length ? end + 1 : end;
    *text = slice_sub(*text, skip, text->length - skip);
    return word;
}

static uint64_t take_number(struct slice *text)
{
    uint64_t value = 0;
    (void)slice_parse_u64(take_word(text), &value); /* negative ones (tty, nice) are not used */
    return value;
}

/* Fields as proc(5) numbers them; the name (2) may hold anything, so what counts starts behind ')'.
 */
static bool parse_stat(struct slice text, struct proc_row *row)
{
    size_t close = text.length;
    while (close > 0 && text.data[close - 1] != ')')
        close--;
    if (close == 0 || close + 1 > text.length)
        return false;
    struct slice rest = slice_sub(text, close + 1, text.length - close - 1);
    struct slice state = take_word(&rest); /* 3 */
    row->state = state.length == 1 ? (char)state.data[0] : '?';
    row->parent = (int64_t)take_number(&rest); /* 4 */
    row->group = (int64_t)take_number(&rest);  /* 5 */
    for (int field = 6; field <= 13; field++)
        (void)take_word(&rest);
    uint64_t ticks = take_number(&rest); /* 14 user */
    ticks += take_number(&rest);         /* 15 system */
    row->cpu_ms = ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    for (int field = 16; field <= 19; field++)
        (void)take_word(&rest);
    row->threads = (uint32_t)take_number(&rest); /* 20 */
    for (int field = 21; field <= 23; field++)
        (void)take_word(&rest);
    row->resident_bytes = take_number(&rest) * (uint64_t)sysconf(_SC_PAGESIZE); /* 24 */
    return true;
}

enum status proc_get(int64_t pid, struct proc_row *ret_row, struct error *reterr_error)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(reterr_error, errno, "open %s", path);
    char text[1024];
    ssize_t length = read(descriptor, text, sizeof(text));
    int reason = errno;
    (void)close(descriptor); /* only read from */
    if (length < 0 && reason == ESRCH)
        return error_set(reterr_error, ERR_NOT_FOUND, "read %s: the process is gone", path);
    if (length < 0)
        return error_set_errno(reterr_error, reason, "read %s", path);
    struct proc_row row = {.pid = pid};
    if (!parse_stat(slice_make(text, (size_t)length), &row))
        return error_set(reterr_error, ERR_CORRUPT, "read %s: not as proc(5) says", path);
    *ret_row = row;
    return OK;
}

enum status proc_list(struct proc_row **ret_rows, size_t *ret_count, struct error *reterr_error)
{
    DIR *stream = opendir("/proc");
    if (stream == NULL)
        return error_set_errno(reterr_error, errno, "list /proc");
    struct proc_row *rows = NULL;
    size_t count = 0;
    size_t capacity = 0;
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        uint64_t pid = 0;
        struct proc_row row;
        if (!slice_parse_u64(slice_from_string(entry->d_name), &pid))
            continue;
        if (proc_get((int64_t)pid, &row, NULL) != OK)
            continue; /* ended since the listing */
        rows = mem_reserve(rows, count, &capacity, sizeof(*rows));
        rows[count++] = row;
    }
    (void)closedir(stream); /* only read from */
    *ret_rows = rows;
    *ret_count = count;
    return OK;
}
