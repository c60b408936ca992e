/*
 * test_job_settings.c - what -D may say.
 */
#include <stdio.h>
#include <string.h>

#include "lib/model/limits.h"
#include "mr/client/job_settings.h"
#include "tests/support/unit.h"

static struct fixture {
    struct job_settings settings;
    struct error error;
    enum status status;
} f;

static void setup(void)
{
    f = (struct fixture){0};
}

static void when_given(const char *key, const char *value)
{
    struct mr_client_parameter parameter = {key, value};
    f.status = job_settings_read(&parameter, 1, &f.settings, &f.error);
}

static void expect_refused(const char *part)
{
    CU_ASSERT_EQUAL(f.status, ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, part));
    if (strstr(f.error.text, part) == NULL)
        (void)fprintf(stderr, "wanted \"%s\" in \"%s\"\n", part, f.error.text);
}

static void test_settings__nothing_said_gives_defaults(void)
{
    f.status = job_settings_read(NULL, 0, &f.settings, &f.error);

    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_EQUAL(f.settings.map_memory_bytes, 512U << 20);
    CU_ASSERT_EQUAL(f.settings.reduce_memory_bytes, 512U << 20);
    CU_ASSERT_EQUAL(f.settings.master_memory_bytes, 256U << 20);
    CU_ASSERT_EQUAL(f.settings.map_vcores, 1);
    CU_ASSERT_EQUAL(f.settings.sort_memory_bytes, 100U << 20);
    CU_ASSERT_EQUAL(f.settings.task_timeout_ms, 600000);
    CU_ASSERT_STRING_EQUAL(f.settings.queue, "");
}

static void test_settings__values_take_units(void)
{
    when_given("mr.map.memory", "2G");
    CU_ASSERT_EQUAL(f.settings.map_memory_bytes, (uint64_t)2 << 30);
    when_given("mr.task.timeout", "90s");
    CU_ASSERT_EQUAL(f.settings.task_timeout_ms, 90000);
    when_given("mr.task.timeout", "5m");
    CU_ASSERT_EQUAL(f.settings.task_timeout_ms, 300000);
    when_given("mr.task.timeout", "250ms");
    CU_ASSERT_EQUAL(f.settings.task_timeout_ms, 250);
    when_given("mr.task.timeout", "0");
    CU_ASSERT_EQUAL(f.settings.task_timeout_ms, 0);
    CU_ASSERT_EQUAL(f.status, OK);
}

static void test_settings__the_later_of_two_counts(void)
{
    struct mr_client_parameter parameters[] = {
        {"job.priority", "3"},
        {"job.priority", "5"},
    };
    f.status = job_settings_read(parameters, 2, &f.settings, &f.error);
    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_EQUAL(f.settings.priority, 5);
}

static void test_settings__unknown_names_of_ours_are_refused(void)
{
    when_given("mr.map.memroy", "1g");
    expect_refused("did you mean mr.map.memory?");
    when_given("job.que", "a");
    expect_refused("did you mean job.queue?");
    when_given("mr.something.else.entirely", "1");
    expect_refused("call your parameter something else");
}

static void test_settings__the_jobs_own_names_pass(void)
{
    when_given("wordcount.tokens", "");
    CU_ASSERT_EQUAL(f.status, OK);
    when_given("mr", "x");
    CU_ASSERT_EQUAL(f.status, OK);
    when_given("jobs.x-Y_9", "lines\nmay be in values");
    CU_ASSERT_EQUAL(f.status, OK);
}

static void test_settings__odd_names_are_refused(void)
{
    static char long_name[10001];
    memset(long_name, 'k', sizeof(long_name) - 1);
    when_given("", "v");
    expect_refused("needs a name");
    when_given("two words", "v");
    expect_refused("\"two words\" has other characters");
    when_given("line\nbreak", "v");
    expect_refused("has other characters");
    when_given("\xc3\xa4", "v");
    expect_refused("has other characters");
    when_given(long_name, "v");
    expect_refused("10000 bytes, at most 255");
}

static void test_settings__values_that_do_not_fit_are_refused(void)
{
    when_given("mr.map.memory", "lots");
    expect_refused("is a number of bytes");
    when_given("mr.map.memory", "1kk");
    expect_refused("is a number of bytes");
    when_given("mr.map.memory", "1k");
    expect_refused("is outside");
    when_given("mr.map.memory", "");
    expect_refused("is a number of bytes");
    when_given("mr.task.attempts", "101");
    expect_refused("is outside 0..100");
    when_given("mr.task.timeout", "5 m");
    expect_refused("is a time");
    when_given("key", "\xff");
    expect_refused("not UTF-8");
    when_given("job.name", "\n");
    expect_refused("control character");
}

static void test_settings__the_buffer_must_fit_the_container(void)
{
    when_given("mr.sort.memory", "400m");
    expect_refused("raise mr.map.memory and mr.reduce.memory");
    when_given("mr.map.memory", "64m");
    expect_refused("lower it");
    when_given("mr.sort.memory", "384m");
    CU_ASSERT_EQUAL(f.status, OK);
}

static void test_settings__too_many_are_refused(void)
{
    static struct mr_client_parameter many[LIMIT_PARAMETERS + 1];
    for (size_t i = 0; i < LIMIT_PARAMETERS + 1; i++)
        many[i] = (struct mr_client_parameter){"a", "b"};
    f.status = job_settings_read(many, LIMIT_PARAMETERS + 1, &f.settings, &f.error);
    expect_refused("at most 1000");
    f.status = job_settings_read(many, LIMIT_PARAMETERS, &f.settings, &f.error);
    CU_ASSERT_EQUAL(f.status, OK);
}

static const struct unit_test tests[] = {
    {"test_settings__nothing_said_gives_defaults",        "Nothing said gives the defaults.",
     test_settings__nothing_said_gives_defaults                                                                                                      },
    {"test_settings__values_take_units",                  "Values take units.",                      test_settings__values_take_units                },
    {"test_settings__the_later_of_two_counts",            "Of two values the later counts.",
     test_settings__the_later_of_two_counts                                                                                                          },
    {"test_settings__unknown_names_of_ours_are_refused",
     "Unknown names of Millrace's are refused, with suggestion.",                                    test_settings__unknown_names_of_ours_are_refused},
    {"test_settings__the_jobs_own_names_pass",            "The job's own names pass.",
     test_settings__the_jobs_own_names_pass                                                                                                          },
    {"test_settings__odd_names_are_refused",              "Names with odd characters are refused.",
     test_settings__odd_names_are_refused                                                                                                            },
    {"test_settings__values_that_do_not_fit_are_refused", "Values that do not fit are refused.",
     test_settings__values_that_do_not_fit_are_refused                                                                                               },
    {"test_settings__the_buffer_must_fit_the_container",  "The sort buffer must fit the container.",
     test_settings__the_buffer_must_fit_the_container                                                                                                },
    {"test_settings__too_many_are_refused",               "Too many parameters are refused.",
     test_settings__too_many_are_refused                                                                                                             },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "job_settings", tests, UNIT_COUNT(tests), setup, NULL);
}
