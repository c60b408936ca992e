/*
 * test_datanode_volumes.c - the disks of a datanode: which one takes a block, and what happens to
 * its replicas when one fails.
 */
#include "tests/unit/dfs/datanode_fixture.h"

enum {
    VOLUMES = 3
};

/* Three volumes of VOLUME_BYTES; blocks 1..2 on the first, 3..4 on the second, 5..6 on the third.
 */
static void given_three_volumes(void)
{
    struct slice names[VOLUMES] = {slice_from_string("/a"), slice_from_string("/b"),
                                   slice_from_string("/c")};
    struct datanode_settings settings = plain_settings();
    settings.volumes = names;
    settings.volumes_count = VOLUMES;
    given_datanode(&settings);
    for (uint32_t i = 0; i < VOLUMES; i++)
        given_found_on(i, 2 * i + 1, 2 * i + 2);
    step((struct event){.kind = EVENT_START});
    for (uint32_t i = 0; i < VOLUMES; i++)
        when_volume_measured(i, OK, VOLUME_BYTES);
    when_registered(5, 100);
    when_report_taken();
    buf_clear(&f.text);
}

static struct dfs_volume_info volume(uint32_t index)
{
    return datanode_volume_info(f.datanode, index);
}

static void when_volume_fails(uint32_t index)
{
    struct datanode_volume failed = {.volume = index, .text = slice_from_string("smoke")};
    step((struct event){
        .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_VOLUME_FAILED, .data = &failed});
}

static void when_unreadable(uint32_t index, uint64_t block_id)
{
    struct datanode_block seen = {.block = block(block_id), .volume = index, .is_unreadable = true};
    step(
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCK_CORRUPT, .data = &seen});
}

/* --- placing -----------------------------------------------------------------------------------
 */

static void test_volumes__blocks_go_where_there_is_room(void)
{
    given_three_volumes();
    size_t taken[VOLUMES] = {0};
    for (uint64_t id = 100; id < 160; id++) {
        when_receive_asked(id, id);
        taken[f.answer_volume]++;
        when_receive_ended(id, id, OK, false);
    }
    for (uint32_t i = 0; i < VOLUMES; i++)
        CU_ASSERT_TRUE(taken[i] > 5); /* of 60 by lot among equals */
    when_ms_pass(1000000);
    when_volume_measured(0, OK, 0);
    when_volume_measured(1, OK, 20 * BLOCK_BYTES);
    when_volume_measured(2, OK, 0);
    for (uint64_t id = 200; id < 210; id++) {
        when_receive_asked(id, id);
        CU_ASSERT_EQUAL(f.answer_volume, 1);
    }
}

static void test_volumes__full_volume_is_refused_and_read(void)
{
    given_three_volumes();
    when_ms_pass(1000000);
    for (uint32_t i = 0; i < VOLUMES; i++)
        when_volume_measured(i, OK, 0);
    buf_clear(&f.text);
    when_receive_asked(1, 100);
    EXPECT("answer 1 ERR_NO_SPACE\n");
    CU_ASSERT_EQUAL(volume(0).state, VOLUME_FULL);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).block_count, 6);
}

static void test_volumes__block_needs_one_volume_with_room_for_all_of_it(void)
{
    given_three_volumes();
    when_ms_pass(1000000);
    for (uint32_t i = 0; i < VOLUMES; i++)
        when_volume_measured(i, OK, BLOCK_BYTES / 2);
    buf_clear(&f.text);
    when_receive_asked(1, 100); /* there are 1.5 blocks of room in all */
    EXPECT("answer 1 ERR_NO_SPACE\n");
}

static void test_volumes__write_that_finds_no_space_closes_the_volume_until_it_is_measured(void)
{
    given_active(1, 1);
    when_receive_asked(1, 2);
    buf_clear(&f.text);
    when_receive_ended(1, 2, ERR_NO_SPACE, false);
    EXPECT("volume 0 OPEN->FULL\nreplica 0000000000000002 RECEIVING->GONE\n"
           "answer 1 ERR_NO_SPACE\n");
    when_receive_asked(2, 3);
    EXPECT("answer 2 ERR_NO_SPACE\n");
    when_ms_pass(1000000);
    when_measured(VOLUME_BYTES);
    buf_clear(&f.text);
    when_receive_asked(3, 3);
    EXPECT("replica 0000000000000003 RECEIVING\nanswer 3 OK\n");
}

