/*
 * test_metrics.c - pages for Prometheus: form, escaping, calls by method and time.
 */
#include <string.h>

#include "lib/daemon/metrics.h"
#include "tests/support/unit.h"

struct fixture {
    struct buf text;
    struct metrics_page page;
    struct metrics_calls *calls;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.calls = metrics_calls_open()};
    f.page.text = &f.text;
}

static void teardown(void)
{
    metrics_calls_close(f.calls);
    buf_close(&f.text);
}

static void test_metrics__family_has_its_lines(void)
{
    metrics_counter(&f.page, "a_total", "As so far.", UINT64_MAX);
    metrics_family(&f.page, "b_seconds", METRICS_GAUGE, "Time.");
    metrics_sample_seconds(&f.page, NULL, (struct slice){0}, -1500001);
    metrics_sample_seconds(&f.page, "of", slice_from_string("x"), 42);
    CU_ASSERT_EQUAL(f.page.status, OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.text), "# HELP a_total As so far.\n"
                                                "# TYPE a_total counter\n"
                                                "a_total 18446744073709551615\n"
                                                "# HELP b_seconds Time.\n"
                                                "# TYPE b_seconds gauge\n"
                                                "b_seconds -1.500001\n"
                                                "b_seconds{of=\"x\"} 0.000042\n");
}

static void test_metrics__label_cannot_break_out(void)
{
    metrics_family(&f.page, "a", METRICS_GAUGE, "A.");
    metrics_sample(&f.page, "l", slice_from_string("q\"b\\n\n{}"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&f.text), "a{l=\"q\\\"b\\\\n\\n{}\"} 1\n"));
}

static void test_metrics__page_that_is_full_says_so(void)
{
    f.text.length_max = 60;
    metrics_gauge(&f.page, "a", "A.", 1);
    CU_ASSERT_EQUAL(f.page.status, OK);
    metrics_gauge(&f.page, "b", "This does not fit any more.", 1);
    CU_ASSERT_EQUAL(f.page.status, ERR_LIMIT);
    metrics_gauge(&f.page, "c", "C.", 1); /* would fit, but the page has a hole */
    CU_ASSERT_PTR_NULL(strstr(buf_string(&f.text), "# TYPE c"));
}

static void expect_line(const char *line)
{
    if (strstr(buf_string(&f.text), line) == NULL)
        CU_FAIL(line);
}

static void test_metrics__calls_are_counted_by_status_and_time(void)
{
    metrics_calls_add(f.calls, METHOD_NAMENODE_CREATE, OK, 100);
    metrics_calls_add(f.calls, METHOD_NAMENODE_CREATE, OK, 101);
    metrics_calls_add(f.calls, METHOD_NAMENODE_CREATE, ERR_EXISTS, 31000000);
    metrics_calls_add(NULL, METHOD_NAMENODE_CREATE, OK, 1); /* nobody counts */
    metrics_calls_write(f.calls, &f.page);
    expect_line(
        "millrace_rpc_calls_total{service=\"Namenode\",method=\"Create\",status=\"OK\"} 2\n");
    expect_line("method=\"Create\",status=\"ERR_EXISTS\"} 1\n");
    expect_line("_bucket{service=\"Namenode\",method=\"Create\",le=\"0.0001\"} 1\n");
    expect_line("method=\"Create\",le=\"0.0005\"} 2\n");
    expect_line("method=\"Create\",le=\"30\"} 2\n");
    expect_line("method=\"Create\",le=\"+Inf\"} 3\n");
    expect_line("_sum{service=\"Namenode\",method=\"Create\"} 31.000201\n");
    expect_line("_count{service=\"Namenode\",method=\"Create\"} 3\n");
    CU_ASSERT_PTR_NULL(strstr(buf_string(&f.text), "Mkdirs"));
}

static const struct unit_test tests[] = {
    {"test_metrics__family_has_its_lines",                 "A family has its lines.",
     test_metrics__family_has_its_lines                                                                                                                         },
    {"test_metrics__label_cannot_break_out",               "A label's value cannot break out of its quotes.",
     test_metrics__label_cannot_break_out                                                                                                                       },
    {"test_metrics__page_that_is_full_says_so",            "A page that is full says so.",
     test_metrics__page_that_is_full_says_so                                                                                                                    },
    {"test_metrics__calls_are_counted_by_status_and_time",
     "Calls are counted by method, status and time.",                                                         test_metrics__calls_are_counted_by_status_and_time},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "daemon/metrics", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
