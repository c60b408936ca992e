/*
 * test_request.c - WebHDFS's operations, paths and parameters, as clients spell them.
 */
#include <stdio.h>
#include <string.h>

#include "dfs/webhdfs/answer.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    const char *name; /* of the only parameter there is */
    const char *value;
    struct webhdfs_parameters parameters;
    struct error error;
};

static struct fixture f;

static const char *get(const void *user, const char *name)
{
    (void)user;
    return f.name != NULL && strcmp(f.name, name) == 0 ? f.value : NULL;
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .parameters = {.get = get}};
}

static void teardown(void)
{
    arena_close(f.arena);
}

static void given(const char *name, const char *value)
{
    f.name = name;
    f.value = value;
}

static enum status parse_op(const char *verb, const char *text)
{
    enum webhdfs_op op = WEBHDFS_OP_COUNT;
    enum status status = webhdfs_op_parse(verb, text, &op, &f.error);
    if (status == OK) /* names come back as they are listed, in capitals */
        CU_ASSERT_TRUE(op < WEBHDFS_OP_COUNT && webhdfs_op_name(op)[0] >= 'A');
    return status;
}

static void test_request__operations_in_any_case_by_verb(void)
{
    CU_ASSERT_EQUAL(parse_op("GET", "open"), OK);
    CU_ASSERT_EQUAL(parse_op("HEAD", "OPEN"), OK);
    CU_ASSERT_EQUAL(parse_op("PUT", "cReAtE"), OK);
    CU_ASSERT_EQUAL(parse_op("PUT", "OPEN"), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_op("GET", "OPENX"), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_op("GET", NULL), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_op("GET", ""), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_op("PUT", "setacl"), ERR_UNSUPPORTED);
    CU_ASSERT_STRING_EQUAL(f.error.text, "SETACL is not supported");
    CU_ASSERT_EQUAL(parse_op("GET", "a\nb"), ERR_INVALID);
    CU_ASSERT_PTR_NULL(strchr(f.error.text, '\n'));
}

static const char *parse_path(const char *rest)
{
    struct slice path;
    if (webhdfs_path_parse(rest, f.arena, &path, &f.error) != OK)
        return "refused";
    return (const char *)path.data;
}

static void test_request__paths_have_one_spelling(void)
{
    CU_ASSERT_STRING_EQUAL(parse_path(""), "/");
    CU_ASSERT_STRING_EQUAL(parse_path("/"), "/");
    CU_ASSERT_STRING_EQUAL(parse_path("//a//b/"), "/a/b");
    CU_ASSERT_STRING_EQUAL(parse_path("x"), "refused"); /* "/webhdfs/v1x" */
    CU_ASSERT_STRING_EQUAL(parse_path("/a/../b"), "refused");
    CU_ASSERT_STRING_EQUAL(parse_path("/a\nb"), "refused");
    CU_ASSERT_STRING_EQUAL(parse_path("/\xff"), "refused");
}

/* The value as text, or "refused". */
static const char *number(const char *text)
{
    uint64_t value = 0;
    given("n", text);
    if (webhdfs_number(&f.parameters, "n", 7, 1000, &value, &f.error) != OK)
        return "refused";
    return (const char *)arena_format(f.arena, "%llu", (unsigned long long)value).data;
}

static void test_request__numbers(void)
{
    CU_ASSERT_STRING_EQUAL(number(NULL), "7");
    CU_ASSERT_STRING_EQUAL(number(""), "7");
    CU_ASSERT_STRING_EQUAL(number("null"), "7");
    CU_ASSERT_STRING_EQUAL(number("0"), "0");
    CU_ASSERT_STRING_EQUAL(number("1000"), "1000");
    CU_ASSERT_STRING_EQUAL(number("1001"), "refused");
    CU_ASSERT_STRING_EQUAL(number("-1"), "refused");
    CU_ASSERT_STRING_EQUAL(number("1 "), "refused");
    CU_ASSERT_STRING_EQUAL(number("99999999999999999999999"), "refused");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "Invalid value for webhdfs parameter \"n\""));
}

static const char *number_or_none(const char *text)
{
    uint64_t value = 0;
    bool is_given = false;
    bool is_none = false;
    given("n", text);
    if (webhdfs_number_or_none(&f.parameters, "n", &is_given, &is_none, &value, &f.error) != OK)
        return "refused";
    return (const char *)arena_format(f.arena, "%d %d %llu", is_given, is_none,
                                      (unsigned long long)value)
        .data;
}

