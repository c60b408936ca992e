/*
 * settings.c - the table of settings and its sources.
 */
#include "lib/daemon/settings.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/daemon/setting_value.h"
#include "lib/model/message.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    NAME_BYTES_MAX = 128,
    SOURCE_BYTES = 1024
};

struct settings_row {
    const struct setting *setting;
    char *text; /* as given */
    char *source;
    uint64_t value;
    bool is_given;
};

struct settings {
    struct map *by_name; /* struct settings_row */
};

/*
 * Sections of all programs of the tree: one file serves them all, and each reads its own rows. A
 * section that is not here is a typing error.
 */
static const char *const tree_sections[] = {
    "appmaster", "client",   "cluster", "daemon", "datanode", "dfs",  "job", "journal",
    "log",       "namenode", "nodemgr", "rm",     "shuffle",  "task", "up",
};

static char *copy_text(const char *text)
{
    size_t length = strlen(text);
    char *copy = mem_new(length + 1);
    memcpy(copy, text, length);
    return copy;
}

static void row_set(struct settings_row *row, const char *text, uint64_t value, const char *source)
{
    char *copy = copy_text(text); /* text may be the row's own */
    mem_free(row->text);
    mem_free(row->source);
    row->text = copy;
    row->source = copy_text(source);
    row->value = value;
}

static enum status row_parse(const struct setting *setting,
                             const char *text,
                             uint64_t *ret_value,
                             struct error *reterr_error)
{
    uint64_t value = 0;
    enum status status =
        setting_parse(setting->type, slice_from_string(text), &value, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "%s", setting->name);
    bool is_bounded = setting->value_min != 0 || setting->value_max != 0;
    if (is_bounded && (value < setting->value_min || value > setting->value_max))
        return error_set(reterr_error, ERR_INVALID, "%s: %s is not between %llu and %llu",
                         setting->name, text, (unsigned long long)setting->value_min,
                         (unsigned long long)setting->value_max);
    *ret_value = value;
    return OK;
}

struct settings *settings_open(void)
{
    struct settings *settings = MEM_NEW(struct settings);
    settings->by_name = map_open();
    return settings;
}

void settings_close(struct settings *settings)
{
    if (settings == NULL)
        return;
    size_t cursor = 0;
    void *value = NULL;
    while (map_next(settings->by_name, &cursor, NULL, &value)) {
        struct settings_row *row = value;
        mem_free(row->text);
        mem_free(row->source);
        mem_free(row);
    }
    map_close(settings->by_name);
    mem_free(settings);
}

static struct settings_row *find_row(const struct settings *settings, struct slice name)
{
    return map_get(settings->by_name, name);
}

void settings_add(struct settings *settings, const struct setting *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        CHECK(strlen(rows[i].name) < NAME_BYTES_MAX && strchr(rows[i].name, '.') != NULL);
        CHECK(row_parse(&rows[i], rows[i].default_text, &value, NULL) == OK);
        struct settings_row *row = MEM_NEW(struct settings_row);
        row->setting = &rows[i];
        row_set(row, rows[i].default_text, value, "default");
        CHECK(map_put(settings->by_name, slice_from_string(rows[i].name), row) == NULL);
    }
}

/* "unknown setting rm.lsot_node: did you mean rm.lost_node?" */
static enum status unknown_name(const struct settings *settings,
                                struct slice name,
                                struct error *reterr_error)
{
    const char *nearest = NULL;
    size_t distance_min = name.length / 3 + 2; /* farther is no typing error */
    size_t cursor = 0;
    struct slice candidate;
    void *value = NULL;
    while (map_next(settings->by_name, &cursor, &candidate, &value)) {
        const struct settings_row *row = value;
        size_t distance = setting_name_distance(name, candidate);
        if (distance < distance_min) {
            distance_min = distance;
            nearest = row->setting->name;
        }
    }
    if (nearest != NULL)
        return error_set(reterr_error, ERR_NOT_FOUND, "unknown setting %.*s: did you mean %s?",
                         SLICE_ARGS(name), nearest);
    return error_set(reterr_error, ERR_NOT_FOUND, "unknown setting %.*s", SLICE_ARGS(name));
}

static enum status assign(struct settings *settings,
                          struct slice name,
                          const char *text,
                          const char *source,
                          struct error *reterr_error)
{
    struct settings_row *row = find_row(settings, name);
    if (row == NULL)
        return unknown_name(settings, name, reterr_error);
    uint64_t value = 0;
    enum status status = row_parse(row->setting, text, &value, reterr_error);
    if (status != OK)
        return status;
    row_set(row, text, value, source);
    row->is_given = true;
    return OK;
}

enum status settings_set(struct settings *settings,
                         const char *assignment,
                         const char *source,
                         struct error *reterr_error)
{
    struct slice whole = slice_from_string(assignment);
    size_t name_length = slice_find(whole, '=');
    if (name_length == whole.length)
        return error_set(reterr_error, ERR_INVALID, "%s %s: expected name=value", source,
                         assignment);
    return assign(settings, slice_sub(whole, 0, name_length), assignment + name_length + 1, source,
                  reterr_error);
}

