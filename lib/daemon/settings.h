/*
 * settings.h - named, typed settings and where each value came from.
 * Sources, later ones win: the default < the file millrace.conf < the environment < the command
 * line. Names are "section.name"; in the file [section] and name = value; in the environment
 * MILLRACE_SECTION_NAME; on the command line --set section.name=value.
 * Values: u64 "42"; bytes "64m" (k, m, g: powers of 1024); ms "500ms", "30s", "5m", "2h" (a bare
 * number is ms); bool "true", "false" (also yes, no, on, off, 1, 0); string anything.
 */
#ifndef MILLRACE_LIB_DAEMON_SETTINGS_H
#define MILLRACE_LIB_DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum setting_type {
    SETTING_U64,
    SETTING_BYTES,
    SETTING_MS,
    SETTING_BOOL,
    SETTING_STRING,
    SETTING_TYPE_COUNT
};

/* A row of a program's table; static storage. */
struct setting {
    const char *name; /* "rm.lost_node_ms" */
    enum setting_type type;
    const char *default_text; /* in the syntax above; must be valid */
    const char *help;         /* one sentence, for listings */
    uint64_t value_min;       /* numbers only; both 0: no bounds */
    uint64_t value_max;
};

struct settings;

/* Starts with no rows. */
struct settings *settings_open(void);
void settings_close(struct settings *settings); /* NULL is fine */
/* Adds rows with their defaults. A name twice or a bad default is our own bug and aborts. */
void settings_add(struct settings *settings, const struct setting *rows, size_t count);
/*
 * Reads an ini file. A name nobody has is ERR_NOT_FOUND, with the nearest name suggested, unless
 * its section belongs to another program of the tree (rows of one file serve all daemons). A value
 * of the wrong type or out of bounds is ERR_INVALID. Errors name file and line. An absent file is
 * ERR_NOT_FOUND when must_exist, else fine.
 */
MUST_USE enum status settings_load_file(struct settings *settings,
                                        const char *path,
                                        bool must_exist,
                                        struct error *reterr_error);
/* Reads MILLRACE_SECTION_NAME for every row; values are checked the same. */
MUST_USE enum status settings_load_environment(struct settings *settings,
                                               struct error *reterr_error);
/*
 * Takes one "name=value" from the command line; ERR_NOT_FOUND, ERR_INVALID as above. source: shown
 * in listings, for example "--set".
 */
MUST_USE enum status settings_set(struct settings *settings,
                                  const char *assignment,
                                  const char *source,
                                  struct error *reterr_error);

/* Typed reads; an unknown name or another type is our own bug and aborts. */
uint64_t settings_u64(const struct settings *settings, const char *name);
uint64_t settings_bytes(const struct settings *settings, const char *name);
int64_t settings_ms(const struct settings *settings, const char *name);
bool settings_bool(const struct settings *settings, const char *name);
/* Borrowed until the next load, set or close. */
const char *settings_string(const struct settings *settings, const char *name);
/* True when some source other than the default gave the value. */
bool settings_is_given(const struct settings *settings, const char *name);

/* One line a setting, sorted: "rm.lost_node_ms = 30s  (from: file /x/millrace.conf:12)". */
MUST_USE enum status settings_print(const struct settings *settings, struct buf *buf);
/* An array of {"name", "value", "type", "default", "from", "help"}. */
MUST_USE enum status settings_print_json(const struct settings *settings, struct buf *buf);

/* Parse one value of the syntax above; ERR_INVALID says what would be right. */
MUST_USE enum status setting_parse(enum setting_type type,
                                   struct slice text,
                                   uint64_t *ret_value,
                                   struct error *reterr_error);

#endif
