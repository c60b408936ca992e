/*
 * modelreads.c - what reads deserve and must be answered with.
 */
#include <string.h>

#include "lib/base/mem.h"
#include "tests/sim/model.h"

static struct slice path_of(const struct event *event)
{
    switch ((int)event->method) {
    case METHOD_NAMENODE_GET_STATUS:
        return ((const struct dfs_get_status_request *)event->message)->path;
    case METHOD_NAMENODE_LIST_STATUS:
        return ((const struct dfs_list_status_request *)event->message)->path;
    case METHOD_NAMENODE_GET_BLOCKS:
        return ((const struct dfs_get_blocks_request *)event->message)->path;
    default:
        return ((const struct dfs_content_summary_request *)event->message)->path;
    }
}

static uint64_t readable_below(const struct event *event, const struct model_node *top)
{
    uint64_t errors = 0;
    if (top->kind == FILE_DIRECTORY)
        errors = model_access(event, top, MODEL_R | MODEL_X);
    for (size_t i = 0; i < top->children_count; i++)
        errors |= readable_below(event, top->children[i]);
    return errors;
}

uint64_t model_judge_read(const struct model *model, const struct event *event)
{
    struct model_target target;
    model_resolve(model, event, path_of(event), false, &target);
    const struct model_node *node = target.installed ? target.installed : target.writing;
    if (!target.deepest)
        return target.errors;
    if (!node)
        return target.errors | MODEL_BIT(ERR_NOT_FOUND);
    bool is_directory = node->kind == FILE_DIRECTORY;
    if (event->method == METHOD_NAMENODE_GET_BLOCKS)
        return target.errors |
               (is_directory ? MODEL_BIT(ERR_IS_DIRECTORY) : model_access(event, node, MODEL_R));
    if (event->method == METHOD_NAMENODE_LIST_STATUS && is_directory)
        return target.errors | model_access(event, node, MODEL_R);
    if (event->method == METHOD_NAMENODE_CONTENT_SUMMARY)
        return target.errors | readable_below(event, node);
    return target.errors;
}

static void check_status(struct model *model,
                         const struct model_node *node,
                         const struct dfs_file_status *status)
{
    bool is_file = node->kind == FILE_REGULAR;
    const char *what = NULL;
    if (status->file_id != node->id || status->kind != node->kind)
        what = "id or kind";
    else if (status->permission != node->permission ||
             !slice_equal_string(status->owner, node->owner) ||
             !slice_equal_string(status->group, node->group))
        what = "owner or permission";
    else if (status->length != model_length(node) || status->under_construction != node->is_writing)
        what = "length";
    else if (status->child_count != node->children_count)
        what = "number of entries";
    else if (is_file &&
             (status->replication != node->replication || status->block_size != node->block_size ||
              status->modified_ms != node->modified_ms))
        what = "replication, block size or time";
    if (what)
        model_problem(model, "a reader is told another %s of %s (%llu)", what, node->name,
                      (unsigned long long)node->id);
}

/* The entry after name in the order of bytes; an installed one hides one that is being written. */
static const struct model_node *next_entry(const struct model_node *directory, const char *name)
{
    const struct model_node *best = NULL;
    for (size_t i = 0; i < directory->children_count; i++) {
        const struct model_node *child = directory->children[i];
        if (strcmp(child->name, name) <= 0)
            continue;
        int order = best ? strcmp(child->name, best->name) : -1;
        if (order < 0 || (order == 0 && !child->is_writing))
            best = child;
    }
    return best;
}

