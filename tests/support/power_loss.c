/*
 * power_loss.c - see power_loss.h.
 */
#include "tests/support/power_loss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/base/slice.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/thread.h"

enum {
    DESCRIPTORS = 1024,
    PATH_BYTES = 512,
    SECTOR_BYTES = 512,
    PAGE_BYTES = 4096,
    PENDING_MAX = 3,
    RANDOM_IMAGES = 16,
    DESCRIPTION_BYTES = 1024
};

enum change_kind {
    CHANGE_CREATE,     /* name path, file */
    CHANGE_RENAME,     /* name path becomes name to */
    CHANGE_LINK,       /* name to, too */
    CHANGE_UNLINK,     /* name path */
    CHANGE_WRITE,      /* data at offset of file */
    CHANGE_LENGTH,     /* of file: offset bytes */
    CHANGE_RESERVE,    /* file has at least offset bytes */
    CHANGE_SYNC,       /* file */
    CHANGE_SYNC_NAMES, /* in the directory path */
    CHANGE_ATTEMPT,    /* offset */
    CHANGE_PROMISE     /* offset */
};

static const char *const change_names[] = {"create",     "rename",  "link",    "unlink",
                                           "write",      "length",  "reserve", "sync",
                                           "sync names", "attempt", "promise"};

struct change {
    enum change_kind kind;
    uint64_t file;
    const char *path; /* below the root */
    const char *to;
    uint64_t offset;
    struct slice data;
};

/* A name on the disk at hand; paths are below the root. */
struct name {
    const char *path;
    uint64_t file;
    bool is_directory;
};

struct names {
    struct name *items;
    size_t count;
    size_t capacity;
};

struct content {
    uint8_t *data;
    uint64_t length;
    uint64_t capacity;
};

struct descriptor {
    bool is_open;
    bool is_directory;
    uint64_t file;
    const char *path;
};

struct power_loss {
    const char *root;
    struct arena *arena;
    struct mutex *mutex;
    struct names first; /* all of it is sure */
    struct content *files;
    size_t file_count; /* those that were there at first; more get numbers only */
    size_t file_capacity;
    struct names live; /* as the process sees it */
    struct change *changes;
    size_t change_count;
    size_t change_capacity;
    struct descriptor descriptors[DESCRIPTORS];
    struct os_calls calls;
    char description[DESCRIPTION_BYTES];
};

static struct power_loss *recording; /* the table of calls has no room for it */

/* --- names ------------------------------------------------------------------------------------ */

static struct name *find_name(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].path, path) == 0)
            return &names->items[i];
    }
    return NULL;
}

static void set_name(struct names *names, const char *path, uint64_t file, bool is_directory)
{
    struct name *name = find_name(names, path);
    if (name == NULL) {
        names->items =
            mem_reserve(names->items, names->count, &names->capacity, sizeof(names->items[0]));
        name = &names->items[names->count++];
        name->path = path;
    }
    name->file = file;
    name->is_directory = is_directory;
}

static void drop_name(struct names *names, const char *path)
{
    struct name *name = find_name(names, path);
    if (name != NULL)
        *name = names->items[--names->count];
}

/* What lies below a directory that gets another name moves with it. */
static void move_below(struct names *names, struct arena *arena, const char *from, const char *to)
{
    size_t length = strlen(from);
    for (size_t i = 0; i < names->count; i++) {
        const char *path = names->items[i].path;
        if (strncmp(path, from, length) == 0 && path[length] == '/')
            names->items[i].path =
                (const char *)arena_format(arena, "%s%s", to, path + length).data;
    }
}

static void copy_names(struct names *target, const struct names *source)
{
    target->count = 0;
    for (size_t i = 0; i < source->count; i++)
        set_name(target, source->items[i].path, source->items[i].file,
                 source->items[i].is_directory);
}

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

