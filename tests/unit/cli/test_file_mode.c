/*
 * test_file_mode.c - permissions as people write and read them.
 */
#include <string.h>

#include "cli/file_mode.h"
#include "tests/support/unit.h"

static uint32_t changed(const char *text, uint32_t mode, bool is_directory)
{
    struct file_mode_change change = {.count = 0};
    struct error error = {OK, ""};
    CU_ASSERT_EQUAL(file_mode_parse(slice_from_string(text), &change, &error), OK);
    return file_mode_apply(&change, mode, is_directory);
}

static void test_file_mode__octal_replaces_all(void)
{
    CU_ASSERT_EQUAL(changed("755", 0, false), 0755);
    CU_ASSERT_EQUAL(changed("0", 01777, true), 0);
    CU_ASSERT_EQUAL(changed("1777", 0, true), 01777);
    CU_ASSERT_EQUAL(changed("01777", 0, true), 01777);
    CU_ASSERT_EQUAL(changed("0644", 01777, false), 0644);
}

static void test_file_mode__letters_change_what_they_name(void)
{
    CU_ASSERT_EQUAL(changed("u+x", 0644, false), 0744);
    CU_ASSERT_EQUAL(changed("go-r", 0644, false), 0600);
    CU_ASSERT_EQUAL(changed("a=r", 0777, false), 0444);
    CU_ASSERT_EQUAL(changed("+x", 0644, false), 0755);
    CU_ASSERT_EQUAL(changed("-w", 0666, false), 0444);
    CU_ASSERT_EQUAL(changed("o=", 0777, false), 0770);
    CU_ASSERT_EQUAL(changed("u=rwx,g=rx,o=", 0, false), 0750);
    CU_ASSERT_EQUAL(changed("u+r-w", 0200, false), 0400);
}

static void test_file_mode__sticky_bit_is_set_and_kept(void)
{
    CU_ASSERT_EQUAL(changed("+t", 0777, true), 01777);
    CU_ASSERT_EQUAL(changed("-t", 01777, true), 0777);
    CU_ASSERT_EQUAL(changed("u=rwx", 01077, true), 01777);
    CU_ASSERT_EQUAL(changed("a-w", 01777, true), 01555);
}

static void test_file_mode__capital_x_spares_plain_files(void)
{
    CU_ASSERT_EQUAL(changed("a+X", 0644, false), 0644);
    CU_ASSERT_EQUAL(changed("a+X", 0744, false), 0755);
    CU_ASSERT_EQUAL(changed("a+X", 0644, true), 0755);
    CU_ASSERT_EQUAL(changed("u=rwX,go=rX", 0600, true), 0755);
    CU_ASSERT_EQUAL(changed("u=rwX,go=rX", 0600, false), 0644);
}

static void test_file_mode__other_texts_are_refused(void)
{
    static const char *const bad[] = {"",    "8",   "888",  "2777", "1778",  "u",
                                      "ur",  "u+q", ",",    "u+r,", ",u+r",  "u+r,,g+r",
                                      "u r", "+x ", "0x1f", "-1",   "777777"};
    struct file_mode_change change;
    struct error error = {OK, ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(file_mode_parse(slice_from_string(bad[i]), &change, &error), ERR_INVALID);
        CU_ASSERT_TRUE(strlen(error.text) > 0);
    }
    CU_ASSERT_EQUAL(file_mode_parse(slice_make("u\0+r", 4), &change, &error), ERR_INVALID);
    CU_ASSERT_EQUAL(file_mode_parse(slice_make("\0", 1), &change, &error), ERR_INVALID);
    const char *many = "u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r,u+r";
    CU_ASSERT_EQUAL(file_mode_parse(slice_from_string(many), &change, &error), ERR_INVALID);
}

static void expect_text(uint32_t mode, bool is_directory, const char *expected)
{
    char text[FILE_MODE_TEXT_BYTES];
    file_mode_format(mode, is_directory, text);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_file_mode__is_shown_as_ls_shows_it(void)
{
    expect_text(0644, false, "-rw-r--r--");
    expect_text(0755, true, "drwxr-xr-x");
    expect_text(01777, true, "drwxrwxrwt");
    expect_text(01776, true, "drwxrwxrwT");
    expect_text(0, false, "----------");
}

static const struct unit_test tests[] = {
    {"test_file_mode__octal_replaces_all",            "An octal mode replaces all.",
     test_file_mode__octal_replaces_all           },
    {"test_file_mode__letters_change_what_they_name", "Letters change what they name.",
     test_file_mode__letters_change_what_they_name},
    {"test_file_mode__sticky_bit_is_set_and_kept",    "The sticky bit is set, and kept.",
     test_file_mode__sticky_bit_is_set_and_kept   },
    {"test_file_mode__capital_x_spares_plain_files",  "X spares plain files.",
     test_file_mode__capital_x_spares_plain_files },
    {"test_file_mode__other_texts_are_refused",       "Other texts are refused.",
     test_file_mode__other_texts_are_refused      },
    {"test_file_mode__is_shown_as_ls_shows_it",       "A mode is shown as ls shows it.",
     test_file_mode__is_shown_as_ls_shows_it      },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "cli/file_mode", tests, UNIT_COUNT(tests), NULL, NULL);
}
