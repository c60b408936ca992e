/*
 * fixture.h - drives the resource manager's machine in tests: a clock that jumps from deadline to
 * deadline, pretended clients, node managers and masters, the journal and the trace. rm_check runs
 * after every step, and every call must be answered exactly once.
 */
#ifndef MILLRACE_TESTS_UNIT_RM_FIXTURE_H
#define MILLRACE_TESTS_UNIT_RM_FIXTURE_H

#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/model/ids.h"
#include "rm/core/rm.h"
#include "tests/support/unit.h"

enum {
    FIXTURE_COMMANDS_MAX = 256,
    FIXTURE_START_MS = 1000
};

#define GIB ((uint64_t)1 << 30)

struct answer {
    bool is_open; /* not answered yet */
    enum status status;
    const char *text;
    const void *message;
};

struct journal_record {
    const struct message_type *type;
    const void *message;
};

struct fixture {
    struct rm_settings settings;
    struct rm *rm;
    struct actions actions;
    struct arena *arena;
    struct trace trace;
    struct buf text; /* the trace since fixture_trace_clear */
    int64_t now_ms;
    uint64_t last_call;
    struct map_u64 *answers; /* call -> struct answer */
    struct journal_record *journal;
    size_t journal_count;
    size_t journal_capacity;
    size_t open_calls;
    bool has_exited;
    int exit_code;
    uint64_t effect_tag; /* of the last effect asked for */
};

/* A node manager that does what it is told as soon as it is told, but starts nothing by itself. */
struct fake_node {
    uint64_t id;
    const char *host;
    const char *rack;
    struct resource capacity;
    uint64_t incarnation;
    uint64_t session;
    uint64_t acknowledged;
    uint64_t call;                                         /* the heartbeat under way */
    struct rm_node_command commands[FIXTURE_COMMANDS_MAX]; /* all it was ever told */
    size_t command_count;
};

struct fake_master {
    struct app_id app;
    uint32_t app_attempt;
    uint64_t response_sequence;
    uint32_t granted_total;
    uint64_t request_sequence;
    uint64_t call; /* the Allocate under way */
};

/* Opens the machine with f->settings (set them before) and starts it with an empty journal. */
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
/* A new machine from the journal; every open call is forgotten. */
void fixture_restart(struct fixture *f);
/* The same, from rm_snapshot's records in place of the journal's. */
void fixture_restart_from_snapshot(struct fixture *f);
void fixture_step(struct fixture *f, struct event *event);
/* Returns the call's id. */
uint64_t fixture_request(struct fixture *f,
                         enum method method,
                         const void *message,
                         const char *user);
/* Lets time pass, ticking at each deadline on the way. */
void fixture_pass_ms(struct fixture *f, int64_t duration_ms);
void fixture_trace_clear(struct fixture *f);
/* True when the trace holds this line. */
bool fixture_traced(const struct fixture *f, const char *line);
struct answer *fixture_answer(const struct fixture *f, uint64_t call);
/* The reply of a call that succeeded; fails the test and aborts when there is none. */
const void *fixture_reply(const struct fixture *f, uint64_t call);
bool fixture_is_held(const struct fixture *f, uint64_t call);
enum status fixture_status(const struct fixture *f, uint64_t call);
size_t fixture_journaled(const struct fixture *f, const struct message_type *type);

struct resource resource_of(uint64_t memory_gib, uint32_t vcores);

/* Registers and begins to beat. */
struct fake_node given_node(
    struct fixture *f, uint64_t id, const char *host, const char *rack, uint32_t vcores);
void node_register(struct fixture *f,
                   struct fake_node *node,
                   const struct rm_container_status *containers,
                   size_t containers_count,
                   const struct app_id *apps,
                   size_t apps_count);
void node_beat(struct fixture *f, struct fake_node *node);
void node_beat_started(struct fixture *f, struct fake_node *node, struct container_id started);
void node_complete(struct fixture *f,
                   struct fake_node *node,
                   struct container_id container,
                   int32_t exit_status);
/* Takes the answer of the heartbeat, if there is one, notes its commands and beats again. */
void node_listen(struct fixture *f, struct fake_node *node);
/* The how-manieth command of this kind the node was told, from 0; NULL when there are fewer. */
const struct rm_node_command *node_command(const struct fake_node *node,
                                           enum rm_node_command_kind kind,
                                           size_t index);

/* Submits for user; a resource of 1 GiB, 1 vcore for the master. */
struct app_id given_app(struct fixture *f,
                        const char *user,
                        uint64_t request_id,
                        uint32_t priority);
struct rm_app_report app_report(struct fixture *f, struct app_id app);
/* The node has been told to launch the master: it starts and registers. */
struct fake_master given_master(struct fixture *f, struct fake_node *node, struct app_id app);
const struct rm_register_master_response *master_register(struct fixture *f,
                                                          struct fake_master *master);
/* asks NULL: unchanged. */
void master_allocate(struct fixture *f,
                     struct fake_master *master,
                     const struct rm_ask *asks,
                     size_t asks_count);
void master_release(struct fixture *f, struct fake_master *master, struct container_id container);
/* The answer of the call under way, accepted by the master. Aborts when it is still held. */
const struct rm_allocate_response *master_hear(struct fixture *f, struct fake_master *master);
uint64_t master_finish(struct fixture *f, struct fake_master *master, enum rm_final_status status);
struct rm_ask ask_of(uint32_t priority, const char *place, uint32_t want);

#endif
