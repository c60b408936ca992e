/*
 * datanode_fixture.c - see datanode_fixture.h.
 */
#include "tests/unit/dfs/datanode_fixture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct datanode_fixture f;

static const char *const effect_names[DATANODE_EFFECT_COUNT] = {
    [DATANODE_EFFECT_DELETE_BLOCK] = "delete",
    [DATANODE_EFFECT_QUARANTINE_BLOCK] = "quarantine",
    [DATANODE_EFFECT_SCRUB_BLOCK] = "scrub",
    [DATANODE_EFFECT_MEASURE_SPACE] = "measure",
    [DATANODE_EFFECT_FIND_NAMENODE] = "find_namenode",
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (buf_append_format(&f.text, "%s\n", line) != OK)
        abort();
}

static void take_trace(void *user, const char *text)
{
    (void)user;
    say("%s", text);
}

static void note_call(const struct action *action)
{
    f.tag_of[action->method] = action->tag;
    snprintf(f.address, sizeof(f.address), "%.*s", SLICE_ARGS(action->address));
    say("call %s", method_info(action->method)->name);
    if (action->method == METHOD_DATANODE_TRACKER_BLOCK_REPORT)
        message_copy_into(&dfs_block_report_request_type, action->message, &f.report, f.arena);
    if (action->method == METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT)
        message_copy_into(&dfs_datanode_heartbeat_request_type, action->message, &f.heartbeat,
                          f.arena);
    if (action->method == METHOD_DATANODE_TRACKER_BLOCK_CHANGES)
        message_copy_into(&dfs_block_changes_request_type, action->message, &f.changes, f.arena);
}

static void note_effect(const struct action *action)
{
    f.effect_tag[action->effect] = action->tag;
    if (action->effect == DATANODE_EFFECT_ANSWER_RECEIVE) {
        const struct datanode_answer *answer = action->data;
        f.answer_volume = answer->volume;
        say("answer %" PRIu64 " %s", answer->transfer, status_name(answer->status));
        return;
    }
    if (action->effect == DATANODE_EFFECT_COPY_BLOCK) {
        const struct datanode_copy *copy = action->data;
        say("copy %" PRIu64 " targets=%zu", copy->block.block_id, copy->targets_count);
        return;
    }
    if (action->effect == DATANODE_EFFECT_MERGE_BLOCKS) {
        const struct datanode_merge *merge = action->data;
        const struct dfs_datanode_command *command = merge->command;
        say("merge %" PRIu64 " sources=%zu targets=%zu first=%" PRIu64, command->block.block_id,
            command->sources_count, command->targets_count, command->targets[0].node_id);
        return;
    }
    if (action->effect == DATANODE_EFFECT_SAVE_IDENTITY) {
        const struct datanode_identity *identity = action->data;
        say("save_identity %" PRIu64, identity->cluster_id);
        return;
    }
    if (action->effect == DATANODE_EFFECT_SAVE_POSITION) {
        const struct datanode_position *position = action->data;
        f.position_tag[position->volume] = action->tag;
        say("position %" PRIu32 " %" PRIu64, position->volume, position->block_id);
        return;
    }
    if (action->effect == DATANODE_EFFECT_RETIRE_VOLUME) {
        const struct datanode_volume *volume = action->data;
        say("retire %" PRIu32 ": %.*s", volume->volume, SLICE_ARGS(volume->text));
        return;
    }
    if (action->effect == DATANODE_EFFECT_MEASURE_SPACE) {
        const struct datanode_volume *volume = action->data;
        f.measure_tag[volume->volume] = action->tag;
    }
    if (action->effect == DATANODE_EFFECT_MEASURE_SPACE ||
        action->effect == DATANODE_EFFECT_FIND_NAMENODE) {
        say("%s", effect_names[action->effect]);
        return;
    }
    if (action->effect == DATANODE_EFFECT_TELL_REFUSAL) {
        const struct datanode_refusal *refusal = action->data;
        say("refusal %.*s", SLICE_ARGS(refusal->text));
        return;
    }
    const struct datanode_block *block = action->data;
    say("%s %" PRIu64, effect_names[action->effect], block->block.block_id);
}

