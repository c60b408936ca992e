/*
 * queues_file.c - [queue] sections with "key = value" lines, to struct rm_queue_specs. The machine
 * judges what the queues mean together (rm_queues_check_specs); here only each value is read.
 */
#include "rm/daemon/queues_file.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "lib/os/file.h"
#include "rm/core/rm.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    NUMBER_BYTES_MAX = 32
};

struct parser {
    const char *path;
    struct arena *arena;
    struct error *error;
    struct rm_queue_spec *specs;
    size_t count;
    size_t capacity;
    unsigned line;
};

static struct slice trim(struct slice text)
{
    size_t from = 0;
    size_t to = text.length;
    while (from < to && (text.data[from] == ' ' || text.data[from] == '\t'))
        from++;
    while (to > from &&
           (text.data[to - 1] == ' ' || text.data[to - 1] == '\t' || text.data[to - 1] == '\r'))
        to--;
    return slice_sub(text, from, to - from);
}

static enum status refuse(struct parser *parser, const char *what, struct slice value)
{
    if (parser->count == 0)
        return error_set(parser->error, ERR_INVALID, "%s:%u: %s: %s", parser->path, parser->line,
                         text_quote(value).text, what);
    struct slice queue = parser->specs[parser->count - 1].path;
    return error_set(parser->error, ERR_INVALID, "%s:%u: queue %s: %s: %s", parser->path,
                     parser->line, text_quote(queue).text, text_quote(value).text, what);
}

/* A decimal number of at least 0, times scale, rounded. */
static bool parse_scaled(struct slice value, double scale, double most, uint32_t *ret_number)
{
    char text[NUMBER_BYTES_MAX];
    if (value.length == 0 || value.length >= sizeof(text))
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if ((value.data[i] < '0' || value.data[i] > '9') && value.data[i] != '.')
            return false;
    }
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    char *end = NULL;
    double number = strtod(text, &end) * scale;
    if (*end != '\0' || !(number <= most))
        return false;
    *ret_number = (uint32_t)(number + 0.5);
    return true;
}

static bool parse_state(struct slice value, struct rm_queue_spec *spec)
{
    static const char *const names[] = {"running", "stopped", "draining"};
    for (int i = 0; i < RM_QUEUE_STATE_COUNT; i++) {
        if (!slice_equal_string(value, names[i]))
            continue;
        spec->state = (enum rm_queue_state)i;
        return true;
    }
    return false;
}

/* NULL when taken, else what would be right. */
static const char *take_word(struct rm_queue_spec *spec, struct slice key, struct slice value)
{
    if (slice_equal_string(key, "state"))
        return parse_state(value, spec) ? NULL : "state is running, stopped or draining";
    if (slice_equal_string(key, "order")) {
        bool is_fifo = slice_equal_string(value, "fifo");
        spec->order = is_fifo ? QUEUE_FIFO : QUEUE_FAIR;
        return is_fifo || slice_equal_string(value, "fair") ? NULL : "order is fair or fifo";
    }
    if (slice_equal_string(key, "preemption")) {
        bool is_on = slice_equal_string(value, "on");
        spec->preemption = is_on ? QUEUE_PREEMPTION_ON : QUEUE_PREEMPTION_OFF;
        return is_on || slice_equal_string(value, "off") ? NULL : "preemption is on or off";
    }
    if (slice_equal_string(key, "submit")) {
        spec->has_submit = true;
        spec->submit = value;
        return NULL;
    }
    if (slice_equal_string(key, "administer")) {
        spec->has_administer = true;
        spec->administer = value;
        return NULL;
    }
    return "unknown key; there are share, max_share, state, order, user_limit_percent, "
           "user_limit_factor, max_apps, max_running, masters_percent, submit, administer, "
           "priority_max and preemption";
}

