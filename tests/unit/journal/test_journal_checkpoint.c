/*
 * test_journal_checkpoint.c - checkpoints, what is kept of them, and several directories: whatever
 * is damaged, cut or fails, what was acknowledged comes back, or the open says why not.
 */
#include "lib/base/fault.h"
#include "tests/unit/journal/checkpoint_fixture.h"

/* --- one directory ---------------------------------------------------------------------------- */

static void test_checkpoint__replaces_the_log_and_two_are_kept(void)
{
    given_checkpoints();
    expect_files(0, "j.0000000002.checkpoint j.0000000002.journal j.0000000003.checkpoint "
                    "j.0000000003.journal ");
    expect_replay(newest);
    CU_ASSERT_EQUAL(f.report.checkpoint, 3);
    CU_ASSERT_EQUAL(f.report.generation, 3);
    CU_ASSERT_EQUAL(f.report.sequence, 3);
    CU_ASSERT_EQUAL(journal_size_get(f.journal).log_bytes, 36 + 4);
    checkpoint();
    CU_ASSERT_EQUAL(journal_size_get(f.journal).log_bytes, 0);
    expect_files(0, "j.0000000003.checkpoint j.0000000003.journal j.0000000004.checkpoint "
                    "j.0000000004.journal ");
}

static void test_checkpoint__appending_goes_on_while_one_is_made(void)
{
    struct journal_checkpoint *one = NULL;
    struct journal_checkpoint_result result;
    given_nothing();
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_EQUAL(add("1"), OK);
    CU_ASSERT_EQUAL_FATAL(journal_checkpoint_begin(f.journal, &one, &f.error), OK);
    CU_ASSERT_EQUAL(add("2"), OK);
    struct buf state = {0};
    CU_ASSERT_EQUAL(journal_checkpoint_replay(one, remember, &state, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&state), "a=1 ");
    struct journal_record record = {slice_from_string("s"), buf_slice(&state)};
    CU_ASSERT_EQUAL(add("3"), OK);
    CU_ASSERT_EQUAL(journal_checkpoint_write(one, &record, 1, &f.error), OK);
    CU_ASSERT_EQUAL(journal_checkpoint_install(one, &result, &f.error), OK);
    CU_ASSERT_EQUAL(result.sequence, 1);
    CU_ASSERT_EQUAL(add("4"), OK);
    journal_checkpoint_done(f.journal, &result);
    CU_ASSERT_EQUAL(journal_size_get(f.journal).log_bytes, 3 * (36 + 4));
    journal_checkpoint_close(one);
    buf_close(&state);
    expect_replay("s=a=1  a=2 a=3 a=4 ");
}

/* Many records, so that the checkpoint has several frames. */
static void test_checkpoint__big_state_comes_back(void)
{
    enum {
        RECORDS = 3000
    };

    struct journal_record *records = mem_new(RECORDS * sizeof(*records));
    struct journal_checkpoint *one = NULL;
    struct journal_checkpoint_result result;
    char *value = mem_new(1001);
    memset(value, 'v', 1000);
    for (size_t i = 0; i < RECORDS; i++)
        records[i] = (struct journal_record){slice_from_string("k"), slice_make(value, 1000)};
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_EQUAL_FATAL(journal_checkpoint_begin(f.journal, &one, &f.error), OK);
    for (size_t i = 0; i < RECORDS; i += 1500)
        CU_ASSERT_EQUAL(journal_checkpoint_write(one, records + i, 1500, &f.error), OK);
    CU_ASSERT_EQUAL(journal_checkpoint_install(one, &result, &f.error), OK);
    journal_checkpoint_close(one);
    CU_ASSERT_EQUAL(open_journal(), OK);
    CU_ASSERT_EQUAL(f.report.records, RECORDS);
    CU_ASSERT_EQUAL(f.report.batches, 4);
    CU_ASSERT_EQUAL(f.replayed.length, RECORDS * 1003);
    mem_free(value);
    mem_free(records);
}

