/*
 * fixture.c - see fixture.h.
 */
#include "tests/unit/namenode/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"

enum {
    WALL_START_MS = 1000000,
};

struct fixture f;

struct slice text_of(const char *string)
{
    return slice_from_string(string);
}

static void say(const char *text)
{
    if (buf_append_format(&f.traced, "%s\n", text) != OK) {
        abort();
    }
}

static void take_trace(void *user, const char *text)
{
    (void)user;
    say(text);
}

bool was_traced(const char *text)
{
    return strstr(buf_string(&f.traced), text) != NULL;
}

void forget_traced(void)
{
    buf_clear(&f.traced);
}

void fixture_setup(void)
{
    memset(&f, 0, sizeof(f));
    namenode_settings_default(&f.settings);
    f.settings.superuser = text_of("root");
    f.settings.block_size = BLOCK_SIZE;
    f.settings.block_size_min = 1;
    f.seed = 42;
    f.now_ms = 1000;
    f.wall_ms = WALL_START_MS;
    f.user = "root";
    f.client = CLIENT;
    f.next_call = 1;
    f.next_request = 1;
    f.replay_every = 1;
    f.journal = arena_open(0);
    f.answers = arena_open(0);
    f.trace.sink = take_trace;
    actions_open(&f.actions);
    f.actions.trace = &f.trace;
}

void fixture_teardown(void)
{
    namenode_close(f.nn);
    actions_close(&f.actions);
    arena_close(f.journal);
    arena_close(f.answers);
    buf_close(&f.traced);
    mem_free(f.records);
}

/* --- the journal --------------------------------------------------------------------- */

static void keep_record(const struct action *action)
{
    f.records = mem_reserve(f.records, f.record_count, &f.record_capacity, sizeof(struct record));
    f.records[f.record_count++] = (struct record){
        .type = action->type, .message = message_copy(action->type, action->message, f.journal)};
}

static struct namenode *replayed(void)
{
    struct namenode *nn = NULL;
    struct actions actions;
    actions_open(&actions);
    if (namenode_open(&f.settings, f.seed + 1, &nn) != OK) {
        abort();
    }
    fixture_sign(nn);
    struct event event = {.kind = EVENT_REPLAY, .now_ms = f.now_ms, .wall_ms = f.wall_ms};
    for (size_t i = 0; i < f.record_count; i++) {
        event.type = f.records[i].type;
        event.message = f.records[i].message;
        namenode_step(nn, &event, &actions);
    }
    namenode_check(nn);
    actions_close(&actions);
    return nn;
}

static bool records_are_equal(const struct action *left, const struct action *right)
{
    return left->type == right->type && message_equal(left->type, left->message, right->message);
}

/* The oldest results may be forgotten by now: a replay remembers them for their full time again. */
static bool snapshots_are_equal(const struct actions *live, const struct actions *again)
{
    size_t at = 0;
    for (size_t i = 0; i < again->count; i++) {
        if (at < live->count && records_are_equal(&live->items[at], &again->items[i])) {
            at++;
        } else if (again->items[i].type != &journal_mutation_done_type) {
            return false;
        }
    }
    return at == live->count;
}

static void print_snapshot(const char *title, const struct actions *actions)
{
    struct buf text = {0};
    for (size_t i = 0; i < actions->count; i++) {
        if (buf_append_format(&text, "%s ", actions->items[i].type->name) != OK ||
            message_print_json(actions->items[i].type, actions->items[i].message, &text) != OK ||
            buf_append_format(&text, "\n") != OK) {
            abort();
        }
    }
    printf("%s:\n%s", title, buf_string(&text));
    buf_close(&text);
}

void expect_replay_equal(int line)
{
    struct namenode *nn = replayed();
    struct actions live;
    struct actions again;
    actions_open(&live);
    actions_open(&again);
    struct event start = {.kind = EVENT_START, .now_ms = f.now_ms, .wall_ms = f.wall_ms};
    namenode_step(nn, &start, &again);
    CU_ASSERT_EQUAL(again.count, 0); /* starting over changes nothing */
    actions_reset(&again);
    namenode_snapshot(f.nn, &live);
    namenode_snapshot(nn, &again);
    if (!snapshots_are_equal(&live, &again)) {
        printf("line %d, step %zu\n", line, f.steps);
        print_snapshot("live", &live);
        print_snapshot("replayed", &again);
        CU_FAIL("the replayed journal gives another state");
        f.replay_every = 0;
    }
    actions_close(&live);
    actions_close(&again);
    namenode_close(nn);
}

