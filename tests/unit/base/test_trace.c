/*
 * test_trace.c - lib/base/trace.h.
 */
#include "lib/base/trace.h"

#include <string.h>

#include "lib/base/buf.h"
#include "tests/support/unit.h"

static void collect(void *user, const char *text)
{
    struct buf *lines = user;
    CU_ASSERT_EQUAL(buf_append_format(lines, "%s\n", text), OK);
}

static void test_trace__events_reach_the_sink_in_order(void)
{
    struct buf lines = {0};
    struct trace trace = {.sink = collect, .user = &lines};
    trace_emit(&trace, "node %s %s->%s", "n1", "ACTIVE", "LOST");
    trace_emit(&trace, "tell app %d", 7);
    CU_ASSERT_STRING_EQUAL(buf_string(&lines), "node n1 ACTIVE->LOST\ntell app 7\n");
    buf_close(&lines);
}

static void test_trace__without_a_sink_nothing_happens(void)
{
    struct trace trace = {0};
    trace_emit(&trace, "unheard");
    trace_emit(NULL, "unheard");
    CU_PASS("no crash");
}

static void test_trace__long_event_is_cut(void)
{
    struct buf lines = {0};
    struct trace trace = {.sink = collect, .user = &lines};
    char text[TRACE_TEXT_BYTES * 2];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    trace_emit(&trace, "%s", text);
    CU_ASSERT_EQUAL(lines.length, TRACE_TEXT_BYTES);
    buf_close(&lines);
}

static const struct unit_test tests[] = {
    {"test_trace__events_reach_the_sink_in_order", "Events reach the sink, formatted, in order.",
     test_trace__events_reach_the_sink_in_order},
    {"test_trace__without_a_sink_nothing_happens", "Without a sink nothing happens.",
     test_trace__without_a_sink_nothing_happens},
    {"test_trace__long_event_is_cut",              "An event that is too long is cut.",
     test_trace__long_event_is_cut             },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/trace", tests, UNIT_COUNT(tests), NULL, NULL);
}
