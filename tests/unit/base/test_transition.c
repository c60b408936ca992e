/*
 * test_transition.c - lib/base/transition.h.
 */
#include "lib/base/transition.h"

#include <string.h>

#include "tests/support/unit.h"

enum door_state {
    DOOR_SHUT,
    DOOR_OPEN,
    DOOR_GONE,
    DOOR_STATE_COUNT
};

enum door_event {
    DOOR_PUSH,
    DOOR_PULL,
    DOOR_BURN,
    DOOR_EVENT_COUNT
};

static const char *const door_states[] = {"SHUT", "OPEN", "GONE"};
static const char *const door_events[] = {"PUSH", "PULL", "BURN"};

struct door {
    int state;
    int openings;
    int state_seen;
};

static void count_opening(void *object, void *context)
{
    struct door *door = object;
    const int *weight = context;
    door->openings += *weight;
    door->state_seen = door->state;
}

static const struct transition_row door_rows[] = {
    {DOOR_SHUT, DOOR_PUSH, DOOR_OPEN, count_opening},
    {DOOR_OPEN, DOOR_PULL, DOOR_SHUT, NULL         },
    {DOOR_SHUT, DOOR_BURN, DOOR_GONE, NULL         },
    {DOOR_OPEN, DOOR_BURN, DOOR_GONE, NULL         },
};

static struct transition_table door_table(void)
{
    return (struct transition_table){.name = "door",
                                     .rows = door_rows,
                                     .count = UNIT_COUNT(door_rows),
                                     .state_names = door_states,
                                     .state_count = DOOR_STATE_COUNT,
                                     .event_names = door_events,
                                     .event_count = DOOR_EVENT_COUNT};
}

static void test_transition__row_changes_the_state_then_acts(void)
{
    struct transition_table table = door_table();
    struct door door = {.state = DOOR_SHUT, .state_seen = -1};
    int weight = 3;
    CU_ASSERT_EQUAL(transition_apply(&table, &door.state, DOOR_PUSH, &door, &weight), OK);
    CU_ASSERT_EQUAL(door.state, DOOR_OPEN);
    CU_ASSERT_EQUAL(door.openings, 3);
    CU_ASSERT_EQUAL(door.state_seen, DOOR_OPEN);
    CU_ASSERT_EQUAL(transition_apply(&table, &door.state, DOOR_PULL, &door, NULL), OK);
    CU_ASSERT_EQUAL(door.state, DOOR_SHUT);
}

static void test_transition__without_a_row_nothing_changes(void)
{
    struct transition_table table = door_table();
    struct door door = {.state = DOOR_SHUT};
    CU_ASSERT_FALSE(transition_is_possible(&table, DOOR_SHUT, DOOR_PULL));
    CU_ASSERT_TRUE(transition_is_possible(&table, DOOR_SHUT, DOOR_BURN));
    CU_ASSERT_EQUAL(transition_apply(&table, &door.state, DOOR_PULL, &door, NULL),
                    ERR_BAD_TRANSITION);
    CU_ASSERT_EQUAL(transition_apply(&table, &door.state, -1, &door, NULL), ERR_BAD_TRANSITION);
    CU_ASSERT_EQUAL(door.state, DOOR_SHUT);
    CU_ASSERT_EQUAL(door.openings, 0);
}

static void test_transition__faults_of_a_table_are_found(void)
{
    size_t row = 99;
    struct transition_table table = door_table();
    CU_ASSERT_TRUE(transition_table_is_sound(&table, &row));
    struct transition_row rows[UNIT_COUNT(door_rows)];
    table.rows = rows;
    memcpy(rows, door_rows, sizeof(rows));
    rows[2].event = DOOR_PUSH;
    CU_ASSERT_FALSE(transition_table_is_sound(&table, &row));
    CU_ASSERT_EQUAL(row, 2);
    memcpy(rows, door_rows, sizeof(rows));
    rows[1].to = DOOR_STATE_COUNT;
    CU_ASSERT_FALSE(transition_table_is_sound(&table, &row));
    CU_ASSERT_EQUAL(row, 1);
    memcpy(rows, door_rows, sizeof(rows));
    table.count = 2; /* nothing leads to GONE */
    CU_ASSERT_FALSE(transition_table_is_sound(&table, &row));
    CU_ASSERT_EQUAL(row, 2);
}

static void test_transition__drawing_has_one_line_a_row(void)
{
    struct transition_table table = door_table();
    struct buf drawing = {0};
    CU_ASSERT_EQUAL(transition_draw(&table, &drawing), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&drawing), "digraph door {\n"
                                                 "    rankdir=LR;\n"
                                                 "    node [shape=box, style=rounded];\n"
                                                 "    start [shape=point];\n"
                                                 "    start -> SHUT;\n"
                                                 "    SHUT -> OPEN [label=\"PUSH\"];\n"
                                                 "    OPEN -> SHUT [label=\"PULL\"];\n"
                                                 "    SHUT -> GONE [label=\"BURN\"];\n"
                                                 "    OPEN -> GONE [label=\"BURN\"];\n"
                                                 "}\n");
    buf_close(&drawing);
    buf_open(&drawing, 100);
    CU_ASSERT_EQUAL(transition_draw(&table, &drawing), ERR_LIMIT);
    buf_close(&drawing);
}

static const struct unit_test tests[] = {
    {"test_transition__row_changes_the_state_then_acts",
     "A row changes the state, then runs its action.",                                              test_transition__row_changes_the_state_then_acts},
    {"test_transition__without_a_row_nothing_changes",   "Without a row nothing changes.",
     test_transition__without_a_row_nothing_changes                                                                                                 },
    {"test_transition__faults_of_a_table_are_found",
     "Double rows, unknown numbers and unreached states are found.",                                test_transition__faults_of_a_table_are_found    },
    {"test_transition__drawing_has_one_line_a_row",      "A drawing has one line a row, in order.",
     test_transition__drawing_has_one_line_a_row                                                                                                    },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/transition", tests, UNIT_COUNT(tests), NULL,
                     NULL);
}
