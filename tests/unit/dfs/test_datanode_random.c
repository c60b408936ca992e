/*
 * test_datanode_random.c - the datanode's machine against a model of the namenode and of the disk
 * that lose, delay and refuse at random. After every step its invariants hold; when the faults
 * stop, the namenode believes what is true.
 */
#include "dfs/datanode/core/datanode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/rng.h"
#include "tests/support/unit.h"

static struct fixture {
    struct datanode *datanode;
    struct actions actions;
    struct arena *arena; /* what the model keeps of the machine's messages */
    int64_t now_ms;
} f;

enum {
    BLOCK_BYTES = 1000,
    VOLUME_BYTES = 1000000,
    CALLS_MAX = 64,
    MODEL_VOLUMES = 4,
    MODEL_BLOCKS = 24,
    MODEL_STEPS = 4000
};

enum belief {
    BELIEF_NONE,
    BELIEF_GOOD,
    BELIEF_CORRUPT
};

struct model_call {
    uint64_t tag;
    enum method method;
    const void *message; /* in the run's arena */
};

struct model_effect {
    uint64_t tag;
    int effect;
    uint64_t block_id;
};

static struct model {
    struct rng rng;
    bool is_calm;     /* no more faults */
    uint64_t session; /* 0: the namenode does not know the node */
    uint64_t sessions;
    enum belief beliefs[MODEL_BLOCKS + 1];
    enum belief listed[MODEL_BLOCKS + 1]; /* by the report in progress */
    uint32_t next_part;
    struct model_call calls[CALLS_MAX];
    size_t calls_count;
    struct model_effect effects[CALLS_MAX * 4];
    size_t effects_count;
    uint64_t receiving[MODEL_BLOCKS + 1]; /* transfer number */
    uint64_t transfers;
    bool is_dead[MODEL_VOLUMES];
    uint32_t place[MODEL_BLOCKS + 1]; /* where the machine wanted it */
} m;

static struct dfs_block_info block(uint64_t block_id)
{
    return (struct dfs_block_info){
        .block_id = block_id, .length = BLOCK_BYTES, .crc32c = (uint32_t)block_id * 7};
}

static void given_cluster(uint64_t seed)
{
    f = (struct fixture){.now_ms = 1000};
    f.arena = arena_open(0);
    actions_open(&f.actions);
    m = (struct model){.rng = rng_seed(seed)};
    struct datanode_settings settings;
    datanode_settings_default(&settings);
    settings.node.node_id = 77;
    settings.namenode_address = slice_from_string("127.0.0.1:9");
    settings.incarnation = 3;
    settings.reserve_bytes = 0;
    static const struct slice volumes[MODEL_VOLUMES];
    settings.volumes = volumes;
    settings.volumes_count = MODEL_VOLUMES;
    settings.scrub_bytes_per_second = 100000;
    settings.scrub_pause_ms = 500;
    settings.report_part_blocks = 3;
    settings.copies_max = 2;
    settings.space_interval_ms = 1000;
    CU_ASSERT_EQUAL_FATAL(datanode_open(&settings, seed, &f.datanode), OK);
}

static void end_cluster(void)
{
    datanode_close(f.datanode);
    actions_close(&f.actions);
    arena_close(f.arena);
}

static void model_take_actions(void)
{
    for (size_t i = 0; i < f.actions.count; i++) {
        const struct action *action = &f.actions.items[i];
        if (action->kind == ACTION_CALL) {
            CU_ASSERT_TRUE_FATAL(m.calls_count < CALLS_MAX);
            const struct message_type *type = method_info(action->method)->request;
            m.calls[m.calls_count++] = (struct model_call){
                action->tag, action->method, message_copy(type, action->message, f.arena)};
        }
        if (action->kind != ACTION_EFFECT)
            continue;
        const struct datanode_answer *answer = action->data;
        if (action->effect == DATANODE_EFFECT_ANSWER_RECEIVE) {
            for (size_t id = 1; id <= MODEL_BLOCKS; id++) {
                if (m.receiving[id] != answer->transfer)
                    continue;
                m.place[id] = answer->volume;
                CU_ASSERT_TRUE(answer->status != OK || !m.is_dead[answer->volume]); /* DN-8 */
                if (answer->status != OK)
                    m.receiving[id] = 0;
            }
            continue;
        }
        if (action->effect == DATANODE_EFFECT_RETIRE_VOLUME) {
            const struct datanode_volume *volume = action->data;
            CU_ASSERT_FALSE(m.is_dead[volume->volume]); /* once */
            m.is_dead[volume->volume] = true;
            continue;
        }
        CU_ASSERT_TRUE_FATAL(m.effects_count < CALLS_MAX * 4);
        struct model_effect effect = {action->tag, action->effect, 0};
        m.effects[m.effects_count++] = effect;
    }
}

