/*
 * namenode_calls.c - calls a second of CPU that the namenode's machine takes, and what it needs of
 * memory: no RPC, no disk, nothing linked but base, model and the machine.
 * usage: namenode_calls [FILES]  (default 1,000,000, in directories of 1,000); prints JSON
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bench/namenode_load.h"
#include "lib/base/rng.h"

enum {
    LOOKUPS = 2000000,
    LISTS = 2000,
    RENAMES_MAX = 200000
};

struct bench {
    struct namenode *nn;
    struct actions actions;
    uint64_t call;
    uint64_t request;
    uint64_t failures;
    uint64_t sessions[LOAD_NODES];
};

static double cpu(void)
{
    return load_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

/* The answer, which lives until the next call; NULL: refused, or held. */
static const void *call(struct bench *bench, enum method method, const void *request)
{
    struct event event = {.kind = EVENT_REQUEST,
                          .now_ms = 1,
                          .wall_ms = 1,
                          .call = ++bench->call,
                          .method = method,
                          .message = request,
                          .user = slice_from_string("bench")};
    actions_reset(&bench->actions);
    namenode_step(bench->nn, &event, &bench->actions);
    for (size_t i = bench->actions.count; i > 0; i--) {
        const struct action *action = &bench->actions.items[i - 1];
        if (action->kind == ACTION_REPLY)
            return action->message;
        if (action->kind == ACTION_FAIL)
            bench->failures++;
    }
    return NULL;
}

static void begin(struct bench *bench)
{
    struct namenode_settings settings;
    struct event start = {.kind = EVENT_START, .now_ms = 1, .wall_ms = 1};
    load_settings(&settings);
    settings.mutations_max = 1000; /* so that their results are no part of a file's memory */
    if (namenode_open(&settings, 1, &bench->nn) != OK)
        abort();
    actions_reset(&bench->actions);
    namenode_step(bench->nn, &start, &bench->actions);
    for (uint64_t i = 0; i < LOAD_NODES; i++) {
        struct dfs_register_datanode_request enrol = load_register(i);
        const struct dfs_register_datanode_response *response =
            call(bench, METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &enrol);
        if (response == NULL)
            abort();
        bench->sessions[i] = response->session;
        struct dfs_block_report_request report = {
            .node_id = i + 1, .session = bench->sessions[i], .serial = 1, .is_last = true};
        (void)call(bench, METHOD_DATANODE_TRACKER_BLOCK_REPORT, &report);
        struct dfs_datanode_heartbeat_request beat = load_heartbeat(i, bench->sessions[i]);
        (void)call(bench, METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, &beat);
    }
}

static void add_block(struct bench *bench, uint64_t file)
{
    uint64_t nodes[LOAD_NODES];
    struct dfs_add_block_request add = {.client_id = LOAD_CLIENT,
                                        .request_id = ++bench->request,
                                        .file_id = file,
                                        .length = LOAD_BLOCK_BYTES};
    const struct dfs_add_block_response *added = call(bench, METHOD_NAMENODE_ADD_BLOCK, &add);
    if (added == NULL)
        return; /* counted as a failure */
    struct dfs_seal_block_request seal = {.client_id = LOAD_CLIENT,
                                          .request_id = ++bench->request,
                                          .file_id = file,
                                          .block_id = added->block_id,
                                          .length = LOAD_BLOCK_BYTES,
                                          .node_ids = nodes,
                                          .node_ids_count = added->targets_count};
    for (size_t i = 0; i < added->targets_count; i++)
        nodes[i] = added->targets[i].node_id;
    struct dfs_block_info info = {.block_id = seal.block_id, .length = LOAD_BLOCK_BYTES};
    for (size_t i = 0; i < seal.node_ids_count; i++) {
        struct dfs_block_changes_request received = {.node_id = nodes[i],
                                                     .session = bench->sessions[nodes[i] - 1],
                                                     .received = &info,
                                                     .received_count = 1};
        (void)call(bench, METHOD_DATANODE_TRACKER_BLOCK_CHANGES, &received);
    }
    (void)call(bench, METHOD_NAMENODE_SEAL_BLOCK, &seal);
}

static void create_files(struct bench *bench, uint64_t count, bool with_blocks)
{
    char path[LOAD_PATH_BYTES];
    for (uint64_t i = 0; i < count; i++) {
        struct dfs_create_request create = {.client_id = LOAD_CLIENT,
                                            .request_id = ++bench->request,
                                            .path = load_path(path, "part", i),
                                            .create_parents = true};
        const struct dfs_create_response *created = call(bench, METHOD_NAMENODE_CREATE, &create);
        struct dfs_complete_request complete = {.client_id = LOAD_CLIENT};
        if (created == NULL)
            continue; /* counted as a failure */
        complete.file_id = created->file_id;
        if (with_blocks) {
            add_block(bench, complete.file_id);
            complete.length = LOAD_BLOCK_BYTES;
        }
        complete.request_id = ++bench->request;
        (void)call(bench, METHOD_NAMENODE_COMPLETE, &complete);
    }
}