static void test_request__minus_one_is_none(void)
{
    CU_ASSERT_STRING_EQUAL(number_or_none(NULL), "0 0 0");
    CU_ASSERT_STRING_EQUAL(number_or_none("-1"), "1 1 0");
    CU_ASSERT_STRING_EQUAL(number_or_none("0"), "1 0 0");
    CU_ASSERT_STRING_EQUAL(number_or_none("12"), "1 0 12");
    CU_ASSERT_STRING_EQUAL(number_or_none("-2"), "refused");
    CU_ASSERT_STRING_EQUAL(number_or_none("9223372036854775808"), "refused");
}

static const char *boolean(const char *text)
{
    bool value = false;
    given("b", text);
    if (webhdfs_boolean(&f.parameters, "b", true, &value, &f.error) != OK)
        return "refused";
    return value ? "true" : "false";
}

static void test_request__booleans_in_any_case(void)
{
    CU_ASSERT_STRING_EQUAL(boolean(NULL), "true");
    CU_ASSERT_STRING_EQUAL(boolean("True"), "true");
    CU_ASSERT_STRING_EQUAL(boolean("FALSE"), "false");
    CU_ASSERT_STRING_EQUAL(boolean("1"), "refused");
    CU_ASSERT_STRING_EQUAL(boolean("truely"), "refused");
}

static const char *text_of(const char *text)
{
    struct slice value = slice_from_string("unset");
    given("t", text);
    if (webhdfs_text(&f.parameters, "t", &value, &f.error) != OK)
        return "refused";
    return (const char *)arena_copy(f.arena, value).data;
}

/* What is not would make a journal record that cannot be written, and end the namenode. */
static void test_request__texts_are_utf8(void)
{
    CU_ASSERT_STRING_EQUAL(text_of(NULL), "");
    CU_ASSERT_STRING_EQUAL(text_of(""), "");
    CU_ASSERT_STRING_EQUAL(text_of("null"), "null");
    CU_ASSERT_STRING_EQUAL(text_of("\xc3\xbc"), "\xc3\xbc");
    CU_ASSERT_STRING_EQUAL(text_of("\xff"), "refused");
    CU_ASSERT_STRING_EQUAL(text_of("staff\xc3"), "refused");
}

static const char *permission(const char *text)
{
    uint32_t value = 0;
    given("p", text);
    if (webhdfs_permission(&f.parameters, "p", 0644, &value, &f.error) != OK)
        return "refused";
    return (const char *)arena_format(f.arena, "%o", (unsigned)value).data;
}

static void test_request__permissions_are_octal(void)
{
    CU_ASSERT_STRING_EQUAL(permission(NULL), "644");
    CU_ASSERT_STRING_EQUAL(permission("0"), "0");
    CU_ASSERT_STRING_EQUAL(permission("0755"), "755");
    CU_ASSERT_STRING_EQUAL(permission("01777"), "1777");
    CU_ASSERT_STRING_EQUAL(permission("2000"), "refused");
    CU_ASSERT_STRING_EQUAL(permission("8"), "refused");
    CU_ASSERT_STRING_EQUAL(permission("777777777777777777"), "refused");
    CU_ASSERT_STRING_EQUAL(permission("u+x"), "refused");
}

static const char *action(const char *text)
{
    uint32_t bits = 0;
    given("a", text);
    if (webhdfs_action(&f.parameters, "a", &bits, &f.error) != OK)
        return "refused";
    return (const char *)arena_format(f.arena, "%u", (unsigned)bits).data;
}

static void test_request__actions(void)
{
    CU_ASSERT_STRING_EQUAL(action("rwx"), "7");
    CU_ASSERT_STRING_EQUAL(action("r-x"), "5");
    CU_ASSERT_STRING_EQUAL(action("-w-"), "2");
    CU_ASSERT_STRING_EQUAL(action("---"), "0");
    CU_ASSERT_STRING_EQUAL(action("xwr"), "refused");
    CU_ASSERT_STRING_EQUAL(action("rw"), "refused");
    CU_ASSERT_STRING_EQUAL(action(NULL), "refused");
}

static const char *path_list(const char *text)
{
    const struct slice *paths = NULL;
    size_t count = 0;
    given("l", text);
    if (webhdfs_path_list(&f.parameters, "l", f.arena, &paths, &count, &f.error) != OK)
        return "refused";
    struct slice all = arena_format(f.arena, "%zu:", count);
    for (size_t i = 0; i < count; i++)
        all = arena_format(f.arena, "%.*s %.*s", SLICE_ARGS(all), SLICE_ARGS(paths[i]));
    return (const char *)all.data;
}