static void when_latencies_are(const uint64_t write_p99_us[VOLUMES], uint64_t writes)
{
    struct dfs_latency_report volumes[VOLUMES] = {0};
    for (size_t i = 0; i < VOLUMES; i++)
        volumes[i] = (struct dfs_latency_report){.writes = writes, .write_p99_us = write_p99_us[i]};
    struct dfs_peer_latency peer = {
        .http_address = slice_from_string("127.0.0.1:7"),
        .latency = {.writes = 3, .write_p99_us = 4}
    };
    struct datanode_latencies told = {
        .node = {.reads = 5, .read_p99_us = 6},
        .volumes = volumes,
        .peers = &peer,
        .peers_count = 1
    };
    step((struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_LATENCIES, .data = &told});
}

/* Of 200 blocks, how many the first volume gets. */
static size_t count_on_first(void)
{
    static uint64_t id = 1000;
    size_t count = 0;
    for (int i = 0; i < 200; i++, id++) {
        when_receive_asked(id, id);
        count += f.answer_volume == 0;
        when_receive_ended(id, id, ERR_CANCELLED, false);
    }
    return count;
}

static void test_volumes__limping_disk_gets_few_blocks(void)
{
    static const uint64_t limping[VOLUMES] = {900000, 20000, 30000};
    static const uint64_t all_slow[VOLUMES] = {900000, 800000, 850000};
    static const uint64_t all_fast[VOLUMES] = {50000, 900, 1000};

    given_three_volumes();
    CU_ASSERT_TRUE(count_on_first() > 30);
    when_latencies_are(limping, 100);
    size_t few = count_on_first();
    CU_ASSERT_TRUE(few < 20);       /* a sixteenth of a third, by lot */
    when_latencies_are(limping, 3); /* too few to tell */
    CU_ASSERT_TRUE(count_on_first() > 30);
    when_latencies_are(all_slow, 100);
    CU_ASSERT_TRUE(count_on_first() > 30);
    when_latencies_are(all_fast, 100);
    CU_ASSERT_TRUE(count_on_first() > 30);
}

static void test_volumes__latencies_ride_on_the_heartbeat(void)
{
    static const uint64_t some[VOLUMES] = {1, 2, 3};

    given_three_volumes();
    when_latencies_are(some, 100);
    when_latencies_are(some, 100); /* replaces the first */
    struct dfs_datanode_heartbeat_response response = {0};
    when_answered(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, OK, &response);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(f.heartbeat.latencies.reads, 5);
    CU_ASSERT_EQUAL(f.heartbeat.latencies.read_p99_us, 6);
    CU_ASSERT_EQUAL(f.heartbeat.volumes[2].latency.write_p99_us, 3);
    CU_ASSERT_EQUAL_FATAL(f.heartbeat.peers_count, 1);
    CU_ASSERT_TRUE(slice_equal_string(f.heartbeat.peers[0].http_address, "127.0.0.1:7"));
    CU_ASSERT_EQUAL(f.heartbeat.peers[0].latency.write_p99_us, 4);
}

/* --- failing -----------------------------------------------------------------------------------
 */

static void test_volumes__failed_volume_takes_its_replicas_with_it(void)
{
    given_three_volumes();
    when_volume_fails(1);
    EXPECT("volume 1 OPEN->FAILED\nreplica 0000000000000003 SEALED->GONE\n"
           "replica 0000000000000004 SEALED->GONE\nretire 1: smoke\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.deleted_block_ids_count, 2);
    CU_ASSERT_EQUAL(f.changes.deleted_block_ids[0], 3);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).block_count, 4);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).used_bytes, 4 * BLOCK_BYTES);
    when_volume_fails(1);
    EXPECT("");
}

