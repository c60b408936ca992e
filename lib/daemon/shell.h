/*
 * shell.h - what drives a machine: one mailbox, one core thread, one journal.
 *
 * The core thread takes what has come (or finds the deadline reached), steps the machine once per
 * event, appends each step's journal records as one batch, syncs once for the whole round, and then
 * performs the other actions in order. So nothing is said before it is durable, and many requests
 * share one sync. When the journal fails, the shell performs nothing of that round, answers every
 * open request with ERR_UNAVAILABLE and ends with EXIT_JOURNAL_FAILED.
 *
 * Life: shell_open, shell_attach (replays the journal), shell_start, ... shell_stop, shell_wait,
 * shell_close. Rules of the door: lib/model/machine.h.
 */
#ifndef MILLRACE_LIB_DAEMON_SHELL_H
#define MILLRACE_LIB_DAEMON_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/model/machine.h"

struct log;
struct shell;

/*
 * A machine's door on void *; MACHINE_DOOR below writes it. open is not part of it, because each
 * machine's settings have their own type: the daemon opens its machine and hands it over.
 */
struct machine_door {
    const char *name;
    void (*step)(void *machine, const struct event *event, struct actions *ret_actions);
    int64_t (*deadline_ms)(const void *machine);
    void (*check)(const void *machine);
    void (*snapshot)(const void *machine, struct actions *ret_actions); /* NULL: has no journal */
    /*
     * Appends one line that sums up all that the journal's records determine, so that a machine
     * which replayed them must say the same; quick. NULL, or nothing appended: nothing is compared,
     * this time.
     */
    void (*tally)(const void *machine, struct buf *text);
    void (*close)(void *machine);
};

/*
 * Defines "static const struct machine_door <prefix>_door" over <prefix>_step, _deadline_ms, _check
 * and _close of struct <prefix>. MACHINE_DOOR_JOURNALED also takes <prefix>_snapshot and _tally.
 */
#define MACHINE_DOOR_WRAPPERS(prefix)                                                              \
 static void prefix##_door_step(void *machine, const struct event *event,                          \
                                struct actions *ret_actions)                                       \
 {                                                                                                 \
  prefix##_step(machine, event, ret_actions);                                                      \
 }                                                                                                 \
 static int64_t prefix##_door_deadline_ms(const void *machine)                                     \
 {                                                                                                 \
  return prefix##_deadline_ms(machine);                                                            \
 }                                                                                                 \
 static void prefix##_door_check(const void *machine)                                              \
 {                                                                                                 \
  prefix##_check(machine);                                                                         \
 }                                                                                                 \
 static void prefix##_door_close(void *machine)                                                    \
 {                                                                                                 \
  prefix##_close(machine);                                                                         \
 }
#define MACHINE_DOOR(prefix)                                                                       \
 MACHINE_DOOR_WRAPPERS(prefix)                                                                     \
 static const struct machine_door prefix##_door = {                                                \
     .name = #prefix,                                                                              \
     .step = prefix##_door_step,                                                                   \
     .deadline_ms = prefix##_door_deadline_ms,                                                     \
     .check = prefix##_door_check,                                                                 \
     .snapshot = NULL,                                                                             \
     .close = prefix##_door_close,                                                                 \
 }
#define MACHINE_DOOR_JOURNALED(prefix)                                                             \
 MACHINE_DOOR_WRAPPERS(prefix)                                                                     \
 static void prefix##_door_snapshot(const void *machine, struct actions *ret_actions)              \
 {                                                                                                 \
  prefix##_snapshot(machine, ret_actions);                                                         \
 }                                                                                                 \
 static void prefix##_door_tally(const void *machine, struct buf *text)                            \
 {                                                                                                 \
  prefix##_tally(machine, text);                                                                   \
 }                                                                                                 \
 static const struct machine_door prefix##_door = {                                                \
     .name = #prefix,                                                                              \
     .step = prefix##_door_step,                                                                   \
     .deadline_ms = prefix##_door_deadline_ms,                                                     \
     .check = prefix##_door_check,                                                                 \
     .snapshot = prefix##_door_snapshot,                                                           \
     .tally = prefix##_door_tally,                                                                 \
     .close = prefix##_door_close,                                                                 \
 }

