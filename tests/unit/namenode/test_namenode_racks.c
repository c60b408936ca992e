/*
 * test_namenode_racks.c - which rack a datanode is in, and where replicas go because of it.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

/* --- the table and the script -------------------------------------------------------- */

static void given_table(const char *text)
{
    f.settings.rack_table = text_of("/etc/racks");
    CU_ASSERT_EQUAL_FATAL(namenode_open(&f.settings, f.seed, &f.nn), OK);
    fixture_sign(f.nn);
    CU_ASSERT_EQUAL(namenode_load_racks(f.nn, text_of(text), NULL), OK);
    step((struct event){.kind = EVENT_START});
    f.replay_every = 0; /* the table is no record: a replayed machine has none */
}

static const char *rack_of(uint64_t node_id)
{
    struct dfs_cluster_status_response status = cluster();
    for (size_t i = 0; i < status.datanodes_count; i++) {
        if (status.datanodes[i].node.node_id == node_id) {
            CU_ASSERT_TRUE(slice_equal(status.datanodes[i].node.rack, status.datanodes[i].rack));
            return (const char *)arena_copy(f.answers, status.datanodes[i].rack).data;
        }
    }
    return "?";
}

static enum status when_refreshed(const char *text)
{
    struct dfs_refresh_nodes_request request = {0};
    enum status status = call(METHOD_NAMENODE_REFRESH_NODES, &request);
    if (f.is_answered) {
        return status;
    }
    CU_ASSERT_EQUAL_FATAL(f.asked_count, 1);
    CU_ASSERT_EQUAL(f.asked[0].effect, NAMENODE_EFFECT_READ_RACKS);
    f.asked_count = 0;
    struct namenode_rack_text data = {.text = text_of(text)};
    step((struct event){.kind = EVENT_EFFECT_DONE,
                        .effect = NAMENODE_EFFECT_READ_RACKS,
                        .status = OK,
                        .data = &data});
    return f.status;
}

static void when_script_says(enum status status, const char *rack)
{
    CU_ASSERT_FATAL(f.asked_count > 0);
    struct asked asked = f.asked[--f.asked_count];
    struct namenode_rack_answer data = {.host = text_of(asked.host), .rack = text_of(rack)};
    CU_ASSERT_EQUAL(asked.effect, NAMENODE_EFFECT_ASK_RACK);
    step((struct event){.kind = EVENT_EFFECT_DONE,
                        .effect = NAMENODE_EFFECT_ASK_RACK,
                        .status = status,
                        .data = &data});
}

static void test_racks__table_wins_over_what_a_node_says(void)
{
    given_table("# hosts\n"
                "h1 /a\n"
                "\n"
                "  h2\t/b/c  # far away\r\n"
                "10.0.0.3:9866 /d\n"
                "h3 /e");
    (void)given_node("h1", "/said");
    (void)given_node("h2", "/said");
    struct test_node *third = given_node("h3", "/said");
    (void)given_node("h4", "/said");
    (void)given_node("h5", "");
    CU_ASSERT_STRING_EQUAL(rack_of(1), "/a");
    CU_ASSERT_STRING_EQUAL(rack_of(2), "/b/c");
    CU_ASSERT_STRING_EQUAL(rack_of(3), "/e");
    CU_ASSERT_STRING_EQUAL(rack_of(4), "/said");
    CU_ASSERT_STRING_EQUAL(rack_of(5), "/default-rack");
    snprintf(third->address, sizeof(third->address), "10.0.0.3:9866");
    third->incarnation++;
    node_register(third);
    CU_ASSERT_STRING_EQUAL(rack_of(3), "/d");
}

static void expect_bad(const char *text, const char *why)
{
    struct error error = {0};
    CU_ASSERT_EQUAL(namenode_load_racks(f.nn, text_of(text), &error), ERR_INVALID);
    if (strstr(error.text, why) == NULL) {
        printf("\"%s\" instead of \"%s\"\n", error.text, why);
        CU_FAIL("another sentence");
    }
}

