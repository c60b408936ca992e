/*
 * modelsteps.c - one step of the namenode held against the model: the answer to a call, then what
 * the namenode did by itself.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "tests/sim/model.h"

/* Every mutation's request begins with these (proto/dfs.proto). */
struct request_ids {
    uint64_t client_id;
    uint64_t request_id;
};

static const struct model_method *method_of(enum method method)
{
    const struct model_method *found = model_method_names(method);
    return found ? found : model_method_writes(method);
}

static bool is_read(enum method method)
{
    return method == METHOD_NAMENODE_GET_STATUS || method == METHOD_NAMENODE_GET_BLOCKS ||
           method == METHOD_NAMENODE_LIST_STATUS || method == METHOD_NAMENODE_CONTENT_SUMMARY;
}

bool model_knows(enum method method)
{
    return method_of(method) != NULL || is_read(method);
}

bool model_remembers(enum method method)
{
    const struct model_method *found = method_of(method);
    return found && found->is_remembered;
}

/* --- the answer
 * -------------------------------------------------------------------------------------- */
static const struct action *answer_in(const struct actions *actions, uint64_t call)
{
    for (size_t i = 0; i < actions->count; i++) {
        const struct action *action = &actions->items[i];
        if ((action->kind == ACTION_REPLY || action->kind == ACTION_FAIL) && action->call == call)
            return action;
    }
    return NULL;
}

static void errors_text(uint64_t errors, char *to, size_t size)
{
    size_t at = 0;
    (void)snprintf(to, size, "OK");
    for (unsigned i = 0; i < STATUS_COUNT && at < size; i++)
        if (errors & MODEL_BIT(i))
            at += (size_t)snprintf(to + at, size - at, "%s ", status_name((enum status)i));
}

static void judge_answer(struct model *model,
                         const struct event *event,
                         const struct action *answer,
                         uint64_t errors,
                         uint64_t allowed)
{
    enum status status = answer->kind == ACTION_REPLY ? OK : answer->status;
    bool is_right = status == OK ? errors == 0 : ((errors | allowed) & MODEL_BIT(status)) != 0;
    if (is_right)
        return;
    char text[160];
    errors_text(errors, text, sizeof text);
    int why =
        answer->kind == ACTION_FAIL && answer->text.length < 80 ? (int)answer->text.length : 0;
    model_problem(model, "%s of %.*s is answered with %s (%.*s); it deserves %s",
                  method_info(event->method)->name, SLICE_ARGS(event->user), status_name(status),
                  why, (const char *)answer->text.data, text);
}

static void check_repeated(struct model *model,
                           const struct event *event,
                           const struct action *answer,
                           const struct model_result *result)
{
    if (result->method != event->method)
        return; /* our clients never do this */
    uint64_t value = result->value;
    if (answer->kind == ACTION_FAIL)
        model_problem(model, "a repeated %s is answered with %s, not as the first time",
                      method_info(event->method)->name, status_name(answer->status));
    else if (event->method == METHOD_NAMENODE_CREATE)
        value = ((const struct dfs_create_response *)answer->message)->file_id;
    else if (event->method == METHOD_NAMENODE_APPEND)
        value = ((const struct dfs_append_response *)answer->message)->file_id;
    else if (event->method == METHOD_NAMENODE_COMPLETE)
        value = ((const struct dfs_complete_response *)answer->message)->status.file_id;
    if (value != result->value)
        model_problem(model, "a repeated %s names another file", method_info(event->method)->name);
}

static void remember(const struct model_call *call, const struct request_ids *ids, uint64_t value)
{
    struct model_result *result = MEM_NEW(struct model_result);
    *result = (struct model_result){
        .method = call->event->method, .value = value, .at_ms = call->model->now_ms};
    uint64_t key[2] = {ids->client_id, ids->request_id};
    void *old = map_put(call->model->results, slice_make(key, sizeof key), result);
    CHECK(old == NULL);
}

/* --- leases that end
 * ---------------------------------------------------------------------------------- */
static bool is_ended_in(const struct actions *actions, uint64_t file_id)
{
    for (size_t i = 0; i < actions->count; i++) {
        const struct action *action = &actions->items[i];
        if (action->kind != ACTION_JOURNAL)
            continue;
        const struct journal_inode_remove *removal = action->message;
        if (action->type == &journal_inode_remove_type && removal->file_id == file_id)
            return true;
    }
    return false;
}

