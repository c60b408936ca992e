/*
 * test_fd_pass.c - lib/net/fd_pass.h over sockets in a folder of its own.
 */
#include "lib/net/fd_pass.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/fault.h"
#include "lib/base/rng.h"
#include "tests/support/unit.h"

enum {
    PATIENCE_MS = 30 * 1000
};

static struct fixture {
    char folder[64];
    char path[96];
    char file[96];
    struct fd_pass_server *server;
    struct fd_pass_client *client;
    struct buf answer;
    struct error error;
} f;

/* "file": the descriptor; "echo...": itself; "uid": who asks; "refuse": a failure with a
 * descriptor. */
static enum status on_question(void *user,
                               uint32_t uid,
                               struct slice question,
                               struct buf *answer,
                               int *ret_fd,
                               struct error *error)
{
    (void)user;
    if (slice_equal_string(question, "uid"))
        return buf_append_format(answer, "%u", (unsigned)uid);
    if (slice_equal_string(question, "file")) {
        *ret_fd = open(f.file, O_RDONLY | O_CLOEXEC);
        return buf_append_format(answer, "here");
    }
    if (slice_equal_string(question, "refuse")) {
        *ret_fd = open(f.file, O_RDONLY | O_CLOEXEC);
        return error_set(error, ERR_CORRUPT, "block 7 is broken");
    }
    return buf_append_slice(answer, question);
}

static struct fd_pass_server *open_server(void)
{
    struct fd_pass_server_options options = {.path = f.path, .mode = 0600, .answer = on_question};
    struct fd_pass_server *server = NULL;
    CU_ASSERT_EQUAL_FATAL(fd_pass_server_open(&options, &server, &f.error), OK);
    return server;
}

static void reconnect(void)
{
    fd_pass_client_close(f.client);
    f.client = NULL;
    CU_ASSERT_EQUAL_FATAL(fd_pass_connect(f.path, PATIENCE_MS, &f.client, &f.error), OK);
}

static void setup(void)
{
    f = (struct fixture){.server = NULL};
    (void)snprintf(f.folder, sizeof(f.folder), "/tmp/millrace-test-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof(f.path), "%s/s", f.folder);
    (void)snprintf(f.file, sizeof(f.file), "%s/f", f.folder);
    int fd = open(f.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL(write(fd, "content", 7), 7);
    (void)close(fd);
    f.server = open_server();
    reconnect();
}

static void teardown(void)
{
    fault_disarm_all();
    fd_pass_client_close(f.client);
    fd_pass_server_close(f.server);
    buf_close(&f.answer);
    char lock[112];
    (void)snprintf(lock, sizeof(lock), "%s.lock", f.path);
    (void)unlink(lock);
    (void)unlink(f.file);
    CU_ASSERT_EQUAL(rmdir(f.folder), 0); /* the socket is gone, nothing else is left */
}

static enum status ask(const char *question, int *ret_fd)
{
    buf_clear(&f.answer);
    return fd_pass_ask(f.client, slice_from_string(question), &f.answer, ret_fd, &f.error);
}

static void test_fd_pass__answer_comes_back(void)
{
    int fd = 7;
    CU_ASSERT_EQUAL(ask("echo this", &fd), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.answer), "echo this");
    CU_ASSERT_EQUAL(fd, -1);
}

static void test_fd_pass__open_file_is_handed_over(void)
{
    int fd = -1;
    CU_ASSERT_EQUAL(ask("file", &fd), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.answer), "here");
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    char text[16] = "";
    CU_ASSERT_EQUAL(pread(fd, text, sizeof(text) - 1, 0), 7);
    CU_ASSERT_STRING_EQUAL(text, "content");
    (void)close(fd);
}

/* The lowest free descriptor: the same before and after, when nothing leaks. */
static int lowest_free(void)
{
    int fd = dup(STDIN_FILENO);
    (void)close(fd);
    return fd;
}

