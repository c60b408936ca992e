/*
 * state.h - the private state of the resource manager's machine, shared by the files of rm/core.
 * Each struct says which file changes it.
 */
#ifndef MILLRACE_RM_CORE_STATE_H
#define MILLRACE_RM_CORE_STATE_H

#include "lib/base/heap.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/base/transition.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/model/machine.h"
#include "rm/core/queues.h"
#include "rm/core/rm.h"
#include "rm/core/room.h"

struct rm_app;
struct rm_node;
struct rm_timer;

/* --- timers and held calls (timers.c) -------------------------------------------------------- */
typedef void rm_timer_fire(struct rm *rm, void *owner);

struct rm_timer {
    struct heap_node heap_node; /* key: due time in ms */
    rm_timer_fire *fire;
    void *owner;
};

enum rm_hold_kind {
    RM_HOLD_NODE,   /* NodeHeartbeat; owner struct rm_node */
    RM_HOLD_MASTER, /* Allocate; owner struct rm_app */
    RM_HOLD_WAITER  /* GetApp; owner struct rm_app */
};

struct rm_hold {
    uint64_t call;
    enum rm_hold_kind kind;
    void *owner;
    uint64_t after_version;       /* RM_HOLD_WAITER */
    struct list_node waiter_link; /* in rm_app.waiters */
    struct rm_timer timer;        /* answers what there is */
};

/* --- allocations (allocations.c) ------------------------------------------------------------- */
/* X(constant, name) */
#define RM_ALLOCATION_STATE_LIST(X)                                                                \
 X(RM_ALLOCATION_GRANTED, "GRANTED")                                                               \
 X(RM_ALLOCATION_ACQUIRED, "ACQUIRED")                                                             \
 X(RM_ALLOCATION_RUNNING, "RUNNING")                                                               \
 X(RM_ALLOCATION_KILLING, "KILLING")                                                               \
 X(RM_ALLOCATION_COMPLETED, "COMPLETED")

#define RM_ALLOCATION_EVENT_LIST(X)                                                                \
 X(RM_ALLOCATION_DELIVERED, "delivered")                                                           \
 X(RM_ALLOCATION_WITHDRAWN, "withdrawn")                                                           \
 X(RM_ALLOCATION_STARTED, "started")                                                               \
 X(RM_ALLOCATION_KILL, "kill")                                                                     \
 X(RM_ALLOCATION_ENDED, "ended")

#define RM_STATE_ENUM(constant, name) constant,

enum rm_allocation_state {
    RM_ALLOCATION_STATE_LIST(RM_STATE_ENUM) RM_ALLOCATION_STATE_COUNT
};

enum rm_allocation_event {
    RM_ALLOCATION_EVENT_LIST(RM_STATE_ENUM) RM_ALLOCATION_EVENT_COUNT
};

struct rm_allocation {
    struct container_id id;
    int state;            /* enum rm_allocation_state */
    struct rm_app *app;   /* NULL: of an application that is not known here */
    struct rm_node *node; /* never NULL */
    struct resource resource;
    uint32_t priority;
    bool is_master;
    bool is_listed; /* while its node registers: the node named it */
    bool took_any;  /* what the grant took off the ask table, to be put back when it is */
    bool took_host; /* withdrawn before an answer named it */
    bool took_rack;
    int exit_override;             /* tell this instead of what the node says; 0: tell that */
    const char *why;               /* static text that goes with exit_override, or NULL */
    struct rm_timer timer;         /* never started */
    struct list_node node_link;    /* in rm_node.allocations */
    struct list_node app_link;     /* in rm_app.allocations */
    struct list_node granted_link; /* in rm_attempt.granted while GRANTED and not a master */
    uint64_t number;               /* the how-manieth: the larger, the younger */
    int64_t preempt_due_ms;        /* warned: killed or spared then; 0: not warned */
    struct list_node warned_link;  /* in rm.warned */
};

