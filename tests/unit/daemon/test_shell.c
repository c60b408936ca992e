/*
 * test_shell.c - the shell around the echo machine: order, journal, deadlines, ends.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/workers.h"
#include "lib/journal/journal.h"
#include "lib/os/calls.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"
#include "tests/unit/daemon/echo.h"

enum {
    PATIENCE_MS = 20000
};

struct fixture {
    struct arena *arena;
    const char *directory;
    struct shell_settings settings;
    struct shell *shell;
    struct echo *echo; /* the shell's; looked at only through shell_inspect */
    struct mutex *mutex;
    struct condition *changed;
    unsigned answered;
    struct shell_answer last;
    atomic_uint released;
    bool holds_effects;
    uint64_t held_tag;
    atomic_uint calls;
    struct error error;
};

static struct fixture f;

static void perform_effect(
    void *user, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    (void)user;
    CU_ASSERT_EQUAL(effect, ECHO_EFFECT);
    CU_ASSERT_EQUAL(*(const uint64_t *)data, tag);
    if (f.holds_effects)
        f.held_tag = tag;
    else
        shell_effect_done(shell, tag, effect, OK, slice_make(NULL, 0), NULL, NULL);
}

static void perform_call(void *user,
                         struct shell *shell,
                         uint64_t tag,
                         struct slice address,
                         enum method method,
                         const void *message,
                         int64_t timeout_ms)
{
    (void)user;
    const struct rm_get_app_request *request = message;
    CU_ASSERT_EQUAL(timeout_ms, 10000);
    atomic_fetch_add(&f.calls, 1);
    struct rm_get_app_response response = {.report = {.version = request->after_version}};
    if (slice_equal_string(address, "good:1"))
        shell_response(shell, tag, method, OK, slice_make(NULL, 0), &response);
    else
        shell_response(shell, tag, method, ERR_UNAVAILABLE, slice_from_string("nobody"), NULL);
}

static void perform_cancel(void *user, struct shell *shell, uint64_t tag)
{
    (void)user;
    (void)shell;
    (void)tag;
}

static enum status open_twin(void *user, void **ret_machine, struct error *reterr_error)
{
    (void)user;
    (void)reterr_error;
    *ret_machine = echo_open();
    return OK;
}

static bool may_checkpoint(void *user, const void *machine, const struct event *event)
{
    (void)user;
    (void)machine;
    return slice_equal_string(event->user, "root");
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .mutex = mutex_open()};
    f.changed = condition_open();
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.settings = (struct shell_settings){
        .door = &echo_door_row,
        .host = {.effect = perform_effect, .call = perform_call, .cancel = perform_cancel},
        .journal_directory = f.directory,
        .journal_name = "echo",
        .checkpoints = { .open_twin = open_twin,
                 .has_method = true,
                 .method = METHOD_NAMENODE_SAVE_CHECKPOINT,
                 .may_ask = may_checkpoint},
        .check_every_step = true,
    };
}

static void teardown(void)
{
    fault_disarm_all();
    shell_close(f.shell);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    condition_close(f.changed);
    mutex_close(f.mutex);
    arena_close(f.arena);
}

