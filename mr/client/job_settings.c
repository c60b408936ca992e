/*
 * job_settings.c - the table of Millrace's own -D names, and its reader.
 */
#include "mr/client/job_settings.h"

#include <stddef.h>
#include <string.h>

#include "lib/daemon/setting_value.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"

enum value_kind {
    VALUE_BYTES,
    VALUE_MS,
    VALUE_NUMBER,
    VALUE_TEXT
};

struct known_key {
    const char *key;
    enum value_kind kind;
    size_t offset; /* in struct job_settings */
    uint64_t otherwise;
    uint64_t least;
    uint64_t most;
    const char *text; /* for help */
};

#define KIB        ((uint64_t)1024)
#define MIB        (1024 * KIB)
#define GIB        (1024 * MIB)
#define AT(member) offsetof(struct job_settings, member)

static const struct known_key known_keys[] = {
    {"job.name",           VALUE_TEXT,   AT(name),                0,          0,        LIMIT_APP_NAME_BYTES,
     "what people see (--name is stronger)"                     },
    {"job.queue",          VALUE_TEXT,   AT(queue),               0,          0,        LIMIT_QUEUE_NAME_BYTES,
     "queue it is submitted to (root.default)"                  },
    {"job.priority",       VALUE_NUMBER, AT(priority),            0,          0,        LIMIT_PRIORITY,
     "among the jobs of a queue, higher first (0)"              },
    {"mr.map.memory",      VALUE_BYTES,  AT(map_memory_bytes),    512 * MIB,  32 * MIB, 1024 * GIB,
     "memory of a map's container (512m)"                       },
    {"mr.map.vcores",      VALUE_NUMBER, AT(map_vcores),          1,          1,        1024,
     "processors of a map's container (1)"                      },
    {"mr.master.attempts", VALUE_NUMBER, AT(master_attempts_max), 0,          0,        LIMIT_APP_ATTEMPTS,
     "masters that may fail; 0: the cluster's default (0)"      },
    {"mr.master.memory",   VALUE_BYTES,  AT(master_memory_bytes), 256 * MIB,  64 * MIB, 1024 * GIB,
     "memory of the job's master (256m)"                        },
    {"mr.reduce.memory",   VALUE_BYTES,  AT(reduce_memory_bytes), 512 * MIB,  32 * MIB, 1024 * GIB,
     "memory of a reduce's container (512m)"                    },
    {"mr.reduce.vcores",   VALUE_NUMBER, AT(reduce_vcores),       1,          1,        1024,
     "processors of a reduce's container (1)"                   },
    {"mr.sort.memory",     VALUE_BYTES,  AT(sort_memory_bytes),   100 * MIB,  64 * KIB, 1024 * GIB,
     "of it, for sorting and combining (100m)"                  },
    {"mr.split.bytes",     VALUE_BYTES,  AT(split_bytes),         0,          0,        UINT64_MAX,
     "input of one map; 0: a block (0; --split is stronger)"    },
    {"mr.task.attempts",   VALUE_NUMBER, AT(task_attempts_max),   0,          0,        LIMIT_TASK_ATTEMPTS,
     "attempts of a task that may fail; 0: 4 (0)"               },
    {"mr.task.timeout",    VALUE_MS,     AT(task_timeout_ms),     600 * 1000, 0,        UINT32_MAX,
     "a task without progress for so long fails; 0: never (10m)"},
};

enum {
    KNOWN_COUNT = sizeof(known_keys) / sizeof(known_keys[0]),
    MEANT_DISTANCE = 5 /* names farther away are not suggested */
};

bool job_settings_describe(size_t index, const char **ret_key, const char **ret_text)
{
    if (index >= KNOWN_COUNT)
        return false;
    *ret_key = known_keys[index].key;
    *ret_text = known_keys[index].text;
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"",   1  },
    {"k",  KIB},
    {"m",  MIB},
    {"g",  GIB},
    {NULL, 0  },
};
static const struct unit time_units[] = {
    {"",   1          },
    {"ms", 1          },
    {"s",  1000       },
    {"m",  60 * 1000  },
    {"h",  3600 * 1000},
    {NULL, 0          },
};
static const struct unit no_units[] = {
    {"",   1},
    {NULL, 0},
};