/* --- room kept for a large wish (reserve.c) -------------------------------------------------- */
struct rm_reserve {
    struct rm_app *app;
    struct rm_group *group; /* NULL: the application's master */
    struct rm_node *node;   /* kept for it; NULL: none */
    int64_t since_ms;       /* when it was overtaken for lack of room; -1: it was not */
    struct list_node link;  /* in rm.overtaken while since_ms is not -1 */
};

/* --- asks (asks.c) --------------------------------------------------------------------------- */
struct rm_want {
    uint32_t count;
    bool relax_locality;
    bool is_live; /* count is above 0 and the place has an active node; see rm_group */
};

/* All rows of one priority and resource; stays until the next table, also when any is 0. */
struct rm_group {
    struct rm_app *app;
    uint32_t priority;
    struct resource resource;
    uint32_t any;
    bool relax_any;
    bool is_in_table;  /* while a new table is taken over */
    struct map *hosts; /* name -> struct rm_want (in rm_app.asks_arena) */
    struct map *racks;
    uint64_t places_version; /* of rm when live_* were counted */
    size_t live_hosts;       /* rows with is_live */
    size_t live_racks;
    int64_t skipped_ms;    /* when room was first refused for locality; -1: not since */
    struct rm_timer timer; /* next level of locality is due */
    struct rm_reserve reserve;
    uint64_t pass; /* of rm in which the cursors, in hosts and racks, count */
    size_t host_cursor;
    size_t rack_cursor;
    struct list_node link; /* in rm_app.groups, by priority */
};

/* --- application masters (attempts.c, masters.c, answers.c) ---------------------------------- */
#define RM_ATTEMPT_STATE_LIST(X)                                                                   \
 X(RM_ATTEMPT_WAITING, "WAITING")                                                                  \
 X(RM_ATTEMPT_LAUNCHING, "LAUNCHING")                                                              \
 X(RM_ATTEMPT_RECOVERING, "RECOVERING")                                                            \
 X(RM_ATTEMPT_REGISTERED, "REGISTERED")                                                            \
 X(RM_ATTEMPT_OVER, "OVER")

#define RM_ATTEMPT_EVENT_LIST(X)                                                                   \
 X(RM_ATTEMPT_PLACED, "placed")                                                                    \
 X(RM_ATTEMPT_RESTORED, "restored")                                                                \
 X(RM_ATTEMPT_REGISTER, "register")                                                                \
 X(RM_ATTEMPT_ENDED, "ended")                                                                      \
 X(RM_ATTEMPT_RETRIED, "retried")

enum rm_attempt_state {
    RM_ATTEMPT_STATE_LIST(RM_STATE_ENUM) RM_ATTEMPT_STATE_COUNT
};

enum rm_attempt_event {
    RM_ATTEMPT_EVENT_LIST(RM_STATE_ENUM) RM_ATTEMPT_EVENT_COUNT
};

/* The current attempt; its number is the application's report.app_attempt. */
struct rm_attempt {
    int state;                    /* enum rm_attempt_state */
    struct rm_allocation *master; /* NULL: none known */
    uint64_t container_sequence;  /* of the last container of this epoch */
    uint64_t request_sequence;    /* highest seen */
    uint64_t response_sequence;   /* of the last answer */
    uint32_t granted_total;       /* grants in answers since registration, the last included */
    bool is_restored;             /* launched before this epoch */
    bool must_resync;
    bool is_stop_told;
    bool has_answer; /* answer is not yet acknowledged */
    struct arena *answer_arena;
    struct rm_allocate_response answer;
    struct list granted;      /* struct rm_allocation: decided, in no answer yet */
    struct arena *news_arena; /* of completed */
    struct rm_container_status *completed;
    size_t completed_count;
    size_t completed_capacity;
    struct rm_preempt_warning *warnings; /* of news */
    size_t warning_count;
    size_t warning_capacity;
    uint64_t *lost_node_ids;
    size_t lost_count;
    size_t lost_capacity;
    struct rm_hold *hold; /* NULL: no Allocate is held */
    int64_t heard_ms;
    struct rm_timer timer;      /* to register, to be heard of, or to exit; by state */
    struct rm_timer kill_timer; /* must_stop not obeyed */
    uint64_t avoid_node_id;     /* where the attempt before it ended; 0: none */
    struct rm_reserve reserve;  /* of the waiting master */
};

