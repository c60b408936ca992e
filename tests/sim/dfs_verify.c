/*
 * dfs_verify.c - the end of a run: faults are over, and within a bounded time everything must be
 * well: on the disks, in the namenode's view, and for a reader of every file.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

enum {
    LOOK_MS = 2000,
    ASK_MS = 5000
};

/* --- the disks
 * ---------------------------------------------------------------------------------------- */
static size_t count_live(const struct world *world)
{
    size_t count = 0;
    for (uint32_t i = 0; i < world->dfs->plan.nodes; i++)
        count += world->dfs->datanodes[i]->is_up;
    return count;
}

static size_t count_racks(const struct world *world, uint64_t block_id)
{
    bool has_rack[DFS_NODES_MAX] = {false};
    size_t count = 0;
    for (uint32_t i = 0; i < world->dfs->plan.nodes; i++) {
        const struct process *datanode = world->dfs->datanodes[i];
        uint32_t rack = world->dfs->racks[i];
        bool counts =
            datanode->is_up && (block_id == 0 || disk_find(dfs_disk(datanode), block_id) != NULL);
        count += counts && !has_rack[rack];
        has_rack[rack] = has_rack[rack] || counts;
    }
    return count;
}

static bool file_is_well(const struct world *world,
                         const struct model_node *file,
                         char *why,
                         size_t size)
{
    size_t replicas = file->replication < count_live(world) ? file->replication : count_live(world);
    for (size_t i = 0; i < file->blocks_count; i++) {
        const struct model_block *block = &file->blocks[i];
        size_t good = dfs_good_replicas(world, block);
        if (good != replicas) {
            (void)snprintf(why, size, "I10 block %llu of %s has %zu good replicas instead of %zu",
                           (unsigned long long)block->id, file->name, good, replicas);
            return false;
        }
        if (replicas >= 2 && count_racks(world, 0) >= 2 && count_racks(world, block->id) < 2) {
            (void)snprintf(why, size, "I10 block %llu of %s is in one rack",
                           (unsigned long long)block->id, file->name);
            return false;
        }
    }
    return true;
}

static bool disks_have_nothing_else(const struct world *world,
                                    const struct map_u64 *wanted,
                                    char *why,
                                    size_t size)
{
    for (uint32_t i = 0; i < world->dfs->plan.nodes; i++) {
        const struct disk *disk = dfs_disk(world->dfs->datanodes[i]);
        struct disk_cursor cursor = {0};
        const struct disk_block *block;
        while (!disk->is_gone && (block = disk_next(disk, &cursor)) != NULL) {
            uint64_t id = block->info.block_id;
            bool is_wanted = map_u64_get(wanted, id) != NULL;
            if (disk->is_failed[block->volume]) /* it waits for a person */
                continue;
            if (is_wanted && !block->is_quarantined)
                continue;
            (void)snprintf(why, size, "I9 dn%u still has %s replica of block %llu", i,
                           is_wanted ? "a corrupt" : "an orphan", (unsigned long long)id);
            return false;
        }
    }
    return true;
}

/* NULL: nothing is under way any more. */
static const char *under_way(const struct world *world)
{
    const struct dfs_sim *sim = world->dfs;
    if (!dfs_clients_are_idle(world) || !dfs_admin_is_done(world))
        return "I10 a client is not done";
    if (!sim->namenode->is_up || !sim->is_healthy)
        return "I10 the namenode says that blocks are not well";
    if (dfs_identity_is_open(world))
        return "I5 a copied folder and its original are both running";
    if (sim->stranger && sim->stranger->exit_code != DFS_EXIT_REFUSED)
        return "I5 another cluster's datanode is not refused";
    for (const struct model_node *node = model_walk(sim->model, NULL); node;
         node = model_walk(sim->model, node))
        if (model_trash_is_overdue(sim->model, node, sim->peace_ms))
            return "I9 the trash is not emptied";
    return NULL;
}

static bool all_is_well(const struct world *world, char *why, size_t size)
{
    const struct dfs_sim *sim = world->dfs;
    const char *what = under_way(world);
    bool is_well = what == NULL;
    (void)snprintf(why, size, "%s", what ? what : "");
    struct map_u64 *wanted = map_u64_open();
    for (const struct model_node *node = model_walk(sim->model, NULL); is_well && node;
         node = model_walk(sim->model, node)) {
        for (size_t i = 0; i < node->blocks_count; i++)
            (void)map_u64_put(wanted, node->blocks[i].id, world->dfs);
        is_well = !node->is_writing && file_is_well(world, node, why, size);
        if (node->is_writing)
            (void)snprintf(why, size, "I10 %s is still under construction", node->name);
    }
    is_well = is_well && disks_have_nothing_else(world, wanted, why, size);
    map_u64_close(wanted);
    return is_well;
}

/* --- a reader of everything
 * --------------------------------------------------------------------------- */
struct asking {
    bool is_answered;
    enum status status;
    const void *answer;
    struct arena *arena;
    uint8_t bytes[DFS_BLOCK_BYTES];
    uint64_t length;
};

static void asker_answered(struct world *world,
                           struct process *process,
                           uint64_t tag,
                           enum method method,
                           enum status status,
                           const void *message)
{
    struct asking *asking = process->state;
    (void)world;
    (void)tag;
    asking->is_answered = true;
    asking->status = status;
    if (status == OK)
        asking->answer = message_copy(method_info(method)->response, message, asking->arena);
}

