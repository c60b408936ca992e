/*
 * daemon_fixture.c - see daemon_fixture.h.
 */
#include "tests/unit/nodemgr/daemon_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/daemon/cluster.h"
#include "lib/daemon/grant.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "lib/net/http_client.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/process.h"
#include "lib/os/thread.h"
#include "lib/services/calls.h"
#include "lib/services/server.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

enum {
    WAIT_MS = 30000, /* never reached unless something is broken */
    POLL_MS = 5,
    ENDS_MAX = 64,
    COMMANDS_MAX = 64
};

struct daemon_fixture f;

/* The resource manager's side; all behind the mutex. */
static struct rm_side {
    struct mutex *mutex;
    struct condition *changed;
    struct rpc_server *server;
    struct rpc_client *client;
    struct http_client *http;
    struct token_secret secret;
    struct arena *arena;
    uint64_t registrations;
    uint64_t beaten;              /* the newest session that a heartbeat named */
    struct service_request *held; /* the heartbeat */
    struct rm_node_command commands[COMMANDS_MAX];
    size_t commands_count; /* not acknowledged */
    uint64_t sequence;
    struct rm_container_status ends[ENDS_MAX];
    size_t ends_count;
    bool has_unregistered;
    struct slice unusable; /* as the newest heartbeat says */
} rm_side;

static const char *const rm_services[] = {"NodeTracker", NULL};

/* --- as the resource manager ------------------------------------------------------------------ */
static void note_ends(const struct rm_container_status *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < rm_side.ends_count; j++)
            is_known |= container_id_equal(rm_side.ends[j].container, statuses[i].container);
        if (is_known || rm_side.ends_count == ENDS_MAX)
            continue;
        message_copy_into(&rm_container_status_type, &statuses[i],
                          &rm_side.ends[rm_side.ends_count++], rm_side.arena);
    }
}

static void answer_held(void)
{
    struct rm_node_heartbeat_response response = {.commands = rm_side.commands,
                                                  .commands_count = rm_side.commands_count};
    if (!rm_side.held)
        return;
    service_reply(rm_side.held, &response);
    rm_side.held = NULL;
}

static void take_heartbeat(struct service_request *request)
{
    const struct rm_node_heartbeat_request *beat = request->message;
    if (beat->session != rm_side.registrations) {
        service_fail(request, ERR_STALE, slice_from_string("another session"));
        return;
    }
    rm_side.beaten = beat->session;
    rm_side.unusable = arena_copy(rm_side.arena, beat->unusable);
    answer_held();
    note_ends(beat->completed, beat->completed_count);
    size_t kept = 0;
    for (size_t i = 0; i < rm_side.commands_count; i++) {
        if (rm_side.commands[i].sequence > beat->acknowledged)
            rm_side.commands[kept++] = rm_side.commands[i];
    }
    rm_side.commands_count = kept;
    rm_side.held = request;
    if (kept > 0)
        answer_held();
}

static void take_call(void *user, struct rpc_request *call)
{
    static const struct rm_containers_completed_response completed = {0};
    static const struct rm_unregister_node_response unregistered = {0};
    (void)user;
    struct service_request *request = service_accept(call, rm_services);
    if (!request)
        return;
    mutex_lock(rm_side.mutex);
    if (request->method == METHOD_NODE_TRACKER_REGISTER_NODE) {
        message_copy_into(&rm_register_node_request_type, request->message, &f.node, rm_side.arena);
        note_ends(f.node.containers, 0);
        struct rm_register_node_response response = {.session = ++rm_side.registrations,
                                                     .heartbeat_interval_ms = 5000,
                                                     .epoch = 1,
                                                     .cluster_timestamp = APP_TIMESTAMP};
        rm_side.sequence = 0;
        service_reply(request, &response);
    } else if (request->method == METHOD_NODE_TRACKER_NODE_HEARTBEAT) {
        take_heartbeat(request);
    } else if (request->method == METHOD_NODE_TRACKER_CONTAINERS_COMPLETED) {
        const struct rm_containers_completed_request *report = request->message;
        note_ends(report->completed, report->completed_count);
        service_reply(request, &completed);
    } else {
        rm_side.has_unregistered = true;
        service_reply(request, &unregistered);
    }
    condition_broadcast(rm_side.changed);
    mutex_unlock(rm_side.mutex);
}

