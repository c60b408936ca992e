/*
 * usage.c - adds up processes by tree.
 */
#include "lib/os/usage.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/os/proc.h"

enum {
    ANCESTORS_MAX = 4096 /* a chain longer than this was torn by pids that changed while we read */
};

/* The index in roots of the tree that row belongs to; count when none. */
static size_t find_root(const struct map_u64 *rows_by_pid,
                        const struct map_u64 *roots_by_pid,
                        const struct proc_row *row,
                        size_t count)
{
    const struct proc_row *ancestor = row;
    for (int depth = 0; ancestor != NULL && depth < ANCESTORS_MAX; depth++) {
        const size_t *index = map_u64_get(roots_by_pid, (uint64_t)ancestor->pid);
        if (index != NULL)
            return *index;
        ancestor = map_u64_get(rows_by_pid, (uint64_t)ancestor->parent);
    }
    const size_t *index = map_u64_get(roots_by_pid, (uint64_t)row->group);
    return index != NULL ? *index : count;
}

enum status usage_of_trees(const int64_t *roots,
                           size_t count,
                           struct usage *ret_usage,
                           struct error *reterr_error)
{
    struct proc_row *rows = NULL;
    size_t row_count = 0;
    enum status status = proc_list(&rows, &row_count, reterr_error);
    if (status != OK)
        return status;
    struct map_u64 *rows_by_pid = map_u64_open();
    struct map_u64 *roots_by_pid = map_u64_open();
    size_t *indices = mem_new((count + 1) * sizeof(*indices));
    for (size_t i = 0; i < row_count; i++)
        (void)map_u64_put(rows_by_pid, (uint64_t)rows[i].pid, &rows[i]);
    for (size_t i = 0; i < count; i++) {
        indices[i] = i;
        (void)map_u64_put(roots_by_pid, (uint64_t)roots[i], &indices[i]);
        ret_usage[i] = (struct usage){.processes = 0};
    }
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].state == 'Z')
            continue;
        size_t root = find_root(rows_by_pid, roots_by_pid, &rows[i], count);
        if (root == count)
            continue;
        ret_usage[root].resident_bytes += rows[i].resident_bytes;
        ret_usage[root].cpu_ms += rows[i].cpu_ms;
        ret_usage[root].threads += rows[i].threads;
        ret_usage[root].processes++;
    }
    mem_free(indices);
    map_u64_close(roots_by_pid);
    map_u64_close(rows_by_pid);
    mem_free(rows);
    return OK;
}

enum status usage_of_descriptors(uint64_t *ret_open, uint64_t *ret_max, struct error *reterr_error)
{
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        int cause = errno;
        if (folder != NULL)
            (void)closedir(folder);
        return error_set_errno(reterr_error, cause, "count file descriptors");
    }
    uint64_t count = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    *ret_open = count > 0 ? count - 1 : 0; /* but for the one that read the folder */
    *ret_max = (uint64_t)limit.rlim_cur;
    return OK;
}

enum status usage_of_self(struct usage *ret_usage, struct error *reterr_error)
{
    struct proc_row row;
    enum status status = proc_get((int64_t)getpid(), &row, reterr_error);
    if (status != OK)
        return status;
    *ret_usage = (struct usage){
        .resident_bytes = row.resident_bytes,
        .cpu_ms = row.cpu_ms,
        .processes = 1,
        .threads = row.threads,
    };
    return OK;
}
