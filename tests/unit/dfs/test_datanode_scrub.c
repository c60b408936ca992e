/*
 * test_datanode_scrub.c - in which order the datanode's machine verifies its replicas, and what it
 * keeps of that over a restart.
 */
#include "tests/unit/dfs/datanode_fixture.h"

#include <stdio.h>
#include <string.h>

static struct datanode_settings scrub_settings(size_t volumes_count)
{
    static const struct slice volumes[DATANODE_VOLUMES_MAX];
    struct datanode_settings settings = plain_settings();
    settings.scrub_bytes_per_second = BLOCK_BYTES;
    settings.volumes = volumes;
    settings.volumes_count = volumes_count;
    return settings;
}

/* Of a datanode that has been opened and told what was found. */
static void when_started(void)
{
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_START});
}

/* The one that is being read is good; the next one is begun when the rate allows. */
static void when_scrubbed(void)
{
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, OK, NULL);
    when_ms_pass(1001);
}

static void when_scrubbed_times(size_t count)
{
    for (size_t i = 0; i < count; i++)
        when_scrubbed();
}

static void when_position_written(uint32_t volume, enum status status)
{
    f.effect_tag[DATANODE_EFFECT_SAVE_POSITION] = f.position_tag[volume];
    when_effect_done(DATANODE_EFFECT_SAVE_POSITION, status, NULL);
}

/* --- the order ---------------------------------------------------------------------------------
 */

static void test_scrub__goes_on_behind_the_position_in_the_order_of_ids(void)
{
    struct datanode_settings settings = scrub_settings(1);
    given_datanode(&settings);
    given_found_behind(0, 3, 1, 5);
    when_started();
    when_scrubbed_times(4);
    EXPECT("measure\nscrub 4\nscrub 5\nscrub 1\nscrub 2\nscrub 3\n");
}

static void test_scrub__position_behind_the_last_block_begins_with_the_first(void)
{
    struct datanode_settings settings = scrub_settings(1);
    given_datanode(&settings);
    given_found_behind(0, 9, 4, 6);
    when_started();
    when_scrubbed_times(2);
    EXPECT("measure\nscrub 4\nscrub 5\nscrub 6\n");
}

static void test_scrub__position_of_a_block_that_is_gone_is_as_good(void)
{
    struct datanode_settings settings = scrub_settings(1);
    given_datanode(&settings);
    given_found_behind(0, 2, 4, 6);
    when_started();
    EXPECT("measure\nscrub 4\n");
}

static void test_scrub__volumes_take_turns(void)
{
    struct datanode_settings settings = scrub_settings(3);
    given_datanode(&settings);
    given_found_behind(0, 2, 1, 4);
    given_found_behind(2, 11, 11, 12); /* there is nothing on 1 */
    when_started();
    when_scrubbed_times(5);
    EXPECT("measure\nmeasure\nmeasure\n"
           "scrub 3\nscrub 12\nscrub 4\nscrub 11\nscrub 1\nscrub 2\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).block_count, 6);
}

static void test_scrub__small_volume_that_is_done_does_not_hold_up_the_others(void)
{
    struct datanode_settings settings = scrub_settings(2);
    settings.scrub_pause_ms = 4000;
    given_datanode(&settings);
    given_found_behind(0, 1, 1, 1);
    given_found_behind(1, 14, 11, 14);
    when_started();
    when_scrubbed_times(4);
    EXPECT("measure\nmeasure\nscrub 1\nscrub 11\nscrub 12\nscrub 13\nscrub 1\n");
}

/* --- over a restart ----------------------------------------------------------------------------
 */

/* One day: some blocks are verified, then it is stopped; returns the position that was kept. */
static uint64_t live_a_day(uint64_t position, size_t scrubs, uint64_t *seen)
{
    struct datanode_settings settings = scrub_settings(1);
    given_datanode(&settings);
    given_found_behind(0, position, 1, 10);
    when_started();
    when_scrubbed_times(scrubs);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_STOP});
    unsigned long kept = 0;
    CU_ASSERT_EQUAL_FATAL(sscanf(buf_string(&f.text), "position 0 %lu\nexit 0\n", &kept), 1);
    for (uint64_t id = position % 10 + 1; *seen < 100; id = id % 10 + 1) {
        (*seen)++;
        if (id == kept)
            break;
    }
    buf_clear(&f.text);
    datanode_close(f.datanode);
    f.datanode = NULL;
    return kept;
}

static void test_scrub__daily_restarts_do_not_keep_a_block_from_its_turn(void)
{
    uint64_t seen = 0;
    uint64_t position = 10;
    for (uint64_t day = 1; day <= 4; day++) {
        position = live_a_day(position, 3, &seen);
        CU_ASSERT_EQUAL(position, (day * 3 - 1) % 10 + 1);
        CU_ASSERT_EQUAL(seen, day * 3); /* none twice, none left out */
    }
}

