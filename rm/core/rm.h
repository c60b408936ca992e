/*
 * rm.h - the resource manager's machine: applications, nodes, queues, container grants.
 *
 * It owns which applications exist (journaled), which nodes there are and which container holds
 * which resources on which node (both told anew by the nodes after a restart). It serves the
 * services ResourceManager, NodeTracker and MasterTracker of proto/rm.proto.
 *
 * INVARIANTS (rm_check asserts each by number)
 *
 *   RM-1  Each application has one id; ids, epochs and container sequences only grow, so no
 *         container id is ever given twice, not even after a restart.
 *   RM-2  What a client or master was told of an application (its id, that it is to be killed,
 *         that its master is launched, that it is over) was journaled in or before the step of the
 *         answer.
 *   RM-3  An application has one current attempt until it is over, and none after; only the
 *         current attempt asks, is granted or registers. At most one master container is not being
 *         killed.
 *   RM-4  A container holds its resources on exactly one node until it is COMPLETED.
 *   RM-5  What containers hold on a node is the node's `used`, and no grant makes it exceed the
 *         node's capacity. (Containers that a node brings along when it registers are counted even
 *         if they do.)
 *   RM-6  The cluster's capacity and used are the sums over its ACTIVE nodes.
 *   RM-7  A node that is LOST or SHUTDOWN holds no container.
 *   RM-8  A task's container that no answer has yet named is GRANTED and sits in its attempt's
 *         list of grants; an answer that its master has not acknowledged is kept, word for word.
 *   RM-9  At most one call is held for each node and for each application's master.
 *   RM-10 A node's commands have rising sequences above what it acknowledged; while there are any,
 *         no heartbeat of the node is held.
 *   RM-11 No step ends with an ask that some node has room for, unless a limit of its queue or user
 *         or room kept for another (docs/scheduler.md) holds it back, or locality delay does, and
 *         then the deadline says until when. Grants never wait for a heartbeat.
 *   RM-12 An application that is over has no asks, never changes state again and is kept until
 *         finished_apps_max newer ones are over.
 *   RM-13 What an application's containers hold is counted in its user, its queue and every queue
 *         above, and so are its life and its master; it stands in a queue until it is over and
 *         holds nothing.
 *   RM-14 A node is kept for one wish that still wants it, which was overtaken; while any was, the
 *         deadline says when it is looked at again.
 *   RM-15 A container that is warned has a time at which it is killed or spared, and is in the list
 *         of those; while there are any, the deadline is not later.
 *
 * STATES (tables in applications.c, attempts.c, allocations.c, nodes.c; drawn in docs/states)
 *
 *   application  NEW -> SUBMITTED -> ACCEPTED <-> RUNNING -> FINISHED | FAILED | KILLED
 *                (enum rm_app_state; ACCEPTED again when its master was lost and is retried)
 *   attempt      WAITING (for room) -> LAUNCHING (container granted) -> REGISTERED -> OVER;
 *                RECOVERING after a restart: launched earlier, not heard of yet
 *   allocation   GRANTED (decided) -> ACQUIRED (named in an answer; a master's: its launch was
 *                accepted) -> RUNNING (its node said so) -> KILLING -> COMPLETED
 *   node         ACTIVE -> LOST | SHUTDOWN -> ACTIVE (enum rm_node_state)
 *
 * FOR NODE MANAGERS (caller "millrace"; anyone else gets ERR_DENIED)
 *
 *   - RegisterNode starts a session, also for a node that has one: everything of the old session
 *     is void. An incarnation below the highest seen is ERR_STALE (a copy of the node's
 *     directory). `containers`: all that are localizing, run, are being killed, or completed
 *     unacknowledged; `apps`: all applications with directories. The answer's `kill` names
 *     containers to kill and report COMPLETED, as by NODE_KILL_CONTAINER; among them may be some
 *     that are not there, which a master may still try to start. A container the resource manager
 *     counted as started but that is not listed has completed with -100. Completed ones that are
 *     listed are acknowledged by the answer.
 *   - A container of an earlier epoch is taken over at the node's first registration after a
 *     restart of the resource manager, if its application lives and it belongs to the current
 *     attempt. Anything else unknown is in `kill`. After a node was LOST all its containers are in
 *     `kill`.
 *   - NodeHeartbeat with an unknown node or another session: ERR_STALE, register again. It is held
 *     until there are commands or heartbeat_interval_ms have passed: call it again at once after
 *     each answer, with a deadline well above the interval. A newer heartbeat ends the held one
 *     with ERR_CANCELLED; that is no reason to do anything.
 *   - Commands are answered again until `acknowledged` covers them: acknowledge (in the very next
 *     heartbeat) when the command is accepted, not when its work is done. Performing one twice
 *     must be harmless. NODE_KILL_CONTAINER for a container that is not there: report it COMPLETED
 *     with -106 and refuse to start it later. NODE_LAUNCH_MASTER carries container, launch,
 *     resource, user and app and needs no token; its own container is RM_MASTER_SEQUENCE.
 *     NODE_FORGET_APP comes only when no container of the application is left on the node.
 *   - `started` names containers whose process started; `completed` (also in ContainersCompleted,
 *     which is answered at once; the answer acknowledges all it held) those that ended, with
 *     exit_status and diagnostics. Both may be repeated. A container never reported started within
 *     container_launch_ms is killed.
 *   - StartContainer for a container that is not there and whose epoch is below that of the last
 *     RegisterNode answer: refuse it with ERR_STALE. Its resources may be another's by now.
 *   - Silent (no heartbeat or registration arrived) for node_lost_ms: the node is LOST.
 *
 * FOR APPLICATION MASTERS (caller: the application's user, or "millrace")
 *
 *   - Answers to all three calls: ERR_NOT_FOUND the application is unknown; ERR_FENCED a newer
 *     attempt exists or this one was given up: exit at once, publish nothing. The fencing epoch
 *     for output is app_attempt.
 *   - RegisterMaster (repeatable, also later): running = every container of the attempt the
 *     resource manager counts, except the master's own, delivered or not; use or release those
 *     unknown to you. It is authoritative: containers you hold that are not listed are gone
 *     (-100), unless is_recovering: then keep them; must_resync will come once more when recovery
 *     is over. After it set response_sequence = 0, granted_total = 0, send the whole table with
 *     asks_changed; request_sequence goes on growing.
 *   - Allocate is held until there is news or heartbeat_interval_ms have passed. Call it again at
 *     once; to change asks while one is held just send a newer one: the held one ends with
 *     ERR_CANCELLED. Accept an answer only if its response_sequence is the last one's + 1; another
 *     is a repetition. An answer is repeated word for word until a request acknowledges it with
 *     response_sequence; anything but the last or the last but one is ERR_STALE (a request that
 *     was overtaken): ignore it. completed may name a container twice or one you have forgotten.
 *   - must_resync: nothing else in that answer counts, its response_sequence neither;
 *     RegisterMaster. must_stop: kill asked by a person (or the application is over): stop,
 *     FinishMaster with FINAL_KILLED; forced after kill_grace_ms. must_stop wakes a held call once
 *     and stays set.
 *   - Silent (no Allocate or RegisterMaster arrived) for master_lost_ms: the attempt is given up,
 *     its containers are killed, the next attempt starts or the application fails. So it is when
 *     the master's container ends before FinishMaster. -100 (node lost), -102, -105 and -106 and a
 *     restart of the resource manager do not count against master_attempts_max.
 *   - FinishMaster may be repeated. FINAL_KILLED makes the application KILLED, anything else
 *     FINISHED with that final status; ERR_FENCED when it ended otherwise before. All other
 *     containers are killed at once, the master's own after kill_grace_ms.
 *   - Container sequence 1 is always the attempt's master; tasks start at 2 in each epoch.
 *   - A grant not reported started by its node within container_launch_ms of the answer that first
 *     named it is taken back: completed with -100. release is idempotent; a released container
 *     comes back in completed (-100) once its resources are free.
 *   - lost_node_ids: nodes that ever ran a container of the application and are gone: outputs
 *     there, too. Their containers are in completed with -100.
 *
 * ASKS (YARN's accounting). The table has rows {priority, place, resource} -> want. Rows with
 * equal priority and resource form one group:
 *
 *   - the "*" row is the group's total: how many containers are wanted anywhere; a group without
 *     it, or with want 0, gets nothing;
 *   - a rack row says how many of the total would be served well on that rack, a host row on that
 *     host. A map with its block on hosts a, b of racks /r0, /r1 adds one to rows a, b, /r0, /r1,
 *     "*". Host rows may so add up to more than the total.
 *   - a grant on host h of rack r takes one from row h if that is above 0, one from row r if above
 *     0, and always one from "*". The master, who alone knows which request was served, sends the
 *     corrected table next; until then rows may be too high but never the total.
 *   - want counts what the master has not received in granted_total grants; grants on their way
 *     are taken off by the rule above, in the order they were made.
 *   - relax_locality false on "*": nothing outside the rack rows' racks (and host rows' hosts);
 *     false on a rack row: on that rack only hosts with a row. Set it on every row you do not mean
 *     so.
 *   - Lower priority numbers first; in one priority in the table's order. Among applications:
 *     docs/scheduler.md. An ask that does not fit anywhere now is passed over, so smaller or later
 *     ones may overtake it, until a node is kept for it.
 *
 * Delay scheduling is by time and starts at the first refusal: when a node has room but no wanted
 * row, the group waits for node_delay_ms for its hosts, then rack_delay_ms for its racks, then
 * takes any node. A grant on a wanted host starts the wait anew. Hosts and racks without an active
 * node are not waited for. (Zaharia et al., "Delay Scheduling", EuroSys 2010, with time for skip
 * counts.)
 *
 * Called from one thread; no clock, file or lock inside. Sources: Hadoop 3.4 YARN's protocols for
 * names and numbers; the answers' counting: docs/decisions/0020-absolute-asks.md.
 */
