/*
 * power_loss_names.c - the names and contents of a disk of the power-loss model.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/support/power_loss_private.h"

struct name *power_loss_find_name(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].path, path) == 0)
            return &names->items[i];
    }
    return NULL;
}

void power_loss_set_name(struct names *names, const char *path, uint64_t file, bool is_directory)
{
    struct name *name = power_loss_find_name(names, path);
    if (name == NULL) {
        names->items =
            mem_reserve(names->items, names->count, &names->capacity, sizeof(names->items[0]));
        name = &names->items[names->count++];
        name->path = path;
    }
    name->file = file;
    name->is_directory = is_directory;
}

void power_loss_drop_name(struct names *names, const char *path)
{
    struct name *name = power_loss_find_name(names, path);
    if (name != NULL)
        *name = names->items[--names->count];
}

void power_loss_move_below(struct names *names,
                           struct arena *arena,
                           const char *from,
                           const char *to)
{
    size_t length = strlen(from);
    for (size_t i = 0; i < names->count; i++) {
        const char *path = names->items[i].path;
        if (strncmp(path, from, length) == 0 && path[length] == '/')
            names->items[i].path =
                (const char *)arena_format(arena, "%s%s", to, path + length).data;
    }
}

void power_loss_copy_names(struct names *target, const struct names *source)
{
    target->count = 0;
    for (size_t i = 0; i < source->count; i++)
        power_loss_set_name(target, source->items[i].path, source->items[i].file,
                            source->items[i].is_directory);
}

bool power_loss_is_in_directory(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    if (length > 0 && (strncmp(path, directory, length) != 0 || path[length] != '/'))
        return false;
    return strchr(path + length + (length > 0 ? 1 : 0), '/') == NULL;
}

void power_loss_grow(struct content *content, uint64_t length)
{
    if (length > content->capacity) {
        uint64_t capacity = length * 2;
        content->data = mem_try_grow(content->data, (size_t)capacity, 1);
        CHECK(content->data != NULL);
        content->capacity = capacity;
    }
    if (length > content->length) {
        memset(content->data + content->length, 0, (size_t)(length - content->length));
        content->length = length;
    }
}
