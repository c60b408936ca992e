/*
 * model.c - the model's tree, leases and results, and its comparison with a namenode's state.
 */
#include "tests/sim/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

void model_problem(struct model *model, const char *format, ...)
{
    if (model->problem[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(model->problem, sizeof model->problem, format, arguments);
    va_end(arguments);
}

void model_text(char *to, struct slice from)
{
    CHECK(from.length < MODEL_NAME_MAX);
    if (from.length > 0)
        memcpy(to, from.data, from.length);
    to[from.length] = '\0';
}

/* --- nodes
 * ------------------------------------------------------------------------------------------- */
void model_use_id(struct model *model, uint64_t id, const char *what)
{
    if (id == 0 || map_u64_get(model->used, id))
        model_problem(model, "NN-2 id %llu is given to %s, but it was given before",
                      (unsigned long long)id, what);
    else
        (void)map_u64_put(model->used, id, model); /* it was absent */
}

struct model_node *model_node_new(struct model *model, uint64_t id)
{
    struct model_node *node = MEM_NEW(struct model_node);
    node->id = id;
    struct model_node *old = map_u64_put(model->nodes, id, node);
    CHECK(old == NULL);
    return node;
}

void model_attach(struct model_node *parent, struct model_node *node)
{
    parent->children = mem_reserve(parent->children, parent->children_count,
                                   &parent->children_capacity, sizeof(struct model_node *));
    parent->children[parent->children_count++] = node;
    node->parent = parent;
}

void model_detach(struct model_node *node)
{
    struct model_node *parent = node->parent;
    size_t at = 0;
    while (parent->children[at] != node)
        at++;
    memmove(&parent->children[at], &parent->children[at + 1],
            (parent->children_count - at - 1) * sizeof(struct model_node *));
    parent->children_count--;
    node->parent = NULL;
}

void model_remove(struct model *model, struct model_node *node)
{
    while (node->children_count > 0)
        model_remove(model, node->children[node->children_count - 1]);
    if (node->parent)
        model_detach(node);
    if (node->is_writing)
        model_lease_release(model, node);
    (void)map_u64_remove(model->nodes, node->id);
    mem_free(node->children);
    mem_free(node->blocks);
    mem_free(node);
}

struct model_node *model_child(const struct model_node *parent, const char *name, bool is_writing)
{
    for (size_t i = 0; i < parent->children_count; i++) {
        struct model_node *child = parent->children[i];
        if (child->is_writing == is_writing && strcmp(child->name, name) == 0)
            return child;
    }
    return NULL;
}

struct model_node *model_node_by_id(const struct model *model, uint64_t id)
{
    return map_u64_get(model->nodes, id);
}

uint64_t model_length(const struct model_node *node)
{
    uint64_t length = 0;
    for (size_t i = 0; i < node->blocks_count; i++)
        length += node->blocks[i].length;
    return length;
}

struct model_node *model_walk(const struct model *model, const struct model_node *node)
{
    if (!node)
        return model->root;
    if (node->children_count > 0)
        return node->children[0];
    while (node->parent) {
        const struct model_node *parent = node->parent;
        size_t at = 0;
        while (parent->children[at] != node)
            at++;
        if (at + 1 < parent->children_count)
            return parent->children[at + 1];
        node = parent;
    }
    return NULL;
}

uint64_t model_wall(const struct model *model)
{
    return model->wall_ms > 0 ? (uint64_t)model->wall_ms : 0;
}

bool model_is_below(const struct model_node *node, const struct model_node *top)
{
    while (node && node != top)
        node = node->parent;
    return node == top;
}

bool model_is_hidden(const struct model_node *node)
{
    return node->is_writing && model_child(node->parent, node->name, false) != NULL;
}

/* --- quotas
 * ------------------------------------------------------------------------------------------ */
uint64_t model_space(const struct model_node *node)
{
    uint64_t bytes = model_length(node);
    for (size_t i = 0; i < node->pending_count; i++)
        bytes += node->pending[i].length;
    return bytes * node->replication;
}

void model_usage(const struct model_node *top, uint64_t *ret_names, uint64_t *ret_bytes)
{
    *ret_names += !model_is_hidden(top);
    *ret_bytes += model_space(top);
    for (size_t i = 0; i < top->children_count; i++)
        model_usage(top->children[i], ret_names, ret_bytes);
}

static bool exceeds(uint64_t quota, uint64_t used, int64_t more)
{
    return quota != 0 && more > 0 && used + (uint64_t)more > quota;
}

uint64_t model_quota(const struct model_node *directory,
                     const struct model_node *source,
                     int64_t names,
                     int64_t bytes)
{
    for (const struct model_node *at = directory; at; at = at->parent) {
        if (source && model_is_below(source, at))
            return 0;
        uint64_t used_names = 0;
        uint64_t used_bytes = 0;
        if (at->name_quota == 0 && at->space_quota == 0)
            continue;
        model_usage(at, &used_names, &used_bytes);
        if (exceeds(at->name_quota, used_names, names) ||
            exceeds(at->space_quota, used_bytes, bytes))
            return MODEL_BIT(ERR_QUOTA);
    }
    return 0;
}

/* --- leases and results
 * ------------------------------------------------------------------------------ */
void model_lease_hold(struct model *model, struct model_node *file, uint64_t client_id)
{
    struct model_lease *lease = map_u64_get(model->leases, client_id);
    if (!lease) {
        lease = MEM_NEW(struct model_lease);
        lease->heard_ms = model->now_ms;
        (void)map_u64_put(model->leases, client_id, lease); /* it was absent */
    }
    lease->files++;
    file->is_writing = true;
    file->client_id = client_id;
}

void model_lease_release(struct model *model, struct model_node *file)
{
    struct model_lease *lease = map_u64_get(model->leases, file->client_id);
    CHECK(lease != NULL);
    file->is_writing = false;
    if (--lease->files > 0)
        return;
    (void)map_u64_remove(model->leases, file->client_id); /* is lease */
    mem_free(lease);
}

static struct slice result_key(uint64_t *ids, uint64_t client_id, uint64_t request_id)
{
    ids[0] = client_id;
    ids[1] = request_id;
    return slice_make(ids, 2 * sizeof *ids);
}

const struct model_result *model_result(const struct model *model,
                                        uint64_t client_id,
                                        uint64_t request_id)
{
    uint64_t ids[2];
    return map_get(model->results, result_key(ids, client_id, request_id));
}

/* --- open and close
 * ---------------------------------------------------------------------------------- */
struct model *model_open(void)
{
    struct model *model = MEM_NEW(struct model);
    model->nodes = map_u64_open();
    model->leases = map_u64_open();
    model->handed = map_u64_open();
    model->accessed = map_u64_open();
    model->used = map_u64_open();
    model->results = map_open();
    return model;
}

static void free_values(struct map_u64 *map)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(map, &cursor, NULL, &value))
        mem_free(value);
    map_u64_close(map);
}

