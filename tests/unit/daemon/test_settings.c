/*
 * test_settings.c - settings: types, sources and who wins, errors that help.
 */
#include <jansson.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/daemon/setting_value.h"
#include "lib/daemon/settings.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "tests/support/unit.h"

static const struct setting rows[] = {
    {"rm.lost_node_ms",       SETTING_MS,     "30s",          "silence after which a node is lost", 1000, 3600000},
    {"rm.queue",              SETTING_STRING, "root.default", "the queue",                          0,    0      },
    {"rm.preemption",         SETTING_BOOL,   "false",        "whether to preempt",                 0,    0      },
    {"rm.apps_max",           SETTING_U64,    "100",          "applications",                       0,    0      },
    {"journal.compact_bytes", SETTING_BYTES,  "64m",          "when to compact",                    0,    0      },
};

struct fixture {
    struct arena *arena;
    const char *directory;
    const char *path;
    struct settings *settings;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.path = path_join(f.arena, f.directory, "millrace.conf");
    f.settings = settings_open();
    settings_add(f.settings, rows, UNIT_COUNT(rows));
}

static void teardown(void)
{
    host_environment_set("MILLRACE_RM_APPS_MAX", NULL);
    settings_close(f.settings);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

static enum status load(const char *content)
{
    CU_ASSERT_EQUAL_FATAL(file_replace(f.path, slice_from_string(content), FILE_PUBLIC, &f.error),
                          OK);
    f.error = (struct error){.status = OK};
    return settings_load_file(f.settings, f.path, true, &f.error);
}

static void expect_error(const char *part)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, part));
    if (strstr(f.error.text, part) == NULL)
        printf("expected \"%s\" in \"%s\"\n", part, f.error.text);
}

static void test_settings__defaults_have_their_types(void)
{
    CU_ASSERT_EQUAL(settings_ms(f.settings, "rm.lost_node_ms"), 30000);
    CU_ASSERT_EQUAL(settings_bytes(f.settings, "journal.compact_bytes"), 64 << 20);
    CU_ASSERT_EQUAL(settings_u64(f.settings, "rm.apps_max"), 100);
    CU_ASSERT_FALSE(settings_bool(f.settings, "rm.preemption"));
    CU_ASSERT_STRING_EQUAL(settings_string(f.settings, "rm.queue"), "root.default");
    CU_ASSERT_FALSE(settings_is_given(f.settings, "rm.queue"));
}

static void test_settings__later_sources_win(void)
{
    CU_ASSERT_EQUAL(load("[rm]\napps_max = 1\n"), OK);
    CU_ASSERT_EQUAL(settings_u64(f.settings, "rm.apps_max"), 1);
    host_environment_set("MILLRACE_RM_APPS_MAX", "2");
    CU_ASSERT_EQUAL(settings_load_environment(f.settings, &f.error), OK);
    CU_ASSERT_EQUAL(settings_u64(f.settings, "rm.apps_max"), 2);
    CU_ASSERT_EQUAL(settings_set(f.settings, "rm.apps_max=3", "--set", &f.error), OK);
    CU_ASSERT_EQUAL(settings_u64(f.settings, "rm.apps_max"), 3);
    CU_ASSERT_TRUE(settings_is_given(f.settings, "rm.apps_max"));
}

static void test_settings__file_has_sections_and_comments(void)
{
    CU_ASSERT_EQUAL(load("; a comment\n\n[rm]\n# another\nqueue = root.a b ; the team's\n"
                         "preemption=yes\n[namenode]\nanything = goes\n[journal]\n"
                         "compact_bytes = 1g"),
                    OK);
    CU_ASSERT_STRING_EQUAL(settings_string(f.settings, "rm.queue"), "root.a b");
    CU_ASSERT_TRUE(settings_bool(f.settings, "rm.preemption"));
    CU_ASSERT_EQUAL(settings_bytes(f.settings, "journal.compact_bytes"), 1 << 30);
}

