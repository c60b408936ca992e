/*
 * log.c - one event, one line, one write.
 */
#include "lib/daemon/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"
#include "lib/os/thread.h"

struct log {
    struct mutex *mutex; /* guards file and lost */
    struct file *file;   /* NULL: stderr */
    uint64_t lost;       /* lines that could not be written since the last that could */
    atomic_int level;
    char component[32];
};

static const char *const level_names[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = "ERROR",
    [LOG_LEVEL_WARN] = "WARN",
    [LOG_LEVEL_INFO] = "INFO",
    [LOG_LEVEL_DEBUG] = "DEBUG",
};

static const char cut_mark[] = " cut=true";

/* A line under construction; room for the mark and the newline is kept free. */
struct line {
    char bytes[LOG_LINE_BYTES];
    size_t length;
    bool is_cut;
};

const char *log_level_name(enum log_level level)
{
    CHECK((unsigned)level < LOG_LEVEL_COUNT);
    return level_names[level];
}

enum status log_level_from_name(const char *name,
                                enum log_level *ret_level,
                                struct error *reterr_error)
{
    static const char *const names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_level = (enum log_level)i;
            return OK;
        }
    }
    return error_set(reterr_error, ERR_INVALID, "log level %s: expected error, warn, info or debug",
                     name);
}

enum status log_open(const char *path,
                     const char *component,
                     enum log_level level,
                     struct log **ret_log,
                     struct error *reterr_error)
{
    struct file *file = NULL;
    if (path != NULL) {
        enum status status = file_open(path, FILE_MODE_APPEND, FILE_PUBLIC, &file, reterr_error);
        if (status != OK)
            return status;
    }
    struct log *log = MEM_NEW(struct log);
    log->mutex = mutex_open();
    log->file = file;
    atomic_init(&log->level, (int)level);
    (void)snprintf(log->component, sizeof(log->component), "%s", component);
    *ret_log = log;
    return OK;
}

void log_close(struct log *log)
{
    if (log == NULL)
        return;
    file_close(log->file);
    mutex_close(log->mutex);
    mem_free(log);
}

enum status log_reopen(struct log *log, struct error *reterr_error)
{
    if (log->file == NULL)
        return OK;
    struct file *file = NULL;
    enum status status =
        file_open(file_path(log->file), FILE_MODE_APPEND, FILE_PUBLIC, &file, reterr_error);
    if (status != OK)
        return status;
    mutex_lock(log->mutex);
    struct file *before = log->file;
    log->file = file;
    mutex_unlock(log->mutex);
    file_close(before);
    return OK;
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store(&log->level, (int)level);
}

bool log_is_on(const struct log *log, enum log_level level)
{
    return log != NULL && (int)level <= atomic_load(&log->level);
}

static void put(struct line *line, const char *text, size_t length)
{
    size_t room = sizeof(line->bytes) - sizeof(cut_mark) - 1 - line->length;
    if (length > room) {
        line->is_cut = true;
        length = 0; /* whole pieces only, so that nothing escaped is torn */
    }
    memcpy(line->bytes + line->length, text, length);
    line->length += length;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool needs_quotes(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (byte <= ' ' || byte == '"' || byte == '=' || byte == '\\' || byte == 0x7f)
            return true;
    }
    return text.length == 0;
}

static void put_value(struct line *line, struct slice text)
{
    if (!needs_quotes(text)) {
        put(line, (const char *)text.data, text.length);
        return;
    }
    put_string(line, "\"");
    for (size_t i = 0; i < text.length && !line->is_cut; i++) {
        uint8_t byte = text.data[i];
        char escaped[8];
        if (byte == '\n')
            put_string(line, "\\n");
        else if (byte == '"' || byte == '\\')
            put(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\%c", byte));
        else if (byte < ' ' || byte == 0x7f)
            put(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", byte));
        else
            put(line, (const char *)&text.data[i], 1);
    }
    put_string(line, "\"");
}

static void put_field(struct line *line, const struct log_field *field)
{
    char number[32];
    put_string(line, " ");
    put_string(line, field->key);
    put_string(line, "=");
    switch (field->kind) {
    case LOG_FIELD_TEXT:
        put_value(line, field->text);
        break;
    case LOG_FIELD_NUMBER:
        (void)snprintf(number, sizeof(number), "%lld", (long long)field->number);
        put_string(line, number);
        break;
    case LOG_FIELD_UNSIGNED:
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)field->unsigned_number);
        put_string(line, number);
        break;
    }
}

static void format_line(const struct log *log,
                        struct line *line,
                        enum log_level level,
                        const char *event,
                        const struct log_field *fields,
                        size_t count)
{
    char now[CLOCK_TEXT_BYTES];
    clock_format_wall(clock_wall_ms(), now);
    line->length = 0;
    line->is_cut = false;
    put_string(line, now);
    put_string(line, " ");
    put_string(line, log_level_name(level));
    put_string(line, " ");
    put_string(line, log->component);
    put_string(line, " ");
    put_string(line, event);
    for (size_t i = 0; i < count && !line->is_cut; i++)
        put_field(line, &fields[i]);
    if (line->is_cut) {
        memcpy(line->bytes + line->length, cut_mark, sizeof(cut_mark) - 1);
        line->length += sizeof(cut_mark) - 1;
    }
    line->bytes[line->length++] = '\n';
}

static bool write_line(struct log *log, const struct line *line)
{
    if (log->file != NULL)
        return file_append(log->file, slice_make(line->bytes, line->length), NULL) == OK;
    return fwrite(line->bytes, 1, line->length, stderr) == line->length;
}

void log_write(struct log *log,
               enum log_level level,
               const char *event,
               const struct log_field *fields,
               size_t count)
{
    if (!log_is_on(log, level))
        return;
    struct line line;
    format_line(log, &line, level, event, fields, count);
    mutex_lock(log->mutex);
    if (log->lost > 0) {
        struct line told;
        struct log_field lost = log_unsigned("lines", log->lost);
        format_line(log, &told, LOG_LEVEL_WARN, "log_lines_lost", &lost, 1);
        if (write_line(log, &told))
            log->lost = 0;
    }
    if (!write_line(log, &line))
        log->lost++; /* nowhere to report it; told with the next line that can be written */
    mutex_unlock(log->mutex);
}
