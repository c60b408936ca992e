/*
 * test_namenode_trash.c - trash is rolled and expires, whatever the wall clock does.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

enum {
    HOUR_MS = 3600 * 1000,
    DAY_MS = 24 * HOUR_MS,
    PASS_MS = DAY_MS / 16, /* with a day to keep */
};

static const int64_t noon_ms = 1795256430000; /* 2026-11-21 10:20:30 UTC */

static void setup(void)
{
    fixture_setup();
    f.settings.trash_keep_ms = DAY_MS;
    f.settings.trash_checkpoint_ms = 6 * (int64_t)HOUR_MS;
    f.replay_every = 100;
    f.wall_ms = noon_ms;
}

static void given_trash(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "/user/alice/.Trash/Current/%s", name);
    given_directory(path);
}

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "/user/alice/.Trash/%s", name);
    return do_status(path, NULL) == OK;
}

/* Without a thousand steps: as after a restart, the pass is due at once. */
static void when_wall_jumps(int64_t ms)
{
    f.wall_ms += ms;
}

static void test_trash__is_rolled_and_expires(void)
{
    given_trash("file");
    when_ms_pass(10000);
    CU_ASSERT_TRUE(was_traced("trash rolled"));
    CU_ASSERT_EQUAL(do_status("/user/alice/.Trash/261121102031/file", NULL), OK);
    CU_ASSERT_FALSE(is_there("Current"));
    given_trash("later");
    when_ms_pass(DAY_MS - 10000);
    CU_ASSERT_TRUE(is_there("261121102031"));
    when_ms_pass(PASS_MS + 10000);
    CU_ASSERT_FALSE(is_there("261121102031"));
    CU_ASSERT_FALSE(is_there("Current"));
    CU_ASSERT_TRUE(is_there("261121162031"));
    when_ms_pass(DAY_MS);
    CU_ASSERT_STRING_EQUAL(names_in("/user/alice/.Trash"), "");
    EXPECT_REPLAY_EQUAL();
}

static void test_trash__names_are_dates(void)
{
    static const struct {
        int64_t wall_ms;
        const char *name;
    } cases[] = {
        {1709251199000, "240229235959"},
        {946684800000,  "000101000000"},
        {4107542401000, "000301000001"},
        {1795256430999, "261121102030"},
    };

    f.settings.trash_keep_ms = 1000;
    f.settings.trash_checkpoint_ms = 1000;
    f.settings.heartbeat_interval_ms = 1000;
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        given_trash("file");
        f.now_ms += 1000;
        f.wall_ms = cases[i].wall_ms;
        step((struct event){.kind = EVENT_TICK});
        CU_ASSERT_TRUE(is_there(cases[i].name));
    }
}

static void test_trash__a_clock_that_jumps_forwards_deletes_nothing_early(void)
{
    given_trash("file");
    when_ms_pass(10000);
    when_wall_jumps(3 * (int64_t)DAY_MS);
    when_ms_pass(DAY_MS - PASS_MS);
    CU_ASSERT_TRUE(is_there("261121102031"));
    when_ms_pass(2 * PASS_MS);
    CU_ASSERT_FALSE(is_there("261121102031"));
}

static void test_trash__a_clock_that_was_behind_deletes_nothing_early(void)
{
    when_wall_jumps(-5 * (int64_t)DAY_MS);
    given_trash("file");
    when_ms_pass(10000);
    CU_ASSERT_TRUE(is_there("261116102031"));
    when_wall_jumps(5 * (int64_t)DAY_MS); /* its name is five days old now */
    when_ms_pass(DAY_MS - PASS_MS);
    CU_ASSERT_TRUE(is_there("261116102031"));
    when_ms_pass(2 * PASS_MS);
    CU_ASSERT_FALSE(is_there("261116102031"));
}

static void test_trash__a_clock_that_jumps_back_only_delays(void)
{
    given_trash("file");
    when_ms_pass(10000);
    when_wall_jumps(-(int64_t)DAY_MS);
    when_ms_pass(2 * (int64_t)DAY_MS - PASS_MS);
    CU_ASSERT_TRUE(is_there("261121102031"));
    when_ms_pass(2 * PASS_MS);
    CU_ASSERT_FALSE(is_there("261121102031"));
}

static void test_trash__restarts_do_not_begin_the_age_anew(void)
{
    given_trash("file");
    when_ms_pass(10000);
    for (int i = 0; i < 16; i++) { /* each forgets less than the time since the last pass */
        when_ms_pass(2 * PASS_MS - 20000);
        when_restarted();
        when_ms_pass(10000);
    }
    CU_ASSERT_FALSE(is_there("261121102031"));
}

static void test_trash__one_second_gives_two_names(void)
{
    f.settings.trash_keep_ms = 60000;
    f.settings.trash_checkpoint_ms = 1000;
    f.settings.heartbeat_interval_ms = 1000;
    given_trash("one");
    f.now_ms += 1000;
    step((struct event){.kind = EVENT_TICK});
    given_trash("two");
    f.now_ms += 1000; /* the wall clock stands still */
    step((struct event){.kind = EVENT_TICK});
    CU_ASSERT_STRING_EQUAL(names_in("/user/alice/.Trash"), "261121102030 261121102030-1");
}

