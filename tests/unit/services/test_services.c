/*
 * test_services.c - lib/services: typed calls over a real gRPC connection on loopback.
 */
#include "lib/services/calls.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "lib/services/server.h"
#include "tests/support/unit.h"

enum {
    TIMEOUT_MS = 20000 /* never reached unless something is broken */
};

/* What the server does with a call. */
enum behaviour {
    ANSWER,         /* an AppReport with the asked id and the caller's token as its user */
    FAIL,           /* f.status, f.text */
    HOLD,           /* keeps it in f.held */
    ANSWER_BAD,     /* a response that cannot be packed */
    ANSWER_GARBAGE, /* bytes that are no response */
};

static struct fixture {
    struct rpc_server *server;
    struct rpc_client *client;
    struct rpc_channel *channel;
    struct arena *arena;
    struct error error;
    struct service_target target;
    enum behaviour behaviour;
    enum status status;
    struct slice text;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    struct service_request *held;
    unsigned done_count;
    struct service_result result; /* the text is copied to result_text */
    char result_text[RPC_TEXT_BYTES + 1];
} f;

static const char *const services[] = {"ResourceManager", NULL};

static void answer(struct service_request *request)
{
    const struct rm_get_app_request *asked = request->message;
    struct rm_get_app_response response = {
        .report = {.app = asked->app, .user = request->token, .state = APP_RUNNING}
    };
    service_reply(request, &response);
}

static void answer_bad(struct service_request *request)
{
    struct rm_get_app_response response = {.report = {.name = slice_make("\xff", 1)}};
    service_reply(request, &response);
}

static void handle(void *user, struct rpc_request *rpc)
{
    (void)user;
    if (f.behaviour == ANSWER_GARBAGE) {
        rpc_request_reply(rpc, slice_from_string("\x0a\x7f"));
        return;
    }
    struct service_request *request = service_accept(rpc, services);
    if (request == NULL)
        return;
    if (f.behaviour == FAIL) {
        service_fail(request, f.status, f.text);
    } else if (f.behaviour == ANSWER_BAD) {
        answer_bad(request);
    } else if (f.behaviour == HOLD) {
        (void)pthread_mutex_lock(&f.mutex);
        f.held = request;
        (void)pthread_cond_broadcast(&f.changed);
        (void)pthread_mutex_unlock(&f.mutex);
    } else {
        answer(request);
    }
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    (void)pthread_mutex_init(&f.mutex, NULL);
    (void)pthread_cond_init(&f.changed, NULL);
    struct rpc_server_options options = {.address = "127.0.0.1:0", .handle = handle};
    CU_ASSERT_EQUAL_FATAL(rpc_server_open(&options, &f.server, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(rpc_client_open(NULL, &f.client, &f.error), OK);
    char address[32];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)rpc_server_port(f.server));
    CU_ASSERT_EQUAL_FATAL(rpc_channel_open(f.client, address, NULL, &f.channel, &f.error), OK);
    f.target = (struct service_target){
        .channel = f.channel, .timeout_ms = TIMEOUT_MS, .wait_for_ready = true, .arena = f.arena};
}

static void teardown(void)
{
    rpc_channel_close(f.channel);
    rpc_client_close(f.client);
    rpc_server_close(f.server, TIMEOUT_MS);
    arena_close(f.arena);
    (void)pthread_cond_destroy(&f.changed);
    (void)pthread_mutex_destroy(&f.mutex);
}

static const struct rm_get_app_request question = {
    .app = {.cluster_timestamp = 1700000000000, .sequence = 5}
};

static enum status ask(const struct rm_get_app_response **ret_response)
{
    return services_resource_manager_get_app(&f.target, &question, ret_response, &f.error);
}

static const struct rm_get_app_response no_answer;

static struct service_request *wait_for_held(void)
{
    (void)pthread_mutex_lock(&f.mutex);
    while (f.held == NULL)
        (void)pthread_cond_wait(&f.changed, &f.mutex);
    struct service_request *held = f.held;
    (void)pthread_mutex_unlock(&f.mutex);
    return held;
}

