/*
 * test_tables.c - the state tables, their drawings in docs/states, and the settings of
 * rm/core/rm.h. With MILLRACE_TEST_DRAW=1 the drawings are made anew instead of compared.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/transition.h"
#include "rm/core/rm.h"
#include "tests/support/unit.h"

static void setup(void)
{
}

static void teardown(void)
{
}

static void test_tables__are_sound(void)
{
    for (size_t i = 0; i < RM_TABLE_COUNT; i++) {
        size_t row = 0;
        bool is_sound = transition_table_is_sound(rm_table(i), &row);
        CU_ASSERT_TRUE(is_sound);
    }
}

static void test_settings__defaults_are_in_range(void)
{
    struct rm_settings settings = rm_settings_default();
    CU_ASSERT_PTR_NULL(rm_settings_check(&settings));
}

static void test_settings__the_one_at_fault_is_named(void)
{
    struct rm_settings settings = rm_settings_default();
    settings.node_lost_ms = settings.node_heartbeat_interval_ms;
    struct rm *rm = NULL;
    CU_ASSERT_STRING_EQUAL(rm_settings_check(&settings), "node_lost_ms");
    CU_ASSERT_EQUAL(rm_open(&settings, 1, &rm), ERR_INVALID);
    settings = rm_settings_default();
    settings.masters_percent_max = 101;
    CU_ASSERT_STRING_EQUAL(rm_settings_check(&settings), "masters_percent_max");
    settings = rm_settings_default();
    settings.container_max.vcores = 1;
    CU_ASSERT_STRING_EQUAL(rm_settings_check(&settings), "container_max");
}

static FILE *open_drawing(const char *name, const char *mode)
{
    const char *root = getenv("MILLRACE_SOURCE_DIR");
    char path[4096];
    snprintf(path, sizeof(path), "%s/docs/states/%s.dot", root == NULL ? "." : root, name);
    FILE *file = fopen(path, mode);
    if (file == NULL)
        perror(path);
    return file;
}

static void test_tables__drawings_are_current(void)
{
    for (size_t i = 0; i < RM_TABLE_COUNT; i++) {
        bool is_drawing = getenv("MILLRACE_TEST_DRAW") != NULL;
        struct buf drawn;
        buf_open(&drawn, 0);
        CU_ASSERT_EQUAL_FATAL(transition_draw(rm_table(i), &drawn), OK);
        FILE *file = open_drawing(rm_table(i)->name, is_drawing ? "w" : "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        char content[16384];
        size_t length = is_drawing ? fwrite(drawn.data, 1, drawn.length, file)
                                   : fread(content, 1, sizeof(content), file);
        fclose(file);
        if (!is_drawing)
            CU_ASSERT_TRUE(slice_equal(slice_make(content, length), buf_slice(&drawn)));
        CU_ASSERT_EQUAL(length, drawn.length);
        buf_close(&drawn);
    }
}

static const struct unit_test tests[] = {
    {"test_tables__are_sound",
     "Every table is sound: names for all, one row for each state and event, no dead state.", test_tables__are_sound                  },
    {"test_settings__defaults_are_in_range",     "The default settings are in range.",
     test_settings__defaults_are_in_range                                                                                             },
    {"test_settings__the_one_at_fault_is_named",
     "A setting out of range is named, and the machine does not open.",                       test_settings__the_one_at_fault_is_named},
    {"test_tables__drawings_are_current",
     "The drawings in docs/states show the tables as they are.",                              test_tables__drawings_are_current       },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/tables", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