/* --- steps --------------------------------------------------------------------------- */

static void follow(struct test_node *node, const struct dfs_datanode_heartbeat_response *response);

static struct test_node *node_of_call(uint64_t id)
{
    for (size_t i = 0; i < f.node_count; i++) {
        if (f.nodes[i].is_beating && f.nodes[i].held_call == id) {
            return &f.nodes[i];
        }
    }
    return NULL;
}

struct node_answer {
    struct test_node *node;
    const struct dfs_datanode_heartbeat_response *response; /* NULL: failed */
};

static void take_answer(const struct action *action, struct node_answer *answers, size_t *count)
{
    struct test_node *node = node_of_call(action->call);
    const void *message = action->kind == ACTION_REPLY
                              ? message_copy(action->type, action->message, f.answers)
                              : NULL;
    if (node != NULL) {
        node->is_beating = false;
        answers[(*count)++] = (struct node_answer){.node = node, .response = message};
        return;
    }
    CU_ASSERT_FALSE(f.is_answered);
    f.is_answered = true;
    f.status = action->kind == ACTION_REPLY ? OK : action->status;
    f.response = message;
    snprintf(f.text, sizeof(f.text), "%.*s", SLICE_ARGS(action->text));
}

static void take_effect(const struct action *action)
{
    if (f.asked_count == EFFECTS_MAX) {
        abort(); /* no test asks for so many */
    }
    struct asked *asked = &f.asked[f.asked_count++];
    *asked = (struct asked){.tag = action->tag, .effect = action->effect};
    if (action->effect == NAMENODE_EFFECT_ASK_RACK) {
        const struct namenode_rack_question *question = action->data;
        snprintf(asked->host, sizeof(asked->host), "%.*s", SLICE_ARGS(question->host));
    }
}

void step(struct event event)
{
    struct node_answer answers[NODES_MAX];
    size_t answer_count = 0;
    event.now_ms = f.now_ms;
    event.wall_ms = f.wall_ms;
    actions_reset(&f.actions);
    namenode_step(f.nn, &event, &f.actions);
    namenode_check(f.nn);
    for (size_t i = 0; i < f.actions.count; i++) {
        const struct action *action = &f.actions.items[i];
        if (action->kind == ACTION_JOURNAL) {
            keep_record(action);
        } else if (action->kind == ACTION_REPLY || action->kind == ACTION_FAIL) {
            take_answer(action, answers, &answer_count);
        } else if (action->kind == ACTION_EFFECT) {
            take_effect(action);
        }
    }
    f.steps++;
    if (f.replay_every > 0 && f.steps % f.replay_every == 0) {
        EXPECT_REPLAY_EQUAL();
    }
    for (size_t i = 0; i < answer_count; i++) {
        if (answers[i].response != NULL) {
            follow(answers[i].node, answers[i].response);
        }
    }
}

void given_started(void)
{
    if (f.nn == NULL) {
        if (namenode_open(&f.settings, f.seed, &f.nn) != OK) {
            abort();
        }
        fixture_sign(f.nn);
        step((struct event){.kind = EVENT_START});
    }
}

static enum status call_as(const char *user, enum method method, const void *request)
{
    given_started();
    f.is_answered = false;
    f.status = ERR_INTERNAL;
    f.response = NULL;
    step((struct event){.kind = EVENT_REQUEST,
                        .call = f.next_call++,
                        .method = method,
                        .message = request,
                        .user = text_of(user),
                        .groups = user == f.user ? f.groups : NULL,
                        .groups_count = user == f.user ? f.groups_count : 0});
    return f.status;
}

enum status call(enum method method, const void *request)
{
    return call_as(f.user, method, request);
}

