/*
 * modelwrites.c - the life of a file under construction, of a file that is appended to, and concat.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "tests/sim/model.h"

enum {
    PENDING_MAX = 4
};

static uint32_t min_replicas(const struct model *model, const struct model_node *file)
{
    return model->min_replicas < file->replication ? model->min_replicas : file->replication;
}

/* --- create
 * ------------------------------------------------------------------------------------------ */
/* Nobody may be writing at the path, except who has been silent for long: he has been ended. */
static uint64_t must_be_free(const struct model_node *writing)
{
    return writing ? MODEL_BIT(ERR_BUSY) : 0;
}

static uint64_t judge_create(const struct model_call *call)
{
    const struct dfs_create_request *request = call->event->message;
    struct model_target target;
    model_resolve(call->model, call->event, request->path, request->create_parents, &target);
    uint64_t errors = target.errors;
    if (request->replication > call->model->replication_max ||
        request->block_size > call->model->block_size_max)
        errors |= MODEL_BIT(ERR_INVALID);
    if (!target.deepest)
        return errors;
    const struct model_node *older = target.installed;
    if (older && older->kind == FILE_DIRECTORY)
        return errors | MODEL_BIT(ERR_IS_DIRECTORY);
    if (older && !request->overwrite)
        errors |= MODEL_BIT(ERR_EXISTS);
    errors |= must_be_free(target.writing);
    int64_t names = (int64_t)target.missing_count + (older ? 0 : 1);
    errors |= model_quota(target.deepest, NULL, names, 0);
    if (!older)
        return errors | model_access(call->event, target.deepest, MODEL_W | MODEL_X);
    return errors | model_access(call->event, older, MODEL_W) |
           model_may_take_out(call->event, older);
}

static uint64_t apply_create(const struct model_call *call)
{
    struct model *model = call->model;
    const struct dfs_create_request *request = call->event->message;
    const struct dfs_create_response *reply = call->reply;
    struct model_target target;
    model_resolve(model, call->event, request->path, true, &target);
    struct model_node *parent = model_make_parents(call, &target, 0755);
    uint32_t permission = request->permission & 01777U;
    struct model_node *file = model_make_node(call, parent, target.name, reply->file_id,
                                              FILE_REGULAR, permission == 0 ? 0644 : permission);
    if (model->problem[0] != '\0')
        return 0;
    file->replication = request->replication == 0 ? model->replication : request->replication;
    file->block_size = request->block_size == 0 ? model->block_size : request->block_size;
    file->overwrite = request->overwrite;
    file->durability = request->durability;
    model_lease_hold(model, file, request->client_id);
    if (reply->replication != file->replication || reply->block_size != file->block_size ||
        reply->min_replicas != min_replicas(model, file))
        model_problem(model, "Create of %.*s is answered with other numbers",
                      SLICE_ARGS(request->path));
    return file->id;
}

/* --- append
 * ------------------------------------------------------------------------------------------ */
/* False: length is inside a block, or beyond the end. */
static bool blocks_within(const struct model_node *file, uint64_t length, uint32_t *ret_blocks)
{
    uint64_t sum = 0;
    uint32_t count = 0;
    while (sum < length && count < file->blocks_count)
        sum += file->blocks[count++].length;
    *ret_blocks = count;
    return sum == length;
}

static uint64_t judge_append(const struct model_call *call)
{
    const struct dfs_append_request *request = call->event->message;
    uint64_t errors;
    const struct model_node *file = model_find_judged(call, request->path, &errors);
    uint32_t kept = 0;
    if (!file)
        return errors;
    if (file->kind == FILE_DIRECTORY)
        return errors | MODEL_BIT(ERR_IS_DIRECTORY);
    if (request->has_keep_length && !blocks_within(file, request->keep_length, &kept))
        errors |= MODEL_BIT(ERR_INVALID);
    return errors | model_access(call->event, file, MODEL_W) |
           must_be_free(model_child(file->parent, file->name, true));
}

static uint64_t length_of_blocks(const struct model_node *file, uint32_t count)
{
    uint64_t length = 0;
    for (uint32_t i = 0; i < count; i++)
        length += file->blocks[i].length;
    return length;
}