static void record_result(void *user, const struct service_result *result)
{
    (void)user;
    (void)pthread_mutex_lock(&f.mutex);
    f.done_count++;
    f.result = *result;
    (void)snprintf(f.result_text, sizeof(f.result_text), "%.*s", SLICE_ARGS(result->text));
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

static void wait_for_result(void)
{
    (void)pthread_mutex_lock(&f.mutex);
    while (f.done_count == 0)
        (void)pthread_cond_wait(&f.changed, &f.mutex);
    (void)pthread_mutex_unlock(&f.mutex);
}

static void start_asking(struct rpc_call **ret_call)
{
    CU_ASSERT_EQUAL_FATAL(service_call_start(&f.target, METHOD_RESOURCE_MANAGER_GET_APP, &question,
                                             record_result, NULL, ret_call, &f.error),
                          OK);
}

static void test_services__call_brings_the_servers_answer(void)
{
    const struct rm_get_app_response *response = &no_answer;
    CU_ASSERT_EQUAL_FATAL(ask(&response), OK);
    CU_ASSERT_EQUAL(response->report.app.sequence, 5);
    CU_ASSERT_EQUAL(response->report.state, APP_RUNNING);
    CU_ASSERT_EQUAL(response->report.user.length, 0);
}

static void test_services__token_reaches_the_server(void)
{
    const struct rm_get_app_response *response = &no_answer;
    f.target.token = slice_from_string("some.token-1");
    CU_ASSERT_EQUAL_FATAL(ask(&response), OK);
    CU_ASSERT_TRUE(slice_equal_string(response->report.user, "some.token-1"));
}

static void test_services__token_that_is_too_long_is_refused(void)
{
    char token[2000];
    memset(token, 'x', sizeof(token));
    f.target.token = slice_make(token, sizeof(token));
    const struct rm_get_app_response *response = NULL;
    CU_ASSERT_EQUAL(ask(&response), ERR_INVALID);
    CU_ASSERT_PTR_NULL(response);
}

static void test_services__every_status_arrives_as_itself(void)
{
    f.behaviour = FAIL;
    f.text = slice_from_string("because of \xc3\xa9, 100%");
    for (unsigned i = 1; i < STATUS_COUNT; i++) {
        f.status = (enum status)i;
        const struct rm_get_app_response *response = NULL;
        CU_ASSERT_EQUAL(ask(&response), f.status);
        CU_ASSERT_EQUAL(f.error.status, f.status);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "because of \xc3\xa9, 100%"));
        CU_ASSERT_PTR_NULL(response);
    }
}

static void test_services__failure_text_is_cleaned(void)
{
    f.behaviour = FAIL;
    f.status = ERR_BUSY;
    f.text = slice_make("a\xff", 2);
    const struct rm_get_app_response *response = NULL;
    CU_ASSERT_EQUAL(ask(&response), ERR_BUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "a\xef\xbf\xbd"));
}

static void test_services__service_that_is_not_served_is_refused(void)
{
    const struct dfs_get_status_response *response = NULL;
    struct dfs_get_status_request request = {.path = slice_from_string("/")};
    CU_ASSERT_EQUAL(services_namenode_get_status(&f.target, &request, &response, &f.error),
                    ERR_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(f.error.text, "no method \"/millrace.dfs.Namenode/GetStatus\" is served"));
}

static enum status call_bytes(const char *path, struct slice body)
{
    struct buf answer_bytes = {0};
    struct rpc_call_options options = {.timeout_ms = TIMEOUT_MS, .wait_for_ready = true};
    enum status status = rpc_call_wait(f.channel, path, body, &options, &answer_bytes, &f.error);
    buf_close(&answer_bytes);
    return status;
}

static void test_services__unknown_method_is_refused(void)
{
    CU_ASSERT_EQUAL(call_bytes("/millrace.rm.ResourceManager/Nothing", slice_make(NULL, 0)),
                    ERR_UNSUPPORTED);
}

static void test_services__bytes_that_are_no_request_are_refused(void)
{
    CU_ASSERT_EQUAL(
        call_bytes("/millrace.rm.ResourceManager/GetApp", slice_from_string("\x0a\x7f")),
        ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "unpack millrace.rm.GetAppRequest"));
}

static void test_services__request_that_cannot_be_packed_is_not_sent(void)
{
    struct rm_kill_app_request request = {.diagnostics = slice_make("\0", 1)};
    const struct rm_kill_app_response *response = NULL;
    f.behaviour = HOLD;
    CU_ASSERT_EQUAL(services_resource_manager_kill_app(&f.target, &request, &response, &f.error),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(service_call_start(&f.target, METHOD_RESOURCE_MANAGER_KILL_APP, &request,
                                       record_result, NULL, NULL, &f.error),
                    ERR_INVALID);
    CU_ASSERT_PTR_NULL(f.held);
    CU_ASSERT_EQUAL(f.done_count, 0);
}

static void test_services__response_that_cannot_be_packed_is_an_internal_error(void)
{
    f.behaviour = ANSWER_BAD;
    const struct rm_get_app_response *response = NULL;
    CU_ASSERT_EQUAL(ask(&response), ERR_INTERNAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "report: name: not UTF-8"));
}

static void test_services__response_that_is_none_is_corrupt(void)
{
    f.behaviour = ANSWER_GARBAGE;
    const struct rm_get_app_response *response = NULL;
    CU_ASSERT_EQUAL(ask(&response), ERR_CORRUPT);
    CU_ASSERT_EQUAL(f.error.status, ERR_CORRUPT);
    CU_ASSERT_PTR_NULL(response);
    start_asking(NULL);
    wait_for_result();
    CU_ASSERT_EQUAL(f.result.status, ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.result_text, "unpack millrace.rm.GetAppResponse"));
    CU_ASSERT_PTR_NULL(f.result.arena);
    CU_ASSERT_PTR_NULL(f.result.response);
}

