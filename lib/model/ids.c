/*
 * ids.c - texts, keys and order of the typed ids; see ids.h.
 * Parsing reads the numbers leniently, writes the id again and compares: so there is one spelling.
 */
#include "lib/model/ids.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"

static struct id_text format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct id_text format_text(const char *format, ...)
{
    struct id_text text;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text.text, sizeof(text.text), format, arguments);
    va_end(arguments);
    CHECK(length > 0);
    CHECK((size_t)length < sizeof(text.text));
    return text;
}

static char kind_letter(enum task_kind kind)
{
    return kind == TASK_MAP ? 'm' : 'r';
}

struct id_text app_id_text(struct app_id id)
{
    return format_text("application_%" PRIu64 "_%04" PRIu32, id.cluster_timestamp, id.sequence);
}

struct id_text app_id_job_text(struct app_id id)
{
    return format_text("job_%" PRIu64 "_%04" PRIu32, id.cluster_timestamp, id.sequence);
}

struct id_text app_attempt_text(struct app_id id, uint32_t app_attempt)
{
    return format_text("appattempt_%" PRIu64 "_%04" PRIu32 "_%06" PRIu32, id.cluster_timestamp,
                       id.sequence, app_attempt);
}

struct id_text container_id_text(struct container_id id)
{
    return format_text(
        "container_e%02" PRIu32 "_%" PRIu64 "_%04" PRIu32 "_%02" PRIu32 "_%06" PRIu64, id.epoch,
        id.app.cluster_timestamp, id.app.sequence, id.app_attempt, id.sequence);
}

struct id_text attempt_id_text(struct attempt_id id)
{
    return format_text("attempt_%" PRIu64 "_%04" PRIu32 "_%c_%06" PRIu32 "_%" PRIu32,
                       id.app.cluster_timestamp, id.app.sequence, kind_letter(id.kind), id.task,
                       id.attempt);
}

struct id_text attempt_id_task_text(struct attempt_id id)
{
    return format_text("task_%" PRIu64 "_%04" PRIu32 "_%c_%06" PRIu32, id.app.cluster_timestamp,
                       id.app.sequence, kind_letter(id.kind), id.task);
}

static bool take_prefix(struct slice *rest, const char *prefix)
{
    struct slice wanted = slice_from_string(prefix);
    if (!slice_has_prefix(*rest, wanted))
        return false;
    *rest = slice_sub(*rest, wanted.length, rest->length - wanted.length);
    return true;
}

/* Takes the digits up to the next underscore (which goes too) or the end. */
static bool take_u64(struct slice *rest, uint64_t *ret_value)
{
    size_t length = slice_find(*rest, '_');
    if (!slice_parse_u64(slice_sub(*rest, 0, length), ret_value))
        return false;
    size_t used = length < rest->length ? length + 1 : length;
    *rest = slice_sub(*rest, used, rest->length - used);
    return true;
}