static void model_step(struct event event)
{
    event.now_ms = f.now_ms;
    actions_reset(&f.actions);
    datanode_step(f.datanode, &event, &f.actions);
    datanode_check(f.datanode);
    model_take_actions();
}

/* The namenode's side of a call; false: it does not know the session. */
static bool model_obey(const struct model_call *call, const void **ret_response)
{
    static struct dfs_register_datanode_response registered;
    static const struct dfs_block_report_response reported;
    static const struct dfs_block_changes_response changed;
    if (call->method == METHOD_DATANODE_TRACKER_REGISTER_DATANODE) {
        m.session = ++m.sessions;
        registered = (struct dfs_register_datanode_response){5, 1000, m.session};
        *ret_response = &registered;
        return true;
    }
    if (call->method == METHOD_DATANODE_TRACKER_BLOCK_REPORT) {
        const struct dfs_block_report_request *report = call->message;
        if (report->session != m.session)
            return false;
        if (report->part == 0)
            memset(m.listed, 0, sizeof(m.listed));
        for (size_t i = 0; i < report->blocks_count; i++)
            m.listed[report->blocks[i].block_id] = BELIEF_GOOD;
        if (report->is_last)
            memcpy(m.beliefs, m.listed, sizeof(m.listed));
        *ret_response = &reported;
        return true;
    }
    const struct dfs_block_changes_request *changes = call->message;
    if (changes->session != m.session)
        return false;
    for (size_t i = 0; i < changes->received_count; i++)
        m.beliefs[changes->received[i].block_id] = BELIEF_GOOD;
    for (size_t i = 0; i < changes->deleted_block_ids_count; i++)
        m.beliefs[changes->deleted_block_ids[i]] = BELIEF_NONE;
    for (size_t i = 0; i < changes->corrupt_block_ids_count; i++)
        m.beliefs[changes->corrupt_block_ids[i]] = BELIEF_CORRUPT;
    *ret_response = &changed;
    return true;
}

static void model_heartbeat(struct event *event, const struct model_call *call)
{
    static struct dfs_datanode_heartbeat_response response;
    static struct dfs_datanode_command command;
    static const struct endpoint target = {.node_id = 4};
    static const struct endpoint nodes[2] = {{.node_id = 77}, {.node_id = 4}};
    static struct dfs_block_info sources[2];
    for (size_t i = 0; i < 2; i++)
        sources[i] = (struct dfs_block_info){.block_id = 1 + rng_below(&m.rng, MODEL_BLOCKS),
                                             .length = BLOCK_BYTES / 2};
    const struct dfs_datanode_heartbeat_request *request = call->message;
    if (request->session != m.session) {
        event->status = ERR_STALE;
        return;
    }
    response = (struct dfs_datanode_heartbeat_response){0};
    if (!m.is_calm && rng_chance(&m.rng, 500000)) {
        command = (struct dfs_datanode_command){.kind = (enum dfs_datanode_command_kind)rng_below(
                                                    &m.rng, DFS_DATANODE_COMMAND_KIND_COUNT),
                                                .block = block(1 + rng_below(&m.rng, MODEL_BLOCKS)),
                                                .targets = &target,
                                                .targets_count = 1,
                                                .sources = sources, /* of a merge */
                                                .sources_count = 2,
                                                .source_nodes = nodes,
                                                .source_nodes_count = 2};
        response.commands = &command;
        response.commands_count = 1;
    }
    event->message = &response;
}

static void model_answer_call(size_t index)
{
    struct model_call call = m.calls[index];
    m.calls[index] = m.calls[--m.calls_count];
    struct event event = {.kind = EVENT_RESPONSE, .tag = call.tag, .method = call.method};
    bool is_lost_before = !m.is_calm && rng_chance(&m.rng, 100000);
    bool is_lost_after = !m.is_calm && rng_chance(&m.rng, 100000);
    if (is_lost_before) {
        event.status = ERR_UNAVAILABLE;
    } else if (call.method == METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT) {
        model_heartbeat(&event, &call);
    } else if (!model_obey(&call, &event.message)) {
        event.status = ERR_STALE;
    }
    if (is_lost_after)
        event.status = ERR_DEADLINE;
    if (event.status != OK)
        event.message = NULL;
    model_step(event);
}