static void test_trash__other_names_and_empty_trash_are_left_alone(void)
{
    given_nodes(3);
    given_directory("/user/alice/.Trash/keep");
    given_directory("/user/alice/.Trash/200199000000"); /* no date */
    given_directory("/user/alice/.Trash/0101010000005");
    given_directory("/user/alice/.Trash/Current");
    given_directory("/user/bob");
    (void)given_file("/user/file", 0, 0);
    (void)given_file("/user/alice/.Trash/000101000000", 0, 0);
    (void)given_file("/user/bob/.Trash", 0, 0);
    when_ms_pass(2 * (int64_t)DAY_MS);
    CU_ASSERT_STRING_EQUAL(names_in("/user/alice/.Trash"),
                           "000101000000 0101010000005 200199000000 Current keep");
}

static void test_trash__is_nothing_special_unless_asked_for(void)
{
    f.settings.trash_keep_ms = 0;
    f.settings.trash_checkpoint_ms = 0;
    given_trash("file");
    given_directory("/user/alice/.Trash/200101000000");
    when_ms_pass(2 * (int64_t)DAY_MS);
    CU_ASSERT_STRING_EQUAL(names_in("/user/alice/.Trash"), "200101000000 Current");
}

static void test_trash__is_kept_in_safe_mode(void)
{
    given_trash("file");
    when_ms_pass(10000);
    struct dfs_set_safe_mode_request request = {.action = SAFE_MODE_ENTER};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK);
    when_ms_pass(2 * (int64_t)DAY_MS);
    CU_ASSERT_TRUE(is_there("261121102031"));
}

static void test_settings__that_do_not_fit_are_told_in_words(void)
{
    struct namenode *nn = NULL;
    struct namenode_settings settings = f.settings;
    CU_ASSERT_PTR_NULL(namenode_settings_complaint(&settings));
    settings.trash_checkpoint_ms = settings.trash_keep_ms + 1;
    CU_ASSERT_STRING_EQUAL(namenode_settings_complaint(&settings),
                           "dfs.trash_checkpoint_ms must be at most dfs.trash_keep_ms");
    CU_ASSERT_EQUAL(namenode_open(&settings, 1, &nn), ERR_INVALID);
    settings = f.settings;
    settings.lease_hard_ms = settings.lease_ms - 1;
    CU_ASSERT_STRING_EQUAL(namenode_settings_complaint(&settings),
                           "dfs.lease_ms must be at most dfs.lease_hard_ms");
    CU_ASSERT_EQUAL(namenode_open(&settings, 1, &nn), ERR_INVALID);
    settings = f.settings;
    settings.trash_keep_ms = -1;
    CU_ASSERT_EQUAL(namenode_open(&settings, 1, &nn), ERR_INVALID);
    CU_ASSERT_PTR_NULL(nn);
    namenode_close(nn);
}

/* clang-format off */
static const struct unit_test tests[] = {
    {"test_trash__is_rolled_and_expires", "Trash is set aside and expires.",
     test_trash__is_rolled_and_expires},
    {"test_trash__names_are_dates", "A checkpoint is named by the time, leap days too.",
     test_trash__names_are_dates},
    {"test_trash__a_clock_that_jumps_forwards_deletes_nothing_early",
     "A wall clock that jumps forwards deletes nothing early.",
     test_trash__a_clock_that_jumps_forwards_deletes_nothing_early},
    {"test_trash__a_clock_that_was_behind_deletes_nothing_early",
     "A checkpoint named by a clock that was behind is kept its time.",
     test_trash__a_clock_that_was_behind_deletes_nothing_early},
    {"test_trash__a_clock_that_jumps_back_only_delays",
     "A wall clock that jumps back only delays.",
     test_trash__a_clock_that_jumps_back_only_delays},
    {"test_trash__restarts_do_not_begin_the_age_anew",
     "The age of a checkpoint goes on over restarts.",
     test_trash__restarts_do_not_begin_the_age_anew},
    {"test_trash__one_second_gives_two_names", "Two checkpoints of one second have two names.",
     test_trash__one_second_gives_two_names},
    {"test_trash__other_names_and_empty_trash_are_left_alone",
     "Names that are no dates, files and an empty Current are left alone.",
     test_trash__other_names_and_empty_trash_are_left_alone},
    {"test_trash__is_nothing_special_unless_asked_for", "Without the setting nothing expires.",
     test_trash__is_nothing_special_unless_asked_for},
    {"test_trash__is_kept_in_safe_mode", "In safe mode nothing expires.",
     test_trash__is_kept_in_safe_mode},
    {"test_settings__that_do_not_fit_are_told_in_words",
     "Settings that do not fit together are told in words.",
     test_settings__that_do_not_fit_are_told_in_words},
};

/* clang-format on */

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode trash", tests, UNIT_COUNT(tests), setup,
                     fixture_teardown);
}