static void test_fd_pass__no_descriptor_leaks(void)
{
    CU_ASSERT_EQUAL(ask("echo", NULL), OK); /* the server has accepted by now */
    int before = lowest_free();
    CU_ASSERT_EQUAL(ask("file", NULL), OK);
    int fd = 0;
    CU_ASSERT_EQUAL(ask("refuse", &fd), ERR_CORRUPT);
    CU_ASSERT_EQUAL(fd, 0);
    CU_ASSERT_STRING_EQUAL(f.error.text, "block 7 is broken");
    CU_ASSERT_EQUAL(ask("echo", NULL), OK); /* what came before is closed by now */
    CU_ASSERT_EQUAL(lowest_free(), before);
}

static void test_fd_pass__kernel_says_who_asks(void)
{
    char uid[16];
    (void)snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
    CU_ASSERT_EQUAL(ask("uid", NULL), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.answer), uid);
}

static void test_fd_pass__sizes_are_limited(void)
{
    static uint8_t big[FD_PASS_BYTES + 1];
    struct slice whole = slice_make(big, FD_PASS_BYTES);
    buf_clear(&f.answer);
    CU_ASSERT_EQUAL(fd_pass_ask(f.client, whole, &f.answer, NULL, &f.error), OK);
    CU_ASSERT_EQUAL(f.answer.length, FD_PASS_BYTES);
    CU_ASSERT_EQUAL(fd_pass_ask(f.client, slice_make(big, sizeof(big)), &f.answer, NULL, &f.error),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(ask("", NULL), ERR_INVALID);
    struct buf small;
    buf_open(&small, 3);
    CU_ASSERT_EQUAL(fd_pass_ask(f.client, slice_from_string("echo"), &small, NULL, &f.error),
                    ERR_LIMIT);
    buf_close(&small);
}

static void test_fd_pass__long_path_is_refused(void)
{
    char path[FD_PASS_PATH_BYTES + 2];
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    struct fd_pass_server_options options = {.path = path, .mode = 0600, .answer = on_question};
    struct fd_pass_server *server = NULL;
    CU_ASSERT_EQUAL(fd_pass_server_open(&options, &server, &f.error), ERR_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "108 bytes"));
    struct fd_pass_client *client = NULL;
    CU_ASSERT_EQUAL(fd_pass_connect(path, PATIENCE_MS, &client, &f.error), ERR_LIMIT);
    /* One byte less and the kernel decides. */
    path[sizeof(path) - 2] = '\0';
    CU_ASSERT_EQUAL(fd_pass_connect(path, PATIENCE_MS, &client, &f.error), ERR_UNAVAILABLE);
}

static void test_fd_pass__living_server_keeps_its_path(void)
{
    struct fd_pass_server_options options = {.path = f.path, .mode = 0600, .answer = on_question};
    struct fd_pass_server *second = NULL;
    CU_ASSERT_EQUAL(fd_pass_server_open(&options, &second, &f.error), ERR_BUSY);
    reconnect();
    CU_ASSERT_EQUAL(ask("echo", NULL), OK);
}

/* Binds the path and closes without unlink, as a killed server leaves it. */
static void leave_dead_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f.path, strlen(f.path));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
}

static void test_fd_pass__dead_servers_socket_is_replaced(void)
{
    fd_pass_server_close(f.server);
    f.server = NULL;
    struct fd_pass_client *client = NULL;
    CU_ASSERT_EQUAL(fd_pass_connect(f.path, PATIENCE_MS, &client, &f.error), ERR_UNAVAILABLE);
    leave_dead_socket();
    CU_ASSERT_EQUAL(fd_pass_connect(f.path, PATIENCE_MS, &client, &f.error), ERR_UNAVAILABLE);
    f.server = open_server();
    struct stat info;
    CU_ASSERT_EQUAL(stat(f.path, &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0600);
    reconnect();
    CU_ASSERT_EQUAL(ask("echo", NULL), OK);
}

static void test_fd_pass__other_file_is_not_removed(void)
{
    fd_pass_server_close(f.server);
    f.server = NULL;
    CU_ASSERT_EQUAL(rename(f.file, f.path), 0);
    struct fd_pass_server_options options = {.path = f.path, .mode = 0600, .answer = on_question};
    CU_ASSERT_EQUAL(fd_pass_server_open(&options, &f.server, &f.error), ERR_EXISTS);
    CU_ASSERT_EQUAL(rename(f.path, f.file), 0);
}

static void test_fd_pass__end_of_the_server_is_noticed(void)
{
    CU_ASSERT_EQUAL(ask("echo", NULL), OK);
    fd_pass_server_close(f.server);
    f.server = NULL;
    CU_ASSERT_EQUAL(ask("echo", NULL), ERR_UNAVAILABLE);
}

static void test_fd_pass__silent_server_is_left(void)
{
    fd_pass_server_close(f.server);
    f.server = NULL;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f.path, strlen(f.path));
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL(listen(listener, 1), 0);
    fd_pass_client_close(f.client);
    f.client = NULL;
    CU_ASSERT_EQUAL_FATAL(fd_pass_connect(f.path, 20, &f.client, &f.error), OK);
    CU_ASSERT_EQUAL(ask("echo", NULL), ERR_DEADLINE);
    (void)close(listener);
    (void)unlink(f.path);
}

