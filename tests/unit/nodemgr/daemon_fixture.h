/*
 * daemon_fixture.h - a real node manager, in a process of its own, and this process as its resource
 * manager: it commands, and notes what it is told.
 */
#ifndef MILLRACE_TESTS_UNIT_NODEMGR_DAEMON_FIXTURE_H
#define MILLRACE_TESTS_UNIT_NODEMGR_DAEMON_FIXTURE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/model/messages.h"
#include "tests/support/unit.h"

enum {
    MIB = 1 << 20,
    APP_TIMESTAMP = 5
};

/* Rebuilt for every test. */
struct daemon_fixture {
    struct arena *arena;
    const char *root;                     /* a temporary folder */
    const char *directory;                /* the node manager's, in it */
    const char *limits;                   /* the setting nodemgr.limits; NULL: automatic */
    int64_t pid;                          /* of the node manager, 0: none */
    struct rm_register_node_request node; /* the newest registration */
};

extern struct daemon_fixture f;

/* The first argument that makes the test program a node manager. */
#define DAEMON_ARGUMENT "--be-the-node-manager"

int daemon_fixture_be_daemon(int argc, char **argv);
void daemon_fixture_setup(void);
void daemon_fixture_teardown(void);

/* Starts the node manager and waits until it is registered and knows that. */
void given_daemon(void);
/* Signals it and returns its exit code, or 128 + signal. */
int when_daemon_ends(bool by_kill);

struct container_id container(uint64_t sequence);
/* Commands a container of alice, application 1, that runs script with /bin/sh. */
void when_launch_commanded(uint64_t sequence, uint64_t memory_bytes, const char *script);
void when_kill_commanded(uint64_t sequence);
void when_forget_commanded(void);
/* The same by StartContainer with a grant for granted, as the user of caller_subject. */
enum status when_start_asked(uint64_t sequence,
                             uint64_t granted,
                             const char *caller_subject,
                             const struct rm_launch_spec *launch,
                             struct error *reterr_error);
enum status when_stop_asked(uint64_t sequence, const char *caller_subject);
struct rm_launch_spec shell_launch(const char *script);

/* Waits until the node manager has told the container's end. */
struct rm_container_status expect_completed(uint64_t sequence);
bool has_unregistered(void);
/* Waits until a heartbeat says that the node is unusable for a reason with why in it; NULL: that it
 * is well. */
void expect_unusable(const char *why);
/* Waits until the file, below the node manager's folder, holds a whole line; returns it. */
struct slice expect_line(const char *path);
/* Waits until no process has this id. */
void expect_gone(int64_t pid);
/* "logs/application.../container.../<name>" */
const char *log_path(uint64_t sequence, const char *name);
bool is_there(const char *path);

/* GET of the node manager's HTTP address; subject NULL: without a token. */
unsigned http_code_of(const char *path, const char *subject, struct buf *ret_body);

#endif
