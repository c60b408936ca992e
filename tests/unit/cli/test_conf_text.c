/*
 * test_conf_text.c - rows of a settings file are changed, and nothing else of it.
 */
#include <string.h>

#include "cli/conf_text.h"
#include "tests/support/unit.h"

struct fixture {
    struct error error;
    struct buf text;
};

static struct fixture f;

static void setup(void)
{
    memset(&f, 0, sizeof(f));
}

static void teardown(void)
{
    buf_close(&f.text);
}

static void expect_set(const char *text, const char *name, const char *value, const char *expected)
{
    buf_clear(&f.text);
    CU_ASSERT_EQUAL(conf_text_set(slice_from_string(text), slice_from_string(name),
                                  slice_from_string(value), &f.text),
                    OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.text), expected);
    struct slice found = {.length = 0};
    CU_ASSERT_TRUE(conf_text_get(buf_slice(&f.text), slice_from_string(name), &found));
    CU_ASSERT_TRUE(slice_equal_string(found, value));
}

static void test_conf_text__value_is_replaced_where_it_stands(void)
{
    expect_set("; mine\n[rm]\na = 1\n  b= 2 \n\n[x]\na = 3\n", "rm.b", "20",
               "; mine\n[rm]\na = 1\nb = 20\n\n[x]\na = 3\n");
    expect_set("[rm]\na = 1\n[x]\na = 3", "x.a", "30", "[rm]\na = 1\n[x]\na = 30\n");
    expect_set("[rm]\n;a = 0\na = 1\n", "rm.a", "2", "[rm]\n;a = 0\na = 2\n");
}

static void test_conf_text__row_joins_its_section(void)
{
    expect_set("[rm]\na = 1\n\n[x]\na = 3\n", "rm.b", "2", "[rm]\na = 1\nb = 2\n\n[x]\na = 3\n");
    expect_set("[rm]", "rm.b", "2", "[rm]\nb = 2\n");
}

static void test_conf_text__section_is_added_at_the_end(void)
{
    expect_set("", "rm.b", "2", "[rm]\nb = 2\n");
    expect_set("[x]\na = 3", "rm.b", "2", "[x]\na = 3\n\n[rm]\nb = 2\n");
}

static void test_conf_text__absent_name_has_no_value(void)
{
    struct slice value;
    CU_ASSERT_FALSE(
        conf_text_get(slice_from_string("[rm]\na = 1\n"), slice_from_string("rm.b"), &value));
    CU_ASSERT_FALSE(
        conf_text_get(slice_from_string("[x]\na = 1\n"), slice_from_string("rm.a"), &value));
    CU_ASSERT_FALSE(
        conf_text_get(slice_from_string("[rm]\n#a = 1\n["), slice_from_string("rm.a"), &value));
}

static void test_conf_text__assignment_is_taken_apart(void)
{
    struct slice name = {.length = 0};
    struct slice value = {.length = 0};
    CU_ASSERT_EQUAL(conf_text_split(" rm.a = b=c ", &name, &value, &f.error), OK);
    CU_ASSERT_TRUE(slice_equal_string(name, "rm.a"));
    CU_ASSERT_TRUE(slice_equal_string(value, "b=c"));
    CU_ASSERT_EQUAL(conf_text_split("rm.a=", &name, &value, &f.error), OK);
    CU_ASSERT_EQUAL(value.length, 0);
    static const char *const bad[] = {"", "rm", "rm.a", "rma=1", ".a=1", "rm.=1", "rm.a=1\n[x]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(conf_text_split(bad[i], &name, &value, &f.error), ERR_INVALID);
}

static const struct unit_test tests[] = {
    {"test_conf_text__value_is_replaced_where_it_stands",
     "A value is replaced where it stands; all else stays.",                                    test_conf_text__value_is_replaced_where_it_stands},
    {"test_conf_text__row_joins_its_section",             "A new row joins its section.",
     test_conf_text__row_joins_its_section                                                                                                       },
    {"test_conf_text__section_is_added_at_the_end",       "A new section is added at the end.",
     test_conf_text__section_is_added_at_the_end                                                                                                 },
    {"test_conf_text__absent_name_has_no_value",
     "A name in another section or in a comment has no value.",                                 test_conf_text__absent_name_has_no_value         },
    {"test_conf_text__assignment_is_taken_apart",
     "An assignment is taken apart at its first equals sign, or refused.",                      test_conf_text__assignment_is_taken_apart        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "cli/conf_text", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
