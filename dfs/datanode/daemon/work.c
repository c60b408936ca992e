/*
 * work.c - the machine's effects: each becomes a job for a worker thread, which answers it.
 */
#include <inttypes.h>
#include <string.h>

#include "dfs/datanode/daemon/job.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/model/limits.h"
#include "lib/net/http_client.h"
#include "lib/os/clock.h"

/* --- small ones ---------------------------------------------------------------------------------
 */

static enum status save_identity(struct job *job)
{
    struct node *node = job->node;
    enum status first = OK;
    size_t saved = 0;
    for (size_t i = 0; i < volumes_count(node->volumes); i++) {
        struct error error = {0};
        if (!volumes_is_usable(node->volumes, i))
            continue;
        enum status status = volumes_sign(node->volumes, i, job->cluster_id, &error);
        if (status == OK) {
            saved++;
            continue;
        }
        node_tell_volume(node, i, error.text);
        first = error_set(&job->error, status, "%s", error.text);
    }
    if (saved == 0)
        return first != OK ? first
                           : error_set(&job->error, ERR_IO, "every volume of the node has failed");
    atomic_store(&node->cluster_id, job->cluster_id);
    return OK;
}

struct latencies_told {
    struct datanode_latencies data;
    struct arena *arena;
};

static void free_latencies(void *data)
{
    struct latencies_told *told = data;
    arena_close(told->arena);
    mem_free(told);
}

/* Beside the measurement of the first volume, because that comes round anyway. */
static void tell_latencies(struct node *node)
{
    struct latencies_told *told = MEM_NEW(struct latencies_told);
    told->arena = arena_open(0);
    int64_t now_us = clock_monotonic_us();
    size_t count = volumes_count(node->volumes);
    struct dfs_latency_report *volumes = ARENA_ARRAY(told->arena, struct dfs_latency_report, count);
    for (size_t i = 0; i < count; i++)
        volumes[i] = latencies_of_volume(node->latencies, i, now_us);
    told->data.node = latencies_of_node(node->latencies, now_us);
    told->data.volumes = volumes;
    told->data.peers =
        latencies_of_peers(node->latencies, now_us, told->arena, &told->data.peers_count);
    shell_local(node->shell, DATANODE_LOCAL_LATENCIES, told, free_latencies);
}

static bool is_first_usable(const struct node *node, size_t volume)
{
    for (size_t i = 0; i < volume; i++) {
        if (volumes_is_usable(node->volumes, i))
            return false;
    }
    return true;
}

static enum status measure_space(struct job *job)
{
    if (is_first_usable(job->node, job->volume))
        tell_latencies(job->node);
    struct store_space space;
    enum status status = volumes_space_get(job->node->volumes, job->volume, &space, &job->error);
    if (status != OK)
        return status;
    struct datanode_space *data = MEM_NEW(struct datanode_space);
    *data = (struct datanode_space){space.volume_bytes, space.free_bytes};
    job->data = data;
    return OK;
}

/* The text lies behind its struct, so that both are freed as one. */
static enum status find_namenode(struct job *job)
{
    const char *address = NULL;
    enum status status =
        daemon_find(job->node->daemon, "namenode", job->arena, &address, &job->error);
    if (status != OK)
        return status;
    size_t length = strlen(address);
    struct datanode_namenode *found = mem_new(sizeof(*found) + length + 1);
    char *text = (char *)(found + 1);
    memcpy(text, address, length + 1);
    found->address = slice_make(text, length);
    job->data = found;
    return OK;
}

static const char *const job_names[DATANODE_EFFECT_COUNT] = {
    [DATANODE_EFFECT_COPY_BLOCK] = "copy",
    [DATANODE_EFFECT_MERGE_BLOCKS] = "merge",
    [DATANODE_EFFECT_DELETE_BLOCK] = "delete",
    [DATANODE_EFFECT_QUARANTINE_BLOCK] = "quarantine",
    [DATANODE_EFFECT_SCRUB_BLOCK] = "scrub",
    [DATANODE_EFFECT_SAVE_IDENTITY] = "save_identity",
    [DATANODE_EFFECT_MEASURE_SPACE] = "measure",
    [DATANODE_EFFECT_SAVE_POSITION] = "save_position",
    [DATANODE_EFFECT_FIND_NAMENODE] = "find_namenode",
};

/* On a volume that has failed in the meantime nothing is touched any more. */
static enum status perform_on_block(struct job *job)
{
    struct store *store;
    uint64_t block_id = job->block.block_id;
    enum status status = volumes_store(job->node->volumes, job->volume, &store, &job->error);
    if (status != OK)
        return status;
    switch ((enum datanode_effect)job->effect) {
    case DATANODE_EFFECT_COPY_BLOCK:
        return node_copy_block(job, store);
    case DATANODE_EFFECT_DELETE_BLOCK:
        return store_delete(store, block_id, &job->error);
    case DATANODE_EFFECT_QUARANTINE_BLOCK:
        return store_quarantine(store, block_id, &job->error);
    case DATANODE_EFFECT_SCRUB_BLOCK:
        return store_verify(store, block_id, job->is_urgent ? NULL : job->node->scrub_rate,
                            &job->error);
    case DATANODE_EFFECT_SAVE_POSITION:
        return store_position_save(store, block_id, &job->error);
    case DATANODE_EFFECT_SAVE_IDENTITY:
    case DATANODE_EFFECT_MEASURE_SPACE:
    case DATANODE_EFFECT_FIND_NAMENODE:
    case DATANODE_EFFECT_MERGE_BLOCKS:
    case DATANODE_EFFECT_ANSWER_RECEIVE:
    case DATANODE_EFFECT_TELL_REFUSAL:
    case DATANODE_EFFECT_RETIRE_VOLUME:
    case DATANODE_EFFECT_COUNT:
    default:
        CHECK(false); /* node_effect makes no such job */
        return ERR_INTERNAL;
    }
}

