/*
 * namenode_journal.c - durable creates a second of the namenode behind its shell, many at once, so
 * that they share syncs; and how long it takes to come back. No RPC.
 * usage: namenode_journal FOLDER FILES OUTSTANDING names    makes FILES files without blocks
 *        namenode_journal FOLDER FILES OUTSTANDING create   makes FILES files of one block each,
 *                                                           whose ids go into FOLDER.blocks
 *        namenode_journal FOLDER FILES OUTSTANDING open     opens what is there, hears the reports
 *                                                           of three datanodes, makes one more
 *        namenode_journal FOLDER FILES OUTSTANDING checkpoint  the same, and ends with a checkpoint
 * Prints JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/namenode_load.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/shell.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"

MACHINE_DOOR_JOURNALED(namenode);

enum {
    STEPS = 4 /* of a file: Create, AddBlock, SealBlock, Complete */
};

struct slot {
    struct bench *bench;
    int step;
    uint64_t file;
    uint64_t block;
    uint64_t nodes[LIMIT_REPLICAS];
    size_t nodes_count;
    char path[LOAD_PATH_BYTES];
};

struct bench {
    struct shell *shell;
    struct slot *slots;
    bool has_blocks;
    uint64_t next; /* number of the next file; core thread */
    uint64_t end;
    struct dfs_block_info *blocks; /* of all files */
    size_t blocks_count;
    uint64_t request;
    uint64_t sessions[LOAD_NODES];
    uint64_t failures;
    struct mutex *mutex;
    struct condition *changed;
    size_t active; /* slots at work, under the lock */
};

static void answered(void *user, const struct shell_answer *answer);

static void post(struct slot *slot, enum method method, const void *request)
{
    CHECK(shell_request(slot->bench->shell, method, request, slice_from_string("bench"),
                        slice_make(NULL, 0), answered, slot, NULL) == OK);
}

static void finish_slot(struct bench *bench)
{
    mutex_lock(bench->mutex);
    bench->active--;
    condition_broadcast(bench->changed);
    mutex_unlock(bench->mutex);
}

/* The next call of the slot's file, or the first of the next one. */
static void go_on(struct slot *slot)
{
    struct bench *bench = slot->bench;
    uint64_t request = ++bench->request;
    if (slot->step == 0) {
        if (bench->next == bench->end) {
            finish_slot(bench);
            return;
        }
        struct dfs_create_request create = {.client_id = LOAD_CLIENT,
                                            .request_id = request,
                                            .path = load_path(slot->path, "part", bench->next++),
                                            .overwrite = true, /* one more may be there already */
                                            .create_parents = true};
        post(slot, METHOD_NAMENODE_CREATE, &create);
    } else if (slot->step == 1) {
        struct dfs_add_block_request add = {.client_id = LOAD_CLIENT,
                                            .request_id = request,
                                            .file_id = slot->file,
                                            .length = LOAD_BLOCK_BYTES};
        post(slot, METHOD_NAMENODE_ADD_BLOCK, &add);
    } else if (slot->step == 2) {
        struct dfs_seal_block_request seal = {.client_id = LOAD_CLIENT,
                                              .request_id = request,
                                              .file_id = slot->file,
                                              .block_id = slot->block,
                                              .length = LOAD_BLOCK_BYTES,
                                              .node_ids = slot->nodes,
                                              .node_ids_count = slot->nodes_count};
        post(slot, METHOD_NAMENODE_SEAL_BLOCK, &seal);
    } else {
        struct dfs_complete_request complete = {.client_id = LOAD_CLIENT,
                                                .request_id = request,
                                                .file_id = slot->file,
                                                .length = bench->has_blocks ? LOAD_BLOCK_BYTES : 0};
        post(slot, METHOD_NAMENODE_COMPLETE, &complete);
    }
}

/* On the core thread. */
static void answered(void *user, const struct shell_answer *answer)
{
    struct slot *slot = user;
    struct bench *bench = slot->bench;
    if (answer->status != OK) {
        if (bench->failures++ == 0)
            fprintf(stderr, "namenode_journal: step %d: %.*s\n", slot->step,
                    SLICE_ARGS(answer->text));
        slot->step = 0;
        go_on(slot);
        return;
    }
    if (slot->step == 0) {
        slot->file = ((const struct dfs_create_response *)answer->message)->file_id;
    } else if (slot->step == 1) {
        const struct dfs_add_block_response *added = answer->message;
        slot->block = added->block_id;
        if (bench->blocks != NULL)
            bench->blocks[bench->blocks_count++] =
                (struct dfs_block_info){.block_id = added->block_id, .length = LOAD_BLOCK_BYTES};
        slot->nodes_count = added->targets_count;
        for (size_t i = 0; i < added->targets_count; i++)
            slot->nodes[i] = added->targets[i].node_id;
    }
    slot->step = (slot->step + 1) % STEPS;
    if (slot->step == 1 && !bench->has_blocks)
        slot->step = STEPS - 1;
    go_on(slot);
}

