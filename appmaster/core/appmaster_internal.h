/*
 * appmaster_internal.h - what the files of this core share; nobody outside includes it.
 */
#ifndef MILLRACE_APPMASTER_CORE_APPMASTER_INTERNAL_H
#define MILLRACE_APPMASTER_CORE_APPMASTER_INTERNAL_H

#include "appmaster/core/appmaster.h"
#include "lib/base/map.h"
#include "lib/base/rng.h"

#define APPMASTER_JOB_EVENTS(X)                                                                    \
 X(JE_START, "START")                                                                              \
 X(JE_PLANNED, "PLANNED")                                                                          \
 X(JE_TASKS_DONE, "TASKS_DONE")                                                                    \
 X(JE_PUBLISHED, "PUBLISHED")                                                                      \
 X(JE_FAIL, "FAIL")                                                                                \
 X(JE_KILL, "KILL")

#define APPMASTER_TASK_STATES(X)                                                                   \
 X(TASK_PENDING, "PENDING")                                                                        \
 X(TASK_RUNNING, "RUNNING")                                                                        \
 X(TASK_SUCCEEDED, "SUCCEEDED")

#define APPMASTER_TASK_EVENTS(X)                                                                   \
 X(TE_ASSIGNED, "ASSIGNED")                                                                        \
 X(TE_DONE, "DONE")                                                                                \
 X(TE_RECOVERED, "RECOVERED")                                                                      \
 X(TE_ATTEMPT_ENDED, "ATTEMPT_ENDED")                                                              \
 X(TE_OUTPUT_LOST, "OUTPUT_LOST")

#define APPMASTER_ATTEMPT_EVENTS(X)                                                                \
 X(AE_ASSIGNED, "ASSIGNED")                                                                        \
 X(AE_DONE, "DONE")                                                                                \
 X(AE_RECOVERED, "RECOVERED")                                                                      \
 X(AE_FAILED, "FAILED")                                                                            \
 X(AE_KILLED, "KILLED")                                                                            \
 X(AE_LOST, "LOST")

#define APPMASTER_WORKER_STATES(X)                                                                 \
 X(WORKER_NEW, "NEW")                                                                              \
 X(WORKER_STARTING, "STARTING") /* StartContainer is out */                                        \
 X(WORKER_AWAITED, "AWAITED")   /* its process runs and has not asked yet */                       \
 X(WORKER_IDLE, "IDLE")         /* asks for work */                                                \
 X(WORKER_BUSY, "BUSY")         /* has an attempt */                                               \
 X(WORKER_RELEASED, "RELEASED") /* told to go, or being released; until it is completed */

#define APPMASTER_WORKER_EVENTS(X)                                                                 \
 X(WE_GRANTED, "GRANTED")                                                                          \
 X(WE_STARTED, "STARTED")                                                                          \
 X(WE_ASKED, "ASKED")                                                                              \
 X(WE_GIVEN, "GIVEN")                                                                              \
 X(WE_FREED, "FREED")                                                                              \
 X(WE_RELEASE, "RELEASE")

#define APPMASTER_ENUM(value, name) value,

enum appmaster_job_event {
    APPMASTER_JOB_EVENTS(APPMASTER_ENUM) JE_COUNT
};

enum appmaster_task_state {
    APPMASTER_TASK_STATES(APPMASTER_ENUM) TASK_STATE_COUNT
};

enum appmaster_task_event {
    APPMASTER_TASK_EVENTS(APPMASTER_ENUM) TE_COUNT
};

enum appmaster_attempt_event {
    APPMASTER_ATTEMPT_EVENTS(APPMASTER_ENUM) AE_COUNT
};

enum appmaster_worker_state {
    APPMASTER_WORKER_STATES(APPMASTER_ENUM) WORKER_STATE_COUNT
};

enum appmaster_worker_event {
    APPMASTER_WORKER_EVENTS(APPMASTER_ENUM) WE_COUNT
};

#undef APPMASTER_ENUM

#define APPMASTER_NAME(value, name) name,

enum {
    APPMASTER_MAP_PRIORITY =
        10, /* lower is served first: a map that must run again goes before reduces */
    APPMASTER_REDUCE_PRIORITY = 20,
    APPMASTER_ATTEMPTS_MAX = 4,
    APPMASTER_DIAGNOSTICS_BYTES = 4096,
    /* Attempts of master attempt n are numbered from (n - 1) * this, as Hadoop does. */
    APPMASTER_ATTEMPT_NUMBERS = 1000,
};