static void command(struct rm_node_command wanted)
{
    mutex_lock(rm_side.mutex);
    CU_ASSERT_TRUE_FATAL(rm_side.commands_count < COMMANDS_MAX);
    wanted.sequence = ++rm_side.sequence;
    message_copy_into(&rm_node_command_type, &wanted, &rm_side.commands[rm_side.commands_count++],
                      rm_side.arena);
    answer_held();
    mutex_unlock(rm_side.mutex);
}

/* --- life ------------------------------------------------------------------------------------- */
int daemon_fixture_be_daemon(int argc, char **argv)
{
    argv[1] = argv[0];
    return daemon_main(argc - 1, argv + 1, &nodemgr_daemon_definition);
}

void daemon_fixture_setup(void)
{
    struct rpc_server_options options = {.address = "127.0.0.1:0", .handle = take_call};
    f = (struct daemon_fixture){.arena = arena_open(0)};
    rm_side = (struct rm_side){
        .mutex = mutex_open(), .changed = condition_open(), .arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(directory_make_temporary("/tmp/nodemgr-daemon-", f.arena, &f.root, NULL),
                          OK);
    f.directory = path_join(f.arena, f.root, "node");
    CU_ASSERT_EQUAL_FATAL(
        token_secret_load_or_create(cluster_secret_path(f.arena, f.root), &rm_side.secret, NULL),
        OK);
    CU_ASSERT_EQUAL_FATAL(rpc_server_open(&options, &rm_side.server, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(rpc_client_open(NULL, &rm_side.client, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(http_client_open(NULL, &rm_side.http, NULL), OK);
}

static void show_log(void)
{
    struct buf log;
    buf_open(&log, 0);
    if (file_read_whole(path_join(f.arena, f.directory, "log"), &log, NULL) == OK)
        printf("%s", buf_string(&log));
    buf_close(&log);
}

void daemon_fixture_teardown(void)
{
    if (f.pid != 0)
        (void)when_daemon_ends(true); /* the test has failed; its own words say how */
    if (CU_get_number_of_failure_records() > 0)
        show_log();
    mutex_lock(rm_side.mutex);
    answer_held();
    mutex_unlock(rm_side.mutex);
    rpc_server_close(rm_side.server, 1000);
    rpc_client_close(rm_side.client);
    http_client_close(rm_side.http);
    CU_ASSERT_EQUAL(directory_remove_tree(f.root, NULL), OK);
    arena_close(rm_side.arena);
    condition_close(rm_side.changed);
    mutex_close(rm_side.mutex);
    arena_close(f.arena);
}

/* Waits with the mutex held; fatal when the time is over. */
static void wait_change(int64_t deadline_ms)
{
    bool is_in_time = condition_wait_until(rm_side.changed, rm_side.mutex, deadline_ms);
    if (!is_in_time)
        mutex_unlock(rm_side.mutex);
    CU_ASSERT_TRUE_FATAL(is_in_time);
}

void given_daemon(void)
{
    const char *rm_setting = (const char *)arena_format(f.arena, "cluster.rm=127.0.0.1:%u",
                                                        rpc_server_port(rm_side.server))
                                 .data;
    const char *arguments[] = {"/proc/self/exe",
                               DAEMON_ARGUMENT,
                               "--cluster",
                               f.root,
                               "--dir",
                               f.directory,
                               "-D",
                               rm_setting,
                               "-D",
                               "daemon.check=true",
                               "-D",
                               "daemon.host=n1",
                               "-D",
                               "nodemgr.memory=1g",
                               "-D",
                               "nodemgr.vcores=4",
                               "-D",
                               "nodemgr.memory_check_ms=50",
                               "-D",
                               "nodemgr.processes_max=64",
                               "-D",
                               "nodemgr.log_bytes_max=1m",
                               "-D",
                               f.limits != NULL ? f.limits : "nodemgr.limits=auto",
                               "-D",
                               "log.file=log",
                               NULL};
    struct process_spec spec = {.arguments = arguments};
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    mutex_lock(rm_side.mutex);
    uint64_t before = rm_side.registrations;
    rm_side.commands_count = 0;
    mutex_unlock(rm_side.mutex);
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &f.pid, NULL), OK);
    mutex_lock(rm_side.mutex);
    while (rm_side.registrations == before || rm_side.beaten != rm_side.registrations)
        wait_change(deadline_ms);
    mutex_unlock(rm_side.mutex);
}

int when_daemon_ends(bool by_kill)
{
    struct process_exit exit = {.code = -1};
    CU_ASSERT_EQUAL(process_signal(f.pid, by_kill ? PROCESS_KILL : PROCESS_TERMINATE), OK);
    CU_ASSERT_EQUAL(process_wait(f.pid, &exit, NULL), OK);
    f.pid = 0;
    return process_exit_code(exit);
}

/* --- containers ------------------------------------------------------------------------------- */
struct container_id container(uint64_t sequence)
{
    return (struct container_id){
        .app = {.cluster_timestamp = APP_TIMESTAMP, .sequence = 1},
        .app_attempt = 1,
        .epoch = 1,
        .sequence = sequence
    };
}

struct rm_launch_spec shell_launch(const char *script)
{
    struct slice *arguments = ARENA_ARRAY(f.arena, struct slice, 3);
    arguments[0] = slice_from_string("/bin/sh");
    arguments[1] = slice_from_string("-c");
    arguments[2] = slice_from_string(script);
    return (struct rm_launch_spec){.arguments = arguments, .arguments_count = 3};
}

void when_launch_commanded(uint64_t sequence, uint64_t memory_bytes, const char *script)
{
    command((struct rm_node_command){
        .kind = NODE_LAUNCH_MASTER,
        .container = container(sequence),
        .launch = shell_launch(script),
        .resource = {.memory_bytes = memory_bytes, .vcores = 1},
        .user = slice_from_string("alice"),
        .app = container(sequence).app
    });
}

void when_kill_commanded(uint64_t sequence)
{
    command(
        (struct rm_node_command){.kind = NODE_KILL_CONTAINER, .container = container(sequence)});
}

void when_forget_commanded(void)
{
    command((struct rm_node_command){.kind = NODE_FORGET_APP, .app = container(1).app});
}

static const char *token_of(const char *subject)
{
    char *token = arena_new(f.arena, TOKEN_BYTES);
    CU_ASSERT_EQUAL_FATAL(token_sign(&rm_side.secret, subject, CLUSTER_AUDIENCE,
                                     clock_wall_ms() + WAIT_MS, token, NULL),
                          OK);
    return token;
}

/* Calls method of the node manager as subject. */
static enum status call(enum method method,
                        const void *request,
                        const char *subject,
                        struct error *reterr_error)
{
    struct service_target target = {
        .token = slice_from_string(token_of(subject)), .timeout_ms = WAIT_MS, .arena = f.arena};
    const void *response = NULL;
    CU_ASSERT_EQUAL_FATAL(
        rpc_client_channel(rm_side.client, f.node.node.rpc_address, &target.channel, NULL), OK);
    enum status status = service_call(&target, method, request, &response, reterr_error);
    rpc_channel_close(target.channel);
    return status;
}

enum status when_start_asked(uint64_t sequence,
                             uint64_t granted,
                             const char *caller_subject,
                             const struct rm_launch_spec *launch,
                             struct error *reterr_error)
{
    char token[TOKEN_BYTES];
    struct grant grant = {
        .container = container(granted),
        .node_id = f.node.node.node_id,
        .resource = {.memory_bytes = 64 * MIB, .vcores = 1},
        .user = slice_from_string("alice")
    };
    CU_ASSERT_EQUAL_FATAL(
        grant_sign(&rm_side.secret, &grant, clock_wall_ms() + WAIT_MS, token, NULL), OK);
    struct nm_start_container_request request = {
        .container = container(sequence), .token = slice_from_string(token), .launch = *launch};
    return call(METHOD_NODE_MANAGER_START_CONTAINER, &request, caller_subject, reterr_error);
}

enum status when_stop_asked(uint64_t sequence, const char *caller_subject)
{
    struct nm_stop_container_request request = {.container = container(sequence),
                                                .diagnostics = slice_from_string("enough")};
    return call(METHOD_NODE_MANAGER_STOP_CONTAINER, &request, caller_subject, NULL);
}

/* --- expectations ----------------------------------------------------------------------------- */
struct rm_container_status expect_completed(uint64_t sequence)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    mutex_lock(rm_side.mutex);
    for (;;) {
        for (size_t i = 0; i < rm_side.ends_count; i++) {
            struct rm_container_status end = rm_side.ends[i];
            if (end.container.sequence != sequence)
                continue;
            mutex_unlock(rm_side.mutex);
            return end;
        }
        wait_change(deadline_ms);
    }
}

void expect_unusable(const char *why)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    mutex_lock(rm_side.mutex);
    for (;;) {
        bool is_so = why == NULL ? rm_side.unusable.length == 0
                                 : rm_side.unusable.length > 0 &&
                                       strstr((const char *)rm_side.unusable.data, why) != NULL;
        if (is_so)
            break;
        answer_held(); /* the next one may say more */
        wait_change(deadline_ms);
    }
    mutex_unlock(rm_side.mutex);
}

bool has_unregistered(void)
{
    mutex_lock(rm_side.mutex);
    bool has = rm_side.has_unregistered;
    mutex_unlock(rm_side.mutex);
    return has;
}

struct slice expect_line(const char *path)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    const char *whole = path_join(f.arena, f.directory, path);
    for (;;) {
        struct buf content;
        buf_open(&content, 0);
        struct slice line = slice_make(NULL, 0);
        if (file_read_whole(whole, &content, NULL) == OK)
            line = buf_slice(&content);
        size_t end = slice_find(line, '\n');
        bool is_whole = end < line.length;
        if (is_whole)
            line = arena_copy(f.arena, slice_sub(line, 0, end));
        buf_close(&content);
        if (is_whole)
            return line;
        CU_ASSERT_TRUE_FATAL(clock_monotonic_ms() < deadline_ms);
        clock_sleep_until_ms(clock_monotonic_ms() + POLL_MS);
    }
}

