/*
 * disk.c - whether the disks of this node's folders have room for more containers and can be
 * written. Owns struct nodemgr_disk. Work folders (spills, TMPDIR, map outputs) and logs may be on
 * disks of their own. The machine tells the resource manager, so that a task that has met a full
 * disk is tried elsewhere and nothing new comes here; what runs goes on, and what it frees may be
 * enough.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/thread.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

static const char *const disk_folders[] = {"apps", "logs"};

enum {
    WRITE_TEST_BYTES = 4096 /* a block of most file systems */
};

/* "": a file was written there, synced and removed; else why not, from arena. */
static const char *try_to_write(const char *folder, struct arena *arena)
{
    static const uint8_t block[WRITE_TEST_BYTES] = {1};
    const char *path = path_join(arena, folder, "write-test");
    struct file *file = NULL;
    struct error error = {.status = OK};
    enum status status = file_open(path, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, &error);
    if (status == OK)
        status = file_append(file, slice_make(block, sizeof(block)), &error);
    if (status == OK)
        status = file_sync(file, &error);
    if (file != NULL) {
        enum status removed = file_remove(path, status == OK ? &error : NULL);
        status = status == OK ? removed : status;
    }
    file_close(file);
    if (status == OK)
        return "";
    return (const char *)arena_format(arena, "the disk of %s cannot be written: %s", folder,
                                      error.text)
        .data;
}

enum nodemgr_room nodemgr_disk_room(const struct nodemgr_disk_limits *limits,
                                    const struct directory_space *space,
                                    bool was_unusable,
                                    uint64_t *ret_percent)
{
    /* Not back and forth with each file: a disk that was full needs more room to be well. */
    uint64_t needed = limits->reserve_bytes + (was_unusable ? limits->reserve_bytes / 2 : 0);
    uint64_t percent_max = limits->full_percent;
    if (was_unusable && limits->well_percent < percent_max)
        percent_max = limits->well_percent;
    uint64_t used = space->capacity_bytes - space->free_bytes;
    uint64_t one = space->capacity_bytes / 100;
    *ret_percent = one > 0 ? (used + one - 1) / one : 0; /* below 100 bytes the reserve decides */
    if (space->free_bytes < needed)
        return NODEMGR_ROOM_BELOW_RESERVE;
    if (limits->full_percent < 100 && *ret_percent > percent_max)
        return NODEMGR_ROOM_ABOVE_PERCENT;
    return NODEMGR_ROOM_ENOUGH;
}

/* "": there is room; else why not, from arena. */
static const char *look_for_room(const struct nodemgr_daemon *self,
                                 const char *folder,
                                 bool was_unusable,
                                 struct arena *arena)
{
    const struct nodemgr_disk_limits *limits = &self->disk_limits;
    struct directory_space space;
    struct error error = {.status = OK};
    struct slice text = slice_make("", 0);
    uint64_t percent = 0;
    if (directory_space_get(folder, &space, &error) != OK)
        return (const char *)arena_copy(arena, slice_from_string(error.text)).data;
    switch (nodemgr_disk_room(limits, &space, was_unusable, &percent)) {
    case NODEMGR_ROOM_ENOUGH:
        break;
    case NODEMGR_ROOM_BELOW_RESERVE:
        text = arena_format(arena,
                            "the disk of %s is full: %" PRIu64
                            " bytes are free, nodemgr.reserve is %" PRIu64,
                            folder, space.free_bytes, limits->reserve_bytes);
        break;
    case NODEMGR_ROOM_ABOVE_PERCENT:
        text = arena_format(arena,
                            "the disk of %s is full to %" PRIu64
                            " %%, nodemgr.disk_full_percent is %" PRIu64,
                            folder, percent, limits->full_percent);
        break;
    }
    return (const char *)text.data;
}

/* Why nothing new shall be started, from arena; "": all is well. */
static const char *look_at_disks(const struct nodemgr_daemon *self,
                                 bool was_unusable,
                                 bool shall_write,
                                 struct arena *arena)
{
    const char *why_not = "";
    for (size_t i = 0; i < sizeof(disk_folders) / sizeof(disk_folders[0]); i++) {
        const char *folder = path_join(arena, self->folders.root, disk_folders[i]);
        if (why_not[0] == '\0')
            why_not = look_for_room(self, folder, was_unusable, arena);
        if (why_not[0] == '\0' && shall_write)
            why_not = try_to_write(folder, arena);
    }
    return why_not;
}

static void tell_usable(struct nodemgr_daemon *self, const char *why_not)
{
    size_t length = strlen(why_not);
    struct nodemgr_usable *usable = mem_new(sizeof(*usable) + length + 1);
    uint8_t *copy = (uint8_t *)(usable + 1);
    memcpy(copy, why_not, length);
    usable->why_not = slice_make(copy, length);
    if (length > 0)
        log_event(daemon_log(self->daemon), LOG_LEVEL_ERROR, "node_unusable",
                  log_text("why", why_not));
    else
        log_write(daemon_log(self->daemon), LOG_LEVEL_INFO, "node_usable", NULL, 0);
    shell_local(daemon_shell(self->daemon), NODEMGR_USABLE, usable, mem_free);
}

static void watch_disks(void *argument)
{
    struct nodemgr_daemon *self = argument;
    struct nodemgr_disk *disk = &self->disk;
    struct arena *arena = arena_open(0);
    bool is_unusable = false;
    int64_t write_at_ms = clock_monotonic_ms();
    mutex_lock(disk->mutex);
    while (!disk->is_stopping) {
        mutex_unlock(disk->mutex);
        /* A disk that was bad is tried each time: nothing else is done there, and it may be well.
         */
        bool shall_write = is_unusable || clock_monotonic_ms() >= write_at_ms;
        if (shall_write)
            write_at_ms = clock_monotonic_ms() + self->disk_write_ms;
        const char *why_not = look_at_disks(self, is_unusable, shall_write, arena);
        if (is_unusable != (why_not[0] != '\0')) {
            is_unusable = !is_unusable;
            tell_usable(self, why_not);
        }
        arena_reset(arena);
        int64_t next_ms = clock_monotonic_ms() + self->disk_check_ms;
        mutex_lock(disk->mutex);
        while (!disk->is_stopping && condition_wait_until(disk->changed, disk->mutex, next_ms))
            continue; /* woken for another reason */
    }
    mutex_unlock(disk->mutex);
    arena_close(arena);
}

void nodemgr_disk_open(struct nodemgr_disk *disk)
{
    *disk = (struct nodemgr_disk){.mutex = mutex_open(), .changed = condition_open()};
}

enum status nodemgr_disk_start(struct nodemgr_daemon *self, struct error *reterr_error)
{
    return thread_open("disk", watch_disks, self, &self->disk.watcher, reterr_error);
}

void nodemgr_disk_stop(struct nodemgr_disk *disk)
{
    mutex_lock(disk->mutex);
    disk->is_stopping = true;
    condition_broadcast(disk->changed);
    mutex_unlock(disk->mutex);
    thread_join(disk->watcher);
    disk->watcher = NULL;
}

void nodemgr_disk_close(struct nodemgr_disk *disk)
{
    condition_close(disk->changed);
    mutex_close(disk->mutex);
}