static void given_attached(void)
{
    shell_close(f.shell);
    f.shell = NULL;
    f.echo = echo_open();
    CU_ASSERT_EQUAL_FATAL(shell_open(&f.settings, &f.shell, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(shell_attach(f.shell, f.echo, &f.error), OK);
}

static void given_shell(void)
{
    given_attached();
    CU_ASSERT_EQUAL_FATAL(shell_start(f.shell, &f.error), OK);
}

static int64_t soon_ms(void)
{
    return clock_monotonic_ms() + PATIENCE_MS;
}

static enum status ask(enum method method, const void *message, void **ret_message)
{
    return shell_ask(f.shell, method, message, slice_from_string("alice"), slice_make(NULL, 0),
                     soon_ms(), f.arena, ret_message, &f.error);
}

static enum status submit(const char *name, uint32_t *ret_count)
{
    struct rm_submit_app_request request = {.name = slice_from_string(name)};
    void *message = NULL;
    enum status status = ask(METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request, &message);
    if (status == OK)
        *ret_count = ((const struct rm_submit_app_response *)message)->app.sequence;
    return status;
}

static void look(void *user, const void *machine)
{
    memcpy(user, machine, sizeof(struct echo));
}

static struct echo inspect(void)
{
    struct echo seen = {.count = 0};
    CU_ASSERT_EQUAL(shell_inspect(f.shell, look, &seen), OK);
    return seen;
}

static void take_answer(void *user, const struct shell_answer *answer)
{
    (void)user;
    mutex_lock(f.mutex);
    f.answered++;
    f.last = *answer;
    f.last.message = NULL;
    condition_broadcast(f.changed);
    mutex_unlock(f.mutex);
}

static void expect_answered(unsigned count)
{
    int64_t deadline_ms = soon_ms();
    mutex_lock(f.mutex);
    bool in_time = true;
    while (f.answered < count && in_time)
        in_time = condition_wait_until(f.changed, f.mutex, deadline_ms);
    CU_ASSERT_EQUAL(f.answered, count);
    mutex_unlock(f.mutex);
}

static uint64_t hold(uint64_t after)
{
    struct rm_get_app_request request = {.after_version = after};
    uint64_t call = 0;
    CU_ASSERT_EQUAL(shell_request(f.shell, METHOD_RESOURCE_MANAGER_GET_APP, &request,
                                  slice_from_string("bob"), slice_make(NULL, 0), take_answer, NULL,
                                  &call),
                    OK);
    return call;
}

static void test_shell__answers_and_remembers(void)
{
    uint32_t count = 0;
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT_EQUAL(submit("fail", &count), ERR_SAFE_MODE);
    CU_ASSERT_STRING_EQUAL(f.error.text, "asked to fail");
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 3);
}

static void test_shell__held_request_is_answered_later(void)
{
    uint32_t count = 0;
    given_shell();
    (void)hold(1);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(inspect().held_count, 1);
    CU_ASSERT_EQUAL(shell_counters_get(f.shell).requests_open, 1);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    expect_answered(1);
    CU_ASSERT_EQUAL(f.last.status, OK);
}

static void test_shell__cancelled_request_is_answered_once(void)
{
    given_shell();
    uint64_t call = hold(100);
    shell_request_cancel(f.shell, call);
    expect_answered(1);
    CU_ASSERT_EQUAL(f.last.status, ERR_CANCELLED);
    shell_request_cancel(f.shell, call); /* too late: the machine does not hear of it */
    CU_ASSERT_EQUAL(inspect().cancelled_count, 1);
}

static void test_shell__ask_gives_up_at_its_deadline(void)
{
    given_shell();
    struct rm_get_app_request request = {.after_version = 100};
    void *message = NULL;
    CU_ASSERT_EQUAL(shell_ask(f.shell, METHOD_RESOURCE_MANAGER_GET_APP, &request,
                              slice_from_string("a"), slice_make(NULL, 0), clock_monotonic_ms() + 5,
                              f.arena, &message, &f.error),
                    ERR_DEADLINE);
    CU_ASSERT_EQUAL(inspect().cancelled_count, 1);
}

struct held_core {
    struct mutex *mutex;
    struct condition *changed;
    bool is_inside;
    bool may_go;
};

static void hold_core(void *user, const void *machine)
{
    struct held_core *held = user;
    (void)machine;
    mutex_lock(held->mutex);
    held->is_inside = true;
    condition_broadcast(held->changed);
    while (!held->may_go)
        condition_wait(held->changed, held->mutex);
    mutex_unlock(held->mutex);
}

static void inspect_and_hold(void *argument)
{
    CU_ASSERT_EQUAL(shell_inspect(f.shell, hold_core, argument), OK);
}

static void test_shell__pulse_tells_a_core_that_hangs(void)
{
    given_attached();
    CU_ASSERT_EQUAL(shell_pulse(f.shell, soon_ms(), &f.error), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL_FATAL(shell_start(f.shell, &f.error), OK);
    CU_ASSERT_EQUAL(shell_pulse(f.shell, soon_ms(), &f.error), OK);
    struct held_core held = {.mutex = mutex_open(), .changed = condition_open()};
    struct thread *thread = NULL;
    CU_ASSERT_EQUAL_FATAL(thread_open("holder", inspect_and_hold, &held, &thread, &f.error), OK);
    mutex_lock(held.mutex);
    while (!held.is_inside)
        condition_wait(held.changed, held.mutex);
    mutex_unlock(held.mutex);
    CU_ASSERT_EQUAL(shell_pulse(f.shell, clock_monotonic_ms() + 5, &f.error), ERR_DEADLINE);
    mutex_lock(held.mutex);
    held.may_go = true;
    condition_broadcast(held.changed);
    mutex_unlock(held.mutex);
    thread_join(thread);
    CU_ASSERT_EQUAL(shell_pulse(f.shell, soon_ms(), &f.error), OK);
    condition_close(held.changed);
    mutex_close(held.mutex);
}

static void test_shell__effects_and_calls_come_back(void)
{
    void *message = NULL;
    given_shell();
    struct rm_kill_app_request request = {.diagnostics = slice_from_string("effect")};
    CU_ASSERT_EQUAL(ask(METHOD_RESOURCE_MANAGER_KILL_APP, &request, &message), OK);
    request.diagnostics = slice_from_string("good:1");
    CU_ASSERT_EQUAL(ask(METHOD_RESOURCE_MANAGER_KILL_APP, &request, &message), OK);
    request.diagnostics = slice_from_string("bad:1");
    CU_ASSERT_EQUAL(ask(METHOD_RESOURCE_MANAGER_KILL_APP, &request, &message), ERR_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f.error.text, "nobody");
    CU_ASSERT_EQUAL(atomic_load(&f.calls), 2);
}

static void release_number(void *data)
{
    atomic_fetch_add(&f.released, 1);
    mem_free(data);
}

static uint64_t *new_number(uint64_t value)
{
    uint64_t *number = MEM_NEW(uint64_t);
    *number = value;
    return number;
}

static void test_shell__local_data_is_released_after_the_step(void)
{
    given_shell();
    shell_local(f.shell, 1, new_number(5), release_number);
    CU_ASSERT_EQUAL(inspect().count, 5);
    struct echo seen = inspect(); /* of a later round: the first item is closed by then */
    CU_ASSERT_EQUAL(seen.count, 5);
    CU_ASSERT_EQUAL(atomic_load(&f.released), 1);
    int exit_code = -1;
    shell_stop(f.shell);
    CU_ASSERT_TRUE(shell_wait(f.shell, soon_ms(), &exit_code));
    shell_local(f.shell, 1, new_number(5), release_number);
    CU_ASSERT_EQUAL(atomic_load(&f.released), 2);
}

static void test_shell__tick_comes_at_the_deadline(void)
{
    given_attached();
    f.echo->tick_after_ms = 3;
    CU_ASSERT_EQUAL_FATAL(shell_start(f.shell, &f.error), OK);
    (void)hold(999);
    expect_answered(1);
    CU_ASSERT_EQUAL(inspect().count, 1000);
}

static void test_shell__stop_ends_with_the_machines_exit_code(void)
{
    int exit_code = -1;
    given_shell();
    (void)hold(100);
    CU_ASSERT_FALSE(shell_wait(f.shell, clock_monotonic_ms() + 1, &exit_code));
    shell_stop(f.shell);
    CU_ASSERT_TRUE(shell_wait(f.shell, soon_ms(), &exit_code));
    CU_ASSERT_EQUAL(exit_code, 0);
    expect_answered(1);
    CU_ASSERT_EQUAL(f.last.status, ERR_UNAVAILABLE);
    uint32_t count = 0;
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAVAILABLE);
    struct echo seen;
    CU_ASSERT_EQUAL(shell_inspect(f.shell, look, &seen), ERR_UNAVAILABLE);
    given_shell();
    CU_ASSERT_EQUAL(submit("exit", &count), OK);
    CU_ASSERT_TRUE(shell_wait(f.shell, soon_ms(), &exit_code));
    CU_ASSERT_EQUAL(exit_code, 42);
}

static void test_shell__asked_exit_ends_a_machine_that_does_not_stop(void)
{
    int exit_code = -1;
    given_attached();
    f.echo->holds_stop = true;
    CU_ASSERT_EQUAL_FATAL(shell_start(f.shell, &f.error), OK);
    shell_stop(f.shell);
    CU_ASSERT_TRUE(inspect().is_started);
    shell_exit(f.shell, EXIT_STOP_TIMEOUT);
    CU_ASSERT_TRUE(shell_wait(f.shell, soon_ms(), &exit_code));
    CU_ASSERT_EQUAL(exit_code, EXIT_STOP_TIMEOUT);
}

static void test_shell__nothing_is_taken_before_the_start(void)
{
    uint32_t count = 0;
    given_attached();
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAVAILABLE);
}

