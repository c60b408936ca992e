/*
 * disk.c - whether the disks of this node's folders have room for more containers.
 * Owns struct nodemgr_disk. Work folders (spills, TMPDIR, map outputs) and logs may be on disks of
 * their own. The machine tells the resource manager, so that a task that has met a full disk is
 * tried elsewhere and nothing new comes here; what runs goes on, and what it frees may be enough.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/thread.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

static const char *const disk_folders[] = {"apps", "logs"};

/* Why nothing new shall be started, from arena; "": there is room on all disks. */
static const char *look_for_room(const struct nodemgr_daemon *self,
                                 bool was_full,
                                 struct arena *arena)
{
    /* Not back and forth with each file: a disk that was full needs half as much more. */
    uint64_t needed = self->disk_reserve_bytes;
    if (was_full)
        needed += needed / 2;
    for (size_t i = 0; i < sizeof(disk_folders) / sizeof(disk_folders[0]); i++) {
        const char *path = path_join(arena, self->folders.root, disk_folders[i]);
        struct directory_space space;
        struct error error = {.status = OK};
        if (directory_space_get(path, &space, &error) != OK)
            return (const char *)arena_copy(arena, slice_from_string(error.text)).data;
        if (space.free_bytes < needed)
            return (const char *)arena_format(arena,
                                              "the disk of %s is full: %" PRIu64
                                              " bytes are free, nodemgr.reserve is %" PRIu64,
                                              path, space.free_bytes, self->disk_reserve_bytes)
                .data;
    }
    return "";
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
    bool is_full = false;
    mutex_lock(disk->mutex);
    while (!disk->is_stopping) {
        mutex_unlock(disk->mutex);
        const char *why_not = look_for_room(self, is_full, arena);
        if (is_full != (why_not[0] != '\0')) {
            is_full = !is_full;
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
