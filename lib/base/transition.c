/*
 * transition.c - the one place that follows rows of state tables. The tables are short: a scan
 * finds the row.
 */
#include "lib/base/transition.h"

#include "lib/base/check.h"

static const struct transition_row *transition_find(const struct transition_table *table,
                                                    int state,
                                                    int event)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].from == state && table->rows[i].event == event)
            return &table->rows[i];
    }
    return NULL;
}

enum status transition_apply(
    const struct transition_table *table, int *state, int event, void *object, void *context)
{
    const struct transition_row *row = transition_find(table, *state, event);
    if (row == NULL)
        return ERR_BAD_TRANSITION;
    *state = row->to;
    if (row->action != NULL)
        row->action(object, context);
    return OK;
}

bool transition_is_possible(const struct transition_table *table, int state, int event)
{
    return transition_find(table, state, event) != NULL;
}

static bool is_named(int value, const char *const *names, size_t count)
{
    return value >= 0 && (size_t)value < count && names[value] != NULL;
}

static bool transition_row_is_sound(const struct transition_table *table, size_t index)
{
    const struct transition_row *row = &table->rows[index];
    return is_named(row->from, table->state_names, table->state_count) &&
           is_named(row->to, table->state_names, table->state_count) &&
           is_named(row->event, table->event_names, table->event_count) &&
           transition_find(table, row->from, row->event) == row;
}

static bool state_is_reached(const struct transition_table *table, size_t state)
{
    for (size_t i = 0; i < table->count; i++) {
        if ((size_t)table->rows[i].to == state)
            return true;
    }
    return state == 0;
}

bool transition_table_is_sound(const struct transition_table *table, size_t *ret_row)
{
    for (size_t i = 0; i < table->count; i++) {
        *ret_row = i;
        if (!transition_row_is_sound(table, i))
            return false;
    }
    *ret_row = table->count;
    for (size_t state = 0; state < table->state_count; state++) {
        if (!state_is_reached(table, state))
            return false;
    }
    return true;
}

enum status transition_draw(const struct transition_table *table, struct buf *buf)
{
    size_t bad_row;
    CHECK(transition_table_is_sound(table, &bad_row));
    enum status status = buf_append_format(buf,
                                           "digraph %s {\n"
                                           "    rankdir=LR;\n"
                                           "    node [shape=box, style=rounded];\n"
                                           "    start [shape=point];\n"
                                           "    start -> %s;\n",
                                           table->name, table->state_names[0]);
    for (size_t i = 0; i < table->count && status == OK; i++) {
        const struct transition_row *row = &table->rows[i];
        status =
            buf_append_format(buf, "    %s -> %s [label=\"%s\"];\n", table->state_names[row->from],
                              table->state_names[row->to], table->event_names[row->event]);
    }
    if (status != OK)
        return status;
    return buf_append_format(buf, "}\n");
}
