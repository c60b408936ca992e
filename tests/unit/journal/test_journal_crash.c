/*
 * test_journal_crash.c - the journal under power cuts: a disk that forgets.
 *
 * The table of calls lets real files be written, and beside them keeps what a disk would still have
 * after a power cut: a file's bytes as of its last sync, a directory's names as of its last sync.
 * At the chosen call the power goes: that call and all after it fail. Then the directory is rebuilt
 * from what was durable, plus a random part of what was not: names may or may not have made it, a
 * file may have any length between the synced and the last one, and of its unsynced sectors any may
 * be zero. What the journal acknowledged must come back, and what comes back must be a prefix of
 * what was appended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/journal/journal.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/unit.h"

enum {
    FILES_MAX = 64,
    NAME_BYTES = 64,
    SECTOR = 512,
    SEEDS = 12,
    BATCHES = 9 /* the last one is synced */
};

struct disk_file {
    uint64_t inode;
    uint8_t *synced; /* NULL: nothing ever was */
    size_t synced_length;
};

struct disk_name {
    char name[NAME_BYTES];
    uint64_t inode;
};

struct disk {
    struct disk_file files[FILES_MAX];
    size_t file_count;
    struct disk_name names[FILES_MAX]; /* durable ones */
    size_t name_count;
    uint64_t calls;    /* that change something, so far */
    uint64_t crash_at; /* the power goes at this one; 0: never */
    bool is_off;
};

struct fixture {
    struct arena *arena;
    const char *directory;
    struct disk disk;
    struct rng rng;
    struct buf replayed;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    buf_open(&f.replayed, 0);
}

static void forget_disk(void)
{
    for (size_t i = 0; i < f.disk.file_count; i++)
        mem_free(f.disk.files[i].synced);
    f.disk = (struct disk){.calls = 0};
}

static void teardown(void)
{
    (void)os_calls_set(NULL);
    forget_disk();
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    buf_close(&f.replayed);
    arena_close(f.arena);
}

static struct disk_file *disk_file_of(uint64_t inode)
{
    for (size_t i = 0; i < f.disk.file_count; i++) {
        if (f.disk.files[i].inode == inode)
            return &f.disk.files[i];
    }
    CU_ASSERT_TRUE_FATAL(f.disk.file_count < FILES_MAX);
    struct disk_file *file = &f.disk.files[f.disk.file_count++];
    *file = (struct disk_file){.inode = inode};
    return file;
}

static uint8_t *read_content(int descriptor, size_t *ret_length)
{
    struct stat info;
    CU_ASSERT_EQUAL_FATAL(fstat(descriptor, &info), 0);
    uint8_t *content = mem_new((size_t)info.st_size + 1);
    CU_ASSERT_EQUAL_FATAL(pread(descriptor, content, (size_t)info.st_size, 0), info.st_size);
    *ret_length = (size_t)info.st_size;
    return content;
}

/* True when this call is the one at which the power goes, or comes after it. */
static bool is_power_off(void)
{
    f.disk.calls++;
    if (f.disk.calls == f.disk.crash_at)
        f.disk.is_off = true;
    if (f.disk.is_off)
        errno = EIO;
    return f.disk.is_off;
}

static ssize_t disk_pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    bool was_off = f.disk.is_off;
    if (!is_power_off())
        return os_calls_posix()->pwrite(descriptor, data, bytes, offset);
    if (!was_off) { /* cut in the middle: some whole sectors were on their way */
        size_t end = (size_t)offset + (size_t)rng_below(&f.rng, bytes + 1);
        size_t whole = end / SECTOR * SECTOR;
        if (whole > (size_t)offset) {
            ssize_t part =
                os_calls_posix()->pwrite(descriptor, data, whole - (size_t)offset, offset);
            (void)part; /* it only adds to what may be found later */
        }
    }
    errno = EIO;
    return -1;
}