#ifndef MILLRACE_RM_CORE_RM_H
#define MILLRACE_RM_CORE_RM_H

#include "lib/base/buf.h"
#include "lib/model/machine.h"

struct transition_table;

struct rm;

/* Whose calls come from our own daemons. */
#define RM_DAEMON_USER   "millrace"
#define RM_QUEUE_DEFAULT "root.default"

enum {
    RM_EXIT_ABORTED = -100, /* node lost, never started, released */
    RM_EXIT_PREEMPTED = -102,
    RM_EXIT_KILLED_BY_RM = -106,
    RM_MASTER_SEQUENCE = 1 /* of a master's container; tasks' are above */
};

/* What only the shell can do. */
enum rm_effect {
    /* Reads the file of queues; the answer's data is a struct rm_queue_specs, which is checked. */
    RM_EFFECT_READ_QUEUES
};

/* All durations in ms, at least 1 unless said. rm_settings_default gives the values named. */
struct rm_settings {
    struct slice admin_user;              /* may kill any application; empty: only "millrace" */
    int64_t node_heartbeat_interval_ms;   /* 1,000; how long a heartbeat is held */
    int64_t node_lost_ms;                 /* 10,000; above node_heartbeat_interval_ms */
    int64_t master_heartbeat_interval_ms; /* 1,000; how long an Allocate is held */
    int64_t master_lost_ms;               /* 30,000; above master_heartbeat_interval_ms */
    int64_t master_launch_ms;             /* 60,000; from a master's grant to its registration */
    int64_t container_launch_ms;          /* 60,000; from acquired to started */
    int64_t kill_grace_ms;                /* 10,000; must_stop, and an ended master's exit */
    int64_t recovery_grace_ms;            /* 10,000; after a restart */
    int64_t node_delay_ms;                /* 50; 0: none */
    int64_t rack_delay_ms;                /* 50; 0: none */
    uint32_t master_attempts_max;         /* 2; default and upper limit of an application's own */
    uint32_t masters_percent_max;         /* 50; share of the cluster's memory and vcores that
                                             masters may hold together; one always may */
    uint32_t finished_apps_max;           /* 1,000 */
    uint32_t live_apps_max;               /* 10,000; more are refused with ERR_LIMIT */
    int64_t hold_after_ms;                /* 2,000; room is kept for what waited so long for it */
    uint32_t hold_percent;                /* 10; of the nodes, kept at once; 0: none */
    int64_t preempt_interval_ms; /* 3,000; two looks below the guarantee, and room is made */
    int64_t preempt_grace_ms;    /* 15,000; from the warning to the kill */
    const struct rm_queue_specs *queues; /* read by rm_open only; NULL: root.default alone */
    struct resource container_max;       /* zero: no limit but the largest node */
    struct resource master_resource;     /* 512 MiB, 1 vcore; when a submission names none */
};

