/*
 * test_daemon.c - whole daemons: the echo machine behind daemon_main in processes of its own,
 * called over gRPC on loopback, stopped, killed, started again.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/daemon/cluster.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/workers.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "lib/net/token.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/launcher.h"
#include "lib/os/process.h"
#include "lib/os/process_handle.h"
#include "lib/os/thread.h"
#include "lib/services/calls.h"
#include "tests/support/unit.h"
#include "tests/unit/daemon/echo.h"

enum {
    PATIENCE_MS = 30000,
    ARGUMENTS_MAX = 32
};

/* --- the daemon, in a process of its own ----------------------------------------------------- */

static const struct setting echo_settings[] = {
    {"echo.holds_stop", SETTING_BOOL, "false", "never answers a stop", 0, 0},
    {"echo.wait_ms",    SETTING_MS,   "0",     "ticks after so long",  0, 0},
};

struct echo_daemon {
    struct daemon *daemon;
    struct shell *shell;
};

static enum status echo_daemon_open(struct daemon *daemon,
                                    void **ret_state,
                                    void **ret_machine,
                                    struct error *reterr_error)
{
    if (daemon_rpc_address(daemon)[0] == '\0' || daemon_incarnation(daemon) == 0)
        return error_set(reterr_error, ERR_INTERNAL, "the daemon does not know who it is");
    struct echo_daemon *state = MEM_NEW(struct echo_daemon);
    state->daemon = daemon;
    struct echo *echo = echo_open();
    echo->holds_stop = settings_bool(daemon_settings(daemon), "echo.holds_stop");
    echo->tick_after_ms = settings_ms(daemon_settings(daemon), "echo.wait_ms");
    daemon_set_http_address(daemon, "127.0.0.1:1");
    *ret_state = state;
    *ret_machine = echo;
    return OK;
}

/* The container that an effect started has ended: the effect is done. */
static void take_ended(void *user, uint64_t tag, int64_t pid, struct process_exit exit)
{
    struct echo_daemon *state = user;
    (void)pid;
    enum status status = process_exit_code(exit) == 5 ? OK : ERR_INTERNAL;
    shell_effect_done(daemon_shell(state->daemon), tag, ECHO_EFFECT, status,
                      slice_from_string("another exit code"), NULL, NULL);
}

static void take_lost(void *user)
{
    struct echo_daemon *state = user;
    shell_exit(daemon_shell(state->daemon), EXIT_LAUNCHER_LOST);
}

static enum status echo_daemon_start(void *user, struct error *reterr_error)
{
    struct echo_daemon *state = user;
    struct launcher_host host = {.user = state, .ended = take_ended, .lost = take_lost};
    return daemon_start_launcher(state->daemon, &host, reterr_error);
}

struct echo_effect {
    struct echo_daemon *state;
    uint64_t tag;
};

/* On a worker's thread: starting a process may block. */
static void launch(void *argument)
{
    struct echo_effect *effect = argument;
    struct daemon *daemon = effect->state->daemon;
    const char *arguments[] = {"sh", "-c", "exit 5", NULL};
    struct process_spec spec = {.arguments = arguments};
    struct error error = {.status = OK};
    int64_t pid = 0;
    enum status status = launcher_launch(daemon_launcher(daemon), effect->tag, &spec, &pid, &error);
    if (status != OK)
        shell_effect_done(daemon_shell(daemon), effect->tag, ECHO_EFFECT, status,
                          slice_from_string(error.text), NULL, NULL);
    mem_free(effect);
}

static void echo_daemon_effect(
    void *user, struct shell *shell, uint64_t tag, int code, const void *data)
{
    (void)shell;
    (void)code;
    (void)data;
    struct echo_effect *effect = MEM_NEW(struct echo_effect);
    effect->state = user;
    effect->tag = tag;
    workers_post(daemon_workers(effect->state->daemon), launch, effect);
}

static bool echo_daemon_may_call(void *user, enum method method, struct slice caller)
{
    (void)user;
    (void)caller;
    return method != METHOD_RESOURCE_MANAGER_LIST_NODES;
}

static const char *const echo_services[] = {"ResourceManager", NULL};

