/*
 * test_mailbox.c - the mailbox and the threads that fill it; signals as calls.
 */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/base/fault.h"
#include "lib/os/clock.h"
#include "lib/os/mailbox.h"
#include "lib/os/signals.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"

enum {
    POSTERS = 4,
    ITEMS = 20000 /* of each poster */
};

struct fixture {
    struct mailbox *mailbox;
    int items[POSTERS][ITEMS];
    atomic_int next_poster;
};

static struct fixture f;

static void setup(void)
{
    f.mailbox = mailbox_open(4);
    atomic_store(&f.next_poster, 0);
}

static void teardown(void)
{
    fault_disarm_all();
    mailbox_close(f.mailbox);
}

static void test_mailbox__items_leave_in_order(void)
{
    int values[3];
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(mailbox_post(f.mailbox, &values[i]), OK);
    void *taken[8];
    CU_ASSERT_EQUAL(mailbox_take(f.mailbox, taken, 2, INT64_MAX), 2);
    CU_ASSERT_PTR_EQUAL(taken[0], &values[0]);
    CU_ASSERT_PTR_EQUAL(taken[1], &values[1]);
    CU_ASSERT_EQUAL(mailbox_take(f.mailbox, taken, 8, INT64_MAX), 1);
    CU_ASSERT_PTR_EQUAL(taken[0], &values[2]);
}

static void test_mailbox__full_box_refuses_all_but_what_is_owed(void)
{
    int value;
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(mailbox_post(f.mailbox, &value), OK);
    CU_ASSERT_EQUAL(mailbox_post(f.mailbox, &value), ERR_BUSY);
    for (int i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(mailbox_post_owed(f.mailbox, &value), OK);
    CU_ASSERT_EQUAL(mailbox_count(f.mailbox), 204);
}

static void test_mailbox__wait_ends_at_the_deadline_or_when_woken(void)
{
    void *taken[1];
    int64_t deadline_ms = clock_monotonic_ms() + 3;
    CU_ASSERT_EQUAL(mailbox_take(f.mailbox, taken, 1, deadline_ms), 0);
    CU_ASSERT_TRUE(clock_monotonic_ms() >= deadline_ms);
    mailbox_wake(f.mailbox);
    CU_ASSERT_EQUAL(mailbox_take(f.mailbox, taken, 1, INT64_MAX), 0);
}

static void test_mailbox__shut_box_gives_what_it_has(void)
{
    int value;
    void *taken[1];
    CU_ASSERT_EQUAL(mailbox_post(f.mailbox, &value), OK);
    mailbox_shut(f.mailbox);
    CU_ASSERT_TRUE(mailbox_is_shut(f.mailbox));
    CU_ASSERT_EQUAL(mailbox_post(f.mailbox, &value), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(mailbox_post_owed(f.mailbox, &value), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(mailbox_take(f.mailbox, taken, 1, INT64_MAX), 1);
    CU_ASSERT_EQUAL(mailbox_take(f.mailbox, taken, 1, INT64_MAX), 0);
}

static void post_all(void *argument)
{
    (void)argument;
    int poster = atomic_fetch_add(&f.next_poster, 1);
    for (int i = 0; i < ITEMS; i++) {
        f.items[poster][i] = i;
        if (mailbox_post_owed(f.mailbox, &f.items[poster][i]) != OK)
            return;
    }
}

static void test_mailbox__many_post_and_one_takes(void)
{
    struct thread *threads[POSTERS];
    for (int i = 0; i < POSTERS; i++)
        CU_ASSERT_EQUAL_FATAL(thread_open("poster", post_all, NULL, &threads[i], NULL), OK);
    int next[POSTERS] = {0};
    int total = 0;
    while (total < POSTERS * ITEMS) {
        void *taken[100];
        size_t count = mailbox_take(f.mailbox, taken, 100, clock_monotonic_ms() + 20000);
        CU_ASSERT_TRUE_FATAL(count > 0);
        for (size_t i = 0; i < count; i++) {
            int *item = taken[i];
            int poster = (int)((item - &f.items[0][0]) / ITEMS);
            CU_ASSERT_EQUAL_FATAL(*item, next[poster]);
            next[poster]++;
            total++;
        }
    }
    for (int i = 0; i < POSTERS; i++)
        thread_join(threads[i]);
    CU_ASSERT_EQUAL(mailbox_count(f.mailbox), 0);
}

static void test_thread__failed_start_is_told(void)
{
    struct thread *thread = NULL;
    fault_arm(FAULT_SPAWN, 1, 1);
    CU_ASSERT_EQUAL(thread_open("none", post_all, NULL, &thread, NULL), ERR_NO_MEMORY);
    thread_join(NULL);
}

static void take_signal(void *user, enum signal_kind kind)
{
    static int values[3];
    struct mailbox *mailbox = user;
    values[kind] = (int)kind;
    if (mailbox_post_owed(mailbox, &values[kind]) != OK)
        mailbox_wake(mailbox);
}

static void test_signals__become_calls(void)
{
    struct signal_watcher *watcher = NULL;
    signals_block();
    CU_ASSERT_EQUAL_FATAL(signal_watcher_open(take_signal, f.mailbox, &watcher, NULL), OK);
    const int sent[] = {SIGTERM, SIGHUP, SIGUSR1, SIGINT};
    const int expected[] = {SIGNAL_STOP, SIGNAL_RELOAD, SIGNAL_REPORT, SIGNAL_STOP};
    for (int i = 0; i < 4; i++) {
        void *taken[1] = {NULL};
        CU_ASSERT_EQUAL(kill(getpid(), sent[i]), 0);
        CU_ASSERT_EQUAL_FATAL(mailbox_take(f.mailbox, taken, 1, clock_monotonic_ms() + 10000), 1);
        CU_ASSERT_EQUAL(*(int *)taken[0], expected[i]);
    }
    signal_watcher_close(watcher);
}

static const struct unit_test tests[] = {
    {"test_mailbox__items_leave_in_order",                    "Items leave in the order in which they came.",
     test_mailbox__items_leave_in_order                                                                                                                                },
    {"test_mailbox__full_box_refuses_all_but_what_is_owed",
     "A full mailbox refuses everything but what is owed.",                                                       test_mailbox__full_box_refuses_all_but_what_is_owed  },
    {"test_mailbox__wait_ends_at_the_deadline_or_when_woken",
     "Waiting ends at the deadline, or at once when woken before.",                                               test_mailbox__wait_ends_at_the_deadline_or_when_woken},
    {"test_mailbox__shut_box_gives_what_it_has",              "A shut mailbox takes nothing and gives the rest.",
     test_mailbox__shut_box_gives_what_it_has                                                                                                                          },
    {"test_mailbox__many_post_and_one_takes",
     "Of what many threads post nothing is lost, repeated or out of order.",                                      test_mailbox__many_post_and_one_takes                },
    {"test_thread__failed_start_is_told",                     "A thread that cannot start is an error.",
     test_thread__failed_start_is_told                                                                                                                                 },
    {"test_signals__become_calls",                            "Signals to the process become calls.",
     test_signals__become_calls                                                                                                                                        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/mailbox", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