static void test_racks__bad_table_is_refused_with_its_line(void)
{
    given_started();
    expect_bad("h1 /a\nh2\n", "line 2: h2 has no rack");
    expect_bad("h1 /a\n\n# x\nh2 b\n", "line 4: the rack of h2 must be a name that begins with /");
    expect_bad("h1 /\n", "line 1: the rack of h1");
    expect_bad("h1 /a h2\n", "line 1: more than a host and a rack");
    expect_bad("h1 /a\nh1 /b\n", "line 2: h1 is in /a already (line 1)");
    expect_bad("h1 # /a\n", "line 1: h1 has no rack");
    expect_bad("\xff /a\n", "line 1: this is no host name");
    expect_bad("h1 /\xff\n", "line 1: the rack of h1");
    CU_ASSERT_EQUAL(namenode_load_racks(f.nn, text_of("h1 /a\nh1 /a\n"), NULL), OK);
    CU_ASSERT_EQUAL(namenode_load_racks(f.nn, text_of(""), NULL), OK);
}

static size_t count_racks(const char *path)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    size_t racks = 0;
    for (size_t i = 0; i < blocks.blocks[0].replicas_count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < i; j++) {
            is_new = is_new && !slice_equal(blocks.blocks[0].replicas[i].node.rack,
                                            blocks.blocks[0].replicas[j].node.rack);
        }
        racks += is_new ? 1 : 0;
    }
    return racks;
}

static void test_racks__refresh_moves_nodes_and_repairs_their_blocks(void)
{
    given_table("h1 /a\nh2 /a\nh3 /a\nh4 /a\n");
    for (size_t i = 1; i <= 4; i++) {
        char host[8];
        snprintf(host, sizeof(host), "h%zu", i);
        (void)given_node(host, "");
    }
    (void)given_file("/file", 1, 3);
    given_repairing();
    CU_ASSERT_EQUAL(count_racks("/file"), 1);
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    char table[128] = "";
    for (uint64_t id = 1; id <= 4; id++) {
        bool has_it = node_has(node_by_id(id), blocks.blocks[0].block_id);
        snprintf(table + strlen(table), sizeof(table) - strlen(table), "h%u %s\n", (unsigned)id,
                 has_it ? "/a" : "/b");
    }
    CU_ASSERT_EQUAL(when_refreshed(table), OK);
    const struct dfs_refresh_nodes_response *response = f.response;
    CU_ASSERT_EQUAL(response->datanodes_moved, 1);
    CU_ASSERT_EQUAL(response->table_entries, 4);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(count_racks("/file"), 2);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static void test_racks__bad_refresh_keeps_the_older_table(void)
{
    given_table("h1 /a\n");
    (void)given_node("h1", "/said");
    CU_ASSERT_EQUAL(when_refreshed("h1\n"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "rack table /etc/racks: line 1: h1 has no rack"));
    CU_ASSERT_STRING_EQUAL(rack_of(1), "/a");
    CU_ASSERT_EQUAL(when_refreshed("# nobody\n"), OK);
    CU_ASSERT_STRING_EQUAL(rack_of(1), "/said");
    /* One at a time, and only for the superuser. */
    struct dfs_refresh_nodes_request request = {0};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_REFRESH_NODES, &request), ERR_INTERNAL); /* held */
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_REFRESH_NODES, &request), ERR_BUSY);
    f.is_answered = false;
    step((struct event){.kind = EVENT_EFFECT_DONE,
                        .effect = NAMENODE_EFFECT_READ_RACKS,
                        .status = ERR_NOT_FOUND,
                        .text = text_of("open /etc/racks: no such file")});
    CU_ASSERT_EQUAL(f.status, ERR_NOT_FOUND);
    f.user = "alice";
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_REFRESH_NODES, &request), ERR_DENIED);
}

static void test_racks__stopping_answers_a_refresh(void)
{
    struct dfs_refresh_nodes_request request = {0};
    given_table("h1 /a\n");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_REFRESH_NODES, &request), ERR_INTERNAL); /* held */
    step((struct event){.kind = EVENT_STOP});
    CU_ASSERT_EQUAL(f.status, ERR_UNAVAILABLE);
}

