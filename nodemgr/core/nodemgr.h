/*
 * nodemgr.h - the node manager's machine: the containers of one host.
 *
 * It registers with the resource manager, keeps a heartbeat open there, starts containers for
 * masters that show a signed grant and for the resource manager's launch commands, watches and
 * kills them, and forgets an application's folders when the resource manager says that it is over.
 *
 * Invariants (nodemgr_check):
 *   NM-1 the resources of the containers that are not COMPLETED never exceed the node's capacity;
 *   NM-2 a container has a process id exactly while it is RUNNING, KILLING or KILLED_HARD;
 *   NM-3 a COMPLETED container is reported until the resource manager acknowledged it (by the
 *        answer to the report, to a heartbeat or to a registration that named it), then dropped;
 *   NM-4 no container is started for one of the last 4096 applications that were forgotten in this
 *        incarnation;
 *   NM-5 at most one heartbeat and one completion report are outstanding at a time, and commands in
 *        an answer that belongs to an earlier session are not performed;
 *   NM-6 a container id is started at most once in a node's incarnation, and never once it was
 *        killed before its start;
 *   NM-7 a container that the resource manager ordered, to launch or to kill, is reported COMPLETED
 *        in the end, whether it ever ran or not.
 *
 * States of a container: docs/states/nodemgr_container.dot, of the registration:
 * docs/states/nodemgr_registration.dot.
 *
 * Requests it answers: service NodeManager of nm.proto. StartContainer is answered when the process
 * runs or cannot be started, so a master that has the answer knows. ERR_STALE: the container is
 * over, or its grant is; ERR_UNAVAILABLE: try again soon. A caller starts, stops and lists his own
 * containers; "millrace" all.
 * Calls it makes: service NodeTracker of rm.proto, at settings.rm_address.
 */
#ifndef MILLRACE_NODEMGR_CORE_NODEMGR_H
#define MILLRACE_NODEMGR_CORE_NODEMGR_H

#include "lib/base/transition.h"
#include "lib/model/machine.h"

struct nodemgr;

/* What a grant's token says; see grant_verify. */
struct nodemgr_grant {
    struct resource resource;
    struct slice user; /* borrowed until the step returns */
};

struct nodemgr_settings {
    struct endpoint self; /* node_id, host, rack, addresses; strings outlive the machine */
    struct resource capacity;
    uint64_t incarnation;    /* grows with every start */
    struct slice rm_address; /* "host:port", or "rm": the shell finds it at each call */
    const struct app_id
        *known_apps; /* whose folders the shell found at the start; read by open only */
    size_t known_apps_count;
    int64_t term_grace_ms; /* from SIGTERM to SIGKILL; default 250 */
    int64_t retry_min_ms;  /* first pause before the resource manager is called again; default 50 */
    int64_t retry_max_ms;  /* default 2000 */
    int64_t call_timeout_ms; /* beyond the heartbeat interval; default 5000 */
    int64_t stop_max_ms;     /* from EVENT_STOP to good-bye, whatever still runs; default 5000 */
    /*
     * Pure: is token a grant of container on node_id, not expired at wall_ms? Its answer depends on
     * its arguments only. ERR_UNAUTHENTICATED when not.
     */
    enum status (*grant_verify)(void *context,
                                struct slice token,
                                const struct container_id *container,
                                uint64_t node_id,
                                int64_t wall_ms,
                                struct nodemgr_grant *ret_grant);
    void *grant_context;
};

/* Effects; all come back as EVENT_EFFECT_DONE with their tag unless it says "no answer". */
enum nodemgr_effect {
    NODEMGR_LOCALIZE, /* struct nodemgr_localize; answer: status and text */
    NODEMGR_LAUNCH,   /* struct nodemgr_launch; answer: status, text, data struct nodemgr_launched.
                         NODEMGR_EXITED must not come before it. */
    NODEMGR_SIGNAL,   /* struct nodemgr_signal; no answer */
    NODEMGR_CLEAN,    /* struct nodemgr_clean, a container's working folder; no answer */
    NODEMGR_FORGET, /* struct nodemgr_forget, all of an application, after every NODEMGR_CLEAN asked
                       for before; answer: status and text */
    NODEMGR_EFFECT_COUNT
};

struct nodemgr_localize {
    struct container_id container;
    struct slice user;
    const struct rm_local_resource *resources;
    size_t resources_count;
};

struct nodemgr_launch {
    struct container_id container;
    struct slice user;
    struct rm_launch_spec launch;
    struct resource resource; /* the limit */
};

struct nodemgr_launched {
    uint64_t process_id;
};

struct nodemgr_signal {
    struct container_id container;
    uint64_t process_id; /* of the process group */
    bool is_kill;        /* SIGKILL, else SIGTERM */
};

struct nodemgr_clean {
    struct container_id container;
};

struct nodemgr_forget {
    struct app_id app;
};

/* What the shell sees by itself (EVENT_LOCAL). */
enum nodemgr_local {
    NODEMGR_EXITED,     /* struct nodemgr_exited */
    NODEMGR_OVER_LIMIT, /* struct nodemgr_over_limit */
    NODEMGR_USABLE,     /* struct nodemgr_usable; until the first the node is well */
    NODEMGR_LOCAL_COUNT
};

struct nodemgr_exited {
    struct container_id container;
    int32_t exit_code;        /* 0..255, meaningful when signal is 0 */
    int32_t signal;           /* that ended it, or 0 */
    struct slice stderr_tail; /* last lines, UTF-8 */
};

/* What a container may not have without end. */
enum nodemgr_limit {
    NODEMGR_LIMIT_MEMORY,    /* bytes; exit status -104 */
    NODEMGR_LIMIT_PROCESSES, /* processes and threads; -110 */
    NODEMGR_LIMIT_LOGS,      /* bytes in its folder of logs; -109 */
    NODEMGR_LIMIT_COUNT
};

/* The container is stopped. */
struct nodemgr_over_limit {
    struct container_id container;
    enum nodemgr_limit limit;
    uint64_t used;
    uint64_t used_max;
};

/* Told to the resource manager, which sends nothing new; what runs goes on. */
struct nodemgr_usable {
    struct slice why_not; /* one sentence; empty: nothing is wrong any more */
};

/* settings' strings must outlive the machine. ERR_INVALID for a missing address or node id. */
MUST_USE enum status nodemgr_open(const struct nodemgr_settings *settings,
                                  uint64_t seed,
                                  struct nodemgr **ret_nodemgr);
void nodemgr_step(struct nodemgr *nodemgr, const struct event *event, struct actions *ret_actions);
int64_t nodemgr_deadline_ms(const struct nodemgr *nodemgr);
void nodemgr_check(const struct nodemgr *nodemgr);
void nodemgr_close(struct nodemgr *nodemgr); /* NULL is fine */

/* The tables, for tools/draw-states and its check. */
extern const struct transition_table nodemgr_container_table;
extern const struct transition_table nodemgr_registration_table;

#endif