static void test_volumes__failed_volume_is_told_on_the_heartbeat(void)
{
    given_three_volumes();
    when_volume_fails(1);
    struct dfs_datanode_heartbeat_response response = {0};
    when_answered(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, OK, &response);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL_FATAL(f.heartbeat.volumes_count, VOLUMES);
    const struct dfs_volume_info *told = &f.heartbeat.volumes[1];
    CU_ASSERT_EQUAL(told->state, VOLUME_FAILED);
    CU_ASSERT_TRUE(slice_equal_string(told->directory, "/b"));
    CU_ASSERT_TRUE(slice_equal_string(told->failure, "smoke"));
    CU_ASSERT_EQUAL(told->free_bytes, 0);
    CU_ASSERT_EQUAL(f.heartbeat.volumes[2].state, VOLUME_OPEN);
    CU_ASSERT_EQUAL(f.heartbeat.volumes[2].block_count, 2);
    CU_ASSERT_EQUAL(f.heartbeat.capacity_bytes, 2 * VOLUME_BYTES);
    CU_ASSERT_EQUAL(f.heartbeat.free_bytes, 2 * VOLUME_BYTES);
}

static void test_volumes__failed_volume_takes_no_more_blocks(void)
{
    given_three_volumes();
    when_volume_fails(0);
    when_volume_fails(2);
    for (uint64_t id = 100; id < 120; id++) {
        when_receive_asked(id, id);
        CU_ASSERT_EQUAL(f.answer_volume, 1);
    }
    when_volume_fails(1);
    buf_clear(&f.text);
    when_receive_asked(1, 200);
    EXPECT("answer 1 ERR_IO\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).free_bytes, 0);
}

static void test_volumes__failed_volume_is_never_measured_back_to_life(void)
{
    given_three_volumes();
    when_ms_pass(1000000); /* the measurements are out */
    when_volume_fails(0);
    buf_clear(&f.text);
    when_volume_measured(0, OK, VOLUME_BYTES);
    CU_ASSERT_EQUAL(volume(0).state, VOLUME_FAILED);
    when_volume_measured(1, OK, VOLUME_BYTES);
    when_volume_measured(2, OK, VOLUME_BYTES);
    buf_clear(&f.text);
    when_ms_pass(1000000);
    EXPECT("measure\nmeasure\n");
}

static void test_volumes__block_that_was_coming_in_is_not_counted(void)
{
    given_three_volumes();
    when_receive_asked(1, 100);
    uint32_t index = f.answer_volume;
    when_volume_fails(index);
    buf_clear(&f.text);
    when_receive_ended(1, 100, OK, false);
    EXPECT("replica 0000000000000064 RECEIVING->GONE\nanswer 1 ERR_IO\n");
    when_receive_asked(2, 100);
    CU_ASSERT_NOT_EQUAL(f.answer_volume, index);
}

static void test_volumes__block_that_was_being_deleted_is_gone(void)
{
    given_three_volumes();
    when_commanded_one(DATANODE_DELETE_BLOCK, 3);
    when_volume_fails(1);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_DELETE_BLOCK, ERR_IO, NULL);
    EXPECT("replica 0000000000000003 DELETING->GONE\n");
}

static void test_volumes__delete_that_the_disk_refuses_retires_it(void)
{
    given_active(1, 2);
    when_commanded_one(DATANODE_DELETE_BLOCK, 1);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_DELETE_BLOCK, ERR_IO, NULL);
    EXPECT("volume 0 OPEN->FAILED\nreplica 0000000000000002 SEALED->GONE\n"
           "replica 0000000000000001 DELETING->GONE\n"
           "retire 0: a block could not be deleted: why not\ncall BlockChanges\n");
}

static void test_volumes__quarantine_ends_after_its_volume(void)
{
    given_three_volumes();
    struct datanode_block seen = {.block = block(3), .volume = 1};
    step(
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCK_CORRUPT, .data = &seen});
    when_volume_fails(1);
    when_receive_asked(1, 3); /* the same block comes again, elsewhere */
    when_receive_ended(1, 3, OK, false);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_QUARANTINE_BLOCK, ERR_IO, NULL);
    EXPECT("");
    CU_ASSERT_EQUAL(datanode_replica_state(f.datanode, 3), REPLICA_SEALED);
    step(
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCK_CORRUPT, .data = &seen});
    EXPECT(""); /* seen before, on the old volume */
}

