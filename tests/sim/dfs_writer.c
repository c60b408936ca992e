/*
 * dfs_writer.c - a client writes a file: create or append, blocks, complete or abandon. It may die
 * or sleep beyond its lease between any two steps.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "tests/sim/dfs_client.h"

static void write_add(struct world *world, struct process *process);
static void write_complete(struct world *world, struct process *process);

/* --- writing
 * ------------------------------------------------------------------------------------------ */
static void draw_content(struct world *world, struct write *write)
{
    /* Small blocks are worth merging. */
    uint32_t length_max = rng_chance(&world->rng, 300000) ? DFS_BLOCK_BYTES / 8 : DFS_BLOCK_BYTES;
    *write = (struct write){.blocks = (uint32_t)rng_below(&world->rng, DFS_BLOCKS_MAX),
                            .will_abandon = rng_chance(&world->rng, 80000)};
    for (uint32_t i = 0; i < write->blocks; i++) {
        struct content *content = &write->content[i];
        content->length = 1 + (uint32_t)rng_below(&world->rng, length_max);
        for (uint32_t j = 0; j < content->length; j++)
            content->bytes[j] = (uint8_t)rng_below(&world->rng, 256);
    }
}

/* Truncates first, now and then: to nothing, to where a block begins, or to anywhere. */
static void draw_keep_length(struct world *world, struct dfs_append_request *request)
{
    const struct model_node *file = model_find(world->dfs->model, request->path);
    if (!file || !rng_chance(&world->rng, 400000))
        return;
    request->has_keep_length = true;
    if (rng_chance(&world->rng, 200000))
        request->keep_length = rng_below(&world->rng, 100);
    else if (file->blocks_count > 0)
        for (uint64_t i = rng_below(&world->rng, file->blocks_count); i > 0; i--)
            request->keep_length += file->blocks[i - 1].length;
}

void dfs_write_append(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    char path[DFS_PATH_MAX];
    dfs_client_likely_path(world, path, FILE_REGULAR);
    draw_content(world, &client->write);
    client->write.is_append = true;
    struct dfs_append_request request = {.client_id = client->client_id,
                                         .request_id = client->next_request_id++,
                                         .path = slice_from_string(path)};
    draw_keep_length(world, &request);
    dfs_client_call(world, process, METHOD_NAMENODE_APPEND, request.request_id, &request);
}

void dfs_write_create(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    char path[DFS_PATH_MAX];
    dfs_client_random_path(world, path);
    draw_content(world, &client->write);
    struct dfs_create_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .permission = rng_chance(&world->rng, 200000) ? 0600 : 0,
        .replication =
            rng_chance(&world->rng, 150000) ? 2 + (uint32_t)rng_below(&world->rng, 3) : 0,
        .overwrite = rng_chance(&world->rng, 500000),
        .create_parents = rng_chance(&world->rng, 700000),
    };
    uint32_t replicated_ppm = world->dfs->plan.replicated_ppm;
    if (replicated_ppm > 0 && rng_chance(&world->rng, replicated_ppm)) {
        request.durability = DURABILITY_REPLICATED;
        world->dfs->counters.unsynced_files++;
    }
    dfs_client_call(world, process, METHOD_NAMENODE_CREATE, request.request_id, &request);
}

static void write_fails(struct world *world, struct process *process, enum status status)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    bool is_refused =
        status == ERR_BAD_TRANSITION || status == ERR_NOT_FOUND || status == ERR_DENIED;
    if (client->was_zombie && is_refused)
        world->dfs->counters.zombies_refused++;
    bool abandons = write->step != WRITE_ABANDON && write->step != WRITE_CREATE &&
                    rng_chance(&world->rng, 700000);
    if (!abandons) {
        dfs_client_done(world, process); /* what is left is the lease's */
        return;
    }
    write->step = WRITE_ABANDON;
    struct dfs_abandon_request request = {.client_id = client->client_id,
                                          .request_id = client->next_request_id++,
                                          .file_id = write->file_id};
    dfs_client_call(world, process, METHOD_NAMENODE_ABANDON, request.request_id, &request);
}

static void write_wakes(struct world *world, struct process *process, uint64_t tag)
{
    struct client *client = dfs_client_of(process);
    if (client->tag != tag)
        return;
    client->is_paused = false;
    if (client->write.step == WRITE_ADD)
        write_add(world, process);
    else
        write_complete(world, process);
}

