/*
 * checkpoint_fixture.h - a journal in one directory or two, with two checkpoints and batches around
 * them; for the tests of checkpoints.
 */
#ifndef MILLRACE_TESTS_UNIT_JOURNAL_CHECKPOINT_FIXTURE_H
#define MILLRACE_TESTS_UNIT_JOURNAL_CHECKPOINT_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/journal/journal.h"
#include "lib/journal/journal_view.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/unit.h"

enum {
    SIDES = 2,
    NOTICES_MAX = 8
};

struct fixture {
    struct arena *arena;
    const char *root;
    const char *directories[SIDES];
    const char *mirrors[1];
    struct journal_options options;
    struct journal *journal;
    struct journal_report report;
    struct buf replayed;
    unsigned notices[JOURNAL_DIRECTORY_RESTORED + 1];
    char last_notice[2048];
    struct error error;
};

static struct fixture f;

static inline void take_notice(void *user, enum journal_notice notice, const char *text)
{
    (void)user;
    f.notices[notice]++;
    (void)snprintf(f.last_notice, sizeof(f.last_notice), "%s", text);
}

static inline void make_directories(void)
{
    for (size_t i = 0; i < SIDES; i++)
        CU_ASSERT_EQUAL_FATAL(directory_make(f.directories[i], 0700, &f.error), OK);
}

static inline void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.root, &f.error), OK);
    f.directories[0] = path_join(f.arena, f.root, "first");
    f.directories[1] = path_join(f.arena, f.root, "second");
    f.mirrors[0] = f.directories[1];
    f.options.notice = take_notice;
    make_directories();
    buf_open(&f.replayed, 0);
}

static inline void teardown(void)
{
    fault_disarm_all();
    journal_close(f.journal);
    CU_ASSERT_EQUAL(directory_remove_tree(f.root, &f.error), OK);
    buf_close(&f.replayed);
    arena_close(f.arena);
}

static inline void given_nothing(void)
{
    journal_close(f.journal);
    f.journal = NULL;
    for (size_t i = 0; i < SIDES; i++)
        CU_ASSERT_EQUAL_FATAL(directory_remove_tree(f.directories[i], &f.error), OK);
    make_directories();
    memset(f.notices, 0, sizeof(f.notices));
}

static inline void given_mirror(void)
{
    f.options.mirrors = f.mirrors;
    f.options.mirror_count = 1;
}

static inline enum status remember(void *user,
                                   const struct journal_record *record,
                                   struct error *reterr_error)
{
    (void)reterr_error;
    return buf_append_format(user, "%.*s=%.*s ", SLICE_ARGS(record->type),
                             SLICE_ARGS(record->bytes));
}

static inline enum status open_journal(void)
{
    journal_close(f.journal);
    f.journal = NULL;
    buf_clear(&f.replayed);
    memset(f.notices, 0, sizeof(f.notices));
    f.error = (struct error){.status = OK};
    return journal_open(f.directories[0], "j", &f.options, remember, &f.replayed, &f.report,
                        &f.journal, &f.error);
}

static inline void expect_replay(const char *expected)
{
    enum status status = open_journal();
    if (status != OK)
        printf("%s\n", f.error.text);
    CU_ASSERT_EQUAL_FATAL(status, OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.replayed), expected);
}

static inline enum status add(const char *bytes)
{
    struct journal_record record = {slice_from_string("a"), slice_from_string(bytes)};
    enum status status = journal_append(f.journal, &record, 1, &f.error);
    return status == OK ? journal_sync(f.journal, &f.error) : status;
}

/* The state is all that was replayed, as one record: a second machine is fed and written out. */
static inline enum status make_checkpoint(struct journal_checkpoint_result *ret_result)
{
    struct journal_checkpoint *checkpoint = NULL;
    struct buf state;
    buf_open(&state, 0);
    enum status status = journal_checkpoint_begin(f.journal, &checkpoint, &f.error);
    if (status == OK)
        status = journal_checkpoint_replay(checkpoint, remember, &state, &f.error);
    if (status == OK) {
        struct journal_record record = {slice_from_string("s"), buf_slice(&state)};
        status = journal_checkpoint_write(checkpoint, &record, 1, &f.error);
    }
    if (status == OK)
        status = journal_checkpoint_install(checkpoint, ret_result, &f.error);
    if (status == OK)
        journal_checkpoint_done(f.journal, ret_result);
    journal_checkpoint_close(checkpoint);
    buf_close(&state);
    return status;
}

static inline void checkpoint(void)
{
    struct journal_checkpoint_result result;
    CU_ASSERT_EQUAL_FATAL(make_checkpoint(&result), OK);
}

static inline const char *path_of(size_t side, const char *name)
{
    return path_join(f.arena, f.directories[side], name);
}

static inline void expect_files(size_t side, const char *expected)
{
    struct slice *names = NULL;
    size_t count = 0;
    struct buf text;
    buf_open(&text, 0);
    CU_ASSERT_EQUAL(directory_list(f.directories[side], f.arena, &names, &count, &f.error), OK);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(buf_append_format(&text, "%.*s ", SLICE_ARGS(names[i])), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&text), expected);
    buf_close(&text);
}

static inline size_t length_of(const char *path)
{
    struct file_info info;
    CU_ASSERT_EQUAL_FATAL(file_info_get(path, true, &info, &f.error), OK);
    return (size_t)info.bytes;
}

static inline void flip(const char *path, size_t offset, uint8_t mask)
{
    struct file *file = NULL;
    uint8_t byte = 0;
    CU_ASSERT_EQUAL_FATAL(file_open(path, FILE_MODE_UPDATE, 0, &file, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(file_read_exactly(file, offset, &byte, 1, &f.error), OK);
    byte ^= mask;
    CU_ASSERT_EQUAL_FATAL(file_write_at(file, offset, slice_make(&byte, 1), &f.error), OK);
    file_close(file);
}

static inline void cut(const char *path, size_t length)
{
    struct file *file = NULL;
    CU_ASSERT_EQUAL_FATAL(file_open(path, FILE_MODE_UPDATE, 0, &file, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(file_truncate(file, length, &f.error), OK);
    file_close(file);
}

static inline void copy(const char *source, const char *target)
{
    CU_ASSERT_EQUAL_FATAL(file_copy(source, target, FILE_PRIVATE, &f.error), OK);
}

/* Two checkpoints, batches before, between and after them. */
static inline void given_checkpoints(void)
{
    given_nothing();
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_EQUAL(add("1"), OK);
    checkpoint();
    CU_ASSERT_EQUAL(add("2"), OK);
    checkpoint();
    CU_ASSERT_EQUAL(add("3"), OK);
}

static const char newest[] = "s=s=a=1  a=2  a=3 ";
static const char older[] = "s=a=1  a=2 a=3 ";

/* However it was put together, each of the fixture's batches came back, once. */
static inline void expect_batches(void)
{
    const char *state = buf_string(&f.replayed);
    for (int batch = 1; batch <= 3; batch++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "a=%d ", batch);
        const char *found = strstr(state, text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        CU_ASSERT_PTR_NULL(strstr(found + 1, text));
    }
}

#endif
