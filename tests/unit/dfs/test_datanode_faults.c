/*
 * test_datanode_faults.c - every system call of a store made to fail, in every way it can: fault
 * rows F6 and F7. A block that was acknowledged is there and whole afterwards, one that was not is
 * whole or not there, no wrong byte is read, and every failure has its name.
 */
#include "dfs/datanode/daemon/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "lib/base/crc32c.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "tests/support/unit.h"

enum {
    BLOCK_BYTES = BLOCK_CHUNK_BYTES + 500,
    PIECE_BYTES = 30000,
    CALLS_MAX = 5000,
    SHORT = -1, /* the call does half of what it was asked for */
};

/* --- calls that fail ---------------------------------------------------------------------------
 */

enum call_kind {
    CALL_READ,
    CALL_WRITE,
    CALL_SYNC,
    CALL_OPEN,
    CALL_CREATE,
    CALL_NAME, /* changes names otherwise */
    CALL_LOOK  /* changes nothing */
};

static struct faults {
    const struct os_calls *posix;
    bool is_armed;
    bool is_sticky; /* every call from there on fails */
    int number;     /* errno or SHORT */
    uint64_t nth;
    uint64_t calls;
    uint64_t failures;
    enum call_kind kind; /* of the last that failed */
} faults;

/* What the kernel answers to which call. */
static bool is_possible(int number, enum call_kind kind)
{
    switch (number) {
    case SHORT:
        return kind == CALL_READ || kind == CALL_WRITE;
    case EINTR:
        return kind == CALL_READ || kind == CALL_WRITE || kind == CALL_OPEN || kind == CALL_CREATE;
    case EMFILE:
        return kind == CALL_OPEN || kind == CALL_CREATE;
    case ENOSPC:
        return kind == CALL_WRITE || kind == CALL_SYNC || kind == CALL_CREATE || kind == CALL_NAME;
    case EROFS:
        return kind == CALL_WRITE || kind == CALL_CREATE || kind == CALL_NAME;
    default:
        return true;
    }
}

/* True when this call is to fail. */
static bool fails(enum call_kind kind)
{
    if (!faults.is_armed || !is_possible(faults.number, kind))
        return false;
    faults.calls++;
    if (faults.calls != faults.nth && !(faults.is_sticky && faults.calls > faults.nth))
        return false;
    faults.failures++;
    faults.kind = kind;
    errno = faults.number == SHORT ? 0 : faults.number;
    return faults.number != SHORT;
}

static size_t some_of(size_t bytes)
{
    bool is_short = faults.is_armed && faults.number == SHORT && faults.calls == faults.nth;
    return is_short && bytes > 1 ? bytes / 2 : bytes;
}

static int open_or_fail(const char *path, int flags, mode_t mode)
{
    enum call_kind kind = (flags & O_CREAT) != 0 ? CALL_CREATE : CALL_OPEN;
    return fails(kind) ? -1 : faults.posix->open(path, flags, mode);
}

static ssize_t pread_or_fail(int descriptor, void *data, size_t bytes, off_t offset)
{
    if (fails(CALL_READ))
        return -1;
    return faults.posix->pread(descriptor, data, some_of(bytes), offset);
}

static ssize_t pwrite_or_fail(int descriptor, const void *data, size_t bytes, off_t offset)
{
    if (fails(CALL_WRITE))
        return -1;
    return faults.posix->pwrite(descriptor, data, some_of(bytes), offset);
}

static int fsync_or_fail(int descriptor)
{
    (void)descriptor; /* nobody takes the power away here, and real syncs take all the time */
    return fails(CALL_SYNC) ? -1 : 0;
}

static int fdatasync_or_fail(int descriptor)
{
    (void)descriptor;
    return fails(CALL_SYNC) ? -1 : 0;
}

static int rename_or_fail(const char *source, const char *destination)
{
    return fails(CALL_NAME) ? -1 : faults.posix->rename(source, destination);
}

static int unlink_or_fail(const char *path)
{
    return fails(CALL_NAME) ? -1 : faults.posix->unlink(path);
}

