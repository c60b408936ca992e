/*
 * work.c - what the disks are to do next: copies for repair, and whose turn it is.
 * Owns the copy jobs and the pending effects.
 * Invariant: DN-3 at most copies_max copies run, at most one of a block: others of it come later.
 */
#include "dfs/datanode/core/internal.h"

#include <inttypes.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

uint64_t datanode_ask_effect(struct datanode *datanode,
                             struct actions *actions,
                             enum effect_use use,
                             uint64_t block_id,
                             uint32_t volume,
                             enum datanode_effect effect,
                             const void *data)
{
    struct pending *pending = MEM_NEW(struct pending);
    pending->use = use;
    pending->block_id = block_id;
    pending->volume = volume;
    uint64_t tag = datanode_next_tag(datanode);
    (void)map_u64_put(datanode->pending, tag, pending); /* tags are new */
    actions_effect(actions, tag, (int)effect, data);
    return tag;
}

/* --- copies ------------------------------------------------------------------------------------
 */

/* The next job of the same block begins to wait. */
static void copy_job_free(struct datanode *datanode, struct copy_job *job)
{
    struct copy_job *next = job->next;
    (void)map_u64_remove(datanode->copy_jobs, job->block_id); /* is job */
    list_remove(&job->in_list);
    arena_close(job->arena);
    mem_free(job);
    if (next == NULL)
        return;
    list_append(&datanode->copies_waiting, &next->in_list, next);
    (void)map_u64_put(datanode->copy_jobs, next->block_id, next); /* was just removed */
}

/*
 * Where a new job for a block goes when there is one already: behind the last of its jobs. False
 * when one of them has the same target, or there are as many as a block can have replicas.
 */
static bool copy_job_chain(struct copy_job *job, struct copy_job *added)
{
    if (added->command->kind == DATANODE_MERGE_BLOCKS)
        return false; /* it is being merged already */
    uint64_t target = added->command->targets[0].node_id;
    for (size_t i = 0; i < LIMIT_REPLICAS; i++) {
        if (job->command->kind == DATANODE_COPY_BLOCK && job->command->targets[0].node_id == target)
            return false;
        if (job->next == NULL) {
            job->next = added;
            return true;
        }
        job = job->next;
    }
    return false;
}

static bool is_same_block(const struct dfs_block_info *left, const struct dfs_block_info *right)
{
    return left->block_id == right->block_id && left->length == right->length &&
           left->crc32c == right->crc32c;
}

/* The namenode need not wait until the copy would have been due. */
static void tell_failure(struct datanode *datanode,
                         struct actions *actions,
                         const struct dfs_datanode_command *command,
                         enum dfs_work_fault fault,
                         struct slice reason)
{
    bool is_copy = command->kind == DATANODE_COPY_BLOCK && command->targets_count > 0;
    datanode_failure_note(datanode, actions,
                          &(struct dfs_failed_work){
                              .block_id = command->block.block_id,
                              .target_node_id = is_copy ? command->targets[0].node_id : 0,
                              .fault = fault,
                              .reason = reason,
                          });
}

static void refuse_job(struct datanode *datanode,
                       struct actions *actions,
                       const struct dfs_datanode_command *command,
                       const char *reason)
{
    tell_failure(datanode, actions, command, FAULT_SOURCE, slice_from_string(reason));
}

/* One that was told twice is already under way. */
static void queue_job(struct datanode *datanode,
                      struct actions *actions,
                      const struct dfs_datanode_command *command)
{
    uint64_t block_id = command->block.block_id;
    if (datanode->copies_waiting.count >= DATANODE_COPIES_WAITING_MAX) {
        refuse_job(datanode, actions, command, "too many copies are waiting here");
        return;
    }
    struct copy_job *first = map_u64_get(datanode->copy_jobs, block_id);
    struct copy_job *job = MEM_NEW(struct copy_job);
    job->block_id = block_id;
    job->arena = arena_open(0);
    job->command = message_copy(&dfs_datanode_command_type, command, job->arena);
    if (first != NULL) {
        if (!copy_job_chain(first, job)) {
            arena_close(job->arena);
            mem_free(job);
        }
        return;
    }
    list_append(&datanode->copies_waiting, &job->in_list, job);
    (void)map_u64_put(datanode->copy_jobs, block_id, job); /* was absent */
}

void datanode_copy_asked(struct datanode *datanode,
                         struct actions *actions,
                         const struct dfs_datanode_command *command)
{
    uint64_t block_id = command->block.block_id;
    const struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica == NULL) {
        datanode_change_note(datanode, CHANGE_DELETED, command->block);
        refuse_job(datanode, actions, command, "the block is not here");
        return;
    }
    if (!datanode_replica_is_good(replica) || !is_same_block(&replica->block, &command->block)) {
        trace_emit(actions->trace, "copy %016" PRIx64 " refused", block_id);
        refuse_job(datanode, actions, command, "no such replica is in service here");
        return;
    }
    if (command->targets_count > 0)
        queue_job(datanode, actions, command);
}

