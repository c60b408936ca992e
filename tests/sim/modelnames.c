/*
 * modelnames.c - who may do what, how paths lead somewhere, and the calls that change names and
 * attributes.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/model.h"

/* --- who may
 * ------------------------------------------------------------------------------------------ */
bool model_is_super(const struct event *event)
{
    return slice_equal_string(event->user, "millrace") ||
           model_is_member(event, slice_from_string("supergroup"));
}

bool model_is_member(const struct event *event, struct slice group)
{
    for (size_t i = 0; i < event->groups_count; i++)
        if (slice_equal(event->groups[i], group))
            return true;
    return event->groups_count == 0 && slice_equal(event->user, group);
}

uint64_t model_access(const struct event *event, const struct model_node *node, unsigned bits)
{
    if (model_is_super(event))
        return 0;
    unsigned granted = node->permission & 7U;
    if (slice_equal_string(event->user, node->owner))
        granted = (node->permission >> 6) & 7U;
    else if (model_is_member(event, slice_from_string(node->group)))
        granted = (node->permission >> 3) & 7U;
    return (granted & bits) == bits ? 0 : MODEL_BIT(ERR_DENIED);
}

uint64_t model_may_take_out(const struct event *event, const struct model_node *child)
{
    const struct model_node *parent = child->parent;
    uint64_t errors = model_access(event, parent, MODEL_W | MODEL_X);
    bool is_sticky = (parent->permission & 01000U) != 0;
    if (is_sticky && !model_is_super(event) && !slice_equal_string(event->user, child->owner) &&
        !slice_equal_string(event->user, parent->owner))
        errors |= MODEL_BIT(ERR_DENIED);
    return errors;
}

uint64_t model_must_own(const struct event *event, const struct model_node *node)
{
    return model_is_super(event) || slice_equal_string(event->user, node->owner)
               ? 0
               : MODEL_BIT(ERR_DENIED);
}

/* --- paths
 * ------------------------------------------------------------------------------------------ */
static bool next_name(struct slice *rest, char *ret_name)
{
    while (rest->length > 0 && rest->data[0] == '/')
        *rest = slice_sub(*rest, 1, rest->length - 1);
    if (rest->length == 0)
        return false;
    size_t end = slice_find(*rest, '/');
    model_text(ret_name, slice_sub(*rest, 0, end));
    *rest = slice_sub(*rest, end, rest->length - end);
    return true;
}

static bool is_last(struct slice rest)
{
    for (size_t i = 0; i < rest.length; i++)
        if (rest.data[i] != '/')
            return false;
    return true;
}

void model_resolve(const struct model *model,
                   const struct event *event,
                   struct slice path,
                   bool may_miss,
                   struct model_target *ret_target)
{
    struct slice rest = path;
    struct model_node *at = model->root;
    memset(ret_target, 0, sizeof *ret_target);
    if (is_last(rest)) {
        ret_target->installed = model->root;
        ret_target->deepest = model->root;
        return;
    }
    while (next_name(&rest, ret_target->name) && !is_last(rest)) {
        if (ret_target->missing_count > 0) {
            memcpy(ret_target->missing[ret_target->missing_count++], ret_target->name,
                   MODEL_NAME_MAX);
            continue;
        }
        ret_target->errors |= model_access(event, at, MODEL_X);
        struct model_node *next = model_child(at, ret_target->name, false);
        bool is_file =
            next ? next->kind == FILE_REGULAR : model_child(at, ret_target->name, true) != NULL;
        if (is_file) {
            ret_target->errors |= MODEL_BIT(ERR_NOT_DIRECTORY);
            return;
        }
        if (next) {
            at = next;
            continue;
        }
        if (!may_miss) {
            ret_target->errors |= MODEL_BIT(ERR_NOT_FOUND);
            return;
        }
        memcpy(ret_target->missing[ret_target->missing_count++], ret_target->name, MODEL_NAME_MAX);
    }
    ret_target->deepest = at;
    if (ret_target->missing_count > 0)
        return;
    ret_target->errors |= model_access(event, at, MODEL_X);
    ret_target->parent = at;
    ret_target->installed = model_child(at, ret_target->name, false);
    ret_target->writing = model_child(at, ret_target->name, true);
}