void expect_gone(int64_t pid)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    while (process_is_alive(pid) && clock_monotonic_ms() < deadline_ms)
        clock_sleep_until_ms(clock_monotonic_ms() + POLL_MS);
    CU_ASSERT_FALSE(process_is_alive(pid));
}

const char *log_path(uint64_t sequence, const char *name)
{
    return (const char *)arena_format(f.arena, "logs/%s/%s/%s", app_id_text(container(1).app).text,
                                      container_id_text(container(sequence)).text, name)
        .data;
}

bool is_there(const char *path)
{
    struct file_info info;
    return file_info_get(path_join(f.arena, f.directory, path), false, &info, NULL) == OK;
}

unsigned http_code_of(const char *path, const char *subject, struct buf *ret_body)
{
    struct slice url =
        arena_format(f.arena, "http://%.*s%s", SLICE_ARGS(f.node.node.http_address), path);
    struct http_request_options options = {.url = (const char *)url.data,
                                           .bearer = subject ? token_of(subject) : NULL};
    struct http_response response = {0};
    status_ignore(http_get(rm_side.http, &options, &response, NULL)); /* the code says it */
    if (ret_body)
        CU_ASSERT_EQUAL(buf_append_slice(ret_body, buf_slice(&response.body)), OK);
    unsigned code = response.code;
    http_response_close(&response);
    return code;
}