void model_close(struct model *model)
{
    if (model->root)
        model_remove(model, model->root);
    free_values(model->leases);
    free_values(model->handed);
    map_u64_close(model->accessed);
    map_u64_close(model->used);
    map_u64_close(model->nodes);
    size_t cursor = 0;
    void *value;
    while (map_next(model->results, &cursor, NULL, &value))
        mem_free(value);
    map_close(model->results);
    mem_free(model);
}

void model_restarted(struct model *model, int64_t now_ms)
{
    model->now_ms = now_ms;
    model->life++;
    model->may_be_safe = true;
    model->is_safe = false;
    map_u64_clear(model->accessed);
    size_t cursor = 0;
    void *value;
    while (map_u64_next(model->leases, &cursor, NULL, &value))
        ((struct model_lease *)value)->heard_ms = now_ms;
    cursor = 0;
    while (map_u64_next(model->nodes, &cursor, NULL, &value)) {
        struct model_node *node = value;
        node->pending_count = 0;
        node->add_request_id = 0;
    }
}

/* --- comparison
 * -------------------------------------------------------------------------------------- */
static bool blocks_are_equal(const struct model_node *node, const struct journal_inode_put *record)
{
    if (node->blocks_count != record->blocks_count)
        return false;
    for (size_t i = 0; i < node->blocks_count; i++) {
        const struct model_block *own = &node->blocks[i];
        const struct dfs_block_info *block = &record->blocks[i];
        if (own->id != block->block_id || own->length != block->length ||
            own->crc32c != block->crc32c)
            return false;
    }
    return true;
}

