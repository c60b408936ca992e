/*
 * shell_item.h - private to lib/daemon: what lies in a shell's mailbox, and the shell itself.
 */
#ifndef MILLRACE_LIB_DAEMON_SHELL_ITEM_H
#define MILLRACE_LIB_DAEMON_SHELL_ITEM_H

#include <stdatomic.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/daemon/groups.h"
#include "lib/daemon/shell.h"
#include "lib/journal/journal.h"
#include "lib/os/mailbox.h"
#include "lib/os/thread.h"

enum shell_item_kind {
    SHELL_EVENT,      /* step with event */
    SHELL_CANCEL,     /* step with EVENT_REQUEST_CANCELLED if the call is still open */
    SHELL_INSPECT,    /* run inspect */
    SHELL_PULSE,      /* answer after the round */
    SHELL_CHECKPOINT, /* the checkpoint's thread is done */
    SHELL_EXIT        /* end with exit_code */
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

/* A request for a checkpoint, held until there is one. */
struct shell_checkpoint_asker {
    uint64_t call;
    bool is_next; /* came after the one being made had begun */
};

struct shell_checkpoint;

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
    struct shell_checkpoint *checkpoint;   /* being made; NULL: none */
    struct shell_checkpoint_asker *askers; /* for one that is being made, or the next */
    size_t asker_count;
    size_t asker_capacity;
    uint64_t checkpoint_above_bytes; /* after a failure: only when the log has grown */
    int64_t checkpoint_due_ms;       /* made then if anything was written */
    uint64_t unsaved_batches;        /* of the machine, since the last checkpoint began */
    bool is_read_only;
    bool must_exit;
    int asked_exit_code;

    /* shell_counters_get reads them from other threads. */
    atomic_uint_fast64_t events;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t rounds;
    atomic_uint_fast64_t journal_batches;
    atomic_uint_fast64_t journal_syncs;
    atomic_uint_fast64_t journal_bytes;
    atomic_uint_fast64_t checkpoints;
    atomic_uint_fast64_t checkpoint_failures;
    atomic_uint_fast64_t checkpoint_sequence;
    atomic_uint_fast64_t checkpoint_bytes;
    atomic_uint_fast64_t checkpoint_ms;
    atomic_uint_fast64_t journal_directories;
    atomic_bool shows_read_only;
    atomic_uint_fast64_t requests_open;
    atomic_uint_fast64_t step_us_max;
};

/* Frees an item with all it owns; answers and inspections must have been dealt with. */
void shell_item_close(struct shell_item *item);
/* The core thread's function. */
void shell_run(void *shell);

/* Answers a request that was taken in. */
void shell_answer_call(struct shell *shell, uint64_t number, const struct shell_answer *answer);
/* Takes in a request that the shell itself will answer. */
void shell_open_request(struct shell *shell, const struct shell_item *item);

/* --- shell_journal.c --- */
/* Feeds records to a machine. */
struct shell_replay {
    const struct shell *shell;
    void *machine;
    struct actions actions;
    struct arena *arena;
    struct buf tally;
    const struct message_type *last_type; /* most records are of the type of the one before */
    atomic_bool *is_cancelled;            /* NULL: cannot be */
};

void shell_replay_open(struct shell_replay *replay, const struct shell *shell, void *machine);
/* A journal_replay; user is a struct shell_replay. */
enum status shell_replay_record(void *user,
                                const struct journal_record *record,
                                struct error *reterr_error);
void shell_replay_close(struct shell_replay *replay);
/*
 * Packs the journal records among actions [from, to) into packed, which is cleared; *ret_records
 * are from arena.
 */
MUST_USE enum status shell_pack_records(const struct actions *actions,
                                        size_t from,
                                        size_t to,
                                        struct buf *packed,
                                        struct arena *arena,
                                        struct journal_record **ret_records,
                                        size_t *ret_count,
                                        struct error *reterr_error);
/* Looks whether the journal's disk has room, before requests are taken in. */
void shell_journal_look_at_room(struct shell *shell);
MUST_USE enum status shell_journal_open(struct shell *shell, struct error *reterr_error);
/* Appends the records of each step as one batch and syncs once. */
MUST_USE enum status shell_journal_round(struct shell *shell, struct error *reterr_error);

/* --- shell_checkpoint.c --- */
/* True when the shell answers this request: it is one for a checkpoint. Takes it in. */
bool shell_checkpoint_take(struct shell *shell, const struct shell_item *item);
/* True when the shell holds this request: the machine has not seen it. */
bool shell_checkpoint_holds(const struct shell *shell, uint64_t call);
/* Begins a checkpoint when it is time; fails only when the journal has failed. */
MUST_USE enum status shell_checkpoint_review(struct shell *shell, struct error *reterr_error);
/* When to review although nothing happens; INT64_MAX: never. */
int64_t shell_checkpoint_deadline_ms(const struct shell *shell);
/* The thread is done: takes over what it made, answers who asked. */
void shell_checkpoint_end(struct shell *shell);
/* Gives up the one being made, and waits for its thread. */
void shell_checkpoint_cancel(struct shell *shell);

#endif