static enum status perform(struct job *job)
{
    if (job->effect == DATANODE_EFFECT_SAVE_IDENTITY)
        return save_identity(job);
    if (job->effect == DATANODE_EFFECT_MEASURE_SPACE)
        return measure_space(job);
    if (job->effect == DATANODE_EFFECT_FIND_NAMENODE)
        return find_namenode(job);
    if (job->effect == DATANODE_EFFECT_MERGE_BLOCKS)
        return node_merge_blocks(job);
    return perform_on_block(job);
}

static void free_answer(void *data)
{
    mem_free(data);
}

static void run_job(void *argument)
{
    struct job *job = argument;
    struct node *node = job->node;
    enum status status = perform(job);
    char name[BLOCK_NAME_BYTES];
    block_name_format(job->block.block_id, name);
    if (status != OK)
        log_event(node->log, LOG_LEVEL_WARN, "job_failed", log_text("job", job_names[job->effect]),
                  log_text("block", name), log_status("status", status),
                  log_text("why", job->error.text));
    else
        log_event(node->log, LOG_LEVEL_DEBUG, "job_done", log_text("job", job_names[job->effect]),
                  log_text("block", name));
    shell_effect_done(node->shell, job->tag, job->effect, status,
                      slice_from_string(job->error.text), job->data, free_answer);
    arena_close(job->arena);
    mem_free(job);
}

static void take_copy(struct job *job, const struct datanode_copy *copy)
{
    struct endpoint *targets = ARENA_ARRAY(job->arena, struct endpoint, copy->targets_count);
    for (size_t i = 0; i < copy->targets_count; i++)
        message_copy_into(&endpoint_type, &copy->targets[i], &targets[i], job->arena);
    job->block = copy->block;
    job->volume = copy->volume;
    job->targets = targets;
    job->targets_count = copy->targets_count;
    job->token = (const char *)arena_copy(job->arena, copy->token).data;
}

static void take_merge(struct job *job, const struct datanode_merge *merge)
{
    job->command = message_copy(&dfs_datanode_command_type, merge->command, job->arena);
    job->block = job->command->block;
    job->targets = job->command->targets;
    job->targets_count = job->command->targets_count;
    job->token = (const char *)arena_copy(job->arena, job->command->token).data;
}

static void take_block(struct job *job, const struct datanode_block *data)
{
    job->block = data->block;
    job->volume = data->volume;
    job->is_urgent = data->is_urgent;
}

static void take_position(struct job *job, const struct datanode_position *data)
{
    job->volume = data->volume;
    job->block.block_id = data->block_id;
}

static void take_volume(struct job *job, const struct datanode_volume *data)
{
    job->volume = data->volume;
}

static void retire_volume(struct node *node, const struct datanode_volume *data)
{
    volumes_retire(node->volumes, data->volume, data->text);
    log_event(node->log, LOG_LEVEL_ERROR, "volume_failed",
              log_text("directory", volumes_directory(node->volumes, data->volume)),
              log_slice("why", data->text));
}

static void take_identity(struct job *job, const struct datanode_identity *data)
{
    job->cluster_id = data->cluster_id;
}

void node_effect(void *state, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    struct node *node = state;
    (void)shell;
    if (effect == DATANODE_EFFECT_ANSWER_RECEIVE) {
        node_receive_answer(node, data);
        return;
    }
    if (effect == DATANODE_EFFECT_TELL_REFUSAL) {
        const struct datanode_refusal *refusal = data;
        log_event(node->log, LOG_LEVEL_ERROR, "refused", log_slice("why", refusal->text));
        return;
    }
    if (effect == DATANODE_EFFECT_RETIRE_VOLUME) {
        retire_volume(node, data);
        return;
    }
    struct job *job = MEM_NEW(struct job);
    job->node = node;
    job->tag = tag;
    job->effect = effect;
    job->arena = arena_open(0);
    if (effect == DATANODE_EFFECT_COPY_BLOCK)
        take_copy(job, data);
    else if (effect == DATANODE_EFFECT_MERGE_BLOCKS)
        take_merge(job, data);
    else if (effect == DATANODE_EFFECT_SAVE_IDENTITY)
        take_identity(job, data);
    else if (effect == DATANODE_EFFECT_MEASURE_SPACE)
        take_volume(job, data);
    else if (effect == DATANODE_EFFECT_SAVE_POSITION)
        take_position(job, data);
    else if (effect != DATANODE_EFFECT_FIND_NAMENODE)
        take_block(job, data);
    workers_post(node->workers, run_job, job);
}