struct rm_settings rm_settings_default(void);

/*
 * The door of lib/model/machine.h. seed is unused: nothing here is random. ERR_INVALID names no
 * setting: ask rm_settings_check first.
 */
MUST_USE enum status rm_open(const struct rm_settings *settings, uint64_t seed, struct rm **ret_rm);
void rm_step(struct rm *rm, const struct event *event, struct actions *ret_actions);
int64_t rm_deadline_ms(const struct rm *rm);
void rm_check(const struct rm *rm);
void rm_snapshot(const struct rm *rm, struct actions *ret_actions);
/* Appends one line that sums up what the journal determines (docs/checkpoint.md). */
void rm_tally(const struct rm *rm, struct buf *text);
void rm_close(struct rm *rm);

/*
 * Finds what is wrong with the queues: ERR_INVALID with one sentence that names file, line, queue,
 * reason and way out. rm_open and a refresh take only what passes.
 */
struct error;
MUST_USE enum status rm_queues_check_specs(const struct rm_queue_specs *specs,
                                           struct error *reterr_error);

/* NULL when all is in range, else the name of the first setting at fault ("node_lost_ms"). */
const char *rm_settings_check(const struct rm_settings *settings);

/* The state tables, for drawing and their own test: application, attempt, allocation, node. */
enum {
    RM_TABLE_COUNT = 4
};

const struct transition_table *rm_table(size_t index);

#endif
