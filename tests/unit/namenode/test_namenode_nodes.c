/*
 * test_namenode_nodes.c - datanodes: registration, liveness, reports, safe mode, placement.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static enum dfs_datanode_state state_of(const struct test_node *node)
{
    struct dfs_cluster_status_response status = cluster();
    for (size_t i = 0; i < status.datanodes_count; i++) {
        if (status.datanodes[i].node.node_id == node->id) {
            return status.datanodes[i].state;
        }
    }
    return DFS_DATANODE_STATE_COUNT;
}

static enum status tracker_call(const char *user, enum method method, const void *request)
{
    f.user = user;
    enum status status = call(method, request);
    f.user = "root";
    return status;
}

/* --- registration -------------------------------------------------------------------- */

static struct dfs_register_datanode_request registration(uint64_t id)
{
    return (struct dfs_register_datanode_request){
        .node = {.node_id = id, .host = text_of("h9")},
          .incarnation = 5
    };
}

static void test_register__refuses_strangers(void)
{
    struct dfs_register_datanode_request request = registration(9);
    given_started();
    CU_ASSERT_EQUAL(tracker_call("alice", METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request),
                    ERR_DENIED);
    request.cluster_id = cluster().cluster_id + 1;
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request),
                    ERR_INVALID);
    request.cluster_id = cluster().cluster_id;
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request),
                    OK);
    const struct dfs_register_datanode_response *response = f.response;
    CU_ASSERT_EQUAL(response->cluster_id, request.cluster_id);
    CU_ASSERT_EQUAL(response->heartbeat_interval_ms, 1000);
    CU_ASSERT_NOT_EQUAL(response->session, 0);
    request.node.node_id = 0;
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request),
                    ERR_INVALID);
    struct dfs_cluster_status_response status = cluster();
    CU_ASSERT_TRUE(slice_equal_string(status.datanodes[0].node.rack, "/default-rack"));
}

static void test_register__an_earlier_incarnation_is_stale(void)
{
    struct dfs_register_datanode_request request = registration(9);
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request),
                    OK);
    request.incarnation = 4;
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request),
                    ERR_STALE);
}

static void test_session__messages_of_an_older_one_are_stale(void)
{
    given_nodes(1);
    struct test_node *node = &f.nodes[0];
    uint64_t session = node->session;
    node->incarnation++;
    node_register(node);
    CU_ASSERT_NOT_EQUAL(node->session, session);
    struct dfs_datanode_heartbeat_request beat = {.node_id = node->id, .session = session};
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, &beat),
                    ERR_STALE);
    struct dfs_block_report_request report = {
        .node_id = node->id, .session = session, .is_last = true};
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_BLOCK_REPORT, &report),
                    ERR_STALE);
    struct dfs_block_changes_request changes = {.node_id = node->id, .session = session};
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_BLOCK_CHANGES, &changes),
                    ERR_STALE);
    beat.node_id = 77;
    CU_ASSERT_EQUAL(tracker_call("millrace", METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, &beat),
                    ERR_STALE);
}

static void test_session__does_not_outlive_the_namenode(void)
{
    given_nodes(1);
    when_restarted();
    node_report(&f.nodes[0]);
    CU_ASSERT_EQUAL(f.status, ERR_STALE);
}

/* --- heartbeats ---------------------------------------------------------------------- */

static void test_heartbeat__is_held_for_the_interval(void)
{
    struct test_node *node = given_node("h1", "/r1");
    CU_ASSERT_TRUE(node->is_beating);
    uint64_t held = node->held_call;
    when_ms_pass(999);
    CU_ASSERT_EQUAL(node->held_call, held);
    when_ms_pass(1);
    CU_ASSERT_NOT_EQUAL(node->held_call, held); /* answered; the next one went out */
}

static void test_heartbeat__is_answered_at_once_when_there_is_work(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    uint64_t held = f.nodes[0].held_call;
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    CU_ASSERT_TRUE(was_traced("h1: delete"));
    CU_ASSERT_NOT_EQUAL(f.nodes[0].held_call, held);
    CU_ASSERT_EQUAL(f.nodes[0].disk_count, 0);
}

