/*
 * transition.h - state machines as static tables: one row per {from, event, to, action}.
 * State 0 is the one a new object starts in. At most one row has a given {from, event}.
 */
#ifndef MILLRACE_LIB_BASE_TRANSITION_H
#define MILLRACE_LIB_BASE_TRANSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/status.h"

struct transition_row {
    int from;
    int event;
    int to;
    /* Runs after the state has changed; may be NULL. It never applies another transition. */
    void (*action)(void *object, void *context);
};

struct transition_table {
    const char *name; /* "attempt"; the name of docs/states/<name>.dot */
    const struct transition_row *rows;
    size_t count;
    const char *const *state_names;
    size_t state_count;
    const char *const *event_names;
    size_t event_count;
};

/*
 * Finds the row for *state and event, sets *state and runs the row's action with object and
 * context. ERR_BAD_TRANSITION when no row fits; then nothing has changed.
 */
MUST_USE enum status transition_apply(
    const struct transition_table *table, int *state, int event, void *object, void *context);
/* True when a row fits, without taking it. */
bool transition_is_possible(const struct transition_table *table, int state, int event);
/*
 * True when every state and event of every row has a name, no {from, event} has two rows and every
 * state but 0 is reached by some row. ret_row: the first row at fault (count when a state is at
 * fault).
 */
bool transition_table_is_sound(const struct transition_table *table, size_t *ret_row);
/* Appends the table as a Graphviz digraph, rows in table order. Fails as buf_append does. */
MUST_USE enum status transition_draw(const struct transition_table *table, struct buf *buf);

#endif