/* --- applications (applications.c) ----------------------------------------------------------- */
#define RM_APP_EVENT_LIST(X)                                                                       \
 X(RM_APP_SUBMIT, "submit")                                                                        \
 X(RM_APP_ACCEPT, "accept")                                                                        \
 X(RM_APP_MASTER_REGISTERED, "master registered")                                                  \
 X(RM_APP_MASTER_LOST, "master lost")                                                              \
 X(RM_APP_FINISH, "finish")                                                                        \
 X(RM_APP_FAIL, "fail")                                                                            \
 X(RM_APP_KILL, "kill")

enum rm_app_event {
    RM_APP_EVENT_LIST(RM_STATE_ENUM) RM_APP_EVENT_COUNT
};

struct rm_app {
    int state;           /* enum rm_app_state */
    struct arena *arena; /* of submission and the texts of report */
    struct rm_app_report report;
    struct rm_submit_app_request submission;
    uint32_t master_failures;
    bool is_master_launched;
    bool is_kill_asked;
    struct rm_attempt attempt;
    struct list allocations; /* struct rm_allocation of every attempt */
    struct map_u64 *nodes;   /* node id -> struct rm_node that ever held a container of it */
    struct list groups;      /* struct rm_group by priority, then table order */
    struct arena *asks_arena;
    struct list waiters;           /* struct rm_hold */
    struct rm_queue *queue;        /* NULL: over and holding nothing */
    struct rm_user *user;          /* of queue */
    struct list_node queue_link;   /* in queue's apps */
    struct list_node waiting_link; /* in rm.waiting_apps: wants a master */
    struct resource used;          /* by allocations */
    struct resource least_wish;    /* smaller memory and smaller vcores of all that is wanted */
    struct resource head_wish;     /* what is wanted first */
    struct rm_rank_node rank_nodes[QUEUE_RANK_COUNT]; /* in queue's ranks */
    uint64_t passed;      /* of rm.pass in which it could not be served */
    bool is_parked;       /* its master is one too many: in no rank */
    bool is_counted_live; /* in queue */
    bool is_counted_running;
    struct list_node news_link;     /* in rm.news_apps: the held Allocate may be answered */
    struct list_node changed_link;  /* in rm.changed_apps: waiters may be answered */
    struct list_node finished_link; /* in rm.finished, oldest first */
};

/* --- nodes (nodes.c, commands.c) ------------------------------------------------------------- */
#define RM_NODE_EVENT_LIST(X)                                                                      \
 X(RM_NODE_REGISTER, "register")                                                                   \
 X(RM_NODE_LOSE, "silent")                                                                         \
 X(RM_NODE_UNREGISTER, "unregister")

enum rm_node_event {
    RM_NODE_EVENT_LIST(RM_STATE_ENUM) RM_NODE_EVENT_COUNT
};

/* All active nodes with one host name or rack. */
struct rm_place {
    struct list nodes; /* struct rm_node */
};

struct rm_command {
    enum rm_node_command_kind kind;
    uint64_t sequence;
    struct container_id container; /* kill, launch */
    struct app_id app;
};

