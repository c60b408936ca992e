/*
 * crash.c - the handlers use what is async-signal-safe only: write, _exit, sigaction, raise.
 */
#include "lib/os/crash.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/check.h"

enum {
    CRASH_STACK_BYTES = 64 << 10,
    CRASH_LINE_BYTES = 2 * CRASH_TEXT_BYTES + 200
};

/* This thread's, and one for exit(), which may be called from a thread of the foreign code's own.
 */
static _Thread_local struct crash_scene *crash_scene;
static _Atomic(struct crash_scene *) crash_scene_any;
static _Thread_local char crash_stack[CRASH_STACK_BYTES] __attribute__((aligned(16)));

struct signal_row {
    int number;
    const char *name;
};

static const struct signal_row crash_signals[] = {
    {SIGSEGV, "SIGSEGV"},
    {SIGBUS,  "SIGBUS" },
    {SIGFPE,  "SIGFPE" },
    {SIGILL,  "SIGILL" },
    {SIGABRT, "SIGABRT"},
    {SIGSYS,  "SIGSYS" },
};

struct line {
    char text[CRASH_LINE_BYTES];
    size_t length;
};

static void put(struct line *line, const char *text)
{
    while (*text != '\0' && line->length < sizeof(line->text))
        line->text[line->length++] = *text++;
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[21];
    char *at = digits + sizeof(digits) - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(line, at);
}

static void put_scene(struct line *line, const struct crash_scene *scene)
{
    put(line, scene->before);
    if (scene->behind[0] == '\0')
        return;
    put(line, " at byte ");
    put_number(line, scene->position);
    put(line, " of ");
    put(line, scene->behind);
}

static void send(const struct line *line)
{
    size_t sent = 0;
    while (sent < line->length) {
        ssize_t bytes = write(STDERR_FILENO, line->text + sent, line->length - sent);
        if (bytes <= 0)
            return; /* nobody to tell; the exit status still says it */
        sent += (size_t)bytes;
    }
}

static void on_signal(int number)
{
    const struct crash_scene *scene = crash_scene;
    struct sigaction action;

    if (scene != NULL) {
        struct line line;
        const char *name = "?";
        line.length = 0;
        for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++) {
            if (crash_signals[i].number == number)
                name = crash_signals[i].name;
        }
        put_scene(&line, scene);
        put(&line, " crashed: signal ");
        put_number(&line, (uint64_t)number);
        put(&line, " (");
        put(&line, name);
        put(&line, ")\n");
        send(&line);
    }
    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    (void)sigaction(number, &action, NULL); /* cannot fail for these */
    (void)raise(number);                    /* blocked until we return, then it ends us */
}

/* Runs inside exit(): whoever called it while a scene is on did not finish its work. */
static void on_exit_called(void)
{
    const struct crash_scene *scene =
        crash_scene != NULL ? crash_scene : atomic_load(&crash_scene_any);
    struct line line;

    if (scene == NULL)
        return;
    line.length = 0;
    put_scene(&line, scene);
    put(&line, " called exit()\n");
    send(&line);
    _exit(CRASH_EXIT_CODE);
}

enum status crash_guard_open(struct error *reterr_error)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++) {
        if (sigaction(crash_signals[i].number, &action, NULL) != 0)
            return error_set_errno(reterr_error, errno, "handle %s", crash_signals[i].name);
    }
    if (atexit(on_exit_called) != 0)
        return error_set(reterr_error, ERR_NO_MEMORY, "watch for exit()");
    return OK;
}

/* Threads of lib/os/thread.h block every signal; a blocked one would end us without our line. */
static void unblock_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++)
        (void)sigaddset(&set, crash_signals[i].number);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
}

/* A handler needs room when the stack is full. A stack that is there (a sanitizer's) serves, too.
 */
static void give_stack(void)
{
    stack_t stack;
    memset(&stack, 0, sizeof(stack));
    if (sigaltstack(NULL, &stack) != 0 || (stack.ss_flags & SS_DISABLE) == 0)
        return;
    stack.ss_flags = 0;
    stack.ss_sp = crash_stack;
    stack.ss_size = sizeof(crash_stack);
    CHECK(sigaltstack(&stack, NULL) == 0);
}

void crash_guard_enter(struct crash_scene *scene)
{
    CHECK(crash_scene == NULL);
    unblock_signals();
    give_stack();
    crash_scene = scene;
    atomic_store(&crash_scene_any, scene);
}

void crash_guard_leave(void)
{
    struct crash_scene *mine = crash_scene;
    /* Another thread's stays: with several at work, exit() names one of them. */
    (void)atomic_compare_exchange_strong(&crash_scene_any, &mine, NULL);
    crash_scene = NULL;
}