static const struct daemon_definition echo_definition = {
    .name = "echo",
    .purpose = "counts, for tests",
    .door = &echo_door_row,
    .settings = echo_settings,
    .settings_count = UNIT_COUNT(echo_settings),
    .services = echo_services,
    .has_launcher = true,
    .issues_tokens = true,
    .open = echo_daemon_open,
    .start = echo_daemon_start,
    .effect = echo_daemon_effect,
    .may_call = echo_daemon_may_call,
    .close = mem_free,
};

/* --- the tests' side ------------------------------------------------------------------------- */

struct fixture {
    struct arena *arena;
    const char *directory; /* of the cluster */
    const char *daemon_directory;
    const char *output;
    int64_t pid; /* 0: no daemon runs */
    struct rpc_client *client;
    struct rpc_channel *channel;
    struct service_target target;
    struct cluster_daemon address;
    struct error error;
};

static struct fixture f;

static void open_fixture(const char *prefix)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(directory_make_temporary(prefix, f.arena, &f.directory, &f.error), OK);
    f.daemon_directory = path_join(f.arena, f.directory, "echo");
    f.output = path_join(f.arena, f.directory, "output");
    CU_ASSERT_EQUAL_FATAL(net_open(&(struct net_log){.write = NULL}, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(rpc_client_open(NULL, &f.client, &f.error), OK);
    struct cluster_daemon row = {.name = "echo", .role = "echo", .directory = "echo"};
    struct cluster cluster = {.directory = f.directory, .daemons = &row, .daemon_count = 1};
    CU_ASSERT_EQUAL_FATAL(cluster_save(&cluster, &f.error), OK);
}

static void setup(void)
{
    open_fixture("/tmp/millrace-test-");
}

static void expect_exit(int code)
{
    struct process_exit exit = {.code = -1};
    CU_ASSERT_EQUAL(process_wait(f.pid, &exit, &f.error), OK);
    CU_ASSERT_EQUAL(process_exit_code(exit), code);
    f.pid = 0;
}

static void signal_daemon(enum process_signal signal)
{
    CU_ASSERT_EQUAL(process_signal(f.pid, signal), OK);
}

static void teardown(void)
{
    if (f.pid != 0) {
        signal_daemon(PROCESS_KILL);
        expect_exit(137);
    }
    rpc_channel_close(f.channel);
    rpc_client_close(f.client);
    net_close();
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

/* Starts the daemon with more arguments, ended by NULL. */
static void start(const char *const *more)
{
    const char *arguments[ARGUMENTS_MAX] = {"/proc/self/exe", "--daemon", "--cluster",
                                            f.directory,      "-D",       "daemon.check=true"};
    size_t count = 6;
    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        arguments[count++] = more[i];
    struct process_spec spec = {.arguments = arguments,
                                .stdout_path = f.output,
                                .stderr_path = f.output,
                                .dies_with_parent = true};
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &f.pid, &f.error), OK);
}

/* Waits until the daemon that was started last serves, and connects to it. */
static void wait_until_serving(void)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct cluster cluster;
    bool is_serving = false;
    while (!is_serving && clock_monotonic_ms() < deadline_ms) {
        CU_ASSERT_EQUAL_FATAL(cluster_load(f.arena, f.directory, &cluster, &f.error), OK);
        is_serving = cluster.daemons[0].pid == f.pid;
        clock_sleep_until_ms(clock_monotonic_ms() + 1);
    }
    CU_ASSERT_TRUE_FATAL(is_serving);
    f.address = cluster.daemons[0];
    f.target = (struct service_target){
        .timeout_ms = PATIENCE_MS, .wait_for_ready = true, .arena = f.arena};
    CU_ASSERT_EQUAL_FATAL(cluster_token(&cluster, f.arena, &f.target.token, &f.error), OK);
    rpc_channel_close(f.channel);
    CU_ASSERT_EQUAL_FATAL(
        rpc_channel_open(f.client, f.address.rpc_address, NULL, &f.channel, &f.error), OK);
    f.target.channel = f.channel;
}

static void given_daemon(const char *const *more)
{
    start(more);
    wait_until_serving();
}

