/*
 * test_nodemgr_disk.c - when a disk is full, and when it is not any more.
 */
#include "lib/os/directory.h"
#include "nodemgr/daemon/nodemgr_daemon.h"
#include "tests/support/unit.h"

/* How 1000 bytes are judged of which so many are free. */
static enum nodemgr_room room(struct nodemgr_disk_limits limits, uint64_t free, bool was_unusable)
{
    struct directory_space space = {.capacity_bytes = 1000, .free_bytes = free};
    uint64_t percent = 0;
    enum nodemgr_room judged = nodemgr_disk_room(&limits, &space, was_unusable, &percent);
    CU_ASSERT_EQUAL(percent, (1000 - free + 9) / 10);
    return judged;
}

static void test_disk__reserve_is_half_as_much_more_once_it_was_missing(void)
{
    struct nodemgr_disk_limits limits = {
        .reserve_bytes = 40, .full_percent = 100, .well_percent = 85};
    CU_ASSERT_EQUAL(room(limits, 40, false), NODEMGR_ROOM_ENOUGH);
    CU_ASSERT_EQUAL(room(limits, 39, false), NODEMGR_ROOM_BELOW_RESERVE);
    CU_ASSERT_EQUAL(room(limits, 59, true), NODEMGR_ROOM_BELOW_RESERVE);
    CU_ASSERT_EQUAL(room(limits, 60, true), NODEMGR_ROOM_ENOUGH);
}

static void test_disk__above_90_percent_until_below_85(void)
{
    struct nodemgr_disk_limits limits = {.full_percent = 90, .well_percent = 85};
    CU_ASSERT_EQUAL(room(limits, 100, false), NODEMGR_ROOM_ENOUGH);
    CU_ASSERT_EQUAL(room(limits, 99, false), NODEMGR_ROOM_ABOVE_PERCENT);
    CU_ASSERT_EQUAL(room(limits, 149, true), NODEMGR_ROOM_ABOVE_PERCENT);
    CU_ASSERT_EQUAL(room(limits, 150, true), NODEMGR_ROOM_ENOUGH);
}

static void test_disk__well_above_full_is_full(void)
{
    struct nodemgr_disk_limits limits = {.full_percent = 50, .well_percent = 85};
    CU_ASSERT_EQUAL(room(limits, 499, true), NODEMGR_ROOM_ABOVE_PERCENT);
    CU_ASSERT_EQUAL(room(limits, 500, true), NODEMGR_ROOM_ENOUGH);
}

static void test_disk__tiny_and_empty_disks_are_judged_by_the_reserve(void)
{
    struct nodemgr_disk_limits limits = {
        .reserve_bytes = 1, .full_percent = 90, .well_percent = 85};
    struct directory_space space = {.capacity_bytes = 50, .free_bytes = 1};
    uint64_t percent = 1;
    CU_ASSERT_EQUAL(nodemgr_disk_room(&limits, &space, false, &percent), NODEMGR_ROOM_ENOUGH);
    CU_ASSERT_EQUAL(percent, 0);
    space = (struct directory_space){.capacity_bytes = 0};
    CU_ASSERT_EQUAL(nodemgr_disk_room(&limits, &space, false, &percent),
                    NODEMGR_ROOM_BELOW_RESERVE);
}

static const struct unit_test tests[] = {
    {"test_disk__reserve_is_half_as_much_more_once_it_was_missing",
     "Once room was missing, half as much more than the reserve is wanted.",                                 test_disk__reserve_is_half_as_much_more_once_it_was_missing},
    {"test_disk__above_90_percent_until_below_85",
     "A disk is full above one percentage until it is below the other.",                                     test_disk__above_90_percent_until_below_85                 },
    {"test_disk__well_above_full_is_full",                          "The lower of both percentages counts.",
     test_disk__well_above_full_is_full                                                                                                                                 },
    {"test_disk__tiny_and_empty_disks_are_judged_by_the_reserve",
     "Tiny disks are judged by the reserve.",                                                                test_disk__tiny_and_empty_disks_are_judged_by_the_reserve  },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "nodemgr_disk", tests, UNIT_COUNT(tests), NULL, NULL);
}