static void test_checkpoint__any_damage_to_the_newest_loses_nothing(void)
{
    given_checkpoints();
    size_t length = length_of(path_of(0, "j.0000000003.checkpoint"));
    for (size_t at = 0; at < length; at++) {
        given_checkpoints();
        flip(path_of(0, "j.0000000003.checkpoint"), at, (uint8_t)(1u << (at % 8)));
        expect_replay(older);
        CU_ASSERT_EQUAL(f.notices[JOURNAL_CHECKPOINT_DAMAGED], 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.last_notice, "j.0000000003.checkpoint is damaged at"));
        CU_ASSERT_EQUAL(f.report.checkpoint, 2);
        expect_replay(older); /* the damaged one was set aside */
        CU_ASSERT_EQUAL(f.notices[JOURNAL_CHECKPOINT_DAMAGED], 0);
        checkpoint();
        expect_replay("s=s=a=1  a=2 a=3  ");
    }
    for (size_t at = 0; at < length; at++) {
        given_checkpoints();
        cut(path_of(0, "j.0000000003.checkpoint"), at);
        expect_replay(older);
    }
}

static void test_checkpoint__damage_to_both_stops_the_open(void)
{
    given_checkpoints();
    flip(path_of(0, "j.0000000003.checkpoint"), 70, 1);
    flip(path_of(0, "j.0000000002.checkpoint"), 70, 1);
    CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "no whole checkpoint"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "j.0000000003.checkpoint"));
    expect_files(0, "j.0000000002.checkpoint j.0000000002.journal j.0000000003.checkpoint "
                    "j.0000000003.journal ");
}

/* A closed segment has no torn tail: cut or changed anywhere, it is damage. */
static void test_checkpoint__closed_segment_is_whole_or_damaged(void)
{
    given_nothing();
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_EQUAL(add("1"), OK);
    CU_ASSERT_EQUAL(add("2"), OK);
    struct journal_checkpoint *one = NULL;
    CU_ASSERT_EQUAL_FATAL(journal_checkpoint_begin(f.journal, &one, &f.error), OK);
    journal_checkpoint_close(one);
    CU_ASSERT_EQUAL(add("3"), OK);
    journal_close(f.journal);
    f.journal = NULL;
    const char *path = path_of(0, "j.0000000001.journal");
    const char *kept = path_of(1, "kept");
    copy(path, kept);
    for (size_t at = 0; at < length_of(kept); at++) {
        copy(kept, path);
        cut(path, at);
        CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
        CU_ASSERT_EQUAL(length_of(path), at);
        copy(kept, path);
        flip(path, at, 0x10);
        CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
    }
    copy(kept, path);
    expect_replay("a=1 a=2 a=3 ");
    journal_close(f.journal);
    f.journal = NULL;
    CU_ASSERT_EQUAL(file_remove(path, &f.error), OK);
    CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
}

static void test_checkpoint__missing_newest_segment_stops_the_open(void)
{
    given_checkpoints();
    CU_ASSERT_EQUAL(file_remove(path_of(0, "j.0000000003.journal"), &f.error), OK);
    CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "j.0000000003.journal is missing"));
}

/* Fails the n-th call of one point while a checkpoint is made, for all n. */
static void fail_checkpoints(enum fault_point point, uint64_t repeat)
{
    uint64_t failures = 0;
    for (uint64_t nth = 1;; nth++) {
        CU_ASSERT_TRUE_FATAL(nth < 60);
        given_checkpoints();
        struct journal_checkpoint_result result;
        fault_arm(point, nth, repeat);
        enum status status = make_checkpoint(&result);
        bool was_hit = fault_failures(point) > 0;
        fault_disarm_all();
        CU_ASSERT_TRUE(status == OK || was_hit);
        bool is_usable = !journal_has_failed(f.journal);
        CU_ASSERT_EQUAL(add("4"), is_usable ? OK : ERR_IO);
        CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
        if (is_usable)
            CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&f.replayed), "a=4 "));
        expect_batches();
        if (!was_hit)
            break;
        failures++;
    }
    CU_ASSERT_TRUE(failures > 0);
}