static enum status submit(const char *name, uint32_t *ret_count)
{
    struct rm_submit_app_request request = {.name = slice_from_string(name)};
    const struct rm_submit_app_response *response = NULL;
    enum status status =
        services_resource_manager_submit_app(&f.target, &request, &response, &f.error);
    if (status == OK)
        *ret_count = response->app.sequence;
    return status;
}

static enum status kill_app(const char *diagnostics, uint64_t timestamp, uint32_t sequence)
{
    struct rm_kill_app_request request = {
        .diagnostics = slice_from_string(diagnostics),
        .app = {.cluster_timestamp = timestamp, .sequence = sequence},
    };
    const struct rm_kill_app_response *response = NULL;
    return services_resource_manager_kill_app(&f.target, &request, &response, &f.error);
}

static const char *output(void)
{
    struct buf content;
    buf_open(&content, 1 << 20);
    CU_ASSERT_EQUAL(file_read_whole(f.output, &content, &f.error), OK);
    const char *text = (const char *)arena_copy(f.arena, buf_slice(&content)).data;
    buf_close(&content);
    return text;
}

static void expect_output(const char *part)
{
    const char *text = output();
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
    if (strstr(text, part) == NULL)
        printf("expected \"%s\" in:\n%s\n", part, text);
}

static void test_daemon__serves_stops_and_comes_back(void)
{
    uint32_t count = 0;
    given_daemon(NULL);
    const char *first_address = f.address.rpc_address;
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(submit("fail", &count), ERR_SAFE_MODE);
    CU_ASSERT_STRING_EQUAL(f.error.text, "asked to fail");
    signal_daemon(PROCESS_TERMINATE);
    expect_exit(EXIT_STOPPED);
    given_daemon(NULL);
    CU_ASSERT_STRING_EQUAL(f.address.rpc_address, first_address);
    CU_ASSERT_STRING_EQUAL(f.address.http_address, "127.0.0.1:1");
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 2);
    expect_output("incarnation=1");
    expect_output("incarnation=2");
    expect_output("journal_open");
}

static void test_daemon__killed_daemon_keeps_what_it_said(void)
{
    uint32_t count = 0;
    given_daemon(NULL);
    for (uint32_t i = 1; i <= 5; i++) {
        CU_ASSERT_EQUAL(submit("count", &count), OK);
        signal_daemon(PROCESS_KILL);
        expect_exit(137);
        given_daemon(NULL);
        CU_ASSERT_EQUAL(count, i);
    }
}

static void test_daemon__failed_sync_is_never_acknowledged(void)
{
    const char *const drill[] = {"--set", "daemon.fault=file_sync:8:1", NULL};
    uint32_t acknowledged = 0;
    uint32_t count = 0;
    given_daemon(drill);
    enum status status = OK;
    for (int i = 0; i < 20 && status == OK; i++) {
        status = submit("count", &count);
        if (status == OK)
            acknowledged = count;
    }
    CU_ASSERT_EQUAL(status, ERR_UNAVAILABLE);
    CU_ASSERT_TRUE(acknowledged > 0);
    expect_exit(EXIT_JOURNAL_FAILED);
    expect_output("ERROR echo journal_failed");
    given_daemon(NULL);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_TRUE(count == acknowledged + 1 || count == acknowledged + 2);
}

static void expect_user(const char *user)
{
    struct rm_get_app_request request = {.after_version = 0};
    const struct rm_get_app_response *response = NULL;
    CU_ASSERT_EQUAL_FATAL(
        services_resource_manager_get_app(&f.target, &request, &response, &f.error), OK);
    CU_ASSERT_TRUE(response != NULL && slice_equal_string(response->report.user, user));
}

static void test_daemon__caller_is_who_the_kernel_says(void)
{
    uint32_t count = 0;
    given_daemon(NULL);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    expect_user(host_user_name(f.arena, host_uid()));
}

static void sign(const struct token_secret *secret, const char *subject, int64_t lifetime_ms)
{
    char token[TOKEN_BYTES];
    CU_ASSERT_EQUAL_FATAL(token_sign(secret, subject, CLUSTER_AUDIENCE,
                                     clock_wall_ms() + lifetime_ms, token, &f.error),
                          OK);
    f.target.token = arena_copy(f.arena, slice_from_string(token));
}