/* The answer to a request, or to a call. */
struct shell_answer {
    enum status status;
    struct slice text;               /* why, when status is not OK */
    const struct message_type *type; /* of message */
    const void *message;             /* NULL unless OK; borrowed until the callback returns */
};

typedef void shell_answer_function(void *user, const struct shell_answer *answer);

/* What the shell needs from around it. */
struct shell_host {
    void *user;
    /*
     * Performs ACTION_EFFECT: called on the core thread, must not block. data is borrowed until it
     * returns. Answer with shell_effect_done, from any thread, at once or later.
     */
    void (*effect)(void *user, struct shell *shell, uint64_t tag, int effect, const void *data);
    /*
     * Performs ACTION_CALL: must not block. message is borrowed until it returns. Answer with
     * exactly one shell_response, from any thread, within about timeout_ms; cancel makes it come
     * soon. lib/daemon/caller.h does both over gRPC.
     */
    void (*call)(void *user,
                 struct shell *shell,
                 uint64_t tag,
                 struct slice address,
                 enum method method,
                 const void *message,
                 int64_t timeout_ms);
    void (*cancel)(void *user, struct shell *shell, uint64_t tag);
};

struct groups;

/* When and how checkpoints are made (docs/checkpoint.md). */
struct shell_checkpoints {
    uint64_t log_bytes;  /* one is made when the log has grown by more, 0: not for that */
    int64_t interval_ms; /* ... or when so long ago and something was written since, 0: not */
    /* Makes a second, fresh machine; user is the host's. NULL: no checkpoints are made. */
    enum status (*open_twin)(void *user, void **ret_machine, struct error *reterr_error);
    bool has_method; /* method, a request, is answered by the shell with a checkpoint */
    enum method method;
    bool (*may_ask)(void *user, const void *machine, const struct event *event);
};

struct shell_settings {
    const struct machine_door *door;
    struct shell_host host;
    struct log *log;                /* NULL: silent */
    struct groups *groups;          /* finds event.groups, borrowed; NULL: there are none */
    const char *journal_directory;  /* NULL: no journal */
    const char *journal_name;       /* "rm" */
    uint64_t journal_reserve_bytes; /* see journal.h */
    const char *const *journal_mirrors;
    size_t journal_mirror_count;
    bool is_tally_ignored; /* a machine that is not what its journal says is started all the same */
    struct shell_checkpoints checkpoints;
    /* True for requests that make the journal longer: refused while its disk is full. NULL: none */
    bool (*needs_room)(void *user, enum method method);
    size_t mailbox_capacity; /* requests waiting before callers hear ERR_BUSY; 0: 65536 */
    bool check_every_step;   /* door->check after each step; MILLRACE_CHECK=1 does it, too */
    bool trace;              /* log the core's trace events at DEBUG */
};

/* settings are copied, the strings borrowed for the shell's life. Nothing runs yet. */
MUST_USE enum status shell_open(const struct shell_settings *settings,
                                struct shell **ret_shell,
                                struct error *reterr_error);
/*
 * Takes the machine (the shell closes it) and replays the journal into it: one EVENT_REPLAY per
 * record. On failure the machine stays the caller's. Fails as journal_open does; ERR_CORRUPT for a
 * record of unknown type.
 */
MUST_USE enum status shell_attach(struct shell *shell, void *machine, struct error *reterr_error);
/* Starts the core thread, whose first event is EVENT_START. */
MUST_USE enum status shell_start(struct shell *shell, struct error *reterr_error);
/* True once shell_start has succeeded. */
bool shell_is_started(struct shell *shell);
/* Posts EVENT_STOP; the machine answers with ACTION_EXIT when it is done. Any thread. */
void shell_stop(struct shell *shell);
/* Posts the end: the core thread stops as if ACTION_EXIT with exit_code had come. Any thread. */
void shell_exit(struct shell *shell, int exit_code);
/*
 * Waits until the core thread has ended, or deadline_ms (monotonic) has come: false. ret_exit_code:
 * of ACTION_EXIT, or EXIT_JOURNAL_FAILED.
 */
bool shell_wait(struct shell *shell, int64_t deadline_ms, int *ret_exit_code);
/*
 * Ends the core thread if it still runs, answers open requests with ERR_UNAVAILABLE, closes journal
 * and machine. Everybody who may post must have been stopped before. NULL is fine.
 */