static void check_list(struct model *model,
                       const struct event *event,
                       const struct model_node *node,
                       const struct dfs_list_status_response *response)
{
    const struct dfs_list_status_request *request = event->message;
    if (node->kind == FILE_REGULAR) {
        if (response->entries_count == 1)
            check_status(model, node, &response->entries[0]);
        return;
    }
    char after[MODEL_NAME_MAX];
    model_text(after, request->start_after);
    const struct model_node *entry = next_entry(node, after);
    for (size_t i = 0; i < response->entries_count; i++) {
        if (!entry || !slice_equal_string(response->entries[i].path, entry->name)) {
            model_problem(model, "a list has \"%.*s\" instead of \"%s\"",
                          SLICE_ARGS(response->entries[i].path), entry ? entry->name : "the end");
            return;
        }
        check_status(model, entry, &response->entries[i]);
        entry = next_entry(node, entry->name);
    }
    if (response->has_more != (entry != NULL) ||
        (entry && request->limit > 0 && response->entries_count != request->limit))
        model_problem(model, "a list of %s ends too early or too late", node->name);
}

static void check_blocks(struct model *model,
                         const struct event *event,
                         const struct model_node *node,
                         const struct dfs_get_blocks_response *response)
{
    const struct dfs_get_blocks_request *request = event->message;
    check_status(model, node, &response->status);
    if (request->offset != 0 || request->length != 0)
        return; /* our clients ask for all */
    if (response->blocks_count != node->blocks_count) {
        model_problem(model, "a reader is told of %zu blocks of %s instead of %zu",
                      response->blocks_count, node->name, node->blocks_count);
        return;
    }
    uint64_t offset = 0;
    for (size_t i = 0; i < node->blocks_count; i++) {
        const struct dfs_located_block *block = &response->blocks[i];
        const struct model_block *own = &node->blocks[i];
        if (block->block_id != own->id || block->length != own->length ||
            block->crc32c != own->crc32c || block->offset != offset)
            model_problem(model, "a reader is told of another block %zu of %s", i, node->name);
        offset += own->length;
    }
}

/* Reading leaves a time, now and then and a little later. */
static void note_access(struct model *model, const struct model_node *node)
{
    uint64_t wall_ms = model_wall(model);
    bool is_due = model->access_precision_ms > 0 && wall_ms >= model->access_precision_ms &&
                  wall_ms - model->access_precision_ms >= node->accessed_ms;
    if (is_due && !node->is_writing)
        (void)map_u64_put(model->accessed, node->id, model); /* once is enough */
}

static void sum_below(const struct model_node *node, struct dfs_content_summary_response *sums)
{
    if (node->kind == FILE_DIRECTORY) {
        sums->directory_count++;
    } else {
        sums->file_count += !model_is_hidden(node);
        sums->length += model_is_hidden(node) ? 0 : model_length(node);
        sums->space_consumed += model_space(node);
    }
    for (size_t i = 0; i < node->children_count; i++)
        sum_below(node->children[i], sums);
}

static void check_summary(struct model *model,
                          const struct model_node *node,
                          const struct dfs_content_summary_response *response)
{
    struct dfs_content_summary_response own = {0};
    own.name_quota = node->name_quota;
    own.space_quota = node->space_quota;
    sum_below(node, &own);
    if (own.length != response->length || own.space_consumed != response->space_consumed ||
        own.file_count != response->file_count ||
        own.directory_count != response->directory_count ||
        own.name_quota != response->name_quota || own.space_quota != response->space_quota)
        model_problem(model, "the sums of %s are wrong: %llu bytes instead of %llu", node->name,
                      (unsigned long long)response->length, (unsigned long long)own.length);
}

void model_check_read(struct model *model, const struct event *event, const void *response)
{
    const struct model_node *node = model_find(model, path_of(event));
    if (event->method == METHOD_NAMENODE_GET_BLOCKS)
        note_access(model, node);
    if (event->method == METHOD_NAMENODE_GET_STATUS)
        check_status(model, node, &((const struct dfs_get_status_response *)response)->status);
    else if (event->method == METHOD_NAMENODE_LIST_STATUS)
        check_list(model, event, node, response);
    else if (event->method == METHOD_NAMENODE_GET_BLOCKS)
        check_blocks(model, event, node, response);
    else
        check_summary(model, node, response);
}
