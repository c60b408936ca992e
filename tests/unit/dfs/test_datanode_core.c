/*
 * test_datanode_core.c - replicas, commands, scrubbing and the door of the datanode's machine.
 */
#include "tests/unit/dfs/datanode_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- receiving ---------------------------------------------------------------------------------
 */

static void test_datanode__received_block_is_announced_at_once_and_then_confirmed(void)
{
    given_active(1, 1);
    when_receive_asked(7, 2);
    EXPECT("replica 0000000000000002 RECEIVING\nanswer 7 OK\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).reserved_bytes, BLOCK_BYTES);
    when_receive_ended(7, 2, OK, false);
    EXPECT("replica 0000000000000002 RECEIVING->SEALED\nanswer 7 OK\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).reserved_bytes, 0);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).changes_waiting, 1);
    when_changes_taken();
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).changes_waiting, 0);
}

static void test_datanode__failed_receive_leaves_nothing(void)
{
    given_active(1, 1);
    when_receive_asked(7, 2);
    buf_clear(&f.text);
    when_receive_ended(7, 2, ERR_CORRUPT, false);
    EXPECT("replica 0000000000000002 RECEIVING->GONE\nanswer 7 ERR_CORRUPT\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).reserved_bytes, 0);
    CU_ASSERT_EQUAL(datanode_replica_state(f.datanode, 2), REPLICA_GONE);
}

static void test_datanode__second_replica_of_a_block_is_refused(void)
{
    given_active(1, 1);
    when_receive_asked(7, 1);
    EXPECT("answer 7 ERR_EXISTS\n");
}

static void test_datanode__block_beyond_the_reserve_is_refused(void)
{
    struct datanode_settings settings = plain_settings();
    settings.reserve_bytes = VOLUME_BYTES - 2 * BLOCK_BYTES - 1;
    given_active_with(&settings, 1, 0);
    when_receive_asked(1, 1);
    when_receive_asked(2, 2);
    when_receive_asked(3, 3);
    EXPECT("replica 0000000000000001 RECEIVING\nanswer 1 OK\n"
           "replica 0000000000000002 RECEIVING\nanswer 2 OK\n"
           "answer 3 ERR_NO_SPACE\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).free_bytes, 1);
}

static void test_datanode__capacity_bounds_what_is_taken(void)
{
    struct datanode_settings settings = plain_settings();
    settings.capacity_bytes = BLOCK_BYTES + 1;
    given_active_with(&settings, 1, 1);
    when_receive_asked(1, 2);
    EXPECT("answer 1 ERR_NO_SPACE\n");
}

static void test_datanode__too_many_receives_are_busy(void)
{
    struct datanode_settings settings = plain_settings();
    settings.receives_max = 1;
    given_active_with(&settings, 1, 0);
    when_receive_asked(1, 1);
    buf_clear(&f.text);
    when_receive_asked(2, 2);
    EXPECT("answer 2 ERR_BUSY\n");
}

static void test_datanode__failed_sync_retires_the_volume(void)
{
    given_active(1, 1);
    when_receive_asked(1, 2);
    buf_clear(&f.text);
    when_receive_ended(1, 2, ERR_IO, true);
    EXPECT("volume 0 OPEN->FAILED\nreplica 0000000000000001 SEALED->GONE\n"
           "replica 0000000000000002 RECEIVING->GONE\nretire 0: a write failed: why\n"
           "answer 1 ERR_IO\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.deleted_block_ids_count, 1);
    when_receive_asked(2, 3);
    EXPECT("answer 2 ERR_IO\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).free_bytes, 0);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).volumes_failed, 1);
}

static void test_datanode__unacknowledged_change_is_sent_again(void)
{
    given_active(1, 1);
    when_receive_asked(1, 2);
    when_receive_ended(1, 2, OK, false);
    buf_clear(&f.text);
    when_answered(METHOD_DATANODE_TRACKER_BLOCK_CHANGES, ERR_DEADLINE, NULL);
    EXPECT("");
    when_deadline_comes();
    EXPECT("call BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.received_count, 1);
}

static void test_datanode__newer_change_overtakes_a_failed_one(void)
{
    given_active(1, 1);
    when_receive_asked(1, 2);
    when_receive_ended(1, 2, OK, false);
    when_seen_corrupt(2);
    when_answered(METHOD_DATANODE_TRACKER_BLOCK_CHANGES, ERR_DEADLINE, NULL);
    when_deadline_comes();
    CU_ASSERT_EQUAL(f.changes.received_count, 0);
    CU_ASSERT_EQUAL(f.changes.corrupt_block_ids_count, 1);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static void test_datanode__copies_run_up_to_their_limit(void)
{
    struct datanode_settings settings = plain_settings();
    settings.copies_max = 2;
    given_active_with(&settings, 1, 3);
    static const struct endpoint targets[2] = {{.node_id = 8}, {.node_id = 9}};
    struct dfs_datanode_command commands[3];
    for (uint64_t i = 0; i < 3; i++)
        commands[i] = (struct dfs_datanode_command){.kind = DATANODE_COPY_BLOCK,
                                                    .block = block(i + 1),
                                                    .targets = targets,
                                                    .targets_count = 2};
    when_commanded(commands, 3);
    EXPECT("replica 0000000000000001 SEALED->COPYING\n"
           "replica 0000000000000002 SEALED->COPYING\n"
           "copy 1 targets=2\ncopy 2 targets=2\ncall DatanodeHeartbeat\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).copies_waiting, 1);
    struct datanode_copied copied = {.synced_count = 2};
    when_effect_done(DATANODE_EFFECT_COPY_BLOCK, OK, &copied);
    EXPECT("copy 0000000000000002 OK\nreplica 0000000000000002 COPYING->SEALED\n"
           "replica 0000000000000003 SEALED->COPYING\ncopy 3 targets=2\n");
}

static void test_datanode__second_target_of_a_block_has_its_turn(void)
{
    given_active(1, 1);
    static const struct endpoint targets[2] = {{.node_id = 8}, {.node_id = 9}};
    struct dfs_datanode_command commands[3];
    for (size_t i = 0; i < 3; i++) /* the third is the second said again */
        commands[i] = (struct dfs_datanode_command){.kind = DATANODE_COPY_BLOCK,
                                                    .block = block(1),
                                                    .targets = &targets[i > 0 ? 1 : 0],
                                                    .targets_count = 1};
    when_commanded(commands, 3);
    EXPECT("replica 0000000000000001 SEALED->COPYING\ncopy 1 targets=1\ncall DatanodeHeartbeat\n");
    struct datanode_copied copied = {.synced_count = 1};
    when_effect_done(DATANODE_EFFECT_COPY_BLOCK, ERR_UNAVAILABLE, NULL);
    EXPECT("copy 0000000000000001 ERR_UNAVAILABLE\nfailed 0000000000000001 to=8 FAULT_TARGET\n"
           "replica 0000000000000001 COPYING->SEALED\n"
           "replica 0000000000000001 SEALED->COPYING\ncopy 1 targets=1\ncall BlockChanges\n");
    CU_ASSERT_EQUAL_FATAL(f.changes.failed_count, 1);
    CU_ASSERT_EQUAL(f.changes.failed[0].block_id, 1);
    CU_ASSERT_EQUAL(f.changes.failed[0].target_node_id, 8);
    when_effect_done(DATANODE_EFFECT_COPY_BLOCK, OK, &copied);
    EXPECT("copy 0000000000000001 OK\nreplica 0000000000000001 COPYING->SEALED\n");
}

static void test_datanode__copy_that_finds_a_bad_replica_reports_it(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_COPY_BLOCK, 1);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_COPY_BLOCK, ERR_CORRUPT, NULL);
    EXPECT("copy 0000000000000001 ERR_CORRUPT\nfailed 0000000000000001 to=9 FAULT_SOURCE\n"
           "replica 0000000000000001 COPYING->CORRUPT\nquarantine 1\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.corrupt_block_ids_count, 1);
    CU_ASSERT_EQUAL(f.changes.failed_count, 1);
}

/* As often as the namenode does not hear of it, with the reason. */
static void test_datanode__failed_copy_is_told_until_it_is_heard(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_COPY_BLOCK, 1);
    step((struct event){.kind = EVENT_EFFECT_DONE,
                        .tag = f.effect_tag[DATANODE_EFFECT_COPY_BLOCK],
                        .effect = DATANODE_EFFECT_COPY_BLOCK,
                        .status = ERR_UNAVAILABLE,
                        .text = slice_from_string("nobody listens there")});
    CU_ASSERT_EQUAL(f.changes.failed_count, 1);
    buf_clear(&f.text);
    when_answered(METHOD_DATANODE_TRACKER_BLOCK_CHANGES, ERR_DEADLINE, NULL);
    EXPECT("");
    f.changes = (struct dfs_block_changes_request){0};
    when_deadline_comes();
    EXPECT("call BlockChanges\n");
    CU_ASSERT_EQUAL_FATAL(f.changes.failed_count, 1);
    CU_ASSERT_TRUE(slice_equal_string(f.changes.failed[0].reason, "nobody listens there"));
    when_changes_taken();
    EXPECT("");
}

static void test_datanode__copy_of_another_version_is_refused(void)
{
    given_active(1, 1);
    struct dfs_datanode_command command = {
        .kind = DATANODE_COPY_BLOCK, .block = block(1), .targets_count = 0};
    command.block.length++;
    when_commanded(&command, 1);
    EXPECT("copy 0000000000000001 refused\nfailed 0000000000000001 to=0 FAULT_SOURCE\n"
           "call DatanodeHeartbeat\ncall BlockChanges\n");
}

static void test_datanode__copy_of_an_absent_block_says_that_it_is_absent(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_COPY_BLOCK, 4);
    EXPECT("failed 0000000000000004 to=9 FAULT_SOURCE\ncall DatanodeHeartbeat\n"
           "call BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.deleted_block_ids[0], 4);
}

/* Blocks 1 and 2, both here, are to become block 9 here and on node 4. */
static void when_merge_commanded(uint64_t length)
{
    static const struct endpoint here = {.node_id = 77};
    static const struct endpoint target = {.node_id = 4};
    struct dfs_block_info sources[] = {block(1), block(2)};
    struct endpoint nodes[] = {here, here};
    struct dfs_datanode_command command = {
        .kind = DATANODE_MERGE_BLOCKS,
        .block = {.block_id = 9, .length = length, .crc32c = 5},
        .targets = &target,
        .targets_count = 1,
        .sources = sources,
        .sources_count = 2,
        .source_nodes = nodes,
        .source_nodes_count = 2,
    };
    when_commanded(&command, 1);
}

static void test_datanode__merge_begins_here_and_the_block_comes_in_by_the_door(void)
{
    given_active(1, 2);
    when_merge_commanded(2 * BLOCK_BYTES);
    EXPECT("merge 9 sources=2 targets=2 first=77\ncall DatanodeHeartbeat\n");
    when_merge_commanded(2 * BLOCK_BYTES); /* told twice */
    EXPECT("call DatanodeHeartbeat\n");
    when_receive_asked(1, 9);
    when_receive_ended(1, 9, OK, false);
    buf_clear(&f.text);
    struct datanode_copied copied = {.synced_count = 2};
    when_effect_done(DATANODE_EFFECT_MERGE_BLOCKS, OK, &copied);
    EXPECT("merge 0000000000000009 OK\n");
    CU_ASSERT_EQUAL(datanode_replica_state(f.datanode, 9), REPLICA_SEALED);
    when_merge_commanded(2 * BLOCK_BYTES); /* it is here */
    EXPECT("call DatanodeHeartbeat\n");
}

static void test_datanode__failed_merge_leaves_its_sources(void)
{
    given_active(1, 2);
    when_merge_commanded(2 * BLOCK_BYTES);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_MERGE_BLOCKS, ERR_UNAVAILABLE, NULL);
    EXPECT("merge 0000000000000009 ERR_UNAVAILABLE\nfailed 0000000000000009 to=0 FAULT_TARGET\n"
           "call BlockChanges\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).block_count, 2);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).copies_running, 0);
}

static void test_datanode__failure_says_which_source_of_a_merge_was_bad(void)
{
    given_active(1, 2);
    when_merge_commanded(2 * BLOCK_BYTES);
    buf_clear(&f.text);
    struct datanode_copied bad = {.bad_block_id = 2, .bad_node_id = 77};
    when_effect_done(DATANODE_EFFECT_MERGE_BLOCKS, ERR_UNAVAILABLE, &bad);
    EXPECT("merge 0000000000000009 ERR_UNAVAILABLE\nfailed 0000000000000009 to=0 FAULT_SOURCE\n"
           "call BlockChanges\n");
    CU_ASSERT_EQUAL_FATAL(f.changes.failed_count, 1);
    CU_ASSERT_EQUAL(f.changes.failed[0].source_block_id, 2);
    CU_ASSERT_EQUAL(f.changes.failed[0].source_node_id, 77);
}

static void test_datanode__merge_that_does_not_add_up_is_refused(void)
{
    given_active(1, 2);
    when_merge_commanded(2 * BLOCK_BYTES + 1);
    EXPECT("merge 0000000000000009 refused\nfailed 0000000000000009 to=0 FAULT_SOURCE\n"
           "call DatanodeHeartbeat\ncall BlockChanges\n");
}

static void test_datanode__deleted_block_is_announced_when_it_is_gone(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_DELETE_BLOCK, 1);
    EXPECT("replica 0000000000000001 SEALED->DELETING\ndelete 1\ncall DatanodeHeartbeat\n");
    when_effect_done(DATANODE_EFFECT_DELETE_BLOCK, OK, NULL);
    EXPECT("replica 0000000000000001 DELETING->GONE\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.deleted_block_ids_count, 1);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).used_bytes, 0);
}

static void test_datanode__block_deleted_while_it_is_copied_goes_at_once(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_COPY_BLOCK, 1);
    buf_clear(&f.text);
    when_commanded_one(DATANODE_DELETE_BLOCK, 1);
    EXPECT("replica 0000000000000001 COPYING->DELETING\ndelete 1\ncall DatanodeHeartbeat\n");
    when_effect_done(DATANODE_EFFECT_DELETE_BLOCK, OK, NULL);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_COPY_BLOCK, ERR_NOT_FOUND, NULL);
    EXPECT("copy 0000000000000001 ERR_NOT_FOUND\nfailed 0000000000000001 to=9 FAULT_SOURCE\n");
}

static void test_datanode__undeletable_block_is_out_of_service(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_DELETE_BLOCK, 1);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_DELETE_BLOCK, ERR_NO_MEMORY, NULL);
    EXPECT("replica 0000000000000001 DELETING->CORRUPT\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.corrupt_block_ids_count, 1);
}

static void test_datanode__corrupt_block_is_deleted_after_its_quarantine(void)
{
    given_active(1, 1);
    when_seen_corrupt(1);
    EXPECT("replica 0000000000000001 SEALED->CORRUPT\nquarantine 1\ncall BlockChanges\n");
    when_commanded_one(DATANODE_DELETE_BLOCK, 1);
    EXPECT("call DatanodeHeartbeat\n");
    when_effect_done(DATANODE_EFFECT_QUARANTINE_BLOCK, OK, NULL);
    EXPECT("replica 0000000000000001 CORRUPT->DELETING\ndelete 1\n");
    when_seen_corrupt(1);
    EXPECT("");
}

/* --- verifying on demand -----------------------------------------------------------------------
 */

static void test_datanode__good_replica_is_told_as_verified(void)
{
    given_active(1, 2);
    when_commanded_one(DATANODE_VERIFY_BLOCK, 1);
    EXPECT("scrub 1\ncall DatanodeHeartbeat\n");
    when_commanded_one(DATANODE_VERIFY_BLOCK, 2);
    when_commanded_one(DATANODE_VERIFY_BLOCK, 2);
    EXPECT("call DatanodeHeartbeat\ncall DatanodeHeartbeat\n"); /* one at a time */
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, OK, NULL);
    EXPECT("verified 0000000000000001 OK\nscrub 2\ncall BlockChanges\n");
    CU_ASSERT_EQUAL_FATAL(f.changes.verified_block_ids_count, 1);
    CU_ASSERT_EQUAL(f.changes.verified_block_ids[0], 1);
    when_changes_taken();
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, OK, NULL);
    EXPECT("verified 0000000000000002 OK\ncall BlockChanges\n"); /* told twice, done once */
}