struct rm_node {
    uint64_t node_id;
    size_t index;        /* in rm.nodes and the room index */
    int state;           /* enum rm_node_state */
    struct arena *arena; /* of endpoint */
    struct endpoint endpoint;
    struct resource capacity;
    struct resource used;
    char unusable[LIMIT_UNUSABLE_BYTES]; /* why it gets no containers now; "": it does */
    struct resource ceiling; /* used never exceeds it: capacity, or what registration brought */
    uint64_t incarnation;
    uint64_t session;
    struct list allocations;
    struct rm_command *commands; /* unacknowledged */
    size_t command_count;
    size_t command_capacity;
    uint64_t command_sequence; /* of the last one made in this session */
    struct container_id *gone; /* given up while the node was away; see rm_node_add_gone */
    size_t gone_count;
    size_t gone_capacity;
    struct container_id *taken; /* completed statuses of the held heartbeat */
    size_t taken_count;
    struct arena *taken_arena;
    struct rm_hold *hold;
    int64_t heard_ms;
    struct rm_timer timer; /* silent for too long */
    struct rm_place *host;
    struct rm_place *rack;
    struct list_node host_link;
    struct list_node rack_link;
    struct rm_reserve *reserved_for; /* NULL: open to all */
    struct list_node dirty_link;     /* in rm.dirty_nodes: room has grown */
    struct list_node news_link;      /* in rm.news_nodes: the held heartbeat may be answered */
};

/* --- the machine (rm.c) ---------------------------------------------------------------------- */
struct rm {
    struct rm_settings settings;
    struct arena *arena; /* of settings' texts */
    uint64_t cluster_timestamp;
    uint32_t epoch;
    uint32_t app_sequence; /* of the last application */
    bool is_started;
    int64_t now_ms;
    int64_t wall_ms;
    struct actions *actions; /* of the running step */

    struct heap timers;
    struct map_u64 *holds; /* call -> struct rm_hold */
    int64_t
        lenient_until_ms; /* nobody is found silent before: the machine itself was not stepped */
    int64_t recovering_until_ms; /* a restart's grace; 0: none */
    struct rm_timer recovery_timer;

    struct map_u64 *apps; /* sequence -> struct rm_app, rising */
    struct map *requests; /* (client_id, request_id) -> struct rm_app */
    size_t live_count;
    struct list finished;
    struct list news_apps;
    struct list changed_apps;

    struct map *allocations; /* container_id_key -> struct rm_allocation */
    size_t masters_count;    /* master allocations, and what they hold */
    struct resource masters_used;

    struct rm_node **nodes; /* by index; never removed */
    size_t node_count;
    size_t node_capacity;
    struct map_u64 *nodes_by_id;
    struct map *hosts; /* name -> struct rm_place */
    struct map *racks;
    uint64_t places_version; /* grows when a place gains its first or loses its last node */
    uint64_t session_counter;
    struct list dirty_nodes;
    struct list news_nodes;

    struct resource capacity;     /* of ACTIVE nodes */
    struct resource largest_node; /* the largest memory and vcores of one, maybe not the same */
    struct resource used;
    struct rm_room *room; /* free resources by node index */
    size_t cursor;        /* where the next search for room anywhere starts */
    struct rm_queues queues;
    struct list relaxed_queues; /* whose limit has given way */
    struct list waiting_apps;   /* that want a master */
    bool are_masters_changed;   /* which of these may be placed is to be found anew */
    bool is_all_marked;         /* shares, limits and waits are to be measured anew */
    uint64_t pass;              /* over demand; see rm_app.passed */
    struct list overtaken;      /* struct rm_reserve, oldest first */
    size_t reserved_count;      /* nodes that are kept for one of these */
    struct rm_timer reserve_timer;
    struct list warned; /* struct rm_allocation, the first to be killed first */
    struct rm_timer warned_timer;
    struct rm_timer preempt_timer; /* the next look */
    uint64_t allocation_number;    /* of the last one */
};

/* timers.c */
void rm_timer_open(struct rm_timer *timer, rm_timer_fire *fire, void *owner);
/* Sets or moves the due time. */
void rm_timer_set(struct rm *rm, struct rm_timer *timer, int64_t due_ms);
void rm_timer_clear(struct rm *rm, struct rm_timer *timer);
/* Fires all that are due at rm->now_ms. */
void rm_timers_run(struct rm *rm);
/* Holds the running request until due_ms, when fire is called with the hold. */
struct rm_hold *rm_hold_open(struct rm *rm,
                             enum rm_hold_kind kind,
                             void *owner,
                             uint64_t call,
                             int64_t due_ms,
                             rm_timer_fire *fire);