/* Digits, then one of the units, in either case. */
static bool read_number(const char *text, const struct unit *units, uint64_t *ret_value)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t value;
    if (!slice_parse_u64(slice_make(text, digits), &value))
        return false;
    for (size_t i = 0; units[i].name != NULL; i++) {
        const char *name = units[i].name;
        const char *rest = text + digits;
        while (*name != '\0' && (*rest == *name || *rest == *name - 'a' + 'A')) {
            name++;
            rest++;
        }
        if (*name != '\0' || *rest != '\0')
            continue;
        if (value > UINT64_MAX / units[i].factor)
            return false;
        *ret_value = value * units[i].factor;
        return true;
    }
    return false;
}

enum status job_settings_bytes(const char *what,
                               const char *text,
                               uint64_t *ret_bytes,
                               struct error *reterr_error)
{
    if (read_number(text, byte_units, ret_bytes))
        return OK;
    return error_set(reterr_error, ERR_INVALID,
                     "%s is a number of bytes, with k, m or g behind it for KiB, MiB or GiB, not "
                     "%s",
                     what, text_quote(slice_from_string(text)).text);
}

static enum status check_text(const char *what,
                              const char *text,
                              size_t length_max,
                              struct error *reterr_error)
{
    size_t length = strlen(text);
    if (length == 0)
        return error_set(reterr_error, ERR_INVALID, "%s is empty", what);
    if (length > length_max)
        return error_set(reterr_error, ERR_INVALID, "%s has %zu bytes, at most %zu are allowed",
                         what, length, length_max);
    if (!slice_is_utf8(slice_from_string(text)))
        return error_set(reterr_error, ERR_INVALID, "%s %s is not UTF-8", what,
                         text_quote(slice_from_string(text)).text);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return error_set(reterr_error, ERR_INVALID, "%s %s has a control character in it", what,
                             text_quote(slice_from_string(text)).text);
    }
    return OK;
}

enum status job_settings_check_name(const char *text, struct error *reterr_error)
{
    return check_text("the job's name", text, LIMIT_APP_NAME_BYTES, reterr_error);
}

static enum status read_value(const struct known_key *known,
                              const char *value,
                              struct job_settings *settings,
                              struct error *reterr_error)
{
    void *member = (char *)settings + known->offset;
    uint64_t number = 0;
    bool is_number = true;
    const char *kind = "a number";
    switch (known->kind) {
    case VALUE_TEXT: {
        enum status status = check_text(known->key, value, (size_t)known->most, reterr_error);
        if (status == OK)
            memcpy(member, &value, sizeof(value));
        return status;
    }
    case VALUE_BYTES:
        kind = "a number of bytes, with k, m or g behind it for KiB, MiB or GiB,";
        is_number = read_number(value, byte_units, &number);
        break;
    case VALUE_MS:
        kind = "a time in milliseconds, or with ms, s, m or h behind it,";
        is_number = read_number(value, time_units, &number);
        break;
    case VALUE_NUMBER:
        is_number = read_number(value, no_units, &number);
        break;
    }
    if (!is_number)
        return error_set(reterr_error, ERR_INVALID, "-D %s is %s not %s", known->key, kind,
                         text_quote(slice_from_string(value)).text);
    if (number < known->least || number > known->most)
        return error_set(reterr_error, ERR_INVALID, "-D %s=%s is outside %llu..%llu", known->key,
                         value, (unsigned long long)known->least, (unsigned long long)known->most);
    memcpy(member, &number, sizeof(number));
    return OK;
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool is_ours(const char *key)
{
    return strncmp(key, "mr.", 3) == 0 || strncmp(key, "job.", 4) == 0;
}

static enum status refuse_unknown(const char *key, struct error *reterr_error)
{
    const char *nearest = NULL;
    size_t distance_least = MEANT_DISTANCE + 1;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        size_t distance =
            setting_name_distance(slice_from_string(key), slice_from_string(known_keys[i].key));
        if (distance < distance_least) {
            distance_least = distance;
            nearest = known_keys[i].key;
        }
    }
    if (nearest != NULL)
        return error_set(reterr_error, ERR_INVALID,
                         "there is no setting %s; did you mean %s? (names that begin with mr. or "
                         "job. are Millrace's own)",
                         key, nearest);
    return error_set(
        reterr_error, ERR_INVALID,
        "there is no setting %s; names that begin with mr. or job. are Millrace's own, "
        "call your parameter something else",
        key);
}

