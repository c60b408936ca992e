/*
 * power_loss.c - see power_loss.h: records what a process does to its files.
 */
#include "tests/support/power_loss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/directory.h"
#include "tests/support/power_loss_private.h"

static struct power_loss *recording; /* the table of calls has no room for it */

static const char *keep(struct power_loss *power, const char *text)
{
    return (const char *)arena_copy(power->arena, slice_from_string(text)).data;
}

/* The path below the root; NULL when it is elsewhere. */
static const char *below_root(struct power_loss *power, const char *path)
{
    size_t length = strlen(power->root);
    if (strncmp(path, power->root, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return NULL;
    path += length;
    while (*path == '/')
        path++;
    return keep(power, path);
}

/* --- the record ------------------------------------------------------------------------------- */

static void record(struct power_loss *power, struct change change)
{
    power->changes = mem_reserve(power->changes, power->change_count, &power->change_capacity,
                                 sizeof(power->changes[0]));
    power->changes[power->change_count++] = change;
}

static struct descriptor *descriptor_of(struct power_loss *power, int descriptor)
{
    CHECK(descriptor < DESCRIPTORS);
    struct descriptor *found = descriptor >= 0 ? &power->descriptors[descriptor] : NULL;
    return found != NULL && found->is_open ? found : NULL;
}

static int record_open(const char *path, int flags, mode_t mode)
{
    struct power_loss *power = recording;
    int descriptor = os_calls_posix()->open(path, flags, mode);
    const char *below = descriptor >= 0 ? below_root(power, path) : NULL;
    if (below == NULL)
        return descriptor;
    mutex_lock(power->mutex);
    CHECK(descriptor < DESCRIPTORS);
    struct name *name = power_loss_find_name(&power->live, below);
    bool is_directory = below[0] == '\0' || (name != NULL && name->is_directory);
    if (name == NULL && !is_directory) {
        CHECK((flags & O_CREAT) != 0);
        uint64_t file = power->file_count++;
        power_loss_set_name(&power->live, below, file, false);
        name = power_loss_find_name(&power->live, below);
        record(power, (struct change){.kind = CHANGE_CREATE, .path = below, .file = file});
    } else if (!is_directory && (flags & O_TRUNC) != 0) {
        record(power, (struct change){.kind = CHANGE_LENGTH, .file = name->file});
    }
    power->descriptors[descriptor] = (struct descriptor){
        .is_open = true,
        .is_directory = is_directory,
        .file = is_directory ? 0 : name->file,
        .path = below,
    };
    mutex_unlock(power->mutex);
    return descriptor;
}

static int record_close(int descriptor)
{
    mutex_lock(recording->mutex);
    struct descriptor *open = descriptor_of(recording, descriptor);
    if (open != NULL)
        open->is_open = false;
    mutex_unlock(recording->mutex);
    return os_calls_posix()->close(descriptor);
}

static void record_data(int descriptor, const void *data, ssize_t written, off_t offset)
{
    mutex_lock(recording->mutex);
    struct descriptor *open = descriptor_of(recording, descriptor);
    if (open != NULL && written > 0) {
        struct slice bytes = arena_copy(recording->arena, slice_make(data, (size_t)written));
        record(recording, (struct change){.kind = CHANGE_WRITE,
                                          .file = open->file,
                                          .offset = (uint64_t)offset,
                                          .data = bytes});
    }
    mutex_unlock(recording->mutex);
}

static ssize_t record_pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    ssize_t written = os_calls_posix()->pwrite(descriptor, data, bytes, offset);
    record_data(descriptor, data, written, offset);
    return written;
}

static ssize_t record_write(int descriptor, const void *data, size_t bytes)
{
    ssize_t written = os_calls_posix()->write(descriptor, data, bytes);
    off_t end = lseek(descriptor, 0, SEEK_CUR); /* after an append, too */
    if (end >= written)
        record_data(descriptor, data, written, end - written);
    return written;
}

static int record_sync(int descriptor)
{
    mutex_lock(recording->mutex);
    struct descriptor *open = descriptor_of(recording, descriptor);
    if (open != NULL)
        record(recording, (struct change){
                              .kind = open->is_directory ? CHANGE_SYNC_NAMES : CHANGE_SYNC,
                              .file = open->file,
                              .path = open->path,
                          });
    mutex_unlock(recording->mutex);
    return 0; /* the disk at hand need not be waited for */
}

static void record_length(int descriptor, enum change_kind kind, off_t length)
{
    mutex_lock(recording->mutex);
    struct descriptor *open = descriptor_of(recording, descriptor);
    if (open != NULL)
        record(recording,
               (struct change){.kind = kind, .file = open->file, .offset = (uint64_t)length});
    mutex_unlock(recording->mutex);
}

static int record_ftruncate(int descriptor, off_t length)
{
    int result = os_calls_posix()->ftruncate(descriptor, length);
    if (result == 0)
        record_length(descriptor, CHANGE_LENGTH, length);
    return result;
}

static int record_fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    int result = os_calls_posix()->fallocate(descriptor, mode, offset, length);
    if (result == 0 && mode == 0)
        record_length(descriptor, CHANGE_RESERVE, offset + length);
    return result;
}

