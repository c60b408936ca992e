/*
 * mrfs_change.c - commands that change what files are: chmod, chown, chgrp.
 */
#include <string.h>

#include "cli/file_mode.h"
#include "cli/mrfs.h"

struct change {
    bool is_mode;
    struct file_mode_change mode;
    struct slice owner;
    struct slice group;
};

/* Children first, so that a mode that shuts a directory does not shut it before its children. */
static bool change_one(struct mrfs *mrfs,
                       struct slice path,
                       const struct dfs_file_status *file,
                       void *user)
{
    const struct change *change = user;
    struct error error = {OK, ""};
    enum status status = OK;
    if (change->is_mode) {
        uint32_t mode =
            file_mode_apply(&change->mode, file->permission, file->kind == FILE_DIRECTORY);
        if (mode != file->permission)
            status = dfs_set_permission(mrfs->dfs, path, mode, &error);
    } else {
        status = dfs_set_owner(mrfs->dfs, path, change->owner, change->group, &error);
    }
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    return true;
}

static void change_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct dfs_file_status found;
    if (!mrfs_status(mrfs, path, &found))
        return;
    if (mrfs_has(mrfs, 'R'))
        mrfs_walk(mrfs, path, &found, CHILDREN_FIRST, change_one, user);
    else
        (void)change_one(mrfs, path, &found, user); /* it complained */
}

/* Options came as arguments where they looked like modes: "chmod -x /a", but not "chmod -Q /a". */
static bool has_stray_option(struct mrfs *mrfs)
{
    for (size_t i = 1; i < mrfs->words.count; i++) {
        const char *word = mrfs->words.arguments[i];
        if (word[0] == '-') {
            mrfs_complain(mrfs, slice_from_string(word), ERR_INVALID, "there is no such option");
            return true;
        }
    }
    return false;
}

void mrfs_chmod(struct mrfs *mrfs)
{
    struct change change = {.is_mode = true};
    struct error error = {OK, ""};
    struct slice text = slice_from_string(mrfs->words.arguments[0]);
    if (has_stray_option(mrfs))
        return;
    if (file_mode_parse(text, &change.mode, &error) != OK)
        mrfs_complain(mrfs, text, ERR_INVALID, error.text);
    else
        mrfs_each(mrfs, 1, mrfs->words.count, change_path, &change);
}

void mrfs_chown(struct mrfs *mrfs)
{
    struct slice text = slice_from_string(mrfs->words.arguments[0]);
    size_t colon = slice_find(text, ':');
    struct change change = {.owner = slice_sub(text, 0, colon)};
    if (colon < text.length)
        change.group = slice_sub(text, colon + 1, text.length - colon - 1);
    if (change.owner.length == 0 && change.group.length == 0)
        mrfs_complain(mrfs, text, ERR_INVALID, "expected OWNER, OWNER:GROUP or :GROUP");
    else
        mrfs_each(mrfs, 1, mrfs->words.count, change_path, &change);
}

void mrfs_chgrp(struct mrfs *mrfs)
{
    struct change change = {.group = slice_from_string(mrfs->words.arguments[0])};
    if (change.group.length == 0)
        mrfs_complain(mrfs, change.group, ERR_INVALID, "expected a group");
    else
        mrfs_each(mrfs, 1, mrfs->words.count, change_path, &change);
}