static void test_racks__script_is_asked_once_a_host(void)
{
    f.settings.rack_script = text_of("/bin/rack");
    given_started();
    f.replay_every = 0;
    (void)given_node("h1", "/said");
    CU_ASSERT_EQUAL(f.asked_count, 1);
    CU_ASSERT_STRING_EQUAL(f.asked[0].host, "h1");
    CU_ASSERT_STRING_EQUAL(rack_of(1), "/said"); /* nobody waits for it */
    when_script_says(OK, "/script");
    CU_ASSERT_STRING_EQUAL(rack_of(1), "/script");
    (void)given_node("h1", "/said");
    CU_ASSERT_EQUAL(f.asked_count, 0);
    CU_ASSERT_STRING_EQUAL(rack_of(2), "/script");
    /* What fails, or is no rack, is asked again with the next registration. */
    struct test_node *other = given_node("h2", "/said");
    when_script_says(ERR_IO, "");
    CU_ASSERT_STRING_EQUAL(rack_of(3), "/said");
    node_register(other);
    when_script_says(OK, "no rack");
    CU_ASSERT_STRING_EQUAL(rack_of(3), "/said");
    /* And all again by a refresh; until they are answered nothing moves. */
    CU_ASSERT_EQUAL(when_refreshed(""), OK);
    CU_ASSERT_EQUAL(((const struct dfs_refresh_nodes_response *)f.response)->hosts_asked, 2);
    CU_ASSERT_STRING_EQUAL(rack_of(1), "/script");
    when_script_says(OK, "/x");
    when_script_says(OK, "/y");
    CU_ASSERT_STRING_EQUAL(rack_of(1), "/y");
    CU_ASSERT_STRING_EQUAL(rack_of(2), "/y");
    CU_ASSERT_STRING_EQUAL(rack_of(3), "/x");
}

/* --- the rule ------------------------------------------------------------------------ */

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

static size_t count_in_rack(const struct dfs_add_block_response *block, struct slice rack)
{
    size_t count = 0;
    for (size_t i = 0; i < block->targets_count; i++) {
        count += slice_equal(block->targets[i].rack, rack) ? 1 : 0;
    }
    return count;
}

/* 12 nodes in so many racks; each rule of facts D5 for 1 to 10 replicas. */
static void expect_rule(size_t racks)
{
    for (size_t i = 1; i <= 12; i++) {
        char host[8];
        char rack[8];
        snprintf(host, sizeof(host), "h%zu", i);
        snprintf(rack, sizeof(rack), "/r%zu", i % racks);
        (void)given_node(host, rack);
    }
    for (uint32_t replication = 1; replication <= 10; replication++) {
        struct dfs_add_block_response block = when_placed("h3", replication);
        CU_ASSERT_EQUAL_FATAL(block.targets_count, replication);
        CU_ASSERT_TRUE(slice_equal_string(block.targets[0].host, "h3"));
        if (replication >= 2 && racks >= 2) {
            CU_ASSERT_FALSE(slice_equal(block.targets[0].rack, block.targets[1].rack));
        }
        if (replication >= 3 && racks >= 2) {
            CU_ASSERT_TRUE(slice_equal(block.targets[1].rack, block.targets[2].rack));
        }
        for (size_t i = 0; i < block.targets_count; i++) {
            size_t in_rack = count_in_rack(&block, block.targets[i].rack);
            CU_ASSERT_TRUE(in_rack <= (replication - 1) / racks + 2);
            for (size_t j = 0; j < i; j++) {
                CU_ASSERT_NOT_EQUAL(block.targets[i].node_id, block.targets[j].node_id);
            }
        }
    }
}

static void test_rule__holds_for_one_to_ten_replicas_in_one_rack(void)
{
    expect_rule(1);
}

static void test_rule__holds_for_one_to_ten_replicas_in_two_racks(void)
{
    expect_rule(2);
}

static void test_rule__holds_for_one_to_ten_replicas_in_three_racks(void)
{
    expect_rule(3);
}

static void test_rule__holds_for_one_to_ten_replicas_in_six_racks(void)
{
    expect_rule(6);
}

static void test_rule__overloaded_nodes_are_avoided(void)
{
    given_nodes(6);
    node_by_id(1)->transfers_active = 40;
    node_by_id(2)->transfers_active = 40;
    when_ms_pass(2 * f.settings.heartbeat_interval_ms);
    for (int i = 0; i < 10; i++) {
        struct dfs_add_block_response block = when_placed("h1", 3);
        CU_ASSERT_EQUAL(block.targets_count, 3);
        CU_ASSERT_TRUE(slice_equal_string(block.targets[0].rack, "/r1"));
        for (size_t t = 0; t < block.targets_count; t++) {
            CU_ASSERT_TRUE(block.targets[t].node_id > 2);
        }
    }
    /* Rather an overloaded node than none. */
    CU_ASSERT_EQUAL(when_placed("h1", 6).targets_count, 6);
}

/* --- limping nodes ------------------------------------------------------------------- */