/* Forgets the hold, which has been or is now answered by the caller. NULL is fine. */
void rm_hold_close(struct rm *rm, struct rm_hold *hold);

/* allocations.c */
extern const struct transition_table rm_allocation_table;
/* Makes a GRANTED allocation that holds resource on node; app may be NULL. */
struct rm_allocation *rm_allocation_new(struct rm *rm,
                                        struct container_id id,
                                        struct rm_app *app,
                                        struct rm_node *node,
                                        struct resource resource,
                                        uint32_t priority);
struct rm_allocation *rm_allocation_find(const struct rm *rm, struct container_id id);
/* The state changes of a live allocation. */
void rm_allocation_apply(struct rm *rm, struct rm_allocation *allocation, int event);
/* Named in an answer (or, a master, taken over by its node): from now on it must start in time. */
void rm_allocation_deliver(struct rm *rm, struct rm_allocation *allocation);
void rm_allocation_start(struct rm *rm, struct rm_allocation *allocation);
/*
 * Ends the allocation as soon as may be: at once when nobody else knows of it, else by a command to
 * its node. exit_override and why (static): what its master is told; 0 and NULL: what the node
 * says. The allocation may be freed.
 */
void rm_allocation_kill(struct rm *rm,
                        struct rm_allocation *allocation,
                        int exit_override,
                        const char *why);
/* Its process is gone: frees its resources, tells who must know, frees it. */
void rm_allocation_end(struct rm *rm,
                       struct rm_allocation *allocation,
                       int32_t exit_status,
                       struct slice diagnostics);
/* True when the allocation belongs to its application's current attempt. */
bool rm_allocation_is_current(const struct rm_allocation *allocation);

/* applications.c */
extern const struct transition_table rm_app_table;
void rm_app_submit(struct rm *rm, const struct event *event);
void rm_app_get(struct rm *rm, const struct event *event);
void rm_app_list(struct rm *rm, const struct event *event);
void rm_app_kill(struct rm *rm, const struct event *event);
/* NULL when unknown; also for another cluster's ids. */
struct rm_app *rm_app_find(const struct rm *rm, struct app_id id);
bool rm_app_is_over(const struct rm_app *app);
void rm_app_apply(struct rm *rm, struct rm_app *app, enum rm_app_event event);
/* Something of the report has changed: waiters may be answered. */
void rm_app_changed(struct rm *rm, struct rm_app *app);
/* Journals AppStateChanged. */
void rm_app_journal(struct rm *rm, const struct rm_app *app);
/*
 * Ends a live application: no asks, no containers but, when keep_master, the master's own for a
 * while. diagnostics are appended to those it has.
 */
void rm_app_end(struct rm *rm,
                struct rm_app *app,
                enum rm_app_event event,
                enum rm_final_status final_status,
                struct slice diagnostics,
                bool keep_master);
void rm_app_add_diagnostics(struct rm_app *app, struct slice text);
/* Removes the oldest ended applications beyond the limit whose containers are gone. */
void rm_app_prune(struct rm *rm);
/* Answers those who waited for a change. */
void rm_app_answer_waiters(struct rm *rm, struct rm_app *app);
/* A new, empty application, registered under its id; and its end. */
struct rm_app *rm_app_new(struct rm *rm, struct app_id id);
void rm_app_free(struct rm *rm, struct rm_app *app);
void rm_app_remember_request(struct rm *rm, struct rm_app *app);
/* The daemons' own and the operator's. */
bool rm_user_is_admin(const struct rm *rm, struct slice user);
/* True when user may end the application. */
bool rm_app_may_kill(const struct rm *rm, const struct rm_app *app, const struct event *event);