static void create_all(struct bench *bench, uint64_t from, uint64_t to, size_t outstanding)
{
    bench->next = from;
    bench->end = to;
    bench->active = outstanding;
    bench->slots = mem_new(outstanding * sizeof(*bench->slots));
    for (size_t i = 0; i < outstanding; i++) {
        bench->slots[i] = (struct slot){.bench = bench};
    }
    /* The first calls come from this thread, all others from the core's; none before all stand. */
    for (size_t i = 0; i < outstanding; i++) {
        struct dfs_get_status_request first = {.path = slice_from_string("/")};
        bench->slots[i].step = STEPS - 1;
        post(&bench->slots[i], METHOD_NAMENODE_GET_STATUS, &first);
    }
    mutex_lock(bench->mutex);
    while (bench->active > 0)
        condition_wait(bench->changed, bench->mutex);
    mutex_unlock(bench->mutex);
    mem_free(bench->slots);
}

static const void *ask(struct bench *bench,
                       enum method method,
                       const void *request,
                       struct arena *arena)
{
    void *response = NULL;
    struct error error = {0};
    if (shell_ask(bench->shell, method, request, slice_from_string("bench"), slice_make(NULL, 0),
                  clock_monotonic_ms() + LOAD_HOUR_MS, arena, &response, &error) != OK) {
        fprintf(stderr, "namenode_journal: %s\n", error.text);
        exit(1);
    }
    return response;
}

static void ignore(void *user, const struct shell_answer *answer)
{
    (void)user; /* a heartbeat is answered when there is something to do, or at the end */
    (void)answer;
}

static void enrol(struct bench *bench, struct arena *arena)
{
    for (uint64_t i = 0; i < LOAD_NODES; i++) {
        struct dfs_register_datanode_request request = load_register(i);
        const struct dfs_register_datanode_response *response =
            ask(bench, METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request, arena);
        bench->sessions[i] = response->session;
        struct dfs_datanode_heartbeat_request beat = load_heartbeat(i, bench->sessions[i]);
        CHECK(shell_request(bench->shell, METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, &beat,
                            slice_from_string("bench"), slice_make(NULL, 0), ignore, NULL,
                            NULL) == OK);
    }
}

/* Each datanode has all blocks: what the files list says. */
static void report(struct bench *bench, uint64_t files, struct arena *arena)
{
    double begun = load_seconds(CLOCK_PROCESS_CPUTIME_ID);
    double begun_wall = load_seconds(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < LOAD_NODES; i++) {
        uint32_t part = 0;
        for (uint64_t at = 0; at < files || at == 0; at += LIMIT_BLOCKS_PER_REPORT_PART) {
            uint64_t left = files - at;
            uint64_t count =
                left < LIMIT_BLOCKS_PER_REPORT_PART ? left : LIMIT_BLOCKS_PER_REPORT_PART;
            struct dfs_block_report_request request = {.node_id = i + 1,
                                                       .session = bench->sessions[i],
                                                       .serial = 1,
                                                       .part = part++,
                                                       .is_last = at + count == files,
                                                       .blocks = bench->blocks + at,
                                                       .blocks_count = count};
            (void)ask(bench, METHOD_DATANODE_TRACKER_BLOCK_REPORT, &request, arena);
        }
    }
    printf("\"reports_seconds\": %.3f, \"reports_cpu\": %.3f, ",
           load_seconds(CLOCK_MONOTONIC) - begun_wall,
           load_seconds(CLOCK_PROCESS_CPUTIME_ID) - begun);
}

/* The ids of all blocks, from or into the file beside folder. */
static void keep_blocks(struct bench *bench, const char *folder, bool is_creating)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s.blocks", folder);
    FILE *file = fopen(path, is_creating ? "we" : "re");
    size_t done = 0;
    if (file != NULL && is_creating)
        done = fwrite(bench->blocks, sizeof(*bench->blocks), bench->blocks_count, file);
    else if (file != NULL)
        done = fread(bench->blocks, sizeof(*bench->blocks), bench->blocks_count, file);
    if (file == NULL || done != bench->blocks_count || fclose(file) != 0) {
        fprintf(stderr, "namenode_journal: %s cannot be used\n", path);
        exit(1);
    }
}