static bool is_slow(uint64_t node_id)
{
    struct dfs_cluster_status_response status = cluster();
    for (size_t i = 0; i < status.datanodes_count; i++) {
        if (status.datanodes[i].node.node_id == node_id) {
            return status.datanodes[i].is_slow;
        }
    }
    return false;
}

static struct dfs_latency_report latency(uint64_t count, uint64_t p50_us, uint64_t p99_us)
{
    return (struct dfs_latency_report){.reads = count,
                                       .read_p50_us = p50_us / 2,
                                       .read_p99_us = p99_us / 2,
                                       .writes = count,
                                       .write_p50_us = p50_us,
                                       .write_p99_us = p99_us};
}

static void given_latencies(void)
{
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].latencies = latency(100, 10000, 40000);
    }
}

static void when_measured(void)
{
    when_ms_pass(8000);
}

static void test_slow__outlier_gets_no_blocks_and_is_read_last(void)
{
    given_nodes(6);
    given_latencies();
    (void)given_file("/file", 20, 3);
    node_by_id(1)->latencies = latency(100, 60000, 600000);
    when_measured();
    for (uint64_t id = 1; id <= 6; id++) {
        CU_ASSERT_EQUAL(is_slow(id), id == 1);
    }
    for (int i = 0; i < 10; i++) {
        struct dfs_add_block_response block = when_placed("h1", 3);
        for (size_t t = 0; t < block.targets_count; t++) {
            CU_ASSERT_NOT_EQUAL(block.targets[t].node_id, 1);
        }
    }
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL(do_blocks("/file", "h1", &blocks), OK);
    size_t seen = 0;
    for (size_t i = 0; i < blocks.blocks_count; i++) {
        const struct dfs_located_block *block = &blocks.blocks[i];
        for (size_t r = 0; r < block->replicas_count; r++) {
            bool is_it = block->replicas[r].node.node_id == 1;
            seen += is_it ? 1 : 0;
            CU_ASSERT_TRUE(!is_it || r + 1 == block->replicas_count);
        }
    }
    CU_ASSERT_TRUE(seen > 0);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0); /* slow is not dead */
}

static void test_slow__ends_some_time_after_the_last_bad_measure(void)
{
    given_nodes(5);
    given_latencies();
    node_by_id(2)->latencies = latency(100, 60000, 600000);
    when_measured();
    CU_ASSERT_TRUE(is_slow(2));
    node_by_id(2)->latencies = latency(0, 0, 0); /* it got nothing to do */
    when_ms_pass(f.settings.slow_keep_ms / 2);
    CU_ASSERT_TRUE(is_slow(2));
    when_ms_pass(f.settings.slow_keep_ms);
    CU_ASSERT_FALSE(is_slow(2));
    CU_ASSERT_TRUE(was_traced("node=2 slow=1"));
    CU_ASSERT_TRUE(was_traced("node=2 slow=0"));
}

static void test_slow__needs_samples_others_and_a_floor(void)
{
    given_nodes(5);
    given_latencies();
    node_by_id(1)->latencies = latency(5, 600000, 6000000); /* five samples say nothing */
    when_measured();
    CU_ASSERT_FALSE(is_slow(1));
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].latencies = latency(100, 10, 40);
    }
    node_by_id(1)->latencies = latency(100, 1000, 4000); /* a hundred times, but fast */
    when_measured();
    CU_ASSERT_FALSE(is_slow(1));
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].latencies = latency(0, 0, 0);
    }
    node_by_id(1)->latencies = latency(100, 600000, 6000000);
    node_by_id(2)->latencies = latency(100, 1000, 4000);
    when_measured();
    CU_ASSERT_FALSE(is_slow(1)); /* of two nodes either may be the odd one */
}

static void test_slow__slow_node_is_taken_when_its_rack_is_the_only_other(void)
{
    (void)given_node("h1", "/r1");
    (void)given_node("h2", "/r1");
    (void)given_node("h3", "/r1");
    (void)given_node("h4", "/r2");
    given_latencies();
    node_by_id(4)->latencies = latency(100, 60000, 600000);
    when_measured();
    CU_ASSERT_TRUE(is_slow(4));
    struct dfs_add_block_response block = when_placed("h1", 3);
    CU_ASSERT_EQUAL_FATAL(block.targets_count, 3);
    CU_ASSERT_EQUAL(block.targets[1].node_id, 4);
}

