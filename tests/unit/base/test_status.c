/*
 * test_status.c - lib/base/status.h.
 */
#include "lib/base/status.h"

#include <string.h>

#include "tests/support/unit.h"

static void test_status__every_name_leads_back(void)
{
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        enum status status = (enum status)i;
        CU_ASSERT_EQUAL(status_from_name(status_name(status)), status);
        CU_ASSERT_TRUE(strlen(status_sentence(status)) > 0);
    }
    CU_ASSERT_STRING_EQUAL(status_name(OK), "OK");
    CU_ASSERT_STRING_EQUAL(status_name(ERR_NOT_FOUND), "ERR_NOT_FOUND");
}

static void test_status__unknown_name_is_internal(void)
{
    CU_ASSERT_EQUAL(status_from_name("ERR_FROM_THE_FUTURE"), ERR_INTERNAL);
    CU_ASSERT_EQUAL(status_from_name(""), ERR_INTERNAL);
    CU_ASSERT_EQUAL(status_from_name(NULL), ERR_INTERNAL);
}

static void name_a_number_that_is_no_status(void)
{
    (void)status_name(STATUS_COUNT);
}

static void test_status__number_beyond_the_list_aborts(void)
{
    CU_ASSERT_TRUE(unit_aborts(name_a_number_that_is_no_status));
}

static const struct unit_test tests[] = {
    {"test_status__every_name_leads_back",
     "Every status has a sentence and its name leads back to it.",                                 test_status__every_name_leads_back},
    {"test_status__unknown_name_is_internal",      "A name that no row has becomes ERR_INTERNAL.",
     test_status__unknown_name_is_internal                                                                                           },
    {"test_status__number_beyond_the_list_aborts", "A number beyond the list is a bug of ours.",
     test_status__number_beyond_the_list_aborts                                                                                      },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/status", tests, UNIT_COUNT(tests), NULL,
                     NULL);
}