static void test_daemon__subjects_become_users(void)
{
    uint32_t count = 0;
    struct token_secret secret;
    given_daemon(NULL);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL_FATAL(
        token_secret_load(cluster_secret_path(f.arena, f.directory), &secret, &f.error), OK);
    sign(&secret, "user:alice", 60000);
    expect_user("alice");
    sign(&secret, "daemon:nodemgr", 60000);
    expect_user("millrace");
    sign(&secret, "user:millrace", 60000);
    expect_user("user:millrace");
    sign(&secret, "container:c1", 60000);
    expect_user("container:c1");
    token_secret_close(&secret);
}

static void test_daemon__callers_without_a_good_token_are_refused(void)
{
    uint32_t count = 0;
    struct token_secret other;
    given_daemon(NULL);
    f.target.token = slice_make(NULL, 0);
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAUTHENTICATED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "bearer token"));
    host_random_bytes(other.bytes, sizeof(other.bytes));
    sign(&other, "user:root", 60000);
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAUTHENTICATED);
    f.target.token = slice_from_string("nonsense");
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL_FATAL(
        token_secret_load(cluster_secret_path(f.arena, f.directory), &other, &f.error), OK);
    sign(&other, "user:root", -1);
    CU_ASSERT_EQUAL(submit("count", &count), ERR_UNAUTHENTICATED);
    sign(&other, "user:root", 60000);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(count, 1);
    token_secret_close(&other);
}

static void test_daemon__forbidden_and_foreign_methods_are_refused(void)
{
    given_daemon(NULL);
    struct rm_list_nodes_request request = {0};
    const struct rm_list_nodes_response *response = NULL;
    CU_ASSERT_EQUAL(services_resource_manager_list_nodes(&f.target, &request, &response, &f.error),
                    ERR_DENIED);
    struct dfs_get_status_request foreign = {.path = slice_from_string("/")};
    const struct dfs_get_status_response *status = NULL;
    CU_ASSERT_EQUAL(services_namenode_get_status(&f.target, &foreign, &status, &f.error),
                    ERR_UNSUPPORTED);
}