struct rm_app_report rm_app_report_now(const struct rm_app *app);
/* Fails the call and returns NULL when the application is unknown. */
struct rm_app *rm_app_or_fail(struct rm *rm, const struct event *event, struct app_id id);
/* NULL when the call has been failed: no such leaf, not taking any, or not for this user. */
struct rm_queue *rm_queue_admit(struct rm *rm, const struct event *event, struct slice path);
/* Fails the call when one more is too many; from: the queue it comes from, NULL: it is new. */
bool rm_queue_has_place(struct rm *rm,
                        const struct event *event,
                        const struct rm_queue *queue,
                        const struct rm_queue *from);

/* explain.c */
void rm_explain_app(struct rm *rm, const struct event *event);
void rm_queues_get(struct rm *rm, const struct event *event);

/* moves.c */
void rm_app_move(struct rm *rm, const struct event *event);
void rm_app_set_priority(struct rm *rm, const struct event *event);
void rm_queues_refresh(struct rm *rm, const struct event *event);
/* The shell has read the file, or not. */
void rm_queues_read(struct rm *rm, const struct event *event);
/* Sets what submission and report say, nothing else. */
void rm_app_take_place(struct rm_app *app, struct slice queue, uint32_t priority);

/* attempts.c */
extern const struct transition_table rm_attempt_table;
void rm_attempt_open(struct rm_attempt *attempt, struct rm_app *app);
void rm_attempt_close(struct rm *rm, struct rm_attempt *attempt);
void rm_attempt_apply(struct rm *rm, struct rm_app *app, enum rm_attempt_event event);
/* Grants the waiting master room on node and has it launched there. */
void rm_attempt_place(struct rm *rm, struct rm_app *app, struct rm_node *node);
/* After a restart: the attempt was launched before and may be alive. */
void rm_attempt_restore(struct rm *rm, struct rm_app *app);
/* Its node has brought along the master's container. */
void rm_attempt_master_seen(struct rm *rm, struct rm_app *app, struct rm_allocation *master);
/* The master's container has ended. */
void rm_attempt_master_ended(struct rm *rm,
                             struct rm_app *app,
                             int32_t exit_status,
                             struct slice diagnostics,
                             uint64_t node_id);
/* Gives the attempt up: the next one starts, or the application ends. */
void rm_attempt_lost(struct rm *rm, struct rm_app *app, bool is_failure, struct slice diagnostics);
/* A person wants the application killed: its registered master is told, and given some time. */
void rm_attempt_ask_stop(struct rm *rm, struct rm_app *app);
/* Notes that the current attempt's master spoke. */
void rm_attempt_heard(struct rm *rm, struct rm_app *app);

/* masters.c: the calls of MasterTracker */
void rm_master_register(struct rm *rm, const struct event *event);
void rm_master_allocate(struct rm *rm, const struct event *event);
void rm_master_finish(struct rm *rm, const struct event *event);

/* answers.c: what a master is told */
void rm_answer_add_completed(struct rm *rm,
                             struct rm_app *app,
                             struct container_id container,
                             int32_t exit_status,
                             struct slice diagnostics,
                             struct resource resource);
/* The container may be preempted. */
void rm_answer_add_warning(struct rm *rm, const struct rm_allocation *allocation);
void rm_answer_add_lost_node(struct rm *rm, struct rm_app *app, uint64_t node_id);
/* Something to say may have come up. */
void rm_answer_mark(struct rm *rm, struct rm_app *app);
bool rm_answer_has_news(const struct rm_app *app);
/* Answers the held Allocate with all there is. */
void rm_answer_send(struct rm *rm, struct rm_app *app);
/* Repeats the unacknowledged answer to call. */
void rm_answer_repeat(struct rm *rm, struct rm_app *app, uint64_t call);
/* The master has the last answer: it need not be kept. */
void rm_answer_acknowledge(struct rm_app *app);
/* The master starts afresh: what it was or was to be told comes (again) with the next answer. */
void rm_answer_restart(struct rm *rm, struct rm_app *app);
/* Drops everything, for an attempt that is over. */
void rm_answer_clear(struct rm *rm, struct rm_app *app);
struct rm_grant rm_answer_grant(const struct rm_allocation *allocation);

