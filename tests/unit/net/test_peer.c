/*
 * test_peer.c - whose socket is at the other end, by both ways of asking.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/net/peer.h"
#include "tests/support/unit.h"

enum {
    OTHER_USER = 65534
};

struct fixture {
    int listener;
    int client;
    int server;
    struct sockaddr_storage peer; /* the client's end as the server sees it */
    struct sockaddr_storage own;
    struct error error;
};

static struct fixture f;

static void listen_at(int family)
{
    struct sockaddr_storage storage = {.ss_family = (sa_family_t)family};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = family == AF_INET ? sizeof(four) : sizeof(six);
    if (family == AF_INET)
        memcpy(&storage, &four, sizeof(four));
    else
        memcpy(&storage, &six, sizeof(six));
    f.listener = socket(family, SOCK_STREAM, 0);
    CU_ASSERT_TRUE_FATAL(f.listener >= 0);
    CU_ASSERT_EQUAL_FATAL(bind(f.listener, (struct sockaddr *)&storage, length), 0);
    CU_ASSERT_EQUAL_FATAL(listen(f.listener, 1), 0);
}

static int connect_to_listener(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    int fd = -1;
    if (getsockname(f.listener, (struct sockaddr *)&address, &length) == 0)
        fd = socket(address.ss_family, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, length) == 0)
        return fd;
    return -1;
}

static void accept_client(void)
{
    socklen_t peer = sizeof(f.peer);
    socklen_t own = sizeof(f.own);
    f.server = accept(f.listener, NULL, NULL);
    CU_ASSERT_TRUE_FATAL(f.server >= 0);
    CU_ASSERT_EQUAL_FATAL(getpeername(f.server, (struct sockaddr *)&f.peer, &peer), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(f.server, (struct sockaddr *)&f.own, &own), 0);
}

static void given_connection(int family)
{
    listen_at(family);
    f.client = connect_to_listener();
    CU_ASSERT_TRUE_FATAL(f.client >= 0);
    accept_client();
}

static void setup(void)
{
    f = (struct fixture){.listener = -1, .client = -1, .server = -1};
}

static void teardown(void)
{
    if (f.client >= 0)
        (void)close(f.client);
    if (f.server >= 0)
        (void)close(f.server);
    if (f.listener >= 0)
        (void)close(f.listener);
}

/* Both ways agree; a kernel without sock_diag leaves the tables. */
static void expect_peer(enum status wanted, uint32_t wanted_uid)
{
    uint32_t uid = 12345;
    enum status status = peer_ask_kernel(&f.peer, &f.own, &uid, &f.error);
    CU_ASSERT_TRUE(status == wanted || status == ERR_UNSUPPORTED);
    CU_ASSERT_TRUE(status != OK || uid == wanted_uid);
    uid = 12345;
    CU_ASSERT_EQUAL(peer_search_tables(&f.peer, &f.own, &uid, &f.error), wanted);
    CU_ASSERT_TRUE(wanted != OK || uid == wanted_uid);
    uid = 12345;
    CU_ASSERT_EQUAL(peer_find_uid(&f.peer, &f.own, &uid, &f.error), wanted);
    CU_ASSERT_TRUE(wanted != OK || uid == wanted_uid);
}

static void test_peer__own_connection_is_ours(void)
{
    given_connection(AF_INET);
    expect_peer(OK, (uint32_t)geteuid());
}

static void test_peer__works_over_ipv6(void)
{
    given_connection(AF_INET6);
    expect_peer(OK, (uint32_t)geteuid());
}

/* Its row would say user 0. */
static void test_peer__closed_socket_is_nobodys(void)
{
    given_connection(AF_INET);
    (void)close(f.client);
    f.client = -1;
    expect_peer(ERR_UNAUTHENTICATED, 0);
}

static void test_peer__other_connection_does_not_count(void)
{
    given_connection(AF_INET);
    struct sockaddr_in four;
    memcpy(&four, &f.peer, sizeof(four));
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1); /* the port is right, the address is not */
    memcpy(&f.peer, &four, sizeof(four));
    expect_peer(ERR_UNAUTHENTICATED, 0);
}

static void test_peer__beyond_loopback_is_nobody(void)
{
    uint32_t uid = 0;
    given_connection(AF_INET);
    struct sockaddr_in four;
    memcpy(&four, &f.peer, sizeof(four));
    four.sin_addr.s_addr = htonl(0x0a000001);
    memcpy(&f.peer, &four, sizeof(four));
    CU_ASSERT_EQUAL(peer_find_uid(&f.peer, &f.own, &uid, &f.error), ERR_UNAUTHENTICATED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "not on this host"));
}

/* Somebody else connects: he is named, not the one who listens. Needs root to become another. */
static void test_peer__other_user_is_told_apart(void)
{
    if (geteuid() != 0)
        return; /* nobody else can become another user */
    listen_at(AF_INET);
    int done[2];
    CU_ASSERT_EQUAL_FATAL(pipe(done), 0);
    pid_t child = fork();
    CU_ASSERT_TRUE_FATAL(child >= 0);
    if (child == 0) {
        char byte = 0;
        int fd = setuid(OTHER_USER) == 0 ? connect_to_listener() : -1;
        (void)close(done[1]);
        (void)!read(done[0], &byte, 1); /* holds the connection until the parent lets go */
        _exit(fd >= 0 ? 0 : 1);
    }
    (void)close(done[0]);
    accept_client();
    expect_peer(OK, OTHER_USER);
    (void)close(done[1]);
    int result = 0;
    CU_ASSERT_EQUAL(waitpid(child, &result, 0), child);
    CU_ASSERT_EQUAL(result, 0);
}

static const struct unit_test tests[] = {
    {"test_peer__own_connection_is_ours",          "A connection of our own is ours.",
     test_peer__own_connection_is_ours                                                                                       },
    {"test_peer__works_over_ipv6",                 "So is one over IPv6.",                         test_peer__works_over_ipv6},
    {"test_peer__closed_socket_is_nobodys",        "A socket its process has closed is nobody's.",
     test_peer__closed_socket_is_nobodys                                                                                     },
    {"test_peer__other_connection_does_not_count", "Only exactly this connection counts.",
     test_peer__other_connection_does_not_count                                                                              },
    {"test_peer__beyond_loopback_is_nobody",       "Who is beyond loopback is nobody.",
     test_peer__beyond_loopback_is_nobody                                                                                    },
    {"test_peer__other_user_is_told_apart",        "Another user is told apart.",
     test_peer__other_user_is_told_apart                                                                                     },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/peer", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