static void test_checkpoint__survives_every_failure(void)
{
    const enum fault_point points[] = {FAULT_FILE_OPEN, FAULT_FILE_READ,   FAULT_FILE_WRITE,
                                       FAULT_FILE_SYNC, FAULT_FILE_RENAME, FAULT_FILE_REMOVE,
                                       FAULT_MEM};

    for (int mirror = 0; mirror < 2; mirror++) {
        for (size_t i = 0; i < UNIT_COUNT(points); i++) {
            fail_checkpoints(points[i], 1);
            fail_checkpoints(points[i], FAULT_FOREVER);
        }
        given_mirror();
    }
}

/* Opens the fixture's journal, cut or not, and adds a batch, with the n-th allocation failing. */
static bool open_without_memory(uint64_t nth, uint64_t repeat)
{
    given_checkpoints();
    fault_arm(FAULT_MEM, nth, repeat);
    enum status status = open_journal();
    bool is_open = status == OK;
    if (is_open)
        status = add("4");
    bool was_hit = fault_failures(FAULT_MEM) > 0;
    fault_disarm_all();
    CU_ASSERT_TRUE(status == OK || (was_hit && status == ERR_NO_MEMORY));
    CU_ASSERT_TRUE(status == OK || strlen(f.error.text) > 0);
    /* What was refused for want of memory is not there by half, and does not end the journal. */
    if (is_open && status != OK && !journal_has_failed(f.journal))
        CU_ASSERT_EQUAL(add("5"), OK);
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    expect_batches();
    CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_RESTORED], 0);
    CU_ASSERT_EQUAL(strstr(buf_string(&f.replayed), "a=4 ") != NULL, status == OK);
    return was_hit;
}

static void test_open__survives_want_of_memory(void)
{
    for (int mirror = 0; mirror < 2; mirror++) {
        uint64_t nth = 1;
        while (open_without_memory(nth, 1))
            nth++;
        CU_ASSERT_TRUE(nth > 1);
        nth = 1;
        while (open_without_memory(nth, FAULT_FOREVER))
            nth++;
        given_mirror();
    }
}

/* --- several directories ---------------------------------------------------------------------- */

static void test_mirror__both_hold_the_same(void)
{
    given_mirror();
    given_checkpoints();
    const char *names[] = {"j.0000000002.checkpoint", "j.0000000002.journal",
                           "j.0000000003.checkpoint", "j.0000000003.journal"};
    for (size_t i = 0; i < UNIT_COUNT(names); i++) {
        struct buf first = {0};
        struct buf second = {0};
        CU_ASSERT_EQUAL(file_read_whole(path_of(0, names[i]), &first, &f.error), OK);
        CU_ASSERT_EQUAL(file_read_whole(path_of(1, names[i]), &second, &f.error), OK);
        CU_ASSERT_TRUE(slice_equal(buf_slice(&first), buf_slice(&second)));
        buf_close(&first);
        buf_close(&second);
    }
}

/* Either disk is exchanged for an empty one, or dies and comes back. */
static void test_mirror__lost_directory_is_filled_again(void)
{
    given_mirror();
    for (size_t side = 0; side < SIDES; side++) {
        given_checkpoints();
        journal_close(f.journal);
        f.journal = NULL;
        CU_ASSERT_EQUAL(directory_remove_tree(f.directories[side], &f.error), OK);
        CU_ASSERT_EQUAL(directory_make(f.directories[side], 0700, &f.error), OK);
        expect_replay(newest);
        CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_RESTORED], 1);
        CU_ASSERT_EQUAL(add("4"), OK);
        expect_replay("s=s=a=1  a=2  a=3 a=4 ");
        CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_RESTORED], 0);
        CU_ASSERT_EQUAL(directory_remove_tree(f.directories[1 - side], &f.error), OK);
        CU_ASSERT_EQUAL(directory_make(f.directories[1 - side], 0700, &f.error), OK);
        expect_replay("s=s=a=1  a=2  a=3 a=4 ");
    }
}