/* Applies a change of names to what the process sees, and records it. */
static void record_names(enum change_kind kind, const char *path, const char *to)
{
    struct power_loss *power = recording;
    mutex_lock(power->mutex);
    const char *below = below_root(power, path);
    const char *below_to = to != NULL ? below_root(power, to) : NULL;
    struct name *name = below != NULL ? power_loss_find_name(&power->live, below) : NULL;
    if (name != NULL) {
        struct name moved = *name;
        record(power,
               (struct change){.kind = kind, .path = below, .to = below_to, .file = moved.file});
        if (kind != CHANGE_LINK)
            power_loss_drop_name(&power->live, below);
        if (kind == CHANGE_RENAME && moved.is_directory)
            power_loss_move_below(&power->live, power->arena, below, below_to);
        if (kind != CHANGE_UNLINK)
            power_loss_set_name(&power->live, below_to, moved.file, moved.is_directory);
    }
    mutex_unlock(power->mutex);
}

static int record_rename(const char *source, const char *destination)
{
    int result = os_calls_posix()->rename(source, destination);
    if (result == 0)
        record_names(CHANGE_RENAME, source, destination);
    return result;
}

static int record_link(const char *source, const char *destination)
{
    int result = os_calls_posix()->link(source, destination);
    if (result == 0)
        record_names(CHANGE_LINK, source, destination);
    return result;
}

static int record_unlink(const char *path)
{
    int result = os_calls_posix()->unlink(path);
    if (result == 0)
        record_names(CHANGE_UNLINK, path, NULL);
    return result;
}

static int record_rmdir(const char *path)
{
    int result = os_calls_posix()->rmdir(path);
    if (result == 0)
        record_names(CHANGE_UNLINK, path, NULL);
    return result;
}

static int record_mkdir(const char *path, mode_t mode)
{
    int result = os_calls_posix()->mkdir(path, mode);
    const char *below = result == 0 ? below_root(recording, path) : NULL;
    if (below == NULL)
        return result;
    mutex_lock(recording->mutex);
    uint64_t file = recording->file_count++;
    power_loss_set_name(&recording->live, below, file, true);
    record(recording,
           (struct change){.kind = CHANGE_CREATE, .path = below, .file = file, .offset = 1});
    mutex_unlock(recording->mutex);
    return result;
}

/* --- the disk before the record --------------------------------------------------------------- */

static void read_tree(struct power_loss *power, const char *below)
{
    const char *full = below[0] == '\0' ? power->root : path_join(power->arena, power->root, below);
    struct slice *entries = NULL;
    size_t count = 0;
    CHECK(directory_list(full, power->arena, &entries, &count, NULL) == OK);
    for (size_t i = 0; i < count; i++) {
        const char *path = path_join(power->arena, below, (const char *)entries[i].data);
        const char *file_path = path_join(power->arena, power->root, path);
        struct stat info;
        CHECK(lstat(file_path, &info) == 0);
        uint64_t file = power->file_count++;
        power_loss_set_name(&power->first, path, file, S_ISDIR(info.st_mode));
        size_t before = power->file_capacity;
        power->files =
            mem_reserve(power->files, (size_t)file, &power->file_capacity, sizeof(power->files[0]));
        memset(power->files + before, 0, (power->file_capacity - before) * sizeof(power->files[0]));
        if (S_ISDIR(info.st_mode)) {
            read_tree(power, path);
            continue;
        }
        struct content content = {.data = NULL};
        power_loss_grow(&content, (uint64_t)info.st_size);
        int descriptor = open(file_path, O_RDONLY | O_CLOEXEC);
        CHECK(descriptor >= 0);
        CHECK(pread(descriptor, content.data, (size_t)info.st_size, 0) == info.st_size);
        (void)close(descriptor);
        power->files[file] = content;
    }
}

struct power_loss *power_loss_open(const char *root)
{
    struct power_loss *power = MEM_NEW(struct power_loss);
    power->arena = arena_open(0);
    power->mutex = mutex_open();
    power->root = keep(power, root);
    read_tree(power, "");
    power_loss_copy_names(&power->live, &power->first);
    return power;
}

void power_loss_start(struct power_loss *power)
{
    CHECK(recording == NULL);
    recording = power;
    power->calls = *os_calls_posix();
    power->calls.open = record_open;
    power->calls.close = record_close;
    power->calls.pwrite = record_pwrite;
    power->calls.write = record_write;
    power->calls.fsync = record_sync;
    power->calls.fdatasync = record_sync;
    power->calls.ftruncate = record_ftruncate;
    power->calls.fallocate = record_fallocate;
    power->calls.rename = record_rename;
    power->calls.link = record_link;
    power->calls.unlink = record_unlink;
    power->calls.rmdir = record_rmdir;
    power->calls.mkdir = record_mkdir;
    (void)os_calls_set(&power->calls);
}

void power_loss_stop(struct power_loss *power)
{
    CHECK(recording == power);
    (void)os_calls_set(NULL);
    recording = NULL;
}

void power_loss_attempt(struct power_loss *power, uint64_t value)
{
    mutex_lock(power->mutex);
    record(power, (struct change){.kind = CHANGE_ATTEMPT, .offset = value});
    mutex_unlock(power->mutex);
}

void power_loss_promise(struct power_loss *power, uint64_t value)
{
    mutex_lock(power->mutex);
    record(power, (struct change){.kind = CHANGE_PROMISE, .offset = value});
    mutex_unlock(power->mutex);
}

size_t power_loss_changes(const struct power_loss *power)
{
    return power->change_count;
}

const char *power_loss_describe(const struct power_loss *power)
{
    return power->description;
}

void power_loss_close(struct power_loss *power)
{
    if (power == NULL)
        return;
    for (size_t i = 0; i < power->file_capacity; i++)
        mem_free(power->files[i].data);
    mem_free(power->files);
    mem_free(power->first.items);
    mem_free(power->live.items);
    mem_free(power->changes);
    mutex_close(power->mutex);
    arena_close(power->arena);
    mem_free(power);
}