static void test_volumes__third_unreadable_block_fails_the_volume(void)
{
    given_active(1, 5);
    when_unreadable(0, 1);
    when_unreadable(0, 1); /* the same block again says nothing new */
    when_unreadable(0, 2);
    CU_ASSERT_EQUAL(volume(0).state, VOLUME_OPEN);
    when_seen_corrupt(3); /* wrong bytes are the disk's rot, not its refusal */
    CU_ASSERT_EQUAL(volume(0).state, VOLUME_OPEN);
    when_unreadable(0, 4);
    CU_ASSERT_EQUAL(volume(0).state, VOLUME_FAILED);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).block_count, 0);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).corrupt_count, 0);
}

static void test_volumes__vanished_file_system_fails_the_volume(void)
{
    given_three_volumes();
    when_ms_pass(1000000);
    buf_clear(&f.text);
    when_volume_measured(2, ERR_NOT_FOUND, 0);
    EXPECT("volume 2 OPEN->FAILED\nreplica 0000000000000005 SEALED->GONE\n"
           "replica 0000000000000006 SEALED->GONE\n"
           "retire 2: its file system does not answer: why not\ncall BlockChanges\n");
}

static void test_volumes__node_without_a_volume_registers_and_says_so(void)
{
    struct datanode_settings settings = plain_settings();
    given_datanode(&settings);
    when_volume_fails(0);
    step((struct event){.kind = EVENT_START});
    when_registered(5, 100);
    when_report_taken();
    CU_ASSERT_EQUAL(f.heartbeat.capacity_bytes, 0);
    CU_ASSERT_EQUAL(f.heartbeat.free_bytes, 0);
    CU_ASSERT_EQUAL(f.heartbeat.volumes[0].state, VOLUME_FAILED);
}

static void test_volumes__number_of_volumes_is_bounded(void)
{
    struct slice names[DATANODE_VOLUMES_MAX + 1] = {{0}};
    struct datanode_settings settings = plain_settings();
    settings.volumes = names;
    CU_ASSERT_EQUAL(datanode_open(&settings, 1, &f.datanode), ERR_INVALID);
    settings.volumes_count = DATANODE_VOLUMES_MAX + 1;
    CU_ASSERT_EQUAL(datanode_open(&settings, 1, &f.datanode), ERR_INVALID);
    CU_ASSERT_PTR_NULL(f.datanode);
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_volumes__blocks_go_where_there_is_room, "Blocks go where there is room."),
    TEST(test_volumes__full_volume_is_refused_and_read, "A full volume is refused, and read."),
    TEST(test_volumes__block_needs_one_volume_with_room_for_all_of_it,
         "A block needs one volume with room for all of it."),
    TEST(test_volumes__write_that_finds_no_space_closes_the_volume_until_it_is_measured,
         "A write that finds no space closes the volume until it is measured."),
    TEST(test_volumes__limping_disk_gets_few_blocks, "A limping disk gets few blocks."),
    TEST(test_volumes__latencies_ride_on_the_heartbeat, "Latencies ride on the heartbeat."),
    TEST(test_volumes__failed_volume_takes_its_replicas_with_it,
         "A failed volume takes its replicas with it."),
    TEST(test_volumes__failed_volume_is_told_on_the_heartbeat,
         "A failed volume is told on the heartbeat."),
    TEST(test_volumes__failed_volume_takes_no_more_blocks, "A failed volume takes no more blocks."),
    TEST(test_volumes__failed_volume_is_never_measured_back_to_life,
         "A failed volume is never measured back to life."),
    TEST(test_volumes__block_that_was_coming_in_is_not_counted,
         "A block that was coming in when its volume failed is not counted."),
    TEST(test_volumes__block_that_was_being_deleted_is_gone,
         "A block that was being deleted when its volume failed is gone."),
    TEST(test_volumes__delete_that_the_disk_refuses_retires_it,
         "A delete that the disk refuses retires it."),
    TEST(test_volumes__quarantine_ends_after_its_volume,
         "A quarantine that ends after its volume touches nothing."),
    TEST(test_volumes__third_unreadable_block_fails_the_volume,
         "The third unreadable block fails the volume."),
    TEST(test_volumes__vanished_file_system_fails_the_volume,
         "A vanished file system fails the volume."),
    TEST(test_volumes__node_without_a_volume_registers_and_says_so,
         "A node without a volume registers and says so."),
    TEST(test_volumes__number_of_volumes_is_bounded, "The number of volumes is bounded."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_volumes", tests, UNIT_COUNT(tests),
                     datanode_setup, datanode_teardown);
}