static void test_mirror__damage_in_one_is_repaired_from_the_other(void)
{
    given_mirror();
    for (size_t side = 0; side < SIDES; side++) {
        given_checkpoints();
        CU_ASSERT_EQUAL(add("4"), OK);
        size_t length = length_of(path_of(side, "j.0000000003.journal"));
        for (size_t at = 0; at < length; at += 7) {
            flip(path_of(side, "j.0000000003.journal"), at, 4);
            expect_replay("s=s=a=1  a=2  a=3 a=4 ");
            CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_DAMAGED], 1);
            CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_RESTORED], 1);
            expect_replay("s=s=a=1  a=2  a=3 a=4 ");
            CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_DAMAGED], 0);
        }
    }
}

/* The other one was dropped and is behind: it is not loaded in place of a damaged newer one. */
static void test_mirror__older_one_never_wins(void)
{
    given_mirror();
    for (size_t side = 0; side < SIDES; side++) {
        given_checkpoints();
        fault_arm(FAULT_FILE_SYNC, 1 + side, 1);
        CU_ASSERT_EQUAL(add("4"), OK);
        fault_disarm_all();
        CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_FAILED], 1);
        CU_ASSERT_EQUAL(journal_size_get(f.journal).directories, 1);
        CU_ASSERT_EQUAL(add("5"), OK);
        journal_close(f.journal);
        f.journal = NULL;
        const char *path = path_of(1 - side, "j.0000000004.journal");
        flip(path, 70, 1);
        CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "is whole but older"));
        flip(path, 70, 1);
        expect_replay("s=s=a=1  a=2  a=3 a=4 a=5 ");
        CU_ASSERT_EQUAL(f.notices[JOURNAL_DIRECTORY_RESTORED], 1);
        CU_ASSERT_EQUAL(journal_size_get(f.journal).directories, 2);
    }
}

/* One of them was used without the other, and both went on differently. */
static void test_mirror__contradiction_stops_the_open(void)
{
    given_mirror();
    given_checkpoints();
    journal_close(f.journal);
    f.journal = NULL;
    f.options.mirror_count = 0;
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_EQUAL(add("first"), OK);
    const char *first = f.directories[0];
    f.directories[0] = f.directories[1];
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_EQUAL(add("other"), OK);
    f.directories[0] = first;
    f.options.mirror_count = 1;
    CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "contradict each other"));
    /* A journal of another cluster is not overwritten either. */
    CU_ASSERT_EQUAL(directory_remove_tree(f.directories[1], &f.error), OK);
    CU_ASSERT_EQUAL(directory_make(f.directories[1], 0700, &f.error), OK);
    f.options.mirror_count = 0;
    f.directories[0] = f.directories[1];
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    f.directories[0] = first;
    f.options.mirror_count = 1;
    CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "different journals"));
}

/* Whichever call fails in whichever directory, writing goes on in the other. */
static void test_mirror__one_failing_directory_is_dropped(void)
{
    const enum fault_point points[] = {FAULT_FILE_WRITE, FAULT_FILE_SYNC};

    given_mirror();
    for (size_t i = 0; i < UNIT_COUNT(points); i++) {
        for (uint64_t nth = 1;; nth++) {
            given_checkpoints();
            fault_arm(points[i], nth, 1);
            enum status status = add("4");
            bool was_hit = fault_failures(points[i]) > 0;
            fault_disarm_all();
            CU_ASSERT_EQUAL_FATAL(status, OK);
            CU_ASSERT_EQUAL(journal_size_get(f.journal).directories, was_hit ? 1 : 2);
            CU_ASSERT_EQUAL(add("5"), OK);
            checkpoint();
            CU_ASSERT_EQUAL(add("6"), OK);
            expect_replay("s=s=s=a=1  a=2  a=3 a=4 a=5  a=6 ");
            expect_replay("s=s=s=a=1  a=2  a=3 a=4 a=5  a=6 ");
            if (!was_hit)
                break;
        }
    }
}