static void test_heartbeat__a_cancelled_one_loses_no_command(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct test_node *node = &f.nodes[0];
    step((struct event){.kind = EVENT_REQUEST_CANCELLED, .call = node->held_call});
    CU_ASSERT_FALSE(node->is_beating);
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    CU_ASSERT_EQUAL(node->disk_count, 1);
    node_beat(node);
    CU_ASSERT_EQUAL(node->disk_count, 0);
}

static void test_heartbeat__a_second_one_takes_the_firsts_place(void)
{
    given_nodes(1);
    struct test_node *node = &f.nodes[0];
    uint64_t first = node->held_call;
    step((struct event){.kind = EVENT_TICK}); /* given: it is held */
    node->is_beating = false;                 /* its answer counts as the last call's */
    f.is_answered = false;
    node_beat(node);
    CU_ASSERT_TRUE(f.is_answered);
    CU_ASSERT_EQUAL(f.status, ERR_CANCELLED);
    CU_ASSERT_NOT_EQUAL(node->held_call, first);
    CU_ASSERT_TRUE(node->is_beating);
}

static void test_stop__answers_held_heartbeats(void)
{
    given_nodes(2);
    f.nodes[0].is_alive = false;
    f.nodes[1].is_alive = false;
    f.replay_every = 0;
    step((struct event){.kind = EVENT_STOP});
    CU_ASSERT_FALSE(f.nodes[0].is_beating);
    CU_ASSERT_FALSE(f.nodes[1].is_beating);
}

/* --- liveness ------------------------------------------------------------------------ */

static void test_liveness__silence_has_three_degrees(void)
{
    given_nodes(2);
    struct test_node *node = &f.nodes[0];
    node_die(node);
    when_ms_pass(9999);
    CU_ASSERT_EQUAL(state_of(node), DATANODE_LIVE);
    when_ms_pass(1);
    CU_ASSERT_EQUAL(state_of(node), DATANODE_STALE);
    when_ms_pass(19999);
    CU_ASSERT_EQUAL(state_of(node), DATANODE_STALE);
    when_ms_pass(1);
    CU_ASSERT_EQUAL(state_of(node), DATANODE_LOST);
    CU_ASSERT_TRUE(was_traced("datanode node=1 TRACKED_STALE->TRACKED_LOST silent_ms=30000"));
    CU_ASSERT_FALSE(was_traced("TRACKED_GIVEN_UP"));
    when_ms_pass(90000);
    CU_ASSERT_TRUE(was_traced("datanode node=1 TRACKED_LOST->TRACKED_GIVEN_UP silent_ms=120000"));
    CU_ASSERT_EQUAL(state_of(&f.nodes[1]), DATANODE_LIVE);
}