static void test_datanode__bad_replica_is_told_as_corrupt_and_again(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_VERIFY_BLOCK, 1);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, ERR_CORRUPT, NULL);
    EXPECT("verified 0000000000000001 ERR_CORRUPT\nreplica 0000000000000001 SEALED->CORRUPT\n"
           "quarantine 1\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.verified_block_ids_count, 0);
    CU_ASSERT_EQUAL(f.changes.corrupt_block_ids_count, 1);
    when_changes_taken();
    f.changes = (struct dfs_block_changes_request){0};
    when_commanded_one(DATANODE_VERIFY_BLOCK, 1);
    EXPECT("call DatanodeHeartbeat\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.corrupt_block_ids_count, 1);
}

static void test_datanode__absent_replica_is_told_as_gone(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_VERIFY_BLOCK, 4);
    EXPECT("call DatanodeHeartbeat\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.deleted_block_ids_count, 1);
}

static void test_datanode__replica_that_cannot_be_checked_now_is_not_judged(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_VERIFY_BLOCK, 1);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, ERR_NO_MEMORY, NULL);
    EXPECT("verified 0000000000000001 ERR_NO_MEMORY\n");
    CU_ASSERT_EQUAL(datanode_replica_state(f.datanode, 1), REPLICA_SEALED);
}