static void test_scrub__bad_block_does_not_stop_the_position(void)
{
    struct datanode_settings settings = scrub_settings(1);
    given_datanode(&settings);
    given_found_behind(0, 1, 1, 3);
    when_started();
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, ERR_CORRUPT, NULL);
    EXPECT("replica 0000000000000002 SEALED->CORRUPT\nquarantine 2\n");
    step((struct event){.kind = EVENT_STOP});
    EXPECT("position 0 2\nexit 0\n");
}

static void test_scrub__block_that_could_not_be_checked_does_not_count(void)
{
    struct datanode_settings settings = scrub_settings(1);
    given_datanode(&settings);
    given_found_behind(0, 1, 1, 3);
    when_started();
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, ERR_NO_MEMORY, NULL);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("exit 0\n");
}

static void test_scrub__received_block_does_not_move_the_position(void)
{
    struct datanode_settings settings = scrub_settings(1);
    settings.scrub_pause_ms = 0;
    given_active_with(&settings, 5, 5);
    when_receive_asked(1, 9);
    when_receive_ended(1, 9, OK, false);
    when_scrubbed();
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&f.text), "scrub 9\n"));
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, OK, NULL);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("position 0 5\nexit 0\n");
}

/* --- writing it down ---------------------------------------------------------------------------
 */

static void given_saving_every_3_s(void)
{
    struct datanode_settings settings = scrub_settings(1);
    settings.scrub_save_ms = 3000;
    given_datanode(&settings);
    given_found_behind(0, 20, 1, 20);
    when_started();
    buf_clear(&f.text);
}

static void test_scrub__position_is_written_now_and_then(void)
{
    given_saving_every_3_s();
    when_scrubbed_times(4);
    EXPECT("scrub 2\nscrub 3\nscrub 4\nposition 0 4\nscrub 5\n");
    when_position_written(0, OK);
    when_scrubbed_times(3);
    EXPECT("scrub 6\nscrub 7\nposition 0 7\nscrub 8\n");
}

static void test_scrub__position_is_not_written_twice_at_a_time(void)
{
    given_saving_every_3_s();
    when_scrubbed_times(8);
    EXPECT("scrub 2\nscrub 3\nscrub 4\nposition 0 4\n"
           "scrub 5\nscrub 6\nscrub 7\nscrub 8\nscrub 9\n");
    when_position_written(0, OK);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("position 0 8\nexit 0\n");
}

static void test_scrub__stop_writes_nothing_that_is_not_new(void)
{
    given_saving_every_3_s();
    when_scrubbed_times(4);
    when_position_written(0, OK);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("exit 0\n");
}

static void test_scrub__position_that_finds_no_room_is_written_later(void)
{
    given_saving_every_3_s();
    when_scrubbed_times(4);
    buf_clear(&f.text);
    when_position_written(0, ERR_NO_SPACE);
    EXPECT("");
    step((struct event){.kind = EVENT_STOP});
    EXPECT("position 0 4\nexit 0\n");
}

static void test_scrub__disk_that_cannot_write_the_position_has_failed(void)
{
    given_saving_every_3_s();
    when_scrubbed_times(4);
    buf_clear(&f.text);
    when_position_written(0, ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        buf_string(&f.text), "retire 0: the scrubber's position could not be written: why not\n"));
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).volumes_failed, 1);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).block_count, 0);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("exit 0\n");
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_scrub__goes_on_behind_the_position_in_the_order_of_ids,
         "The scrubber goes on behind the position, in the order of ids."),
    TEST(test_scrub__position_behind_the_last_block_begins_with_the_first,
         "A position behind the last block begins with the first."),
    TEST(test_scrub__position_of_a_block_that_is_gone_is_as_good,
         "The position of a block that is gone is as good."),
    TEST(test_scrub__volumes_take_turns, "The volumes take turns."),
    TEST(test_scrub__small_volume_that_is_done_does_not_hold_up_the_others,
         "A small volume that is done does not hold up the others."),
    TEST(test_scrub__daily_restarts_do_not_keep_a_block_from_its_turn,
         "Daily restarts do not keep a block from its turn."),
    TEST(test_scrub__bad_block_does_not_stop_the_position,
         "A bad block does not stop the position."),
    TEST(test_scrub__block_that_could_not_be_checked_does_not_count,
         "A block that could not be checked does not count."),
    TEST(test_scrub__received_block_does_not_move_the_position,
         "A received block does not move the position."),
    TEST(test_scrub__position_is_written_now_and_then, "The position is written now and then."),
    TEST(test_scrub__position_is_not_written_twice_at_a_time,
         "The position is not written twice at a time."),
    TEST(test_scrub__stop_writes_nothing_that_is_not_new, "A stop writes nothing that is not new."),
    TEST(test_scrub__position_that_finds_no_room_is_written_later,
         "A position that finds no room is written later."),
    TEST(test_scrub__disk_that_cannot_write_the_position_has_failed,
         "A disk that cannot write the position has failed."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_scrub", tests, UNIT_COUNT(tests),
                     datanode_setup, datanode_teardown);
}