static void test_liveness__a_lost_node_comes_back_with_what_it_has(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    given_repairing();
    node_die(&f.nodes[0]);
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    f.nodes[0].is_alive = true;
    node_beat(&f.nodes[0]);
    CU_ASSERT_EQUAL(state_of(&f.nodes[0]), DATANODE_LIVE);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_liveness__a_given_up_node_must_register_and_report(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    node_die(&f.nodes[0]);
    when_ms_pass(120001);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 1);
    node_report(&f.nodes[0]);
    CU_ASSERT_EQUAL(f.status, ERR_STALE);
    f.nodes[0].is_alive = true;
    node_register(&f.nodes[0]);
    node_report(&f.nodes[0]);
    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_liveness__the_namenodes_own_pause_is_nobodys_silence(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    when_paused(200000);
    for (size_t i = 0; i < f.node_count; i++) {
        CU_ASSERT_EQUAL(state_of(&f.nodes[i]), DATANODE_LIVE);
    }
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static void test_reading__live_replicas_come_before_silent_ones(void)
{
    struct dfs_get_blocks_response blocks;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    node_die(&f.nodes[0]);
    when_ms_pass(15000);
    CU_ASSERT_EQUAL(do_blocks("/file", "h1", &blocks), OK);
    CU_ASSERT_EQUAL(blocks.blocks[0].replicas_count, 3);
    CU_ASSERT_EQUAL(blocks.blocks[0].replicas[2].node.node_id, 1);
    CU_ASSERT_TRUE(blocks.blocks[0].replicas[2].is_stale);
    CU_ASSERT_FALSE(blocks.blocks[0].replicas[0].is_stale);
}

/* --- reports ------------------------------------------------------------------------- */

static void test_report__replaces_what_was_known(void)
{
    given_nodes(3);
    (void)given_file("/file", 2, 0);
    struct test_node *node = &f.nodes[0];
    node->disk_count = 1; /* one block is gone from its disk */
    node_report(node);
    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_EQUAL(count_readable("/file", 0) + count_readable("/file", 1), 5);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 1);
}

static void test_report__comes_in_parts_and_counts_when_the_last_is_in(void)
{
    given_nodes(3);
    (void)given_file("/file", 3, 0);
    struct test_node *node = &f.nodes[0];
    struct dfs_block_report_request part = {.node_id = node->id,
                                            .session = node->session,
                                            .blocks = &node->disk[0],
                                            .blocks_count = 1,
                                            .serial = ++f.report_serial};
    enum method method = METHOD_DATANODE_TRACKER_BLOCK_REPORT;
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), OK);
    part.part = 2;
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), ERR_INVALID);
    part.part = 1;
    part.blocks = &node->disk[1];
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), OK);
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), OK); /* a repetition */
    CU_ASSERT_EQUAL(count_readable("/file", 2), 3);
    part.part = 2;
    part.blocks_count = 0;
    part.is_last = true;
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), OK);
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), OK); /* a repetition */
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    CU_ASSERT_EQUAL(count_readable("/file", 1), 3);
    CU_ASSERT_EQUAL(count_readable("/file", 2), 2);
}

static void test_report__that_comes_late_undoes_nothing(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct test_node *node = &f.nodes[0];
    struct dfs_block_report_request late = {
        .node_id = node->id, .session = node->session, .serial = f.report_serial, .is_last = true};
    node_report(node);
    enum method method = METHOD_DATANODE_TRACKER_BLOCK_REPORT;
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &late), OK);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static void test_report__a_block_sealed_meanwhile_is_kept(void)
{
    given_nodes(3);
    struct test_node *node = &f.nodes[0];
    struct dfs_block_report_request part = {.node_id = node->id, .session = node->session};
    enum method method = METHOD_DATANODE_TRACKER_BLOCK_REPORT;
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), OK);
    (void)given_file("/file", 1, 0);
    part.part = 1;
    part.is_last = true;
    CU_ASSERT_EQUAL(tracker_call("millrace", method, &part), OK);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static void test_report__is_asked_for_when_it_does_not_come(void)
{
    struct test_node *node = given_node("h1", "/r1");
    node->incarnation++;
    node_register(node);
    node_beat(node);
    when_ms_pass(9000);
    CU_ASSERT_EQUAL(node->report_commands, 0);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(node->report_commands, 1);
    node_report(node);
    when_ms_pass(30000);
    CU_ASSERT_EQUAL(node->report_commands, 1);
}

static void test_report__is_asked_for_now_and_then(void)
{
    f.settings.report_interval_ms = 20000;
    f.replay_every = 0;
    struct test_node *node = given_node("h1", "/r1");
    when_ms_pass(19000);
    CU_ASSERT_EQUAL(node->report_commands, 0);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(node->report_commands, 1);
}

static void test_unknown__blocks_are_deleted_after_a_grace(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct dfs_block_info orphan = {.block_id = 900, .length = 1};
    node_received(&f.nodes[0], &orphan);
    when_ms_pass(59000);
    CU_ASSERT_TRUE(node_has(&f.nodes[0], 900));
    when_ms_pass(2000);
    CU_ASSERT_FALSE(node_has(&f.nodes[0], 900));
}

