/*
 * path.c - from a path to inodes, and what the caller may do with them.
 * POSIX permission bits. Reads only.
 */
#include "lib/model/path.h"
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

static bool parse_path(struct namenode *nn, struct slice text, struct path *ret_path)
{
    struct error error = {0};
    struct slice rest;
    if (path_normalise(text, nn->actions->arena, &rest, &error) != OK) {
        namenode_fail(nn, ERR_INVALID, "%s", error.text);
        return false;
    }
    ret_path->count = 0;
    struct slice name;
    while (path_next_name(&rest, &name)) {
        CHECK(ret_path->count < LIMIT_PATH_DEPTH); /* path_normalise refuses deeper ones */
        ret_path->names[ret_path->count++] = name;
    }
    return true;
}

/* --- permissions --------------------------------------------------------------------- */

bool namenode_access_is_member(const struct namenode *nn, struct slice group)
{
    const struct event *event = nn->event;
    for (size_t i = 0; i < event->groups_count; i++) {
        if (slice_equal(event->groups[i], group)) {
            return true;
        }
    }
    return event->groups_count == 0 && slice_equal(event->user, group);
}

bool namenode_access_allows(const struct namenode *nn, const struct inode *inode, unsigned bits)
{
    struct slice user = nn->event->user;
    if (namenode_is_superuser(nn, user)) {
        return true;
    }
    unsigned granted = inode->permission & 7U;
    if (slice_equal(user, inode->owner)) {
        granted = (inode->permission >> 6) & 7U;
    } else if (namenode_access_is_member(nn, inode->group)) {
        granted = (inode->permission >> 3) & 7U;
    }
    return (granted & bits) == bits;
}

bool namenode_access_check(struct namenode *nn, const struct inode *inode, unsigned bits)
{
    if (namenode_access_allows(nn, inode, bits)) {
        return true;
    }
    struct slice path = namenode_inode_path(inode, nn->actions->arena);
    namenode_fail(nn, ERR_DENIED, "user %.*s lacks %s%s%s on %.*s (%.*s:%.*s %04o)",
                  SLICE_ARGS(nn->event->user), (bits & ACCESS_READ) != 0 ? "r" : "",
                  (bits & ACCESS_WRITE) != 0 ? "w" : "", (bits & ACCESS_EXECUTE) != 0 ? "x" : "",
                  SLICE_ARGS(path), SLICE_ARGS(inode->owner), SLICE_ARGS(inode->group),
                  inode->permission);
    return false;
}

bool namenode_access_check_removal(struct namenode *nn, const struct inode *child)
{
    const struct inode *parent = child->parent;
    if (!namenode_access_check(nn, parent, ACCESS_WRITE | ACCESS_EXECUTE)) {
        return false;
    }
    struct slice user = nn->event->user;
    bool is_sticky = (parent->permission & 01000U) != 0;
    if (!is_sticky || namenode_is_superuser(nn, user) || slice_equal(user, child->owner) ||
        slice_equal(user, parent->owner)) {
        return true;
    }
    namenode_fail(nn, ERR_DENIED, "%.*s is another user's, in a sticky directory",
                  SLICE_ARGS(child->name));
    return false;
}

bool namenode_access_check_below(struct namenode *nn,
                                 const struct inode *top,
                                 unsigned bits,
                                 bool only_filled)
{
    if (namenode_is_superuser(nn, nn->event->user)) {
        return true;
    }
    const struct inode *at = top;
    while (at != NULL) {
        bool is_asked = namenode_inode_is_directory(at) && (!only_filled || at->child_count > 0);
        if (is_asked && !namenode_access_check(nn, at, bits)) {
            return false;
        }
        /* Only directories matter. */
        at = at->directory_count > 0 ? namenode_inode_walk(top, at)
                                     : namenode_inode_walk_past(top, at);
    }
    return true;
}

bool namenode_access_check_owner(struct namenode *nn, const struct inode *inode)
{
    if (namenode_is_superuser(nn, nn->event->user) || slice_equal(nn->event->user, inode->owner)) {
        return true;
    }
    namenode_fail(nn, ERR_DENIED, "%.*s belongs to %.*s, not to %.*s", SLICE_ARGS(inode->name),
                  SLICE_ARGS(inode->owner), SLICE_ARGS(nn->event->user));
    return false;
}

/* --- the walk ------------------------------------------------------------------------ */

static bool walk_parents(struct namenode *nn,
                         struct slice text,
                         bool may_miss,
                         struct target *target)
{
    const struct path *path = &target->path;
    struct inode *directory = nn->root;
    for (size_t i = 0; i + 1 < path->count; i++) {
        if (!namenode_access_check(nn, directory, ACCESS_EXECUTE)) {
            return false;
        }
        struct inode *next = namenode_inode_installed(nn, directory, path->names[i]);
        bool is_file = next != NULL ? !namenode_inode_is_directory(next)
                                    : namenode_inode_writing(nn, directory, path->names[i]) != NULL;
        if (is_file) {
            namenode_fail(nn, ERR_NOT_DIRECTORY, "%.*s: %.*s is a file", SLICE_ARGS(text),
                          SLICE_ARGS(path->names[i]));
            return false;
        }
        if (next == NULL) {
            if (!may_miss) {
                namenode_fail(nn, ERR_NOT_FOUND, "%.*s: no directory %.*s", SLICE_ARGS(text),
                              SLICE_ARGS(path->names[i]));
                return false;
            }
            target->missing = path->count - 1 - i;
            break;
        }
        directory = next;
    }
    target->deepest = directory;
    return true;
}

bool namenode_path_resolve(struct namenode *nn,
                           struct slice text,
                           bool may_miss_parents,
                           struct target *ret_target)
{
    struct path *path = &ret_target->path;
    ret_target->parent = NULL;
    ret_target->name = slice_make(NULL, 0);
    ret_target->installed = NULL;
    ret_target->writing = NULL;
    ret_target->deepest = NULL;
    ret_target->missing = 0;
    if (!parse_path(nn, text, path)) {
        return false;
    }
    if (path->count == 0) {
        ret_target->installed = nn->root;
        return true;
    }
    ret_target->name = path->names[path->count - 1];
    if (!walk_parents(nn, text, may_miss_parents, ret_target)) {
        return false;
    }
    if (ret_target->missing > 0) {
        return true;
    }
    ret_target->parent = ret_target->deepest;
    if (!namenode_access_check(nn, ret_target->parent, ACCESS_EXECUTE)) {
        return false;
    }
    ret_target->installed = namenode_inode_installed(nn, ret_target->parent, ret_target->name);
    ret_target->writing = namenode_inode_writing(nn, ret_target->parent, ret_target->name);
    return true;
}

struct inode *namenode_path_find(struct namenode *nn, struct slice text, struct target *ret_target)
{
    if (!namenode_path_resolve(nn, text, false, ret_target)) {
        return NULL;
    }
    if (ret_target->installed != NULL) {
        return ret_target->installed;
    }
    if (ret_target->writing == NULL) {
        namenode_fail(nn, ERR_NOT_FOUND, "%.*s does not exist", SLICE_ARGS(text));
    }
    return ret_target->writing;
}
