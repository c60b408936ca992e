/*
 * nodemgr_fixture.h - a node manager's machine driven with events. What it does is compared as
 * text: its trace lines, then one line for each action, step by step.
 */
#ifndef MILLRACE_TESTS_UNIT_NODEMGR_NODEMGR_FIXTURE_H
#define MILLRACE_TESTS_UNIT_NODEMGR_NODEMGR_FIXTURE_H

#include "lib/base/buf.h"
#include "nodemgr/core/nodemgr.h"
#include "tests/support/unit.h"

enum {
    GIB = 1 << 30,
    NODE = 7,
    EPOCH = 2,
    INTERVAL_MS = 1000,
    GRACE_MS = 250,
    RETRY_MS = 50
};

struct nodemgr_fixture {
    struct nodemgr *nodemgr;
    struct actions actions;
    struct trace trace;
    struct buf text;
    int64_t now_ms;
    uint64_t tag_of[METHOD_COUNT]; /* the newest call of each method */
    uint64_t localize_tag[64];     /* by container sequence */
    uint64_t launch_tag[64];
    uint64_t forget_tag[64];            /* by application sequence */
    struct rm_local_resource localized; /* the newest localize's first resource */
    struct slice diagnostics;           /* of the newest report's first container */
    struct arena *arena;
};

/* Rebuilt for every test. */
extern struct nodemgr_fixture f;

#define EXPECT(text) expect_text((text), __LINE__)

void expect_text(const char *expected, int line);
void nodemgr_setup(void);
void nodemgr_teardown(void);
struct nodemgr_settings plain_settings(void);
/* EVENT_START has come; the registration is on its way and the text empty. */
void given_node(void);
/* The registration was accepted; the first heartbeat is on its way and the text empty. */
void given_registered(void);
/* Container of application 1 with 1 GiB and 1 vcore has its process, which is its sequence + 100.
 */
void given_running(uint64_t sequence);
struct container_id container(uint64_t sequence);
struct rm_launch_spec plain_launch(void);
void step(struct event event);
void when_ms_pass(int64_t ms);
/* Lets time come to the machine's deadline, once. */
void when_deadline_comes(void);
void when_answered(enum method method, enum status status, const void *message);
void when_registered_with(uint64_t session);
/* The held heartbeat is answered with these commands. */
void when_commanded(const struct rm_node_command *commands, size_t count);
void when_kill_commanded(uint64_t sequence);
void when_forget_commanded(void);
void when_launch_commanded(uint64_t sequence, uint64_t memory_bytes);
/* StartContainer, by alice, with a good token, as call number 1000 + sequence. */
void when_start_asked(uint64_t sequence);
void when_start_asked_with(uint64_t sequence,
                           const char *token,
                           const char *user,
                           const struct rm_launch_spec *launch);
void when_stop_asked(uint64_t sequence, const char *user);
void when_localized(uint64_t sequence, enum status status);
void when_launched(uint64_t sequence, enum status status);
void when_forgotten(enum status status);
void when_exited(uint64_t sequence, int32_t exit_code, int32_t signal, const char *stderr_tail);

#endif
