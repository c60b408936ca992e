/*
 * test_journal_power.c - every disk that a power cut may leave while a journal is created, written,
 * rolled, checkpointed, pruned, or made even over two directories: each opens, has what was
 * acknowledged, has nothing that was never appended, and goes on.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fault.h"
#include "lib/base/rng.h"
#include "lib/journal/journal.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/power_loss.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    const char *root;
    const char *scratch;
    struct power_loss *power;
    size_t directories;
    struct journal *journal;
    uint64_t sum;
    struct error error;
    size_t failures;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .directories = 1};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.root, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.scratch, &f.error), OK);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(
            directory_make(path_join(f.arena, f.root, i == 0 ? "a" : "b"), 0700, &f.error), OK);
}

static void teardown(void)
{
    fault_disarm_all();
    journal_close(f.journal);
    power_loss_close(f.power);
    CU_ASSERT_EQUAL(directory_remove_tree(f.root, &f.error), OK);
    CU_ASSERT_EQUAL(directory_remove_tree(f.scratch, &f.error), OK);
    arena_close(f.arena);
}

/* The state is a sum: a record "add" with the next number, or "is" with the sum so far. */
static enum status add_up(void *user, const struct journal_record *record, struct error *error)
{
    uint64_t *sum = user;
    uint64_t value = 0;
    size_t digits = slice_find(record->bytes, ' ');
    if (!slice_parse_u64(slice_sub(record->bytes, 0, digits), &value))
        return error_set(error, ERR_CORRUPT, "not a number");
    if (!slice_equal_string(record->type, "is") && value != *sum + 1)
        return error_set(error, ERR_CORRUPT, "%llu does not follow", (unsigned long long)value);
    *sum = value;
    return OK;
}

static enum status open_in(const char *root,
                           uint64_t reserve_bytes,
                           uint64_t *ret_sum,
                           struct journal **ret_journal)
{
    const char *mirror = path_join(f.arena, root, "b");
    struct journal_options options = {
        .reserve_bytes = reserve_bytes, .mirrors = &mirror, .mirror_count = f.directories - 1};
    *ret_sum = 0;
    return journal_open(path_join(f.arena, root, "a"), "j", &options, add_up, ret_sum, NULL,
                        ret_journal, &f.error);
}

static void add(size_t bytes, bool is_last_of_group)
{
    char text[12000];
    memset(text, ' ', sizeof(text));
    f.sum++;
    int digits = snprintf(text, 24, "%llu", (unsigned long long)f.sum);
    text[digits] = ' ';
    struct journal_record record = {slice_from_string("add"),
                                    slice_make(text, (size_t)digits + 1 + bytes)};
    power_loss_attempt(f.power, f.sum);
    CU_ASSERT_EQUAL_FATAL(journal_append(f.journal, &record, 1, &f.error), OK);
    if (!is_last_of_group)
        return;
    CU_ASSERT_EQUAL_FATAL(journal_sync(f.journal, &f.error), OK);
    power_loss_promise(f.power, f.sum);
}

