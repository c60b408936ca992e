/*
 * directory.c - directories.
 */
#include "lib/os/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/calls.h"
#include "lib/os/file.h"

enum {
    TREE_DEPTH_MAX = 256 /* a deeper tree is refused rather than overrun the stack */
};

enum status directory_make(const char *path, unsigned permission, struct error *reterr_error)
{
    if (os_mkdir(path, (mode_t)permission) != 0)
        return error_set_errno(reterr_error, errno, "make directory %s", path);
    return OK;
}

/* One level of directory_make_all: an existing directory is fine. */
static enum status make_or_find(const char *path,
                                unsigned permission,
                                bool is_synced,
                                struct error *reterr_error)
{
    if (os_mkdir(path, (mode_t)permission) == 0)
        return is_synced ? directory_sync_parent(path, reterr_error) : OK;
    struct stat info;
    if (errno != EEXIST || os_stat(path, &info) != 0)
        return error_set_errno(reterr_error, errno, "make directory %s", path);
    if (!S_ISDIR(info.st_mode))
        return error_set(reterr_error, ERR_NOT_DIRECTORY, "make directory %s: is a file", path);
    enum status status = is_synced ? directory_sync_parent(path, reterr_error) : OK;
    return status == ERR_DENIED ? OK : status;
}

static enum status make_all(const char *path,
                            unsigned permission,
                            bool is_synced,
                            struct error *reterr_error)
{
    size_t length = strlen(path);
    char *partial = mem_new(length + 1);
    memcpy(partial, path, length);
    enum status status = OK;
    for (size_t i = 1; i < length && status == OK; i++) {
        if (partial[i] != '/' || partial[i - 1] == '/')
            continue;
        partial[i] = '\0';
        status = make_or_find(partial, permission, is_synced, reterr_error);
        partial[i] = '/';
    }
    if (status == OK)
        status = make_or_find(path, permission, is_synced, reterr_error);
    mem_free(partial);
    return status;
}

enum status directory_make_all(const char *path, unsigned permission, struct error *reterr_error)
{
    return make_all(path, permission, false, reterr_error);
}

enum status directory_make_durable(const char *path,
                                   unsigned permission,
                                   struct error *reterr_error)
{
    return make_all(path, permission, true, reterr_error);
}

enum status directory_make_temporary(const char *prefix,
                                     struct arena *arena,
                                     const char **ret_path,
                                     struct error *reterr_error)
{
    size_t length = strlen(prefix);
    char *path = arena_new(arena, length + 7);
    memcpy(path, prefix, length);
    memcpy(path + length, "XXXXXX", 7);
    if (mkdtemp(path) == NULL)
        return error_set_errno(reterr_error, errno, "make directory %s", path);
    *ret_path = path;
    return OK;
}

static int compare_names(const void *left, const void *right)
{
    return slice_compare(*(const struct slice *)left, *(const struct slice *)right);
}