/* Answers one question with the given packet, in the server's place. */
static enum status ask_liar(const void *packet, size_t length)
{
    int pair[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/liar", f.folder);
    (void)close(pair[0]);
    (void)close(pair[1]);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL(listen(listener, 1), 0);
    struct fd_pass_client *client = NULL;
    CU_ASSERT_EQUAL_FATAL(fd_pass_connect(address.sun_path, 20, &client, &f.error), OK);
    int connection = accept(listener, NULL, NULL);
    CU_ASSERT_EQUAL(send(connection, packet, length, MSG_NOSIGNAL), (ssize_t)length);
    buf_clear(&f.answer);
    enum status status = fd_pass_ask(client, slice_from_string("x"), &f.answer, NULL, &f.error);
    fd_pass_client_close(client);
    (void)close(connection);
    (void)close(listener);
    (void)unlink(address.sun_path);
    return status;
}

static void test_fd_pass__truncated_answers_are_refused(void)
{
    static const uint8_t whole[] = {13,  'E', 'R', 'R', '_', 'N', 'O', 'T',
                                    '_', 'F', 'O', 'U', 'N', 'D', 'n', 'o'};
    for (size_t length = 1; length < 14; length++)
        CU_ASSERT_EQUAL(ask_liar(whole, length), ERR_CORRUPT);
    CU_ASSERT_EQUAL(ask_liar(whole, 14), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(ask_liar(whole, sizeof(whole)), ERR_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(f.error.text, "no");
    CU_ASSERT_EQUAL(ask_liar("\0", 1), ERR_CORRUPT);
    CU_ASSERT_EQUAL(ask_liar("\377", 1), ERR_CORRUPT);
    CU_ASSERT_EQUAL(ask_liar("\2OKyes", 6), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.answer), "yes");
}

static void test_fd_pass__random_answers_do_no_harm(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (unsigned round = 0; round < 200; round++) {
        uint8_t packet[80];
        size_t length = 1 + (size_t)rng_below(&rng, sizeof(packet));
        for (size_t i = 0; i < length; i++)
            packet[i] = (uint8_t)rng_u64(&rng);
        CU_ASSERT_NOT_EQUAL(ask_liar(packet, length), OK);
    }
}

/* A client that sends a descriptor of its own must not fill the server's table. */
static void test_fd_pass__descriptors_from_clients_are_dropped(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f.path, strlen(f.path));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    char text[8] = "echo";
    char back[128];
    CU_ASSERT_EQUAL(send(fd, text, 4, 0), 4);
    CU_ASSERT_TRUE(recv(fd, back, sizeof(back), 0) > 0);
    int before = lowest_free();

    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;

    memset(&control, 0, sizeof(control));
    struct iovec vector = {.iov_base = text, .iov_len = 4};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    CU_ASSERT_EQUAL(sendmsg(fd, &message, 0), 4);
    CU_ASSERT_TRUE(recv(fd, back, sizeof(back), 0) > 0);
    CU_ASSERT_EQUAL(lowest_free(), before);
    (void)close(fd);
}

static void test_fd_pass__each_failing_call_is_reported(void)
{
    for (uint64_t nth = 1;; nth++) {
        fault_arm(FAULT_SEND, nth, 1);
        enum status status = ask("echo", NULL);
        bool was_hit = fault_failures(FAULT_SEND) > 0;
        fault_disarm_all();
        if (!was_hit) {
            CU_ASSERT_EQUAL(status, OK);
            CU_ASSERT_EQUAL(nth, 3); /* the question and the answer failed */
            break;
        }
        CU_ASSERT_EQUAL(status, ERR_UNAVAILABLE);
        reconnect();
    }
    fault_arm(FAULT_RECEIVE, 1, 1);
    CU_ASSERT_EQUAL(ask("echo", NULL), ERR_UNAVAILABLE);
}

struct asker {
    pthread_t thread;
    unsigned failures;
};

static void *ask_many(void *user)
{
    struct asker *asker = user;
    for (unsigned i = 0; i < 50; i++) {
        struct fd_pass_client *client = NULL;
        struct buf answer = {0};
        int fd = -1;
        if (fd_pass_connect(f.path, PATIENCE_MS, &client, NULL) != OK ||
            fd_pass_ask(client, slice_from_string("file"), &answer, &fd, NULL) != OK || fd < 0)
            asker->failures++;
        if (fd >= 0)
            (void)close(fd);
        fd_pass_client_close(client);
        buf_close(&answer);
    }
    return NULL;
}

static void test_fd_pass__many_clients_at_once(void)
{
    struct asker askers[8] = {{.failures = 0}};
    for (size_t i = 0; i < UNIT_COUNT(askers); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&askers[i].thread, NULL, ask_many, &askers[i]), 0);
    for (size_t i = 0; i < UNIT_COUNT(askers); i++) {
        CU_ASSERT_EQUAL(pthread_join(askers[i].thread, NULL), 0);
        CU_ASSERT_EQUAL(askers[i].failures, 0);
    }
}