/* --- scrubbing ---------------------------------------------------------------------------------
 */

static void test_datanode__scrubber_keeps_its_pace(void)
{
    struct datanode_settings settings = plain_settings();
    settings.scrub_bytes_per_second = BLOCK_BYTES;
    settings.scrub_pause_ms = 10000;
    given_datanode(&settings);
    given_found(1, 1);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_START});
    EXPECT("measure\nscrub 1\n");
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, OK, NULL);
    when_ms_pass(9999);
    EXPECT("");
    when_ms_pass(1);
    EXPECT("scrub 1\n");
}

static void test_datanode__scrubber_takes_the_longest_unverified_first(void)
{
    struct datanode_settings settings = plain_settings();
    settings.scrub_bytes_per_second = BLOCK_BYTES;
    settings.scrub_pause_ms = 0;
    given_datanode(&settings);
    given_found(1, 3);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_START});
    uint64_t seen = 0;
    for (int i = 0; i < 3; i++) {
        for (uint64_t id = 1; id <= 3; id++) {
            char line[32];
            snprintf(line, sizeof(line), "scrub %" PRIu64 "\n", id);
            if (strstr(buf_string(&f.text), line) != NULL)
                seen |= UINT64_C(1) << id;
        }
        buf_clear(&f.text);
        when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, OK, NULL);
        when_ms_pass(1001);
    }
    CU_ASSERT_EQUAL(seen, 2 + 4 + 8);
}