static enum status check_key(const char *key, struct error *reterr_error)
{
    size_t length = strlen(key);
    if (length == 0)
        return error_set(reterr_error, ERR_INVALID, "-D needs a name in front of the \"=\"");
    if (length > LIMIT_PARAMETER_NAME_BYTES)
        return error_set(
            reterr_error, ERR_INVALID, "the -D name %s has %zu bytes, at most %d are allowed",
            text_quote(slice_from_string(key)).text, length, (int)LIMIT_PARAMETER_NAME_BYTES);
    if (strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != length)
        return error_set(reterr_error, ERR_INVALID,
                         "the -D name %s has other characters than letters, digits, \".\", \"-\" "
                         "and \"_\"",
                         text_quote(slice_from_string(key)).text);
    return OK;
}

static enum status check_value(const struct mr_client_parameter *parameter,
                               struct error *reterr_error)
{
    size_t length = strlen(parameter->value);
    if (length > LIMIT_PARAMETER_BYTES)
        return error_set(reterr_error, ERR_INVALID,
                         "the value of -D %s has %zu bytes, at most %d are allowed; larger things "
                         "belong into a file",
                         parameter->key, length, (int)LIMIT_PARAMETER_BYTES);
    if (!slice_is_utf8(slice_make(parameter->value, length)))
        return error_set(reterr_error, ERR_INVALID, "the value of -D %s is not UTF-8",
                         parameter->key);
    return OK;
}

static enum status read_parameter(const struct mr_client_parameter *parameter,
                                  struct job_settings *settings,
                                  struct error *reterr_error)
{
    enum status status = check_key(parameter->key, reterr_error);
    if (status == OK)
        status = check_value(parameter, reterr_error);
    if (status != OK || !is_ours(parameter->key))
        return status;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (strcmp(known_keys[i].key, parameter->key) == 0)
            return read_value(&known_keys[i], parameter->value, settings, reterr_error);
    }
    return refuse_unknown(parameter->key, reterr_error);
}

/* The buffer is taken from the container's memory. */
static enum status check_together(const struct job_settings *settings, struct error *reterr_error)
{
    uint64_t least = settings->map_memory_bytes < settings->reduce_memory_bytes
                         ? settings->map_memory_bytes
                         : settings->reduce_memory_bytes;
    if (settings->sort_memory_bytes > least - least / 4)
        return error_set(
            reterr_error, ERR_INVALID,
            "mr.sort.memory is %llu bytes, more than three quarters of the container's "
            "%llu; lower it, or raise mr.map.memory and mr.reduce.memory",
            (unsigned long long)settings->sort_memory_bytes, (unsigned long long)least);
    return OK;
}

enum status job_settings_read(const struct mr_client_parameter *parameters,
                              size_t count,
                              struct job_settings *ret_settings,
                              struct error *reterr_error)
{
    struct job_settings settings = {.queue = "", .name = ""};
    if (count > LIMIT_PARAMETERS)
        return error_set(reterr_error, ERR_INVALID,
                         "there are %zu -D options, at most %d are allowed", count,
                         (int)LIMIT_PARAMETERS);
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (known_keys[i].kind != VALUE_TEXT)
            memcpy((char *)&settings + known_keys[i].offset, &known_keys[i].otherwise,
                   sizeof(known_keys[i].otherwise));
    }
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++)
        status = read_parameter(&parameters[i], &settings, reterr_error);
    if (status == OK)
        status = check_together(&settings, reterr_error);
    if (status == OK)
        *ret_settings = settings;
    return status;
}