static void test_services__held_call_is_answered_later(void)
{
    f.behaviour = HOLD;
    start_asking(NULL);
    struct service_request *held = wait_for_held();
    CU_ASSERT_EQUAL(held->method, METHOD_RESOURCE_MANAGER_GET_APP);
    CU_ASSERT_TRUE(slice_has_prefix(held->peer, slice_from_string("ipv4:127.0.0.1:")));
    CU_ASSERT_EQUAL(f.done_count, 0);
    answer(held);
    wait_for_result();
    CU_ASSERT_EQUAL_FATAL(f.result.status, OK);
    CU_ASSERT_EQUAL(f.result.method, METHOD_RESOURCE_MANAGER_GET_APP);
    const struct rm_get_app_response *response = f.result.response;
    CU_ASSERT_EQUAL(response->report.app.sequence, 5);
    arena_close(f.result.arena);
    CU_ASSERT_EQUAL(f.done_count, 1);
}

static void test_services__failure_of_a_started_call_is_told(void)
{
    f.behaviour = FAIL;
    f.status = ERR_SAFE_MODE;
    f.text = slice_from_string("wait a little");
    start_asking(NULL);
    wait_for_result();
    CU_ASSERT_EQUAL(f.result.status, ERR_SAFE_MODE);
    CU_ASSERT_STRING_EQUAL(f.result_text, "wait a little");
    CU_ASSERT_PTR_NULL(f.result.arena);
}

static void test_services__cancelled_call_ends_with_err_cancelled(void)
{
    f.behaviour = HOLD;
    struct rpc_call *call = NULL;
    start_asking(&call);
    struct service_request *held = wait_for_held();
    rpc_call_cancel(call);
    wait_for_result();
    CU_ASSERT_EQUAL(f.result.status, ERR_CANCELLED);
    rpc_call_close(call);
    service_fail(held, ERR_CANCELLED, slice_make(NULL, 0));
}

static const struct unit_test tests[] = {
    {"test_services__call_brings_the_servers_answer",                      "Call brings the servers answer.",
     test_services__call_brings_the_servers_answer                                                                                                                                 },
    {"test_services__token_reaches_the_server",                            "Token reaches the server.",
     test_services__token_reaches_the_server                                                                                                                                       },
    {"test_services__token_that_is_too_long_is_refused",                   "Token that is too long is refused.",
     test_services__token_that_is_too_long_is_refused                                                                                                                              },
    {"test_services__every_status_arrives_as_itself",                      "Every status arrives as itself.",
     test_services__every_status_arrives_as_itself                                                                                                                                 },
    {"test_services__failure_text_is_cleaned",                             "Failure text is cleaned.",
     test_services__failure_text_is_cleaned                                                                                                                                        },
    {"test_services__service_that_is_not_served_is_refused",
     "Service that is not served is refused.",                                                                   test_services__service_that_is_not_served_is_refused              },
    {"test_services__unknown_method_is_refused",                           "Unknown method is refused.",
     test_services__unknown_method_is_refused                                                                                                                                      },
    {"test_services__bytes_that_are_no_request_are_refused",
     "Bytes that are no request are refused.",                                                                   test_services__bytes_that_are_no_request_are_refused              },
    {"test_services__request_that_cannot_be_packed_is_not_sent",
     "Request that cannot be packed is not sent.",                                                               test_services__request_that_cannot_be_packed_is_not_sent          },
    {"test_services__response_that_cannot_be_packed_is_an_internal_error",
     "Response that cannot be packed is an internal error.",                                                     test_services__response_that_cannot_be_packed_is_an_internal_error},
    {"test_services__response_that_is_none_is_corrupt",                    "Response that is none is corrupt.",
     test_services__response_that_is_none_is_corrupt                                                                                                                               },
    {"test_services__held_call_is_answered_later",                         "Held call is answered later.",
     test_services__held_call_is_answered_later                                                                                                                                    },
    {"test_services__failure_of_a_started_call_is_told",                   "Failure of a started call is told.",
     test_services__failure_of_a_started_call_is_told                                                                                                                              },
    {"test_services__cancelled_call_ends_with_err_cancelled",
     "Cancelled call ends with err cancelled.",                                                                  test_services__cancelled_call_ends_with_err_cancelled             },
};

int main(int argument_count, char **arguments)
{
    struct error error = {0};
    if (net_open(NULL, &error) != OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    int code =
        unit_main(argument_count, arguments, "services", tests, UNIT_COUNT(tests), setup, teardown);
    net_close();
    return code;
}