static bool take_u32(struct slice *rest, uint32_t *ret_value)
{
    uint64_t value;
    if (!take_u64(rest, &value) || value > UINT32_MAX)
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static bool take_app(struct slice *rest, struct app_id *ret_id)
{
    return take_u64(rest, &ret_id->cluster_timestamp) && take_u32(rest, &ret_id->sequence);
}

static bool take_task(struct slice *rest, struct attempt_id *ret_id)
{
    if (!take_app(rest, &ret_id->app))
        return false;
    if (take_prefix(rest, "m_"))
        ret_id->kind = TASK_MAP;
    else if (take_prefix(rest, "r_"))
        ret_id->kind = TASK_REDUCE;
    else
        return false;
    return take_u32(rest, &ret_id->task);
}

static bool is_spelled(struct slice text, struct id_text canonical)
{
    return slice_equal_string(text, canonical.text);
}

bool app_id_parse(struct slice text, struct app_id *ret_id)
{
    struct app_id id = {0};
    struct slice rest = text;
    if (!take_prefix(&rest, "application_") || !take_app(&rest, &id) ||
        !is_spelled(text, app_id_text(id)))
        return false;
    *ret_id = id;
    return true;
}

bool app_id_parse_job(struct slice text, struct app_id *ret_id)
{
    struct app_id id = {0};
    struct slice rest = text;
    if (!take_prefix(&rest, "job_") || !take_app(&rest, &id) ||
        !is_spelled(text, app_id_job_text(id)))
        return false;
    *ret_id = id;
    return true;
}

bool app_attempt_parse(struct slice text, struct app_id *ret_id, uint32_t *ret_app_attempt)
{
    struct app_id id = {0};
    uint32_t app_attempt = 0;
    struct slice rest = text;
    if (!take_prefix(&rest, "appattempt_") || !take_app(&rest, &id) ||
        !take_u32(&rest, &app_attempt) || !is_spelled(text, app_attempt_text(id, app_attempt)))
        return false;
    *ret_id = id;
    *ret_app_attempt = app_attempt;
    return true;
}

bool container_id_parse(struct slice text, struct container_id *ret_id)
{
    struct container_id id = {0};
    struct slice rest = text;
    if (!take_prefix(&rest, "container_e") || !take_u32(&rest, &id.epoch) ||
        !take_app(&rest, &id.app) || !take_u32(&rest, &id.app_attempt) ||
        !take_u64(&rest, &id.sequence) || !is_spelled(text, container_id_text(id)))
        return false;
    *ret_id = id;
    return true;
}

bool attempt_id_parse(struct slice text, struct attempt_id *ret_id)
{
    struct attempt_id id = {0};
    struct slice rest = text;
    if (!take_prefix(&rest, "attempt_") || !take_task(&rest, &id) ||
        !take_u32(&rest, &id.attempt) || !is_spelled(text, attempt_id_text(id)))
        return false;
    *ret_id = id;
    return true;
}

bool attempt_id_parse_task(struct slice text, struct attempt_id *ret_id)
{
    struct attempt_id id = {0};
    struct slice rest = text;
    if (!take_prefix(&rest, "task_") || !take_task(&rest, &id) ||
        !is_spelled(text, attempt_id_task_text(id)))
        return false;
    *ret_id = id;
    return true;
}

static void key_append(struct id_key *key, uint64_t value, size_t bytes)
{
    CHECK(key->length + bytes <= sizeof(key->data));
    for (size_t i = 0; i < bytes; i++)
        key->data[key->length++] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

struct id_key app_id_key(struct app_id id)
{
    struct id_key key = {0};
    key_append(&key, id.cluster_timestamp, 8);
    key_append(&key, id.sequence, 4);
    return key;
}

struct id_key container_id_key(struct container_id id)
{
    struct id_key key = app_id_key(id.app);
    key_append(&key, id.app_attempt, 4);
    key_append(&key, id.epoch, 4);
    key_append(&key, id.sequence, 8);
    return key;
}

struct id_key attempt_id_task_key(struct attempt_id id)
{
    struct id_key key = app_id_key(id.app);
    key_append(&key, (uint64_t)id.kind, 1);
    key_append(&key, id.task, 4);
    return key;
}

struct id_key attempt_id_key(struct attempt_id id)
{
    struct id_key key = attempt_id_task_key(id);
    key_append(&key, id.attempt, 4);
    return key;
}

struct slice id_key_slice(const struct id_key *key)
{
    return slice_make(key->data, key->length);
}

static int number_compare(uint64_t left, uint64_t right)
{
    return (left > right) - (left < right);
}

int app_id_compare(struct app_id left, struct app_id right)
{
    int order = number_compare(left.cluster_timestamp, right.cluster_timestamp);
    return order != 0 ? order : number_compare(left.sequence, right.sequence);
}

int container_id_compare(struct container_id left, struct container_id right)
{
    int order = app_id_compare(left.app, right.app);
    if (order == 0)
        order = number_compare(left.app_attempt, right.app_attempt);
    if (order == 0)
        order = number_compare(left.epoch, right.epoch);
    return order != 0 ? order : number_compare(left.sequence, right.sequence);
}

int attempt_id_compare(struct attempt_id left, struct attempt_id right)
{
    int order = app_id_compare(left.app, right.app);
    if (order == 0)
        order = number_compare((uint64_t)left.kind, (uint64_t)right.kind);
    if (order == 0)
        order = number_compare(left.task, right.task);
    return order != 0 ? order : number_compare(left.attempt, right.attempt);
}

bool app_id_equal(struct app_id left, struct app_id right)
{
    return app_id_compare(left, right) == 0;
}

bool container_id_equal(struct container_id left, struct container_id right)
{
    return container_id_compare(left, right) == 0;
}

bool attempt_id_equal(struct attempt_id left, struct attempt_id right)
{
    return attempt_id_compare(left, right) == 0;
}

bool app_id_is_none(struct app_id id)
{
    return app_id_equal(id, (struct app_id){0});
}

bool container_id_is_none(struct container_id id)
{
    return container_id_equal(id, (struct container_id){0});
}
