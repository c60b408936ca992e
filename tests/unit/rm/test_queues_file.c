/*
 * test_queues_file.c - the operator's file of queues, read (rm/daemon/queues_file.c).
 */
#include <stdio.h>
#include <string.h>

#include "rm/daemon/queues_file.h"
#include "tests/support/unit.h"

static struct arena *arena;
static struct rm_queue_specs specs;
static struct error error;

static void setup(void)
{
    arena = arena_open(0);
    specs = (struct rm_queue_specs){0};
    error = (struct error){0};
}

static void teardown(void)
{
    arena_close(arena);
}

static enum status parse(const char *text)
{
    return rm_queues_file_parse("q.conf", slice_from_string(text), arena, &specs, &error);
}

static bool is_refused(const char *text, const char *sentence)
{
    bool is_right = parse(text) == ERR_INVALID && strcmp(error.text, sentence) == 0;
    if (!is_right)
        fprintf(stderr, "%s\n", error.text);
    return is_right;
}

static void test_queues_file__every_key_is_read(void)
{
    CU_ASSERT_EQUAL_FATAL(parse("; a comment\n"
                                "[root]\n"
                                "administer = @ops\n"
                                "\n"
                                "[root.a]\r\n"
                                "share = 12.5\r\n"
                                "max_share=50\n"
                                "  state = draining  \n"
                                "order = fifo\n"
                                "user_limit_percent = 25\n"
                                "user_limit_factor = 1.5\n"
                                "max_apps = 7\n"
                                "max_running = 3\n"
                                "masters_percent = 20\n"
                                "submit = ann, @science\n"
                                "priority_max = 9\n"
                                "preemption = off"),
                          OK);
    CU_ASSERT_EQUAL_FATAL(specs.queues_count, 2);
    CU_ASSERT_TRUE(slice_equal_string(specs.queues[0].administer, "@ops"));
    const struct rm_queue_spec *spec = &specs.queues[1];
    CU_ASSERT_TRUE(slice_equal_string(spec->path, "root.a"));
    CU_ASSERT_EQUAL(spec->line, 5);
    CU_ASSERT_TRUE(spec->has_share);
    CU_ASSERT_EQUAL(spec->share_ppm, 125000);
    CU_ASSERT_EQUAL(spec->max_share_ppm, 500000);
    CU_ASSERT_EQUAL(spec->state, QUEUE_DRAINING);
    CU_ASSERT_EQUAL(spec->order, QUEUE_FIFO);
    CU_ASSERT_EQUAL(spec->user_limit_percent, 25);
    CU_ASSERT_EQUAL(spec->user_limit_factor_ppm, 1500000);
    CU_ASSERT_EQUAL(spec->max_apps, 7);
    CU_ASSERT_EQUAL(spec->max_running, 3);
    CU_ASSERT_EQUAL(spec->masters_percent, 20);
    CU_ASSERT_TRUE(spec->has_submit);
    CU_ASSERT_TRUE(slice_equal_string(spec->submit, "ann, @science"));
    CU_ASSERT_TRUE(spec->has_priority_max);
    CU_ASSERT_EQUAL(spec->priority_max, 9);
    CU_ASSERT_EQUAL(spec->preemption, QUEUE_PREEMPTION_OFF);
}

static void test_queues_file__an_empty_file_is_no_queues(void)
{
    CU_ASSERT_EQUAL(parse(""), OK);
    CU_ASSERT_EQUAL(specs.queues_count, 0);
    CU_ASSERT_EQUAL(rm_queues_file_read("/nowhere/at/all", arena, &specs, &error), OK);
    CU_ASSERT_EQUAL(specs.queues_count, 0);
}

static void test_queues_file__what_is_wrong_is_named_with_its_line(void)
{
    CU_ASSERT_TRUE(is_refused("[root.a]\nshare = 101\n",
                              "q.conf:2: queue \"root.a\": \"share = 101\": share is a "
                              "percentage, 0 to 100"));
    CU_ASSERT_TRUE(is_refused("[root.a]\nstate = paused",
                              "q.conf:2: queue \"root.a\": \"state = paused\": state is running, "
                              "stopped or draining"));
    CU_ASSERT_TRUE(is_refused("share = 1", "q.conf:1: \"share = 1\": it stands in no section; "
                                           "begin with [root.name]"));
    CU_ASSERT_TRUE(is_refused("[root.a]\nwhat", "q.conf:2: queue \"root.a\": \"what\": a line is "
                                                "[root.name], key = value or a ; comment"));
    CU_ASSERT_TRUE(is_refused("[root.a\n", "q.conf:1: \"[root.a\": a section is [root.name]"));
    CU_ASSERT_TRUE(is_refused("[root.a]\nmax_apps = -1",
                              "q.conf:2: queue \"root.a\": \"max_apps = -1\": max_apps is a "
                              "number, 0 to 1000000"));
    CU_ASSERT_TRUE(is_refused("[root.a]\nshare = 60\n[root.b]\nshare = 50",
                              "q.conf:1: queue \"root\": the shares of the queues below it add up "
                              "to more than 100 percent; lower them to 100 together"));
    CU_ASSERT_EQUAL(parse("[root.a]\nweight = 1"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "q.conf:2: queue \"root.a\": \"weight = 1\": unknown "
                                              "key; there are share, max_share, "));
}

static void test_queues_file__any_cut_is_read_or_refused(void)
{
    const char text[] = "[root.a]\nshare = 10\n[root.b]\nstate = stopped\n";
    for (size_t length = 0; length < sizeof(text); length++) {
        enum status status =
            rm_queues_file_parse("q.conf", slice_make(text, length), arena, &specs, &error);
        CU_ASSERT_TRUE(status == OK || status == ERR_INVALID);
    }
}

static const struct unit_test tests[] = {
    {"test_queues_file__every_key_is_read",                    "Every key is read.",
     test_queues_file__every_key_is_read                                                                                                                        },
    {"test_queues_file__an_empty_file_is_no_queues",           "An empty or absent file is no queues.",
     test_queues_file__an_empty_file_is_no_queues                                                                                                               },
    {"test_queues_file__what_is_wrong_is_named_with_its_line",
     "What is wrong is named with its line and what would be right.",                                     test_queues_file__what_is_wrong_is_named_with_its_line},
    {"test_queues_file__any_cut_is_read_or_refused",           "A file cut anywhere is read or refused.",
     test_queues_file__any_cut_is_read_or_refused                                                                                                               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/queues_file", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