/* Whichever call fails while directories are made even, the next open finds everything. */
static void test_mirror__open_survives_every_failure(void)
{
    const enum fault_point points[] = {FAULT_FILE_OPEN, FAULT_FILE_READ,   FAULT_FILE_WRITE,
                                       FAULT_FILE_SYNC, FAULT_FILE_RENAME, FAULT_FILE_REMOVE};

    given_mirror();
    for (size_t i = 0; i < UNIT_COUNT(points); i++) {
        for (uint64_t nth = 1;; nth++) {
            CU_ASSERT_TRUE_FATAL(nth < 100);
            given_checkpoints();
            size_t length = length_of(path_of(0, "j.0000000003.journal"));
            CU_ASSERT_EQUAL(add("4"), OK); /* as if nobody had been told: one has it not yet */
            cut(path_of(nth % 2, "j.0000000003.journal"), length);
            fault_arm(points[i], nth, 1);
            enum status status = open_journal();
            bool was_hit = fault_failures(points[i]) > 0;
            fault_disarm_all();
            CU_ASSERT_TRUE(was_hit || status == OK);
            if (status != OK)
                CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
            expect_batches();
            bool has_it = strstr(buf_string(&f.replayed), "a=4 ") != NULL;
            CU_ASSERT_TRUE(has_it || was_hit);
            status = open_journal();
            if (status == ERR_CORRUPT) {
                /* The one that had it could not be read, was left behind, and has it still. */
                CU_ASSERT_TRUE(was_hit && !has_it);
                CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "contradict each other"));
                continue;
            }
            CU_ASSERT_EQUAL_FATAL(status, OK);
            expect_batches();
            CU_ASSERT_EQUAL(strstr(buf_string(&f.replayed), "a=4 ") != NULL, has_it);
            if (!was_hit)
                break;
        }
    }
}

/* --- the viewer ------------------------------------------------------------------------------- */

static enum status view_begin(void *user, const struct journal_view_file *file, struct error *error)
{
    (void)error;
    return buf_append_format(user, "%s %llu: ", file->is_checkpoint ? "checkpoint" : "segment",
                             (unsigned long long)file->generation);
}

static enum status view_record(void *user,
                               const struct journal_view_record *record,
                               struct error *error)
{
    (void)error;
    return buf_append_format(user, "%llu@%llu %.*s=%.*s ", (unsigned long long)record->sequence,
                             (unsigned long long)record->offset, SLICE_ARGS(record->type),
                             SLICE_ARGS(record->bytes));
}

static enum status view_end(void *user, const struct journal_view_file *file, struct error *error)
{
    (void)error;
    return buf_append_format(user, "end %llu%s\n", (unsigned long long)file->end,
                             file->damage != NULL ? " damaged" : "");
}

static void expect_view(const char *name, const char *expected)
{
    struct buf text = {0};
    struct journal_view view = {
        .user = &text, .begin = view_begin, .record = view_record, .end = view_end};
    bool is_damaged = false;
    CU_ASSERT_EQUAL(journal_view_file(path_of(0, name), &view, &is_damaged, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&text), expected);
    CU_ASSERT_EQUAL(is_damaged, strstr(expected, "damaged") != NULL);
    buf_close(&text);
}