void when_ms_pass(int64_t ms)
{
    int64_t end_ms = f.now_ms + ms;
    while (f.now_ms < end_ms) {
        int64_t due_ms = namenode_deadline_ms(f.nn);
        int64_t next_ms = due_ms < end_ms ? due_ms : end_ms;
        next_ms = next_ms > f.now_ms ? next_ms : f.now_ms;
        f.wall_ms += next_ms - f.now_ms;
        f.now_ms = next_ms;
        step((struct event){.kind = EVENT_TICK});
    }
}

void when_paused(int64_t ms)
{
    f.now_ms += ms;
    f.wall_ms += ms;
    step((struct event){.kind = EVENT_TICK});
}

static void expect_same_tally(const struct namenode *left, const struct namenode *right)
{
    struct buf texts[2] = {{0}, {0}};
    namenode_tally(left, &texts[0]);
    namenode_tally(right, &texts[1]);
    if (buf_slice(&texts[0]).length > 0) { /* nothing is left to be freed */
        CU_ASSERT_STRING_EQUAL(buf_string(&texts[0]), buf_string(&texts[1]));
    }
    buf_close(&texts[0]);
    buf_close(&texts[1]);
}

void when_restarted(void)
{
    struct namenode *nn = replayed();
    expect_same_tally(f.nn, nn);
    namenode_close(f.nn);
    f.nn = nn;
    f.seed++;
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_beating = false;
    }
    step((struct event){.kind = EVENT_START});
}

/* --- datanodes ----------------------------------------------------------------------- */

struct test_node *node_by_id(uint64_t id)
{
    if (id < 1 || id > f.node_count) {
        abort(); /* no test names another */
    }
    return &f.nodes[id - 1];
}

bool node_has(const struct test_node *node, uint64_t block_id)
{
    for (size_t i = 0; i < node->disk_count; i++) {
        if (node->disk[i].block_id == block_id) {
            return true;
        }
    }
    return false;
}

size_t count_on_disk(uint64_t block_id)
{
    size_t count = 0;
    for (size_t i = 0; i < f.node_count; i++) {
        count += node_has(&f.nodes[i], block_id) ? 1 : 0;
    }
    return count;
}

static void store(struct test_node *node, const struct dfs_block_info *info)
{
    if (!node_has(node, info->block_id) && node->disk_count < DISK_BLOCKS_MAX) {
        node->disk[node->disk_count++] = *info;
    }
}

static void unstore(struct test_node *node, uint64_t block_id)
{
    for (size_t i = 0; i < node->disk_count; i++) {
        if (node->disk[i].block_id == block_id) {
            node->disk[i] = node->disk[--node->disk_count];
            return;
        }
    }
}

void node_hang_up(struct test_node *node)
{
    if (node->is_beating) {
        step((struct event){.kind = EVENT_REQUEST_CANCELLED, .call = node->held_call});
    }
}

void node_register(struct test_node *node)
{
    if (node->registered != node->incarnation) {
        node_hang_up(node); /* an earlier process ended */
    }
    struct dfs_register_datanode_request request = {
        .node = {.node_id = node->id,
                 .host = text_of(node->host),
                 .rack = text_of(node->rack),
                 .http_address = text_of(node->address)},
        .incarnation = node->incarnation,
        .capacity_bytes = NODE_BYTES,
    };
    if (call_as("millrace", METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request) == OK) {
        node->session = ((const struct dfs_register_datanode_response *)f.response)->session;
        node->registered = node->incarnation;
    }
}

void node_report(struct test_node *node)
{
    struct dfs_block_report_request request = {
        .node_id = node->id,
        .session = node->session,
        .serial = ++f.report_serial,
        .is_last = true,
        .blocks = node->disk,
        .blocks_count = node->disk_count,
    };
    (void)call_as("millrace", METHOD_DATANODE_TRACKER_BLOCK_REPORT, &request); /* f.status */
}

static uint64_t used_bytes(const struct test_node *node)
{
    uint64_t used = node->used_bytes;
    for (size_t i = 0; i < node->disk_count; i++) {
        used += node->disk[i].length;
    }
    return used;
}