static void test_settings__errors_say_where_and_what(void)
{
    CU_ASSERT_EQUAL(load("[rm]\n\nlost_nod_ms = 3s\n"), ERR_NOT_FOUND);
    expect_error("millrace.conf:3: unknown setting rm.lost_nod_ms: did you mean rm.lost_node_ms?");
    CU_ASSERT_EQUAL(load("[rn]\nqueue = x\n"), ERR_NOT_FOUND);
    expect_error(":2: unknown section [rn]");
    CU_ASSERT_EQUAL(load("[rm]\nlost_node_ms = soon\n"), ERR_INVALID);
    expect_error(":2: rm.lost_node_ms: \"soon\" is not a time like 500ms, 30s, 5m or 2h");
    CU_ASSERT_EQUAL(load("[rm]\nlost_node_ms = 2h\n"), ERR_INVALID);
    expect_error("2h is not between 1000 and 3600000");
    CU_ASSERT_EQUAL(load("queue = x\n"), ERR_INVALID);
    expect_error(":1: queue stands in no [section]");
    CU_ASSERT_EQUAL(load("[rm]\nqueue = x\nqueue = y\n"), ERR_INVALID);
    expect_error(":3: rm.queue is set twice");
    CU_ASSERT_EQUAL(load("[rm]\nqueue\n"), ERR_INVALID);
    expect_error(":2: expected [section] or name = value");
    char line[600] = "[rm]\nqueue = ";
    memset(line + strlen(line), 'x', 500);
    CU_ASSERT_EQUAL(load(line), ERR_LIMIT);
    expect_error(":2: the line is too long");
    CU_ASSERT_EQUAL(settings_set(f.settings, "rm.queue", "--set", &f.error), ERR_INVALID);
    expect_error("expected name=value");
    CU_ASSERT_EQUAL(settings_set(f.settings, "zzzzzzzz=1", "--set", &f.error), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NULL(strstr(f.error.text, "did you mean"));
    host_environment_set("MILLRACE_RM_APPS_MAX", "many");
    CU_ASSERT_EQUAL(settings_load_environment(f.settings, &f.error), ERR_INVALID);
    expect_error("MILLRACE_RM_APPS_MAX: rm.apps_max: \"many\" is not a number");
}

static void test_settings__absent_file_is_fine_unless_asked_for(void)
{
    CU_ASSERT_EQUAL(settings_load_file(f.settings, f.path, false, &f.error), OK);
    CU_ASSERT_EQUAL(settings_load_file(f.settings, f.path, true, &f.error), ERR_NOT_FOUND);
    expect_error(f.path);
}

static void test_settings__listing_tells_the_source(void)
{
    struct buf text;
    buf_open(&text, 0);
    CU_ASSERT_EQUAL(load("[rm]\nqueue = root.\"q\"\n"), OK);
    CU_ASSERT_EQUAL(settings_set(f.settings, "rm.apps_max=7", "-D", &f.error), OK);
    CU_ASSERT_EQUAL(settings_print(f.settings, &text), OK);
    const char *expected =
        (const char *)arena_format(f.arena,
                                   "journal.compact_bytes = 64m  (from: default)\n"
                                   "rm.apps_max = 7  (from: -D)\n"
                                   "rm.lost_node_ms = 30s  (from: default)\n"
                                   "rm.preemption = false  (from: default)\n"
                                   "rm.queue = root.\"q\"  (from: file %s:2)\n",
                                   f.path)
            .data;
    CU_ASSERT_STRING_EQUAL(buf_string(&text), expected);
    buf_clear(&text);
    CU_ASSERT_EQUAL(settings_print_json(f.settings, &text), OK);
    json_error_t reason;
    json_t *parsed = json_loads(buf_string(&text), 0, &reason);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parsed);
    CU_ASSERT_EQUAL(json_array_size(parsed), UNIT_COUNT(rows));
    const json_t *last = json_array_get(parsed, 4);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "value")), "root.\"q\"");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "type")), "string");
    json_decref(parsed);
    buf_close(&text);
}