static enum status open_twin(void *user, void **ret_machine, struct error *reterr_error)
{
    struct namenode_settings settings;
    struct namenode *machine = NULL;
    (void)user;
    load_settings(&settings);
    enum status status = namenode_open(&settings, 1, &machine);
    if (status != OK)
        return error_set(reterr_error, status, "open the second machine");
    *ret_machine = machine;
    return OK;
}

static void make_checkpoint(struct bench *bench, struct arena *arena)
{
    struct dfs_save_checkpoint_request request = {0};
    struct error error = {0};
    void *answer = NULL;
    if (shell_ask(bench->shell, METHOD_NAMENODE_SAVE_CHECKPOINT, &request,
                  slice_from_string("millrace"), slice_make(NULL, 0), INT64_MAX, arena, &answer,
                  &error) != OK) {
        fprintf(stderr, "namenode_journal: checkpoint: %s\n", error.text);
        exit(1);
    }
    const struct dfs_save_checkpoint_response *made = answer;
    printf("\"checkpoint_ms\": %" PRIu64 ", \"checkpoint_bytes\": %" PRIu64 ", ", made->duration_ms,
           made->bytes);
}

static void start(struct bench *bench, const char *folder)
{
    struct error error = {0};
    struct namenode_settings settings;
    struct namenode *machine = NULL;
    struct shell_settings shell = {
        .door = &namenode_door,
        .journal_directory = folder,
        .journal_name = "namenode",
        .checkpoints = {.open_twin = open_twin,
                        .has_method = true,
                        .method = METHOD_NAMENODE_SAVE_CHECKPOINT},
        .journal_reserve_bytes = (uint64_t)16 << 20
    };
    load_settings(&settings);
    double begun = load_seconds(CLOCK_MONOTONIC);
    double begun_cpu = load_seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (namenode_open(&settings, 1, &machine) != OK ||
        shell_open(&shell, &bench->shell, &error) != OK ||
        shell_attach(bench->shell, machine, &error) != OK ||
        shell_start(bench->shell, &error) != OK) {
        fprintf(stderr, "namenode_journal: %s\n", error.text);
        exit(1);
    }
    printf("{\"open_seconds\": %.3f, \"open_cpu\": %.3f, ", load_seconds(CLOCK_MONOTONIC) - begun,
           load_seconds(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu);
    printf("\"resident_bytes\": %" PRIu64 ", ", load_resident_bytes());
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 5)
        return 2;
    struct bench bench = {.mutex = mutex_open(),
                          .changed = condition_open(),
                          /* above those of earlier runs, whose results are remembered */
                          .request = (uint64_t)clock_wall_ms() * 1000000};
    struct arena *arena = arena_open(0);
    uint64_t files = strtoull(arguments[2], NULL, 10);
    size_t outstanding = strtoull(arguments[3], NULL, 10);
    bool is_creating = strcmp(arguments[4], "create") == 0 || strcmp(arguments[4], "names") == 0;
    bench.has_blocks = strcmp(arguments[4], "names") != 0;
    bench.blocks = mem_new((files + 2) * sizeof(*bench.blocks));
    if (!is_creating) {
        bench.blocks_count = files;
        keep_blocks(&bench, arguments[1], false);
    }
    start(&bench, arguments[1]);
    enrol(&bench, arena);
    report(&bench, is_creating ? 0 : files, arena);
    double begun = load_seconds(CLOCK_MONOTONIC);
    double begun_cpu = load_seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct shell_counters before = shell_counters_get(bench.shell);
    if (is_creating)
        create_all(&bench, 0, files, outstanding);
    else
        create_all(&bench, files, files + 1, 1);
    if (strcmp(arguments[4], "checkpoint") == 0)
        make_checkpoint(&bench, arena);
    double seconds = load_seconds(CLOCK_MONOTONIC) - begun;
    struct shell_counters after = shell_counters_get(bench.shell);
    printf("\"create_seconds\": %.3f, \"create_cpu\": %.3f, \"syncs\": %" PRIu64
           ", \"failures\": %" PRIu64 ", \"full_bytes\": %" PRIu64 "}\n",
           seconds, load_seconds(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu,
           after.journal_syncs - before.journal_syncs, bench.failures, load_resident_bytes());
    if (is_creating && bench.has_blocks)
        keep_blocks(&bench, arguments[1], true);
    shell_close(bench.shell);
    mem_free(bench.blocks);
    arena_close(arena);
    condition_close(bench.changed);
    mutex_close(bench.mutex);
    return bench.failures == 0 ? 0 : 1;
}