/* The writer sleeps beyond its lease, or dies; true: it does nothing more for now. */
static bool write_is_struck(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    const struct dfs_plan *plan = &world->dfs->plan;
    if (world->dfs->is_peace)
        return false;
    if (rng_chance(&world->rng, plan->death_ppm)) {
        world->dfs->counters.writers_died++;
        world_process_crash(world, process);
        return true;
    }
    if (client->is_paused || client->was_zombie || !rng_chance(&world->rng, plan->zombie_ppm))
        return false;
    client->is_paused = true;
    client->was_zombie = true;
    client->tag++;
    world->dfs->counters.zombies++;
    int64_t sleep_ms = DFS_LEASE_MS + (int64_t)rng_below(&world->rng, 2 * DFS_LEASE_HARD_MS);
    world_trace(world, "client%u sleeps for %lld ms", process->number, (long long)sleep_ms);
    world_wake(world, process, sleep_ms, write_wakes, client->tag);
    return true;
}

static void write_add(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    write->step = WRITE_ADD;
    if (write_is_struck(world, process))
        return;
    char host[32];
    (void)snprintf(host, sizeof host, "host%u", process->host);
    struct dfs_add_block_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .file_id = write->file_id,
        .client_host = slice_from_string(host),
        .length = write->content[write->block].length,
        .abandoned_block_id = write->abandoned_id,
        .excluded_node_ids = &write->excluded_id,
        .excluded_node_ids_count = write->excluded_id != 0,
    };
    dfs_client_call(world, process, METHOD_NAMENODE_ADD_BLOCK, request.request_id, &request);
}

static void write_complete(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    uint64_t length = write->kept_length;
    write->step = WRITE_COMPLETE;
    if (write_is_struck(world, process))
        return;
    if (write->will_abandon) {
        write_fails(world, process, ERR_CANCELLED);
        return;
    }
    for (uint32_t i = 0; i < write->blocks; i++)
        length += write->content[i].length;
    struct dfs_complete_request request = {.client_id = client->client_id,
                                           .request_id = client->next_request_id++,
                                           .file_id = write->file_id,
                                           .length = length};
    dfs_client_call(world, process, METHOD_NAMENODE_COMPLETE, request.request_id, &request);
}

static void write_next_block(struct world *world, struct process *process)
{
    struct write *write = &dfs_client_of(process)->write;
    if (write->block < write->blocks)
        write_add(world, process);
    else
        write_complete(world, process);
}

/* Another try of the block, on other nodes. */
static void write_again(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    write->abandoned_id = write->block_id;
    if (++write->tries > BLOCK_TRIES) {
        write_fails(world, process, ERR_NO_NODES);
        return;
    }
    write->step = WRITE_ADD;
    client->tag++;
    world_wake(world, process, DFS_RETRY_MS, write_wakes, client->tag);
}

static void write_seal(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    const struct content *content = &write->content[write->block];
    write->step = WRITE_SEAL;
    struct dfs_seal_block_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .file_id = write->file_id,
        .block_id = write->block_id,
        .length = content->length,
        .crc32c = crc32c_update(0, content->bytes, content->length),
        .node_ids = write->synced,
        .node_ids_count = write->synced_count,
    };
    dfs_client_call(world, process, METHOD_NAMENODE_SEAL_BLOCK, request.request_id, &request);
}

/* The planted bug: the writer says of a node that it has the block, whether it has or not. */
static void claim_more(struct write *write)
{
    for (size_t i = 0; i < write->targets_count && write->synced_count < 2; i++)
        if (write->synced_count == 0 || write->targets[i].node_id != write->synced[0])
            write->synced[write->synced_count++] = write->targets[i].node_id;
}

static void write_sent(struct world *world,
                       struct process *process,
                       uint64_t tag,
                       const uint64_t *node_ids,
                       size_t count)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    if (client->tag != tag)
        return;
    memcpy(write->synced, node_ids, count * sizeof *node_ids);
    write->synced_count = count;
    if (world->bug == (enum world_bug)BUG_SEALS_ONE && count == 1)
        claim_more(write);
    write->excluded_id = 0;
    for (size_t i = 0; i < write->targets_count && count < write->targets_count; i++) {
        bool is_synced = false;
        for (size_t j = 0; j < count; j++)
            is_synced = is_synced || node_ids[j] == write->targets[i].node_id;
        if (!is_synced)
            write->excluded_id = write->targets[i].node_id;
    }
    if (write->synced_count < write->min_replicas)
        write_again(world, process);
    else
        write_seal(world, process);
}