static void test_slow__peers_that_agree_are_believed(void)
{
    given_nodes(5);
    struct dfs_peer_latency peers[5] = {0};
    for (size_t i = 0; i < 5; i++) {
        struct test_node *node = &f.nodes[i];
        snprintf(node->address, sizeof(node->address), "10.0.0.%zu:1", i + 1);
        node->incarnation++;
        peers[i] = (struct dfs_peer_latency){.http_address = text_of(node->address),
                                             .latency = latency(100, 10000, 40000)};
        node_register(node);
        node->peers = peers;
        node->peers_count = 5;
        node_beat(node);
    }
    when_measured();
    CU_ASSERT_FALSE(is_slow(3));
    peers[2].latency = latency(100, 60000, 600000);
    when_measured();
    CU_ASSERT_TRUE(is_slow(3));
    CU_ASSERT_FALSE(is_slow(2));
    /* One that finds all others slow is no witness. */
    struct dfs_peer_latency sour[5];
    for (size_t i = 0; i < 5; i++) {
        peers[i].latency = latency(100, 10000, 40000);
        sour[i] = peers[i];
        sour[i].latency = latency(100, 60000, 600000);
    }
    f.nodes[0].peers = sour;
    when_ms_pass(2 * f.settings.slow_keep_ms);
    for (uint64_t id = 1; id <= 5; id++) {
        CU_ASSERT_FALSE(is_slow(id));
    }
}

static const struct unit_test tests[] = {
    {"test_racks__table_wins_over_what_a_node_says",
     "The table says where a datanode is, by address, then by host.",                                                 test_racks__table_wins_over_what_a_node_says                 },
    {"test_racks__bad_table_is_refused_with_its_line",                "A bad table is refused with the line.",
     test_racks__bad_table_is_refused_with_its_line                                                                                                                                },
    {"test_racks__refresh_moves_nodes_and_repairs_their_blocks",
     "A table read anew moves datanodes, and blocks are placed again.",                                               test_racks__refresh_moves_nodes_and_repairs_their_blocks     },
    {"test_racks__bad_refresh_keeps_the_older_table",                 "A bad table changes nothing.",
     test_racks__bad_refresh_keeps_the_older_table                                                                                                                                 },
    {"test_racks__stopping_answers_a_refresh",                        "A stop answers who waits for the table.",
     test_racks__stopping_answers_a_refresh                                                                                                                                        },
    {"test_racks__script_is_asked_once_a_host",
     "The script is asked once a host, and nobody waits for it.",                                                     test_racks__script_is_asked_once_a_host                      },
    {"test_rule__holds_for_one_to_ten_replicas_in_one_rack",
     "1 to 10 replicas in one rack are on different nodes.",                                                          test_rule__holds_for_one_to_ten_replicas_in_one_rack         },
    {"test_rule__holds_for_one_to_ten_replicas_in_two_racks",
     "1 to 10 replicas in two racks keep the rule.",                                                                  test_rule__holds_for_one_to_ten_replicas_in_two_racks        },
    {"test_rule__holds_for_one_to_ten_replicas_in_three_racks",
     "1 to 10 replicas in three racks keep the rule.",                                                                test_rule__holds_for_one_to_ten_replicas_in_three_racks      },
    {"test_rule__holds_for_one_to_ten_replicas_in_six_racks",
     "1 to 10 replicas in six racks keep the rule.",                                                                  test_rule__holds_for_one_to_ten_replicas_in_six_racks        },
    {"test_rule__overloaded_nodes_are_avoided",
     "Nodes with more than twice the mean load are avoided.",                                                         test_rule__overloaded_nodes_are_avoided                      },
    {"test_slow__outlier_gets_no_blocks_and_is_read_last",
     "A node much slower than the others gets no blocks and is read last.",                                           test_slow__outlier_gets_no_blocks_and_is_read_last           },
    {"test_slow__ends_some_time_after_the_last_bad_measure",
     "A slow node is tried again after a while.",                                                                     test_slow__ends_some_time_after_the_last_bad_measure         },
    {"test_slow__needs_samples_others_and_a_floor",
     "Slowness needs samples, other nodes and a floor.",                                                              test_slow__needs_samples_others_and_a_floor                  },
    {"test_slow__slow_node_is_taken_when_its_rack_is_the_only_other",
     "Rather a slow node than one rack for all replicas.",                                                            test_slow__slow_node_is_taken_when_its_rack_is_the_only_other},
    {"test_slow__peers_that_agree_are_believed",                      "A node that all its peers find slow is slow.",
     test_slow__peers_that_agree_are_believed                                                                                                                                      },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode racks", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
