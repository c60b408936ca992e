/*
 * namenode_calls.c - how many calls a second of CPU the namenode's machine takes, without RPC,
 * disk. usage: namenode_calls [FILES]  (default 1,000,000, in directories of 1,000)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dfs/namenode/core/namenode.h"
#include "lib/base/rng.h"

enum {
    FILES_PER_DIRECTORY = 1000,
    LOOKUPS = 3000000,
};

struct bench {
    struct namenode *nn;
    struct actions actions;
    uint64_t call;
    uint64_t failures;
};

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void call(struct bench *bench, enum method method, const void *request)
{
    struct event event = {.kind = EVENT_REQUEST,
                          .now_ms = 1,
                          .wall_ms = 1,
                          .call = ++bench->call,
                          .method = method,
                          .message = request,
                          .user = slice_from_string("millrace")};
    actions_reset(&bench->actions);
    namenode_step(bench->nn, &event, &bench->actions);
    const struct action *last = &bench->actions.items[bench->actions.count - 1];
    bench->failures += last->kind == ACTION_REPLY ? 0 : 1;
}

static struct slice file_path(char *buffer, size_t size, uint64_t number)
{
    int length = snprintf(buffer, size, "/user/alice/data/%05" PRIu64 "/part-%05" PRIu64,
                          number / FILES_PER_DIRECTORY, number % FILES_PER_DIRECTORY);
    return slice_make(buffer, (size_t)length);
}

static void create_files(struct bench *bench, uint64_t count)
{
    char path[128];
    uint64_t request = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct dfs_create_request create = {.client_id = 1,
                                            .request_id = ++request,
                                            .path = file_path(path, sizeof(path), i),
                                            .create_parents = true};
        call(bench, METHOD_NAMENODE_CREATE, &create);
        const struct action *last = &bench->actions.items[bench->actions.count - 1];
        struct dfs_complete_request complete = {.client_id = 1, .request_id = ++request};
        if (last->kind == ACTION_REPLY) {
            complete.file_id = ((const struct dfs_create_response *)last->message)->file_id;
        }
        call(bench, METHOD_NAMENODE_COMPLETE, &complete);
    }
}

static void look_up(struct bench *bench, uint64_t files)
{
    char path[128];
    struct rng rng = rng_seed(1);
    for (uint64_t i = 0; i < LOOKUPS; i++) {
        struct dfs_get_status_request request = {
            .path = file_path(path, sizeof(path), rng_below(&rng, files))};
        call(bench, METHOD_NAMENODE_GET_STATUS, &request);
    }
}

int main(int argument_count, char **arguments)
{
    uint64_t files = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1000000;
    struct bench bench = {0};
    struct namenode_settings settings;
    namenode_settings_default(&settings);
    actions_open(&bench.actions);
    if (files == 0 || namenode_open(&settings, 1, &bench.nn) != OK) {
        return 1;
    }
    struct event start = {.kind = EVENT_START, .now_ms = 1, .wall_ms = 1};
    namenode_step(bench.nn, &start, &bench.actions);
    double begin = cpu_seconds();
    create_files(&bench, files);
    double created = cpu_seconds();
    look_up(&bench, files);
    double looked_up = cpu_seconds();
    printf("files created and completed: %.0f per CPU second\n", (double)files / (created - begin));
    printf("lookups: %.0f per CPU second\n", (double)LOOKUPS / (looked_up - created));
    printf("failures: %" PRIu64 "\n", bench.failures);
    namenode_close(bench.nn);
    actions_close(&bench.actions);
    return bench.failures == 0 ? 0 : 1;
}