static void write_send(struct world *world,
                       struct process *process,
                       const struct dfs_add_block_response *response)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    const struct content *content = &write->content[write->block];
    struct content *kept = MEM_NEW(struct content);
    *kept = *content;
    mem_free(map_u64_put(world->dfs->contents, response->block_id, kept));
    dfs_token_check(world, response->token, response->block_id, BLOCK_WRITE, process->user);
    write->step = WRITE_SEND;
    write->block_id = response->block_id;
    write->abandoned_id = 0;
    write->targets_count =
        response->targets_count < DFS_NODES_MAX ? response->targets_count : DFS_NODES_MAX;
    for (size_t i = 0; i < write->targets_count; i++)
        write->targets[i].node_id = response->targets[i].node_id;
    struct dfs_block_info block = {.block_id = response->block_id,
                                   .length = content->length,
                                   .crc32c = crc32c_update(0, content->bytes, content->length)};
    client->tag++;
    dfs_send(world, process, &block, content->bytes, write->targets, write->targets_count,
             response->durability, write_sent, client->tag);
}

static const struct client *client_with_id(const struct world *world, uint64_t client_id)
{
    for (size_t i = 0; i < DFS_CLIENTS; i++)
        if (dfs_client_of(world->dfs->clients[i])->client_id == client_id)
            return dfs_client_of(world->dfs->clients[i]);
    return NULL;
}

void dfs_clients_check(struct world *world,
                       uint64_t client_id,
                       uint64_t written_id,
                       uint64_t file_id)
{
    const struct client *client = client_with_id(world, client_id);
    const struct model_node *file = model_node_by_id(world->dfs->model, file_id);
    if (!client || client->write.file_id != written_id)
        return; /* the writer has died since */
    const struct write *write = &client->write;
    bool is_same = file && (write->is_append ? file->blocks_count >= write->blocks
                                             : file->blocks_count == write->blocks);
    for (uint32_t i = 0; is_same && i < write->blocks; i++) {
        size_t at = file->blocks_count - write->blocks + i;
        const struct content *own = &write->content[i];
        const struct content *kept = map_u64_get(world->dfs->contents, file->blocks[at].id);
        is_same = kept && kept->length == own->length &&
                  memcmp(kept->bytes, own->bytes, own->length) == 0;
    }
    if (!is_same)
        world_fail(world, "I2 the completed file %llu is not what was written",
                   (unsigned long long)file_id);
}

static void write_begins(struct process *process, const void *message)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    const struct dfs_create_response *created = message;
    const struct dfs_append_response *appended = message;
    write->file_id = write->is_append ? appended->file_id : created->file_id;
    write->min_replicas = write->is_append ? appended->min_replicas : created->min_replicas;
    write->kept_length = write->is_append ? appended->length : 0;
    client->is_writing = true;
}

void dfs_write_answered(struct world *world,
                        struct process *process,
                        enum status status,
                        const void *message)
{
    struct client *client = dfs_client_of(process);
    struct write *write = &client->write;
    bool may_repeat =
        write->step == WRITE_SEAL && (status == ERR_NOT_FOUND || status == ERR_NO_NODES);
    bool is_crowded = write->step == WRITE_ADD && status == ERR_NO_NODES;
    if (may_repeat && !client->was_zombie) {
        write_again(world, process);
        return;
    }
    if (is_crowded) {
        write->excluded_id = 0;
        write->block_id = write->abandoned_id;
        write_again(world, process);
        return;
    }
    if (status != OK) {
        write_fails(world, process, status);
        return;
    }
    switch (write->step) {
    case WRITE_CREATE:
        write_begins(process, message);
        write_next_block(world, process);
        return;
    case WRITE_ADD:
        write_send(world, process, message);
        return;
    case WRITE_SEAL:
        write->block++;
        write->tries = 0;
        write_next_block(world, process);
        return;
    case WRITE_COMPLETE:
        dfs_client_done(world, process);
        return;
    case WRITE_SEND:
    case WRITE_ABANDON:
        dfs_client_done(world, process);
        return;
    }
}

void dfs_write_renew(struct world *world, struct process *process, uint64_t tag)
{
    struct client *client = dfs_client_of(process);
    (void)tag;
    struct dfs_renew_lease_request request = {.client_id = client->client_id};
    if (client->is_writing && !client->is_paused)
        world_call(world, process, RENEW_TAG, world->dfs->namenode->address,
                   METHOD_NAMENODE_RENEW_LEASE, &request, 1000);
    world_wake(world, process, DFS_LEASE_MS / 3, dfs_write_renew, 0);
}