/* Create and Append may put an end to another client's file at the path, if it was long silent. */
static void take_over(struct model *model, const struct event *event, const struct actions *actions)
{
    const struct dfs_create_request *create = event->message;
    const struct dfs_append_request *append = event->message;
    if (event->method != METHOD_NAMENODE_CREATE && event->method != METHOD_NAMENODE_APPEND)
        return;
    struct model_target target;
    bool is_create = event->method == METHOD_NAMENODE_CREATE;
    model_resolve(model, event, is_create ? create->path : append->path,
                  is_create && create->create_parents, &target);
    struct model_node *writing = target.writing;
    uint64_t client_id = is_create ? create->client_id : append->client_id;
    if (!writing || !is_ended_in(actions, writing->id))
        return;
    const struct model_lease *lease = map_u64_get(model->leases, writing->client_id);
    CHECK(lease != NULL);
    int64_t silent_ms = model->now_ms - lease->heard_ms;
    bool may_take = silent_ms >= model->lease_ms && writing->client_id != client_id &&
                    model_access(event, writing, MODEL_W) == 0;
    if (!may_take && silent_ms >= model->lease_hard_ms)
        return; /* the lease has ended in the same step, after the call */
    if (!may_take) {
        model_problem(model, "client %llu takes %s over after %lld ms, which it may not",
                      (unsigned long long)client_id, writing->name, (long long)silent_ms);
        return;
    }
    model_remove(model, writing);
    model->takeovers++;
}

/* --- mutations
 * --------------------------------------------------------------------------------------- */
static void step_mutation(struct model *model,
                          const struct event *event,
                          const struct actions *actions,
                          const struct model_method *method,
                          const struct action *answer)
{
    const struct request_ids *ids = event->message;
    struct model_lease *lease = map_u64_get(model->leases, ids->client_id);
    if (lease)
        lease->heard_ms = model->now_ms;
    const struct model_result *result =
        method->is_remembered ? model_result(model, ids->client_id, ids->request_id) : NULL;
    if (result) {
        check_repeated(model, event, answer, result);
        return;
    }
    take_over(model, event, actions);
    struct model_call call = {.model = model,
                              .event = event,
                              .actions = actions,
                              .status = answer->kind == ACTION_REPLY ? OK : answer->status,
                              .reply = answer->message};
    uint64_t errors = method->judge(&call);
    uint64_t allowed = method->passing | model_write_may_fail(&call);
    if (model->may_be_safe)
        allowed |= MODEL_BIT(ERR_SAFE_MODE);
    if (model->is_safe && event->method != METHOD_NAMENODE_RENEW_LEASE)
        errors |= MODEL_BIT(ERR_SAFE_MODE);
    judge_answer(model, event, answer, errors, allowed);
    if (model->problem[0] != '\0')
        return;
    if (answer->kind == ACTION_FAIL) {
        model_write_failed(&call);
        return;
    }
    if (event->method != METHOD_NAMENODE_RENEW_LEASE)
        model->may_be_safe = false;
    uint64_t value = method->apply(&call);
    if (method->is_remembered && model->problem[0] == '\0')
        remember(&call, ids, value);
}

void model_step(struct model *model, const struct event *event, const struct actions *actions)
{
    const struct model_method *method = method_of(event->method);
    if (!method && !is_read(event->method))
        return;
    const struct action *answer = answer_in(actions, event->call);
    if (!answer) {
        model_problem(model, "%s is not answered", method_info(event->method)->name);
        return;
    }
    if (method) {
        step_mutation(model, event, actions, method, answer);
        return;
    }
    bool may_be_safe = model->may_be_safe || model->is_safe;
    uint64_t allowed =
        event->method == METHOD_NAMENODE_GET_BLOCKS && may_be_safe ? MODEL_BIT(ERR_SAFE_MODE) : 0;
    judge_answer(model, event, answer, model_judge_read(model, event), allowed);
    if (answer->kind == ACTION_REPLY && model->problem[0] == '\0')
        model_check_read(model, event, answer->message);
}

/* --- what the namenode does by itself
 * ---------------------------------------------------------------- */
static bool must_be_due(struct model *model, const struct model_node *file)
{
    const struct model_lease *lease = map_u64_get(model->leases, file->client_id);
    CHECK(lease != NULL);
    int64_t due_ms = lease->heard_ms + model->lease_hard_ms;
    if (due_ms <= model->now_ms)
        return true;
    model_problem(model, "the lease of client %llu on %s ends %lld ms too early",
                  (unsigned long long)file->client_id, file->name,
                  (long long)(due_ms - model->now_ms));
    return false;
}