struct model_node *model_find_judged(const struct model_call *call,
                                     struct slice path,
                                     uint64_t *ret_errors)
{
    struct model_target target;
    model_resolve(call->model, call->event, path, false, &target);
    *ret_errors = target.errors;
    struct model_node *node = target.installed ? target.installed : target.writing;
    if (!node && target.deepest)
        *ret_errors |= MODEL_BIT(ERR_NOT_FOUND);
    return node;
}

struct model_node *model_find(const struct model *model, struct slice path)
{
    const struct event event = {.user = slice_from_string("millrace")};
    struct model_target target;
    if (!model->root)
        return NULL; /* the namenode has never come up */
    model_resolve(model, &event, path, false, &target);
    return target.installed ? target.installed : target.writing;
}

/* The id that the namenode gave to a new inode, from its record. */
static uint64_t id_given(const struct model_call *call, uint64_t parent_id, const char *name)
{
    for (size_t i = 0; i < call->actions->count; i++) {
        const struct action *action = &call->actions->items[i];
        if (action->kind != ACTION_JOURNAL || action->type != &journal_inode_put_type)
            continue;
        const struct journal_inode_put *record = action->message;
        if (record->parent_id == parent_id && slice_equal_string(record->name, name))
            return record->file_id;
    }
    return 0;
}

struct model_node *model_make_node(const struct model_call *call,
                                   struct model_node *parent,
                                   const char *name,
                                   uint64_t id,
                                   enum dfs_file_kind kind,
                                   uint32_t permission)
{
    model_use_id(call->model, id, name);
    if (call->model->problem[0] != '\0')
        return parent; /* the run ends here */
    struct model_node *node = model_node_new(call->model, id);
    (void)snprintf(node->name, sizeof node->name, "%s", name);
    model_text(node->owner, call->event->user);
    memcpy(node->group, parent->group, sizeof node->group);
    node->kind = kind;
    node->permission = permission;
    node->modified_ms = model_wall(call->model);
    node->accessed_ms = kind == FILE_REGULAR ? node->modified_ms : 0;
    model_attach(parent, node);
    return node;
}

static struct model_node *make_directory(const struct model_call *call,
                                         struct model_node *parent,
                                         const char *name,
                                         uint32_t permission)
{
    uint64_t id = id_given(call, parent->id, name);
    return model_make_node(call, parent, name, id, FILE_DIRECTORY, permission);
}

struct model_node *model_make_parents(const struct model_call *call,
                                      struct model_target *target,
                                      uint32_t permission)
{
    struct model_node *at = target->deepest;
    for (size_t i = 0; i < target->missing_count; i++)
        at = make_directory(call, at, target->missing[i], permission);
    return at;
}

/* --- mkdirs, rename, delete
 * --------------------------------------------------------------------------- */
static uint64_t judge_mkdirs(const struct model_call *call)
{
    const struct dfs_mkdirs_request *request = call->event->message;
    struct model_target target;
    model_resolve(call->model, call->event, request->path, request->create_parents, &target);
    if (target.errors & ~MODEL_BIT(ERR_DENIED))
        return target.errors;
    if (target.installed && target.installed->kind == FILE_DIRECTORY && request->create_parents)
        return target.errors;
    if (target.installed || target.writing)
        return target.errors | MODEL_BIT(ERR_EXISTS);
    return target.errors | model_access(call->event, target.deepest, MODEL_W | MODEL_X) |
           model_quota(target.deepest, NULL, (int64_t)target.missing_count + 1, 0);
}

static uint64_t apply_mkdirs(const struct model_call *call)
{
    const struct dfs_mkdirs_request *request = call->event->message;
    struct model_target target;
    model_resolve(call->model, call->event, request->path, true, &target);
    if (target.installed)
        return target.installed->id;
    uint32_t permission = request->permission & 01777U;
    permission = permission == 0 ? 0755 : permission;
    struct model_node *parent = model_make_parents(call, &target, permission | 0300U);
    return make_directory(call, parent, target.name, permission)->id;
}

struct move {
    struct model_node *source;
    struct model_node *parent;
    char name[MODEL_NAME_MAX];
};