static uint64_t apply_append(const struct model_call *call)
{
    struct model *model = call->model;
    const struct dfs_append_request *request = call->event->message;
    const struct dfs_append_response *reply = call->reply;
    const struct model_node *file = model_find(model, request->path);
    struct model_node *appender = model_make_node(call, file->parent, file->name, reply->file_id,
                                                  FILE_REGULAR, file->permission);
    if (model->problem[0] != '\0')
        return 0;
    memcpy(appender->group, file->group, sizeof appender->group);
    appender->accessed_ms = file->accessed_ms;
    appender->replication = file->replication;
    appender->block_size = file->block_size;
    appender->is_append = true;
    appender->keep_blocks = (uint32_t)file->blocks_count;
    if (request->has_keep_length)
        (void)blocks_within(file, request->keep_length, &appender->keep_blocks); /* judged */
    model_lease_hold(model, appender, request->client_id);
    if (reply->length != length_of_blocks(file, appender->keep_blocks) ||
        reply->replication != file->replication || reply->block_size != file->block_size ||
        reply->min_replicas != min_replicas(model, file))
        model_problem(model, "Append to %.*s is answered with other numbers",
                      SLICE_ARGS(request->path));
    return appender->id;
}

static void add_block(struct model_node *file, const struct model_block *block)
{
    file->blocks =
        mem_reserve(file->blocks, file->blocks_count, &file->blocks_capacity, sizeof *file->blocks);
    file->blocks[file->blocks_count++] = *block;
}

/* --- blocks
 * ------------------------------------------------------------------------------------------ */
/* The file under construction that a client may go on with; NULL: errors say why not. */
static struct model_node *find_writing(const struct model_call *call,
                                       uint64_t client_id,
                                       uint64_t file_id,
                                       uint64_t *ret_errors)
{
    struct model_node *file = model_node_by_id(call->model, file_id);
    *ret_errors = 0;
    if (!file || file->kind == FILE_DIRECTORY) {
        *ret_errors = MODEL_BIT(ERR_NOT_FOUND);
        return NULL;
    }
    *ret_errors = model_must_own(call->event, file);
    if (!file->is_writing)
        *ret_errors |= MODEL_BIT(ERR_BAD_TRANSITION);
    else if (file->client_id != client_id)
        *ret_errors |= MODEL_BIT(ERR_DENIED);
    return *ret_errors == 0 ? file : NULL;
}

/* Its place among the pending blocks, or their count. */
static size_t pending_place(const struct model_node *file, uint64_t block_id, uint64_t request_id)
{
    for (size_t i = 0; i < file->pending_count; i++)
        if (block_id != 0 ? file->pending[i].id == block_id
                          : file->pending[i].request_id == request_id)
            return i;
    return file->pending_count;
}

static void pending_drop(struct model_node *file, size_t place)
{
    if (place == file->pending_count)
        return;
    memmove(&file->pending[place], &file->pending[place + 1],
            (file->pending_count - place - 1) * sizeof file->pending[0]);
    file->pending_count--;
}

static uint64_t judge_add(const struct model_call *call)
{
    const struct dfs_add_block_request *request = call->event->message;
    uint64_t errors;
    struct model_node *file = find_writing(call, request->client_id, request->file_id, &errors);
    if (!file || pending_place(file, 0, request->request_id) < file->pending_count)
        return errors;
    if (request->request_id <= file->add_request_id)
        return MODEL_BIT(ERR_STALE);
    /* The block given up is forgotten whether or not there is another one. */
    if (request->abandoned_block_id != 0 && call->status != ERR_SAFE_MODE)
        pending_drop(file, pending_place(file, request->abandoned_block_id, 0));
    if (request->length > file->block_size)
        errors |= MODEL_BIT(ERR_INVALID);
    if (file->pending_count >= PENDING_MAX)
        errors |= MODEL_BIT(ERR_LIMIT);
    int64_t bytes = (int64_t)(request->length * file->replication);
    return errors | model_quota(file->parent, NULL, 0, bytes);
}

