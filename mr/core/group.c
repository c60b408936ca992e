/*
 * group.c - groups of equal keys. The walk lends each record until its next step, so only the
 * group's key is copied.
 */
#include "mr/core/group.h"

static void advance(struct group *group)
{
    enum status status =
        group->cursor->next(group->cursor, &group->record, &group->has, group->reterr_error);
    if (status != OK) {
        group->status = status;
        group->has = false;
    }
    group->records += group->has;
}

static bool is_in_group(const struct group *group)
{
    if (!group->has)
        return false;
    if (group->order.compare == NULL)
        return slice_equal(group->record.key, buf_slice(&group->key));
    return key_order_compare(&group->order, group->record.key, buf_slice(&group->key)) == 0;
}

/* After the group's last value record is the next group's first, and is_first is false. */
static bool group_value(struct mr_values *values, struct mr_slice *ret_value)
{
    struct group *group = (struct group *)(void *)values;

    if (group->is_first) {
        group->is_first = false;
    } else {
        if (!group->has || group->values.key.data == NULL)
            return false;
        advance(group);
        if (!is_in_group(group)) {
            group->values.key = mr_absent(); /* marks the end; a further call stays there */
            return false;
        }
    }
    group->values.key = record_lend(group->record.key);
    if (group->values.key.data == NULL)
        group->values.key.data = "";
    *ret_value = record_lend(group->record.value);
    if (ret_value->data == NULL)
        ret_value->data = "";
    return true;
}

void group_open(struct group *group,
                struct record_cursor *cursor,
                struct key_order order,
                struct error *reterr_error)
{
    *group = (struct group){
        .values = {.next = group_value},
        .cursor = cursor,
        .order = order,
        .reterr_error = reterr_error,
    };
    advance(group);
}

enum status group_next(struct group *group, struct slice *ret_key, bool *ret_has)
{
    struct mr_slice skipped;
    enum status status;

    *ret_has = false;
    while (group->values.key.data != NULL || group->is_first) {
        if (!group->values.next(&group->values, &skipped))
            break;
    }
    if (group->status != OK || !group->has)
        return group->status;
    buf_clear(&group->key);
    status = buf_append_slice(&group->key, group->record.key);
    if (status != OK)
        return error_set(group->reterr_error, status, "a key of %zu bytes",
                         group->record.key.length);
    group->is_first = true;
    group->values.key = mr_absent();
    *ret_key = buf_slice(&group->key);
    *ret_has = true;
    return OK;
}

void group_close(struct group *group)
{
    buf_close(&group->key);
}
