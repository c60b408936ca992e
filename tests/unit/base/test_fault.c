/*
 * test_fault.c - lib/base/fault.h.
 */
#include "lib/base/fault.h"

#include "tests/support/unit.h"

static void teardown(void)
{
    fault_disarm_all();
}

static void test_fault__unarmed_point_never_fails(void)
{
    for (unsigned i = 0; i < FAULT_POINT_COUNT; i++)
        CU_ASSERT_FALSE(fault_hit((enum fault_point)i));
}

static void test_fault__nth_call_and_its_repeats_fail(void)
{
    fault_arm(FAULT_SEND, 3, 2);
    static const bool expected[] = {false, false, true, true, false, false};
    for (size_t i = 0; i < UNIT_COUNT(expected); i++)
        CU_ASSERT_EQUAL(fault_hit(FAULT_SEND), expected[i]);
    CU_ASSERT_EQUAL(fault_calls(FAULT_SEND), 6);
    CU_ASSERT_EQUAL(fault_failures(FAULT_SEND), 2);
    CU_ASSERT_FALSE(fault_hit(FAULT_RECEIVE));
}

static void test_fault__forever_has_no_end(void)
{
    fault_arm(FAULT_FILE_SYNC, 2, FAULT_FOREVER);
    CU_ASSERT_FALSE(fault_hit(FAULT_FILE_SYNC));
    for (unsigned i = 0; i < 1000; i++)
        CU_ASSERT_TRUE(fault_hit(FAULT_FILE_SYNC));
    fault_disarm(FAULT_FILE_SYNC);
    CU_ASSERT_FALSE(fault_hit(FAULT_FILE_SYNC));
}

static void test_fault__names_lead_back(void)
{
    enum fault_point point = FAULT_MEM;
    for (unsigned i = 0; i < FAULT_POINT_COUNT; i++) {
        CU_ASSERT_EQUAL(fault_from_name(fault_name((enum fault_point)i), &point), OK);
        CU_ASSERT_EQUAL(point, (enum fault_point)i);
    }
    CU_ASSERT_EQUAL(fault_from_name("nothing", &point), ERR_NOT_FOUND);
}

static const struct unit_test tests[] = {
    {"test_fault__unarmed_point_never_fails",     "A point that nobody armed never fails.",
     test_fault__unarmed_point_never_fails    },
    {"test_fault__nth_call_and_its_repeats_fail", "The nth call and its repeats fail, no other.",
     test_fault__nth_call_and_its_repeats_fail},
    {"test_fault__forever_has_no_end",            "Failing for ever ends with disarming only.",
     test_fault__forever_has_no_end           },
    {"test_fault__names_lead_back",               "The name of every point leads back to it.",
     test_fault__names_lead_back              },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/fault", tests, UNIT_COUNT(tests), NULL,
                     teardown);
}