static enum status parse(enum setting_type type, const char *text, uint64_t *ret_value)
{
    return setting_parse(type, slice_from_string(text), ret_value, &f.error);
}

static void test_setting__values_parse_as_people_write_them(void)
{
    uint64_t value = 0;
    CU_ASSERT_TRUE(parse(SETTING_BYTES, "512k", &value) == OK && value == 512 << 10);
    CU_ASSERT_TRUE(parse(SETTING_BYTES, "7", &value) == OK && value == 7);
    CU_ASSERT_TRUE(parse(SETTING_MS, "250", &value) == OK && value == 250);
    CU_ASSERT_TRUE(parse(SETTING_MS, "5m", &value) == OK && value == 300000);
    CU_ASSERT_TRUE(parse(SETTING_BOOL, "on", &value) == OK && value == 1);
    CU_ASSERT_TRUE(parse(SETTING_U64, "18446744073709551615", &value) == OK);
    CU_ASSERT_EQUAL(parse(SETTING_U64, "18446744073709551616", &value), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(SETTING_U64, "1k", &value), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(SETTING_U64, "", &value), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(SETTING_BYTES, "16777216t", &value), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(SETTING_BYTES, "-1", &value), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(SETTING_BYTES, "k", &value), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(SETTING_MS, "9223372036854775807h", &value), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(SETTING_BOOL, "maybe", &value), ERR_INVALID);
}

static size_t distance(const char *left, const char *right)
{
    return setting_name_distance(slice_from_string(left), slice_from_string(right));
}

static void test_setting__distance_counts_edits(void)
{
    CU_ASSERT_EQUAL(distance("kitten", "sitting"), 3);
    CU_ASSERT_EQUAL(distance("", "abc"), 3);
    CU_ASSERT_EQUAL(distance("abc", "abc"), 0);
    CU_ASSERT_EQUAL(distance("ab", "ba"), 2);
}

/* Whatever a file holds: an error or settings, never a crash. */
static void test_settings__random_files_do_no_harm(void)
{
    static const char alphabet[] = "[]=rm.queue\n ;#\\\"x9kap_max journal";
    struct rng rng = rng_seed(unit_seed());
    char content[200];
    for (int round = 0; round < 2000; round++) {
        size_t length = (size_t)rng_below(&rng, sizeof(content) - 1);
        for (size_t i = 0; i < length; i++)
            content[i] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        content[length] = '\0';
        enum status status = load(content);
        CU_ASSERT_TRUE(status == OK || f.error.text[0] != '\0');
    }
}

static const struct unit_test tests[] = {
    {"test_settings__defaults_have_their_types",            "Defaults have their types.",
     test_settings__defaults_have_their_types                                                                                                                           },
    {"test_settings__later_sources_win",                    "File, environment and command line win in this order.",
     test_settings__later_sources_win                                                                                                                                   },
    {"test_settings__file_has_sections_and_comments",
     "A file has sections and comments, and rows of other programs.",                                                test_settings__file_has_sections_and_comments      },
    {"test_settings__errors_say_where_and_what",            "An error says where, what, and what was meant.",
     test_settings__errors_say_where_and_what                                                                                                                           },
    {"test_settings__absent_file_is_fine_unless_asked_for",
     "An absent file is fine unless it was asked for.",                                                              test_settings__absent_file_is_fine_unless_asked_for},
    {"test_settings__listing_tells_the_source",             "A listing tells where each value came from.",
     test_settings__listing_tells_the_source                                                                                                                            },
    {"test_setting__values_parse_as_people_write_them",     "Values are read as people write them.",
     test_setting__values_parse_as_people_write_them                                                                                                                    },
    {"test_setting__distance_counts_edits",                 "The distance of names counts edits.",
     test_setting__distance_counts_edits                                                                                                                                },
    {"test_settings__random_files_do_no_harm",              "Whatever a file holds does no harm.",
     test_settings__random_files_do_no_harm                                                                                                                             },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "daemon/settings", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