/* The heart of it: a reply never leaves before its records are durable. */
static void fail_journal(enum fault_point point)
{
    uint32_t count = 0;
    int exit_code = -1;
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    uint32_t before = count;
    (void)hold(1000000);
    unsigned answered = f.answered;
    fault_arm(point, 1, FAULT_FOREVER);
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAVAILABLE);
    CU_ASSERT_TRUE(shell_wait(f.shell, soon_ms(), &exit_code));
    fault_disarm_all();
    CU_ASSERT_EQUAL(exit_code, EXIT_JOURNAL_FAILED);
    expect_answered(answered + 1);
    CU_ASSERT_EQUAL(f.last.status, ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAVAILABLE);
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_TRUE(count == before + 1 || count == before + 2); /* the lost one may be there */
}

static void test_shell__failed_journal_says_nothing_more(void)
{
    fail_journal(FAULT_FILE_WRITE);
    fail_journal(FAULT_FILE_SYNC);
}

static void test_shell__record_that_cannot_be_packed_ends_it(void)
{
    uint32_t count = 0;
    int exit_code = -1;
    given_shell();
    CU_ASSERT_EQUAL(submit("bad", &count), ERR_UNAVAILABLE);
    CU_ASSERT_TRUE(shell_wait(f.shell, soon_ms(), &exit_code));
    CU_ASSERT_EQUAL(exit_code, EXIT_JOURNAL_FAILED);
}