static void test_view__shows_files_as_far_as_they_are_good(void)
{
    const char **paths = NULL;
    size_t count = 0;
    given_checkpoints();
    CU_ASSERT_EQUAL(add("4"), OK);
    expect_view("j.0000000003.checkpoint", "checkpoint 3: 1@64 s=s=a=1  a=2  end 114\n");
    expect_view("j.0000000003.journal", "segment 3: 3@64 a=3 4@104 a=4 end 144\n");
    flip(path_of(0, "j.0000000003.journal"), 110, 1);
    expect_view("j.0000000003.journal", "segment 3: 3@64 a=3 end 104 damaged\n");
    flip(path_of(0, "j.0000000003.journal"), 10, 1);
    expect_view("j.0000000003.journal", "end 0 damaged\n");
    CU_ASSERT_EQUAL(journal_view_list(f.directories[0], f.arena, &paths, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 4);
}

static const struct unit_test tests[] = {
    {"test_checkpoint__replaces_the_log_and_two_are_kept",
     "A checkpoint replaces the log; two are kept.",                                                            test_checkpoint__replaces_the_log_and_two_are_kept     },
    {"test_checkpoint__appending_goes_on_while_one_is_made",
     "Appending goes on while a checkpoint is made.",                                                           test_checkpoint__appending_goes_on_while_one_is_made   },
    {"test_checkpoint__big_state_comes_back",                   "A state of several frames comes back.",
     test_checkpoint__big_state_comes_back                                                                                                                             },
    {"test_checkpoint__any_damage_to_the_newest_loses_nothing",
     "With the newest checkpoint damaged or cut anywhere nothing is lost.",                                     test_checkpoint__any_damage_to_the_newest_loses_nothing},
    {"test_checkpoint__damage_to_both_stops_the_open",
     "With both checkpoints damaged the open stops and changes nothing.",                                       test_checkpoint__damage_to_both_stops_the_open         },
    {"test_checkpoint__closed_segment_is_whole_or_damaged",
     "A closed segment that is cut, changed or missing is damage, never a torn tail.",                          test_checkpoint__closed_segment_is_whole_or_damaged    },
    {"test_checkpoint__missing_newest_segment_stops_the_open",
     "A checkpoint whose segment is missing is damage.",                                                        test_checkpoint__missing_newest_segment_stops_the_open },
    {"test_checkpoint__survives_every_failure",
     "Whichever call of a checkpoint fails, nothing is lost.",                                                  test_checkpoint__survives_every_failure                },
    {"test_open__survives_want_of_memory",
     "Whichever allocation of an open or an append fails, nothing is lost.",                                    test_open__survives_want_of_memory                     },
    {"test_view__shows_files_as_far_as_they_are_good",          "Files are shown as far as they are good.",
     test_view__shows_files_as_far_as_they_are_good                                                                                                                    },
    {"test_mirror__both_hold_the_same",                         "Two directories hold the same, byte by byte.",
     test_mirror__both_hold_the_same                                                                                                                                   },
    {"test_mirror__lost_directory_is_filled_again",
     "A directory that comes back empty is filled again.",                                                      test_mirror__lost_directory_is_filled_again            },
    {"test_mirror__damage_in_one_is_repaired_from_the_other",
     "Damage in one directory is repaired from the other, loudly.",                                             test_mirror__damage_in_one_is_repaired_from_the_other  },
    {"test_mirror__older_one_never_wins",
     "A directory that was dropped is never loaded in place of a damaged newer one.",                           test_mirror__older_one_never_wins                      },
    {"test_mirror__contradiction_stops_the_open",
     "Directories that contradict each other stop the open.",                                                   test_mirror__contradiction_stops_the_open              },
    {"test_mirror__one_failing_directory_is_dropped",
     "A directory that fails is dropped and brought up to date later.",                                         test_mirror__one_failing_directory_is_dropped          },
    {"test_mirror__open_survives_every_failure",
     "Whichever call fails while directories are made even, nothing is lost.",                                  test_mirror__open_survives_every_failure               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "journal/journal_checkpoint", tests,
                     UNIT_COUNT(tests), setup, teardown);
}
