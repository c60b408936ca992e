/*
 * echo.h - a small machine behind the real door, for tests of the shell: it counts, durably.
 *
 *   SubmitApp name "count"   journals the next count, replies it as app.sequence
 *             name "fail"    fails with ERR_SAFE_MODE
 *             name "bad"     journals a record that cannot be packed
 *             name "exit"    asks for the end with exit code 42
 *   GetApp    after_version  is held until the count is above it; replies count, caller and
 *                            (as diagnostics) the caller's groups
 *   KillApp   diagnostics    "effect": asks for ECHO_EFFECT and replies when it is done;
 *                            otherwise an address: calls GetApp there, replies what came back;
 *                            was_running in the reply is whether that was OK
 *   EVENT_LOCAL              raises the count by the number in data
 *   EVENT_TICK               once, ECHO_TICK_MS after the start, raises the count by 1000
 *   EVENT_STOP               asks for the end with exit code 0
 */
#ifndef MILLRACE_TESTS_UNIT_DAEMON_ECHO_H
#define MILLRACE_TESTS_UNIT_DAEMON_ECHO_H

#include "lib/daemon/shell.h"
#include "lib/model/machine.h"

enum {
    ECHO_EFFECT = 7,
    ECHO_HELD_MAX = 64
};

struct echo_held {
    uint64_t call;
    uint64_t after;
    char user[64];
    char groups[128]; /* of user: "a,b" */
};

struct echo {
    int64_t tick_after_ms; /* 0: never ticks */
    bool holds_stop;       /* never answers EVENT_STOP */
    uint64_t count;
    uint64_t last_tag;
    int64_t deadline_ms;
    struct echo_held held[ECHO_HELD_MAX];
    size_t held_count;
    uint64_t asked[1024]; /* call by tag */
    size_t cancelled_count;
    bool is_started;
    bool is_broken;    /* makes echo_check abort */
    bool is_forgetful; /* knows something that its journal does not say */
};

extern const struct machine_door echo_door_row;

struct echo *echo_open(void);

#endif