/* Asks for a checkpoint and waits for it. */
static enum status ask_checkpoint(const char *user, struct dfs_save_checkpoint_response *ret)
{
    struct dfs_save_checkpoint_request request = {0};
    void *response = NULL;
    enum status status =
        shell_ask(f.shell, METHOD_NAMENODE_SAVE_CHECKPOINT, &request, slice_from_string(user),
                  slice_make(NULL, 0), soon_ms(), f.arena, &response, &f.error);
    if (status == OK && ret != NULL)
        *ret = *(const struct dfs_save_checkpoint_response *)response;
    return status;
}

static void test_shell__checkpoints_are_made_by_size(void)
{
    uint32_t count = 0;
    f.settings.checkpoints.log_bytes = 500;
    given_shell();
    while (shell_counters_get(f.shell).checkpoints < 5) /* each comes beside the requests */
        CU_ASSERT_EQUAL_FATAL(submit("count", &count), OK);
    uint32_t before = count;
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, before + 1);
}

static void test_shell__checkpoints_are_made_by_time(void)
{
    uint32_t count = 0;
    f.settings.checkpoints.interval_ms = 1;
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    int64_t until_ms = soon_ms();
    while (shell_counters_get(f.shell).checkpoints == 0 && clock_monotonic_ms() < until_ms)
        CU_ASSERT_EQUAL_FATAL(shell_pulse(f.shell, until_ms, &f.error), OK);
    CU_ASSERT_TRUE(shell_counters_get(f.shell).checkpoints > 0);
}

static void test_shell__checkpoint_is_made_when_asked_for(void)
{
    uint32_t count = 0;
    struct dfs_save_checkpoint_response made = {0};
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(ask_checkpoint("alice", NULL), ERR_DENIED);
    CU_ASSERT_EQUAL_FATAL(ask_checkpoint("root", &made), OK);
    CU_ASSERT_EQUAL(made.sequence, 2);
    CU_ASSERT_TRUE(made.bytes > 64);
    CU_ASSERT_EQUAL(made.directories, 1);
    CU_ASSERT_EQUAL_FATAL(ask_checkpoint("root", &made), OK);
    CU_ASSERT_EQUAL(made.sequence, 3); /* with the tally that the first one wrote */
    CU_ASSERT_EQUAL(shell_counters_get(f.shell).checkpoint_sequence, 3);
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 3);
}

static void test_shell__checkpoint_of_another_state_is_refused(void)
{
    uint32_t count = 0;
    given_attached();
    f.echo->is_forgetful = true;
    CU_ASSERT_EQUAL_FATAL(shell_start(f.shell, &f.error), OK);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(ask_checkpoint("root", NULL), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "count=1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "count=2"));
    CU_ASSERT_EQUAL(shell_counters_get(f.shell).checkpoints, 0);
    CU_ASSERT_EQUAL(submit("count", &count), OK); /* it goes on */
    shell_close(f.shell);
    f.shell = NULL;
    struct echo *echo = echo_open();
    CU_ASSERT_EQUAL_FATAL(shell_open(&f.settings, &f.shell, &f.error), OK);
    CU_ASSERT_EQUAL(shell_attach(f.shell, echo, &f.error), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "journal.check_tally"));
    echo_door_row.close(echo);
    f.settings.is_tally_ignored = true;
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 3);
}

