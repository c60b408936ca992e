/*
 * put.c - an actor writes a file: create, add block, send to the pipeline, seal, complete.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "tests/sim/actors.h"

enum {
    MIN_REPLICAS = 2,
    CALL_MS = 5000,
    RETRY_MS = 300
};

bool status_is_passing(enum status status)
{
    return status == ERR_UNAVAILABLE || status == ERR_DEADLINE || status == ERR_SAFE_MODE ||
           status == ERR_NO_NODES || status == ERR_BUSY || status == ERR_CANCELLED;
}

uint64_t actor_client_id(const struct process *process)
{
    return (uint64_t)process->kind * 1000000 + process->number + 1;
}

static struct put *put_of(struct process *process)
{
    return &((struct actor *)process->state)->put;
}

static void phase_set(struct put *put, enum put_phase phase)
{
    put->phase = phase;
    put->request_id = (*put->next_request_id)++;
}

static void call(struct world *world,
                 struct process *process,
                 enum method method,
                 const void *message)
{
    world_call(world, process, 0, world->scenario->namenode->address, method, message, CALL_MS);
}

static void call_create(struct world *world, struct process *process)
{
    struct put *put = put_of(process);
    struct dfs_create_request request = {
        .client_id = put->client_id,
        .request_id = put->request_id,
        .path = slice_from_string(put->path),
        .overwrite = true,
        .create_parents = true,
    };
    call(world, process, METHOD_NAMENODE_CREATE, &request);
}

static void call_add(struct world *world, struct process *process)
{
    struct put *put = put_of(process);
    char host[32];
    (void)snprintf(host, sizeof host, "host%u", process->host);
    struct dfs_add_block_request request = {
        .client_id = put->client_id,
        .request_id = put->request_id,
        .file_id = put->file_id,
        .client_host = slice_from_string(host),
        .length = SCENARIO_BLOCK_BYTES,
        .abandoned_block_id = put->abandoned_id,
        .excluded_node_ids = put->excluded,
        .excluded_node_ids_count = put->excluded_count,
    };
    call(world, process, METHOD_NAMENODE_ADD_BLOCK, &request);
}

static void call_seal(struct world *world, struct process *process)
{
    struct put *put = put_of(process);
    struct dfs_seal_block_request request = {
        .client_id = put->client_id,
        .request_id = put->request_id,
        .file_id = put->file_id,
        .block_id = put->block_id,
        .length = SCENARIO_BLOCK_BYTES,
        .crc32c = put->crc[put->block],
        .node_ids = put->synced,
        .node_ids_count = put->synced_count,
    };
    call(world, process, METHOD_NAMENODE_SEAL_BLOCK, &request);
}

static void call_complete(struct world *world, struct process *process)
{
    struct put *put = put_of(process);
    struct dfs_complete_request request = {
        .client_id = put->client_id,
        .request_id = put->request_id,
        .file_id = put->file_id,
        .length = (uint64_t)put->blocks * SCENARIO_BLOCK_BYTES,
    };
    call(world, process, METHOD_NAMENODE_COMPLETE, &request);
}

static void go_on(struct world *world, struct process *process, uint64_t tag)
{
    (void)tag;
    switch (put_of(process)->phase) {
    case PUT_CREATE:
        call_create(world, process);
        return;
    case PUT_ADD:
        call_add(world, process);
        return;
    case PUT_SEAL:
        call_seal(world, process);
        return;
    case PUT_COMPLETE:
        call_complete(world, process);
        return;
    case PUT_SEND:
    case PUT_DONE:
        return;
    }
}

static void restart(struct world *world, struct process *process)
{
    struct put *put = put_of(process);
    put->block = 0;
    put->abandoned_id = 0;
    phase_set(put, PUT_CREATE);
    world_wake(world, process, RETRY_MS, go_on, 0);
}

static void sent(struct world *world,
                 struct process *process,
                 uint64_t tag,
                 const uint64_t *node_ids,
                 size_t count)
{
    struct put *put = put_of(process);
    if (put->phase != PUT_SEND || put->block_id != tag)
        return;
    if (count < MIN_REPLICAS) {
        put->abandoned_id = put->block_id;
        phase_set(put, PUT_ADD);
        world_wake(world, process, RETRY_MS, go_on, 0);
        return;
    }
    memcpy(put->synced, node_ids, count * sizeof *node_ids);
    put->synced_count = count;
    phase_set(put, PUT_SEAL);
    go_on(world, process, 0);
}

static void send_block(struct world *world,
                       struct process *process,
                       const struct dfs_add_block_response *response)
{
    struct put *put = put_of(process);
    struct dfs_block_info block = {.block_id = response->block_id,
                                   .length = SCENARIO_BLOCK_BYTES,
                                   .crc32c = put->crc[put->block]};
    put->block_id = response->block_id;
    put->abandoned_id = 0;
    put->phase = PUT_SEND;
    block_send(world, process, &block, response->targets, response->targets_count, sent,
               response->block_id);
}

void put_start(struct world *world,
               struct process *process,
               const char *path,
               const uint32_t *crc,
               uint32_t blocks,
               put_done_function *done)
{
    struct actor *actor = process->state;
    struct put *put = &actor->put;
    CHECK(blocks <= PUT_BLOCKS_MAX);
    *put = (struct put){.blocks = blocks,
                        .client_id = actor_client_id(process),
                        .next_request_id = &actor->next_request_id,
                        .done = done};
    (void)snprintf(put->path, sizeof put->path, "%s", path);
    memcpy(put->crc, crc, blocks * sizeof *crc);
    actor->is_putting = true;
    phase_set(put, PUT_CREATE);
    go_on(world, process, 0);
}

static void sealed(struct world *world, struct process *process)
{
    struct put *put = put_of(process);
    put->block++;
    phase_set(put, put->block < put->blocks ? PUT_ADD : PUT_COMPLETE);
    go_on(world, process, 0);
}

static void seal_failed(struct world *world, struct process *process)
{
    struct put *put = put_of(process);
    put->abandoned_id = put->block_id;
    phase_set(put, PUT_ADD);
    world_wake(world, process, RETRY_MS, go_on, 0);
}

void put_answered(struct world *world,
                  struct process *process,
                  enum status status,
                  const void *message)
{
    struct put *put = put_of(process);
    bool is_no_nodes = status == ERR_NO_NODES && put->phase == PUT_SEAL;
    if (status_is_passing(status) && !is_no_nodes) {
        world_wake(world, process, RETRY_MS, go_on, 0); /* the same request again */
        return;
    }
    if (status != OK) {
        if (put->phase == PUT_SEAL)
            seal_failed(world, process);
        else
            restart(world, process);
        return;
    }
    if (put->phase == PUT_CREATE) {
        put->file_id = ((const struct dfs_create_response *)message)->file_id;
        phase_set(put, put->blocks > 0 ? PUT_ADD : PUT_COMPLETE);
        go_on(world, process, 0);
    } else if (put->phase == PUT_ADD) {
        send_block(world, process, message);
    } else if (put->phase == PUT_SEAL) {
        sealed(world, process);
    } else if (put->phase == PUT_COMPLETE) {
        put->phase = PUT_DONE;
        ((struct actor *)process->state)->is_putting = false;
        put->done(world, process);
    }
}