/* asks.c */
/* ERR_INVALID or ERR_LIMIT with a sentence when the table cannot be accepted. */
MUST_USE enum status rm_asks_check(const struct rm *rm,
                                   const struct rm_allocate_request *request,
                                   const char **reterr_text);
/* Takes over a whole table, less the grants of the kept answer and those in no answer yet. */
void rm_asks_replace(struct rm *rm, struct rm_app *app, const struct rm_allocate_request *request);
void rm_asks_clear(struct rm *rm, struct rm_app *app);
/* Takes a grant on the allocation's node off the table, or puts a withdrawn one back. */
void rm_asks_take(struct rm *rm, struct rm_allocation *allocation);
void rm_asks_put_back(struct rm *rm, struct rm_allocation *allocation);
/* Counts live_hosts and live_racks anew when places have come or gone. */
void rm_group_refresh(struct rm *rm, struct rm_group *group);
/* How long room is refused for the sake of hosts, and then of racks. */
int64_t rm_group_host_wait_ms(const struct rm *rm, const struct rm_group *group);
int64_t rm_group_rack_wait_ms(const struct rm *rm, const struct rm_group *group);

/* scheduler.c */
/* The application's asks or its waiting master may have become grantable. */
void rm_scheduler_mark_app(struct rm *rm, struct rm_app *app);
/* The same for every application. */
void rm_scheduler_mark_all(struct rm *rm);
void rm_scheduler_mark_node(struct rm *rm, struct rm_node *node);
/* Grants everything that can be granted. */
void rm_scheduler_run(struct rm *rm);
/* A group's timer; owner is the group. */
void rm_scheduler_group_due(struct rm *rm, void *owner);
/* Of all that some node could hold: who is first, whether there is room now or not; or NULL. */
struct rm_app *rm_scheduler_first_in_turn(struct rm *rm);
/* Masters, or what limits them, have changed: some may or may not be placed now. */
void rm_scheduler_mark_masters(struct rm *rm);
/* True when the application is waiting for room or containers. */
bool rm_app_has_demand(const struct rm_app *app);
/* Sets head_wish and least_wish and keeps rm.waiting_apps; true when there is demand. */
bool rm_app_sum_wishes(struct rm *rm, struct rm_app *app);
/* What queues and user limits leave for one more container. */
struct resource rm_app_allowance(const struct rm *rm, const struct rm_app *app);
/* True when every limit allows the waiting master. */
bool rm_app_may_place_master(const struct rm *rm, const struct rm_app *app);
void rm_scheduler_forget_app(struct rm *rm, struct rm_app *app);
/* True when locality allows the group a container on node now. */
bool rm_group_may_take(const struct rm *rm,
                       const struct rm_group *group,
                       const struct rm_node *node,
                       bool *ret_waits);
/* True when one more master of this size may be placed. */
bool rm_scheduler_may_place_master(const struct rm *rm, struct resource resource);

/* reserve.c */
void rm_reserve_open(struct rm_reserve *reserve, struct rm_app *app, struct rm_group *group);
/* It was its turn, but there was no room, and another was served. */
void rm_reserve_note(struct rm *rm, struct rm_reserve *reserve);
/* It is served or of no use any more: the kept node, if any, is open to all again. */
void rm_reserve_clear(struct rm *rm, struct rm_reserve *reserve);
/* Lets go what the application has no use for any more. */
void rm_reserve_review(struct rm *rm, struct rm_app *app);
/* Keeps nodes for those that were overtaken long ago. */
void rm_reserve_due(struct rm *rm, void *owner);