static void test_shell__failed_checkpoint_is_survived(void)
{
    uint32_t count = 0;
    f.settings.checkpoints.log_bytes = 500;
    given_shell();
    fault_arm(FAULT_FILE_OPEN, 1, FAULT_FOREVER); /* no new segment can be made */
    for (int i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_TRUE(fault_failures(FAULT_FILE_OPEN) > 0 && fault_failures(FAULT_FILE_OPEN) < 20);
    fault_disarm_all();
    CU_ASSERT_EQUAL(shell_counters_get(f.shell).checkpoints, 0);
    CU_ASSERT_TRUE(shell_counters_get(f.shell).checkpoint_failures > 0);
    CU_ASSERT_EQUAL(ask_checkpoint("root", NULL), OK);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 51);
}

static atomic_bool is_disk_full;

static int fill_disk(int descriptor, int mode, off_t offset, off_t length)
{
    if (atomic_load(&is_disk_full)) {
        errno = ENOSPC;
        return -1;
    }
    return os_calls_posix()->fallocate(descriptor, mode, offset, length);
}

static bool needs_room(void *user, enum method method)
{
    (void)user;
    return method == METHOD_RESOURCE_MANAGER_SUBMIT_APP;
}

/* Room ahead cannot be reserved any more: changes are refused, reads answered, until it can. */
static void test_shell__full_disk_makes_it_read_only(void)
{
    static struct os_calls calls;
    uint32_t count = 0;
    uint32_t last = 0;
    enum status status = OK;
    calls = *os_calls_posix();
    calls.fallocate = fill_disk;
    (void)os_calls_set(&calls);
    f.settings.journal_reserve_bytes = 4096;
    f.settings.needs_room = needs_room;
    atomic_store(&is_disk_full, false);
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    atomic_store(&is_disk_full, true);
    for (int i = 0; i < 100 && status == OK; i++)
        status = submit("count", &count);
    last = count;
    CU_ASSERT_EQUAL(status, ERR_NO_SPACE);
    CU_ASSERT_TRUE(shell_counters_get(f.shell).is_read_only);
    CU_ASSERT_EQUAL(submit("count", &count), ERR_NO_SPACE);
    struct rm_get_app_request read = {.after_version = 0};
    void *answer = NULL;
    CU_ASSERT_EQUAL(shell_ask(f.shell, METHOD_RESOURCE_MANAGER_GET_APP, &read,
                              slice_from_string("alice"), slice_make(NULL, 0), soon_ms(), f.arena,
                              &answer, &f.error),
                    OK);
    CU_ASSERT_EQUAL(((const struct rm_get_app_response *)answer)->report.version, last);
    atomic_store(&is_disk_full, false);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, last + 1);
    CU_ASSERT_FALSE(shell_counters_get(f.shell).is_read_only);
    given_shell(); /* nothing was torn */
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, last + 2);
    shell_close(f.shell);
    f.shell = NULL;
    (void)os_calls_set(NULL);
}

/* One of two folders cannot be written: everything goes on in the other. */
static void test_shell__journal_goes_on_in_the_other_folder(void)
{
    uint32_t count = 0;
    const char *const mirrors[] = {path_join(f.arena, f.directory, "mirror")};
    CU_ASSERT_EQUAL_FATAL(directory_make(mirrors[0], 0700, &f.error), OK);
    f.settings.journal_mirrors = mirrors;
    f.settings.journal_mirror_count = 1;
    given_shell();
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(shell_counters_get(f.shell).journal_directories, 2);
    fault_arm(FAULT_FILE_SYNC, 1, 1);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    fault_disarm_all();
    CU_ASSERT_EQUAL(shell_counters_get(f.shell).journal_directories, 1);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(ask_checkpoint("root", NULL), OK);
    given_shell();
    CU_ASSERT_EQUAL(shell_counters_get(f.shell).journal_directories, 2);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 4);
}