void node_beat(struct test_node *node)
{
    struct dfs_datanode_heartbeat_request request = {
        .node_id = node->id,
        .session = node->session,
        .capacity_bytes = NODE_BYTES,
        .free_bytes = node->free_bytes,
        .used_bytes = used_bytes(node),
        .transfers_active = node->transfers_active,
        .latencies = node->latencies,
        .peers = node->peers,
        .peers_count = node->peers_count,
    };
    node->is_beating = true;
    node->held_call = f.next_call;
    /* The answer comes through take_answer, and keeps the last caller's answer as it is. */
    given_started();
    step((struct event){.kind = EVENT_REQUEST,
                        .call = f.next_call++,
                        .method = METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT,
                        .message = &request,
                        .user = text_of("millrace")});
}

void node_die(struct test_node *node)
{
    node->is_alive = false;
}

static void change(struct test_node *node, struct dfs_block_changes_request *request)
{
    bool was_answered = f.is_answered;
    enum status status = f.status;
    const void *response = f.response;
    request->node_id = node->id;
    request->session = node->session;
    (void)call_as("millrace", METHOD_DATANODE_TRACKER_BLOCK_CHANGES, request); /* may be stale */
    f.is_answered = was_answered;
    f.status = status;
    f.response = response;
}

void node_received(struct test_node *node, const struct dfs_block_info *info)
{
    store(node, info);
    change(node, &(struct dfs_block_changes_request){.received = info, .received_count = 1});
}

void node_says_corrupt(struct test_node *node, uint64_t block_id)
{
    change(node, &(struct dfs_block_changes_request){.corrupt_block_ids = &block_id,
                                                     .corrupt_block_ids_count = 1});
}

void node_says_verified(struct test_node *node, uint64_t block_id, bool is_bad)
{
    if (is_bad) {
        node_says_corrupt(node, block_id);
        return;
    }
    change(node, &(struct dfs_block_changes_request){.verified_block_ids = &block_id,
                                                     .verified_block_ids_count = 1});
}

void node_says_failed(struct test_node *node, const struct dfs_failed_work *work)
{
    change(node, &(struct dfs_block_changes_request){.failed = work, .failed_count = 1});
}

static void merge_blocks(struct test_node *node, const struct dfs_datanode_command *command)
{
    char line[128];
    struct dfs_block_info merged = {.block_id = command->block.block_id};
    snprintf(line, sizeof(line), "%s: merge %zu into %" PRIu64, node->host, command->sources_count,
             merged.block_id);
    say(line);
    CU_ASSERT_EQUAL_FATAL(command->sources_count, command->source_nodes_count);
    CU_ASSERT_EQUAL_FATAL(command->sources_count, command->source_tokens_count);
    expect_token(command->token, merged.block_id, BLOCK_COPY, "millrace");
    for (size_t i = 0; i < command->sources_count; i++) {
        expect_token(command->source_tokens[i], command->sources[i].block_id, BLOCK_COPY,
                     "millrace");
        const struct dfs_block_info *source = &command->sources[i];
        CU_ASSERT_TRUE(node_has(node_by_id(command->source_nodes[i].node_id), source->block_id));
        merged.crc32c = crc32c_combine(merged.crc32c, source->crc32c, source->length);
        merged.length += source->length;
    }
    CU_ASSERT_EQUAL(merged.length, command->block.length);
    CU_ASSERT_EQUAL(merged.crc32c, command->block.crc32c);
    if (!node->is_obedient || !node->is_alive) {
        return;
    }
    node_received(node, &merged);
    for (size_t i = 0; i < command->targets_count; i++) {
        struct test_node *target = node_by_id(command->targets[i].node_id);
        if (target->is_alive && target->is_obedient) {
            node_received(target, &merged);
        }
    }
}