static void check_targets(struct model *model,
                          const struct model_node *file,
                          const struct dfs_add_block_response *reply)
{
    for (size_t i = 0; i < reply->targets_count; i++)
        for (size_t j = 0; j < i; j++)
            if (reply->targets[i].node_id == reply->targets[j].node_id)
                model_problem(model, "block %llu goes twice to node %llu",
                              (unsigned long long)reply->block_id,
                              (unsigned long long)reply->targets[i].node_id);
    if (reply->durability != file->durability)
        model_problem(model, "block %llu is to be %s", (unsigned long long)reply->block_id,
                      dfs_durability_name(reply->durability));
    if (reply->targets_count < min_replicas(model, file) ||
        reply->targets_count > file->replication)
        model_problem(model, "block %llu goes to %zu nodes", (unsigned long long)reply->block_id,
                      reply->targets_count);
}

static uint64_t apply_add(const struct model_call *call)
{
    struct model *model = call->model;
    const struct dfs_add_block_request *request = call->event->message;
    const struct dfs_add_block_response *reply = call->reply;
    struct model_node *file = model_node_by_id(model, request->file_id);
    size_t place = pending_place(file, 0, request->request_id);
    if (place < file->pending_count) {
        if (file->pending[place].id != reply->block_id)
            model_problem(model, "a repeated AddBlock names another block");
        return 0;
    }
    check_targets(model, file, reply);
    model_use_id(model, reply->block_id, "a block");
    if (model->problem[0] != '\0')
        return 0;
    struct model_handed *handed = MEM_NEW(struct model_handed);
    *handed = (struct model_handed){.file_id = file->id, .life = model->life};
    (void)map_u64_put(model->handed, reply->block_id, handed); /* it was absent */
    file->pending[file->pending_count++] = (struct model_pending){
        .id = reply->block_id, .length = request->length, .request_id = request->request_id};
    file->add_request_id = request->request_id;
    return 0;
}

static const struct model_block *sealed_block(const struct model_node *file, uint64_t block_id)
{
    for (size_t i = 0; file && i < file->blocks_count; i++)
        if (file->blocks[i].id == block_id)
            return &file->blocks[i];
    return NULL;
}

static uint64_t judge_seal(const struct model_call *call)
{
    const struct dfs_seal_block_request *request = call->event->message;
    const struct model_node *file = model_node_by_id(call->model, request->file_id);
    const struct model_block *sealed = sealed_block(file, request->block_id);
    if (sealed) {
        bool is_same = sealed->length == request->length && sealed->crc32c == request->crc32c;
        return model_must_own(call->event, file) | (is_same ? 0 : MODEL_BIT(ERR_BAD_TRANSITION));
    }
    uint64_t errors;
    file = find_writing(call, request->client_id, request->file_id, &errors);
    if (!file)
        return errors;
    if (request->length == 0 || request->length > file->block_size)
        errors |= MODEL_BIT(ERR_INVALID);
    size_t place = pending_place(file, request->block_id, 0);
    uint64_t expected = place < file->pending_count ? file->pending[place].length : 0;
    int64_t more = ((int64_t)request->length - (int64_t)expected) * file->replication;
    errors |= model_quota(file->parent, NULL, 0, more);
    if (place < file->pending_count)
        return errors | (place > 0 ? MODEL_BIT(ERR_BAD_TRANSITION) : 0);
    const struct model_handed *handed = map_u64_get(call->model->handed, request->block_id);
    bool is_adoptable = handed && handed->file_id == file->id && !handed->is_sealed &&
                        handed->life != call->model->life && file->pending_count == 0;
    return errors | (is_adoptable ? 0 : MODEL_BIT(ERR_NOT_FOUND));
}

uint64_t model_write_may_fail(const struct model_call *call)
{
    if (call->event->method != METHOD_NAMENODE_SEAL_BLOCK)
        return 0;
    const struct dfs_seal_block_request *request = call->event->message;
    const struct model_handed *handed = map_u64_get(call->model->handed, request->block_id);
    /* Named before a restart: the datanodes may not have vouched for it yet. */
    return handed && handed->life != call->model->life ? MODEL_BIT(ERR_NOT_FOUND) : 0;
}