static int mkdir_or_fail(const char *path, mode_t mode)
{
    return fails(CALL_NAME) ? -1 : faults.posix->mkdir(path, mode);
}

static int fstat_or_fail(int descriptor, struct stat *ret_status)
{
    return fails(CALL_LOOK) ? -1 : faults.posix->fstat(descriptor, ret_status);
}

static int stat_or_fail(const char *path, struct stat *ret_status)
{
    return fails(CALL_LOOK) ? -1 : faults.posix->stat(path, ret_status);
}

static int lstat_or_fail(const char *path, struct stat *ret_status)
{
    return fails(CALL_LOOK) ? -1 : faults.posix->lstat(path, ret_status);
}

static int statvfs_or_fail(const char *path, struct statvfs *ret_status)
{
    return fails(CALL_LOOK) ? -1 : faults.posix->statvfs(path, ret_status);
}

static void arm(int number, uint64_t nth, bool is_sticky)
{
    const struct os_calls *posix = faults.posix;
    faults = (struct faults){
        .posix = posix, .is_armed = true, .is_sticky = is_sticky, .number = number, .nth = nth};
}

static void disarm(void)
{
    faults.is_armed = false;
}

/* --- a store and what it has acknowledged ------------------------------------------------------
 */

enum {
    BLOCKS = 3 /* 1 is kept, 2 is deleted, 3 is quarantined */
};

static struct fixture {
    struct arena *arena;
    const char *directory;
    struct store *store;
    uint8_t data[BLOCK_BYTES];
    struct dfs_block_info blocks[BLOCKS + 1];
    bool is_acknowledged[BLOCKS + 1]; /* synced, said the store, and nobody wanted it gone */
    struct os_calls calls;
    struct error error;
} f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    faults.posix = os_calls_posix();
    f.calls = *faults.posix;
    f.calls.open = open_or_fail;
    f.calls.pread = pread_or_fail;
    f.calls.pwrite = pwrite_or_fail;
    f.calls.fsync = fsync_or_fail;
    f.calls.fdatasync = fdatasync_or_fail;
    f.calls.rename = rename_or_fail;
    f.calls.unlink = unlink_or_fail;
    f.calls.mkdir = mkdir_or_fail;
    f.calls.fstat = fstat_or_fail;
    f.calls.stat = stat_or_fail;
    f.calls.lstat = lstat_or_fail;
    f.calls.statvfs = statvfs_or_fail;
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-faults-", f.arena, &f.directory, &f.error), OK);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        f.data[i] = (uint8_t)(i * 11 + i / 253);
    for (uint64_t id = 1; id <= BLOCKS; id++)
        f.blocks[id] = (struct dfs_block_info){
            .block_id = id, .length = BLOCK_BYTES, .crc32c = crc32c_update(0, f.data, BLOCK_BYTES)};
    struct store_settings settings = {.directory = f.directory};
    CU_ASSERT_EQUAL_FATAL(store_open(&settings, &f.store, &f.error), OK);
    (void)os_calls_set(&f.calls);
}