static void follow_one(struct test_node *node, const struct dfs_datanode_command *command)
{
    char line[128];
    uint64_t block_id = command->block.block_id;
    if (command->kind == DATANODE_REPORT_BLOCKS) {
        node->report_commands++;
        snprintf(line, sizeof(line), "%s: report", node->host);
        say(line);
        return;
    }
    if (command->kind == DATANODE_DELETE_BLOCK) {
        snprintf(line, sizeof(line), "%s: delete %" PRIu64, node->host, block_id);
        say(line);
        if (node->is_obedient && node->is_alive) {
            unstore(node, block_id);
            change(node, &(struct dfs_block_changes_request){.deleted_block_ids = &block_id,
                                                             .deleted_block_ids_count = 1});
        }
        return;
    }
    if (command->kind == DATANODE_MERGE_BLOCKS) {
        merge_blocks(node, command);
        return;
    }
    if (command->kind == DATANODE_VERIFY_BLOCK) {
        snprintf(line, sizeof(line), "%s: verify %" PRIu64, node->host, block_id);
        say(line);
        if (node->is_obedient && node->is_alive) {
            node_says_verified(node, block_id, node->has_rot);
        }
        return;
    }
    expect_token(command->token, block_id, BLOCK_COPY, "millrace");
    struct test_node *target = node_by_id(command->targets[0].node_id);
    snprintf(line, sizeof(line), "%s: copy %" PRIu64 " to %s", node->host, block_id, target->host);
    say(line);
    bool is_possible = node->is_alive && node->is_obedient && target->is_alive &&
                       target->is_obedient && node_has(node, block_id);
    if (is_possible) {
        node_received(target, &command->block);
    }
}

/* The next heartbeat goes out at once, as a living datanode's does. */
static void follow(struct test_node *node, const struct dfs_datanode_heartbeat_response *response)
{
    for (size_t i = 0; i < response->commands_count; i++) {
        follow_one(node, &response->commands[i]);
    }
    if (node->is_alive && !node->is_beating) {
        node_beat(node);
    }
}

struct test_node *given_node(const char *host, const char *rack)
{
    struct test_node *node = &f.nodes[f.node_count++];
    node->id = f.node_count;
    snprintf(node->host, sizeof(node->host), "%s", host);
    snprintf(node->rack, sizeof(node->rack), "%s", rack);
    node->incarnation = 1;
    node->free_bytes = NODE_BYTES;
    node->is_alive = true;
    node->is_obedient = true;
    node_register(node);
    node_report(node);
    node_beat(node);
    return node;
}

void given_nodes(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char host[sizeof(f.nodes[0].host)];
        snprintf(host, sizeof(host), "h%u", (unsigned)(i + 1));
        (void)given_node(host, i % 2 == 0 ? "/r1" : "/r2"); /* found by its id later */
    }
}

void given_repairing(void)
{
    given_started();
    when_ms_pass(f.settings.repair_start_ms + 1);
    CU_ASSERT_TRUE(was_traced("repair on"));
    forget_traced();
}

/* --- calls --------------------------------------------------------------------------- */

enum status do_mkdirs(const char *path, uint32_t permission, bool parents)
{
    struct dfs_mkdirs_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .path = text_of(path),
                                         .permission = permission,
                                         .create_parents = parents};
    return call(METHOD_NAMENODE_MKDIRS, &request);
}

enum status do_delete(const char *path, bool recursive)
{
    struct dfs_delete_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .path = text_of(path),
                                         .recursive = recursive};
    return call(METHOD_NAMENODE_DELETE, &request);
}

enum status do_rename(const char *source, const char *destination)
{
    struct dfs_rename_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .source = text_of(source),
                                         .destination = text_of(destination)};
    return call(METHOD_NAMENODE_RENAME, &request);
}

enum status do_create(const char *path, bool overwrite, uint32_t replication, uint64_t *ret_file_id)
{
    struct dfs_create_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .path = text_of(path),
                                         .replication = replication,
                                         .overwrite = overwrite};
    enum status status = call(METHOD_NAMENODE_CREATE, &request);
    if (status == OK) {
        *ret_file_id = ((const struct dfs_create_response *)f.response)->file_id;
    }
    return status;
}

enum status do_add_block(uint64_t file_id,
                         const char *host,
                         struct dfs_add_block_response *ret_block)
{
    struct dfs_add_block_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .file_id = file_id,
                                            .client_host = text_of(host)};
    enum status status = call(METHOD_NAMENODE_ADD_BLOCK, &request);
    if (status == OK) {
        *ret_block = *(const struct dfs_add_block_response *)f.response;
    }
    return status;
}