static void test_daemon__machine_calls_out(void)
{
    uint32_t count = 0;
    given_daemon(NULL);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(kill_app(f.address.rpc_address, 0, 0), OK);
    CU_ASSERT_EQUAL(kill_app("127.0.0.1:1", 0, 0), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(kill_app("no address at all", 0, 0), ERR_INVALID);
    CU_ASSERT_EQUAL(kill_app(f.address.rpc_address, 1, 1000000), ERR_CANCELLED);
}

static void test_daemon__effects_run_on_workers_and_launcher(void)
{
    given_daemon(NULL);
    CU_ASSERT_EQUAL(kill_app("effect", 0, 0), OK);
    CU_ASSERT_EQUAL(kill_app("effect", 0, 0), OK);
    signal_daemon(PROCESS_TERMINATE);
    expect_exit(EXIT_STOPPED);
}

static void take_cancelled(void *user, const struct service_result *result)
{
    bool *is_done = user;
    CU_ASSERT_EQUAL(result->status, ERR_CANCELLED);
    arena_close(result->arena);
    *is_done = true;
}

static void test_daemon__stop_answers_held_calls(void)
{
    given_daemon(NULL);
    bool is_done = false;
    struct rpc_call *call = NULL;
    struct rm_get_app_request request = {.after_version = 1000};
    CU_ASSERT_EQUAL_FATAL(service_call_start(&f.target, METHOD_RESOURCE_MANAGER_GET_APP, &request,
                                             take_cancelled, &is_done, &call, &f.error),
                          OK);
    uint32_t count = 0;
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    rpc_call_cancel(call);
    rpc_call_close(call);
    CU_ASSERT_EQUAL(submit("exit", &count), OK); /* the last reply still arrives */
    expect_exit(42);
    rpc_channel_close(f.channel);
    f.channel = NULL;
    rpc_client_close(f.client); /* waits for the callback */
    f.client = NULL;
    CU_ASSERT_TRUE(is_done);
}

static void test_daemon__machine_that_does_not_stop_is_ended(void)
{
    const char *const holds[] = {"--set", "echo.holds_stop=true", "--set", "daemon.stop_ms=20ms",
                                 NULL};
    given_daemon(holds);
    signal_daemon(PROCESS_TERMINATE);
    expect_exit(EXIT_STOP_TIMEOUT);
}

static void test_daemon__second_daemon_in_a_folder_is_refused(void)
{
    given_daemon(NULL);
    int64_t first = f.pid;
    start(NULL);
    expect_exit(EXIT_BUSY);
    f.pid = first;
    char text[64];
    (void)snprintf(text, sizeof(text), "process %lld has it", (long long)first);
    expect_output(text);
}

static void test_daemon__bad_settings_are_explained(void)
{
    const char *const misspelt[] = {"--set", "daemon.worker=3", NULL};
    start(misspelt);
    expect_exit(EXIT_USAGE);
    expect_output("unknown setting daemon.worker: did you mean daemon.workers?");
    const char *const unknown[] = {"--frobnicate", NULL};
    start(unknown);
    expect_exit(EXIT_USAGE);
    const char *const missing[] = {"--config", "/no/such/file", NULL};
    start(missing);
    expect_exit(EXIT_USAGE);
    expect_output("/no/such/file");
    const char *const level[] = {"--set", "log.level=loud", NULL};
    start(level);
    expect_exit(EXIT_USAGE);
    const char *const fault[] = {"--set", "daemon.fault=nonsense", NULL};
    start(fault);
    expect_exit(EXIT_USAGE);
}

static void test_daemon__settings_are_listed_with_their_source(void)
{
    const char *conf = path_join(f.arena, f.directory, "millrace.conf");
    CU_ASSERT_EQUAL(
        file_replace(conf, slice_from_string("[daemon]\nworkers = 3\nrack = /r1\n[rm]\nx = y\n"),
                     FILE_PUBLIC, &f.error),
        OK);
    const char *const list[] = {"--settings", "-D", "daemon.rack=/r2", NULL};
    start(list);
    expect_exit(EXIT_STOPPED);
    const char *expected =
        (const char *)arena_format(f.arena, "daemon.workers = 3  (from: file %s:2)\n", conf).data;
    expect_output(expected);
    expect_output("daemon.rack = /r2  (from: -D)\n");
    expect_output("echo.holds_stop = false  (from: default)\n");
    const char *const json[] = {"--settings-json", NULL};
    start(json);
    expect_exit(EXIT_STOPPED);
    expect_output("{\"name\":\"daemon.workers\",\"value\":\"3\"");
}

static void test_daemon__damaged_journal_stops_the_start(void)
{
    uint32_t count = 0;
    given_daemon(NULL);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    CU_ASSERT_EQUAL(submit("count", &count), OK);
    signal_daemon(PROCESS_TERMINATE);
    expect_exit(EXIT_STOPPED);
    struct file *file = NULL;
    const char *path = path_join(f.arena, f.daemon_directory, "echo.0000000001.journal");
    CU_ASSERT_EQUAL_FATAL(file_open(path, FILE_MODE_UPDATE, 0, &file, &f.error), OK);
    CU_ASSERT_EQUAL(file_write_at(file, 70, slice_from_string("x"), &f.error), OK);
    file_close(file);
    start(NULL);
    expect_exit(EXIT_CORRUPT);
    expect_output("damaged at offset 64");
}

static void test_daemon__launcher_is_missed(void)
{
    given_daemon(NULL);
    const int64_t *children = NULL; /* the launcher is the only one */
    size_t count = 0;
    CU_ASSERT_EQUAL(process_descendants(f.pid, f.arena, &children, &count, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_EQUAL(process_signal(children[0], PROCESS_KILL), OK);
    expect_exit(EXIT_LAUNCHER_LOST);
}

static void test_daemon__long_folder_has_its_sockets_elsewhere(void)
{
    const char *deep =
        path_join(f.arena, f.directory, "a-folder-with-a-name-long-enough-to-matter");
    for (int i = 0; i < 3; i++)
        deep = path_join(f.arena, deep, "and-another-one-below-it-that-adds-to-the-length");
    const char *const dir[] = {"--dir", deep, NULL};
    struct cluster_daemon row = {.name = "echo", .role = "echo", .directory = deep};
    struct cluster cluster = {.directory = f.directory, .daemons = &row, .daemon_count = 1};
    CU_ASSERT_EQUAL_FATAL(cluster_save(&cluster, &f.error), OK);
    given_daemon(dir); /* gets a token over the socket */
    CU_ASSERT_EQUAL(strncmp(f.address.credential_socket, "/tmp/millrace-", 14), 0);
    const char *folder = path_parent(f.arena, f.address.credential_socket);
    signal_daemon(PROCESS_TERMINATE);
    expect_exit(EXIT_STOPPED);
    CU_ASSERT_EQUAL(directory_remove_tree(folder, &f.error), OK);
}

static void test_cluster__absent_and_stopped_clusters_name_the_way_out(void)
{
    struct cluster cluster;
    const char *address = NULL;
    struct slice token;
    CU_ASSERT_EQUAL(cluster_load(f.arena, f.directory, &cluster, &f.error), OK);
    CU_ASSERT_EQUAL(cluster_rpc_address(&cluster, "echo", &address, &f.error), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "millrace up"));
    CU_ASSERT_EQUAL(cluster_rpc_address(&cluster, "rm", &address, &f.error), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(cluster_token(&cluster, f.arena, &token, &f.error), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "millrace up"));
    CU_ASSERT_EQUAL(cluster_load(f.arena, f.daemon_directory, &cluster, &f.error), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, f.daemon_directory));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "millrace up"));
}