static const struct unit_test tests[] = {
    {"test_fd_pass__answer_comes_back",                    "Answer comes back.",                    test_fd_pass__answer_comes_back},
    {"test_fd_pass__open_file_is_handed_over",             "Open file is handed over.",
     test_fd_pass__open_file_is_handed_over                                                                                        },
    {"test_fd_pass__no_descriptor_leaks",                  "No descriptor leaks.",
     test_fd_pass__no_descriptor_leaks                                                                                             },
    {"test_fd_pass__kernel_says_who_asks",                 "Kernel says who asks.",
     test_fd_pass__kernel_says_who_asks                                                                                            },
    {"test_fd_pass__sizes_are_limited",                    "Sizes are limited.",                    test_fd_pass__sizes_are_limited},
    {"test_fd_pass__long_path_is_refused",                 "Long path is refused.",
     test_fd_pass__long_path_is_refused                                                                                            },
    {"test_fd_pass__living_server_keeps_its_path",         "Living server keeps its path.",
     test_fd_pass__living_server_keeps_its_path                                                                                    },
    {"test_fd_pass__dead_servers_socket_is_replaced",      "Dead servers socket is replaced.",
     test_fd_pass__dead_servers_socket_is_replaced                                                                                 },
    {"test_fd_pass__other_file_is_not_removed",            "Other file is not removed.",
     test_fd_pass__other_file_is_not_removed                                                                                       },
    {"test_fd_pass__end_of_the_server_is_noticed",         "End of the server is noticed.",
     test_fd_pass__end_of_the_server_is_noticed                                                                                    },
    {"test_fd_pass__silent_server_is_left",                "Silent server is left.",
     test_fd_pass__silent_server_is_left                                                                                           },
    {"test_fd_pass__truncated_answers_are_refused",        "Truncated answers are refused.",
     test_fd_pass__truncated_answers_are_refused                                                                                   },
    {"test_fd_pass__random_answers_do_no_harm",            "Random answers do no harm.",
     test_fd_pass__random_answers_do_no_harm                                                                                       },
    {"test_fd_pass__descriptors_from_clients_are_dropped", "Descriptors from clients are dropped.",
     test_fd_pass__descriptors_from_clients_are_dropped                                                                            },
    {"test_fd_pass__each_failing_call_is_reported",        "Each failing call is reported.",
     test_fd_pass__each_failing_call_is_reported                                                                                   },
    {"test_fd_pass__many_clients_at_once",                 "Many clients at once.",
     test_fd_pass__many_clients_at_once                                                                                            },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/test_fd_pass", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
