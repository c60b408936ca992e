/*
 * test_nodemgr_environment.c - what a container's process finds in its arguments and environment.
 */
#include "nodemgr/daemon/environment.h"

#include <string.h>

#include "lib/os/host.h"
#include "tests/support/unit.h"

static struct fixture {
    struct arena *arena;
    struct nodemgr_facts facts;
    struct nodemgr_launch launch;
} f;

static const struct slice plain_arguments[2] = {
    {(const uint8_t *)"mr-task", 7},
    {(const uint8_t *)"-v",      2}
};

static void setup(void)
{
    f.arena = arena_open(0);
    f.facts = (struct nodemgr_facts){
        .node_id = 77,
        .host = "n1",
        .rack = "/r0",
        .rm_address = "127.0.0.1:1",
        .namenode_address = "127.0.0.1:2",
        .fd_path = "",
        .user_token = "secret",
        .token_file = "/work/millrace.token",
        .work_directory = "/work",
        .app_directory = "/app",
        .log_directory = "/logs",
        .programs_directory = "/opt/bin",
        .kept = "MILLRACE_TEST_KEPT MILLRACE_TEST_UNSET",
    };
    f.launch = (struct nodemgr_launch){
        .container = {.app = {.cluster_timestamp = 1700000000000, .sequence = 3},
                      .app_attempt = 2,
                      .epoch = 1,
                      .sequence = 7},
        .user = slice_from_string("alice"),
        .launch = {.arguments = plain_arguments,                                              .arguments_count = 2                                                     },
        .resource = {.memory_bytes = 1048576,.vcores = 2},
    };
}

static void teardown(void)
{
    arena_close(f.arena);
}

/* NULL: not set. */
static const char *value_of(const char *const *rows, const char *name)
{
    const char *found = NULL;
    size_t length = strlen(name);
    for (; *rows; rows++) {
        if (strncmp(*rows, name, length) != 0 || (*rows)[length] != '=')
            continue;
        CU_ASSERT_PTR_NULL(found); /* once */
        found = *rows + length + 1;
    }
    return found;
}

static void expect_value(const char *const *rows, const char *name, const char *expected)
{
    const char *value = value_of(rows, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_STRING_EQUAL(value, expected);
}

static void test_environment__container_knows_itself_and_the_cluster(void)
{
    host_environment_set("MILLRACE_TEST_KEPT", "kept");
    const char *const *rows = nodemgr_environment_variables(&f.facts, &f.launch, f.arena);
    static const char *const expected[][2] = {
        {"MILLRACE_CONTAINER_ID",     "container_e01_1700000000000_0003_02_000007"},
        {"MILLRACE_APP_ID",           "application_1700000000000_0003"            },
        {"MILLRACE_APP_ATTEMPT",      "2"                                         },
        {"MILLRACE_WORK_DIR",         "/work"                                     },
        {"MILLRACE_APP_DIR",          "/app"                                      },
        {"MILLRACE_LOG_DIR",          "/logs"                                     },
        {"MILLRACE_NODE_ID",          "77"                                        },
        {"MILLRACE_HOST",             "n1"                                        },
        {"MILLRACE_RACK",             "/r0"                                       },
        {"MILLRACE_RM_ADDRESS",       "127.0.0.1:1"                               },
        {"MILLRACE_NAMENODE_ADDRESS", "127.0.0.1:2"                               },
        {"MILLRACE_USER",             "alice"                                     },
        {"MILLRACE_USER_TOKEN",       "secret"                                    },
        {"MILLRACE_TOKEN_FILE",       "/work/millrace.token"                      },
        {"MILLRACE_MEMORY_BYTES",     "1048576"                                   },
        {"MILLRACE_VCORES",           "2"                                         },
        {"PATH",                      "/usr/local/bin:/usr/bin:/bin"              },
        {"LANG",                      "C.UTF-8"                                   },
        {"HOME",                      "/work"                                     },
        {"TMPDIR",                    "/work/tmp"                                 },
        {"MILLRACE_TEST_KEPT",        "kept"                                      },
    };
    size_t count = sizeof(expected) / sizeof(expected[0]);
    for (size_t i = 0; i < count; i++)
        expect_value(rows, expected[i][0], expected[i][1]);
    size_t rows_count = 0;
    while (rows[rows_count])
        rows_count++;
    CU_ASSERT_EQUAL(rows_count, count); /* nothing else of ours */
}

static void test_environment__launch_wins_over_defaults_but_not_over_facts(void)
{
    struct key_value own[] = {
        {.key = slice_from_string("PATH"),          .value = slice_from_string("/mine")},
        {.key = slice_from_string("EMPTY"),         .value = slice_from_string("")     },
        {.key = slice_from_string("MILLRACE_USER"), .value = slice_from_string("root") },
        {.key = slice_from_string("TWICE"),         .value = slice_from_string("1")    },
        {.key = slice_from_string("TWICE"),         .value = slice_from_string("2")    },
    };
    f.launch.launch.environment = own;
    f.launch.launch.environment_count = sizeof(own) / sizeof(own[0]);
    const char *const *rows = nodemgr_environment_variables(&f.facts, &f.launch, f.arena);
    expect_value(rows, "PATH", "/mine");
    expect_value(rows, "EMPTY", "");
    expect_value(rows, "MILLRACE_USER", "alice");
    expect_value(rows, "TWICE", "2");
}

static void test_environment__own_programs_are_found(void)
{
    const char *const *arguments =
        nodemgr_environment_arguments(&f.facts, &f.launch.launch, f.arena);
    CU_ASSERT_STRING_EQUAL(arguments[0], "/opt/bin/mr-task");
    CU_ASSERT_STRING_EQUAL(arguments[1], "-v");
    CU_ASSERT_PTR_NULL(arguments[2]);
    struct slice master = slice_from_string("mr-appmaster");
    f.launch.launch.arguments = &master;
    f.launch.launch.arguments_count = 1;
    arguments = nodemgr_environment_arguments(&f.facts, &f.launch.launch, f.arena);
    CU_ASSERT_STRING_EQUAL(arguments[0], "/opt/bin/mr-appmaster");
}

static void test_environment__other_programs_stay_as_they_are(void)
{
    static const char *const names[] = {"/bin/sh", "./job", "sh", "x/mr-task"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice name = slice_from_string(names[i]);
        f.launch.launch.arguments = &name;
        f.launch.launch.arguments_count = 1;
        const char *const *arguments =
            nodemgr_environment_arguments(&f.facts, &f.launch.launch, f.arena);
        CU_ASSERT_STRING_EQUAL(arguments[0], names[i]);
    }
}

static const struct unit_test tests[] = {
    {"test_environment__container_knows_itself_and_the_cluster",
     "A container gets the documented variables and no other.",                                            test_environment__container_knows_itself_and_the_cluster      },
    {"test_environment__launch_wins_over_defaults_but_not_over_facts",
     "The launch's variables win over defaults, not over facts.",                                          test_environment__launch_wins_over_defaults_but_not_over_facts},
    {"test_environment__own_programs_are_found",
     "mr-task and mr-appmaster are the installed programs.",                                               test_environment__own_programs_are_found                      },
    {"test_environment__other_programs_stay_as_they_are",              "Other programs stay as they are.",
     test_environment__other_programs_stay_as_they_are                                                                                                                   },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "nodemgr_environment", tests, UNIT_COUNT(tests), setup, teardown);
}
