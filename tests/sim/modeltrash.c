/*
 * modeltrash.c - what the namenode may do with the trash by itself (docs/namespace.md, Trash).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/sim/model.h"

enum {
    DIGITS = 12,
    SLACK_MS = 5000 /* between two looks of the namenode, generously */
};

static bool is_named(const struct model_node *node, const char *name)
{
    return node && strcmp(node->name, name) == 0;
}

/* Whether directory is the trash of somebody: /user/<name>/.Trash. */
static bool is_trash(const struct model_node *directory)
{
    if (!is_named(directory, ".Trash") || !directory->parent || !directory->parent->parent)
        return false;
    const struct model_node *users = directory->parent->parent;
    return is_named(users, "user") && users->parent && !users->parent->parent;
}

/* The time as a checkpoint's name. */
static void name_of_time(uint64_t wall_ms, char *name, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char text[MODEL_NAME_MAX];
    size_t length = strftime(text, sizeof text, "%Y%m%d%H%M%S", gmtime(&seconds));
    (void)snprintf(name, size, "%s", length > 2 ? text + 2 : "");
}

/* Whether name is the checkpoint's of a time at least keep_ms ago; compared as text, in one
 * century. */
static bool is_old_enough(const struct model *model, const char *name, int64_t keep_ms)
{
    char latest[MODEL_NAME_MAX];
    if (model_wall(model) < (uint64_t)keep_ms)
        return false;
    name_of_time(model_wall(model) - (uint64_t)keep_ms, latest, sizeof latest);
    return strncmp(name, latest, DIGITS) <= 0;
}

void model_trash_put(struct model *model,
                     struct model_node *node,
                     const struct journal_inode_put *record)
{
    uint64_t parent_id = node->parent ? node->parent->id : 0;
    if (slice_equal_string(record->name, node->name) && record->parent_id == parent_id)
        return; /* the call's, or only its age */
    char now[MODEL_NAME_MAX];
    char name[MODEL_NAME_MAX];
    name_of_time(model_wall(model), now, sizeof now);
    model_text(name, record->name);
    bool is_right = model->trash_keep_ms > 0 && is_named(node, "Current") &&
                    is_trash(node->parent) && record->parent_id == parent_id &&
                    node->children_count > 0 && strncmp(name, now, DIGITS) == 0 &&
                    (name[DIGITS] == '\0' || name[DIGITS] == '-') &&
                    !model_child(node->parent, name, false);
    if (!is_right) {
        model_problem(model, "the namenode renames \"%s\" (%llu) to \"%s\" by itself", node->name,
                      (unsigned long long)node->id, name);
        return;
    }
    memcpy(node->name, name, sizeof name);
    node->rolled_ms = model->now_ms;
    model->trash_rolls++;
}

bool model_trash_may_expire(const struct model *model, const struct model_node *node)
{
    return model->trash_keep_ms > 0 && node->rolled_ms > 0 && is_trash(node->parent) &&
           is_old_enough(model, node->name, model->trash_keep_ms) &&
           model->now_ms - node->rolled_ms >= model->trash_keep_ms;
}

bool model_trash_is_overdue(const struct model *model,
                            const struct model_node *node,
                            int64_t since_ms)
{
    int64_t from_ms = node->rolled_ms > since_ms ? node->rolled_ms : since_ms;
    return model_trash_may_expire(model, node) &&
           is_old_enough(model, node->name, model->trash_keep_ms + SLACK_MS) &&
           model->now_ms - from_ms >= model->trash_keep_ms + SLACK_MS;
}