/* --- the file -------------------------------------------------------------------------------- */

/* Feeds inih line by line, so that the line of a value is known. */
struct settings_file {
    struct settings *settings;
    const char *path;
    struct slice rest;
    unsigned line;
    struct map *seen; /* names set in this file, to find those set twice */
    bool has_long_line;
    enum status status;
    struct error *error;
};

/* As fgets: at most size - 1 bytes, up to and with the newline. */
static char *read_line(char *line, int size, void *user)
{
    struct settings_file *file = user;
    if (file->rest.length == 0)
        return NULL;
    size_t length = slice_find(file->rest, '\n');
    bool is_last = length == file->rest.length;
    size_t whole = is_last ? length : length + 1;
    file->line++;
    if (whole > (size_t)size - 1) {
        file->has_long_line = true;
        return NULL;
    }
    memcpy(line, file->rest.data, whole);
    line[whole] = '\0';
    file->rest = slice_sub(file->rest, whole, file->rest.length - whole);
    return line;
}

static bool is_tree_section(const char *section)
{
    for (size_t i = 0; i < sizeof(tree_sections) / sizeof(tree_sections[0]); i++) {
        if (strcmp(tree_sections[i], section) == 0)
            return true;
    }
    return false;
}

/* True when one of our rows is in this section. */
static bool is_own_section(const struct settings *settings, const char *section)
{
    size_t length = strlen(section);
    size_t cursor = 0;
    struct slice name;
    while (map_next(settings->by_name, &cursor, &name, NULL)) {
        if (name.length > length && name.data[length] == '.' &&
            memcmp(name.data, section, length) == 0)
            return true;
    }
    return false;
}

static enum status take_pair(struct settings_file *file,
                             const char *section,
                             const char *name,
                             const char *value)
{
    if (section[0] == '\0')
        return error_set(file->error, ERR_INVALID, "%s stands in no [section]", name);
    if (!is_tree_section(section) && !is_own_section(file->settings, section))
        return error_set(file->error, ERR_NOT_FOUND, "unknown section [%s]", section);
    char full[NAME_BYTES_MAX * 2];
    int length = snprintf(full, sizeof(full), "%s.%s", section, name);
    if (length < 0 || (size_t)length >= sizeof(full))
        return error_set(file->error, ERR_LIMIT, "the name is too long");
    struct slice full_name = slice_make(full, (size_t)length);
    if (find_row(file->settings, full_name) == NULL && !is_own_section(file->settings, section))
        return OK; /* another program's */
    if (map_put(file->seen, full_name, file) != NULL)
        return error_set(file->error, ERR_INVALID, "%s is set twice in this file", full);
    char source[SOURCE_BYTES];
    (void)snprintf(source, sizeof(source), "file %s:%u", file->path, file->line);
    return assign(file->settings, full_name, value, source, file->error);
}

/* Called by inih for each pair; 0 is failure. */
static int handle_pair(void *user, const char *section, const char *name, const char *value)
{
    struct settings_file *file = user;
    if (file->status == OK)
        file->status = take_pair(file, section, name, value);
    return file->status == OK ? 1 : 0;
}

static enum status parse_file(struct settings_file *file)
{
    int bad_line = ini_parse_stream(read_line, file, handle_pair, file);
    if (file->status != OK)
        return file->status;
    if (file->has_long_line)
        return error_set(file->error, ERR_LIMIT, "the line is too long");
    if (bad_line != 0) {
        file->line = bad_line > 0 ? (unsigned)bad_line : file->line;
        return error_set(file->error, ERR_INVALID,
                         "expected [section] or name = value, or a ; comment");
    }
    return OK;
}

enum status settings_load_file(struct settings *settings,
                               const char *path,
                               bool must_exist,
                               struct error *reterr_error)
{
    struct buf content;
    struct error error = {.status = OK};
    buf_open(&content, FILE_BYTES_MAX);
    enum status status = file_read_whole(path, &content, &error);
    if (status == ERR_NOT_FOUND && !must_exist) {
        buf_close(&content);
        return OK;
    }
    if (status == OK) {
        struct settings_file file = {
            .settings = settings, .path = path, .rest = buf_slice(&content), .error = &error};
        file.seen = map_open();
        status = parse_file(&file);
        map_close(file.seen);
        if (status != OK)
            status = error_prefix(&error, status, "%s:%u", path, file.line);
    }
    buf_close(&content);
    if (status != OK)
        return error_set(reterr_error, status, "%s", error.text);
    return OK;
}

/* --- the environment ------------------------------------------------------------------------- */