static bool is_dot_name(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

enum status directory_list(const char *path,
                           struct arena *arena,
                           struct slice **ret_names,
                           size_t *ret_count,
                           struct error *reterr_error)
{
    int descriptor = os_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (descriptor < 0)
        return error_set_errno(reterr_error, errno, "list %s", path);
    DIR *stream = fdopendir(descriptor);
    if (stream == NULL) {
        int reason = errno;
        (void)os_close(descriptor); /* only read from */
        return error_set_errno(reterr_error, reason, "list %s", path);
    }
    struct slice *names = NULL;
    size_t count = 0;
    size_t capacity = 0;
    struct dirent *entry;
    errno = 0;
    while ((entry = os_readdir(stream)) != NULL) {
        if (!is_dot_name(entry->d_name)) {
            names = mem_reserve(names, count, &capacity, sizeof(*names));
            names[count++] = arena_copy(arena, slice_from_string(entry->d_name));
        }
        errno = 0;
    }
    int reason = errno;
    (void)closedir(stream); /* only read from */
    if (reason != 0) {
        mem_free(names);
        return error_set_errno(reterr_error, reason, "list %s", path);
    }
    struct slice *sorted = ARENA_ARRAY(arena, struct slice, count == 0 ? 1 : count);
    if (count > 0) {
        qsort(names, count, sizeof(*names), compare_names);
        memcpy(sorted, names, count * sizeof(*names));
    }
    mem_free(names);
    *ret_names = sorted;
    *ret_count = count;
    return OK;
}

enum status directory_remove(const char *path, struct error *reterr_error)
{
    if (os_rmdir(path) == 0)
        return OK;
    if (errno == EEXIST) /* POSIX lets a filesystem say it so */
        errno = ENOTEMPTY;
    return error_set_errno(reterr_error, errno, "remove directory %s", path);
}

static enum status remove_tree_at(const char *path, unsigned depth, struct error *reterr_error)
{
    if (depth > TREE_DEPTH_MAX)
        return error_set(reterr_error, ERR_LIMIT, "remove %s: nested too deeply", path);
    struct stat info;
    if (os_lstat(path, &info) != 0)
        return errno == ENOENT ? OK : error_set_errno(reterr_error, errno, "look at %s", path);
    if (!S_ISDIR(info.st_mode)) {
        if (os_unlink(path) != 0 && errno != ENOENT)
            return error_set_errno(reterr_error, errno, "remove %s", path);
        return OK;
    }
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    enum status status = directory_list(path, arena, &names, &count, reterr_error);
    if (status == ERR_DENIED &&
        os_chmod(path, 0700) == 0) /* our own, with its permission taken away */
        status = directory_list(path, arena, &names, &count, reterr_error);
    for (size_t i = 0; i < count && status == OK; i++)
        status = remove_tree_at(path_join(arena, path, (const char *)names[i].data), depth + 1,
                                reterr_error);
    if (status == OK && os_rmdir(path) != 0 && errno != ENOENT)
        status = error_set_errno(reterr_error, errno, "remove directory %s", path);
    arena_close(arena);
    return status;
}

enum status directory_remove_tree(const char *path, struct error *reterr_error)
{
    return remove_tree_at(path, 0, reterr_error);
}

static enum status tree_bytes_at(const char *path,
                                 unsigned depth,
                                 uint64_t *bytes,
                                 struct error *reterr_error)
{
    if (depth > TREE_DEPTH_MAX)
        return error_set(reterr_error, ERR_LIMIT, "measure %s: nested too deeply", path);
    struct stat info;
    if (os_lstat(path, &info) != 0)
        return errno == ENOENT ? OK : error_set_errno(reterr_error, errno, "look at %s", path);
    if (S_ISREG(info.st_mode))
        *bytes += (uint64_t)info.st_size;
    if (!S_ISDIR(info.st_mode))
        return OK;
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    enum status status = directory_list(path, arena, &names, &count, reterr_error);
    if (status == ERR_NOT_FOUND && depth > 0)
        status = OK; /* removed since we looked */
    for (size_t i = 0; i < count && status == OK; i++)
        status = tree_bytes_at(path_join(arena, path, (const char *)names[i].data), depth + 1,
                               bytes, reterr_error);
    arena_close(arena);
    return status;
}

enum status directory_tree_bytes(const char *path, uint64_t *ret_bytes, struct error *reterr_error)
{
    uint64_t bytes = 0;
    enum status status = tree_bytes_at(path, 0, &bytes, reterr_error);
    if (status == OK)
        *ret_bytes = bytes;
    return status;
}

enum status directory_sync(const char *path, struct error *reterr_error)
{
    int descriptor;
    do
        descriptor = os_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return error_set_errno(reterr_error, errno, "open directory %s", path);
    int result = os_fsync(descriptor);
    int reason = errno;
    (void)os_close(descriptor); /* nothing was written through it */
    if (result != 0)
        return error_set_errno(reterr_error, reason, "sync directory %s", path);
    return OK;
}

enum status directory_sync_parent(const char *path, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    enum status status = directory_sync(path_parent(arena, path), reterr_error);
    arena_close(arena);
    return status;
}

enum status directory_space_get(const char *path,
                                struct directory_space *ret_space,
                                struct error *reterr_error)
{
    struct statvfs info;
    if (os_statvfs(path, &info) != 0)
        return error_set_errno(reterr_error, errno, "measure the filesystem of %s", path);
    ret_space->capacity_bytes = (uint64_t)info.f_blocks * (uint64_t)info.f_frsize;
    ret_space->free_bytes = (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
    return OK;
}

const char *path_join(struct arena *arena, const char *left, const char *right)
{
    if (right[0] == '/' || left[0] == '\0')
        return (const char *)arena_copy(arena, slice_from_string(right)).data;
    const char *separator = left[strlen(left) - 1] == '/' ? "" : "/";
    return (const char *)arena_format(arena, "%s%s%s", left, separator, right).data;
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

const char *path_parent(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    if (slash == path)
        return "/";
    return (const char *)arena_copy(arena, slice_make(path, (size_t)(slash - path))).data;
}

enum status path_absolute(struct arena *arena,
                          const char *path,
                          const char **ret_path,
                          struct error *reterr_error)
{
    if (path[0] == '/') {
        *ret_path = (const char *)arena_copy(arena, slice_from_string(path)).data;
        return OK;
    }
    char *working = getcwd(NULL, 0);
    if (working == NULL)
        return error_set_errno(reterr_error, errno, "find the working directory");
    *ret_path = path_join(arena, working, path);
    free(working); /* from getcwd, hence not mem_free */
    return OK;
}

bool path_is_plain_name(struct slice name)
{
    if (name.length == 0 || slice_equal_string(name, ".") || slice_equal_string(name, ".."))
        return false;
    return slice_find(name, '/') == name.length && slice_find(name, '\0') == name.length;
}
