/*
 * test_daemon.c - mr-rm in a process of its own: its three services over gRPC, grants that a node
 * manager can verify, its pages, and what it keeps when it is killed (rm/daemon).
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/daemon/cluster.h"
#include "lib/daemon/grant.h"
#include "lib/model/ids.h"
#include "lib/net/http_client.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/process.h"
#include "lib/services/calls.h"
#include "rm/daemon/rm_daemon.h"
#include "tests/support/unit.h"

enum {
    PATIENCE_MS = 30000,
    NODE_ID = 77
};

#define GIB ((uint64_t)1 << 30)

struct fixture {
    struct arena *arena;
    const char *directory; /* of the cluster */
    const char *daemon_directory;
    const char *output;
    int64_t pid; /* 0: none runs */
    struct token_secret secret;
    struct rpc_client *client;
    struct rpc_channel *channel;
    struct cluster_daemon address;
    struct service_target alice;
    struct service_target daemon;
    struct error error;
};

static struct fixture f;

static struct slice token_of(const char *subject)
{
    char *token = arena_new(f.arena, TOKEN_BYTES);
    CU_ASSERT_EQUAL_FATAL(token_sign(&f.secret, subject, CLUSTER_AUDIENCE,
                                     clock_wall_ms() + PATIENCE_MS, token, &f.error),
                          OK);
    return slice_from_string(token);
}

static void start_daemon(const char *setting)
{
    const char *arguments[] = {"/proc/self/exe",   "--daemon", "--cluster", f.directory, "--dir",
                               f.daemon_directory, "-D",       setting,     NULL};
    struct process_spec spec = {.arguments = arguments,
                                .stdout_path = f.output,
                                .stderr_path = f.output,
                                .dies_with_parent = true};
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &f.pid, &f.error), OK);
}

static int wait_for_end(void)
{
    struct process_exit exit = {.code = -1};
    CU_ASSERT_EQUAL(process_wait(f.pid, &exit, &f.error), OK);
    f.pid = 0;
    return process_exit_code(exit);
}