static void test_shell__unknown_record_stops_the_attach(void)
{
    struct journal *journal = NULL;
    struct journal_options options = {.reserve_bytes = 0};
    struct journal_record record = {slice_from_string("millrace.future.Thing"),
                                    slice_from_string("x")};
    CU_ASSERT_EQUAL_FATAL(
        journal_open(f.directory, "echo", &options, NULL, NULL, NULL, &journal, &f.error), OK);
    CU_ASSERT_EQUAL(journal_append(journal, &record, 1, &f.error), OK);
    CU_ASSERT_EQUAL(journal_sync(journal, &f.error), OK);
    journal_close(journal);
    struct echo *echo = echo_open();
    CU_ASSERT_EQUAL_FATAL(shell_open(&f.settings, &f.shell, &f.error), OK);
    CU_ASSERT_EQUAL(shell_attach(f.shell, echo, &f.error), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "millrace.future.Thing"));
    echo_door_row.close(echo);
}

static void test_shell__full_mailbox_refuses(void)
{
    f.settings.mailbox_capacity = 1;
    given_shell();
    unsigned accepted = 0;
    unsigned refused = 0;
    uint32_t count = 0;
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    struct rm_get_app_request request = {.after_version = 0};
    for (int i = 0; i < 20000 && refused == 0; i++) {
        enum status status =
            shell_request(f.shell, METHOD_RESOURCE_MANAGER_GET_APP, &request,
                          slice_from_string("x"), slice_make(NULL, 0), take_answer, NULL, NULL);
        if (status == OK)
            accepted++;
        else
            refused++;
        CU_ASSERT_TRUE(status == OK || status == ERR_BUSY);
    }
    CU_ASSERT_TRUE(refused > 0);
    expect_answered(accepted);
}

enum {
    THREADS = 8,
    COUNTS = 200
};

static atomic_uint failures;

static void count_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < COUNTS; i++) {
        struct rm_submit_app_request request = {.name = slice_from_string("count")};
        struct arena *arena = arena_open(0);
        void *message = NULL;
        if (shell_ask(f.shell, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request, slice_from_string("x"),
                      slice_make(NULL, 0), soon_ms(), arena, &message, NULL) != OK)
            atomic_fetch_add(&failures, 1);
        arena_close(arena);
    }
}

static void test_shell__many_askers_share_syncs(void)
{
    struct thread *threads[THREADS];
    atomic_store(&failures, 0);
    given_shell();
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(thread_open("asker", count_many, NULL, &threads[i], NULL), OK);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    CU_ASSERT_EQUAL(atomic_load(&failures), 0);
    CU_ASSERT_EQUAL(inspect().count, THREADS * COUNTS);
    struct shell_counters counters = shell_counters_get(f.shell);
    CU_ASSERT_EQUAL(counters.journal_batches, THREADS * COUNTS);
    CU_ASSERT_TRUE(counters.journal_syncs <= counters.journal_batches);
    given_shell();
    CU_ASSERT_EQUAL(inspect().count, THREADS * COUNTS);
}

static atomic_uint jobs_done;
static struct workers *pool;

static void finish_job(void *argument)
{
    if (argument != NULL) /* a job may post another, also while the pool is closing */
        workers_post(pool, finish_job, NULL);
    atomic_fetch_add(&jobs_done, 1);
}

static void test_workers__every_job_runs_before_close_returns(void)
{
    atomic_store(&jobs_done, 0);
    CU_ASSERT_EQUAL_FATAL(workers_open("pool", 3, &pool, &f.error), OK);
    for (int i = 0; i < 100; i++)
        workers_post(pool, finish_job, &f);
    workers_close(pool);
    CU_ASSERT_EQUAL(atomic_load(&jobs_done), 200);
    fault_arm(FAULT_SPAWN, 2, 1);
    CU_ASSERT_EQUAL(workers_open("pool", 3, &pool, &f.error), ERR_NO_MEMORY);
}

/* In a child process, on the folder of the test itself. */
static void break_machine(void)
{
    given_attached();
    f.echo->is_broken = true;
    if (shell_start(f.shell, &f.error) != OK)
        return;
    int exit_code = 0;
    (void)shell_wait(f.shell, soon_ms(), &exit_code);
}

static void test_shell__checks_the_machine_after_every_step(void)
{
    CU_ASSERT_TRUE(unit_aborts(break_machine));
}

