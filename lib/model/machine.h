/*
 * machine.h - the one shape of Millrace's five machines: events in, actions out.
 *
 * A machine is a pure function of its events: no clock, socket, file, thread, log call or private
 * randomness. Its five-function door (here of a machine "x"; all five have exactly these):
 *
 *     enum status x_open(const struct x_settings *settings, uint64_t seed, struct x **ret_x);
 *     void x_step(struct x *x, const struct event *event, struct actions *ret_actions);
 *     int64_t x_deadline_ms(const struct x *x);   when to step again with a tick; INT64_MAX: never
 *     void x_check(const struct x *x);            aborts, naming the first broken invariant
 *     void x_close(struct x *x);                  NULL is fine
 *
 * and, where it has a journal, void x_snapshot(const struct x *x, struct actions *ret_actions),
 * which appends ACTION_JOURNAL records that rebuild its state when they are replayed into a fresh
 * machine.
 *
 * x_step has no status: whatever an event holds is answered by actions. Ordering rules the shell
 * keeps:
 *   1. all ACTION_JOURNAL of one step are one atomic batch; it is synced before any other action of
 *      that step is performed, and steps are performed in order;
 *   2. every EVENT_REQUEST is answered by exactly one ACTION_REPLY or ACTION_FAIL, in this step or
 * a later one (a held request); after EVENT_REQUEST_CANCELLED an answer is still required and is
 *      thrown away by the shell;
 *   3. every ACTION_CALL comes back as exactly one EVENT_RESPONSE with its tag, every ACTION_EFFECT
 * as exactly one EVENT_EFFECT_DONE with its tag (unless the effect's description says "no answer").
 * Source of the shape: canonical/raft's raft_step; TigerBeetle's deterministic simulation.
 */
#ifndef MILLRACE_LIB_MODEL_MACHINE_H
#define MILLRACE_LIB_MODEL_MACHINE_H

#include "lib/base/arena.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/base/trace.h"
#include "lib/model/messages.h"

enum event_kind {
    EVENT_TICK,              /* the deadline has come, or the shell just looks in */
    EVENT_REPLAY,            /* one journal record: type, message; before EVENT_START only */
    EVENT_START,             /* replay is over; serve from now on */
    EVENT_REQUEST,           /* a peer's call: call, method, message, user, peer */
    EVENT_REQUEST_CANCELLED, /* the caller of a held call has gone: call */
    EVENT_RESPONSE,    /* to ACTION_CALL: tag, method, status, text, message (NULL unless OK) */
    EVENT_EFFECT_DONE, /* to ACTION_EFFECT: tag, effect, status, text, data */
    EVENT_LOCAL,       /* something the shell saw by itself: effect (the core's code), data */
    EVENT_STOP,        /* an orderly stop was asked for */
};

struct event {
    enum event_kind kind;
    int64_t now_ms;     /* monotonic; never goes back */
    int64_t wall_ms;    /* ms since 1970, for what is shown or stored; may jump */
    uint64_t call;      /* names the request to be answered; unique for the machine's life */
    enum method method; /* of lib/model/messages.h */
    const struct message_type *type; /* EVENT_REPLAY: of message */
    const void *message; /* the method's request or response struct, or the journal record */
    struct slice user;   /* authenticated caller, for example "alice"; daemons are "millrace" */
    const struct slice *groups; /* of the host, that user belongs to; none for daemons */
    size_t groups_count;
    struct slice peer; /* host name of the caller where known, else empty */
    uint64_t tag;
    enum status status;
    struct slice text; /* why, when status is not OK */
    int effect;        /* the core's own effect or local code */
    const void *data;  /* struct of the core's header that belongs to the code, or NULL */
};                     /* everything pointed to is borrowed until x_step returns */

enum action_kind {
    ACTION_JOURNAL, /* type, message */
    ACTION_REPLY,   /* call, type, message */
    ACTION_FAIL,    /* call, status, text */
    ACTION_CALL,    /* tag, address, method, message, timeout_ms */
    ACTION_CANCEL, /* tag of an ACTION_CALL: its EVENT_RESPONSE comes with ERR_CANCELLED (or won the
                      race) */
    ACTION_EFFECT, /* tag, effect, data: something only this core's shell can do */
    ACTION_EXIT,   /* the process is to end with exit_code after the actions before it */
};

struct action {
    enum action_kind kind;
    uint64_t call;
    uint64_t tag;         /* ACTION_CALL: of no other call that is out */
    struct slice address; /* ACTION_CALL: "host:port", or "rm" or "namenode": the shell finds it */
    enum method method;
    const struct message_type *type; /* of message */
    const void *message;
    int64_t timeout_ms; /* ACTION_CALL: deadline, 1.. */
    enum status status;
    struct slice text;
    int effect;
    const void *data;
    int exit_code;
};

/*
 * What one step asks for. The shell owns it; the core appends. All memory the actions point to
 * comes from arena (or lives as long as the machine), so actions stay valid until actions_reset.
 */
struct actions {
    struct arena *arena;
    struct action *items;
    size_t count;
    size_t capacity;
    const struct trace *trace; /* where the core tells what it did; NULL: nobody listens */
    /*
     * For x_snapshot only: when set, actions_journal hands the list over whenever it has grown to
     * drain_bytes, and drain empties it (actions_reset), so that a large state is never held as
     * records. What the core took from arena before is gone then.
     */
    void (*drain)(void *user, struct actions *actions);
    void *drain_user;
    size_t drain_bytes;
};

void actions_open(struct actions *actions);
void actions_reset(struct actions *actions);
void actions_close(struct actions *actions);

/* Each copies message (deep, by its message_type) and text into the arena. */
void actions_journal(struct actions *actions, const struct message_type *type, const void *message);
void actions_reply(struct actions *actions,
                   uint64_t call,
                   const struct message_type *type,
                   const void *message);
void actions_fail(struct actions *actions,
                  uint64_t call,
                  enum status status,
                  const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/* message's type is the method's request type. */
void actions_call(struct actions *actions,
                  uint64_t tag,
                  struct slice address,
                  enum method method,
                  const void *message,
                  int64_t timeout_ms);
void actions_cancel(struct actions *actions, uint64_t tag);
/* data is borrowed as it is: allocate it and all it points to from actions->arena. */
void actions_effect(struct actions *actions, uint64_t tag, int effect, const void *data);
void actions_exit(struct actions *actions, int exit_code);

#endif