static void wait_until_serving(void)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    f.address.pid = 0;
    while (f.address.pid != f.pid && clock_monotonic_ms() < deadline_ms) {
        enum status status =
            cluster_address_load(f.arena, f.daemon_directory, "rm", &f.address, &f.error);
        CU_ASSERT_TRUE_FATAL(status == OK || status == ERR_NOT_FOUND);
        clock_sleep_until_ms(clock_monotonic_ms() + 2);
    }
    CU_ASSERT_EQUAL_FATAL(f.address.pid, f.pid);
    CU_ASSERT_NOT_EQUAL(f.address.credential_socket[0], '\0'); /* people get their tokens there */
    rpc_channel_close(f.channel);
    CU_ASSERT_EQUAL_FATAL(
        rpc_channel_open(f.client, f.address.rpc_address, NULL, &f.channel, &f.error), OK);
    f.alice = (struct service_target){.channel = f.channel,
                                      .token = token_of("user:alice"),
                                      .timeout_ms = PATIENCE_MS,
                                      .wait_for_ready = true,
                                      .arena = f.arena};
    f.daemon = f.alice;
    f.daemon.token = token_of("daemon:nodemgr");
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.daemon_directory = path_join(f.arena, f.directory, "rm");
    f.output = path_join(f.arena, f.directory, "output");
    CU_ASSERT_EQUAL_FATAL(
        token_secret_load_or_create(cluster_secret_path(f.arena, f.directory), &f.secret, &f.error),
        OK);
    CU_ASSERT_EQUAL_FATAL(net_open(&(struct net_log){.write = NULL}, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(rpc_client_open(NULL, &f.client, &f.error), OK);
}

static void teardown(void)
{
    if (f.pid != 0) {
        CU_ASSERT_EQUAL(process_signal(f.pid, PROCESS_KILL), OK);
        CU_ASSERT_EQUAL(wait_for_end(), 137);
    }
    rpc_channel_close(f.channel);
    rpc_client_close(f.client);
    net_close();
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

static void given_daemon(void)
{
    start_daemon("daemon.check=true");
    wait_until_serving();
}

/* Calls, and ends the program when the call fails: what follows needs its response. */
static const void *call(const struct service_target *target,
                        enum method method,
                        const void *request)
{
    const void *response = NULL;
    enum status status = service_call(target, method, request, &response, &f.error);
    if (status != OK)
        fprintf(stderr, "%s: %s\n", method_info(method)->name, f.error.text);
    CHECK(response != NULL);
    return response;
}

/* --- its peers ------------------------------------------------------------------------------- */
static struct app_id submit(uint64_t request_id)
{
    struct slice program = slice_from_string("mr-appmaster");
    struct rm_submit_app_request request = {
        .client_id = 3,
        .request_id = request_id,
        .name = slice_from_string("count \"words\""),
        .master = {.arguments = &program, .arguments_count = 1}
    };
    const struct rm_submit_app_response *response =
        call(&f.alice, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request);
    return response->app;
}

static struct rm_app_report report_of(struct app_id app)
{
    struct rm_get_app_request request = {.app = app};
    const struct rm_get_app_response *response =
        call(&f.alice, METHOD_RESOURCE_MANAGER_GET_APP, &request);
    return response->report;
}

static uint64_t register_node(void)
{
    struct rm_register_node_request request = {
        .node = {.node_id = NODE_ID,
                 .host = slice_from_string("h1"),
                 .rack = slice_from_string("/rack0")},
        .capacity = {.memory_bytes = 4 * GIB,                  .vcores = 4      },
        .incarnation = 1
    };
    const struct rm_register_node_response *response =
        call(&f.daemon, METHOD_NODE_TRACKER_REGISTER_NODE, &request);
    return response->session;
}

/* The node beats until it is told to launch a master. */
static struct container_id hear_launch(uint64_t session)
{
    struct rm_node_heartbeat_request request = {.node_id = NODE_ID, .session = session};
    for (;;) {
        const struct rm_node_heartbeat_response *response =
            call(&f.daemon, METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request);
        if (response->commands_count > 0) {
            CU_ASSERT_EQUAL_FATAL(response->commands[0].kind, NODE_LAUNCH_MASTER);
            return response->commands[0].container;
        }
    }
}

static const struct rm_grant *obtain_grant(struct app_id app, uint32_t app_attempt)
{
    struct rm_register_master_request registration = {.app = app, .app_attempt = app_attempt};
    (void)call(&f.alice, METHOD_MASTER_TRACKER_REGISTER_MASTER, &registration);
    struct rm_ask ask = {
        .priority = 20,
        .place = slice_from_string("*"),
        .resource = {.memory_bytes = GIB, .vcores = 1},
        .want = 1,
        .relax_locality = true
    };
    struct rm_allocate_request request = {.app = app,
                                          .app_attempt = app_attempt,
                                          .asks = &ask,
                                          .asks_count = 1,
                                          .asks_changed = true,
                                          .request_sequence = 1};
    const struct rm_allocate_response *response =
        call(&f.alice, METHOD_MASTER_TRACKER_ALLOCATE, &request);
    CU_ASSERT_EQUAL_FATAL(response->grants_count, 1);
    return &response->grants[0];
}

static const char *fetch(const char *path, enum status expected)
{
    struct http_client *client = NULL;
    CU_ASSERT_EQUAL_FATAL(http_client_open(NULL, &client, &f.error), OK);
    struct slice url = arena_format(f.arena, "http://%s%s", f.address.http_address, path);
    struct http_request_options options = {.url = (const char *)url.data,
                                           .bearer = (const char *)f.alice.token.data};
    struct http_response response = {0};
    CU_ASSERT_EQUAL(http_get(client, &options, &response, &f.error), expected);
    const char *body = (const char *)arena_copy(f.arena, buf_slice(&response.body)).data;
    http_response_close(&response);
    http_client_close(client);
    return body;
}

static void expect_part(const char *text, const char *part)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
    if (strstr(text, part) == NULL)
        printf("expected %s in:\n%s\n", part, text);
}

static void test_daemon__grants_are_signed(void)
{
    given_daemon();
    struct app_id app = submit(1);
    struct container_id master = hear_launch(register_node());
    const struct rm_grant *grant = obtain_grant(app, master.app_attempt);
    struct token_claims claims;
    struct grant verified;
    CU_ASSERT_EQUAL_FATAL(grant_verify(&f.secret, grant->token, grant->container, NODE_ID,
                                       clock_wall_ms(), &claims, &verified, &f.error),
                          OK);
    CU_ASSERT_TRUE(slice_equal_string(verified.user, "alice"));
    CU_ASSERT_EQUAL(verified.resource.memory_bytes, GIB);
    struct rm_register_master_request registration = {.app = app,
                                                      .app_attempt = master.app_attempt};
    const struct rm_register_master_response *again =
        call(&f.alice, METHOD_MASTER_TRACKER_REGISTER_MASTER, &registration);
    CU_ASSERT_EQUAL_FATAL(again->running_count, 1);
    CU_ASSERT_EQUAL(grant_verify(&f.secret, again->running[0].token, grant->container, NODE_ID,
                                 clock_wall_ms(), &claims, &verified, &f.error),
                    OK);
}

static void test_daemon__acknowledged_applications_survive(void)
{
    given_daemon();
    struct app_id app = submit(1);
    CU_ASSERT_EQUAL(process_signal(f.pid, PROCESS_KILL), OK);
    CU_ASSERT_EQUAL(wait_for_end(), 137);
    given_daemon();
    CU_ASSERT_TRUE(app_id_equal(submit(1), app));
    CU_ASSERT_EQUAL(report_of(app).state, APP_ACCEPTED);
    CU_ASSERT_EQUAL(submit(2).sequence, app.sequence + 1);
    CU_ASSERT_EQUAL(hear_launch(register_node()).epoch, 2);
}

static void test_daemon__stops_when_asked(void)
{
    given_daemon();
    (void)submit(1);
    CU_ASSERT_EQUAL(process_signal(f.pid, PROCESS_TERMINATE), OK);
    CU_ASSERT_EQUAL(wait_for_end(), EXIT_STOPPED);
}

static void test_daemon__users_are_no_nodes(void)
{
    given_daemon();
    struct rm_register_node_request request = {0};
    const struct rm_register_node_response *response = NULL;
    CU_ASSERT_EQUAL(services_node_tracker_register_node(&f.alice, &request, &response, &f.error),
                    ERR_DENIED);
}

static void test_daemon__pages_show_applications_and_nodes(void)
{
    given_daemon();
    struct app_id app = submit(1);
    (void)register_node();
    const char *apps = fetch("/ws/v1/cluster/apps", OK);
    expect_part(apps, "{\"apps\":{\"app\":[{\"id\":\"application_");
    expect_part(apps, "\"user\":\"alice\",\"name\":\"count \\\"words\\\"\"");
    expect_part(apps, "\"state\":\"ACCEPTED\",\"finalStatus\":\"UNDEFINED\"");
    struct slice path = arena_format(f.arena, "/ws/v1/cluster/apps/%s", app_id_text(app).text);
    expect_part(fetch((const char *)path.data, OK), "{\"app\":{\"id\":\"application_");
    (void)fetch("/ws/v1/cluster/apps/application_1_0001", ERR_NOT_FOUND);
    (void)fetch("/ws/v1/cluster/apps/x", ERR_INVALID);
    (void)fetch("/ws/v1/cluster/apps?limit=many", ERR_INVALID);
    expect_part(fetch("/ws/v1/cluster/nodes", OK), "\"nodeHostName\":\"h1\",\"rack\":\"/rack0\"");
    expect_part(fetch("/ws/v1/cluster/metrics", OK), "\"totalVirtualCores\":4");
    expect_part(fetch("/ws/v1/cluster/info", OK), "\"epoch\":1");
    expect_part(fetch("/metrics", OK), "millrace_rm_nodes{state=\"active\"} 1\n");
    f.alice.token = slice_from_string("nobody's");
    (void)fetch("/ws/v1/cluster/info", ERR_UNAUTHENTICATED);
}

static void test_daemon__bad_settings_stop_the_start(void)
{
    start_daemon("rm.node_lost_ms=900ms");
    CU_ASSERT_NOT_EQUAL(wait_for_end(), EXIT_STOPPED);
    start_daemon("rm.masters_percent_max=101");
    CU_ASSERT_EQUAL(wait_for_end(), EXIT_USAGE);
}

static const struct unit_test tests[] = {
    {"test_daemon__grants_are_signed",
     "A grant that a master gets is one that its node manager can verify, of its owner.",                           test_daemon__grants_are_signed                },
    {"test_daemon__acknowledged_applications_survive",
     "An acknowledged submission survives kill -9, and is the same when it is repeated.",                           test_daemon__acknowledged_applications_survive},
    {"test_daemon__stops_when_asked",                  "An orderly stop answers held calls and ends with success.",
     test_daemon__stops_when_asked                                                                                                                                },
    {"test_daemon__users_are_no_nodes",                "Users cannot speak as node managers.",
     test_daemon__users_are_no_nodes                                                                                                                              },
    {"test_daemon__pages_show_applications_and_nodes",
     "Its pages speak YARN's language, to those who have a token.",                                                 test_daemon__pages_show_applications_and_nodes},
    {"test_daemon__bad_settings_stop_the_start",
     "A setting out of range is named, and nothing is started.",                                                    test_daemon__bad_settings_stop_the_start      },
};

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], "--daemon") == 0) {
        arguments[1] = arguments[0];
        return daemon_main(argument_count - 1, arguments + 1, &rm_daemon_definition);
    }
    return unit_main(argument_count, arguments, "rm/daemon", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