static void asker_read(struct world *world,
                       struct process *process,
                       uint64_t tag,
                       enum status status,
                       const uint8_t *bytes,
                       uint64_t length)
{
    struct asking *asking = process->state;
    (void)world;
    (void)tag;
    asking->is_answered = true;
    asking->status = status;
    asking->length = length;
    if (status == OK)
        memcpy(asking->bytes, bytes, sizeof asking->bytes);
}

static void wait_for_answer(struct world *world, struct asking *asking)
{
    int64_t limit_ms = world->now_ms + ASK_MS;
    while (!asking->is_answered && world_advance(world, limit_ms))
        continue;
    if (!asking->is_answered)
        asking->status = ERR_DEADLINE;
}

const void *dfs_ask(struct world *world,
                    enum method method,
                    const void *message,
                    enum status *ret_status)
{
    struct process *asker = world->dfs->asker;
    struct asking *asking = asker->state;
    asking->is_answered = false;
    world_call(world, asker, 1, world->dfs->namenode->address, method, message, ASK_MS);
    wait_for_answer(world, asking);
    *ret_status = asking->status;
    return asking->status == OK ? asking->answer : NULL;
}

/* True when it could be read; it may have been moved elsewhere since it was named. */
static bool read_replica(struct world *world,
                         struct process *asker,
                         const struct dfs_located_block *block,
                         uint64_t node_id)
{
    struct asking *asking = asker->state;
    const struct content *content = map_u64_get(world->dfs->contents, block->block_id);
    asking->is_answered = false;
    dfs_read(world, asker, node_id, block->block_id, asker_read, 1);
    wait_for_answer(world, asking);
    if (asking->status == ERR_NOT_FOUND)
        return false;
    if (asking->status != OK)
        world_fail(world, "I12 block %llu cannot be read from node %llu: %s",
                   (unsigned long long)block->block_id, (unsigned long long)node_id,
                   status_name(asking->status));
    else if (!content || content->length != asking->length ||
             memcmp(content->bytes, asking->bytes, content->length) != 0)
        world_fail(world, "I6 block %llu on node %llu has bytes that nobody wrote",
                   (unsigned long long)block->block_id, (unsigned long long)node_id);
    return true;
}

static void read_file(struct world *world, struct process *asker, uint64_t file_id)
{
    const struct model_node *file = model_node_by_id(world->dfs->model, file_id);
    char path[DFS_PATH_MAX];
    if (!file)
        return; /* the trash was emptied meanwhile */
    dfs_path_of(file, path);
    struct dfs_get_blocks_request request = {.path = slice_from_string(path)};
    enum status status = OK;
    const struct dfs_get_blocks_response *response =
        dfs_ask(world, METHOD_NAMENODE_GET_BLOCKS, &request, &status);
    const struct model_node *found = model_find(world->dfs->model, slice_from_string(path));
    if (!response && (!found || found->id != file_id))
        return; /* or has become a checkpoint */
    if (!response) {
        world_fail(world, "I2 %s cannot be read: %s", path, status_name(status));
        return;
    }
    for (size_t i = 0; i < response->blocks_count && !world->has_failed; i++) {
        const struct dfs_located_block *block = &response->blocks[i];
        size_t read = 0;
        for (size_t j = 0; j < block->replicas_count && !world->has_failed; j++)
            read += read_replica(world, asker, block, block->replicas[j].node.node_id);
        if (read == 0 && model_node_by_id(world->dfs->model, file_id))
            world_fail(world, "I2 block %llu of %s cannot be read from any of %zu replicas",
                       (unsigned long long)block->block_id, path, block->replicas_count);
    }
}

static void ask_everything(struct world *world)
{
    struct asking asking = {.arena = arena_open(0)};
    struct process *asker =
        world_process_add(world, PROCESS_CLIENT, 99, DFS_ADMIN_HOST, slice_from_string("millrace"));
    world->dfs->asker = asker;
    asker->state = &asking;
    asker->on_answer = asker_answered;
    asker->is_up = true;
    const struct model *model = world->dfs->model;
    size_t count = 0;
    uint64_t *ids = ARENA_ARRAY(asking.arena, uint64_t, map_u64_count(model->nodes) + 1);
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node))
        if (node->kind == FILE_REGULAR)
            ids[count++] = node->id;
    for (size_t i = 0; i < count && !world->has_failed; i++)
        read_file(world, asker, ids[i]);
    if (!world->has_failed)
        dfs_fsck(world);
    asker->is_up = false;
    asker->state = NULL;
    arena_close(asking.arena);
}

void dfs_verify(struct world *world)
{
    char why[200] = "";
    int64_t limit_ms = world->now_ms + DFS_LIMIT_MS;
    bool is_well = false;
    while (!is_well && !world->has_failed && world->now_ms < limit_ms) {
        dfs_run_until(world, world->now_ms + LOOK_MS);
        is_well = !world->has_failed && all_is_well(world, why, sizeof why);
    }
    if (!is_well)
        world_fail(world, "after %d s of peace: %s", DFS_LIMIT_MS / 1000, why);
    if (!world->has_failed)
        dfs_watch_compare(world);
    if (!world->has_failed)
        ask_everything(world);
}