void shell_close(struct shell *shell);

/*
 * Posts EVENT_REQUEST. message (of the method's request type), user and peer are copied. answer is
 * called exactly once, on the core thread, unless this call fails: it must not block. Before
 * shell_start and after the end: ERR_UNAVAILABLE; ERR_BUSY when the mailbox is full. ret_call
 * (may be NULL) is for shell_request_cancel.
 */
MUST_USE enum status shell_request(struct shell *shell,
                                   enum method method,
                                   const void *message,
                                   struct slice user,
                                   struct slice peer,
                                   shell_answer_function *answer,
                                   void *answer_user,
                                   uint64_t *ret_call);
/* A number for shell_request_borrow, never 0, never the same again. Any thread. */
uint64_t shell_next_call(struct shell *shell);
/*
 * The same without copies, for a server that must know the call's number before its answer can
 * come: message, user and peer are borrowed until answer is called.
 */
MUST_USE enum status shell_request_borrow(struct shell *shell,
                                          uint64_t call,
                                          enum method method,
                                          const void *message,
                                          struct slice user,
                                          struct slice peer,
                                          shell_answer_function *answer,
                                          void *answer_user);
/*
 * The caller has gone: posts EVENT_REQUEST_CANCELLED. The answer function is still called once,
 * later. Does nothing when it was called already.
 */
void shell_request_cancel(struct shell *shell, uint64_t call);
/*
 * The same as shell_request, waiting for the answer until deadline_ms: for HTTP handlers. On OK,
 * *ret_message is a copy from arena. ERR_DEADLINE cancels the request. Not on the core thread.
 */
MUST_USE enum status shell_ask(struct shell *shell,
                               enum method method,
                               const void *message,
                               struct slice user,
                               struct slice peer,
                               int64_t deadline_ms,
                               struct arena *arena,
                               void **ret_message,
                               struct error *reterr_error);

typedef void shell_release(void *data);

/*
 * Posts EVENT_EFFECT_DONE. text is copied. data (may be NULL) is taken: release (may be NULL:
 * static data) is called with it after the step, or at once when the shell has ended. Any thread.
 */
void shell_effect_done(struct shell *shell,
                       uint64_t tag,
                       int effect,
                       enum status status,
                       struct slice text,
                       void *data,
                       shell_release *release);
/* Posts EVENT_LOCAL with the core's own code; data as above. Any thread. */
void shell_local(struct shell *shell, int effect, void *data, shell_release *release);
/* Posts EVENT_RESPONSE; message is copied, NULL unless OK. Any thread. */
void shell_response(struct shell *shell,
                    uint64_t tag,
                    enum method method,
                    enum status status,
                    struct slice text,
                    const void *message);
/*
 * Runs function on the core thread between two steps and waits for it: for pages and metrics that
 * show a machine's state. It must be quick and change nothing. ERR_UNAVAILABLE when the shell does
 * not run. Not on the core thread.
 */
MUST_USE enum status shell_inspect(struct shell *shell,
                                   void (*function)(void *user, const void *machine),
                                   void *user);

/*
 * Waits until the core thread has finished its next round, which shows that it steps and journals.
 * ERR_DEADLINE when that takes until deadline_ms, ERR_UNAVAILABLE when the shell does not run. Not
 * on the core thread.
 */
MUST_USE enum status shell_pulse(struct shell *shell,
                                 int64_t deadline_ms,
                                 struct error *reterr_error);

struct shell_counters {
    uint64_t events;
    uint64_t requests;
    uint64_t rounds;
    uint64_t journal_batches;
    uint64_t journal_syncs;
    uint64_t journal_bytes; /* of records appended since the start */
    uint64_t checkpoints;   /* made since the start */
    uint64_t checkpoint_failures;
    uint64_t checkpoint_sequence; /* last batch that the newest of them holds */
    uint64_t checkpoint_bytes;
    uint64_t checkpoint_ms;       /* how long it took */
    uint64_t journal_directories; /* in use */
    bool is_read_only;            /* the journal's disk is full */
    uint64_t requests_open;
    uint64_t mailbox_count;
    uint64_t step_us_max; /* the slowest step so far */
};

struct shell_counters shell_counters_get(struct shell *shell);

#endif