static void model_answer_effect(size_t index)
{
    struct model_effect effect = m.effects[index];
    m.effects[index] = m.effects[--m.effects_count];
    struct datanode_space space = {VOLUME_BYTES, 20 * BLOCK_BYTES};
    struct datanode_copied copied = {.synced_count = 1};
    struct event event = {.kind = EVENT_EFFECT_DONE, .tag = effect.tag, .effect = effect.effect};
    if (effect.effect == DATANODE_EFFECT_MEASURE_SPACE)
        event.data = &space;
    if (effect.effect == DATANODE_EFFECT_COPY_BLOCK ||
        effect.effect == DATANODE_EFFECT_MERGE_BLOCKS)
        event.data = &copied;
    if (!m.is_calm && rng_chance(&m.rng, 200000)) {
        static const enum status failures[] = {ERR_CORRUPT, ERR_NO_MEMORY, ERR_IO, ERR_NOT_FOUND};

        /* What retires a volume is rare, or nothing else would be seen. */
        event.status = failures[rng_below(&m.rng, rng_chance(&m.rng, 20000) ? 4 : 2)];
        event.data = NULL;
    }
    model_step(event);
}

static void model_send_block(void)
{
    uint64_t id = 1 + rng_below(&m.rng, MODEL_BLOCKS);
    if (m.receiving[id] == 0) {
        if (datanode_replica_state(f.datanode, id) != REPLICA_GONE)
            return;
        m.receiving[id] = ++m.transfers;
        struct datanode_receive receive = {.transfer = m.receiving[id], .block = block(id)};
        model_step((struct event){
            .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_RECEIVE_ASKED, .data = &receive});
        return;
    }
    struct datanode_received received = {.transfer = m.receiving[id], .block_id = id};
    if (rng_chance(&m.rng, 300000))
        received.status = ERR_CORRUPT;
    if (!m.is_calm && rng_chance(&m.rng, 1000)) {
        received.status = ERR_IO;
        received.is_volume_failed = true;
    }
    m.receiving[id] = 0;
    model_step((struct event){
        .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_RECEIVE_DONE, .data = &received});
}

static void model_random_step(void)
{
    switch (rng_below(&m.rng, 8)) {
    case 0:
        f.now_ms += (int64_t)rng_below(&m.rng, 200);
        model_step((struct event){.kind = EVENT_TICK});
        break;
    case 1:
    case 2:
        if (m.calls_count > 0)
            model_answer_call((size_t)rng_below(&m.rng, m.calls_count));
        break;
    case 3:
    case 4:
        if (m.effects_count > 0)
            model_answer_effect((size_t)rng_below(&m.rng, m.effects_count));
        break;
    case 5:
    case 6:
        model_send_block();
        break;
    default:
        if (rng_chance(&m.rng, 20000)) {
            m.session = 0; /* the namenode was restarted and has forgotten all */
            memset(m.beliefs, 0, sizeof(m.beliefs));
        } else if (rng_chance(&m.rng, 200000)) {
            uint64_t id = 1 + rng_below(&m.rng, MODEL_BLOCKS);
            struct datanode_block seen = {.block = block(id),
                                          .volume = m.place[id],
                                          .is_unreadable = rng_chance(&m.rng, 20000)};
            model_step((struct event){
                .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCK_CORRUPT, .data = &seen});
        }
        break;
    }
}

static void model_come_to_rest(void)
{
    m.is_calm = true;
    for (int round = 0; round < 200; round++) {
        while (m.effects_count > 0)
            model_answer_effect(0);
        for (size_t n = m.calls_count; n > 0; n--)
            model_answer_call(0);
        f.now_ms += 1000;
        model_step((struct event){.kind = EVENT_TICK});
    }
}

static void expect_same_beliefs(uint64_t seed)
{
    bool is_same = true;
    for (uint64_t id = 1; id <= MODEL_BLOCKS; id++) {
        enum datanode_replica_state state = datanode_replica_state(f.datanode, id);
        enum belief expected = BELIEF_NONE;
        if (state == REPLICA_SEALED || state == REPLICA_COPYING)
            expected = BELIEF_GOOD;
        if (state == REPLICA_CORRUPT)
            expected = BELIEF_CORRUPT;
        is_same = is_same && m.beliefs[id] == expected;
    }
    if (!is_same)
        printf("seed %" PRIu64 ": the namenode believes something else\n", seed);
    CU_ASSERT_TRUE(is_same);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).registration, REGISTRATION_ACTIVE);
    CU_ASSERT_EQUAL(datanode_totals(f.datanode).changes_waiting, 0);
}

static void test_datanode__namenode_learns_the_truth_whatever_is_lost(void)
{
    uint64_t first = unit_seed();
    for (uint64_t seed = first; seed < first + 100; seed++) {
        given_cluster(seed);
        model_step((struct event){.kind = EVENT_START});
        for (int i = 0; i < MODEL_STEPS; i++)
            model_random_step();
        model_come_to_rest();
        expect_same_beliefs(seed);
        end_cluster();
    }
}

static const struct unit_test tests[] = {
    {"test_datanode__namenode_learns_the_truth_whatever_is_lost",
     "The namenode learns the truth whatever is lost.", test_datanode__namenode_learns_the_truth_whatever_is_lost},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_random", tests, UNIT_COUNT(tests), NULL,
                     NULL);
}