static void test_datanode__scrubbed_bad_block_is_reported(void)
{
    struct datanode_settings settings = plain_settings();
    settings.scrub_bytes_per_second = BLOCK_BYTES;
    given_active_with(&settings, 1, 1);
    when_effect_done(DATANODE_EFFECT_SCRUB_BLOCK, ERR_CORRUPT, NULL);
    EXPECT("replica 0000000000000001 SEALED->CORRUPT\nquarantine 1\ncall BlockChanges\n");
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void test_datanode__tables_are_sound(void)
{
    size_t row;
    CU_ASSERT_TRUE(transition_table_is_sound(&datanode_replica_table, &row));
    CU_ASSERT_TRUE(transition_table_is_sound(&datanode_registration_table, &row));
    CU_ASSERT_TRUE(transition_table_is_sound(&datanode_volume_table, &row));
}

static void test_datanode__stop_refuses_writers_and_ends(void)
{
    given_active(1, 1);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("exit 0\n");
    when_receive_asked(1, 2);
    EXPECT("answer 1 ERR_UNAVAILABLE\n");
}

static void test_datanode__bad_settings_are_refused(void)
{
    struct datanode_settings settings = plain_settings();
    settings.node.node_id = 0;
    CU_ASSERT_EQUAL(datanode_open(&settings, 1, &f.datanode), ERR_INVALID);
    settings = plain_settings();
    settings.copies_max = 0;
    CU_ASSERT_EQUAL(datanode_open(&settings, 1, &f.datanode), ERR_INVALID);
    CU_ASSERT_PTR_NULL(f.datanode);
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_datanode__received_block_is_announced_at_once_and_then_confirmed,
         "A received block is announced at once and then confirmed."),
    TEST(test_datanode__failed_receive_leaves_nothing, "A failed receive leaves nothing."),
    TEST(test_datanode__second_replica_of_a_block_is_refused, "A second replica is refused."),
    TEST(test_datanode__block_beyond_the_reserve_is_refused,
         "A block beyond the reserve is refused."),
    TEST(test_datanode__capacity_bounds_what_is_taken, "The capacity bounds what is taken."),
    TEST(test_datanode__too_many_receives_are_busy, "Too many receives are busy."),
    TEST(test_datanode__failed_sync_retires_the_volume, "A failed sync retires the volume."),
    TEST(test_datanode__unacknowledged_change_is_sent_again,
         "An unacknowledged change is sent again."),
    TEST(test_datanode__newer_change_overtakes_a_failed_one,
         "A newer change overtakes a failed one."),
    TEST(test_datanode__copies_run_up_to_their_limit, "Copies run up to their limit."),
    TEST(test_datanode__second_target_of_a_block_has_its_turn,
         "A second target of a block has its turn when the first was tried."),
    TEST(test_datanode__copy_that_finds_a_bad_replica_reports_it,
         "A copy that finds a bad replica reports it."),
    TEST(test_datanode__failed_copy_is_told_until_it_is_heard,
         "A failed copy is told with its reason, until the namenode has heard it."),
    TEST(test_datanode__failure_says_which_source_of_a_merge_was_bad,
         "The failure of a merge says which source was bad."),
    TEST(test_datanode__copy_of_another_version_is_refused,
         "A copy of another version is refused."),
    TEST(test_datanode__copy_of_an_absent_block_says_that_it_is_absent,
         "A copy of an absent block says that it is absent."),
    TEST(test_datanode__merge_begins_here_and_the_block_comes_in_by_the_door,
         "A merge begins here, and the block comes in by the door."),
    TEST(test_datanode__failed_merge_leaves_its_sources, "A failed merge leaves its sources."),
    TEST(test_datanode__merge_that_does_not_add_up_is_refused,
         "A merge that does not add up is refused."),
    TEST(test_datanode__deleted_block_is_announced_when_it_is_gone,
         "A deleted block is announced when it is gone."),
    TEST(test_datanode__block_deleted_while_it_is_copied_goes_at_once,
         "A block deleted while it is copied goes at once."),
    TEST(test_datanode__undeletable_block_is_out_of_service,
         "An undeletable block is out of service."),
    TEST(test_datanode__corrupt_block_is_deleted_after_its_quarantine,
         "A corrupt block is deleted after its quarantine."),
    TEST(test_datanode__good_replica_is_told_as_verified,
         "A replica that is good when it is looked at is told as verified."),
    TEST(test_datanode__bad_replica_is_told_as_corrupt_and_again,
         "A replica that is bad when it is looked at is told as corrupt, and again."),
    TEST(test_datanode__absent_replica_is_told_as_gone,
         "A replica that is not here is told as gone."),
    TEST(test_datanode__replica_that_cannot_be_checked_now_is_not_judged,
         "A replica that cannot be checked now is not judged."),
    TEST(test_datanode__scrubber_keeps_its_pace, "The scrubber keeps its pace."),
    TEST(test_datanode__scrubber_takes_the_longest_unverified_first,
         "The scrubber takes the longest unverified first."),
    TEST(test_datanode__scrubbed_bad_block_is_reported, "A scrubbed bad block is reported."),
    TEST(test_datanode__tables_are_sound, "The tables are sound."),
    TEST(test_datanode__stop_refuses_writers_and_ends, "A stop refuses writers and ends."),
    TEST(test_datanode__bad_settings_are_refused, "Bad settings are refused."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_core", tests, UNIT_COUNT(tests),
                     datanode_setup, datanode_teardown);
}