static void test_cluster__killed_daemon_has_no_address(void)
{
    struct cluster cluster;
    given_daemon(NULL);
    signal_daemon(PROCESS_KILL);
    expect_exit(137);
    CU_ASSERT_EQUAL(cluster_load(f.arena, f.directory, &cluster, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(cluster.daemons[0].rpc_address, "");
    CU_ASSERT_EQUAL(cluster.daemons[0].pid, 0);
}

static void test_cluster__remote_daemons_keep_their_addresses(void)
{
    struct cluster_daemon row = {.name = "nn",
                                 .role = "namenode",
                                 .directory = "",
                                 .rpc_address = "10.0.0.1:9000",
                                 .http_address = "10.0.0.1:9870",
                                 .credential_socket = "",
                                 .fd_socket = ""};
    struct cluster saved = {.directory = f.directory, .daemons = &row, .daemon_count = 1};
    struct cluster loaded;
    const char *address = NULL;
    CU_ASSERT_EQUAL(cluster_save(&saved, &f.error), OK);
    CU_ASSERT_EQUAL(cluster_load(f.arena, f.directory, &loaded, &f.error), OK);
    CU_ASSERT_EQUAL(cluster_rpc_address(&loaded, "namenode", &address, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(address, "10.0.0.1:9000");
    CU_ASSERT_STRING_EQUAL(cluster_find(&loaded, "namenode")->http_address, "10.0.0.1:9870");
    const char *path = path_join(f.arena, f.directory, "cluster.json");
    CU_ASSERT_EQUAL(file_replace(path, slice_from_string("{"), FILE_PUBLIC, &f.error), OK);
    CU_ASSERT_EQUAL(cluster_load(f.arena, f.directory, &loaded, &f.error), ERR_CORRUPT);
    CU_ASSERT_EQUAL(file_replace(path, slice_from_string("{\"format\": 2}"), FILE_PUBLIC, &f.error),
                    OK);
    CU_ASSERT_EQUAL(cluster_load(f.arena, f.directory, &loaded, &f.error), ERR_UNSUPPORTED);
}

static void test_cluster__one_role_is_found_whatever_the_others_left(void)
{
    struct cluster_daemon rows[] = {
        {.name = "bad", .role = "bad", .directory = path_join(f.arena, f.directory,     "bad")},
        {.name = "nn",             .role = "namenode",               .directory = "",               .rpc_address = "10.0.0.1:9000"}
    };
    struct cluster saved = {.directory = f.directory, .daemons = rows, .daemon_count = 2};
    struct cluster loaded;
    rows[1].http_address = rows[1].credential_socket = rows[1].fd_socket = "";
    CU_ASSERT_EQUAL(directory_make(rows[0].directory, 0755, &f.error), OK);
    CU_ASSERT_EQUAL(file_replace(path_join(f.arena, rows[0].directory, "bad.addr"),
                                 slice_from_string("{"), FILE_PUBLIC, &f.error),
                    OK);
    CU_ASSERT_EQUAL(cluster_save(&saved, &f.error), OK);
    CU_ASSERT_EQUAL(cluster_load(f.arena, f.directory, &loaded, &f.error), ERR_CORRUPT);
    CU_ASSERT_EQUAL_FATAL(cluster_load_role(f.arena, f.directory, "namenode", &loaded, &f.error),
                          OK);
    CU_ASSERT_EQUAL_FATAL(loaded.daemon_count, 1);
    CU_ASSERT_STRING_EQUAL(loaded.daemons[0].rpc_address, "10.0.0.1:9000");
}

static void test_cluster__folder_is_found(void)
{
    host_environment_set("MILLRACE_DIR", "/from/environment");
    CU_ASSERT_STRING_EQUAL(cluster_directory(f.arena, "/chosen"), "/chosen");
    CU_ASSERT_STRING_EQUAL(cluster_directory(f.arena, NULL), "/from/environment");
    host_environment_set("MILLRACE_DIR", NULL);
    const char *expected = path_join(f.arena, host_home(f.arena), ".millrace/cluster");
    CU_ASSERT_STRING_EQUAL(cluster_directory(f.arena, ""), expected);
}

static void test_cluster__token_may_come_from_a_file(void)
{
    struct cluster none = {.directory = f.directory};
    struct slice token;
    const char *path = path_join(f.arena, f.directory, "token");
    CU_ASSERT_EQUAL(file_replace(path, slice_from_string("abc.def\n"), FILE_PRIVATE, &f.error), OK);
    host_environment_set("MILLRACE_TOKEN_FILE", path);
    CU_ASSERT_EQUAL(cluster_token(&none, f.arena, &token, &f.error), OK);
    CU_ASSERT_TRUE(slice_equal_string(token, "abc.def"));
    host_environment_set("MILLRACE_TOKEN_FILE", "/no/such/file");
    CU_ASSERT_EQUAL(cluster_token(&none, f.arena, &token, &f.error), ERR_NOT_FOUND);
    host_environment_set("MILLRACE_TOKEN_FILE", NULL);
}

/* docs/exit-codes.md has a row "| code | name |" for each constant. */
static void test_daemon__exit_codes_are_documented(void)
{
    static const struct {
        int code;
        const char *name;
    } codes[] = {
        {EXIT_STOPPED,        "EXIT_STOPPED"       },
        {EXIT_FAILED,         "EXIT_FAILED"        },
        {EXIT_USAGE,          "EXIT_USAGE"         },
        {EXIT_BUSY,           "EXIT_BUSY"          },
        {EXIT_CORRUPT,        "EXIT_CORRUPT"       },
        {EXIT_JOURNAL_FAILED, "EXIT_JOURNAL_FAILED"},
        {EXIT_STOP_TIMEOUT,   "EXIT_STOP_TIMEOUT"  },
        {EXIT_LAUNCHER_LOST,  "EXIT_LAUNCHER_LOST" },
        {EXIT_REFUSED,        "EXIT_REFUSED"       },
        {EXIT_NO_MEMORY,      "EXIT_NO_MEMORY"     },
    };

    const char *source = host_environment("MILLRACE_SOURCE_DIR");
    struct buf page;
    buf_open(&page, 1 << 20);
    const char *path = path_join(f.arena, source != NULL ? source : "../..", "docs/exit-codes.md");
    CU_ASSERT_EQUAL_FATAL(file_read_whole(path, &page, &f.error), OK);
    size_t rows = 0;
    for (const char *at = buf_string(&page); (at = strstr(at, " | EXIT_")) != NULL; at++)
        rows++;
    CU_ASSERT_EQUAL(rows, UNIT_COUNT(codes));
    for (size_t i = 0; i < UNIT_COUNT(codes); i++) {
        char row[64];
        (void)snprintf(row, sizeof(row), "\n| %d | %s |", codes[i].code, codes[i].name);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&page), row));
    }
    buf_close(&page);
}

static const struct unit_test tests[] = {
    {"test_daemon__serves_stops_and_comes_back",
     "A daemon serves, stops, and comes back with the same state and port.",                                             test_daemon__serves_stops_and_comes_back                  },
    {"test_daemon__killed_daemon_keeps_what_it_said",              "A killed daemon keeps what it has said.",
     test_daemon__killed_daemon_keeps_what_it_said                                                                                                                                 },
    {"test_daemon__failed_sync_is_never_acknowledged",
     "After a failed sync nothing is acknowledged and the process ends.",                                                test_daemon__failed_sync_is_never_acknowledged            },
    {"test_daemon__caller_is_who_the_kernel_says",                 "A caller is who the kernel says.",
     test_daemon__caller_is_who_the_kernel_says                                                                                                                                    },
    {"test_daemon__subjects_become_users",                         "A token's subject becomes the event's user.",
     test_daemon__subjects_become_users                                                                                                                                            },
    {"test_daemon__callers_without_a_good_token_are_refused",
     "Callers without a good token are refused, and told why.",                                                          test_daemon__callers_without_a_good_token_are_refused     },
    {"test_daemon__forbidden_and_foreign_methods_are_refused",
     "Methods that are forbidden or not served are refused.",                                                            test_daemon__forbidden_and_foreign_methods_are_refused    },
    {"test_daemon__machine_calls_out",                             "A machine's calls come back, also when they fail.",
     test_daemon__machine_calls_out                                                                                                                                                },
    {"test_daemon__effects_run_on_workers_and_launcher",
     "Effects run on workers and start processes.",                                                                      test_daemon__effects_run_on_workers_and_launcher          },
    {"test_daemon__stop_answers_held_calls",                       "The end answers what was held, and the last reply.",
     test_daemon__stop_answers_held_calls                                                                                                                                          },
    {"test_daemon__machine_that_does_not_stop_is_ended",
     "A machine that does not stop in time is ended.",                                                                   test_daemon__machine_that_does_not_stop_is_ended          },
    {"test_daemon__second_daemon_in_a_folder_is_refused",
     "A second daemon in a folder is refused and names the first.",                                                      test_daemon__second_daemon_in_a_folder_is_refused         },
    {"test_daemon__bad_settings_are_explained",                    "Bad options and settings are explained.",
     test_daemon__bad_settings_are_explained                                                                                                                                       },
    {"test_daemon__settings_are_listed_with_their_source",         "Settings are listed with their source.",
     test_daemon__settings_are_listed_with_their_source                                                                                                                            },
    {"test_daemon__damaged_journal_stops_the_start",               "A damaged journal stops the start.",
     test_daemon__damaged_journal_stops_the_start                                                                                                                                  },
    {"test_daemon__launcher_is_missed",                            "A daemon whose launcher dies is told.",
     test_daemon__launcher_is_missed                                                                                                                                               },
    {"test_daemon__long_folder_has_its_sockets_elsewhere",
     "A folder with a long path has its sockets elsewhere.",                                                             test_daemon__long_folder_has_its_sockets_elsewhere        },
    {"test_cluster__absent_and_stopped_clusters_name_the_way_out",
     "An absent or stopped cluster names the way out.",                                                                  test_cluster__absent_and_stopped_clusters_name_the_way_out},
    {"test_cluster__killed_daemon_has_no_address",                 "A killed daemon has no address.",
     test_cluster__killed_daemon_has_no_address                                                                                                                                    },
    {"test_cluster__remote_daemons_keep_their_addresses",
     "Daemons on other hosts keep their addresses in the list.",                                                         test_cluster__remote_daemons_keep_their_addresses         },
    {"test_cluster__one_role_is_found_whatever_the_others_left",
     "One role is found, whatever the others left.",                                                                     test_cluster__one_role_is_found_whatever_the_others_left  },
    {"test_cluster__folder_is_found",                              "The cluster's folder is found.",
     test_cluster__folder_is_found                                                                                                                                                 },
    {"test_cluster__token_may_come_from_a_file",                   "A token may come from a file.",
     test_cluster__token_may_come_from_a_file                                                                                                                                      },
    {"test_daemon__exit_codes_are_documented",                     "Every exit code is documented.",
     test_daemon__exit_codes_are_documented                                                                                                                                        },
};

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], "--daemon") == 0) {
        arguments[1] = arguments[0];
        return daemon_main(argument_count - 1, arguments + 1, &echo_definition);
    }
    return unit_main(argument_count, arguments, "daemon/daemon", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