void step(struct event event)
{
    event.now_ms = f.now_ms;
    actions_reset(&f.actions);
    datanode_step(f.datanode, &event, &f.actions);
    datanode_check(f.datanode);
    for (size_t i = 0; i < f.actions.count; i++) {
        const struct action *action = &f.actions.items[i];
        if (action->kind == ACTION_CALL)
            note_call(action);
        else if (action->kind == ACTION_EFFECT)
            note_effect(action);
        else if (action->kind == ACTION_CANCEL)
            say("cancel");
        else if (action->kind == ACTION_EXIT)
            say("exit %d", action->exit_code);
        else
            say("unexpected action %d", (int)action->kind);
    }
}

void expect_text(const char *expected, int line)
{
    if (strcmp(buf_string(&f.text), expected) != 0) {
        printf("line %d: expected:\n%sgot:\n%s", line, expected, buf_string(&f.text));
        CU_FAIL("the trace differs");
    }
    buf_clear(&f.text);
}

/* --- given and when ----------------------------------------------------------------------------
 */

void datanode_setup(void)
{
    f = (struct datanode_fixture){.now_ms = 1000};
    f.arena = arena_open(0);
    f.trace.sink = take_trace;
    actions_open(&f.actions);
    f.actions.trace = &f.trace;
}

void datanode_teardown(void)
{
    datanode_close(f.datanode);
    actions_close(&f.actions);
    buf_close(&f.text);
    arena_close(f.arena);
}

struct datanode_settings plain_settings(void)
{
    struct datanode_settings settings;
    datanode_settings_default(&settings);
    settings.node.node_id = 77;
    settings.node.host = slice_from_string("n1");
    settings.node.http_address = slice_from_string("127.0.0.1:1");
    settings.namenode_address = slice_from_string("127.0.0.1:9");
    settings.incarnation = 3;
    settings.cluster_id = 5;
    settings.reserve_bytes = 0;
    settings.scrub_bytes_per_second = 0;
    settings.space_interval_ms = 1000000;
    return settings;
}

void given_datanode(const struct datanode_settings *settings)
{
    CU_ASSERT_EQUAL_FATAL(datanode_open(settings, 1, &f.datanode), OK);
}

struct dfs_block_info block(uint64_t block_id)
{
    return (struct dfs_block_info){
        .block_id = block_id, .length = BLOCK_BYTES, .crc32c = (uint32_t)block_id * 7};
}

void given_found(uint64_t first, uint64_t last)
{
    given_found_on(0, first, last);
}

void given_found_on(uint32_t volume, uint64_t first, uint64_t last)
{
    given_found_behind(volume, 0, first, last);
}

/* In no order, as a scan finds them. */
void given_found_behind(uint32_t volume, uint64_t position, uint64_t first, uint64_t last)
{
    struct dfs_block_info blocks[64];
    size_t count = 0;
    for (uint64_t id = last; id >= first; id--)
        blocks[count++] = block(id);
    struct datanode_found found = {.volume = volume,
                                   .blocks = blocks,
                                   .blocks_count = count,
                                   .has_position = position != 0,
                                   .position = position};
    step(
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCKS_FOUND, .data = &found});
}

void when_answered(enum method method, enum status status, const void *message)
{
    step((struct event){.kind = EVENT_RESPONSE,
                        .tag = f.tag_of[method],
                        .method = method,
                        .status = status,
                        .text = slice_from_string("why not"),
                        .message = message});
}

void when_effect_done(enum datanode_effect effect, enum status status, const void *data)
{
    step((struct event){.kind = EVENT_EFFECT_DONE,
                        .tag = f.effect_tag[effect],
                        .effect = (int)effect,
                        .status = status,
                        .text = slice_from_string(status == OK ? "" : "why not"),
                        .data = data});
}