/* A block of before a restart that the datanodes vouched for is pending, even if not sealed now. */
void model_write_failed(const struct model_call *call)
{
    const struct dfs_seal_block_request *request = call->event->message;
    if (call->event->method != METHOD_NAMENODE_SEAL_BLOCK || call->status != ERR_NO_NODES)
        return;
    struct model_node *file = model_node_by_id(call->model, request->file_id);
    if (file && file->is_writing && file->pending_count == 0)
        file->pending[file->pending_count++] =
            (struct model_pending){.id = request->block_id, .length = request->length};
}

static uint64_t apply_seal(const struct model_call *call)
{
    const struct dfs_seal_block_request *request = call->event->message;
    struct model_node *file = model_node_by_id(call->model, request->file_id);
    if (sealed_block(file, request->block_id))
        return 0;
    struct model_handed *handed = map_u64_get(call->model->handed, request->block_id);
    handed->is_sealed = true;
    pending_drop(file, pending_place(file, request->block_id, 0));
    add_block(file, &(struct model_block){.id = request->block_id,
                                          .length = request->length,
                                          .crc32c = request->crc32c});
    return 0;
}

/* --- the end of a file's construction
 * ---------------------------------------------------------------- */
static struct model_node *finish_append(struct model *model, struct model_node *appender)
{
    struct model_node *file = model_child(appender->parent, appender->name, false);
    file->blocks_count = appender->keep_blocks;
    for (size_t i = 0; i < appender->blocks_count; i++)
        add_block(file, &appender->blocks[i]);
    file->modified_ms = model_wall(model);
    model_remove(model, appender);
    return file;
}

/* Returns the file that is complete now. */
static struct model_node *finish(struct model *model, struct model_node *file)
{
    if (file->is_append)
        return finish_append(model, file);
    struct model_node *older = model_child(file->parent, file->name, false);
    if (older)
        model_remove(model, older);
    model_lease_release(model, file);
    file->pending_count = 0;
    file->durability = DURABILITY_SYNCED;
    file->overwrite = false;
    file->modified_ms = model_wall(model);
    return file;
}

static uint64_t length_when_complete(const struct model_node *file)
{
    uint64_t length = model_length(file);
    if (file->is_append)
        length += length_of_blocks(model_child(file->parent, file->name, false), file->keep_blocks);
    return length;
}

static uint64_t judge_complete(const struct model_call *call)
{
    const struct dfs_complete_request *request = call->event->message;
    uint64_t errors;
    const struct model_node *file =
        find_writing(call, request->client_id, request->file_id, &errors);
    if (file && length_when_complete(file) != request->length)
        errors |= MODEL_BIT(ERR_INVALID);
    return errors;
}

static uint64_t apply_complete(const struct model_call *call)
{
    const struct dfs_complete_request *request = call->event->message;
    const struct dfs_complete_response *reply = call->reply;
    const struct model_node *file =
        finish(call->model, model_node_by_id(call->model, request->file_id));
    if (reply->status.file_id != file->id || reply->status.length != request->length ||
        reply->status.under_construction)
        model_problem(call->model, "Complete of %s is answered with another file", file->name);
    return file->id;
}

static uint64_t judge_abandon(const struct model_call *call)
{
    const struct dfs_abandon_request *request = call->event->message;
    uint64_t errors;
    (void)find_writing(call, request->client_id, request->file_id, &errors);
    return errors;
}

static uint64_t apply_abandon(const struct model_call *call)
{
    const struct dfs_abandon_request *request = call->event->message;
    model_remove(call->model, model_node_by_id(call->model, request->file_id));
    return request->file_id;
}

static uint64_t judge_renew(const struct model_call *call)
{
    (void)call;
    return 0;
}

static uint64_t apply_renew(const struct model_call *call)
{
    const struct dfs_renew_lease_response *reply = call->reply;
    if (reply->lease_ms != (uint64_t)call->model->lease_ms)
        model_problem(call->model, "a lease has another length");
    return 0;
}

/* --- concat
 * ------------------------------------------------------------------------------------------ */
