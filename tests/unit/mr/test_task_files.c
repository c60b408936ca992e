/*
 * test_task_files.c - scratch files of attempts.
 */
#include "mr/task/task_files.h"

#include "lib/base/arena.h"
#include "lib/base/fault.h"
#include "lib/os/directory.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    const char *directory;
    struct task_scratch scratch;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.scratch.directory = f.directory;
}

static void teardown(void)
{
    fault_disarm_all();
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

/* The next attempt of a process has a struct task_scratch at the same address that begins anew. */
static void test_task_scratch__left_over_is_no_obstacle(void)
{
    struct scratch scratch = task_scratch_as_scratch(&f.scratch);
    void *file = NULL;
    fault_arm(FAULT_FILE_REMOVE, 1, 1);
    CU_ASSERT_EQUAL(scratch.create(scratch.user, &file, &f.error), ERR_IO);
    f.scratch.next = 0;
    CU_ASSERT_EQUAL_FATAL(scratch.create(scratch.user, &file, &f.error), OK);
    CU_ASSERT_EQUAL(scratch.append(file, slice_from_string("spilled"), &f.error), OK);
    CU_ASSERT_EQUAL(scratch.seal(file, &f.error), OK);
    uint8_t data[7];
    CU_ASSERT_EQUAL(scratch.read(file, 0, data, sizeof(data), &f.error), OK);
    CU_ASSERT_NSTRING_EQUAL(data, "spilled", sizeof(data));
    scratch.discard(file);
}

static const struct unit_test tests[] = {
    {"test_task_scratch__left_over_is_no_obstacle",
     "A scratch file that an attempt could not remove does not hinder the next attempt.", test_task_scratch__left_over_is_no_obstacle},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/task_files", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
