/*
 * share_world.h - random queues, nodes and applications around the resource manager's machine, and
 * a slow reference that judges every single grant (share_judge.c).
 *
 * The reference knows only what was asked, granted and ended. It recomputes every sum and share
 * from scratch by loops over everything, and says of each grant whether anybody was to be served
 * before on that node, and after each step whether anybody could still be served.
 */
#ifndef MILLRACE_TESTS_UNIT_RM_SHARE_WORLD_H
#define MILLRACE_TESTS_UNIT_RM_SHARE_WORLD_H

#include "lib/base/rng.h"
#include "lib/model/ids.h"
#include "rm/core/rm.h"

enum {
    SHARE_NODES_MAX = 6,
    SHARE_QUEUES_MAX = 10,
    SHARE_APPS_MAX = 14,
    SHARE_CONTAINERS_MAX = 1024,
    SHARE_USERS = 3,
    SHARE_HOLD_AFTER_MS = 200,
    SHARE_PREEMPT_INTERVAL_MS = 300,
    SHARE_PREEMPT_GRACE_MS = 500,
    SHARE_LIFE_MS = 1000 /* the longest that a container lives in the test of starvation */
};

/* Bugs planted at the machine's door: it is told something else than the reference knows. */
enum share_bug {
    SHARE_BUG_NONE,
    SHARE_BUG_NODE_IS_LARGER,      /* a node's capacity is one vcore more */
    SHARE_BUG_NO_MAX_SHARE,        /* maximum shares are forgotten */
    SHARE_BUG_NO_USER_LIMIT,       /* so are user limits */
    SHARE_BUG_FIFO,                /* every queue is first come, first served */
    SHARE_BUG_SHARES_EQUAL,        /* guarantees are not read: equal parts for all */
    SHARE_BUG_NO_PRIORITY,         /* applications' priorities are forgotten */
    SHARE_BUG_ONE_RESOURCE,        /* vcores are not looked at: one for each container */
    SHARE_BUG_MASTERS_WITHOUT_END, /* the masters' share is forgotten */
    SHARE_BUG_RUNNING_WITHOUT_END, /* so is the number of running applications */
    SHARE_BUG_END_IS_LOST,         /* of a container: its room stays taken */
    SHARE_BUG_ONE_MORE,            /* one container more than was wanted */
    SHARE_BUG_ONE_QUEUE,           /* all applications go to the first leaf */
    SHARE_BUG_NO_HOLD,             /* no room is kept for large containers */
    SHARE_BUG_NO_PREEMPTION,       /* nothing is taken back */
    SHARE_BUG_LATE_PREEMPTION,     /* who lacks its guarantee is looked for a hundred times later */
    SHARE_BUG_COUNT
};

struct share_queue {
    const char *path;
    int parent; /* -1: root */
    struct rm_queue_spec spec;
    double share; /* of the cluster, guaranteed */
    double max_share;
    bool is_leaf;
};

struct share_app {
    struct app_id id;
    int queue;
    int user;
    uint32_t priority;
    struct resource master;
    struct resource shape;
    uint32_t want; /* not yet granted */
    bool is_live;
    bool has_master;
    bool is_registered;
    uint64_t call;
    uint64_t response_sequence;
    uint64_t request_sequence;
    uint32_t granted_total;
};

struct share_container {
    struct container_id id;
    int app;
    int node;
    struct resource resource;
    int64_t ends_ms;
    bool is_master;
    bool is_known; /* to its master: before, nobody could have started it */
    bool is_killed;
};

struct share_node {
    struct resource capacity;
    uint64_t session;
    bool is_active;
    int kept_for; /* application, or -1 */
};

struct share_world {
    struct rng rng;
    enum share_bug bug;
    struct rm *rm;
    struct actions actions;
    struct trace trace;
    int64_t now_ms;
    uint64_t last_call;
    struct share_queue queues[SHARE_QUEUES_MAX];
    int queue_count;
    struct share_node nodes[SHARE_NODES_MAX];
    int node_count;
    struct share_app apps[SHARE_APPS_MAX];
    int app_count;
    int submitting; /* the application being submitted, or -1 */
    struct share_container containers[SHARE_CONTAINERS_MAX];
    int container_count;
    unsigned grants;
    char fault[512]; /* what was wrong first; "" while all is well */
};

/* share_judge.c */
/* A container of app is about to be placed on node. Notes what is wrong with that. */
void share_judge_grant(
    struct share_world *world, int app, int node, struct resource resource, bool is_master);
/* Between steps: nobody who could be served is not. */
void share_judge_rest(struct share_world *world);
/* A container of app has been taken back: its queue still has its guarantee. */
void share_judge_taken(struct share_world *world, int app);
/* All want everything: each has its guarantee, but for what the dead zone leaves to others. */
void share_judge_guarantees(struct share_world *world);
/* The first fault stays. */
void share_fault(struct share_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct resource share_used(const struct share_world *world, int app);
struct resource share_node_room(const struct share_world *world, int node);

/* share_world.c: each runs one seed and returns what was wrong first, or NULL. */
const char *share_run_trace(uint64_t seed, enum share_bug bug, unsigned *ret_grants);
/* Queues that ask when another has taken everything: do they get their guarantees in time? */
const char *share_run_guarantees(uint64_t seed, enum share_bug bug);
/* A large container among many small ones: served in time? */
const char *share_run_starvation(uint64_t seed, enum share_bug bug);

#endif