struct appmaster_task;
struct appmaster_worker;

struct appmaster_attempt {
    struct attempt_id id;
    int state; /* enum am_attempt_state */
    struct appmaster_task *task;
    struct appmaster_worker *worker; /* while RUNNING */
    struct container_id container;   /* where it runs or ran */
    struct endpoint node;            /* strings in the machine's arena */
    float progress;
    struct slice status;            /* in the machine's arena; bounded */
    struct slice diagnostics;       /* the same */
    const struct counter *counters; /* of the last report; in arena */
    size_t counters_count;
    struct arena *arena; /* of status and counters; remade with each report */
    uint64_t started_ms; /* wall clock */
    uint64_t finished_ms;
    int64_t heard_ms;                /* last report, monotonic */
    const uint64_t *partition_bytes; /* maps that SUCCEEDED: one for each reduce */
    struct slice output_path;        /* reduces that SUCCEEDED, and maps of a job without reduces */
    uint64_t output_file_id;
    uint64_t output_length;
    bool is_durable;   /* its success is in the journal */
    bool is_recovered; /* it succeeded under an earlier master */
};

struct appmaster_task {
    enum task_kind kind;
    uint32_t index;
    int state;                   /* enum appmaster_task_state */
    struct am_input_split split; /* maps */
    struct appmaster_attempt **attempts;
    size_t attempts_count;
    size_t attempts_capacity;
    struct appmaster_attempt *winner; /* while SUCCEEDED */
    uint32_t failures;
    int64_t pending_since_ms;
};

struct appmaster_worker {
    struct container_id id;
    uint64_t tag; /* of its calls */
    int state;    /* enum appmaster_worker_state */
    struct endpoint node;
    struct resource resource;
    uint32_t priority;
    struct slice token;
    struct appmaster_attempt *attempt; /* while BUSY */
    uint64_t ask_call; /* held GetTask while IDLE; 0: its caller has gone or waits anew */
    int64_t ask_until_ms;
    int64_t since_ms;    /* in its state */
    int64_t retry_at_ms; /* StartContainer again; INT64_MAX: none due */
    int64_t backoff_ms;
    bool has_asked;
    bool is_releasing; /* to be named in release until completed */
    struct arena *arena;
};

/* A held GetMapOutputs or GetJob. */
struct appmaster_held {
    uint64_t call;
    int64_t until_ms;
    uint64_t after;            /* sequence or version */
    struct attempt_id attempt; /* GetMapOutputs */
    uint32_t limit;
};

struct appmaster_output_row {
    uint32_t map;
    const struct appmaster_attempt *attempt;
    bool is_lost;
};

/* What the journal is to say, in order. */
struct appmaster_log_entry {
    struct appmaster_attempt *attempt;
    bool is_lost;
};

enum appmaster_plan_step {
    PLAN_FENCE,
    PLAN_OUTPUT,  /* must not exist */
    PLAN_JOURNAL, /* of earlier masters; not at the first attempt */
    PLAN_STATUS,  /* of input plan_input */
    PLAN_LIST,    /* of a directory */
    PLAN_BLOCKS,  /* of file plan_file */
    PLAN_DONE
};

struct appmaster {
    struct appmaster_settings settings;
    struct rng rng;
    struct arena *arena; /* lives as long as the job */
    int job;             /* enum am_job_state */
    int64_t now_ms;
    int64_t wall_ms;
    struct slice diagnostics;
    uint64_t version; /* of the job's report */
    uint64_t started_ms;
    uint64_t finished_ms;

    /* setup.c: the plan */
    enum appmaster_plan_step plan;
    size_t plan_input;
    struct slice *plan_files; /* in order */
    size_t plan_files_count;
    size_t plan_files_capacity;
    size_t plan_file;
    struct slice plan_after; /* ListStatus */
    bool call_out;           /* a namenode call of setup, commit or clean-up */
    int64_t call_at_ms;
    int64_t call_first_ms; /* when the current call was first tried */
    int64_t call_backoff_ms;