static void test_unknown__corrupt_block_of_no_file_is_deleted_too(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    node_says_corrupt(&f.nodes[0], 900); /* no report lists it */
    when_ms_pass(f.settings.unknown_grace_ms + 2000);
    CU_ASSERT_TRUE(was_traced("block of no file block=900 node=1"));
}

static void test_unknown__blocks_beyond_the_journal_are_kept(void)
{
    given_nodes(1);
    struct dfs_block_info future = {.block_id = 1u << 30, .length = 1};
    node_received(&f.nodes[0], &future);
    CU_ASSERT_TRUE(was_traced("block beyond the journal block=1073741824 node=1"));
    when_ms_pass(200000);
    CU_ASSERT_TRUE(node_has(&f.nodes[0], future.block_id));
    node_report(&f.nodes[0]);
    when_ms_pass(200000);
    CU_ASSERT_TRUE(node_has(&f.nodes[0], future.block_id));
}

static void test_deletion__is_told_again_until_confirmed(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct test_node *node = &f.nodes[0];
    node->is_obedient = false;
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    CU_ASSERT_TRUE(was_traced("h1: delete"));
    forget_traced();
    node->is_obedient = true;
    when_ms_pass(59000);
    CU_ASSERT_FALSE(was_traced("h1: delete"));
    when_ms_pass(3000);
    CU_ASSERT_TRUE(was_traced("h1: delete"));
    CU_ASSERT_EQUAL(node->disk_count, 0);
    forget_traced();
    when_ms_pass(200000);
    CU_ASSERT_FALSE(was_traced("h1: delete"));
}

static void test_deletion__is_told_again_to_a_new_session(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct test_node *node = &f.nodes[0];
    node->is_obedient = false;
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    node->is_obedient = true;
    node->incarnation++;
    node_register(node);
    node_beat(node);
    CU_ASSERT_EQUAL(node->disk_count, 0);
}

static void test_deletion__forgotten_with_its_node_happens_when_it_is_back(void)
{
    given_nodes(4);
    (void)given_file("/file", 2, 3);
    struct test_node *node = &f.nodes[0];
    size_t had = node->disk_count;
    node->is_obedient = false;
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    node_received(node, &(struct dfs_block_info){.block_id = 900, .length = 1});
    node_die(node);
    when_ms_pass(f.settings.rereplicate_ms + 1);
    CU_ASSERT_EQUAL(node->disk_count, had + 1);
    node->is_alive = true;
    node->is_obedient = true;
    node_register(node);
    node_report(node);
    node_beat(node);
    CU_ASSERT_EQUAL(node->disk_count, had + 1);
    when_ms_pass(f.settings.unknown_grace_ms + 1000);
    CU_ASSERT_EQUAL(node->disk_count, 0);
}

static void test_unknown__blocks_that_went_by_themselves_are_forgotten(void)
{
    given_nodes(1);
    struct test_node *node = &f.nodes[0];
    node_received(node, &(struct dfs_block_info){.block_id = 900, .length = 1});
    node->disk_count = 0;
    node_report(node);
    when_ms_pass(f.settings.unknown_grace_ms + 2000);
    CU_ASSERT_FALSE(was_traced("delete 900"));
}

static void test_register__a_node_may_move_to_another_rack(void)
{
    (void)given_node("h1", "/r1");
    (void)given_node("h2", "/r2");
    struct test_node *node = given_node("h3", "/r2");
    (void)given_file("/file", 1, 2);
    snprintf(node->rack, sizeof(node->rack), "/r3");
    node->incarnation++;
    node_register(node);
    struct dfs_cluster_status_response status = cluster();
    CU_ASSERT_TRUE(slice_equal_string(status.datanodes[2].node.rack, "/r3"));
}

static void test_deletion__many_go_in_several_answers(void)
{
    f.settings.deletes_per_heartbeat = 2;
    given_nodes(3);
    (void)given_file("/file", 7, 0);
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    for (size_t i = 0; i < f.node_count; i++) {
        CU_ASSERT_EQUAL(f.nodes[i].disk_count, 0);
    }
}

/* --- safe mode ----------------------------------------------------------------------- */