/* True when the sources have a node each and come to the block that is wanted. */
static bool merge_is_sound(const struct dfs_datanode_command *command)
{
    uint64_t length = 0;
    if (command->sources_count == 0 || command->sources_count != command->source_nodes_count ||
        (command->source_tokens_count != 0 &&
         command->source_tokens_count != command->sources_count) ||
        command->block.length > LIMIT_BLOCK_BYTES || command->targets_count > LIMIT_REPLICAS)
        return false;
    for (size_t i = 0; i < command->sources_count; i++) {
        if (command->sources[i].length > LIMIT_BLOCK_BYTES - length)
            return false;
        length += command->sources[i].length;
    }
    return length == command->block.length;
}

void datanode_merge_asked(struct datanode *datanode,
                          struct actions *actions,
                          const struct dfs_datanode_command *command)
{
    uint64_t block_id = command->block.block_id;
    if (!merge_is_sound(command)) {
        trace_emit(actions->trace, "merge %016" PRIx64 " refused", block_id);
        refuse_job(datanode, actions, command, "the sources do not come to the block");
        return;
    }
    /* One that is here already was merged before, and has been announced. */
    if (datanode_replica_get(datanode, block_id) == NULL)
        queue_job(datanode, actions, command);
}

/* The new block comes in through the front door like any other, here first. */
static void merge_start(struct datanode *datanode, struct actions *actions, struct copy_job *job)
{
    if (datanode_replica_get(datanode, job->block_id) != NULL) {
        copy_job_free(datanode, job); /* it came while the job waited */
        return;
    }
    struct dfs_datanode_command *command =
        message_copy(&dfs_datanode_command_type, job->command, actions->arena);
    struct endpoint *targets =
        ARENA_ARRAY(actions->arena, struct endpoint, command->targets_count + 1);
    size_t count = 0;
    targets[count++] = datanode->settings.node;
    for (size_t i = 0; i < command->targets_count; i++) {
        if (command->targets[i].node_id != datanode->settings.node.node_id)
            targets[count++] = command->targets[i];
    }
    command->targets = targets;
    command->targets_count = count;
    struct datanode_merge *merge = ARENA_NEW(actions->arena, struct datanode_merge);
    merge->command = command;
    job->tag = datanode_ask_effect(datanode, actions, USE_MERGE, job->block_id, 0,
                                   DATANODE_EFFECT_MERGE_BLOCKS, merge);
    list_append(&datanode->copies_running, &job->in_list, job);
}

static void merge_done(struct datanode *datanode,
                       struct actions *actions,
                       uint64_t block_id,
                       const struct event *event)
{
    struct copy_job *job = map_u64_get(datanode->copy_jobs, block_id);
    CHECK(job != NULL);
    CHECK(job->tag == event->tag);
    trace_emit(actions->trace, "merge %016" PRIx64 " %s", block_id, status_name(event->status));
    if (event->status != OK) {
        const struct datanode_copied *copied = event->data;
        bool is_known = copied != NULL && copied->bad_node_id != 0;
        datanode_failure_note(datanode, actions,
                              &(struct dfs_failed_work){
                                  .block_id = block_id,
                                  .fault = is_known ? FAULT_SOURCE : FAULT_TARGET,
                                  .source_block_id = is_known ? copied->bad_block_id : 0,
                                  .source_node_id = is_known ? copied->bad_node_id : 0,
                                  .reason = event->text,
                              });
    }
    copy_job_free(datanode, job);
}

static void copy_start(struct datanode *datanode, struct actions *actions, struct copy_job *job)
{
    struct replica *replica = datanode_replica_get(datanode, job->block_id);
    if (replica == NULL || replica->state != REPLICA_SEALED) {
        refuse_job(datanode, actions, job->command, "the replica has gone while the copy waited");
        copy_job_free(datanode, job);
        return;
    }
    struct dfs_datanode_command *command =
        message_copy(&dfs_datanode_command_type, job->command, actions->arena);
    struct datanode_copy *copy = ARENA_NEW(actions->arena, struct datanode_copy);
    copy->block = command->block;
    copy->volume = replica->volume->index;
    copy->targets = command->targets;
    copy->targets_count = command->targets_count;
    copy->token = command->token;
    job->tag = datanode_ask_effect(datanode, actions, USE_COPY, job->block_id, copy->volume,
                                   DATANODE_EFFECT_COPY_BLOCK, copy);
    datanode_replica_copy_started(datanode, actions, replica, job->tag);
    list_append(&datanode->copies_running, &job->in_list, job);
}

/* What this node could not read or begin; the rest is between it and the target. */
static bool is_fault_of_source(enum status status)
{
    return status == ERR_CORRUPT || status == ERR_IO || status == ERR_NOT_FOUND ||
           status == ERR_NO_MEMORY || status == ERR_CANCELLED;
}