/* preempt.c */
void rm_preempt_watch(struct rm *rm);
void rm_preempt_look(struct rm *rm, void *owner);
void rm_preempt_due(struct rm *rm, void *owner);
/* The container ends or is being killed: whatever it was warned of. */
void rm_preempt_forget(struct rm_allocation *allocation);

/* nodes.c: the calls of NodeTracker, and ListNodes */
extern const struct transition_table rm_node_table;
void rm_node_list(struct rm *rm, const struct event *event);
void rm_node_register(struct rm *rm, const struct event *event);
void rm_node_heartbeat(struct rm *rm, const struct event *event);
void rm_node_completed(struct rm *rm, const struct event *event);
void rm_node_unregister(struct rm *rm, const struct event *event);
/* Makes the allocations agree with the containers that a registering node brings along. */
void rm_node_reconcile(struct rm *rm,
                       struct rm_node *node,
                       const struct rm_register_node_request *request,
                       bool is_first);
/*
 * Remembers a container that was given up without the node's knowledge: its master may still be
 * about to start it, so the node is told to kill and refuse it when it registers, until it says it
 * knows.
 */
void rm_node_add_gone(struct rm_node *node, struct container_id container);
/* A container on node has completed, as it says; known or not. */
void rm_node_take_completed(struct rm *rm,
                            struct rm_node *node,
                            const struct rm_container_status *status);
/* Changes what the node's containers hold. */
void rm_node_hold(struct rm *rm, struct rm_node *node, struct resource resource);
void rm_node_release(struct rm *rm, struct rm_node *node, struct resource resource);
struct resource rm_node_free(const struct rm_node *node);
/* What of it this group may take: nothing while the node is kept for another. */
struct resource rm_node_room_for(const struct rm_node *node, const struct rm_group *group);
/* Who may take its room has changed. */
void rm_node_room_changed(struct rm *rm, const struct rm_node *node);
struct rm_node *rm_node_find(const struct rm *rm, uint64_t node_id);
bool rm_node_has_app(const struct rm_node *node, struct app_id app);
void rm_node_close(struct rm *rm, struct rm_node *node);

/* commands.c: what a node is told */
void rm_command_kill(struct rm *rm, struct rm_node *node, struct container_id container);
void rm_command_launch(struct rm *rm, struct rm_node *node, struct container_id container);
/* Once the node holds no container of app. */
void rm_command_forget(struct rm *rm, struct rm_node *node, struct app_id app);
void rm_command_acknowledge(struct rm *rm, struct rm_node *node, uint64_t sequence);
/* A new session: kills are void, the rest is told again. */
void rm_command_restart(struct rm *rm, struct rm_node *node);
/* Drops commands about this container. */
void rm_command_drop_container(struct rm_node *node, struct container_id container);
/* Answers the held heartbeat with all there is. */
void rm_command_send(struct rm *rm, struct rm_node *node);

/* records.c */
/* False when the record makes no sense: the journal is not this machine's. */
bool rm_record_replay(struct rm *rm, const struct event *event);
/* Begins a new epoch, journals it, and waits for the masters that an earlier one launched. */
void rm_record_start(struct rm *rm);

/* small helpers */
static inline bool resource_fits(struct resource wanted, struct resource room)
{
    return wanted.memory_bytes <= room.memory_bytes && wanted.vcores <= room.vcores;
}

static inline bool resource_equal(struct resource left, struct resource right)
{
    return left.memory_bytes == right.memory_bytes && left.vcores == right.vcores;
}

static inline struct resource resource_smaller(struct resource left, struct resource right)
{
    return (struct resource){.memory_bytes = left.memory_bytes < right.memory_bytes
                                                 ? left.memory_bytes
                                                 : right.memory_bytes,
                             .vcores = left.vcores < right.vcores ? left.vcores : right.vcores};
}

static inline bool resource_is_zero(struct resource resource)
{
    return resource.memory_bytes == 0 && resource.vcores == 0;
}

#endif
