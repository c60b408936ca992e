/*
 * queues.h - the tree of queues and who stands where in it. Private to rm/core.
 *
 * A queue is a leaf (applications stand in it) or has queues below it. What an application's
 * containers hold is counted in its user, its leaf and every queue above, and the ranks follow:
 * in each queue stands, best first, who has demand (QUEUE_RANK_DEMAND), and of these who may have
 * become servable in this step (QUEUE_RANK_READY). docs/scheduler.md has the rules.
 */
#ifndef MILLRACE_RM_CORE_QUEUES_H
#define MILLRACE_RM_CORE_QUEUES_H

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/model/machine.h"
#include "rm/core/rank.h"

struct rm;
struct rm_app;

enum rm_queue_rank {
    QUEUE_RANK_DEMAND,
    QUEUE_RANK_READY,
    QUEUE_RANK_COUNT
};

/* A user's part in one leaf; gone when it has no live application and holds nothing. */
struct rm_user {
    uint8_t *text; /* of name */
    struct slice name;
    struct resource used;
    size_t live_count;
};

struct rm_queue {
    struct slice path;
    struct rm_queue *parent; /* NULL: root */
    struct list children;    /* struct rm_queue, in the file's order */
    struct list_node sibling_link;
    uint64_t order; /* among all queues */
    struct rm_queue_spec spec;
    bool is_vanished; /* stands in for a queue that the file no longer has */
    bool is_stopped;  /* it, or one above */
    bool is_draining;
    bool is_fifo;
    bool has_preemption;
    uint32_t masters_percent;
    uint32_t priority_max;
    double share;     /* of the cluster, guaranteed */
    double max_share; /* of the cluster */
    struct resource guaranteed;
    struct resource mostly; /* max_share of the cluster */
    struct resource max;    /* the same; UINT64_MAX, UINT32_MAX when that is all of it */
    struct resource used;
    struct resource masters_used;
    size_t masters_count;
    size_t live_count;    /* applications that are not over */
    size_t running_count; /* of these, with a master */
    struct list apps;     /* of a leaf: struct rm_app that are live or still hold something */
    struct map *users;    /* of a leaf: name -> struct rm_user */
    struct rm_rank ranks[QUEUE_RANK_COUNT];
    struct rm_rank_node nodes[QUEUE_RANK_COUNT]; /* in the parent's ranks */
    struct list_node relaxed_link;               /* in rm.relaxed_queues: a limit has given way */
    int64_t below_seen_ms; /* by the last look: it has demand and less than its guarantee; or -1 */
};

struct rm_queues {
    struct arena *arena; /* of texts */
    struct rm_queue *root;
    struct map *paths;    /* path -> struct rm_queue, configured ones */
    struct map *vanished; /* path -> struct rm_queue, children of root */
    uint64_t order;
};

/* specs must be sound. Leaves the queues without applications. */
void rm_queues_open(struct rm *rm, const struct rm_queue_specs *specs);
void rm_queues_close(struct rm *rm);
/*
 * Replaces the tree; every application keeps its queue, and one that has vanished (or is no leaf
 * any more) goes on draining.
 */
void rm_queues_replace(struct rm *rm, const struct rm_queue_specs *specs);
/* NULL when no configured queue has this path. */
struct rm_queue *rm_queue_find(const struct rm *rm, struct slice path);
bool rm_queue_is_leaf(const struct rm_queue *queue);
/* May user (or one of groups) submit to, or administer, the queue? */
bool rm_queue_may_submit(const struct rm *rm,
                         const struct rm_queue *queue,
                         const struct event *event);
bool rm_queue_may_administer(const struct rm *rm,
                             const struct rm_queue *queue,
                             const struct event *event);

/* The application joins the queue of this path (a vanished one's stand-in), with all it holds. */
struct rm_queue *rm_queue_or_stand_in(struct rm *rm, struct slice path);
/* Frees the queue if it stands in for one that has vanished and nobody is left in it. */
void rm_queue_prune(struct rm *rm, struct rm_queue *queue);
void rm_queue_join(struct rm *rm, struct rm_app *app, struct slice path);
void rm_queue_leave(struct rm *rm, struct rm_app *app);
/* What the application holds grows or shrinks. */
void rm_queue_charge(struct rm *rm, struct rm_app *app, struct resource resource, bool is_master);
void rm_queue_refund(struct rm *rm, struct rm_app *app, struct resource resource, bool is_master);
/* It is (still) live, and (still) has a master: the counts follow. */
void rm_queue_count_app(struct rm *rm, struct rm_app *app);
/* The application's wishes have changed: it takes its place among those with demand, or leaves. */
void rm_queue_rank_app(struct rm *rm, struct rm_app *app);
/* It may be servable, or is known not to be. */
void rm_queue_set_ready(struct rm *rm, struct rm_app *app, bool is_ready);
/* The cluster's capacity has changed: every limit and share is another. */
void rm_queues_measure(struct rm *rm);
/* What the queue, or this user of it, may still take; zero while it is stopped. */
struct resource rm_queue_headroom(const struct rm_queue *queue);
struct resource rm_user_limit(const struct rm *rm,
                              const struct rm_queue *queue,
                              const struct rm_user *user);
struct resource rm_user_headroom(const struct rm *rm, const struct rm_app *app);
/* True when the leaf's and its parents' limits allow one more master of this size. */
bool rm_queue_may_place_master(const struct rm_queue *queue, struct resource resource);
/* The queue at or above this one that has as many running applications as it may, or NULL. */
const struct rm_queue *rm_queue_full_of_running(const struct rm_queue *queue);
/* Larger of the shares of memory and vcores that resource is of whole. */
double rm_dominant_share(struct resource resource, struct resource whole);
/* used / guaranteed in that resource of which wish takes most; a large number without guarantee. */
double rm_queue_ratio(const struct rm *rm, const struct rm_queue *queue, struct resource wish);

#endif