static size_t own_removal(struct model *model, const struct journal_inode_remove *record)
{
    struct model_node *node = model_node_by_id(model, record->file_id);
    if (!node)
        return 0; /* the call's own effect */
    if (model_trash_may_expire(model, node)) {
        model_remove(model, node);
        model->trash_expiries++;
        return 0;
    }
    if (!node->is_writing) {
        model_problem(model, "the namenode removes %s (%llu) by itself", node->name,
                      (unsigned long long)node->id);
        return 0;
    }
    if (!must_be_due(model, node))
        return 0;
    model_remove(model, node);
    return 1;
}

static bool is_same_block(const struct model_block *own, const struct dfs_block_info *block)
{
    return own->id == block->block_id && own->length == block->length &&
           own->crc32c == block->crc32c;
}

/* Some blocks, one after the other, have become one with the same bytes: a merge. */
static void own_merge(struct model *model,
                      struct model_node *file,
                      const struct journal_inode_put *record)
{
    size_t first = 0;
    while (first < file->blocks_count && first < record->blocks_count &&
           is_same_block(&file->blocks[first], &record->blocks[first]))
        first++;
    if (first == file->blocks_count && first == record->blocks_count)
        return; /* nothing but attributes */
    size_t count = file->blocks_count - record->blocks_count + 1;
    bool is_merge = record->blocks_count < file->blocks_count && first < record->blocks_count &&
                    !model_child(file->parent, file->name, true) &&
                    first + count <= file->blocks_count && count <= MODEL_MERGED_MAX;
    uint64_t sources[MODEL_MERGED_MAX];
    uint64_t length = 0;
    uint32_t crc32c = 0;
    for (size_t i = first; is_merge && i < first + count; i++) {
        crc32c = crc32c_combine(crc32c, file->blocks[i].crc32c, file->blocks[i].length);
        length += file->blocks[i].length;
        sources[i - first] = file->blocks[i].id;
    }
    const struct dfs_block_info *merged = &record->blocks[first];
    if (!is_merge || merged->length != length || merged->crc32c != crc32c ||
        length > file->block_size) {
        model_problem(model, "the namenode changes the blocks of %s (%llu) by itself", file->name,
                      (unsigned long long)file->id);
        return;
    }
    model_use_id(model, merged->block_id, "a merged block");
    file->blocks[first] = (struct model_block){
        .id = merged->block_id, .length = merged->length, .crc32c = merged->crc32c};
    model->on_merged(model->context, &file->blocks[first], sources, count);
    memmove(&file->blocks[first + 1], &file->blocks[first + count],
            (file->blocks_count - first - count) * sizeof *file->blocks);
    file->blocks_count -= count - 1;
}

static void own_put(struct model *model, const struct journal_inode_put *record)
{
    struct model_node *node = model_node_by_id(model, record->file_id);
    if (node && !node->is_writing && node->kind == FILE_REGULAR) {
        own_merge(model, node, record);
    } else if (node && node->kind == FILE_DIRECTORY) {
        model_trash_put(model, node, record);
    } else if (node && node->is_writing && !record->under_construction) {
        model_problem(model, "the namenode completes %s (%llu) by itself", node->name,
                      (unsigned long long)node->id);
    }
}

static void own_access(struct model *model, const struct journal_inode_accessed *record)
{
    struct model_node *node = model_node_by_id(model, record->file_id);
    bool is_right = node && map_u64_remove(model->accessed, record->file_id) != NULL &&
                    record->accessed_ms == model_wall(model) &&
                    record->accessed_ms > node->accessed_ms;
    if (is_right)
        node->accessed_ms = record->accessed_ms;
    else
        model_problem(model, "a time of access is noted for %llu, which nobody has read",
                      (unsigned long long)record->file_id);
}

size_t model_own_steps(struct model *model, const struct actions *actions)
{
    size_t ended = 0;
    for (size_t i = 0; i < actions->count && model->problem[0] == '\0'; i++) {
        const struct action *action = &actions->items[i];
        if (action->kind != ACTION_JOURNAL)
            continue;
        bool is_change = action->type == &journal_inode_remove_type ||
                         action->type == &journal_inode_put_type ||
                         action->type == &journal_inode_accessed_type;
        if (model->is_safe && is_change)
            model_problem(model, "the namenode changes something in safe mode");
        else if (action->type == &journal_inode_remove_type)
            ended += own_removal(model, action->message);
        else if (action->type == &journal_inode_put_type)
            own_put(model, action->message);
        else if (action->type == &journal_inode_accessed_type)
            own_access(model, action->message);
    }
    return ended;
}