static void test_safe_mode__lasts_until_blocks_are_found(void)
{
    uint64_t id = 0;
    given_nodes(3);
    given_directory("/dir");
    (void)given_file("/dir/file", 2, 0);
    struct dfs_mkdirs_request remembered = {
        .client_id = 1, .request_id = 1, .path = text_of("/early")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &remembered), OK);
    when_restarted();
    CU_ASSERT_TRUE(cluster().in_safe_mode);
    CU_ASSERT_EQUAL(cluster().missing_count, 2);
    CU_ASSERT_EQUAL(do_mkdirs("/other", 0, false), ERR_SAFE_MODE);
    CU_ASSERT_EQUAL(do_delete("/dir", true), ERR_SAFE_MODE);
    CU_ASSERT_EQUAL(do_create("/new", false, 0, &id), ERR_SAFE_MODE);
    CU_ASSERT_EQUAL(do_status("/dir/file", NULL), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &remembered), OK);
    struct dfs_get_blocks_response blocks;
    CU_ASSERT_EQUAL(do_blocks("/dir/file", "", &blocks), ERR_SAFE_MODE);
    struct test_node *node = &f.nodes[0];
    node_register(node);
    CU_ASSERT_TRUE(cluster().in_safe_mode);
    node_received(node, &node->disk[0]);
    CU_ASSERT_TRUE(cluster().in_safe_mode);
    CU_ASSERT_EQUAL(do_blocks("/dir/file", "", &blocks), ERR_SAFE_MODE);
    node_report(node);
    CU_ASSERT_FALSE(cluster().in_safe_mode);
    CU_ASSERT_EQUAL(do_blocks("/dir/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(do_mkdirs("/other", 0, false), OK);
}

static void test_safe_mode__tolerates_the_set_share(void)
{
    f.settings.safe_mode_ppm = 500000;
    given_nodes(3);
    (void)given_file("/file", 2, 0);
    when_restarted();
    node_register(&f.nodes[0]);
    node_received(&f.nodes[0], &f.nodes[0].disk[0]);
    CU_ASSERT_FALSE(cluster().in_safe_mode);
    CU_ASSERT_EQUAL(cluster().missing_count, 1);
}

static void test_safe_mode__deletes_nothing_and_ends_no_lease(void)
{
    uint64_t id = 0;
    given_nodes(3);
    (void)given_file("/file", 2, 0);
    CU_ASSERT_EQUAL(do_create("/open", false, 0, &id), OK);
    when_restarted();
    struct test_node *node = &f.nodes[0];
    node->disk[1] = (struct dfs_block_info){.block_id = 900, .length = 1}; /* for one lost block */
    node_register(node);
    node_report(node);
    node_beat(node);
    when_ms_pass(300000);
    CU_ASSERT_TRUE(cluster().in_safe_mode);
    CU_ASSERT_TRUE(node_has(node, 900));
    CU_ASSERT_EQUAL(do_status("/open", NULL), OK);
    node_register(&f.nodes[1]);
    node_report(&f.nodes[1]);
    node_beat(&f.nodes[1]);
    CU_ASSERT_FALSE(cluster().in_safe_mode);
    CU_ASSERT_TRUE(node_has(node, 900));
    when_ms_pass(62000);
    CU_ASSERT_FALSE(node_has(node, 900));
    when_ms_pass(f.settings.lease_hard_ms);
    CU_ASSERT_EQUAL(do_status("/open", NULL), ERR_NOT_FOUND);
}

/* --- placement ----------------------------------------------------------------------- */

static struct dfs_add_block_response when_placed(const char *host, uint32_t replication)
{
    char path[32];
    uint64_t id = 0;
    struct dfs_add_block_response block = {0};
    snprintf(path, sizeof(path), "/file%llu", (unsigned long long)f.next_request);
    CU_ASSERT_EQUAL(do_create(path, false, replication, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, host, &block), OK);
    return block;
}

static void test_placement__own_host_then_another_rack_twice(void)
{
    given_nodes(8);
    for (int i = 0; i < 15; i++) { /* more at once would overload it */
        struct dfs_add_block_response block = when_placed("h3", 3);
        CU_ASSERT_EQUAL(block.targets_count, 3);
        CU_ASSERT_TRUE(slice_equal_string(block.targets[0].host, "h3"));
        CU_ASSERT_TRUE(slice_equal_string(block.targets[1].rack, "/r2"));
        CU_ASSERT_TRUE(slice_equal_string(block.targets[2].rack, "/r2"));
        CU_ASSERT_NOT_EQUAL(block.targets[1].node_id, block.targets[2].node_id);
    }
}

static void test_placement__a_writer_elsewhere_gets_nodes_all_over(void)
{
    uint64_t first[9] = {0};
    given_nodes(8);
    for (int i = 0; i < 40; i++) {
        struct dfs_add_block_response block = when_placed("elsewhere", 3);
        first[block.targets[0].node_id]++;
        CU_ASSERT_FALSE(slice_equal(block.targets[0].rack, block.targets[1].rack));
        CU_ASSERT_TRUE(slice_equal(block.targets[1].rack, block.targets[2].rack));
    }
    size_t used = 0;
    for (size_t i = 1; i <= 8; i++) {
        used += first[i] > 0 ? 1 : 0;
    }
    CU_ASSERT_TRUE(used >= 5);
}

static void test_placement__falls_back_with_one_rack_or_few_nodes(void)
{
    (void)given_node("h1", "/r1");
    (void)given_node("h2", "/r1");
    (void)given_node("h3", "/r1");
    struct dfs_add_block_response block = when_placed("h2", 3);
    CU_ASSERT_EQUAL(block.targets_count, 3);
    CU_ASSERT_TRUE(slice_equal_string(block.targets[0].host, "h2"));
    block = when_placed("h2", 5);
    CU_ASSERT_EQUAL(block.targets_count, 3);
}

static void test_placement__without_the_own_host_the_own_rack(void)
{
    given_nodes(6);
    f.nodes[0].free_bytes = 10;
    when_ms_pass(1001);
    for (int i = 0; i < 10; i++) {
        struct dfs_add_block_response block = when_placed("h1", 3);
        CU_ASSERT_TRUE(slice_equal_string(block.targets[0].rack, "/r1"));
        CU_ASSERT_FALSE(slice_equal_string(block.targets[0].host, "h1"));
    }
}

static void test_placement__many_replicas_spread_over_racks(void)
{
    static const char *const hosts[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    static const char *const racks[] = {"/r1", "/r2", "/r3"};
    for (size_t i = 0; i < UNIT_COUNT(hosts); i++) {
        (void)given_node(hosts[i], racks[i % 3]);
    }
    struct dfs_add_block_response block = when_placed("a", 6);
    CU_ASSERT_EQUAL(block.targets_count, 6);
    size_t counts[3] = {0};
    for (size_t i = 0; i < block.targets_count; i++) {
        counts[(block.targets[i].node_id - 1) % 3]++;
    }
    CU_ASSERT_TRUE(counts[0] > 0 && counts[1] > 0 && counts[2] > 0);
}

static void test_placement__silent_nodes_are_avoided_lost_ones_never_taken(void)
{
    given_nodes(5);
    node_die(&f.nodes[0]);
    node_die(&f.nodes[1]);
    when_ms_pass(11000);
    for (int i = 0; i < 10; i++) {
        struct dfs_add_block_response block = when_placed("h1", 3);
        CU_ASSERT_EQUAL(block.targets_count, 3);
        for (size_t t = 0; t < 3; t++) {
            CU_ASSERT_TRUE(block.targets[t].node_id > 2);
        }
    }
    CU_ASSERT_EQUAL(when_placed("h1", 5).targets_count, 5); /* better than nothing */
    when_ms_pass(20000);
    CU_ASSERT_EQUAL(when_placed("h1", 5).targets_count, 3);
}

static void test_placement__counts_bytes_that_are_still_to_come(void)
{
    given_nodes(3);
    f.nodes[0].free_bytes = 2 * BLOCK_SIZE;
    when_ms_pass(1001);
    CU_ASSERT_EQUAL(when_placed("h1", 3).targets_count, 3);
    CU_ASSERT_EQUAL(when_placed("h1", 3).targets_count, 3);
    CU_ASSERT_EQUAL(when_placed("h1", 3).targets_count, 2);
}

static void test_placement__is_the_same_for_the_same_seed(void)
{
    uint64_t first[10];
    given_nodes(8);
    for (int i = 0; i < 10; i++) {
        first[i] = when_placed("elsewhere", 3).targets[0].node_id;
    }
    fixture_teardown();
    fixture_setup();
    given_nodes(8);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(when_placed("elsewhere", 3).targets[0].node_id, first[i]);
    }
}

static const struct unit_test tests[] = {
    {"test_register__refuses_strangers",                               "Only daemons of this cluster register.",
     test_register__refuses_strangers                                                                                                                                                      },
    {"test_register__an_earlier_incarnation_is_stale",
     "An earlier incarnation of a datanode is refused.",                                                                     test_register__an_earlier_incarnation_is_stale                },
    {"test_session__messages_of_an_older_one_are_stale",               "Messages of an older session are stale.",
     test_session__messages_of_an_older_one_are_stale                                                                                                                                      },
    {"test_session__does_not_outlive_the_namenode",                    "A session does not outlive the namenode.",
     test_session__does_not_outlive_the_namenode                                                                                                                                           },
    {"test_heartbeat__is_held_for_the_interval",                       "A heartbeat is held for the interval.",
     test_heartbeat__is_held_for_the_interval                                                                                                                                              },
    {"test_heartbeat__is_answered_at_once_when_there_is_work",
     "A held heartbeat is answered at once when there is work.",                                                             test_heartbeat__is_answered_at_once_when_there_is_work        },
    {"test_heartbeat__a_cancelled_one_loses_no_command",
     "A cancelled heartbeat takes no command with it.",                                                                      test_heartbeat__a_cancelled_one_loses_no_command              },
    {"test_heartbeat__a_second_one_takes_the_firsts_place",
     "A second heartbeat takes the first one's place.",                                                                      test_heartbeat__a_second_one_takes_the_firsts_place           },
    {"test_stop__answers_held_heartbeats",                             "A stop answers held heartbeats.",
     test_stop__answers_held_heartbeats                                                                                                                                                    },
    {"test_liveness__silence_has_three_degrees",                       "A silent datanode becomes stale, lost, given up.",
     test_liveness__silence_has_three_degrees                                                                                                                                              },
    {"test_liveness__a_lost_node_comes_back_with_what_it_has",
     "A lost datanode comes back with what it has.",                                                                         test_liveness__a_lost_node_comes_back_with_what_it_has        },
    {"test_liveness__a_given_up_node_must_register_and_report",
     "A datanode given up must register and report.",                                                                        test_liveness__a_given_up_node_must_register_and_report       },
    {"test_liveness__the_namenodes_own_pause_is_nobodys_silence",
     "The namenode's own pause is nobody's silence.",                                                                        test_liveness__the_namenodes_own_pause_is_nobodys_silence     },
    {"test_reading__live_replicas_come_before_silent_ones",
     "Live replicas are named before silent ones.",                                                                          test_reading__live_replicas_come_before_silent_ones           },
    {"test_report__replaces_what_was_known",                           "A full report replaces what was known of the node.",
     test_report__replaces_what_was_known                                                                                                                                                  },
    {"test_report__comes_in_parts_and_counts_when_the_last_is_in",
     "A report in parts takes away only when the last part is in.",                                                          test_report__comes_in_parts_and_counts_when_the_last_is_in    },
    {"test_report__that_comes_late_undoes_nothing",
     "A report that comes late undoes nothing that was told since.",                                                         test_report__that_comes_late_undoes_nothing                   },
    {"test_report__a_block_sealed_meanwhile_is_kept",                  "A block sealed during a report is kept.",
     test_report__a_block_sealed_meanwhile_is_kept                                                                                                                                         },
    {"test_report__is_asked_for_when_it_does_not_come",
     "A full report that does not come is asked for.",                                                                       test_report__is_asked_for_when_it_does_not_come               },
    {"test_report__is_asked_for_now_and_then",                         "A full report is asked for every interval.",
     test_report__is_asked_for_now_and_then                                                                                                                                                },
    {"test_unknown__blocks_are_deleted_after_a_grace",
     "A block of no file is deleted after a grace.",                                                                         test_unknown__blocks_are_deleted_after_a_grace                },
    {"test_unknown__corrupt_block_of_no_file_is_deleted_too",
     "A corrupt block of no file is deleted, too.",                                                                          test_unknown__corrupt_block_of_no_file_is_deleted_too         },
    {"test_unknown__blocks_beyond_the_journal_are_kept",
     "A block beyond the reserved ids is kept for ever.",                                                                    test_unknown__blocks_beyond_the_journal_are_kept              },
    {"test_deletion__is_told_again_until_confirmed",
     "A deletion is told again until it is confirmed.",                                                                      test_deletion__is_told_again_until_confirmed                  },
    {"test_deletion__is_told_again_to_a_new_session",
     "A restarted datanode is told its deletions again.",                                                                    test_deletion__is_told_again_to_a_new_session                 },
    {"test_deletion__many_go_in_several_answers",                      "Many deletions go in several answers.",
     test_deletion__many_go_in_several_answers                                                                                                                                             },
    {"test_safe_mode__lasts_until_blocks_are_found",
     "Safe mode refuses changes until the blocks are found.",                                                                test_safe_mode__lasts_until_blocks_are_found                  },
    {"test_safe_mode__tolerates_the_set_share",                        "Safe mode ends at the set share of blocks.",
     test_safe_mode__tolerates_the_set_share                                                                                                                                               },
    {"test_safe_mode__deletes_nothing_and_ends_no_lease",
     "Safe mode deletes nothing and ends no lease.",                                                                         test_safe_mode__deletes_nothing_and_ends_no_lease             },
    {"test_placement__own_host_then_another_rack_twice",
     "The first replica is on the writer's host, two are in another rack.",                                                  test_placement__own_host_then_another_rack_twice              },
    {"test_placement__a_writer_elsewhere_gets_nodes_all_over",
     "A writer without datanode gets nodes all over.",                                                                       test_placement__a_writer_elsewhere_gets_nodes_all_over        },
    {"test_placement__falls_back_with_one_rack_or_few_nodes",
     "With one rack or few nodes placement takes what there is.",                                                            test_placement__falls_back_with_one_rack_or_few_nodes         },
    {"test_placement__without_the_own_host_the_own_rack",
     "Without the own host placement takes the own rack.",                                                                   test_placement__without_the_own_host_the_own_rack             },
    {"test_placement__many_replicas_spread_over_racks",                "Many replicas are spread over racks.",
     test_placement__many_replicas_spread_over_racks                                                                                                                                       },
    {"test_placement__silent_nodes_are_avoided_lost_ones_never_taken",
     "Stale nodes are the last choice, lost ones none.",                                                                     test_placement__silent_nodes_are_avoided_lost_ones_never_taken},
    {"test_placement__counts_bytes_that_are_still_to_come",
     "A node's room counts the bytes that are still to come.",                                                               test_placement__counts_bytes_that_are_still_to_come           },
    {"test_placement__is_the_same_for_the_same_seed",                  "The same seed places the same.",
     test_placement__is_the_same_for_the_same_seed                                                                                                                                         },
    {"test_deletion__forgotten_with_its_node_happens_when_it_is_back",
     "A deletion forgotten with its node happens when the node is back.",                                                    test_deletion__forgotten_with_its_node_happens_when_it_is_back},
    {"test_unknown__blocks_that_went_by_themselves_are_forgotten",
     "A block of no file that went by itself is forgotten.",                                                                 test_unknown__blocks_that_went_by_themselves_are_forgotten    },
    {"test_register__a_node_may_move_to_another_rack",                 "A datanode may move to another rack.",
     test_register__a_node_may_move_to_another_rack                                                                                                                                        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode nodes", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
