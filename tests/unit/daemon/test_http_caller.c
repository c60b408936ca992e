/*
 * test_http_caller.c - who sends an HTTP request: tokens, sockets, wishes, browsers.
 * A real server is asked by a real client; only whose socket it is, is the test's to say.
 */
#include <stdio.h>
#include <string.h>

#include "lib/daemon/cluster.h"
#include "lib/daemon/http_caller.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/net/net.h"
#include "lib/net/token.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"
#include "tests/support/unit.h"

enum {
    HEADERS_MAX = 2
};

struct fixture {
    struct arena *arena;
    struct http_server *server;
    struct http_client *client;
    struct token_secret secret;
    struct http_caller_rules rules;
    const char *peer; /* whose socket it is; NULL: nobody's */
    struct http_header headers[HEADERS_MAX];
    size_t header_count;
    struct error error;
};

static struct fixture f;

static enum status find_peer(void *user,
                             const struct http_request *request,
                             struct arena *arena,
                             struct slice *ret_user,
                             struct error *reterr_error)
{
    (void)user;
    (void)request;
    if (f.peer == NULL)
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "nobody's socket");
    *ret_user = arena_copy(arena, slice_from_string(f.peer));
    return OK;
}

static bool is_root(void *user, struct slice caller)
{
    (void)user;
    return slice_equal_string(caller, "root");
}

static void answer(void *user, struct http_request *request)
{
    (void)user;
    struct arena *arena = arena_open(0);
    struct slice caller;
    struct error error = {.status = OK};
    enum status status = http_caller_identify(&f.rules, request, arena, &caller, &error);
    if (status == OK)
        http_reply(request, 200, NULL, caller);
    else
        http_reply_error(request, status, error.text);
    arena_close(arena);
}

static const struct http_route routes[] = {
    {.method = "GET", .prefix = "/", .handle = answer},
};

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .peer = "alice"};
    host_random_bytes(f.secret.bytes, sizeof(f.secret.bytes));
    f.rules = (struct http_caller_rules){
        .secret = &f.secret,
        .host = "node1",
        .may_act_for_others = is_root,
        .find_peer = find_peer,
    };
    struct http_server_options options = {
        .address = "127.0.0.1:0",
        .threading = HTTP_THREAD_EACH,
        .routes = routes,
        .route_count = 1,
    };
    CU_ASSERT_EQUAL_FATAL(net_open(NULL, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(http_server_open(&options, &f.server, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(http_client_open(NULL, &f.client, &f.error), OK);
}

static void teardown(void)
{
    http_client_close(f.client);
    http_server_close(f.server);
    net_close();
    arena_close(f.arena);
}

/* The user whom a request with this query is taken for, or the name of the status. */
static const char *caller_of(const char *query)
{
    struct slice url =
        arena_format(f.arena, "http://127.0.0.1:%u/x?%s", http_server_port(f.server), query);
    struct http_request_options options = {
        .url = (const char *)url.data,
        .headers = f.headers,
        .header_count = f.header_count,
    };
    struct http_response response = {0};
    enum status status = http_get(f.client, &options, &response, &f.error);
    const char *text = status == OK
                           ? (const char *)arena_copy(f.arena, buf_slice(&response.body)).data
                           : status_name(status);
    http_response_close(&response);
    return text;
}

static const char *token_for(const char *user, int64_t lifetime_ms)
{
    struct slice token;
    CU_ASSERT_EQUAL_FATAL(http_caller_sign(&f.secret, slice_from_string(user),
                                           clock_wall_ms() + lifetime_ms, f.arena, &token,
                                           &f.error),
                          OK);
    return (const char *)token.data;
}

static const char *with_token(const char *token, const char *more)
{
    return (const char *)arena_format(f.arena, "delegation=%s%s", token, more).data;
}

static void test_http_caller__socket_names_the_caller(void)
{
    CU_ASSERT_STRING_EQUAL(caller_of(""), "alice");
    CU_ASSERT_STRING_EQUAL(caller_of("user.name=alice&doas=alice"), "alice");
    f.peer = NULL;
    CU_ASSERT_STRING_EQUAL(caller_of("user.name=alice"), "ERR_UNAUTHENTICATED");
}

static void test_http_caller__kernel_is_asked_unless_replaced(void)
{
    f.rules.find_peer = NULL;
    CU_ASSERT_STRING_EQUAL(caller_of(""), host_user_name(f.arena, host_uid()));
}

static void test_http_caller__wishes_are_not_believed(void)
{
    CU_ASSERT_STRING_EQUAL(caller_of("user.name=bob"), "ERR_DENIED");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "user.name=bob: the caller is alice"));
    CU_ASSERT_STRING_EQUAL(caller_of("doas=bob"), "ERR_DENIED");
    f.rules.may_act_for_others = NULL;
    f.peer = "root";
    CU_ASSERT_STRING_EQUAL(caller_of("doas=bob"), "ERR_DENIED");
}

static void test_http_caller__some_may_act_for_others(void)
{
    f.peer = "root";
    CU_ASSERT_STRING_EQUAL(caller_of("user.name=bob"), "bob");
    CU_ASSERT_STRING_EQUAL(caller_of("doas=bob"), "bob");
    CU_ASSERT_STRING_EQUAL(caller_of("user.name=root&doas=bob"), "bob");
    /* But not for daemons and containers, whose names no user has. */
    CU_ASSERT_STRING_EQUAL(caller_of("user.name=millrace"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_of("doas=container:x"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_of("doas=user:millrace"), "ERR_DENIED");
}

static void test_http_caller__token_wins(void)
{
    const char *token = token_for("bob", 60000);
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(token, "")), "bob");
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(token, "&user.name=alice")), "bob");
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(token, "&doas=alice")), "ERR_DENIED");
    f.peer = NULL;
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(token, "")), "bob");
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(token_for("millrace", 60000), "")), "millrace");
    const char *root = token_for("root", 60000);
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(root, "&doas=alice")), "alice");
}

