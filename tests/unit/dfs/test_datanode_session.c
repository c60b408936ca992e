/*
 * test_datanode_session.c - registration, heartbeats and reports of the datanode's machine.
 */
#include "tests/unit/dfs/datanode_fixture.h"

/* --- registration ------------------------------------------------------------------------------
 */

static void test_datanode__start_registers_reports_and_beats(void)
{
    struct datanode_settings settings = plain_settings();
    given_datanode(&settings);
    given_found(1, 2);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_START});
    EXPECT("measure\n");
    when_measured(VOLUME_BYTES);
    EXPECT("volume 0 STARTING->OPEN\nregistration NONE->ASKED\ncall RegisterDatanode\n");
    when_registered(5, 100);
    EXPECT("registration ASKED->REPORTING\ncall DatanodeHeartbeat\ncall BlockReport\n");
    CU_ASSERT_EQUAL(f.report.blocks_count, 2);
    CU_ASSERT_EQUAL(f.report.session, 100);
    CU_ASSERT_TRUE(f.report.is_last);
    when_report_taken();
    EXPECT("registration REPORTING->ACTIVE\n");
}

static void test_datanode__new_node_keeps_its_cluster_before_it_reports(void)
{
    struct datanode_settings settings = plain_settings();
    settings.cluster_id = 0;
    given_datanode(&settings);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    buf_clear(&f.text);
    when_registered(8, 100);
    EXPECT("registration ASKED->SAVING\nsave_identity 8\n");
    when_effect_done(DATANODE_EFFECT_SAVE_IDENTITY, OK, NULL);
    EXPECT("registration SAVING->REPORTING\ncall DatanodeHeartbeat\ncall BlockReport\n");
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).cluster_id, 8);
}

static void test_datanode__unsaved_cluster_is_asked_again(void)
{
    struct datanode_settings settings = plain_settings();
    settings.cluster_id = 0;
    given_datanode(&settings);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    when_registered(8, 100);
    buf_clear(&f.text);
    when_effect_done(DATANODE_EFFECT_SAVE_IDENTITY, ERR_IO, NULL);
    EXPECT("registration SAVING->NONE\n");
    when_deadline_comes();
    EXPECT("registration NONE->ASKED\ncall RegisterDatanode\n");
}

static void test_datanode__other_cluster_ends_the_process(void)
{
    struct datanode_settings settings = plain_settings();
    given_datanode(&settings);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    buf_clear(&f.text);
    when_registered(6, 100);
    EXPECT("registration ASKED->REFUSED\n"
           "refusal this node's blocks belong to cluster 0000000000000005, but the namenode serves "
           "cluster 0000000000000006\nexit 8\n");
    CU_ASSERT_EQUAL(datanode_deadline_ms(f.datanode), INT64_MAX);
}

static void test_datanode__refused_registration_ends_the_process(void)
{
    struct datanode_settings settings = plain_settings();
    given_datanode(&settings);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    buf_clear(&f.text);
    when_answered(METHOD_DATANODE_TRACKER_REGISTER_DATANODE, ERR_FENCED, NULL);
    EXPECT(
        "registration ASKED->REFUSED\nrefusal the namenode refuses this node: why not\nexit 8\n");
}

static void test_datanode__unreachable_namenode_is_asked_less_and_less(void)
{
    struct datanode_settings settings = plain_settings();
    given_datanode(&settings);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    int64_t delays[10];
    for (int i = 0; i < 10; i++) {
        int64_t before_ms = f.now_ms;
        when_answered(METHOD_DATANODE_TRACKER_REGISTER_DATANODE, ERR_UNAVAILABLE, NULL);
        when_deadline_comes();
        delays[i] = f.now_ms - before_ms;
    }
    CU_ASSERT_TRUE(delays[0] >= 50 && delays[0] <= 100);
    CU_ASSERT_TRUE(delays[3] >= 400 && delays[3] <= 800);
    CU_ASSERT_TRUE(delays[9] >= 2500 && delays[9] <= 5000);
}

static void test_datanode__unnamed_namenode_is_looked_up_each_time(void)
{
    struct datanode_settings settings = plain_settings();
    settings.namenode_address = (struct slice){0};
    given_datanode(&settings);
    step((struct event){.kind = EVENT_START});
    when_measured(1000000);
    EXPECT("measure\nvolume 0 STARTING->OPEN\nregistration NONE->FINDING\nfind_namenode\n");
    when_effect_done(DATANODE_EFFECT_FIND_NAMENODE, ERR_UNAVAILABLE, NULL);
    EXPECT("registration FINDING->NONE\n");
    when_deadline_comes();
    EXPECT("registration NONE->FINDING\nfind_namenode\n");
    struct datanode_namenode found = {.address = slice_from_string("127.0.0.1:7")};
    when_effect_done(DATANODE_EFFECT_FIND_NAMENODE, OK, &found);
    EXPECT("registration FINDING->ASKED\ncall RegisterDatanode\n");
    CU_ASSERT_STRING_EQUAL(f.address, "127.0.0.1:7");
    when_registered(5, 100);
    when_report_taken();
    buf_clear(&f.text);
    for (int i = 0; i < 4; i++) {
        when_answered(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, ERR_UNAVAILABLE, NULL);
        when_deadline_comes();
        EXPECT("call DatanodeHeartbeat\n");
    }
    when_answered(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, ERR_UNAVAILABLE, NULL);
    when_deadline_comes();
    EXPECT("registration ACTIVE->NONE\nregistration NONE->FINDING\nfind_namenode\n");
}

