/*
 * test_cgroup.c - control groups: as files in a made-up tree, and the kernel's own where this
 * process may make some.
 */
#include <stdio.h>
#include <string.h>

#include "lib/os/cgroup.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/launcher.h"
#include "lib/os/process.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"

enum {
    PATIENCE_MS = 30000,
    POLL_MS = 5,
    PROCESSES_MAX = 16
};

struct fixture {
    struct arena *arena;
    const char *directory;
    struct cgroup_source source;
    struct cgroup_tree tree;
    bool has_tree; /* of the kernel's */
    struct launcher *launcher;
    struct mutex *mutex;
    struct condition *changed;
    bool has_ended;
    struct process_exit exit;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .mutex = mutex_open()};
    f.changed = condition_open();
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
}

static void teardown(void)
{
    launcher_close(f.launcher);
    if (f.has_tree)
        CU_ASSERT_TRUE(cgroup_tree_remove(&f.tree));
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    condition_close(f.changed);
    mutex_close(f.mutex);
    arena_close(f.arena);
}

static const char *in(const char *name)
{
    return path_join(f.arena, f.directory, name);
}

static const char *given_file(const char *name, const char *text)
{
    const char *path = in(name);
    CU_ASSERT_EQUAL_FATAL(directory_make_all(path_parent(f.arena, path), 0755, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(file_replace(path, slice_from_string(text), FILE_PUBLIC, &f.error), OK);
    return path;
}

static void expect_file(const char *name, const char *text)
{
    struct buf buf;
    buf_open(&buf, 1 << 16);
    CU_ASSERT_EQUAL(file_read_whole(in(name), &buf, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), text);
    buf_close(&buf);
}

static bool is_there(const char *path)
{
    struct file_info info;
    return file_info_get(path, false, &info, NULL) == OK;
}

/* --- a made-up tree --------------------------------------------------------------------------- */
static const char *mounts_text(void)
{
    return (const char *)arena_format(f.arena,
                                      "tmpfs %s tmpfs rw 0 0\n"
                                      "cgroup %s/cpu cgroup rw,relatime,cpu,cpuacct 0 0\n"
                                      "cgroup %s/pids cgroup rw,relatime,pids 0 0\n"
                                      "cgroup2 %s/unified cgroup2 rw,relatime 0 0\n",
                                      f.directory, f.directory, f.directory, f.directory)
        .data;
}

static void given_tree(const char *own)
{
    f.source.mounts = given_file("mounts", mounts_text());
    f.source.self = given_file("self", own);
    (void)given_file("cpu/cgroup.procs", "");
    (void)given_file("pids/cgroup.procs", "");
    (void)given_file("unified/cgroup.procs", "");
}

static enum status open_tree(enum cgroup_version version)
{
    return cgroup_tree_open(version, "ours", 3, &f.source, f.arena, &f.tree, &f.error);
}

static void test_cgroup__version_1_limits_in_two_hierarchies(void)
{
    const char *const *files = NULL;
    struct cgroup_limits limits = {.processes_max = 77, .vcores = 2};
    given_tree("8:pids:/\n2:cpu,cpuacct:/\n0::/\n");
    CU_ASSERT_EQUAL_FATAL(open_tree(CGROUP_VERSION_1), OK);
    expect_file("cpu/ours/cpu.shares", "3072");
    CU_ASSERT_EQUAL_FATAL(cgroup_make(&f.tree, "c1", &limits, f.arena, &files, &f.error), OK);
    expect_file("pids/ours/c1/pids.max", "77");
    expect_file("cpu/ours/c1/cpu.shares", "2048");
    CU_ASSERT_STRING_EQUAL(files[0], in("pids/ours/c1/cgroup.procs"));
    CU_ASSERT_STRING_EQUAL(files[1], in("cpu/ours/c1/cgroup.procs"));
    CU_ASSERT_PTR_NULL(files[2]);
}

static void test_cgroup__version_1_does_without_processors(void)
{
    const char *const *files = NULL;
    struct cgroup_limits limits = {.processes_max = 77, .vcores = 2};
    given_tree("8:pids:/\n2:cpu,cpuacct:/of/somebody/else\n");
    CU_ASSERT_EQUAL_FATAL(open_tree(CGROUP_VERSION_1), OK);
    CU_ASSERT_EQUAL_FATAL(cgroup_make(&f.tree, "c1", &limits, f.arena, &files, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(files[0], in("pids/ours/c1/cgroup.procs"));
    CU_ASSERT_PTR_NULL(files[1]);
    CU_ASSERT_FALSE(is_there(in("cpu/ours")));
}

static void test_cgroup__version_2_passes_controllers_on(void)
{
    const char *const *files = NULL;
    struct cgroup_limits limits = {.processes_max = 77, .vcores = 2};
    given_tree("0::/\n");
    (void)given_file("unified/cgroup.controllers", "cpuset cpu io memory pids\n");
    CU_ASSERT_EQUAL_FATAL(open_tree(CGROUP_VERSION_2), OK);
    expect_file("unified/cgroup.subtree_control", "+pids +cpu");
    expect_file("unified/ours/cgroup.subtree_control", "+pids +cpu");
    expect_file("unified/ours/cpu.weight", "300");
    CU_ASSERT_EQUAL_FATAL(cgroup_make(&f.tree, "c1", &limits, f.arena, &files, &f.error), OK);
    expect_file("unified/ours/c1/pids.max", "77");
    expect_file("unified/ours/c1/cpu.weight", "200");
    CU_ASSERT_STRING_EQUAL(files[0], in("unified/ours/c1/cgroup.procs"));
    CU_ASSERT_PTR_NULL(files[1]);
}

static void test_cgroup__what_is_not_there_is_told(void)
{
    given_tree("8:pids:/of/somebody/else\n0::/\n");
    (void)given_file("unified/cgroup.controllers", "hugetlb\n");
    CU_ASSERT_EQUAL(open_tree(CGROUP_VERSION_2), ERR_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "no controller of processes"));
    CU_ASSERT_EQUAL(open_tree(CGROUP_VERSION_1), ERR_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "/of/somebody/else"));
    f.source.mounts = given_file("mounts", "tmpfs /tmp tmpfs rw 0 0\n");
    CU_ASSERT_EQUAL(open_tree(CGROUP_VERSION_1), ERR_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "are mounted"));
    f.source.mounts = in("absent");
    CU_ASSERT_EQUAL(open_tree(CGROUP_VERSION_2), ERR_UNSUPPORTED);
    CU_ASSERT_FALSE(is_there(in("pids/ours")));
}

static void test_cgroup__refusals_are_counted(void)
{
    given_tree("8:pids:/\n");
    CU_ASSERT_EQUAL_FATAL(open_tree(CGROUP_VERSION_1), OK);
    CU_ASSERT_EQUAL(cgroup_refusals(&f.tree, "c1"), 0);
    (void)given_file("pids/ours/c1/pids.events", "max 12\n");
    CU_ASSERT_EQUAL(cgroup_refusals(&f.tree, "c1"), 12);
    (void)given_file("pids/ours/c1/pids.events", "max");
    CU_ASSERT_EQUAL(cgroup_refusals(&f.tree, "c1"), 0);
}

/* --- the kernel's ----------------------------------------------------------------------------- */
static bool given_kernel_tree(void)
{
    const char *name =
        (const char *)arena_format(f.arena, "millrace-test-%lld", (long long)process_self()).data;
    f.has_tree =
        cgroup_tree_open(CGROUP_VERSION_2, name, 1, NULL, f.arena, &f.tree, NULL) == OK ||
        cgroup_tree_open(CGROUP_VERSION_1, name, 1, NULL, f.arena, &f.tree, &f.error) == OK;
    if (!f.has_tree)
        printf("skipped: no control groups may be made here: %s\n", f.error.text);
    return f.has_tree;
}

static void take_ended(void *user, uint64_t tag, int64_t pid, struct process_exit exit)
{
    (void)user;
    (void)tag;
    (void)pid;
    mutex_lock(f.mutex);
    f.has_ended = true;
    f.exit = exit;
    condition_broadcast(f.changed);
    mutex_unlock(f.mutex);
}

static void take_lost(void *user)
{
    (void)user;
}

static const char *const *given_launched(const char *script)
{
    const char *arguments[] = {"sh", "-c", script, NULL};
    const char *const *files = NULL;
    struct cgroup_limits limits = {.processes_max = PROCESSES_MAX, .vcores = 1};
    struct launcher_host host = {.ended = take_ended, .lost = take_lost};
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(launcher_open(&f.launcher, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(launcher_start(f.launcher, &host, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(cgroup_make(&f.tree, "c1", &limits, f.arena, &files, &f.error), OK);
    struct process_spec spec = {.arguments = arguments,
                                .directory = f.directory,
                                .stdout_path = in("out"),
                                .stderr_path = in("err"),
                                .group_files = files};
    CU_ASSERT_EQUAL_FATAL(launcher_launch(f.launcher, 1, &spec, &pid, &f.error), OK);
    return files;
}

static void expect_ended(void)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    mutex_lock(f.mutex);
    bool in_time = true;
    while (!f.has_ended && in_time)
        in_time = condition_wait_until(f.changed, f.mutex, deadline_ms);
    CU_ASSERT_TRUE(f.has_ended);
    mutex_unlock(f.mutex);
}

static int64_t expect_number(const char *name)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    uint64_t number = 0;
    for (bool is_read = false; !is_read;) {
        struct buf text;
        buf_open(&text, 64);
        if (file_read_whole(in(name), &text, NULL) == OK && text.length > 1)
            is_read = slice_parse_u64(slice_sub(buf_slice(&text), 0, text.length - 1), &number);
        buf_close(&text);
        CU_ASSERT_TRUE_FATAL(is_read || clock_monotonic_ms() < deadline_ms);
        clock_sleep_until_ms(clock_monotonic_ms() + POLL_MS);
    }
    return (int64_t)number;
}

static void test_cgroup__processes_are_refused_above_the_limit(void)
{
    if (!given_kernel_tree())
        return;
    /* The inner shell gives up when it cannot fork; the outer one sees how many it had. */
    (void)given_launched("(while :; do sleep 1000 & echo x >>started; done) 2>/dev/null\n"
                         "echo 1 >over; exec sleep 1000");
    (void)expect_number("over");
    CU_ASSERT_TRUE(cgroup_refusals(&f.tree, "c1") > 0);
    struct file_info info;
    CU_ASSERT_EQUAL(file_info_get(in("started"), true, &info, &f.error), OK);
    CU_ASSERT_EQUAL(info.bytes, 2 * (PROCESSES_MAX - 2)); /* two shells */
}

static void test_cgroup__who_hides_ends_with_its_leader(void)
{
    if (!given_kernel_tree())
        return;
    const char *const *files = given_launched("setsid sh -c 'echo $$ >hidden; exec sleep 1000' &\n"
                                              "while [ ! -s hidden ]; do :; done; exit 5");
    expect_ended();
    CU_ASSERT_EQUAL(f.exit.code, 5);
    CU_ASSERT_FALSE(process_is_alive(expect_number("hidden")));
    for (size_t i = 0; files[i] != NULL; i++)
        CU_ASSERT_FALSE(is_there(path_parent(f.arena, files[i])));
}

static void test_cgroup__no_group_outlives_the_launcher(void)
{
    if (!given_kernel_tree())
        return;
    const char *const *files = given_launched("setsid sleep 1000 & echo 1 >ready; exec sleep 1000");
    (void)expect_number("ready");
    launcher_close(f.launcher);
    f.launcher = NULL;
    for (size_t i = 0; files[i] != NULL; i++)
        CU_ASSERT_FALSE(is_there(path_parent(f.arena, path_parent(f.arena, files[i]))));
}

static void test_cgroup__what_an_earlier_life_left_is_removed(void)
{
    const char *arguments[] = {"sleep", "1000", NULL};
    const char *const *files = NULL;
    struct cgroup_limits limits = {.processes_max = PROCESSES_MAX, .vcores = 1};
    if (!given_kernel_tree())
        return;
    CU_ASSERT_EQUAL_FATAL(cgroup_make(&f.tree, "c1", &limits, f.arena, &files, &f.error), OK);
    struct process_spec spec = {.arguments = arguments, .group_files = files};
    struct process_exit exit;
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &pid, &f.error), OK);
    CU_ASSERT_TRUE_FATAL(given_kernel_tree());
    CU_ASSERT_FALSE(is_there(path_parent(f.arena, files[0])));
    CU_ASSERT_EQUAL(process_wait(pid, &exit, &f.error), OK);
    CU_ASSERT_TRUE(exit.by_signal && exit.code == 9);
}

static const struct unit_test tests[] = {
    {"test_cgroup__version_1_limits_in_two_hierarchies",
     "Version 1 limits processes and weighs processors in two hierarchies.",                           test_cgroup__version_1_limits_in_two_hierarchies  },
    {"test_cgroup__version_1_does_without_processors",
     "Version 1 limits processes also where processors are somebody else's.",                          test_cgroup__version_1_does_without_processors    },
    {"test_cgroup__version_2_passes_controllers_on",
     "Version 2 passes controllers on to the groups.",                                                 test_cgroup__version_2_passes_controllers_on      },
    {"test_cgroup__what_is_not_there_is_told",             "Why there are no control groups is told.",
     test_cgroup__what_is_not_there_is_told                                                                                                              },
    {"test_cgroup__refusals_are_counted",                  "Processes that were refused are counted.",
     test_cgroup__refusals_are_counted                                                                                                                   },
    {"test_cgroup__processes_are_refused_above_the_limit",
     "The kernel refuses processes above the limit.",                                                  test_cgroup__processes_are_refused_above_the_limit},
    {"test_cgroup__who_hides_ends_with_its_leader",
     "A process in a session of its own ends with its leader, and so does the group.",                 test_cgroup__who_hides_ends_with_its_leader       },
    {"test_cgroup__no_group_outlives_the_launcher",        "No group outlives the launcher.",
     test_cgroup__no_group_outlives_the_launcher                                                                                                         },
    {"test_cgroup__what_an_earlier_life_left_is_removed",
     "Groups and processes of an earlier life are removed.",                                           test_cgroup__what_an_earlier_life_left_is_removed },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/cgroup", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