static uint64_t plan_rename(const struct model_call *call, struct move *ret_move)
{
    const struct dfs_rename_request *request = call->event->message;
    uint64_t errors;
    struct model_node *source = model_find_judged(call, request->source, &errors);
    struct model_target to;
    model_resolve(call->model, call->event, request->destination, false, &to);
    errors |= to.errors;
    if (!source)
        return errors;
    if (!source->parent)
        return errors | MODEL_BIT(ERR_INVALID);
    if (source->is_writing || model_child(source->parent, source->name, true))
        errors |= MODEL_BIT(ERR_BUSY);
    errors |= model_may_take_out(call->event, source);
    if (!to.deepest)
        return errors;
    struct model_node *parent = to.parent;
    memcpy(ret_move->name, to.name, sizeof to.name);
    if (to.installed && to.installed->kind == FILE_DIRECTORY) {
        parent = to.installed;
        memcpy(ret_move->name, source->name, sizeof source->name);
    }
    if (model_is_below(parent, source))
        errors |= MODEL_BIT(ERR_INVALID);
    if (model_child(parent, ret_move->name, false) || model_child(parent, ret_move->name, true))
        errors |= MODEL_BIT(ERR_EXISTS);
    errors |= model_access(call->event, parent, MODEL_W | MODEL_X);
    uint64_t names = 0;
    uint64_t bytes = 0;
    model_usage(source, &names, &bytes);
    errors |= model_quota(parent, source, (int64_t)names, (int64_t)bytes);
    ret_move->source = source;
    ret_move->parent = parent;
    return errors;
}

static uint64_t judge_rename(const struct model_call *call)
{
    struct move move = {0};
    return plan_rename(call, &move);
}

static uint64_t apply_rename(const struct model_call *call)
{
    struct move move = {0};
    (void)plan_rename(call, &move); /* judged already */
    model_detach(move.source);
    memcpy(move.source->name, move.name, sizeof move.name);
    model_attach(move.parent, move.source);
    return move.source->id;
}

static uint64_t access_below(const struct event *event, const struct model_node *top)
{
    uint64_t errors = 0;
    if (top->kind == FILE_DIRECTORY && top->children_count > 0)
        errors = model_access(event, top, MODEL_R | MODEL_W | MODEL_X);
    for (size_t i = 0; i < top->children_count; i++)
        errors |= access_below(event, top->children[i]);
    return errors;
}

static uint64_t judge_delete(const struct model_call *call)
{
    const struct dfs_delete_request *request = call->event->message;
    uint64_t errors;
    const struct model_node *node = model_find_judged(call, request->path, &errors);
    if (!node)
        return errors;
    if (!node->parent)
        return errors | MODEL_BIT(ERR_INVALID);
    if (node->children_count > 0 && !request->recursive)
        errors |= MODEL_BIT(ERR_NOT_EMPTY);
    return errors | model_may_take_out(call->event, node) | access_below(call->event, node);
}

static uint64_t apply_delete(const struct model_call *call)
{
    const struct dfs_delete_request *request = call->event->message;
    struct model_node *node = model_find(call->model, request->path);
    uint64_t id = node->id;
    struct model_node *writing = model_child(node->parent, node->name, true);
    if (writing && writing != node && writing->is_append)
        model_remove(call->model, writing);
    model_remove(call->model, node);
    return id;
}

/* --- permission and owner
 * ----------------------------------------------------------------------------- */
static uint64_t judge_permission(const struct model_call *call)
{
    const struct dfs_set_permission_request *request = call->event->message;
    uint64_t errors;
    const struct model_node *node = model_find_judged(call, request->path, &errors);
    if (request->permission > 01777U)
        errors |= MODEL_BIT(ERR_INVALID);
    return node ? errors | model_must_own(call->event, node) : errors;
}

static uint64_t apply_permission(const struct model_call *call)
{
    const struct dfs_set_permission_request *request = call->event->message;
    struct model_node *node = model_find(call->model, request->path);
    node->permission = request->permission;
    return node->id;
}

static uint64_t judge_owner(const struct model_call *call)
{
    const struct dfs_set_owner_request *request = call->event->message;
    const struct event *event = call->event;
    uint64_t errors;
    const struct model_node *node = model_find_judged(call, request->path, &errors);
    if (!node || model_is_super(event))
        return errors;
    if (request->owner.length > 0 && !slice_equal_string(request->owner, node->owner))
        errors |= MODEL_BIT(ERR_DENIED);
    if (request->group.length > 0 && !slice_equal_string(request->group, node->group) &&
        !model_is_member(event, request->group))
        errors |= MODEL_BIT(ERR_DENIED);
    return errors | model_must_own(event, node);
}