static void look_up(struct bench *bench, uint64_t files)
{
    char path[LOAD_PATH_BYTES];
    struct rng rng = rng_seed(1);
    for (uint64_t i = 0; i < LOOKUPS; i++) {
        struct dfs_get_status_request request = {
            .path = load_path(path, "part", rng_below(&rng, files))};
        (void)call(bench, METHOD_NAMENODE_GET_STATUS, &request);
    }
}

static uint64_t list(struct bench *bench, uint64_t files)
{
    char path[LOAD_PATH_BYTES];
    struct rng rng = rng_seed(2);
    uint64_t entries = 0;
    for (uint64_t i = 0; i < LISTS; i++) {
        struct dfs_list_status_request request = {.path =
                                                      load_directory(path, rng_below(&rng, files))};
        const struct dfs_list_status_response *page =
            call(bench, METHOD_NAMENODE_LIST_STATUS, &request);
        entries += page != NULL ? page->entries_count : 0;
    }
    return entries;
}

static void rename_files(struct bench *bench, uint64_t count)
{
    char source[LOAD_PATH_BYTES];
    char destination[LOAD_PATH_BYTES];
    for (uint64_t i = 0; i < count; i++) {
        struct dfs_rename_request request = {.client_id = LOAD_CLIENT,
                                             .request_id = ++bench->request,
                                             .source = load_path(source, "part", i),
                                             .destination = load_path(destination, "moved", i)};
        (void)call(bench, METHOD_NAMENODE_RENAME, &request);
    }
}

static void delete_files(struct bench *bench, uint64_t count)
{
    char path[LOAD_PATH_BYTES];
    for (uint64_t i = 0; i < count; i++) {
        struct dfs_delete_request request = {.client_id = LOAD_CLIENT,
                                             .request_id = ++bench->request,
                                             .path = load_path(path, "moved", i)};
        (void)call(bench, METHOD_NAMENODE_DELETE, &request);
    }
}

/* All files by one call, then whatever the machine has left to do; the longest step in seconds. */
static double delete_tree(struct bench *bench, double *ret_call)
{
    struct dfs_set_safe_mode_request leave = {.action = SAFE_MODE_LEAVE};
    struct dfs_delete_request request = {.client_id = LOAD_CLIENT,
                                         .request_id = ++bench->request,
                                         .path = slice_from_string("/user/alice"),
                                         .recursive = true};
    (void)call(bench, METHOD_NAMENODE_SET_SAFE_MODE, &leave);
    double begin = cpu();
    (void)call(bench, METHOD_NAMENODE_DELETE, &request);
    double longest = cpu() - begin;
    *ret_call = longest;
    int64_t now_ms = 1;
    while (namenode_deadline_ms(bench->nn) <= now_ms + 1) {
        now_ms++;
        struct event tick = {.kind = EVENT_TICK, .now_ms = now_ms, .wall_ms = now_ms};
        actions_reset(&bench->actions);
        begin = cpu();
        namenode_step(bench->nn, &tick, &bench->actions);
        double step = cpu() - begin;
        longest = step > longest ? step : longest;
    }
    return longest;
}

static void end(struct bench *bench)
{
    namenode_close(bench->nn);
    bench->nn = NULL;
    (void)malloc_trim(0);
}

int main(int argument_count, char **arguments)
{
    uint64_t files = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1000000;
    uint64_t renames = files < RENAMES_MAX ? files : RENAMES_MAX;
    struct bench bench = {0};
    if (files == 0)
        return 2;
    actions_open(&bench.actions);
    begin(&bench);
    uint64_t empty_bytes = load_resident_bytes();
    double t0 = cpu();
    create_files(&bench, files, false);
    double t1 = cpu();
    uint64_t file_bytes = load_resident_bytes() - empty_bytes;
    look_up(&bench, files);
    double t2 = cpu();
    uint64_t entries = list(&bench, files);
    double t3 = cpu();
    rename_files(&bench, renames);
    double t4 = cpu();
    delete_files(&bench, renames);
    double t5 = cpu();
    end(&bench);

    begin(&bench);
    empty_bytes = load_resident_bytes();
    double t6 = cpu();
    create_files(&bench, files, true);
    double t7 = cpu();
    uint64_t block_bytes = load_resident_bytes() - empty_bytes;
    double tree_call = 0;
    double tree_longest = delete_tree(&bench, &tree_call);
    end(&bench);
    actions_close(&bench.actions);
    printf("{\"files\": %" PRIu64 ", \"create\": %.0f, \"stat\": %.0f, \"list_entries\": %.0f, "
           "\"rename\": %.0f, \"delete\": %.0f, \"create_with_block\": %.0f, "
           "\"bytes_per_file\": %.0f, \"bytes_per_file_with_block\": %.0f, "
           "\"delete_tree_call_ms\": %.1f, \"delete_tree_longest_ms\": %.1f, "
           "\"failures\": %" PRIu64 "}\n",
           files, (double)files / (t1 - t0), (double)LOOKUPS / (t2 - t1),
           (double)entries / (t3 - t2), (double)renames / (t4 - t3), (double)renames / (t5 - t4),
           (double)files / (t7 - t6), (double)file_bytes / (double)files,
           (double)block_bytes / (double)files, 1000 * tree_call, 1000 * tree_longest,
           bench.failures);
    return bench.failures == 0 ? 0 : 1;
}
