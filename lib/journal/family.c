/*
 * family.c - names, listing, pruning and copying of a journal's files in one directory.
 */
#include "lib/journal/family.h"

#include <stdlib.h>
#include <string.h>

#include "lib/os/directory.h"
#include "lib/os/file.h"

enum {
    GENERATION_DIGITS = 10
};

const char *family_path(const struct family *family,
                        uint64_t generation,
                        const char *suffix,
                        struct arena *arena)
{
    return (const char *)arena_format(arena, "%s/%s.%0*llu%s", family->directory, family->name,
                                      GENERATION_DIGITS, (unsigned long long)generation, suffix)
        .data;
}

/* The number in "<name>.<generation><suffix>"; 0 when name is something else. */
static uint64_t parse_name(const struct family *family, struct slice name, const char *suffix)
{
    size_t prefix = strlen(family->name);
    struct slice tail = slice_from_string(suffix);
    if (name.length != prefix + 1 + GENERATION_DIGITS + tail.length ||
        !slice_has_prefix(name, slice_from_string(family->name)) || name.data[prefix] != '.')
        return 0;
    struct slice digits = slice_sub(name, prefix + 1, GENERATION_DIGITS);
    struct slice rest = slice_sub(name, prefix + 1 + GENERATION_DIGITS, tail.length);
    uint64_t generation = 0;
    return slice_equal(rest, tail) && slice_parse_u64(digits, &generation) ? generation : 0;
}

static bool is_unfinished(const struct family *family, struct slice name)
{
    return parse_name(family, name, FAMILY_SEGMENT FAMILY_UNFINISHED) != 0 ||
           parse_name(family, name, FAMILY_CHECKPOINT FAMILY_UNFINISHED) != 0;
}

enum status family_list(const struct family *family,
                        bool is_sweeping,
                        struct arena *arena,
                        struct inventory *ret_inventory,
                        struct error *reterr_error)
{
    struct slice *names = NULL;
    size_t count = 0;
    *ret_inventory = (struct inventory){.segment_count = 0};
    enum status status = directory_list(family->directory, arena, &names, &count, reterr_error);
    if (status != OK)
        return status;
    struct inventory found = {
        .segments = ARENA_ARRAY(arena, uint64_t, count + 1),
        .checkpoints = ARENA_ARRAY(arena, uint64_t, count + 1),
    };
    for (size_t i = 0; i < count; i++) { /* sorted by name, so by generation */
        uint64_t segment = parse_name(family, names[i], FAMILY_SEGMENT);
        uint64_t checkpoint = parse_name(family, names[i], FAMILY_CHECKPOINT);
        if (segment != 0)
            found.segments[found.segment_count++] = segment;
        if (checkpoint != 0)
            found.checkpoints[found.checkpoint_count++] = checkpoint;
        if (!is_sweeping || !is_unfinished(family, names[i]))
            continue;
        const char *path = path_join(arena, family->directory, (const char *)names[i].data);
        status = file_remove(path, reterr_error);
        if (status != OK)
            return status;
    }
    *ret_inventory = found;
    return OK;
}

bool family_has(const uint64_t *generations, size_t count, uint64_t generation)
{
    for (size_t i = 0; i < count; i++) {
        if (generations[i] == generation)
            return true;
    }
    return false;
}

static void remove_below(const struct family *family,
                         const uint64_t *generations,
                         size_t count,
                         const char *suffix,
                         uint64_t below,
                         struct arena *arena)
{
    for (size_t i = 0; i < count && generations[i] < below; i++)
        status_ignore(file_remove(family_path(family, generations[i], suffix, arena), NULL));
}

void family_prune(const struct family *family)
{
    struct arena *arena = arena_open(0);
    struct inventory inventory;
    if (family_list(family, false, arena, &inventory, NULL) == OK &&
        inventory.checkpoint_count >= 2) {
        uint64_t below = inventory.checkpoints[inventory.checkpoint_count - 2];
        remove_below(family, inventory.checkpoints, inventory.checkpoint_count, FAMILY_CHECKPOINT,
                     below, arena);
        remove_below(family, inventory.segments, inventory.segment_count, FAMILY_SEGMENT, below,
                     arena);
    }
    arena_close(arena);
}

enum status family_copy(const struct family *from,
                        const struct family *to,
                        uint64_t generation,
                        const char *suffix,
                        struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *source = family_path(from, generation, suffix, arena);
    const char *target = family_path(to, generation, suffix, arena);
    const char *temporary =
        (const char *)arena_format(arena, "%s%s", target, FAMILY_UNFINISHED).data;
    struct file *file = NULL;
    enum status status = file_copy(source, temporary, FILE_PRIVATE, reterr_error);
    if (status == OK)
        status = file_open(temporary, FILE_MODE_UPDATE, 0, &file, reterr_error);
    if (status == OK)
        status = file_sync(file, reterr_error);
    file_close(file);
    if (status == OK)
        status = file_rename(temporary, target, reterr_error);
    arena_close(arena);
    return status;
}