static void sync_names(void)
{
    struct slice *names = NULL;
    size_t count = 0;
    CU_ASSERT_EQUAL_FATAL(directory_list(f.directory, f.arena, &names, &count, NULL), OK);
    CU_ASSERT_TRUE_FATAL(count <= FILES_MAX);
    f.disk.name_count = count;
    for (size_t i = 0; i < count; i++) {
        struct file_info info;
        const char *path = path_join(f.arena, f.directory, (const char *)names[i].data);
        CU_ASSERT_EQUAL_FATAL(file_info_get(path, false, &info, NULL), OK);
        (void)snprintf(f.disk.names[i].name, NAME_BYTES, "%.*s", SLICE_ARGS(names[i]));
        f.disk.names[i].inode = info.inode;
    }
}

static int disk_sync(int descriptor)
{
    if (is_power_off())
        return -1;
    struct stat info;
    CU_ASSERT_EQUAL_FATAL(fstat(descriptor, &info), 0);
    if (S_ISDIR(info.st_mode)) {
        sync_names();
        return 0;
    }
    struct disk_file *file = disk_file_of((uint64_t)info.st_ino);
    mem_free(file->synced);
    file->synced = read_content(descriptor, &file->synced_length);
    return 0;
}

static int disk_ftruncate(int descriptor, off_t length)
{
    return is_power_off() ? -1 : os_calls_posix()->ftruncate(descriptor, length);
}

static int disk_fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    return is_power_off() ? -1 : os_calls_posix()->fallocate(descriptor, mode, offset, length);
}

static int disk_rename(const char *source, const char *destination)
{
    return is_power_off() ? -1 : os_calls_posix()->rename(source, destination);
}

static int disk_unlink(const char *path)
{
    return is_power_off() ? -1 : os_calls_posix()->unlink(path);
}

static int disk_open(const char *path, int flags, mode_t mode)
{
    if ((flags & (O_CREAT | O_TRUNC)) != 0 && is_power_off())
        return -1;
    return os_calls_posix()->open(path, flags, mode);
}

/* What the disk has of a file: its synced bytes, and a random part of what came after. */
static uint8_t *survive(uint64_t inode, const uint8_t *last, size_t last_length, size_t *ret_length)
{
    const struct disk_file *file = disk_file_of(inode);
    size_t shorter = file->synced_length < last_length ? file->synced_length : last_length;
    size_t longer = file->synced_length < last_length ? last_length : file->synced_length;
    size_t length = shorter + (size_t)rng_below(&f.rng, longer - shorter + 1);
    uint8_t *content = mem_new(length + 1);
    for (size_t at = 0; at < length; at++) {
        bool is_synced = at < file->synced_length;
        content[at] = is_synced ? file->synced[at] : 0;
    }
    for (size_t sector = 0; sector < length; sector += SECTOR) {
        if (rng_chance(&f.rng, 300000))
            continue; /* never arrived */
        for (size_t at = sector; at < sector + SECTOR && at < length && at < last_length; at++)
            content[at] = last[at];
    }
    *ret_length = length;
    return content;
}

struct survivor {
    char name[NAME_BYTES];
    uint8_t *content;
    size_t length;
};