static void teardown(void)
{
    disarm();
    (void)os_calls_set(NULL);
    store_close(f.store);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

static enum status receive(uint64_t id, bool *ret_has_broken_volume)
{
    struct store_writer *writer = NULL;
    enum status status = store_writer_open(f.store, &f.blocks[id], true, &writer, &f.error);
    if (status != OK) {
        *ret_has_broken_volume = store_is_broken_by(status);
        return status;
    }
    for (size_t at = 0; at < BLOCK_BYTES && status == OK; at += PIECE_BYTES) {
        size_t part = BLOCK_BYTES - at < PIECE_BYTES ? BLOCK_BYTES - at : PIECE_BYTES;
        status = store_writer_push(writer, slice_make(f.data + at, part), &f.error);
    }
    if (status == OK)
        status = store_writer_commit(writer, &f.error);
    *ret_has_broken_volume = store_writer_broke_volume(writer);
    store_writer_close(writer);
    f.is_acknowledged[id] = status == OK;
    return status;
}

static enum status read_block(uint64_t id)
{
    static uint8_t bytes[BLOCK_BYTES];
    struct store_reader *reader = NULL;
    enum status status = store_reader_open(f.store, id, &reader, &f.error);
    if (status != OK)
        return status;
    memset(bytes, 0, sizeof(bytes));
    status = store_reader_read(reader, 0, bytes, BLOCK_BYTES, &f.error);
    if (status == OK)
        CU_ASSERT_EQUAL(memcmp(bytes, f.data, BLOCK_BYTES), 0); /* I6 */
    store_reader_close(reader);
    return status;
}

/* --- the scenario ------------------------------------------------------------------------------
 */

/* What the armed failure has to be called, wherever it is met. */
static bool is_named(enum status status)
{
    switch (faults.number) {
    case EIO:
        return status == ERR_IO;
    case ENOSPC:
        return status == ERR_NO_SPACE;
    case EMFILE:
        return status == ERR_LIMIT;
    case EROFS:
        return status == ERR_DENIED;
    default:
        return false; /* an interruption, or half of a call, is no failure */
    }
}

static void expect_sound(enum status status)
{
    if (status == OK ||
        status == ERR_NOT_FOUND) /* the latter: what was not received is not there */
        return;
    if (!is_named(status)) {
        printf("call %llu of errno %d: %s: %s\n", (unsigned long long)faults.nth, faults.number,
               status_name(status), f.error.text);
        CU_FAIL("the failure has the wrong name");
    }
}

static void when_received(uint64_t id)
{
    bool has_broken_volume = false;
    uint64_t failures = faults.failures;
    enum status status = receive(id, &has_broken_volume);
    expect_sound(status);
    if (status == OK)
        return;
    /* F6: after a failed write or sync the volume is never trusted again; F7: a full one is. */
    bool is_sync = faults.failures == failures + 1 && faults.kind == CALL_SYNC;
    bool is_full = faults.number == ENOSPC || faults.number == EMFILE;
    if (faults.failures == failures + 1 && has_broken_volume != (is_sync || !is_full)) {
        printf("call %llu of errno %d kind %d: %s: %s\n", (unsigned long long)faults.nth,
               faults.number, (int)faults.kind, status_name(status), f.error.text);
        CU_FAIL("the volume is trusted, or not, without a reason");
    }
}

static void run_scenario(void)
{
    struct store_space space;
    memset(f.is_acknowledged, 0, sizeof(f.is_acknowledged));
    for (uint64_t id = 1; id <= BLOCKS; id++)
        when_received(id);
    expect_sound(read_block(1));
    expect_sound(store_verify(f.store, 2, NULL, &f.error));
    expect_sound(store_space_get(f.store, &space, &f.error));
    f.is_acknowledged[2] = false;
    expect_sound(store_delete(f.store, 2, &f.error));
    f.is_acknowledged[3] = false;
    expect_sound(store_quarantine(f.store, 3, &f.error));
}

static bool is_in(const struct dfs_block_info *blocks, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].block_id == id)
            return true;
    }
    return false;
}

/* The disk works again, and the datanode is started again. */
static void expect_nothing_lost(void)
{
    struct store_scan scan = {0};
    struct arena *arena = arena_open(0);
    disarm();
    CU_ASSERT_EQUAL_FATAL(store_scan(f.store, arena, &scan, &f.error), OK);
    for (uint64_t id = 1; id <= BLOCKS; id++) {
        bool is_there = is_in(scan.blocks, scan.blocks_count, id);
        if (f.is_acknowledged[id])
            CU_ASSERT_TRUE(is_there); /* I2 */
        if (is_there)
            CU_ASSERT_EQUAL(store_verify(f.store, id, NULL, &f.error), OK); /* not torn */
        /* Only what was to be thrown away is in corrupt/. */
        CU_ASSERT_TRUE(id >= 2 || !is_in(scan.corrupt, scan.corrupt_count, id));
    }
    CU_ASSERT_EQUAL(scan.stray_count, 0); /* I9 */
    /* Room is back, without a restart: what was refused is taken now. */
    for (uint64_t id = 1; id <= BLOCKS; id++) {
        bool has_broken_volume = false;
        CU_ASSERT_EQUAL(store_delete(f.store, id, &f.error), OK);
        CU_ASSERT_EQUAL(receive(id, &has_broken_volume), OK);
        CU_ASSERT_EQUAL(store_delete(f.store, id, &f.error), OK);
    }
    arena_close(arena);
}