enum status settings_load_environment(struct settings *settings, struct error *reterr_error)
{
    size_t cursor = 0;
    struct slice name;
    while (map_next(settings->by_name, &cursor, &name, NULL)) {
        char variable[NAME_BYTES_MAX + sizeof("MILLRACE_")];
        (void)snprintf(variable, sizeof(variable), "MILLRACE_%.*s", SLICE_ARGS(name));
        for (char *at = variable; *at != '\0'; at++) {
            if (*at == '.')
                *at = '_';
            else if (*at >= 'a' && *at <= 'z')
                *at = (char)(*at - 'a' + 'A');
        }
        const char *value = host_environment(variable);
        if (value == NULL)
            continue;
        char source[SOURCE_BYTES];
        (void)snprintf(source, sizeof(source), "environment %s", variable);
        enum status status = assign(settings, name, value, source, reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "%s", variable);
    }
    return OK;
}

/* --- reading --------------------------------------------------------------------------------- */

static const struct settings_row *typed_row(const struct settings *settings,
                                            const char *name,
                                            enum setting_type type)
{
    const struct settings_row *row = find_row(settings, slice_from_string(name));
    CHECK(row != NULL);
    CHECK(row->setting->type == type);
    return row;
}

uint64_t settings_u64(const struct settings *settings, const char *name)
{
    return typed_row(settings, name, SETTING_U64)->value;
}

uint64_t settings_bytes(const struct settings *settings, const char *name)
{
    return typed_row(settings, name, SETTING_BYTES)->value;
}

int64_t settings_ms(const struct settings *settings, const char *name)
{
    return (int64_t)typed_row(settings, name, SETTING_MS)->value;
}

bool settings_bool(const struct settings *settings, const char *name)
{
    return typed_row(settings, name, SETTING_BOOL)->value != 0;
}

const char *settings_string(const struct settings *settings, const char *name)
{
    return typed_row(settings, name, SETTING_STRING)->text;
}

bool settings_is_given(const struct settings *settings, const char *name)
{
    const struct settings_row *row = find_row(settings, slice_from_string(name));
    CHECK(row != NULL);
    return row->is_given;
}

/* --- listings -------------------------------------------------------------------------------- */

static int compare_rows(const void *left, const void *right)
{
    const struct settings_row *const *left_row = left;
    const struct settings_row *const *right_row = right;
    return strcmp((*left_row)->setting->name, (*right_row)->setting->name);
}

/* All rows by name; for mem_free. */
static const struct settings_row **sorted_rows(const struct settings *settings)
{
    size_t count = 0;
    const struct settings_row **rows = mem_new((map_count(settings->by_name) + 1) * sizeof(*rows));
    size_t cursor = 0;
    void *value = NULL;
    while (map_next(settings->by_name, &cursor, NULL, &value))
        rows[count++] = value;
    qsort(rows, count, sizeof(*rows), compare_rows);
    return rows;
}

enum status settings_print(const struct settings *settings, struct buf *buf)
{
    const struct settings_row **rows = sorted_rows(settings);
    enum status status = OK;
    for (size_t i = 0; i < map_count(settings->by_name) && status == OK; i++)
        status = buf_append_format(buf, "%s = %s  (from: %s)\n", rows[i]->setting->name,
                                   rows[i]->text, rows[i]->source);
    mem_free(rows);
    return status;
}

static enum status print_json_field(struct buf *buf, const char *key, const char *value)
{
    enum status status = buf_append_format(buf, "%s\"%s\":", key[0] == 'n' ? "{" : ",", key);
    if (status == OK)
        status = message_print_json_string(slice_from_string(value), buf);
    return status;
}

static enum status print_json_row(struct buf *buf, const struct settings_row *row)
{
    static const char *const types[SETTING_TYPE_COUNT] = {
        [SETTING_U64] = "u64",   [SETTING_BYTES] = "bytes",   [SETTING_MS] = "ms",
        [SETTING_BOOL] = "bool", [SETTING_STRING] = "string",
    };
    enum status status = print_json_field(buf, "name", row->setting->name);
    if (status == OK)
        status = print_json_field(buf, "value", row->text);
    if (status == OK)
        status = print_json_field(buf, "type", types[row->setting->type]);
    if (status == OK)
        status = print_json_field(buf, "default", row->setting->default_text);
    if (status == OK)
        status = print_json_field(buf, "from", row->source);
    if (status == OK)
        status = print_json_field(buf, "help", row->setting->help);
    return status == OK ? buf_append(buf, "}", 1) : status;
}

enum status settings_print_json(const struct settings *settings, struct buf *buf)
{
    const struct settings_row **rows = sorted_rows(settings);
    size_t count = map_count(settings->by_name);
    enum status status = buf_append(buf, "[", 1);
    for (size_t i = 0; i < count && status == OK; i++) {
        if (i > 0)
            status = buf_append(buf, ",\n ", 3);
        if (status == OK)
            status = print_json_row(buf, rows[i]);
    }
    mem_free(rows);
    return status == OK ? buf_append(buf, "]\n", 2) : status;
}