static const struct unit_test tests[] = {
    {"test_shell__answers_and_remembers",                        "Requests are answered, and remembered over a restart.",
     test_shell__answers_and_remembers                                                                                                                                            },
    {"test_shell__held_request_is_answered_later",               "A held request is answered later.",
     test_shell__held_request_is_answered_later                                                                                                                                   },
    {"test_shell__cancelled_request_is_answered_once",           "A cancelled request is answered once.",
     test_shell__cancelled_request_is_answered_once                                                                                                                               },
    {"test_shell__ask_gives_up_at_its_deadline",                 "A question is given up at its deadline.",
     test_shell__ask_gives_up_at_its_deadline                                                                                                                                     },
    {"test_shell__pulse_tells_a_core_that_hangs",                "A pulse tells a core that hangs.",
     test_shell__pulse_tells_a_core_that_hangs                                                                                                                                    },
    {"test_shell__effects_and_calls_come_back",                  "Effects and calls come back once.",
     test_shell__effects_and_calls_come_back                                                                                                                                      },
    {"test_shell__local_data_is_released_after_the_step",
     "What is posted is released, also after the end.",                                                                   test_shell__local_data_is_released_after_the_step       },
    {"test_shell__tick_comes_at_the_deadline",                   "A tick comes at the machine's deadline.",
     test_shell__tick_comes_at_the_deadline                                                                                                                                       },
    {"test_shell__stop_ends_with_the_machines_exit_code",
     "A stop ends with the machine's exit code, and open requests are answered.",                                         test_shell__stop_ends_with_the_machines_exit_code       },
    {"test_shell__asked_exit_ends_a_machine_that_does_not_stop",
     "A machine that does not stop is ended.",                                                                            test_shell__asked_exit_ends_a_machine_that_does_not_stop},
    {"test_shell__nothing_is_taken_before_the_start",            "Nothing is taken before the start.",
     test_shell__nothing_is_taken_before_the_start                                                                                                                                },
    {"test_shell__failed_journal_says_nothing_more",
     "When the journal fails nothing of that round is said, and the shell ends.",                                         test_shell__failed_journal_says_nothing_more            },
    {"test_shell__record_that_cannot_be_packed_ends_it",
     "A record that cannot be packed ends the shell before it speaks.",                                                   test_shell__record_that_cannot_be_packed_ends_it        },
    {"test_shell__checkpoints_are_made_by_size",                 "Checkpoints are made when the log has grown.",
     test_shell__checkpoints_are_made_by_size                                                                                                                                     },
    {"test_shell__checkpoints_are_made_by_time",                 "Checkpoints are made after a while.",
     test_shell__checkpoints_are_made_by_time                                                                                                                                     },
    {"test_shell__checkpoint_is_made_when_asked_for",
     "A checkpoint is made when a superuser asks for it.",                                                                test_shell__checkpoint_is_made_when_asked_for           },
    {"test_shell__checkpoint_of_another_state_is_refused",
     "A checkpoint that is not the live state is refused.",                                                               test_shell__checkpoint_of_another_state_is_refused      },
    {"test_shell__full_disk_makes_it_read_only",
     "A full disk makes it read-only until there is room.",                                                               test_shell__full_disk_makes_it_read_only                },
    {"test_shell__journal_goes_on_in_the_other_folder",          "The journal goes on in the other folder.",
     test_shell__journal_goes_on_in_the_other_folder                                                                                                                              },
    {"test_shell__failed_checkpoint_is_survived",                "A checkpoint that fails is tried again later.",
     test_shell__failed_checkpoint_is_survived                                                                                                                                    },
    {"test_shell__unknown_record_stops_the_attach",              "A record of unknown type stops the start.",
     test_shell__unknown_record_stops_the_attach                                                                                                                                  },
    {"test_shell__full_mailbox_refuses",                         "A full mailbox refuses requests.",
     test_shell__full_mailbox_refuses                                                                                                                                             },
    {"test_shell__many_askers_share_syncs",                      "Many askers are all answered and share syncs.",
     test_shell__many_askers_share_syncs                                                                                                                                          },
    {"test_workers__every_job_runs_before_close_returns",
     "Every job runs before the pool is closed.",                                                                         test_workers__every_job_runs_before_close_returns       },
    {"test_shell__checks_the_machine_after_every_step",          "Invariants are checked after every step.",
     test_shell__checks_the_machine_after_every_step                                                                                                                              },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "daemon/shell", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