/* Returns how many calls the scenario makes. */
static uint64_t fail_every_call(int number, bool is_sticky)
{
    for (uint64_t nth = 1; nth < CALLS_MAX; nth++) {
        arm(number, nth, is_sticky);
        run_scenario();
        uint64_t failures = faults.failures;
        expect_nothing_lost();
        if (failures == 0)
            return nth - 1;
    }
    CU_FAIL("the scenario never ran without a failure");
    return 0;
}

static void test_faults__failing_disk_loses_nothing_acknowledged(void)
{
    uint64_t once = fail_every_call(EIO, false);
    CU_ASSERT_TRUE(once > 40);
    CU_ASSERT_EQUAL(fail_every_call(EIO, true) > 0, true);
}

static void test_faults__full_disk_is_no_failed_disk(void)
{
    (void)fail_every_call(ENOSPC, false);
    (void)fail_every_call(ENOSPC, true);
}

static void test_faults__read_only_disk_is_a_failed_disk(void)
{
    (void)fail_every_call(EROFS, true);
}

static void test_faults__too_many_open_files_pass(void)
{
    (void)fail_every_call(EMFILE, false);
}

/* Nobody notices: is_named knows no name for them. */
static void test_faults__interrupted_and_short_calls_go_unnoticed(void)
{
    (void)fail_every_call(SHORT, false);
    (void)fail_every_call(EINTR, false);
}

/* --- the start ---------------------------------------------------------------------------------
 */

/* Every call of opening and scanning; with many folders most are alike, so some are left out. */
static void test_faults__start_on_a_failing_disk_throws_nothing_away(void)
{
    static const int numbers[] = {EIO, ENOSPC, EMFILE};
    struct store_settings settings = {.directory = f.directory};
    for (uint64_t id = 1; id <= BLOCKS; id++) {
        bool has_broken_volume = false;
        CU_ASSERT_EQUAL_FATAL(receive(id, &has_broken_volume), OK);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth += nth % 257 < 16 ? 1 : 29) {
            struct store_scan scan = {0};
            struct arena *arena = arena_open(0);
            struct store *store = NULL;
            arm(numbers[i], nth, false);
            enum status status = store_open(&settings, &store, &f.error);
            if (status == OK)
                status = store_scan(store, arena, &scan, &f.error);
            has_failed = faults.failures > 0;
            disarm();
            if (status != OK && !is_named(status)) {
                printf("start: call %llu of errno %d: %s: %s\n", (unsigned long long)nth,
                       faults.number, status_name(status), f.error.text);
                CU_FAIL("the failure has the wrong name");
            }
            /* What could not be read is told, and stays where it is. */
            CU_ASSERT_TRUE(status != OK || scan.blocks_count + scan.unreadable_count == BLOCKS);
            store_close(store);
            arena_close(arena);
            for (uint64_t id = 1; id <= BLOCKS; id++)
                CU_ASSERT_EQUAL(store_verify(f.store, id, NULL, &f.error), OK);
        }
    }
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_faults__failing_disk_loses_nothing_acknowledged,
         "A failing disk loses nothing that was acknowledged."),
    TEST(test_faults__full_disk_is_no_failed_disk, "A full disk is no failed disk."),
    TEST(test_faults__read_only_disk_is_a_failed_disk, "A read-only disk is a failed disk."),
    TEST(test_faults__too_many_open_files_pass, "Too many open files pass."),
    TEST(test_faults__interrupted_and_short_calls_go_unnoticed,
         "Interrupted and short calls go unnoticed."),
    TEST(test_faults__start_on_a_failing_disk_throws_nothing_away,
         "A start on a failing disk throws nothing away."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_faults", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
