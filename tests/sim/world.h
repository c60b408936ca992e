/*
 * world.h - a whole cluster in one process, under one seed: virtual time, network, disks,
 * processes.
 *
 * All five machines run here behind their doors, with no shell: the world delivers their calls with
 * delay, loss, duplication and reordering, keeps their journals and blocks over crashes, and checks
 * every machine after every step. Nothing else is random than what the seed gives, so a seed is a
 * test case: the same seed gives the same trace hash.
 *
 * Rules of the door the world keeps (lib/model/machine.h): journal records of a step are kept
 * before any other action of that step; a crash falls before the step's records, or after them and
 * before its other actions.
 */
#ifndef MILLRACE_TESTS_SIM_WORLD_H
#define MILLRACE_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/heap.h"
#include "lib/base/map.h"
#include "lib/base/rng.h"
#include "lib/model/machine.h"

enum {
    WORLD_TRACE_LINES = 50, /* shown when a seed fails */
    WORLD_HOSTS = 4,        /* of tests/sim/test_cluster */
    WORLD_HOSTS_MAX = 16
};

enum process_kind {
    PROCESS_NAMENODE,
    PROCESS_RM,
    PROCESS_DATANODE,
    PROCESS_NODEMGR,
    PROCESS_APPMASTER,
    PROCESS_TASK,
    PROCESS_CLIENT,
    PROCESS_KIND_COUNT
};

/* Faults planted by hand, to see that the simulation finds them. */
enum world_bug {
    BUG_NONE,
    BUG_REPLY_BEFORE_SYNC, /* a shell answers before its records are durable */
    BUG_DROP_RETRY,        /* a report that failed once is never sent again */
    BUG_STALE_CONTAINER,   /* a node manager starts containers granted before the last restart */
    BUG_FORGOTTEN_JOURNAL, /* a master's journal is not there for the next one */
    BUG_COUNT,
    BUG_TORN_BATCH = BUG_COUNT, /* half of a step's records are taken after a crash; of test_dfs */
    BUG_OF_DFS                  /* from here on: tests/sim/dfs.h */
};

struct world;
struct process;

struct door {
    void (*step)(void *machine, const struct event *event, struct actions *ret_actions);
    int64_t (*deadline_ms)(const void *machine);
    void (*check)(const void *machine);
    void (*snapshot)(const void *machine, struct actions *ret_actions);
    void (*close)(void *machine);
};

struct record {
    const struct message_type *type;
    const void *message; /* in the process's disk arena */
};

/* An actor (task, client) is not a machine: it is called back with the answer to each of its calls.
 */
typedef void answer_function(struct world *world,
                             struct process *process,
                             uint64_t tag,
                             enum method method,
                             enum status status,
                             const void *message);
typedef void wake_function(struct world *world, struct process *process, uint64_t tag);

struct process {
    enum process_kind kind;
    uint32_t number; /* among its kind */
    uint32_t host;   /* 0..WORLD_HOSTS_MAX - 1 */
    struct slice address;
    struct slice user;
    const struct slice *groups; /* of user; in static memory */
    size_t groups_count;
    bool is_up;
    bool is_removed;         /* its disk is gone for good */
    uint64_t life;           /* grows with every start and crash: what is older is void */
    int64_t paused_until_ms; /* it does nothing before: what comes for it waits */
    int64_t wall_offset_ms;  /* its wall clock is wrong by this */
    const struct door *door; /* NULL: an actor */
    void *machine;
    struct heap_node timer; /* of its deadline */
    struct arena *disk;     /* survives crashes */
    struct record *journal;
    size_t journal_count;
    size_t journal_capacity;
    bool has_journal;
    int exit_code; /* of ACTION_EXIT; -1: it was killed */
    void *state;   /* machines.c, actors.c */
    answer_function *on_answer;
    void (*perform_effect)(
        struct world *world, struct process *process, uint64_t tag, int effect, const void *data);
    void (*on_crash)(struct world *world, struct process *process);
    /*
     * After each step, when its records are kept (is_durable) or lost with the process, and before
     * any other of its actions is performed.
     */
    void (*on_stepped)(struct world *world,
                       struct process *process,
                       const struct event *event,
                       const struct actions *actions,
                       bool is_durable);
    /* False: the planted bug drops this record. NULL: none does. */
    bool (*keeps_record)(struct world *world,
                         const struct process *process,
                         const struct event *event,
                         const struct action *record);
    void (*restart)(struct world *world, struct process *process);
};

struct world_faults {
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t slow_ppm; /* messages that take up to slow_ms */
    int64_t slow_ms;
    uint32_t crash_step_ppm; /* a step of a daemon in which it crashes */
};

struct world {
    uint64_t seed;
    enum world_bug bug;
    struct rng rng;
    int64_t now_ms;
    struct heap queue;
    struct world_faults faults;
    bool is_cut[WORLD_HOSTS_MAX];                      /* partitioned from the other hosts */
    bool is_blocked[WORLD_HOSTS_MAX][WORLD_HOSTS_MAX]; /* from, to: nothing passes this way */
    struct process **processes;
    size_t processes_count;
    size_t processes_capacity;
    struct map *by_address;
    struct map_u64 *calls; /* open, by id */
    uint64_t next_id;
    struct actions actions;
    uint64_t steps;
    uint64_t hash;
    char trace[WORLD_TRACE_LINES][256];
    size_t trace_next;
    bool is_verbose;
    struct trace sink;
    const struct process *stepping;
    bool has_failed;
    char failure[512];
    struct scenario *scenario; /* scenario.c */
    struct dfs_sim *dfs;       /* dfs_scenario.c */
};

struct world *world_open(uint64_t seed, enum world_bug bug);
void world_close(struct world *world);

struct process *world_process_add(
    struct world *world, enum process_kind kind, uint32_t number, uint32_t host, struct slice user);
/* The machine is up from now on: its journal is replayed, then EVENT_START. */
void world_process_start(struct world *world, struct process *process, void *machine);
/* Everything it held in memory, sent or was asked is void. */
void world_process_crash(struct world *world, struct process *process);
void world_step(struct world *world, struct process *process, struct event event);

/* An actor's call; the answer comes to its on_answer. */
void world_call(struct world *world,
                struct process *process,
                uint64_t tag,
                struct slice address,
                enum method method,
                const void *message,
                int64_t timeout_ms);
/* Calls wake once after delay_ms unless the process has crashed meanwhile. */
void world_wake(struct world *world,
                struct process *process,
                int64_t delay_ms,
                wake_function *wake,
                uint64_t tag);
/* Delivers an effect's end after delay_ms; data is copied flat (size bytes; NULL: none). */
void world_effect_done(struct world *world,
                       struct process *process,
                       int64_t delay_ms,
                       uint64_t tag,
                       int effect,
                       enum status status,
                       const void *data,
                       size_t size);
int64_t world_delay(struct world *world);
bool world_is_reachable(const struct world *world, uint32_t from_host, const struct process *to);

/* Takes the next due thing; false when there is none before until_ms. */
bool world_advance(struct world *world, int64_t until_ms);
void world_trace(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Notes the first failure; the run stops. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