static void make_checkpoint(void)
{
    struct journal_checkpoint *one = NULL;
    struct journal_checkpoint_result result;
    uint64_t sum = 0;
    char text[24];
    CU_ASSERT_EQUAL_FATAL(journal_checkpoint_begin(f.journal, &one, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(journal_checkpoint_replay(one, add_up, &sum, &f.error), OK);
    CU_ASSERT_EQUAL(sum, f.sum);
    add(10, true); /* appending goes on */
    int digits = snprintf(text, sizeof(text), "%llu", (unsigned long long)sum);
    struct journal_record state = {slice_from_string("is"), slice_make(text, (size_t)digits)};
    CU_ASSERT_EQUAL_FATAL(journal_checkpoint_write(one, &state, 1, &f.error), OK);
    add(600, true);
    CU_ASSERT_EQUAL_FATAL(journal_checkpoint_install(one, &result, &f.error), OK);
    journal_checkpoint_done(f.journal, &result);
    journal_checkpoint_close(one);
}

/* Two lives: the second opens what the first left. */
static void live(uint64_t reserve_bytes)
{
    f.power = power_loss_open(f.root);
    power_loss_start(f.power);
    for (int life = 0; life < 2; life++) {
        CU_ASSERT_EQUAL_FATAL(open_in(f.root, reserve_bytes, &f.sum, &f.journal), OK);
        add(20, true);
        add(1200, false);
        add(30, true);
        make_checkpoint();
        add(9000, true);
        make_checkpoint();
        add(5, true);
        make_checkpoint();
        journal_close(f.journal);
        f.journal = NULL;
    }
    power_loss_stop(f.power);
}

static void check_disk(void *user, const char *directory, uint64_t promised, uint64_t attempted)
{
    (void)user;
    struct journal *journal = NULL;
    uint64_t sum = 0;
    f.error = (struct error){.status = OK};
    enum status status = open_in(directory, 0, &sum, &journal);
    bool is_good = status == OK && sum >= promised && sum <= attempted;
    if (is_good) { /* it goes on, and the next start finds that */
        char text[24];
        int digits = snprintf(text, sizeof(text), "%llu", (unsigned long long)sum + 1);
        struct journal_record record = {slice_from_string("add"), slice_make(text, (size_t)digits)};
        uint64_t again = 0;
        is_good = journal_append(journal, &record, 1, &f.error) == OK &&
                  journal_sync(journal, &f.error) == OK;
        journal_close(journal);
        journal = NULL;
        is_good = is_good && open_in(directory, 0, &again, &journal) == OK && again == sum + 1;
    }
    journal_close(journal);
    if (!is_good && f.failures++ < 5)
        printf("%s\n  %s; %llu promised, %llu attempted, %llu found: %s\n",
               power_loss_describe(f.power), status_name(status), (unsigned long long)promised,
               (unsigned long long)attempted, (unsigned long long)sum, f.error.text);
}

static void expect_all_disks_open(size_t images_min)
{
    struct power_loss_options options = {.seed = unit_seed()};
    size_t images = power_loss_each(f.power, &options, f.scratch, check_disk, NULL);
    printf("%zu changes, %zu disks\n", power_loss_changes(f.power), images);
    CU_ASSERT_TRUE(images > images_min);
    CU_ASSERT_EQUAL(f.failures, 0);
}

static void test_power__every_disk_of_one_directory_opens(void)
{
    live(0);
    expect_all_disks_open(300);
}

static void test_power__every_disk_with_reserved_room_opens(void)
{
    live(4096);
    expect_all_disks_open(300);
}

static void test_power__every_disk_of_two_directories_opens(void)
{
    f.directories = 2;
    live(0);
    expect_all_disks_open(1000);
}

/* One directory is dropped in the middle and brought up to date by the next life. */
static void test_power__every_disk_after_a_dropped_directory_opens(void)
{
    f.directories = 2;
    f.power = power_loss_open(f.root);
    power_loss_start(f.power);
    CU_ASSERT_EQUAL_FATAL(open_in(f.root, 0, &f.sum, &f.journal), OK);
    add(20, true);
    fault_arm(FAULT_FILE_SYNC, 2, 1);
    add(700, true);
    CU_ASSERT_EQUAL(journal_size_get(f.journal).directories, 1);
    fault_disarm_all();
    add(30, true);
    make_checkpoint();
    journal_close(f.journal);
    CU_ASSERT_EQUAL_FATAL(open_in(f.root, 0, &f.sum, &f.journal), OK);
    CU_ASSERT_EQUAL(journal_size_get(f.journal).directories, 2);
    add(40, true);
    journal_close(f.journal);
    f.journal = NULL;
    power_loss_stop(f.power);
    expect_all_disks_open(300);
}

static void count_content(void *user, const char *directory, uint64_t promised, uint64_t attempted)
{
    size_t *found = user;
    struct buf content = {0};
    const char *path = path_join(f.arena, directory, "a/new");
    (void)attempted;
    bool is_there = file_read_whole(path, &content, NULL) == OK;
    if (promised == 1)
        found[!is_there ? 0 : slice_equal_string(buf_slice(&content), "content") ? 2 : 1]++;
    buf_close(&content);
}

/* The model finds what it is for: a protocol that renames before it syncs loses its content. */
static void test_power__model_finds_a_missing_sync(void)
{
    const char *path = path_join(f.arena, f.root, "a/new");
    const char *temporary = path_join(f.arena, f.root, "a/new.tmp");
    struct file *file = NULL;
    f.power = power_loss_open(f.root);
    power_loss_start(f.power);
    power_loss_attempt(f.power, 1);
    CU_ASSERT_EQUAL(file_open(temporary, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, &f.error), OK);
    CU_ASSERT_EQUAL(file_write_at(file, 0, slice_from_string("content"), &f.error), OK);
    file_close(file);
    CU_ASSERT_EQUAL(file_rename(temporary, path, &f.error), OK);
    CU_ASSERT_EQUAL(directory_sync_parent(path, &f.error), OK);
    power_loss_promise(f.power, 1);
    power_loss_stop(f.power);
    size_t found[3] = {0, 0, 0}; /* promised disks without the file, with it empty, with it whole */
    struct power_loss_options options = {.seed = 1};
    CU_ASSERT_TRUE(power_loss_each(f.power, &options, f.scratch, count_content, found) > 3);
    CU_ASSERT_EQUAL(found[0], 0);
    CU_ASSERT_TRUE(found[1] > 0);
    CU_ASSERT_TRUE(found[2] > 0);
}

static const struct unit_test tests[] = {
    {"test_power__model_finds_a_missing_sync",
     "The model loses the content of a file that was renamed and not synced.",                 test_power__model_finds_a_missing_sync                },
    {"test_power__every_disk_of_one_directory_opens",
     "Every disk that a power cut may leave opens and has what was acknowledged.",             test_power__every_disk_of_one_directory_opens         },
    {"test_power__every_disk_with_reserved_room_opens",        "So with room reserved ahead.",
     test_power__every_disk_with_reserved_room_opens                                                                                                 },
    {"test_power__every_disk_of_two_directories_opens",        "So with two directories.",
     test_power__every_disk_of_two_directories_opens                                                                                                 },
    {"test_power__every_disk_after_a_dropped_directory_opens",
     "So when one of them was dropped and brought up to date.",                                test_power__every_disk_after_a_dropped_directory_opens},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "journal/journal_power", tests, UNIT_COUNT(tests),
                     setup, teardown);
}