static bool is_in_directory(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    if (length > 0 && (strncmp(path, directory, length) != 0 || path[length] != '/'))
        return false;
    return strchr(path + length + (length > 0 ? 1 : 0), '/') == NULL;
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
    struct name *name = find_name(&power->live, below);
    bool is_directory = below[0] == '\0' || (name != NULL && name->is_directory);
    if (name == NULL && !is_directory) {
        CHECK((flags & O_CREAT) != 0);
        uint64_t file = power->file_count++;
        set_name(&power->live, below, file, false);
        name = find_name(&power->live, below);
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
    struct name *name = below != NULL ? find_name(&power->live, below) : NULL;
    if (name != NULL) {
        struct name moved = *name;
        record(power,
               (struct change){.kind = kind, .path = below, .to = below_to, .file = moved.file});
        if (kind != CHANGE_LINK)
            drop_name(&power->live, below);
        if (kind == CHANGE_RENAME && moved.is_directory)
            move_below(&power->live, power->arena, below, below_to);
        if (kind != CHANGE_UNLINK)
            set_name(&power->live, below_to, moved.file, moved.is_directory);
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
    set_name(&recording->live, below, file, true);
    record(recording,
           (struct change){.kind = CHANGE_CREATE, .path = below, .file = file, .offset = 1});
    mutex_unlock(recording->mutex);
    return result;
}

/* --- the disk before the record --------------------------------------------------------------- */

static void grow(struct content *content, uint64_t length)
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
        set_name(&power->first, path, file, S_ISDIR(info.st_mode));
        size_t before = power->file_capacity;
        power->files =
            mem_reserve(power->files, (size_t)file, &power->file_capacity, sizeof(power->files[0]));
        memset(power->files + before, 0, (power->file_capacity - before) * sizeof(power->files[0]));
        if (S_ISDIR(info.st_mode)) {
            read_tree(power, path);
            continue;
        }
        struct content content = {.data = NULL};
        grow(&content, (uint64_t)info.st_size);
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
    copy_names(&power->live, &power->first);
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

/* --- disks after a cut ------------------------------------------------------------------------ */

/* What became of a change that is not sure. */
enum fate {
    FATE_GONE,
    FATE_THERE,
    FATE_FRONT_SECTORS, /* of a write: up to a border near its middle */
    FATE_BACK_SECTORS,  /* ... from it on */
    FATE_FRONT_PAGES,
    FATE_BACK_PAGES,
    FATE_ZEROS, /* its length without its bytes */
    FATE_COUNT
};

struct player {
    struct power_loss *power;
    const struct power_loss_options *options;
    const char *scratch;
    power_loss_check *check;
    void *user;
    struct rng rng;
    struct map_u64 *seen;
    size_t images;
    size_t cut;      /* changes before it were made */
    uint8_t *fates;  /* of each change */
    size_t *pending; /* changes that are not sure */
    size_t pending_count;
    struct content *files;
    struct names names;
    uint64_t promised;
    uint64_t attempted;
};

static bool is_data(const struct change *change)
{
    return change->kind == CHANGE_WRITE || change->kind == CHANGE_LENGTH ||
           change->kind == CHANGE_RESERVE;
}

static bool is_names(const struct change *change)
{
    return change->kind == CHANGE_CREATE || change->kind == CHANGE_RENAME ||
           change->kind == CHANGE_LINK || change->kind == CHANGE_UNLINK;
}

/* True when a sync before the cut makes this change sure. */
static bool is_sure(const struct player *player, size_t index)
{
    const struct change *change = &player->power->changes[index];
    bool needs_path = is_names(change) && change->kind != CHANGE_LINK;
    bool needs_to = change->to != NULL;
    for (size_t i = index + 1; i < player->cut; i++) {
        const struct change *later = &player->power->changes[i];
        if (is_data(change) && later->kind == CHANGE_SYNC && later->file == change->file)
            return true;
        if (!is_names(change) || later->kind != CHANGE_SYNC_NAMES)
            continue;
        if (needs_path && is_in_directory(change->path, later->path))
            needs_path = false;
        if (needs_to && is_in_directory(change->to, later->path))
            needs_to = false;
        if (!needs_path && !needs_to)
            return true;
    }
    return false;
}

/* The border near the middle of a write; 0 when none lies within. */
static uint64_t border(const struct change *change, uint64_t unit)
{
    uint64_t end = change->offset + change->data.length;
    uint64_t middle = (change->offset + end) / 2 / unit * unit;
    if (middle <= change->offset)
        middle += unit;
    return middle < end ? middle : 0;
}

static bool has_fate(const struct change *change, enum fate fate)
{
    switch (fate) {
    case FATE_GONE:
    case FATE_THERE:
        return true;
    case FATE_FRONT_SECTORS:
    case FATE_BACK_SECTORS:
        return change->kind == CHANGE_WRITE && border(change, SECTOR_BYTES) != 0;
    case FATE_FRONT_PAGES:
    case FATE_BACK_PAGES:
        return change->kind == CHANGE_WRITE && border(change, PAGE_BYTES) != 0;
    case FATE_ZEROS:
        return change->kind == CHANGE_WRITE;
    case FATE_COUNT:
        break;
    }
    return false;
}

static void apply_write(struct content *content, const struct change *change, enum fate fate)
{
    uint64_t from = change->offset;
    uint64_t to = change->offset + change->data.length;
    bool is_sectors = fate == FATE_FRONT_SECTORS || fate == FATE_BACK_SECTORS;
    uint64_t middle = border(change, is_sectors ? SECTOR_BYTES : PAGE_BYTES);
    if (fate == FATE_FRONT_SECTORS || fate == FATE_FRONT_PAGES)
        to = middle;
    if (fate == FATE_BACK_SECTORS || fate == FATE_BACK_PAGES)
        from = middle;
    grow(content, to);
    if (fate != FATE_ZEROS)
        memcpy(content->data + from, change->data.data + (from - change->offset),
               (size_t)(to - from));
}

static void apply(struct player *player, const struct change *change, enum fate fate)
{
    struct content *content = &player->files[change->file];
    struct name *name;
    switch (change->kind) {
    case CHANGE_CREATE:
        set_name(&player->names, change->path, change->file, change->offset != 0);
        break;
    case CHANGE_RENAME:
        name = find_name(&player->names, change->path);
        if (name != NULL && name->is_directory) {
            move_below(&player->names, player->power->arena, change->path, change->to);
            set_name(&player->names, change->to, change->file, true);
        } else {
            set_name(&player->names, change->to, change->file, false);
        }
        drop_name(&player->names, change->path);
        break;
    case CHANGE_LINK:
        set_name(&player->names, change->to, change->file, false);
        break;
    case CHANGE_UNLINK:
        drop_name(&player->names, change->path);
        break;
    case CHANGE_WRITE:
        apply_write(content, change, fate);
        break;
    case CHANGE_LENGTH:
        grow(content, change->offset);
        content->length = change->offset;
        break;
    case CHANGE_RESERVE:
        grow(content, change->offset);
        break;
    case CHANGE_SYNC:
    case CHANGE_SYNC_NAMES:
    case CHANGE_ATTEMPT:
    case CHANGE_PROMISE:
        break;
    }
}

static void play(struct player *player)
{
    struct power_loss *power = player->power;
    copy_names(&player->names, &power->first);
    for (size_t i = 0; i < power->file_count; i++) {
        player->files[i].length = 0;
        if (i >= power->file_capacity || power->files[i].length == 0)
            continue;
        grow(&player->files[i], power->files[i].length);
        memcpy(player->files[i].data, power->files[i].data, (size_t)power->files[i].length);
    }
    for (size_t i = 0; i < player->cut; i++) {
        if (player->fates[i] != FATE_GONE)
            apply(player, &power->changes[i], (enum fate)player->fates[i]);
    }
}

/* A name is on the disk only with all directories above it. */
static bool is_reachable(const struct names *names, const char *path)
{
    char part[PATH_BYTES];
    CHECK(strlen(path) < sizeof(part));
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        const struct name *above = find_name(names, part);
        if (above == NULL || !above->is_directory)
            return false;
    }
    return true;
}

static uint64_t hash_image(const struct player *player)
{
    uint64_t sum = player->promised * 31 + player->attempted;
    for (size_t i = 0; i < player->names.count; i++) {
        const struct name *name = &player->names.items[i];
        const struct content *content = &player->files[name->file];
        uint64_t hash = slice_hash(slice_from_string(name->path), 7);
        if (!name->is_directory)
            hash = slice_hash(slice_make(content->data, (size_t)content->length), hash);
        sum ^= hash; /* whatever the order */
    }
    return sum;
}

static void write_file(const char *path, const struct content *content)
{
    int descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(descriptor >= 0);
    for (uint64_t done = 0; done < content->length;) {
        ssize_t put = write(descriptor, content->data + done, (size_t)(content->length - done));
        CHECK(put > 0);
        done += (uint64_t)put;
    }
    (void)close(descriptor);
}

static void write_image(const struct player *player, struct arena *arena)
{
    CHECK(directory_remove_tree(player->scratch, NULL) == OK);
    CHECK(directory_make(player->scratch, 0700, NULL) == OK);
    for (size_t i = 0; i < player->names.count; i++) { /* all directories first */
        const struct name *name = &player->names.items[i];
        if (name->is_directory && is_reachable(&player->names, name->path))
            CHECK(directory_make_all(path_join(arena, player->scratch, name->path), 0700, NULL) ==
                  OK);
    }
    for (size_t i = 0; i < player->names.count; i++) {
        const struct name *name = &player->names.items[i];
        if (!name->is_directory && is_reachable(&player->names, name->path))
            write_file(path_join(arena, player->scratch, name->path), &player->files[name->file]);
    }
}

static void describe(struct player *player)
{
    struct power_loss *power = player->power;
    int at = snprintf(power->description, DESCRIPTION_BYTES,
                      "cut after change %zu of %zu; not sure:", player->cut, power->change_count);
    static const char *const fates[] = {
        "gone", "there", "front sectors", "back sectors", "front pages", "back pages", "zeros"};
    for (size_t i = 0; i < player->pending_count && at < DESCRIPTION_BYTES - 100; i++) {
        const struct change *change = &power->changes[player->pending[i]];
        const char *path = change->path != NULL ? change->path : "";
        at += snprintf(power->description + at, (size_t)(DESCRIPTION_BYTES - at),
                       " %zu %s %.60s %s,", player->pending[i], change_names[change->kind], path,
                       fates[player->fates[player->pending[i]]]);
    }
}

/* Nothing here outlives the test, and a sync would cost more than all the rest. */
static int skip_sync(int descriptor)
{
    (void)descriptor;
    return 0;
}

static void show(struct player *player)
{
    play(player);
    uint64_t hash = hash_image(player);
    if (map_u64_get(player->seen, hash) != NULL)
        return;
    (void)map_u64_put(player->seen, hash, player);
    struct arena *arena = arena_open(0);
    write_image(player, arena);
    arena_close(arena);
    describe(player);
    player->images++;
    player->check(player->user, player->scratch, player->promised, player->attempted);
}

/* Every combination of what became of the changes from pending number at on. */
static void show_all(struct player *player, size_t at)
{
    if (at == player->pending_count) {
        show(player);
        return;
    }
    size_t index = player->pending[at];
    for (int fate = 0; fate < FATE_COUNT; fate++) {
        if (!has_fate(&player->power->changes[index], (enum fate)fate))
            continue;
        player->fates[index] = (uint8_t)fate;
        show_all(player, at + 1);
    }
}

static void show_same(struct player *player, enum fate fate)
{
    for (size_t i = 0; i < player->pending_count; i++)
        player->fates[player->pending[i]] = (uint8_t)fate;
    show(player);
}

static void show_random(struct player *player)
{
    for (size_t i = 0; i < player->pending_count; i++) {
        size_t index = player->pending[i];
        enum fate fate;
        do
            fate = (enum fate)rng_below(&player->rng, FATE_COUNT);
        while (!has_fate(&player->power->changes[index], fate));
        player->fates[index] = (uint8_t)fate;
    }
    show(player);
}

static void cut_after(struct player *player, size_t cut)
{
    size_t pending_max =
        player->options->pending_max > 0 ? player->options->pending_max : PENDING_MAX;
    size_t images =
        player->options->random_images > 0 ? player->options->random_images : RANDOM_IMAGES;
    player->cut = cut;
    player->pending_count = 0;
    player->promised = 0;
    player->attempted = 0;
    for (size_t i = 0; i < cut; i++) {
        const struct change *change = &player->power->changes[i];
        player->fates[i] = FATE_THERE;
        if (change->kind == CHANGE_PROMISE)
            player->promised = change->offset;
        if (change->kind == CHANGE_ATTEMPT)
            player->attempted = change->offset;
        if ((is_data(change) || is_names(change)) && !is_sure(player, i))
            player->pending[player->pending_count++] = i;
    }
    if (player->pending_count <= pending_max) {
        show_all(player, 0);
        return;
    }
    show_same(player, FATE_GONE);
    show_same(player, FATE_THERE);
    for (size_t i = 0; i < images; i++)
        show_random(player);
}

size_t power_loss_each(struct power_loss *power,
                       const struct power_loss_options *options,
                       const char *scratch,
                       power_loss_check *check,
                       void *user)
{
    struct player player = {
        .power = power,
        .options = options,
        .scratch = scratch,
        .check = check,
        .user = user,
        .rng = rng_seed(options->seed),
        .seen = map_u64_open(),
        .fates = mem_new(power->change_count + 1),
        .pending = mem_new((power->change_count + 1) * sizeof(size_t)),
        .files = mem_new((power->file_count + 1) * sizeof(struct content)),
    };
    struct os_calls calls = *os_calls_posix();
    calls.fsync = skip_sync;
    calls.fdatasync = skip_sync;
    (void)os_calls_set(&calls);
    for (size_t cut = 0; cut <= power->change_count; cut++)
        cut_after(&player, cut);
    (void)os_calls_set(NULL);
    for (size_t i = 0; i < power->file_count; i++)
        mem_free(player.files[i].data);
    mem_free(player.files);
    mem_free(player.names.items);
    mem_free(player.pending);
    mem_free(player.fates);
    map_u64_close(player.seen);
    return player.images;
}