static const char *difference(const struct model *model,
                              const struct model_node *node,
                              const struct journal_inode_put *record)
{
    uint64_t parent_id = node->parent ? node->parent->id : 0;
    if (parent_id != record->parent_id)
        return "parent";
    if (!slice_equal_string(record->name, node->name))
        return "name";
    if (node->kind != record->kind)
        return "kind";
    if (node->permission != record->permission)
        return "permission";
    if (!slice_equal_string(record->owner, node->owner) ||
        !slice_equal_string(record->group, node->group))
        return "owner";
    if (node->rolled_ms > 0 && record->trash_age_ms > (uint64_t)(model->now_ms - node->rolled_ms))
        return "age in the trash";
    if (node->kind == FILE_DIRECTORY)
        return node->name_quota != record->name_quota || node->space_quota != record->space_quota
                   ? "quota"
                   : NULL;
    if (node->replication != record->replication || node->block_size != record->block_size)
        return "replication or block size";
    if (node->is_writing != record->under_construction)
        return "being written";
    if (node->is_writing && node->durability != record->durability)
        return "durability";
    if (node->is_writing &&
        (node->client_id != record->lease_client_id || node->overwrite != record->overwrite))
        return "writer";
    uint64_t append_to = 0;
    if (node->is_append)
        append_to = model_child(node->parent, node->name, false)->id;
    if (append_to != record->append_to || node->keep_blocks != record->keep_blocks)
        return "file to append to";
    if (!blocks_are_equal(node, record))
        return "blocks";
    if (node->modified_ms != record->modified_ms)
        return "time of modification";
    if (node->accessed_ms != record->accessed_ms)
        return "time of access";
    return NULL;
}

static void learn_root(struct model *model, const struct journal_inode_put *record)
{
    struct model_node *root = model_node_new(model, record->file_id);
    root->kind = FILE_DIRECTORY;
    root->permission = 0755;
    model_text(root->owner, slice_from_string("millrace"));
    model_text(root->group, slice_from_string("supergroup"));
    model_use_id(model, record->file_id, "the root");
    model->root = root;
}

static void compare_inode(struct model *model, const struct journal_inode_put *record)
{
    if (!model->root && record->parent_id == 0)
        learn_root(model, record);
    struct model_node *node = model_node_by_id(model, record->file_id);
    if (!node) {
        model_problem(model, "the namenode has \"%.*s\" (%llu) that should not be there",
                      SLICE_ARGS(record->name), (unsigned long long)record->file_id);
        return;
    }
    node->is_marked = true;
    const char *what = difference(model, node, record);
    if (what)
        model_problem(model, "the namenode has another %s of \"%s\" (%llu)", what, node->name,
                      (unsigned long long)node->id);
}

static void compare_results(struct model *model, const struct actions *records)
{
    size_t found = 0;
    size_t wanted = 0;
    for (size_t i = 0; i < records->count; i++) {
        if (records->items[i].type != &journal_mutation_done_type)
            continue;
        const struct journal_mutation_done *done = records->items[i].message;
        const struct model_result *result = model_result(model, done->client_id, done->request_id);
        if (!result)
            model_problem(model, "the namenode remembers request %llu of client %llu: it never was",
                          (unsigned long long)done->request_id,
                          (unsigned long long)done->client_id);
        else
            found++;
    }
    size_t cursor = 0;
    void *value;
    while (map_next(model->results, &cursor, NULL, &value))
        wanted++;
    if (found < wanted)
        model_problem(model, "the namenode has forgotten %zu of %zu results", wanted - found,
                      wanted);
}

void model_compare(struct model *model, const struct actions *records)
{
    uint64_t up_to = 0;
    for (size_t i = 0; i < records->count; i++) {
        const struct action *record = &records->items[i];
        if (record->type == &journal_inode_put_type)
            compare_inode(model, record->message);
        else if (record->type == &journal_block_ids_reserved_type)
            up_to = ((const struct journal_block_ids_reserved *)record->message)->up_to;
    }
    for (struct model_node *node = model_walk(model, NULL); node; node = model_walk(model, node)) {
        if (!node->is_marked)
            model_problem(model, "the namenode has lost \"%s\" (%llu)", node->name,
                          (unsigned long long)node->id);
        node->is_marked = false;
    }
    size_t cursor = 0;
    uint64_t id;
    void *value;
    while (map_u64_next(model->used, &cursor, &id, &value))
        if (id > up_to)
            model_problem(model, "NN-2 id %llu is in use, but ids are reserved up to %llu only",
                          (unsigned long long)id, (unsigned long long)up_to);
    compare_results(model, records);
}