static void test_request__lists_of_paths(void)
{
    CU_ASSERT_STRING_EQUAL(path_list("/a,/b//c/,/d"), "3: /a /b/c /d");
    CU_ASSERT_STRING_EQUAL(path_list("/a"), "1: /a");
    CU_ASSERT_STRING_EQUAL(path_list("/a,"), "refused");
    CU_ASSERT_STRING_EQUAL(path_list("/a,b"), "refused");
    CU_ASSERT_STRING_EQUAL(path_list(""), "refused");
    CU_ASSERT_STRING_EQUAL(path_list(NULL), "refused");
}

static void expect_failure(enum webhdfs_op op,
                           enum status status,
                           unsigned code,
                           const char *exception)
{
    struct webhdfs_failure failure = webhdfs_failure_of(op, status);
    CU_ASSERT_EQUAL(failure.code, code);
    CU_ASSERT_STRING_EQUAL(failure.exception, exception);
}

static void test_request__failures_by_status_and_operation(void)
{
    for (int status = OK + 1; status < STATUS_COUNT; status++) {
        struct webhdfs_failure failure = webhdfs_failure_of(WEBHDFS_OP_COUNT, (enum status)status);
        CU_ASSERT_TRUE(failure.code >= 400 && failure.code <= 500);
        const char *dot = strrchr(failure.java_class, '.');
        CU_ASSERT_TRUE(dot != NULL && strcmp(dot + 1, failure.exception) == 0);
    }
    expect_failure(WEBHDFS_OPEN, ERR_IS_DIRECTORY, 404, "FileNotFoundException");
    expect_failure(WEBHDFS_CREATE, ERR_IS_DIRECTORY, 403, "FileAlreadyExistsException");
    expect_failure(WEBHDFS_MKDIRS, ERR_BUSY, 403, "RetriableException");
    expect_failure(WEBHDFS_APPEND, ERR_BUSY, 403, "AlreadyBeingCreatedException");
    expect_failure(WEBHDFS_CREATE, ERR_UNAUTHENTICATED, 401, "SecurityException");
    expect_failure(WEBHDFS_CREATE, ERR_NO_SPACE, 403, "IOException");
}

/* What JSON must not be broken by: names of any kind, an owner that is not UTF-8. */
static void test_request__json_holds_strange_names(void)
{
    struct dfs_file_status files[2] = {
        {.path = slice_from_string("a\"b\\c"), .owner = slice_make("\xff", 1),                               .length = 3},
        {.path = slice_from_string("\xc3\xbc"),                                    .kind = FILE_DIRECTORY,                          .permission = 01777},
    };
    struct buf page;
    buf_open(&page, 0);
    CU_ASSERT_EQUAL(webhdfs_write_list(files, 2, &page), OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&page), "\"pathSuffix\":\"a\\\"b\\\\c\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&page), "\"owner\":\"?\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&page), "\"pathSuffix\":\"\xc3\xbc\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&page), "\"permission\":\"1777\""));
    buf_close(&page);
}

static const struct unit_test tests[] = {
    {"test_request__operations_in_any_case_by_verb",   "Operations are known in any case, by verb.",
     test_request__operations_in_any_case_by_verb                                                                                   },
    {"test_request__paths_have_one_spelling",          "Paths get one spelling.",
     test_request__paths_have_one_spelling                                                                                          },
    {"test_request__numbers",                          "Numbers have a default and a limit.",        test_request__numbers          },
    {"test_request__minus_one_is_none",                "-1 is none.",                                test_request__minus_one_is_none},
    {"test_request__booleans_in_any_case",             "Booleans are known in any case.",
     test_request__booleans_in_any_case                                                                                             },
    {"test_request__texts_are_utf8",                   "Texts are UTF-8.",                           test_request__texts_are_utf8   },
    {"test_request__permissions_are_octal",            "Permissions are octal.",
     test_request__permissions_are_octal                                                                                            },
    {"test_request__actions",                          "Actions are of the form rwx.",               test_request__actions          },
    {"test_request__lists_of_paths",                   "Lists of paths are absolute.",               test_request__lists_of_paths   },
    {"test_request__failures_by_status_and_operation", "Failures are told as HDFS tells them.",
     test_request__failures_by_status_and_operation                                                                                 },
    {"test_request__json_holds_strange_names",         "JSON holds strange names.",
     test_request__json_holds_strange_names                                                                                         },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "webhdfs/request", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
