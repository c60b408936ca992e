/*
 * nodemgr_internal.h - what the files of this core share; nobody outside includes it.
 */
#ifndef MILLRACE_NODEMGR_CORE_NODEMGR_INTERNAL_H
#define MILLRACE_NODEMGR_CORE_NODEMGR_INTERNAL_H

#include "lib/base/map.h"
#include "lib/base/rng.h"
#include "lib/base/transition.h"
#include "lib/model/limits.h"
#include "nodemgr/core/nodemgr.h"

/* X(value, name): the states of a container as this node sees it. */
#define NODEMGR_CONTAINER_STATES(X)                                                                \
 X(NC_NEW, "NEW")                                                                                  \
 X(NC_LOCALIZING, "LOCALIZING")                                                                    \
 X(NC_LOCALIZING_DOOMED, "LOCALIZING_DOOMED") /* killed meanwhile */                               \
 X(NC_LAUNCHING, "LAUNCHING")                                                                      \
 X(NC_LAUNCHING_DOOMED, "LAUNCHING_DOOMED")                                                        \
 X(NC_RUNNING, "RUNNING")                                                                          \
 X(NC_KILLING, "KILLING")         /* SIGTERM sent */                                               \
 X(NC_KILLED_HARD, "KILLED_HARD") /* SIGKILL sent */                                               \
 X(NC_COMPLETED, "COMPLETED")

#define NODEMGR_CONTAINER_EVENTS(X)                                                                \
 X(NCE_START, "START")                                                                             \
 X(NCE_REFUSED, "REFUSED") /* never to run, but to be reported */                                  \
 X(NCE_LOCALIZED, "LOCALIZED")                                                                     \
 X(NCE_LOCALIZE_FAILED, "LOCALIZE_FAILED")                                                         \
 X(NCE_LAUNCHED, "LAUNCHED")                                                                       \
 X(NCE_LAUNCH_FAILED, "LAUNCH_FAILED")                                                             \
 X(NCE_KILL, "KILL")                                                                               \
 X(NCE_GRACE_OVER, "GRACE_OVER")                                                                   \
 X(NCE_EXITED, "EXITED")

#define NODEMGR_REGISTRATION_STATES(X)                                                             \
 X(NR_UNREGISTERED, "UNREGISTERED")                                                                \
 X(NR_REGISTERING, "REGISTERING")                                                                  \
 X(NR_REGISTERED, "REGISTERED")                                                                    \
 X(NR_STOPPING, "STOPPING")           /* killing what runs */                                      \
 X(NR_UNREGISTERING, "UNREGISTERING") /* saying good-bye */                                        \
 X(NR_STOPPED, "STOPPED")

#define NODEMGR_REGISTRATION_EVENTS(X)                                                             \
 X(NRE_CALL, "CALL")                                                                               \
 X(NRE_ACCEPTED, "ACCEPTED")                                                                       \
 X(NRE_REFUSED, "REFUSED")                                                                         \
 X(NRE_SESSION_LOST, "SESSION_LOST")                                                               \
 X(NRE_STOP, "STOP")                                                                               \
 X(NRE_DRAINED, "DRAINED")                                                                         \
 X(NRE_GONE, "GONE")

#define NODEMGR_ENUM(value, name) value,

enum nodemgr_container_state {
    NODEMGR_CONTAINER_STATES(NODEMGR_ENUM) NC_STATE_COUNT
};

enum nodemgr_container_event {
    NODEMGR_CONTAINER_EVENTS(NODEMGR_ENUM) NC_EVENT_COUNT
};

enum nodemgr_registration_state {
    NODEMGR_REGISTRATION_STATES(NODEMGR_ENUM) NR_STATE_COUNT
};

enum nodemgr_registration_event {
    NODEMGR_REGISTRATION_EVENTS(NODEMGR_ENUM) NR_EVENT_COUNT
};

#undef NODEMGR_ENUM

/* YARN's exit codes of containers that did not end by themselves, but for the last. */
enum {
    NODEMGR_EXIT_INVALID = -1000, /* never started */
    NODEMGR_EXIT_ABORTED = -100,
    NODEMGR_EXIT_OVER_MEMORY = -104,
    NODEMGR_EXIT_BY_MASTER = -105,
    NODEMGR_EXIT_BY_RM = -106,
    NODEMGR_EXIT_OVER_LOGS = -109,
    NODEMGR_EXIT_OVER_PROCESSES = -110, /* ours: YARN counts no processes */
};

enum {
    NODEMGR_WAITERS_MAX = 8,
    NODEMGR_FORGOTTEN_MAX = 4096
};

struct nodemgr_app {
    struct app_id id;
    struct map *started; /* containers ever started or refused here: NM-6 */
    size_t live;         /* containers that are not COMPLETED */
    bool is_forgotten;   /* to be cleaned once live is 0 */
    uint64_t forget_tag; /* of the effect that does it; set with is_forgotten */
};

struct nodemgr_container {
    struct container_id id;
    uint64_t tag;            /* of its effects */
    int state;               /* enum nodemgr_container_state */
    struct nodemgr_app *app; /* NULL: completed, and the application is forgotten or never was */
    struct resource resource;
    struct slice user;
    struct rm_launch_spec launch;
    uint64_t process_id;
    int64_t kill_at_ms; /* when the grace after SIGTERM ends; INT64_MAX: no kill is on */
    int32_t exit_status;
    bool has_cause; /* exit_status and diagnostics were set by a kill; the exit does not change them
                     */
    struct slice diagnostics;
    uint64_t waiters[NODEMGR_WAITERS_MAX]; /* StartContainer calls to answer */
    size_t waiters_count;
    bool was_started;
    bool is_reporting;     /* completed, in the report on its way */
    bool is_listed;        /* completed, in the registration on its way */
    bool is_telling;       /* started, in the heartbeat on its way */
    uint64_t started_told; /* number of the registration in which its start was told last */
    struct arena *arena;   /* owns the strings above */
};

