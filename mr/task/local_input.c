/*
 * local_input.c - lists and cuts the input.
 */
#include "mr/task/local_input.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

struct plan {
    struct arena *arena;
    uint64_t split_bytes;
    struct local_split *splits; /* mem_reserve'd */
    size_t count;
    size_t capacity;
};

static enum status add_file(struct plan *plan,
                            const char *path,
                            uint64_t length,
                            struct error *reterr_error)
{
    for (uint64_t offset = 0; offset < length;) {
        uint64_t rest = length - offset;
        bool is_last = rest <= plan->split_bytes + plan->split_bytes / 10;
        if (plan->count == LIMIT_MAPS)
            return error_set(reterr_error, ERR_LIMIT,
                             "the input has more than %d splits; ask for larger ones", LIMIT_MAPS);
        plan->splits =
            mem_reserve(plan->splits, plan->count, &plan->capacity, sizeof(*plan->splits));
        plan->splits[plan->count++] =
            (struct local_split){path, offset, is_last ? rest : plan->split_bytes};
        offset += plan->splits[plan->count - 1].length;
    }
    return OK;
}

static enum status add_directory(struct plan *plan, const char *path, struct error *reterr_error)
{
    struct slice *names;
    size_t count;
    enum status status = directory_list(path, plan->arena, &names, &count, reterr_error);

    for (size_t i = 0; i < count && status == OK; i++) {
        struct file_info info;
        const char *name = (const char *)names[i].data;
        const char *file;
        if (name[0] == '_' || name[0] == '.')
            continue;
        file = path_join(plan->arena, path, name);
        status = file_info_get(file, true, &info, reterr_error);
        if (status != OK)
            break;
        if (info.is_directory)
            return error_set(reterr_error, ERR_IS_DIRECTORY,
                             "input %s contains the directory %s, and input directories are not "
                             "read recursively; name it as an input of its own",
                             path, name);
        status = add_file(plan, file, info.bytes, reterr_error);
    }
    return status;
}

static enum status add_input(struct plan *plan, const char *path, struct error *reterr_error)
{
    struct file_info info;
    enum status status = file_info_get(path, true, &info, reterr_error);

    if (status != OK)
        return error_prefix(reterr_error, status, "input");
    if (info.is_directory)
        return add_directory(plan, path, reterr_error);
    if (!info.is_regular)
        return error_set(reterr_error, ERR_INVALID, "input %s is neither a file nor a directory",
                         path);
    return add_file(plan, path, info.bytes, reterr_error);
}

enum status local_input_plan(const char *const *inputs,
                             size_t input_count,
                             uint64_t split_bytes,
                             struct arena *arena,
                             struct local_split **ret_splits,
                             size_t *ret_count,
                             struct error *reterr_error)
{
    struct plan plan = {.arena = arena, .split_bytes = split_bytes > 0 ? split_bytes : 1};
    enum status status = OK;

    for (size_t i = 0; i < input_count && status == OK; i++)
        status = add_input(&plan, inputs[i], reterr_error);
    if (status == OK) {
        *ret_splits = ARENA_ARRAY(arena, struct local_split, plan.count + 1);
        if (plan.count > 0)
            memcpy(*ret_splits, plan.splits, plan.count * sizeof(*plan.splits));
        *ret_count = plan.count;
    }
    mem_free(plan.splits);
    return status;
}