/* Rebuilds the directory as the disk shows it after the power is back. */
static void restore_power(void)
{
    (void)os_calls_set(NULL);
    struct disk_name durable[FILES_MAX];
    size_t count = f.disk.name_count;
    memcpy(durable, f.disk.names, sizeof(durable));
    /* Content of each inode as the process last wrote it, while the names still lead there. */
    struct disk last = f.disk;
    sync_names();
    struct disk_name current[FILES_MAX];
    size_t current_count = f.disk.name_count;
    memcpy(current, f.disk.names, sizeof(current));
    f.disk.name_count = last.name_count;
    bool are_names_new = rng_chance(&f.rng, 500000);
    const struct disk_name *names = are_names_new ? current : durable;
    size_t name_count = are_names_new ? current_count : count;
    struct survivor survivors[FILES_MAX];
    for (size_t i = 0; i < name_count; i++) {
        uint8_t *content = NULL;
        size_t length = 0;
        for (size_t j = 0; j < current_count && content == NULL; j++) {
            if (current[j].inode != names[i].inode)
                continue;
            const char *path = path_join(f.arena, f.directory, current[j].name);
            int descriptor = open(path, O_RDONLY | O_CLOEXEC);
            CU_ASSERT_TRUE_FATAL(descriptor >= 0);
            content = read_content(descriptor, &length);
            (void)close(descriptor);
        }
        memcpy(survivors[i].name, names[i].name, NAME_BYTES);
        survivors[i].content = survive(names[i].inode, content, length, &survivors[i].length);
        mem_free(content);
    }
    CU_ASSERT_EQUAL_FATAL(directory_remove_tree(f.directory, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(directory_make(f.directory, 0700, NULL), OK);
    for (size_t i = 0; i < name_count; i++) {
        const char *path = path_join(f.arena, f.directory, survivors[i].name);
        struct slice content = slice_make(survivors[i].content, survivors[i].length);
        CU_ASSERT_EQUAL_FATAL(file_replace(path, content, FILE_PRIVATE, NULL), OK);
        mem_free(survivors[i].content);
    }
}

/* The state is a sum: a record "add" with a number, or "is" with the sum so far. */
static enum status add_up(void *user, const struct journal_record *record, struct error *error)
{
    uint64_t *sum = user;
    uint64_t value = 0;
    size_t digits = slice_find(record->bytes, ' ');
    if (!slice_parse_u64(slice_sub(record->bytes, 0, digits), &value))
        return error_set(error, ERR_CORRUPT, "not a number");
    if (slice_equal_string(record->type, "is"))
        *sum = value;
    else if (value == *sum + 1)
        *sum = value;
    else
        return error_set(error, ERR_CORRUPT, "%llu does not follow", (unsigned long long)value);
    return OK;
}

struct run {
    uint64_t appended;
    uint64_t acknowledged;
};

static enum status checkpoint(struct journal *journal, uint64_t sum)
{
    struct journal_checkpoint *one = NULL;
    struct journal_checkpoint_result result;
    uint64_t replayed = 0;
    char text[24];
    int digits = snprintf(text, sizeof(text), "%llu", (unsigned long long)sum);
    struct journal_record state = {slice_from_string("is"), slice_make(text, (size_t)digits)};
    enum status status = journal_checkpoint_begin(journal, &one, &f.error);
    if (status == OK)
        status = journal_checkpoint_replay(one, add_up, &replayed, &f.error);
    if (status == OK) {
        CU_ASSERT_EQUAL(replayed, sum);
        status = journal_checkpoint_write(one, &state, 1, &f.error);
    }
    if (status == OK)
        status = journal_checkpoint_install(one, &result, &f.error);
    if (status == OK)
        journal_checkpoint_done(journal, &result);
    journal_checkpoint_close(one);
    return status;
}

/*
 * The life of one process: opens, appends batches 1, 2, 3 ... of varied length in groups, makes a
 * checkpoint now and then, until it is done or the power goes.
 */
static void live(struct run *run, uint64_t reserve_bytes)
{
    struct journal_options options = {.reserve_bytes = reserve_bytes};
    struct journal *journal = NULL;
    uint64_t sum = 0;
    char text[4096];
    memset(text, ' ', sizeof(text));
    if (journal_open(f.directory, "j", &options, add_up, &sum, NULL, &journal, &f.error) != OK)
        return;
    run->appended = sum;
    for (int i = 0; i < BATCHES; i++) {
        int digits = snprintf(text, 24, "%llu", (unsigned long long)(run->appended + 1));
        text[digits] = ' ';
        struct journal_record record = {
            slice_from_string("add"),
            slice_make(text, (size_t)digits + 1 + (size_t)rng_below(&f.rng, 2000))};
        if (journal_append(journal, &record, 1, &f.error) != OK)
            break;
        run->appended++;
        if (i % 3 == 1)
            continue; /* two batches share a sync */
        if (journal_sync(journal, &f.error) != OK)
            break;
        run->acknowledged = run->appended;
        if (i % 4 != 3)
            continue;
        if (checkpoint(journal, run->appended) != OK && journal_has_failed(journal))
            break;
    }
    journal_close(journal);
}

static void use_disk(uint64_t crash_at)
{
    static struct os_calls calls;
    calls = *os_calls_posix();
    calls.pwrite = disk_pwrite;
    calls.fsync = disk_sync;
    calls.fdatasync = disk_sync;
    calls.ftruncate = disk_ftruncate;
    calls.fallocate = disk_fallocate;
    calls.rename = disk_rename;
    calls.unlink = disk_unlink;
    calls.open = disk_open;
    f.disk.calls = 0;
    f.disk.crash_at = crash_at;
    f.disk.is_off = false;
    (void)os_calls_set(&calls);
}

/* What survived is opened with a sound disk; it must hold all that was acknowledged. */
static uint64_t expect_recovery(const struct run *run, uint64_t seed, uint64_t crash_at)
{
    struct journal_options options = {.reserve_bytes = 0};
    struct journal *journal = NULL;
    uint64_t sum = 0;
    enum status status =
        journal_open(f.directory, "j", &options, add_up, &sum, NULL, &journal, &f.error);
    journal_close(journal);
    if (status != OK || sum < run->acknowledged || sum > run->appended)
        printf("seed %llu, power cut at call %llu: %s; %llu acknowledged, %llu appended, %llu "
               "recovered: %s\n",
               (unsigned long long)seed, (unsigned long long)crash_at, status_name(status),
               (unsigned long long)run->acknowledged, (unsigned long long)run->appended,
               (unsigned long long)sum, status != OK ? f.error.text : "");
    CU_ASSERT_EQUAL_FATAL(status, OK);
    CU_ASSERT_TRUE_FATAL(sum >= run->acknowledged && sum <= run->appended);
    return sum;
}

/* One history: the power goes at crash_at in the second life, after a first one without a cut. */
static bool cut_power(uint64_t seed, uint64_t crash_at, uint64_t reserve_bytes)
{
    struct run run = {0, 0};
    f.rng = rng_seed(seed);
    CU_ASSERT_EQUAL_FATAL(directory_remove_tree(f.directory, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(directory_make(f.directory, 0700, NULL), OK);
    forget_disk();
    if (crash_at % 2 == 0) { /* half of them with a journal that is there already */
        use_disk(0);
        live(&run, reserve_bytes);
        CU_ASSERT_EQUAL_FATAL(run.acknowledged, run.appended);
    }
    use_disk(crash_at);
    live(&run, reserve_bytes);
    bool was_cut = f.disk.is_off;
    if (was_cut)
        restore_power();
    (void)os_calls_set(NULL);
    (void)expect_recovery(&run, seed, crash_at);
    return was_cut;
}

static void cut_everywhere(uint64_t reserve_bytes)
{
    uint64_t seed = unit_seed();
    for (uint64_t i = 0; i < SEEDS; i++) {
        uint64_t cuts = 0;
        for (uint64_t crash_at = 1; cut_power(seed + i, crash_at, reserve_bytes) ||
                                    cut_power(seed + i, crash_at + 1, reserve_bytes);
             crash_at++)
            cuts++;
        CU_ASSERT_TRUE(cuts > 10);
    }
}

static void test_journal__power_cut_at_every_call(void)
{
    cut_everywhere(0);
}

static void test_journal__power_cut_at_every_call_with_reserved_room(void)
{
    cut_everywhere(4096);
}

static const struct unit_test tests[] = {
    {"test_journal__power_cut_at_every_call",
     "Power may go at any call: what was acknowledged comes back.", test_journal__power_cut_at_every_call                   },
    {"test_journal__power_cut_at_every_call_with_reserved_room",
     "Power may go at any call, with room reserved ahead.",         test_journal__power_cut_at_every_call_with_reserved_room},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "journal/journal_crash", tests, UNIT_COUNT(tests),
                     setup, teardown);
}