static void test_datanode__unknown_session_registers_and_reports_again(void)
{
    given_active(1, 1);
    when_receive_asked(1, 2);
    when_receive_ended(1, 2, OK, false);
    buf_clear(&f.text);
    when_answered(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, ERR_STALE, NULL);
    EXPECT("registration ACTIVE->NONE\ncancel\n");
    uint64_t old = f.tag_of[METHOD_DATANODE_TRACKER_BLOCK_CHANGES];
    step((struct event){.kind = EVENT_RESPONSE, .tag = old, .status = ERR_CANCELLED});
    when_deadline_comes();
    when_registered(5, 101);
    EXPECT("registration NONE->ASKED\ncall RegisterDatanode\n"
           "registration ASKED->REPORTING\ncall DatanodeHeartbeat\ncall BlockReport\n");
    CU_ASSERT_EQUAL(f.report.blocks_count, 2);
    CU_ASSERT_EQUAL(f.report.session, 101);
}

static void test_datanode__failed_heartbeat_is_repeated_in_the_same_session(void)
{
    given_active(1, 1);
    when_answered(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, ERR_UNAVAILABLE, NULL);
    EXPECT("");
    when_deadline_comes();
    EXPECT("call DatanodeHeartbeat\n");
}

static void test_datanode__empty_answers_at_once_do_not_spin(void)
{
    given_active(1, 1);
    when_commanded(NULL, 0);
    EXPECT("");
    when_ms_pass(100);
    EXPECT("call DatanodeHeartbeat\n");
}

/* --- reports -----------------------------------------------------------------------------------
 */

static void test_datanode__long_list_is_reported_in_parts(void)
{
    struct datanode_settings settings = plain_settings();
    settings.report_part_blocks = 2;
    given_datanode(&settings);
    given_found(1, 5);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    when_registered(5, 100);
    for (uint32_t part = 0; part < 3; part++) {
        CU_ASSERT_EQUAL(f.report.part, part);
        CU_ASSERT_EQUAL(f.report.blocks_count, part < 2 ? 2 : 1);
        CU_ASSERT_EQUAL(f.report.is_last, part == 2);
        when_report_taken();
    }
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).registration, REGISTRATION_ACTIVE);
}

static void test_datanode__failed_part_begins_the_report_again(void)
{
    struct datanode_settings settings = plain_settings();
    settings.report_part_blocks = 2;
    given_datanode(&settings);
    given_found(1, 5);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    when_registered(5, 100);
    when_report_taken();
    when_answered(METHOD_DATANODE_TRACKER_BLOCK_REPORT, ERR_DEADLINE, NULL);
    when_deadline_comes();
    CU_ASSERT_EQUAL(f.report.part, 0);
    CU_ASSERT_EQUAL(f.report.blocks[0].block_id, 1);
}

static void test_datanode__report_on_command_holds_changes_back(void)
{
    given_active(1, 1);
    when_commanded_one(DATANODE_REPORT_BLOCKS, 0);
    EXPECT("registration ACTIVE->REPORTING\ncall DatanodeHeartbeat\ncall BlockReport\n");
    when_receive_asked(1, 2);
    when_receive_ended(1, 2, OK, false);
    buf_clear(&f.text);
    when_report_taken();
    EXPECT("registration REPORTING->ACTIVE\ncall BlockChanges\n");
    CU_ASSERT_EQUAL(f.changes.received_count, 1);
    CU_ASSERT_EQUAL(f.changes.received[0].block_id, 2);
}

static void test_datanode__corrupt_replica_is_not_in_the_report_but_follows_it(void)
{
    struct datanode_settings settings = plain_settings();
    given_datanode(&settings);
    struct dfs_block_info good = block(1);
    struct dfs_block_info bad = block(2);
    struct datanode_found found = {
        .blocks = &good, .blocks_count = 1, .corrupt = &bad, .corrupt_count = 1};
    step(
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCKS_FOUND, .data = &found});
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    when_registered(5, 100);
    CU_ASSERT_EQUAL(f.report.blocks_count, 1);
    CU_ASSERT_EQUAL(f.report.blocks[0].block_id, 1);
    when_report_taken();
    CU_ASSERT_EQUAL(f.changes.corrupt_block_ids_count, 1);
    CU_ASSERT_EQUAL(f.changes.corrupt_block_ids[0], 2);
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_datanode__start_registers_reports_and_beats, "A start registers, reports and beats."),
    TEST(test_datanode__new_node_keeps_its_cluster_before_it_reports,
         "A new node keeps its cluster on disk before it reports."),
    TEST(test_datanode__unsaved_cluster_is_asked_again,
         "A cluster that was not saved is asked again."),
    TEST(test_datanode__other_cluster_ends_the_process, "Another cluster ends the process."),
    TEST(test_datanode__refused_registration_ends_the_process, "A refusal ends the process."),
    TEST(test_datanode__unreachable_namenode_is_asked_less_and_less,
         "An unreachable namenode is asked less and less."),
    TEST(test_datanode__unnamed_namenode_is_looked_up_each_time,
         "An unnamed namenode is looked up each time."),
    TEST(test_datanode__unknown_session_registers_and_reports_again,
         "An unknown session registers and reports again."),
    TEST(test_datanode__failed_heartbeat_is_repeated_in_the_same_session,
         "A failed heartbeat is repeated in the same session."),
    TEST(test_datanode__empty_answers_at_once_do_not_spin, "Empty answers at once do not spin."),
    TEST(test_datanode__long_list_is_reported_in_parts, "A long list is reported in parts."),
    TEST(test_datanode__failed_part_begins_the_report_again,
         "A failed part begins the report again."),
    TEST(test_datanode__report_on_command_holds_changes_back,
         "A report on command holds changes back."),
    TEST(test_datanode__corrupt_replica_is_not_in_the_report_but_follows_it,
         "A corrupt replica is not in the report but follows it."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_session", tests, UNIT_COUNT(tests),
                     datanode_setup, datanode_teardown);
}