    /* tasks.c */
    struct appmaster_task *maps;
    size_t maps_count;
    size_t maps_capacity;
    struct appmaster_task *reduces;
    size_t reduces_count;
    size_t maps_done;
    size_t reduces_done;
    struct appmaster_output_row *rows; /* sequence is the index + 1 */
    size_t rows_count;
    size_t rows_capacity;
    uint32_t attempts_failed;
    uint32_t attempts_killed;
    uint32_t attempts_lost;
    uint32_t maps_rerun;

    /* workers.c */
    struct map_u64 *workers; /* by tag, in order of grant */
    struct map *workers_by_id;
    uint64_t next_tag;
    uint32_t worker_failures; /* in a row */
    struct appmaster_held *held_outputs;
    size_t held_outputs_count;
    size_t held_outputs_capacity;
    struct appmaster_held *held_jobs;
    size_t held_jobs_count;
    size_t held_jobs_capacity;

    /* journal.c */
    struct appmaster_log_entry *log;
    size_t log_count;
    size_t log_capacity;
    size_t log_durable;    /* entries before it are written */
    size_t log_sent;       /* ... or in the batch that is out */
    size_t splits_durable; /* the same of the plan, in maps */
    size_t splits_sent;
    bool journal_out; /* an append or the reading */
    int64_t journal_at_ms;
    int64_t journal_backoff_ms;
    int64_t begun_ms;
    const struct am_master_journal *recovered; /* in arena; until the plan is made */

    /* allocation.c */
    bool is_registered;
    bool register_out;
    bool is_recovering;
    uint64_t allocate_tag;   /* of the newest Allocate that is out; 0: none */
    uint64_t registered_tag; /* answers to calls with lower tags are of an earlier registration */
    uint64_t response_sequence;
    uint64_t request_sequence;
    uint32_t granted_total;
    uint64_t asks_hash; /* of the table last sent */
    bool asks_sent;
    int64_t rm_at_ms;
    int64_t rm_backoff_ms;

    /* commit.c */
    bool is_finishing; /* the job is over; cleaning and saying good-bye */
    int finish_step;
    bool finish_out;
};

enum {
    APPMASTER_TAG_NAMENODE = 1,
    APPMASTER_TAG_REGISTER,
    APPMASTER_TAG_FINISH,
    APPMASTER_TAG_HISTORY,
    APPMASTER_TAG_JOURNAL,
    APPMASTER_TAG_FIRST = 1000 /* workers and allocates */
};

struct appmaster_context {
    struct appmaster *am;
    struct actions *actions;
};

/* appmaster.c */
bool appmaster_job_apply(struct appmaster *am,
                         enum appmaster_job_event event,
                         struct actions *actions);
void appmaster_job_fail(struct appmaster *am, struct slice why, struct actions *actions);
bool appmaster_job_is_over(const struct appmaster *am);
int64_t appmaster_backoff(struct appmaster *am, int64_t *backoff_ms);

/* setup.c */
void appmaster_setup_advance(struct appmaster *am, struct actions *actions);
void appmaster_setup_response(struct appmaster *am,
                              const struct event *event,
                              struct actions *actions);
/* Shared by setup and commit: calls the namenode when none is out and its pause is over. */
bool appmaster_namenode_is_ready(const struct appmaster *am);
void appmaster_namenode_call(struct appmaster *am,
                             enum method method,
                             const void *request,
                             struct actions *actions);
/* True when the answer says "try again" and a pause was arranged; fails the job after give_up_ms.
 */
bool appmaster_namenode_retry(struct appmaster *am,
                              const struct event *event,
                              struct actions *actions);

/* tasks.c */
void appmaster_map_add(struct appmaster *am, const struct am_input_split *split);
void appmaster_reduces_make(struct appmaster *am);
struct appmaster_task *appmaster_task_choose(struct appmaster *am,
                                             const struct appmaster_worker *worker);
struct appmaster_attempt *appmaster_attempt_new(struct appmaster *am,
                                                struct appmaster_task *task,
                                                struct appmaster_worker *worker,
                                                struct actions *actions);
struct appmaster_attempt *appmaster_attempt_find(const struct appmaster *am,
                                                 const struct attempt_id *id);
void appmaster_attempt_done(struct appmaster *am,
                            struct appmaster_attempt *attempt,
                            const struct am_task_done_request *done,
                            struct actions *actions);
void appmaster_attempt_end(struct appmaster *am,
                           struct appmaster_attempt *attempt,
                           enum appmaster_attempt_event how,
                           struct slice diagnostics,
                           struct actions *actions);
