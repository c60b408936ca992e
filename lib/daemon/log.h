/*
 * log.h - structured log lines of the daemons, one event a line:
 *     2026-01-31T10:00:00.123Z WARN rm node_lost node=n17 silent_ms=30000
 * ERROR: a person must act. WARN: we coped. INFO: state changes of jobs and nodes. DEBUG: the rest.
 * Values with spaces, quotes, "=" or control characters are quoted and escaped, so a line is always
 * one line. Any thread may log. Only shells log; libraries and cores return errors and traces.
 *
 *     log_event(log, LOG_LEVEL_WARN, "node_lost", log_text("node", name), log_number("silent_ms",
 * ms));
 */
#ifndef MILLRACE_LIB_DAEMON_LOG_H
#define MILLRACE_LIB_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT
};

enum log_field_kind {
    LOG_FIELD_TEXT,
    LOG_FIELD_NUMBER,
    LOG_FIELD_UNSIGNED
};

struct log_field {
    const char *key;
    enum log_field_kind kind;
    struct slice text;
    int64_t number;
    uint64_t unsigned_number;
};

struct log;

/*
 * component: the third word of each line, copied. path: appended to, created when absent; NULL:
 * stderr.
 */
MUST_USE enum status log_open(const char *path,
                              const char *component,
                              enum log_level level,
                              struct log **ret_log,
                              struct error *reterr_error);
void log_close(struct log *log); /* NULL is fine */
/* Opens path again, after somebody moved the file away; the old one stays in use on failure. */
MUST_USE enum status log_reopen(struct log *log, struct error *reterr_error);
void log_set_level(struct log *log, enum log_level level);
bool log_is_on(const struct log *log, enum log_level level);
/* log NULL: does nothing. A line longer than LOG_LINE_BYTES is cut, and says so. */
void log_write(struct log *log,
               enum log_level level,
               const char *event,
               const struct log_field *fields,
               size_t count);
const char *log_level_name(enum log_level level);
/* "error", "warn", "info", "debug"; ERR_INVALID names them. */
MUST_USE enum status log_level_from_name(const char *name,
                                         enum log_level *ret_level,
                                         struct error *reterr_error);

enum {
    LOG_LINE_BYTES = 4096
};

static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_TEXT, .text = slice_from_string(text)};
}

static inline struct log_field log_slice(const char *key, struct slice text)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_TEXT, .text = text};
}

static inline struct log_field log_number(const char *key, int64_t number)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_NUMBER, .number = number};
}

static inline struct log_field log_unsigned(const char *key, uint64_t number)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_UNSIGNED, .unsigned_number = number};
}

static inline struct log_field log_status(const char *key, enum status status)
{
    return log_text(key, status_name(status));
}

/* At least one field; for none call log_write with NULL and 0. */
#define log_event(log, level, event, ...)                                                          \
 log_write((log), (level), (event), (const struct log_field[]){__VA_ARGS__},                       \
           sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