static const char *take_pair(struct rm_queue_spec *spec, struct slice key, struct slice value)
{
    const struct {
        const char *key;
        double scale;
        double most;
        uint32_t *number;
        bool *is_given;
        const char *right;
    } rows[] = {
        {"share",              1e4, 1e6,            &spec->share_ppm,             &spec->has_share,        "share is a percentage, 0 to 100"      },
        {"max_share",          1e4, 1e6,            &spec->max_share_ppm,         NULL,                    "max_share is a percentage, 0 to 100"  },
        {"user_limit_percent", 1,   100,            &spec->user_limit_percent,    NULL,
         "user_limit_percent is 0 to 100"                                                                                                         },
        {"user_limit_factor",  1e6, 1e9,            &spec->user_limit_factor_ppm, NULL,
         "user_limit_factor is a number, 0 to 1000"                                                                                               },
        {"max_apps",           1,   1e6,            &spec->max_apps,              NULL,                    "max_apps is a number, 0 to 1000000"   },
        {"max_running",        1,   1e6,            &spec->max_running,           NULL,                    "max_running is a number, 0 to 1000000"},
        {"masters_percent",    1,   100,            &spec->masters_percent,       NULL,                    "masters_percent is 0 to 100"          },
        {"priority_max",       1,   LIMIT_PRIORITY, &spec->priority_max,          &spec->has_priority_max,
         "priority_max is a number, 0 to 1000000"                                                                                                 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!slice_equal_string(key, rows[i].key))
            continue;
        if (!parse_scaled(value, rows[i].scale, rows[i].most, rows[i].number))
            return rows[i].right;
        if (rows[i].is_given != NULL)
            *rows[i].is_given = true;
        return NULL;
    }
    return take_word(spec, key, value);
}

static enum status take_line(struct parser *parser, struct slice line)
{
    if (line.length == 0 || line.data[0] == ';' || line.data[0] == '#')
        return OK;
    if (line.data[0] == '[') {
        if (line.data[line.length - 1] != ']')
            return refuse(parser, "a section is [root.name]", line);
        if (parser->count >= LIMIT_QUEUES)
            return refuse(parser, "too many queues; merge some", line);
        parser->specs =
            mem_reserve(parser->specs, parser->count, &parser->capacity, sizeof(parser->specs[0]));
        parser->specs[parser->count++] = (struct rm_queue_spec){
            .path = arena_copy(parser->arena, trim(slice_sub(line, 1, line.length - 2))),
            .line = parser->line};
        return OK;
    }
    size_t equals = slice_find(line, '=');
    if (equals >= line.length)
        return refuse(parser, "a line is [root.name], key = value or a ; comment", line);
    if (parser->count == 0)
        return refuse(parser, "it stands in no section; begin with [root.name]", line);
    struct slice key = trim(slice_sub(line, 0, equals));
    struct slice value = trim(slice_sub(line, equals + 1, line.length - equals - 1));
    const char *fault =
        take_pair(&parser->specs[parser->count - 1], key, arena_copy(parser->arena, value));
    return fault == NULL ? OK : refuse(parser, fault, line);
}

enum status rm_queues_file_parse(const char *path,
                                 struct slice text,
                                 struct arena *arena,
                                 struct rm_queue_specs *ret_specs,
                                 struct error *reterr_error)
{
    struct parser parser = {.path = path, .arena = arena, .error = reterr_error};
    enum status status = OK;
    while (text.length > 0 && status == OK) {
        size_t length = slice_find(text, '\n');
        parser.line++;
        status = take_line(&parser, trim(slice_sub(text, 0, length)));
        size_t taken = length < text.length ? length + 1 : length;
        text = slice_sub(text, taken, text.length - taken);
    }
    struct rm_queue_specs specs = {
        .file = slice_from_string(path), .queues = parser.specs, .queues_count = parser.count};
    if (status == OK)
        status = rm_queues_check_specs(&specs, reterr_error);
    if (status == OK)
        message_copy_into(&rm_queue_specs_type, &specs, ret_specs, arena);
    mem_free(parser.specs);
    return status;
}

enum status rm_queues_file_read(const char *path,
                                struct arena *arena,
                                struct rm_queue_specs *ret_specs,
                                struct error *reterr_error)
{
    struct buf content;
    buf_open(&content, FILE_BYTES_MAX);
    enum status status = file_read_whole(path, &content, reterr_error);
    if (status == OK)
        status = rm_queues_file_parse(path, buf_slice(&content), arena, ret_specs, reterr_error);
    else if (status == ERR_NOT_FOUND)
        status = rm_queues_file_parse(path, (struct slice){0}, arena, ret_specs, reterr_error);
    buf_close(&content);
    return status;
}