static uint64_t apply_owner(const struct model_call *call)
{
    const struct dfs_set_owner_request *request = call->event->message;
    struct model_node *node = model_find(call->model, request->path);
    if (request->owner.length > 0)
        model_text(node->owner, request->owner);
    if (request->group.length > 0)
        model_text(node->group, request->group);
    return node->id;
}

/* --- times, replication, quota
 * ------------------------------------------------------------------------ */
static uint64_t judge_times(const struct model_call *call)
{
    const struct dfs_set_times_request *request = call->event->message;
    uint64_t errors;
    const struct model_node *node = model_find_judged(call, request->path, &errors);
    return node ? errors | model_access(call->event, node, MODEL_W) : errors;
}

static uint64_t apply_times(const struct model_call *call)
{
    const struct dfs_set_times_request *request = call->event->message;
    struct model_node *node = model_find(call->model, request->path);
    if (request->set_modified)
        node->modified_ms = request->modified_ms;
    if (request->set_accessed)
        node->accessed_ms = request->accessed_ms;
    return node->id;
}

/* NULL: nobody appends to it. */
static struct model_node *appender_of(const struct model_node *file)
{
    struct model_node *writing = model_child(file->parent, file->name, true);
    return writing && writing->is_append ? writing : NULL;
}

static uint64_t judge_replication(const struct model_call *call)
{
    const struct dfs_set_replication_request *request = call->event->message;
    uint64_t errors;
    const struct model_node *file = model_find_judged(call, request->path, &errors);
    if (request->replication < 1 || request->replication > call->model->replication_max)
        errors |= MODEL_BIT(ERR_INVALID);
    if (!file)
        return errors;
    errors |= model_access(call->event, file, MODEL_W);
    if (file->kind == FILE_DIRECTORY)
        return errors | MODEL_BIT(ERR_IS_DIRECTORY);
    const struct model_node *appender = appender_of(file);
    int64_t before = (int64_t)model_space(file);
    int64_t bytes = before / file->replication;
    if (appender && appender != file) {
        before += (int64_t)model_space(appender);
        bytes += (int64_t)(model_space(appender) / appender->replication);
    }
    return errors | model_quota(file->parent, NULL, 0, bytes * request->replication - before);
}

static uint64_t apply_replication(const struct model_call *call)
{
    const struct dfs_set_replication_request *request = call->event->message;
    struct model_node *file = model_find(call->model, request->path);
    struct model_node *appender = appender_of(file);
    file->replication = request->replication;
    if (appender)
        appender->replication = request->replication;
    return file->id;
}

static uint64_t judge_quota(const struct model_call *call)
{
    const struct dfs_set_quota_request *request = call->event->message;
    uint64_t errors;
    const struct model_node *node = model_find_judged(call, request->path, &errors);
    if (!model_is_super(call->event))
        errors |= MODEL_BIT(ERR_DENIED);
    if (node && node->kind == FILE_REGULAR)
        errors |= MODEL_BIT(ERR_NOT_DIRECTORY);
    return errors;
}

static uint64_t apply_quota(const struct model_call *call)
{
    const struct dfs_set_quota_request *request = call->event->message;
    struct model_node *node = model_find(call->model, request->path);
    if (request->set_names)
        node->name_quota = request->names;
    if (request->set_bytes)
        node->space_quota = request->bytes;
    return node->id;
}

const struct model_method *model_method_names(enum method method)
{
    static const struct model_method methods[] = {
        {METHOD_NAMENODE_MKDIRS,          judge_mkdirs,      apply_mkdirs,      true, 0},
        {METHOD_NAMENODE_RENAME,          judge_rename,      apply_rename,      true, 0},
        {METHOD_NAMENODE_DELETE,          judge_delete,      apply_delete,      true, 0},
        {METHOD_NAMENODE_SET_PERMISSION,  judge_permission,  apply_permission,  true, 0},
        {METHOD_NAMENODE_SET_OWNER,       judge_owner,       apply_owner,       true, 0},
        {METHOD_NAMENODE_SET_TIMES,       judge_times,       apply_times,       true, 0},
        {METHOD_NAMENODE_SET_REPLICATION, judge_replication, apply_replication, true, 0},
        {METHOD_NAMENODE_SET_QUOTA,       judge_quota,       apply_quota,       true, 0},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].method == method)
            return &methods[i];
    return NULL;
}