struct nodemgr {
    struct nodemgr_settings settings;
    struct rng rng;
    int registration;       /* enum nodemgr_registration_state */
    uint64_t registrations; /* accepted so far: tells answers to an earlier session's calls */
    uint64_t session;
    uint32_t epoch; /* the resource manager's; grants of an earlier one are stale */
    int64_t heartbeat_interval_ms;
    uint64_t performed; /* highest command sequence of this session */
    bool register_out;
    bool heartbeat_out;
    bool report_out;
    uint64_t heartbeat_registration; /* in which the one on its way was sent */
    uint64_t report_registration;
    int64_t call_at_ms;   /* earliest time of the next registration or heartbeat after a failure */
    int64_t report_at_ms; /* the same for completion reports */
    int64_t stop_at_ms;   /* when stopping ends, whatever still runs */
    int64_t backoff_ms;
    int64_t now_ms;
    uint64_t next_tag;
    struct resource used;
    char unusable[LIMIT_UNUSABLE_BYTES]; /* why nothing new shall be started here; "": nothing */
    struct map_u64 *by_tag;              /* of struct nodemgr_container, in order of start */
    struct map *containers;              /* the same by key */
    struct map *apps;
    struct map *forgotten; /* keys of applications that are over; value: non-NULL marker */
};

enum {
    NODEMGR_TAG_REGISTER = 1,
    NODEMGR_TAG_HEARTBEAT,
    NODEMGR_TAG_REPORT,
    NODEMGR_TAG_UNREGISTER,
    NODEMGR_TAG_NO_ANSWER,
    NODEMGR_TAG_FIRST = 100 /* containers' and applications' */
};

/* What an action of the container table needs beside the container. */
struct nodemgr_context {
    struct nodemgr *nodemgr;
    struct actions *actions;
};

/* containers.c */
/* waiter: the call to answer, NULL for a command of the resource manager, which gets a report. */
void nodemgr_container_start(struct nodemgr *nodemgr,
                             const struct container_id *id,
                             const struct resource *resource,
                             struct slice user,
                             const struct rm_launch_spec *launch,
                             const uint64_t *waiter,
                             struct actions *actions);
/* Adds a COMPLETED container that never ran here, so that it is reported and refused later. */
void nodemgr_container_bury(struct nodemgr *nodemgr,
                            const struct container_id *id,
                            int32_t exit_status,
                            const char *text,
                            struct actions *actions);
void nodemgr_container_kill(struct nodemgr *nodemgr,
                            struct nodemgr_container *container,
                            int32_t exit_status,
                            struct slice diagnostics,
                            struct actions *actions);
/* app NULL: of all applications. */
void nodemgr_container_kill_all(struct nodemgr *nodemgr,
                                const struct nodemgr_app *app,
                                int32_t exit_status,
                                const char *text,
                                struct actions *actions);
void nodemgr_container_effect_done(struct nodemgr *nodemgr,
                                   const struct event *event,
                                   struct actions *actions);
void nodemgr_container_local(struct nodemgr *nodemgr,
                             const struct event *event,
                             struct actions *actions);
void nodemgr_container_tick(struct nodemgr *nodemgr, struct actions *actions);
struct nodemgr_container *nodemgr_container_find(const struct nodemgr *nodemgr,
                                                 const struct container_id *id);
void nodemgr_container_drop(struct nodemgr *nodemgr, struct nodemgr_container *container);
void nodemgr_container_free(struct nodemgr_container *container);
void nodemgr_container_status(const struct nodemgr_container *container,
                              struct rm_container_status *ret_status);

/* apps.c */
/* Finds the application, or adds it without any container. */
struct nodemgr_app *nodemgr_app_add(struct nodemgr *nodemgr, const struct app_id *id);
/* ERR_STALE when the container must not start here any more. */
MUST_USE enum status nodemgr_app_refuses(const struct nodemgr *nodemgr,
                                         const struct container_id *id,
                                         const char **ret_text);
void nodemgr_app_refuse_later(struct nodemgr *nodemgr, const struct container_id *id);
void nodemgr_app_container_started(struct nodemgr *nodemgr, struct nodemgr_container *container);
void nodemgr_app_container_completed(struct nodemgr_app *app, struct actions *actions);
void nodemgr_app_forget(struct nodemgr *nodemgr, const struct app_id *id, struct actions *actions);
void nodemgr_app_forget_done(struct nodemgr *nodemgr,
                             const struct event *event,
                             struct actions *actions);
void nodemgr_apps_check(const struct nodemgr *nodemgr);
void nodemgr_apps_free(struct nodemgr *nodemgr);

/* launch_check.c */
/* ERR_INVALID, and a sentence that says why. */
MUST_USE enum status nodemgr_launch_check(const struct rm_launch_spec *launch,
                                          const char **ret_text);

/* registration.c */
void nodemgr_registration_advance(struct nodemgr *nodemgr, struct actions *actions);
void nodemgr_registration_response(struct nodemgr *nodemgr,
                                   const struct event *event,
                                   struct actions *actions);
void nodemgr_registration_stop(struct nodemgr *nodemgr, struct actions *actions);
int64_t nodemgr_registration_deadline_ms(const struct nodemgr *nodemgr);

#endif
