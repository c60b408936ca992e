/*
 * setting_value.c - values as people write them.
 */
#include "lib/daemon/setting_value.h"

#include <string.h>

#include "lib/daemon/settings.h"

enum {
    NAME_BYTES_MAX = 128
};

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"",  1                },
    {"k", 1 << 10          },
    {"m", 1 << 20          },
    {"g", 1 << 30          },
    {"t", UINT64_C(1) << 40}
};

static const struct unit time_units[] = {
    {"",   1             },
    {"ms", 1             },
    {"s",  1000          },
    {"m",  60 * 1000     },
    {"h",  60 * 60 * 1000}
};

/* Digits and one of the units; what: for the error, "64m". */
static enum status parse_units(struct slice text,
                               const struct unit *units,
                               size_t count,
                               uint64_t value_max,
                               const char *what,
                               uint64_t *ret_value,
                               struct error *reterr_error)
{
    size_t digits = 0;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    uint64_t number = 0;
    struct slice suffix = slice_sub(text, digits, text.length - digits);
    bool is_number = slice_parse_u64(slice_sub(text, 0, digits), &number);
    for (size_t i = 0; i < count && is_number; i++) {
        if (!slice_equal_string(suffix, units[i].suffix))
            continue;
        if (number > value_max / units[i].factor)
            return error_set(reterr_error, ERR_INVALID, "%.*s is too large", SLICE_ARGS(text));
        *ret_value = number * units[i].factor;
        return OK;
    }
    return error_set(reterr_error, ERR_INVALID, "\"%.*s\" is not %s", SLICE_ARGS(text), what);
}

static enum status parse_bool(struct slice text, uint64_t *ret_value, struct error *reterr_error)
{
    static const char *const words[2][4] = {
        {"false", "no",  "off", "0"},
        {"true",  "yes", "on",  "1"}
    };
    for (unsigned value = 0; value < 2; value++) {
        for (size_t i = 0; i < 4; i++) {
            if (slice_equal_string(text, words[value][i])) {
                *ret_value = value;
                return OK;
            }
        }
    }
    return error_set(reterr_error, ERR_INVALID, "\"%.*s\" is not true or false", SLICE_ARGS(text));
}

enum status setting_parse(enum setting_type type,
                          struct slice text,
                          uint64_t *ret_value,
                          struct error *reterr_error)
{
    switch (type) {
    case SETTING_U64:
        return parse_units(text, byte_units, 1, UINT64_MAX, "a number", ret_value, reterr_error);
    case SETTING_BYTES:
        return parse_units(text, byte_units, sizeof(byte_units) / sizeof(byte_units[0]), UINT64_MAX,
                           "a size like 512k, 64m or 2g", ret_value, reterr_error);
    case SETTING_MS:
        return parse_units(text, time_units, sizeof(time_units) / sizeof(time_units[0]), INT64_MAX,
                           "a time like 500ms, 30s, 5m or 2h", ret_value, reterr_error);
    case SETTING_BOOL:
        return parse_bool(text, ret_value, reterr_error);
    case SETTING_STRING:
        *ret_value = 0;
        return OK;
    case SETTING_TYPE_COUNT:
        break;
    }
    return error_set(reterr_error, ERR_INVALID, "no such type of setting");
}

size_t setting_name_distance(struct slice left, struct slice right)
{
    if (left.length > NAME_BYTES_MAX || right.length > NAME_BYTES_MAX)
        return left.length > right.length ? left.length : right.length;
    size_t row[NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= right.length; j++)
        row[j] = j;
    for (size_t i = 1; i <= left.length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= right.length; j++) {
            size_t replaced = diagonal + (left.data[i - 1] == right.data[j - 1] ? 0 : 1);
            size_t removed = row[j] + 1;
            size_t inserted = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = replaced < removed ? replaced : removed;
            row[j] = row[j] < inserted ? row[j] : inserted;
        }
    }
    return row[right.length];
}