static void test_http_caller__bad_token_is_refused_whatever_the_socket_says(void)
{
    CU_ASSERT_STRING_EQUAL(caller_of("delegation=mr1.x"), "ERR_UNAUTHENTICATED");
    const char *old = token_for("alice", -1);
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(old, "")), "ERR_UNAUTHENTICATED");
    host_random_bytes(f.secret.bytes, sizeof(f.secret.bytes));
    const char *good = token_for("alice", 60000);
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(good, "")), "alice");
    host_random_bytes(f.secret.bytes, sizeof(f.secret.bytes)); /* now it is another cluster's */
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(good, "")), "ERR_UNAUTHENTICATED");
}

static void test_http_caller__token_is_for_webhdfs_only(void)
{
    struct token_claims claims;
    struct slice token = slice_from_string(token_for("alice", 60000));
    CU_ASSERT_EQUAL(
        token_verify(&f.secret, token, CLUSTER_AUDIENCE, clock_wall_ms(), &claims, &f.error),
        ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL_FATAL(http_caller_sign_for_cluster(&f.secret, slice_from_string("alice"),
                                                       clock_wall_ms() + 60000, f.arena, &token,
                                                       &f.error),
                          OK);
    CU_ASSERT_EQUAL(
        token_verify(&f.secret, token, CLUSTER_AUDIENCE, clock_wall_ms(), &claims, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(claims.subject, "user:alice");
    /* The cluster's tokens are good here, too. */
    CU_ASSERT_STRING_EQUAL(caller_of(with_token((const char *)token.data, "")), "alice");
}

static const char *caller_with(const char *name, const char *value)
{
    f.headers[0] = (struct http_header){.name = name, .value = value};
    f.header_count = 1;
    return caller_of("");
}

static void test_http_caller__pages_of_other_sites_are_refused(void)
{
    CU_ASSERT_STRING_EQUAL(caller_with("Host", "evil.example"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_with("Host", "127.0.0.1.evil.example"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_with("Host", "localhost.evil.example:80"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_with("Host", "[::1].evil.example"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_with("Host", "NODE1:9870"), "alice");
    CU_ASSERT_STRING_EQUAL(caller_with("Host", "[::1]:9870"), "alice");
    CU_ASSERT_STRING_EQUAL(caller_with("Origin", "https://evil.example"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_with("Origin", "null"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_with("Origin", "http://localhost:9870"), "alice");
    CU_ASSERT_STRING_EQUAL(caller_with("Sec-Fetch-Site", "cross-site"), "ERR_DENIED");
    CU_ASSERT_STRING_EQUAL(caller_with("Sec-Fetch-Site", "same-origin"), "alice");
    /* A page cannot know the token. */
    f.headers[0] = (struct http_header){.name = "Origin", .value = "https://evil.example"};
    CU_ASSERT_STRING_EQUAL(caller_of(with_token(token_for("bob", 60000), "")), "bob");
}

static const struct unit_test tests[] = {
    {"test_http_caller__socket_names_the_caller",                       "The socket names the caller.",
     test_http_caller__socket_names_the_caller                                                                                                                                       },
    {"test_http_caller__kernel_is_asked_unless_replaced",               "The kernel is asked.",
     test_http_caller__kernel_is_asked_unless_replaced                                                                                                                               },
    {"test_http_caller__wishes_are_not_believed",                       "Wishes are not believed.",
     test_http_caller__wishes_are_not_believed                                                                                                                                       },
    {"test_http_caller__some_may_act_for_others",                       "Some may act for others.",
     test_http_caller__some_may_act_for_others                                                                                                                                       },
    {"test_http_caller__token_wins",                                    "A token wins.",                              test_http_caller__token_wins                                   },
    {"test_http_caller__bad_token_is_refused_whatever_the_socket_says",
     "A bad token is refused, whatever the socket says.",                                                             test_http_caller__bad_token_is_refused_whatever_the_socket_says},
    {"test_http_caller__token_is_for_webhdfs_only",                     "A token of a redirect is for WebHDFS only.",
     test_http_caller__token_is_for_webhdfs_only                                                                                                                                     },
    {"test_http_caller__pages_of_other_sites_are_refused",              "Pages of other sites are refused.",
     test_http_caller__pages_of_other_sites_are_refused                                                                                                                              },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "daemon/http_caller", tests, UNIT_COUNT(tests),
                     setup, teardown);
}