static const struct model_node *find_complete(const struct model_call *call,
                                              struct slice path,
                                              uint64_t *errors)
{
    uint64_t own;
    const struct model_node *file = model_find_judged(call, path, &own);
    *errors |= own;
    if (!file)
        return NULL;
    if (file->kind == FILE_DIRECTORY) {
        *errors |= MODEL_BIT(ERR_IS_DIRECTORY);
        return NULL;
    }
    if (file->is_writing || model_child(file->parent, file->name, true))
        *errors |= MODEL_BIT(ERR_BUSY);
    return file;
}

/* How much each directory above the target would grow; its own sources are inside already. */
static uint64_t judge_growth(const struct model_node *target,
                             const struct model_node *const *sources,
                             size_t count)
{
    for (const struct model_node *at = target->parent; at; at = at->parent) {
        int64_t more = 0;
        for (size_t i = 0; i < count; i++) {
            more += (int64_t)(model_length(sources[i]) * target->replication);
            more -= model_is_below(sources[i], at) ? (int64_t)model_space(sources[i]) : 0;
        }
        struct model_node alone = *at;
        alone.parent = NULL; /* this directory only */
        if (model_quota(&alone, NULL, 0, more) != 0)
            return MODEL_BIT(ERR_QUOTA);
    }
    return 0;
}

static uint64_t judge_concat(const struct model_call *call)
{
    const struct dfs_concat_request *request = call->event->message;
    const struct model_node *sources[8];
    uint64_t errors = 0;
    const struct model_node *target = find_complete(call, request->target, &errors);
    if (request->sources_count == 0)
        errors |= MODEL_BIT(ERR_INVALID);
    if (target)
        errors |= model_access(call->event, target, MODEL_W);
    CHECK(request->sources_count <= 8); /* our clients' */
    bool has_all = target != NULL;
    for (size_t i = 0; i < request->sources_count; i++) {
        sources[i] = find_complete(call, request->sources[i], &errors);
        has_all = has_all && sources[i] != NULL;
        if (!sources[i])
            continue;
        errors |= model_access(call->event, sources[i], MODEL_R) |
                  model_may_take_out(call->event, sources[i]);
        bool is_twice = sources[i] == target;
        for (size_t j = 0; j < i; j++)
            is_twice = is_twice || sources[j] == sources[i];
        if (is_twice || (target && sources[i]->block_size > target->block_size))
            errors |= MODEL_BIT(ERR_INVALID);
    }
    return has_all ? errors | judge_growth(target, sources, request->sources_count) : errors;
}

static uint64_t apply_concat(const struct model_call *call)
{
    const struct dfs_concat_request *request = call->event->message;
    struct model_node *target = model_find(call->model, request->target);
    target->modified_ms = model_wall(call->model);
    for (size_t i = 0; i < request->sources_count; i++) {
        struct model_node *source = model_find(call->model, request->sources[i]);
        for (size_t j = 0; j < source->blocks_count; j++)
            add_block(target, &source->blocks[j]);
        model_remove(call->model, source);
    }
    return target->id;
}

const struct model_method *model_method_writes(enum method method)
{
    static const struct model_method methods[] = {
        {METHOD_NAMENODE_CREATE,      judge_create,   apply_create,   true,  0                      },
        {METHOD_NAMENODE_APPEND,      judge_append,   apply_append,   true,  0                      },
        {METHOD_NAMENODE_ADD_BLOCK,   judge_add,      apply_add,      false, MODEL_BIT(ERR_NO_NODES)},
        {METHOD_NAMENODE_SEAL_BLOCK,  judge_seal,     apply_seal,     false, MODEL_BIT(ERR_NO_NODES)},
        {METHOD_NAMENODE_COMPLETE,    judge_complete, apply_complete, true,  0                      },
        {METHOD_NAMENODE_ABANDON,     judge_abandon,  apply_abandon,  true,  0                      },
        {METHOD_NAMENODE_RENEW_LEASE, judge_renew,    apply_renew,    false, 0                      },
        {METHOD_NAMENODE_CONCAT,      judge_concat,   apply_concat,   true,  0                      },
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].method == method)
            return &methods[i];
    return NULL;
}