void appmaster_attempt_report(struct appmaster *am,
                              struct appmaster_attempt *attempt,
                              const struct am_task_report_request *report);
/* One that succeeded under an earlier master. False when the record does not fit this job. */
bool appmaster_attempt_recover(struct appmaster *am,
                               const struct am_task_succeeded *record,
                               struct actions *actions);
void appmaster_map_output_lost(struct appmaster *am,
                               struct appmaster_task *task,
                               const char *why,
                               struct actions *actions);
void appmaster_node_lost(struct appmaster *am, uint64_t node_id, struct actions *actions);
/* 0: the split's block is on this host, 1: in this rack, 2: elsewhere. */
int appmaster_split_distance(const struct am_input_split *split, const struct endpoint *node);
size_t appmaster_tasks_pending(const struct appmaster *am, enum task_kind kind);
bool appmaster_reduces_may_start(const struct appmaster *am);
void appmaster_tasks_free(struct appmaster *am);
void appmaster_attempt_name(const struct attempt_id *id, char *ret_text, size_t room);

/* workers.c */
void appmaster_worker_granted(struct appmaster *am,
                              const struct rm_grant *grant,
                              struct actions *actions);
void appmaster_worker_completed(struct appmaster *am,
                                const struct rm_container_status *status,
                                struct actions *actions);
void appmaster_worker_gone(struct appmaster *am,
                           struct appmaster_worker *worker,
                           bool counts,
                           struct slice why,
                           struct actions *actions);
void appmaster_worker_started(struct appmaster *am,
                              const struct event *event,
                              struct actions *actions);
void appmaster_worker_free_of(struct appmaster *am,
                              struct appmaster_attempt *attempt,
                              struct actions *actions);
void appmaster_worker_release(struct appmaster *am,
                              struct appmaster_worker *worker,
                              struct actions *actions);
void appmaster_worker_stop(struct appmaster *am,
                           struct appmaster_worker *worker,
                           const char *why,
                           struct actions *actions);
void appmaster_workers_advance(struct appmaster *am, struct actions *actions);
int64_t appmaster_workers_deadline_ms(const struct appmaster *am);
struct appmaster_worker *appmaster_worker_find(const struct appmaster *am,
                                               const struct container_id *id);
void appmaster_workers_free(struct appmaster *am);

/* umbilical.c */
void appmaster_umbilical_request(struct appmaster *am,
                                 const struct event *event,
                                 struct actions *actions);
void appmaster_umbilical_advance(struct appmaster *am, struct actions *actions);
void appmaster_umbilical_cancelled(struct appmaster *am, uint64_t call);
int64_t appmaster_umbilical_deadline_ms(const struct appmaster *am);

/* journal.c */
void appmaster_journal_note(struct appmaster *am, struct appmaster_attempt *attempt, bool is_lost);
void appmaster_journal_read(struct appmaster *am, struct actions *actions);
void appmaster_journal_answered(struct appmaster *am,
                                const struct event *event,
                                struct actions *actions);
/* After the plan: takes over what earlier masters finished. */
void appmaster_journal_recover(struct appmaster *am, struct actions *actions);
void appmaster_journal_advance(struct appmaster *am, struct actions *actions);
int64_t appmaster_journal_deadline_ms(const struct appmaster *am);

/* allocation.c */
void appmaster_allocation_advance(struct appmaster *am, struct actions *actions);
void appmaster_allocation_response(struct appmaster *am,
                                   const struct event *event,
                                   struct actions *actions);
int64_t appmaster_allocation_deadline_ms(const struct appmaster *am);

/* commit.c */
void appmaster_commit_advance(struct appmaster *am, struct actions *actions);
void appmaster_commit_response(struct appmaster *am,
                               const struct event *event,
                               struct actions *actions);
void appmaster_finish_response(struct appmaster *am,
                               const struct event *event,
                               struct actions *actions);

/* report.c */
void appmaster_report_make(const struct appmaster *am,
                           struct arena *arena,
                           struct am_job_report *ret_report);
void appmaster_attempts_make(const struct appmaster *am,
                             struct arena *arena,
                             struct am_list_attempts_response *ret_response);
void appmaster_job_request(struct appmaster *am,
                           const struct event *event,
                           struct actions *actions);
void appmaster_jobs_advance(struct appmaster *am, struct actions *actions);

#endif