void when_volume_measured(uint32_t volume, enum status status, uint64_t free_bytes)
{
    struct datanode_space space = {.volume_bytes = VOLUME_BYTES, .free_bytes = free_bytes};
    f.effect_tag[DATANODE_EFFECT_MEASURE_SPACE] = f.measure_tag[volume];
    when_effect_done(DATANODE_EFFECT_MEASURE_SPACE, status, status == OK ? &space : NULL);
}

void when_measured(uint64_t free_bytes)
{
    struct datanode_space space = {.volume_bytes = VOLUME_BYTES, .free_bytes = free_bytes};
    when_effect_done(DATANODE_EFFECT_MEASURE_SPACE, OK, &space);
}

void when_registered(uint64_t cluster_id, uint64_t session)
{
    struct dfs_register_datanode_response response = {
        .cluster_id = cluster_id, .heartbeat_interval_ms = 1000, .session = session};
    when_answered(METHOD_DATANODE_TRACKER_REGISTER_DATANODE, OK, &response);
}

void when_report_taken(void)
{
    struct dfs_block_report_response response = {0};
    when_answered(METHOD_DATANODE_TRACKER_BLOCK_REPORT, OK, &response);
}

void when_changes_taken(void)
{
    struct dfs_block_changes_response response = {0};
    when_answered(METHOD_DATANODE_TRACKER_BLOCK_CHANGES, OK, &response);
}

void when_ms_pass(int64_t ms)
{
    f.now_ms += ms;
    step((struct event){.kind = EVENT_TICK});
}

void when_deadline_comes(void)
{
    int64_t deadline_ms = datanode_deadline_ms(f.datanode);
    CU_ASSERT_NOT_EQUAL_FATAL(deadline_ms, INT64_MAX);
    if (deadline_ms > f.now_ms)
        f.now_ms = deadline_ms;
    step((struct event){.kind = EVENT_TICK});
}

void when_commanded(const struct dfs_datanode_command *commands, size_t count)
{
    struct dfs_datanode_heartbeat_response response = {.commands = commands,
                                                       .commands_count = count};
    when_answered(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, OK, &response);
}

void when_commanded_one(enum dfs_datanode_command_kind kind, uint64_t block_id)
{
    static const struct endpoint target = {.node_id = 9};
    struct dfs_datanode_command command = {
        .kind = kind, .block = block(block_id), .targets = &target, .targets_count = 1};
    when_commanded(&command, 1);
}

void when_receive_asked(uint64_t transfer, uint64_t block_id)
{
    struct datanode_receive receive = {.transfer = transfer, .block = block(block_id)};
    step((struct event){
        .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_RECEIVE_ASKED, .data = &receive});
}

void when_receive_ended(uint64_t transfer, uint64_t block_id, enum status status, bool failed)
{
    struct datanode_received received = {.transfer = transfer,
                                         .block_id = block_id,
                                         .status = status,
                                         .is_volume_failed = failed,
                                         .text = slice_from_string("why")};
    step((struct event){
        .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_RECEIVE_DONE, .data = &received});
}

void when_seen_corrupt(uint64_t block_id)
{
    struct datanode_block seen = {.block = block(block_id)};
    step(
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCK_CORRUPT, .data = &seen});
}

void given_active_with(const struct datanode_settings *settings, uint64_t first, uint64_t last)
{
    given_datanode(settings);
    if (first <= last)
        given_found(first, last);
    step((struct event){.kind = EVENT_START});
    when_measured(VOLUME_BYTES);
    when_registered(5, 100);
    when_report_taken();
    buf_clear(&f.text);
}

void given_active(uint64_t first, uint64_t last)
{
    struct datanode_settings settings = plain_settings();
    given_active_with(&settings, first, last);
}
