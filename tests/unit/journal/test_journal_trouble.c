/*
 * test_journal_trouble.c - each system call of a journal's life refused, interrupted or short:
 * whatever happens, what was acknowledged comes back.
 */
#include <errno.h>

#include "lib/os/calls.h"
#include "tests/unit/journal/checkpoint_fixture.h"

enum trouble {
    TROUBLE_EIO,
    TROUBLE_ENOSPC,
    TROUBLE_EAGAIN,
    TROUBLE_EINTR,
    TROUBLE_SHORT, /* half of a read or write */
    TROUBLE_COUNT
};

static const int trouble_errno[] = {EIO, ENOSPC, EAGAIN, EINTR};

static struct {
    enum trouble trouble;
    uint64_t calls;
    uint64_t nth; /* this call is in trouble; 0: none */
    bool was_hit;
} now;

/* True, with errno set, when this call is to fail. */
static bool is_in_trouble(void)
{
    if (now.nth == 0 || ++now.calls != now.nth)
        return false;
    now.was_hit = true;
    if (now.trouble == TROUBLE_SHORT)
        return false;
    errno = trouble_errno[now.trouble];
    return true;
}

static size_t shortened(size_t bytes)
{
    bool is_now = now.was_hit && now.calls == now.nth && now.trouble == TROUBLE_SHORT;
    return is_now && bytes > 1 ? bytes / 2 : bytes;
}

static int try_open(const char *path, int flags, mode_t mode)
{
    return is_in_trouble() ? -1 : os_calls_posix()->open(path, flags, mode);
}

static ssize_t try_pread(int descriptor, void *data, size_t bytes, off_t offset)
{
    return is_in_trouble() ? -1
                           : os_calls_posix()->pread(descriptor, data, shortened(bytes), offset);
}

static ssize_t try_pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    return is_in_trouble() ? -1
                           : os_calls_posix()->pwrite(descriptor, data, shortened(bytes), offset);
}

static int try_sync(int descriptor)
{
    (void)descriptor;
    return is_in_trouble() ? -1 : 0; /* nothing here outlives the test */
}

static int try_ftruncate(int descriptor, off_t length)
{
    return is_in_trouble() ? -1 : os_calls_posix()->ftruncate(descriptor, length);
}

static int try_fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    return is_in_trouble() ? -1 : os_calls_posix()->fallocate(descriptor, mode, offset, length);
}

static int try_rename(const char *source, const char *destination)
{
    return is_in_trouble() ? -1 : os_calls_posix()->rename(source, destination);
}

static int try_unlink(const char *path)
{
    return is_in_trouble() ? -1 : os_calls_posix()->unlink(path);
}

static void use_troubled_calls(void)
{
    static struct os_calls calls;
    calls = *os_calls_posix();
    calls.open = try_open;
    calls.pread = try_pread;
    calls.pwrite = try_pwrite;
    calls.fsync = try_sync;
    calls.fdatasync = try_sync;
    calls.ftruncate = try_ftruncate;
    calls.fallocate = try_fallocate;
    calls.rename = try_rename;
    calls.unlink = try_unlink;
    (void)os_calls_set(&calls);
}

/* A life in which the n-th call is in trouble: what it acknowledged is there afterwards. */
static bool live_in_trouble(enum trouble trouble, uint64_t nth)
{
    struct journal_checkpoint_result result;
    bool has_fourth = false;
    bool has_fifth = false;
    now.nth = 0;
    given_checkpoints();
    journal_close(f.journal);
    f.journal = NULL;
    now.trouble = trouble;
    now.calls = 0;
    now.was_hit = false;
    now.nth = nth;
    enum status status = open_journal();
    if (status == OK) {
        has_fourth = add("4") == OK;
        (void)make_checkpoint(&result);
        has_fifth = add("5") == OK;
    }
    bool was_hit = now.was_hit;
    CU_ASSERT_TRUE(was_hit || (has_fourth && has_fifth));
    now.nth = 0;
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    expect_batches();
    CU_ASSERT_TRUE(!has_fourth || strstr(buf_string(&f.replayed), "a=4 ") != NULL);
    CU_ASSERT_TRUE(!has_fifth || strstr(buf_string(&f.replayed), "a=5 ") != NULL);
    return was_hit;
}

static void test_checkpoint__survives_every_call_in_trouble(void)
{
    use_troubled_calls();
    for (int mirror = 0; mirror < 2; mirror++) {
        for (int trouble = 0; trouble < TROUBLE_COUNT; trouble++) {
            uint64_t nth = 1;
            while (live_in_trouble((enum trouble)trouble, nth))
                nth++;
            CU_ASSERT_TRUE(nth > 40);
        }
        given_mirror();
        f.options.reserve_bytes = 4096;
    }
    (void)os_calls_set(NULL);
}

static const struct unit_test tests[] = {
    {"test_checkpoint__survives_every_call_in_trouble",
     "Whichever call is refused, interrupted or short, nothing is lost.", test_checkpoint__survives_every_call_in_trouble},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "journal/journal_trouble", tests, UNIT_COUNT(tests),
                     setup, teardown);
}