static void copy_done(struct datanode *datanode,
                      struct actions *actions,
                      uint64_t block_id,
                      uint32_t volume,
                      const struct event *event)
{
    struct copy_job *job = map_u64_get(datanode->copy_jobs, block_id);
    CHECK(job != NULL);
    CHECK(job->tag == event->tag);
    trace_emit(actions->trace, "copy %016" PRIx64 " %s", block_id, status_name(event->status));
    if (event->status != OK)
        tell_failure(datanode, actions, job->command,
                     is_fault_of_source(event->status) ? FAULT_SOURCE : FAULT_TARGET, event->text);
    copy_job_free(datanode, job);
    if (event->status == ERR_CORRUPT || event->status == ERR_IO)
        datanode_replica_is_bad(datanode, actions, block_id, volume, event->status == ERR_IO);
    datanode_replica_copy_ended(datanode, actions, block_id, event->tag);
}

static void copies_pump(struct datanode *datanode, struct actions *actions)
{
    while (datanode->copies_running.count < datanode->settings.copies_max) {
        struct copy_job *job = list_pop(&datanode->copies_waiting);
        if (job == NULL)
            return;
        if (job->command->kind == DATANODE_MERGE_BLOCKS)
            merge_start(datanode, actions, job);
        else
            copy_start(datanode, actions, job);
    }
}

/* --- all of it ---------------------------------------------------------------------------------
 */

void datanode_effect_done(struct datanode *datanode,
                          struct actions *actions,
                          const struct event *event)
{
    struct pending *pending = map_u64_remove(datanode->pending, event->tag);
    CHECK(pending != NULL);
    enum effect_use use = pending->use;
    uint64_t block_id = pending->block_id;
    uint32_t volume = pending->volume;
    mem_free(pending);
    switch (use) {
    case USE_COPY:
        copy_done(datanode, actions, block_id, volume, event);
        break;
    case USE_MERGE:
        merge_done(datanode, actions, block_id, event);
        break;
    case USE_DELETE:
        datanode_delete_done(datanode, actions, block_id, event);
        break;
    case USE_QUARANTINE:
        datanode_quarantine_done(datanode, actions, block_id, event);
        break;
    case USE_SCRUB:
        datanode_scrub_done(datanode, actions, block_id, volume, event);
        break;
    case USE_SAVE_POSITION:
        datanode_scrub_position_saved(datanode, actions, volume, event);
        break;
    case USE_VERIFY:
        datanode_verify_done(datanode, actions, block_id, volume, event);
        break;
    case USE_SAVE_IDENTITY:
        datanode_identity_saved(datanode, actions, event->status);
        break;
    case USE_MEASURE:
        datanode_volume_measured(datanode, actions, volume, event);
        break;
    case USE_FIND:
        datanode_namenode_found(datanode, actions, event);
        break;
    }
}

void datanode_work_pump(struct datanode *datanode, struct actions *actions)
{
    datanode_volumes_pump(datanode, actions);
    copies_pump(datanode, actions);
    datanode_verify_pump(datanode, actions);
    datanode_scrub_pump(datanode, actions);
}

int64_t datanode_work_deadline_ms(const struct datanode *datanode)
{
    int64_t deadline_ms = datanode_volumes_deadline_ms(datanode);
    int64_t scrub_ms = datanode_scrub_deadline_ms(datanode);
    return scrub_ms < deadline_ms ? scrub_ms : deadline_ms;
}

void datanode_work_check(const struct datanode *datanode)
{
    CHECK(datanode->copies_running.count <= datanode->settings.copies_max); /* DN-3 */
    CHECK(datanode->copies_running.count + datanode->copies_waiting.count ==
          map_u64_count(datanode->copy_jobs));
    for (const struct list_node *n = datanode->copies_running.first; n != NULL; n = n->next) {
        const struct copy_job *job = n->object;
        CHECK(job->tag != 0);
        CHECK(map_u64_get(datanode->pending, job->tag) != NULL);
    }
    for (const struct list_node *n = datanode->replica_list.first; n != NULL; n = n->next) {
        const struct replica *replica = n->object;
        const struct copy_job *job = map_u64_get(datanode->copy_jobs, replica->block.block_id);
        if (replica->state == REPLICA_COPYING) {
            CHECK(job != NULL);
            CHECK(job->tag == replica->copy_tag);
        }
    }
}

void datanode_work_close(struct datanode *datanode)
{
    struct copy_job *job;
    while ((job = list_pop(&datanode->copies_running)) != NULL)
        copy_job_free(datanode, job);
    while ((job = list_pop(&datanode->copies_waiting)) != NULL)
        copy_job_free(datanode, job); /* the next ones of its block wait, then */
    map_u64_close(datanode->copy_jobs);
    datanode_verify_close(datanode);
    size_t cursor = 0;
    void *pending;
    while (map_u64_next(datanode->pending, &cursor, NULL, &pending))
        mem_free(pending);
    map_u64_close(datanode->pending);
}
