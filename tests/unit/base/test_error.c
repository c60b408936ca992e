/*
 * test_error.c - lib/base/error.h.
 */
#include "lib/base/error.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

static void test_error__set_formats_and_returns_the_status(void)
{
    struct error error = {0};
    CU_ASSERT_EQUAL(error_set(&error, ERR_LIMIT, "%d of %d", 3, 2), ERR_LIMIT);
    CU_ASSERT_EQUAL(error.status, ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(error.text, "3 of 2");
}

static void test_error__prefix_grows_outward(void)
{
    struct error error = {0};
    status_ignore(error_set(&error, ERR_CORRUPT, "short read, %d of 64 bytes", 12));
    status_ignore(error_prefix(&error, ERR_IO, "read header"));
    CU_ASSERT_EQUAL(error_prefix(&error, ERR_IO, "open %s", "image"), ERR_CORRUPT);
    CU_ASSERT_STRING_EQUAL(error.text, "open image: read header: short read, 12 of 64 bytes");
}

static void test_error__prefix_of_an_unset_error_says_the_status(void)
{
    struct error error = {0};
    CU_ASSERT_EQUAL(error_prefix(&error, ERR_BUSY, "lock"), ERR_BUSY);
    CU_ASSERT_STRING_EQUAL(error.text, "lock: busy");
}

static void test_error__errno_is_said_in_words(void)
{
    struct error error = {0};
    CU_ASSERT_EQUAL(error_set_errno(&error, ENOENT, "open %s", "/x"), ERR_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(error.text, "open /x: No such file or directory");
}

static void test_error__without_buffer_only_the_status_remains(void)
{
    CU_ASSERT_EQUAL(error_set(NULL, ERR_IO, "unseen"), ERR_IO);
    CU_ASSERT_EQUAL(error_set_errno(NULL, ENOSPC, "unseen"), ERR_NO_SPACE);
    CU_ASSERT_EQUAL(error_prefix(NULL, ERR_STALE, "unseen"), ERR_STALE);
}

static void test_error__long_text_is_cut(void)
{
    struct error error = {0};
    char text[ERROR_TEXT_BYTES * 2];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    status_ignore(error_set(&error, ERR_IO, "%s", text));
    CU_ASSERT_EQUAL(strlen(error.text), ERROR_TEXT_BYTES - 1);
    status_ignore(error_prefix(&error, ERR_IO, "outer"));
    CU_ASSERT_EQUAL(strlen(error.text), ERROR_TEXT_BYTES - 1);
    CU_ASSERT_EQUAL(strncmp(error.text, "outer: xxx", 10), 0);
    status_ignore(error_prefix(&error, ERR_IO, "%s", text));
    CU_ASSERT_EQUAL(strlen(error.text), ERROR_TEXT_BYTES - 1);
    status_ignore(error_set_errno(&error, EIO, "%s", text));
    CU_ASSERT_EQUAL(strlen(error.text), ERROR_TEXT_BYTES - 1);
}

static void test_error__errno_maps_to_the_nearest_status(void)
{
    CU_ASSERT_EQUAL(status_from_errno(0), OK);
    CU_ASSERT_EQUAL(status_from_errno(EEXIST), ERR_EXISTS);
    CU_ASSERT_EQUAL(status_from_errno(EACCES), ERR_DENIED);
    CU_ASSERT_EQUAL(status_from_errno(EDQUOT), ERR_NO_SPACE);
    CU_ASSERT_EQUAL(status_from_errno(ECONNREFUSED), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(status_from_errno(EIO), ERR_IO);
    CU_ASSERT_EQUAL(status_from_errno(123456), ERR_IO);
}

static void test_error__text_stays_on_one_line(void)
{
    struct error error = {0};
    char text[ERROR_TEXT_BYTES * 2];
    status_ignore(error_set_errno(&error, ENOENT, "open %s", "/a\nb\tc\x1b[1m"));
    CU_ASSERT_STRING_EQUAL(error.text, "open /a\\nb\\tc\\x1b[1m: No such file or directory");
    status_ignore(error_prefix(&error, ERR_IO, "look at %s", "d\r"));
    CU_ASSERT_STRING_EQUAL(error.text, "look at d\\x0d: open /a\\nb\\tc\\x1b[1m: No such file or "
                                       "directory");
    status_ignore(error_set(&error, ERR_IO, "%s", "gr\xc3\xbc\xc3\x9f"));
    CU_ASSERT_STRING_EQUAL(error.text, "gr\xc3\xbc\xc3\x9f");
    memset(text, '\n', sizeof(text) - 1); /* twice as long as it was: cut */
    text[sizeof(text) - 1] = '\0';
    status_ignore(error_set(&error, ERR_IO, "%s", text));
    CU_ASSERT_TRUE(strlen(error.text) < ERROR_TEXT_BYTES);
    CU_ASSERT_EQUAL(strspn(error.text, "\\n"), strlen(error.text));
}

static const struct unit_test tests[] = {
    {"test_error__set_formats_and_returns_the_status",
     "Setting an error formats its text and returns its status.",                                              test_error__set_formats_and_returns_the_status      },
    {"test_error__prefix_grows_outward",
     "Prefixes put the outer context in front and keep the first status.",                                     test_error__prefix_grows_outward                    },
    {"test_error__prefix_of_an_unset_error_says_the_status",
     "A prefix on an error without text says the status in words.",                                            test_error__prefix_of_an_unset_error_says_the_status},
    {"test_error__errno_is_said_in_words",                   "An errno is said in words.",
     test_error__errno_is_said_in_words                                                                                                                            },
    {"test_error__without_buffer_only_the_status_remains",
     "Without an error buffer only the status is returned.",                                                   test_error__without_buffer_only_the_status_remains  },
    {"test_error__long_text_is_cut",                         "A text that is too long is cut, at the end.",
     test_error__long_text_is_cut                                                                                                                                  },
    {"test_error__text_stays_on_one_line",                   "A text stays on one line, whatever names hold.",
     test_error__text_stays_on_one_line                                                                                                                            },
    {"test_error__errno_maps_to_the_nearest_status",         "An errno maps to the nearest status.",
     test_error__errno_maps_to_the_nearest_status                                                                                                                  },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/error", tests, UNIT_COUNT(tests), NULL, NULL);
}
