/*
 * shell_item.h - private to lib/daemon: what lies in a shell's mailbox, and the shell itself.
 */
#ifndef MILLRACE_LIB_DAEMON_SHELL_ITEM_H
#define MILLRACE_LIB_DAEMON_SHELL_ITEM_H

#include <stdatomic.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/daemon/groups.h"
#include "lib/daemon/shell.h"
#include "lib/journal/journal.h"
#include "lib/os/mailbox.h"
#include "lib/os/thread.h"

enum shell_item_kind {
    SHELL_EVENT,   /* step with event */
    SHELL_CANCEL,  /* step with EVENT_REQUEST_CANCELLED if the call is still open */
    SHELL_INSPECT, /* run inspect */
    SHELL_PULSE,   /* answer after the round */
    SHELL_EXIT     /* end with exit_code */
};

/* A function to run on the core thread, and where its caller waits. */
struct shell_inspection {
    void (*function)(void *user, const void *machine);
    void *user;
    struct mutex *mutex;
    struct condition *changed;
    bool is_over;
    bool was_run;
};

struct shell_item {
    enum shell_item_kind kind;
    struct event event; /* points into arena, or to what a borrowing caller keeps */
    struct arena *arena;
    struct group_list *groups;     /* of event.user */
    shell_answer_function *answer; /* EVENT_REQUEST */
    void *answer_user;
    void *data; /* of effects: released with release after the step */
    shell_release *release;
    struct shell_inspection *inspection;
    int exit_code;
};

/* A request the machine has not answered yet. */
struct shell_open_call {
    shell_answer_function *answer;
    void *user;
};

/* Where the actions of one step are in the round's list. */
struct shell_step {
    size_t from;
    size_t to;
};

struct shell {
    struct shell_settings settings;
    struct mailbox *mailbox;
    struct mutex *mutex; /* guards is_started, is_over, exit_code */
    struct condition *changed;
    bool is_started;
    bool is_over;
    int exit_code;
    struct thread *thread;
    atomic_uint_fast64_t last_call;

    /* From here on the core thread's own (shell_attach's, before it starts). */
    void *machine;
    struct journal *journal;
    struct map_u64 *open_calls;
    struct actions actions; /* of the round */
    struct shell_step *steps;
    size_t step_count;
    size_t step_capacity;
    struct buf *packed; /* the journal records of one step, as bytes */
    struct trace trace;
    uint64_t
        compact_above_bytes; /* a failed compaction is tried again only when the log has grown */
    bool must_exit;
    int asked_exit_code;

    /* shell_counters_get reads them from other threads. */
    atomic_uint_fast64_t events;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t rounds;
    atomic_uint_fast64_t journal_batches;
    atomic_uint_fast64_t journal_syncs;
    atomic_uint_fast64_t journal_bytes;
    atomic_uint_fast64_t compactions;
    atomic_uint_fast64_t requests_open;
    atomic_uint_fast64_t step_us_max;
};

/* Frees an item with all it owns; answers and inspections must have been dealt with. */
void shell_item_close(struct shell_item *item);
/* The core thread's function. */
void shell_run(void *shell);

/* --- shell_journal.c --- */
MUST_USE enum status shell_journal_open(struct shell *shell, struct error *reterr_error);
/* Appends the records of each step as one batch and syncs once. */
MUST_USE enum status shell_journal_round(struct shell *shell, struct error *reterr_error);
/* Compacts when the log has outgrown its limit; fails only when the journal has failed. */
MUST_USE enum status shell_journal_compact(struct shell *shell, struct error *reterr_error);

#endif
