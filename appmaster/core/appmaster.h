/*
 * appmaster.h - the application master's machine: one job.
 *
 * It plans the maps from the input's blocks, asks the resource manager for containers, starts task
 * processes in them, hands attempts to the processes that ask for work, runs lost outputs again,
 * and publishes the whole output in one namenode transaction fenced by its attempt number.
 *
 * Invariants (appmaster_check):
 *   AM-1 a task is SUCCEEDED exactly while it has a winning attempt, and at most one attempt wins;
 *   AM-2 an attempt that is RUNNING has a worker, and that worker has this attempt;
 *   AM-3 a worker has at most one attempt;
 *   AM-4 the output is published only in COMMITTING, with every task SUCCEEDED;
 *   AM-5 no task has failed more than attempts_max times while the job goes on;
 *   AM-6 the newest row of a map in the table of outputs is lost exactly when the map is not
 * SUCCEEDED; AM-7 at most one Allocate that is not overtaken is outstanding;
 *   AM-8 a success is durable only when a batch that holds it was written, in order.
 *
 * States: docs/states/appmaster_job.dot, appmaster_task.dot, appmaster_attempt.dot,
 * appmaster_worker.dot. An attempt is made when a process asks for work ("late binding"), so that a
 * process takes the task that is best for its node at that time.
 *
 * Requests it answers: services Umbilical and Job of am.proto.
 * Calls it makes: MasterTracker (rm_address), Namenode (namenode_address), NodeManager (a grant's
 * node).
 */
#ifndef MILLRACE_APPMASTER_CORE_APPMASTER_H
#define MILLRACE_APPMASTER_CORE_APPMASTER_H

#include "lib/base/transition.h"
#include "lib/model/machine.h"

struct appmaster;

/* All strings and the job must outlive the machine. */
struct appmaster_settings {
    struct app_id app;
    uint32_t app_attempt;          /* from 1; also the fencing epoch */
    struct container_id container; /* the master's own, never used for tasks */
    struct am_job_spec job;
    struct slice user;
    struct slice self_address; /* where tasks and clients reach this master, "host:port" */
    struct slice rm_address;
    struct slice namenode_address;
    struct slice history_path;  /* file that NODE APPMASTER_WRITE_HISTORY writes */
    struct slice credential;    /* given to task processes as MILLRACE_TASK_TOKEN; may be empty */
    uint64_t submitted_ms;      /* wall clock */
    int64_t worker_idle_ms;     /* an idle container is given back after so long; default 1000 */
    int64_t worker_start_ms;    /* from a started container to its first call; default 30000 */
    int64_t report_interval_ms; /* between a task's reports; default 1000 */
    int64_t starve_ms;          /* a map that waits so long takes a reduce's place; default 2000 */
    int64_t retry_min_ms;       /* default 50 */
    int64_t retry_max_ms;       /* default 2000 */
    int64_t give_up_ms;         /* namenode silent for so long: the job fails; default 600000 */
    int64_t call_timeout_ms;    /* default 10000 */
    int64_t journal_after_ms;   /* a job younger than this writes no journal, and between two writes
                                   passes so long or a hundredth of the job's age; default 200 */
    uint32_t
        worker_failures_max; /* containers in a row that died before asking for work; default 8 */
};

enum appmaster_effect {
    APPMASTER_WRITE_HISTORY,  /* struct am_job_history: write to settings.history_path; answer:
                                 status */
    APPMASTER_APPEND_JOURNAL, /* struct am_master_journal: append to this attempt's journal, all or
                                 nothing; answer: status. After a failure it may be there all the
                                 same */
    APPMASTER_READ_JOURNAL, /* no data; answer: struct am_master_journal of all earlier attempts' in
                               order, or the status */
    APPMASTER_EFFECT_COUNT
};

/* ERR_INVALID when an address, an input or the output is missing, or a number is out of its limits.
 */
MUST_USE enum status appmaster_open(const struct appmaster_settings *settings,
                                    uint64_t seed,
                                    struct appmaster **ret_appmaster);
void appmaster_step(struct appmaster *appmaster,
                    const struct event *event,
                    struct actions *ret_actions);
int64_t appmaster_deadline_ms(const struct appmaster *appmaster);
void appmaster_check(const struct appmaster *appmaster);
void appmaster_close(struct appmaster *appmaster); /* NULL is fine */

/* The tables, for tools/draw-states and its check. */
extern const struct transition_table appmaster_job_table;
extern const struct transition_table appmaster_task_table;
extern const struct transition_table appmaster_attempt_table;
extern const struct transition_table appmaster_worker_table;

#endif