enum status do_seal(uint64_t file_id,
                    const struct dfs_add_block_response *block,
                    uint64_t length,
                    size_t count)
{
    uint64_t node_ids[NODES_MAX];
    struct dfs_block_info info = {
        .block_id = block->block_id, .length = length, .crc32c = (uint32_t)block->block_id};
    for (size_t i = 0; i < count; i++) {
        node_ids[i] = block->targets[i].node_id;
        store(node_by_id(node_ids[i]), &info);
    }
    struct dfs_seal_block_request request = {
        .client_id = f.client,
        .request_id = f.next_request++,
        .file_id = file_id,
        .block_id = block->block_id,
        .length = length,
        .crc32c = info.crc32c,
        .node_ids = node_ids,
        .node_ids_count = count,
    };
    return call(METHOD_NAMENODE_SEAL_BLOCK, &request);
}

enum status do_complete(uint64_t file_id, uint64_t length)
{
    struct dfs_complete_request request = {.client_id = f.client,
                                           .request_id = f.next_request++,
                                           .file_id = file_id,
                                           .length = length};
    return call(METHOD_NAMENODE_COMPLETE, &request);
}

enum status do_write_block(uint64_t file_id, uint64_t length, uint64_t *ret_block_id)
{
    struct dfs_add_block_response block;
    enum status status = do_add_block(file_id, "h1", &block);
    if (status != OK) {
        return status;
    }
    *ret_block_id = block.block_id;
    return do_seal(file_id, &block, length, block.targets_count);
}

void given_directory(const char *path)
{
    CU_ASSERT_EQUAL(do_mkdirs(path, 0, true), OK);
}

uint64_t given_file(const char *path, size_t blocks, uint32_t replication)
{
    uint64_t file_id = 0;
    uint64_t block_id = 0;
    CU_ASSERT_EQUAL(do_create(path, false, replication, &file_id), OK);
    for (size_t i = 0; i < blocks; i++) {
        CU_ASSERT_EQUAL(do_write_block(file_id, BLOCK_SIZE, &block_id), OK);
    }
    CU_ASSERT_EQUAL(do_complete(file_id, blocks * BLOCK_SIZE), OK);
    return file_id;
}

enum status do_status(const char *path, struct dfs_file_status *ret_status)
{
    struct dfs_get_status_request request = {.path = text_of(path)};
    enum status status = call(METHOD_NAMENODE_GET_STATUS, &request);
    if (status == OK && ret_status != NULL) {
        *ret_status = ((const struct dfs_get_status_response *)f.response)->status;
    }
    return status;
}

enum status do_blocks(const char *path,
                      const char *host,
                      struct dfs_get_blocks_response *ret_blocks)
{
    struct dfs_get_blocks_request request = {.path = text_of(path), .client_host = text_of(host)};
    enum status status = call(METHOD_NAMENODE_GET_BLOCKS, &request);
    if (status == OK) {
        *ret_blocks = *(const struct dfs_get_blocks_response *)f.response;
    }
    return status;
}

size_t count_readable(const char *path, size_t nth)
{
    struct dfs_get_blocks_response blocks = {0};
    if (do_blocks(path, "", &blocks) != OK || nth >= blocks.blocks_count) {
        CU_FAIL("no such block");
        return 0;
    }
    return blocks.blocks[nth].replicas_count;
}

struct dfs_cluster_status_response cluster(void)
{
    struct dfs_cluster_status_request request = {0};
    struct dfs_cluster_status_response none = {0};
    if (call(METHOD_NAMENODE_CLUSTER_STATUS, &request) != OK) {
        return none;
    }
    return *(const struct dfs_cluster_status_response *)f.response;
}

const char *names_in(const char *path)
{
    struct dfs_list_status_request request = {.path = text_of(path)};
    if (call(METHOD_NAMENODE_LIST_STATUS, &request) != OK) {
        return "?";
    }
    const struct dfs_list_status_response *response = f.response;
    struct slice names = {0};
    for (size_t i = 0; i < response->entries_count; i++) {
        names = arena_format(f.answers, "%.*s%s%.*s", SLICE_ARGS(names), i == 0 ? "" : " ",
                             SLICE_ARGS(response->entries[i].path));
    }
    return names.length == 0 ? "" : (const char *)names.data;
}
