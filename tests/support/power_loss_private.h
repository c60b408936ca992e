/*
 * power_loss_private.h - what the files of the power-loss model share: the record of changes
 * (power_loss.c), names and contents (power_loss_names.c), disks built from it (power_loss_play.c).
 */
#ifndef MILLRACE_TESTS_SUPPORT_POWER_LOSS_PRIVATE_H
#define MILLRACE_TESTS_SUPPORT_POWER_LOSS_PRIVATE_H

#include "lib/base/arena.h"
#include "lib/base/slice.h"
#include "lib/os/calls.h"
#include "lib/os/thread.h"
#include "tests/support/power_loss.h"

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

/* NULL: there is none. */
struct name *power_loss_find_name(const struct names *names, const char *path);
/* path is borrowed for as long as names lives. */
void power_loss_set_name(struct names *names, const char *path, uint64_t file, bool is_directory);
void power_loss_drop_name(struct names *names, const char *path);
/* What lies below a directory that gets another name moves with it. */
void power_loss_move_below(struct names *names,
                           struct arena *arena,
                           const char *from,
                           const char *to);
void power_loss_copy_names(struct names *target, const struct names *source);
/* Not below one of its directories. */
bool power_loss_is_in_directory(const char *path, const char *directory);
/* To at least length bytes; zeros come in. */
void power_loss_grow(struct content *content, uint64_t length);

#endif
