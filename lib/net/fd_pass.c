/*
 * fd_pass.c - both sides of fd_pass.h. An answer's packet is one byte with the length of the
 * status's name, the name, and the answer's bytes or, for a failure, the text; a descriptor rides
 * in the packet's control data. docs/protocols/fd-pass.md is the specification.
 */
#include "lib/net/fd_pass.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/net/net_private.h"

enum {
    STATUS_NAME_BYTES = 63,
    PACKET_BYTES = 1 + STATUS_NAME_BYTES + FD_PASS_BYTES,
    PATH_ROOM = FD_PASS_PATH_BYTES + 1,
    SERVER_BACKLOG = 128,
};

struct connection {
    int fd;
    uint32_t uid;
};

struct fd_pass_server {
    fd_pass_answer *answer;
    void *user;
    char path[PATH_ROOM];
    int lock;     /* the lock file; -1 */
    int listener; /* -1 */
    int stop;     /* an eventfd that ends the thread; -1 */
    bool is_bound;
    bool has_thread;
    pthread_t thread;
    struct connection connections[FD_PASS_CONNECTIONS]; /* the thread's own */
    size_t connection_count;
    uint8_t packet[PACKET_BYTES];
};

struct fd_pass_client {
    int fd;
    int64_t timeout_ms;
    uint8_t packet[PACKET_BYTES];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static enum status make_address(const char *path,
                                struct sockaddr_un *ret_address,
                                struct error *error)
{
    size_t length = strlen(path);
    if (length == 0)
        return error_set(error, ERR_INVALID, "the path of a unix socket is empty");
    if (length > FD_PASS_PATH_BYTES)
        return error_set(error, ERR_LIMIT,
                         "the path of a unix socket has %zu bytes, at most %d are possible: %s",
                         length, FD_PASS_PATH_BYTES, path);
    struct sockaddr_un address;
    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path, length);
    *ret_address = address;
    return OK;
}

/* --- server ----------------------------------------------------------------------------------- */

/* Sends one packet, never waiting: who does not read his answers is cut off. */
static bool send_packet(int to, const uint8_t *packet, size_t length, int fd)
{
    if (fault_hit(FAULT_SEND))
        return false;

    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;

    memset(&control, 0, sizeof(control));

    /* sendmsg does not write; iovec serves both directions. */
    union {
        const uint8_t *in;
        void *out;
    } base = {.in = packet};
    struct iovec vector = {.iov_base = base.out, .iov_len = length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)length;
}

static bool server_send(
    struct fd_pass_server *server, int to, enum status status, struct slice payload, int fd)
{
    const char *name = status_name(status);
    size_t name_length = strlen(name);
    CHECK(name_length <= STATUS_NAME_BYTES);
    CHECK(payload.length <= FD_PASS_BYTES);
    uint8_t *packet = server->packet;
    packet[0] = (uint8_t)name_length;
    memcpy(packet + 1, name, name_length);
    if (payload.length > 0)
        memcpy(packet + 1 + name_length, payload.data, payload.length);
    return send_packet(to, packet, 1 + name_length + payload.length, fd);
}

/* Reads one question and answers it; false when the connection is over. */
static bool server_serve(struct fd_pass_server *server, const struct connection *connection)
{
    uint8_t question[FD_PASS_BYTES];
    struct iovec vector = {.iov_base = question, .iov_len = sizeof(question)};
    /* Without room for control data the kernel closes descriptors that a client may send. */
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t length = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return errno == EAGAIN || errno == EINTR;
    if (length == 0)
        return false;
    if ((message.msg_flags & MSG_TRUNC) != 0)
        return server_send(server, connection->fd, ERR_LIMIT,
                           slice_from_string("the question is too long"), -1);
    struct buf answer;
    buf_open(&answer, FD_PASS_BYTES);
    struct error error = {.status = OK};
    int fd = -1;
    enum status status = server->answer(server->user, connection->uid,
                                        slice_make(question, (size_t)length), &answer, &fd, &error);
    bool is_sent = status == OK ? server_send(server, connection->fd, OK, buf_slice(&answer), fd)
                                : server_send(server, connection->fd, status,
                                              slice_from_string(error.text), -1);
    close_fd(&fd);
    buf_close(&answer);
    return is_sent;
}

static void server_accept(struct fd_pass_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* the caller has gone, or no descriptor is free: poll comes back to it */
    struct ucred peer;
    socklen_t length = sizeof(peer);
    if (server->connection_count == FD_PASS_CONNECTIONS ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        (void)close(fd);
        return;
    }
    server->connections[server->connection_count++] =
        (struct connection){.fd = fd, .uid = (uint32_t)peer.uid};
}

static void *server_thread(void *user)
{
    struct fd_pass_server *server = user;
    struct pollfd *polls = mem_new((FD_PASS_CONNECTIONS + 2) * sizeof(*polls));
    for (;;) {
        polls[0] = (struct pollfd){.fd = server->stop, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = server->listener, .events = POLLIN};
        for (size_t i = 0; i < server->connection_count; i++)
            polls[i + 2] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
        int ready = poll(polls, server->connection_count + 2, -1);
        if (ready < 0) {
            CHECK(errno == EINTR || errno == ENOMEM);
            continue;
        }
        if (polls[0].revents != 0)
            break;
        /* Backwards: the last connection takes the place of one that ends. */
        for (size_t i = server->connection_count; i > 0; i--) {
            struct connection *connection = &server->connections[i - 1];
            if (polls[i + 1].revents == 0 || server_serve(server, connection))
                continue;
            (void)close(connection->fd);
            *connection = server->connections[--server->connection_count];
        }
        if (polls[1].revents != 0)
            server_accept(server);
    }
    mem_free(polls);
    return NULL;
}

/* Takes the lock file beside the socket; it stays for ever, or two servers could lock two files. */
static enum status server_take_lock(struct fd_pass_server *server, struct error *error)
{
    char path[PATH_ROOM + 8];
    (void)snprintf(path, sizeof(path), "%s.lock", server->path);
    server->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (server->lock < 0)
        return error_set_errno(error, errno, "open %s", path);
    if (flock(server->lock, LOCK_EX | LOCK_NB) == 0)
        return OK;
    if (errno == EWOULDBLOCK)
        return error_set(error, ERR_BUSY, "%s is served by another process", server->path);
    return error_set_errno(error, errno, "lock %s", path);
}

static enum status server_bind(struct fd_pass_server *server,
                               const struct sockaddr_un *address,
                               unsigned mode,
                               struct error *error)
{
    struct stat info;
    if (lstat(server->path, &info) == 0) {
        if (!S_ISSOCK(info.st_mode))
            return error_set(error, ERR_EXISTS, "%s is there and not a socket", server->path);
        if (unlink(server->path) != 0)
            return error_set_errno(error, errno, "remove the old socket %s", server->path);
    }
    server->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listener < 0)
        return error_set_errno(error, errno, "make a unix socket");
    if (bind(server->listener, (const struct sockaddr *)address, sizeof(*address)) != 0)
        return error_set_errno(error, errno, "bind %s", server->path);
    server->is_bound = true;
    /* Nobody can connect before listen, so nobody comes in under the mode bind gave it. */
    if (chmod(server->path, (mode_t)mode) != 0)
        return error_set_errno(error, errno, "set the mode of %s", server->path);
    if (listen(server->listener, SERVER_BACKLOG) != 0)
        return error_set_errno(error, errno, "listen at %s", server->path);
    return OK;
}

enum status fd_pass_server_open(const struct fd_pass_server_options *options,
                                struct fd_pass_server **ret_server,
                                struct error *reterr_error)
{
    struct sockaddr_un address;
    enum status status = make_address(options->path, &address, reterr_error);
    if (status != OK)
        return status;
    struct fd_pass_server *server = MEM_NEW(struct fd_pass_server);
    server->answer = options->answer;
    server->user = options->user;
    server->lock = -1;
    server->listener = -1;
    server->stop = -1;
    memcpy(server->path, options->path, strlen(options->path) + 1);
    status = server_take_lock(server, reterr_error);
    if (status == OK)
        status = server_bind(server, &address, options->mode, reterr_error);
    if (status != OK)
        goto fail;
    server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->stop < 0) {
        status = error_set_errno(reterr_error, errno, "make an eventfd");
        goto fail;
    }
    status = net_thread_start(&server->thread, "fd-pass", server_thread, server, reterr_error);
    if (status != OK)
        goto fail;
    server->has_thread = true;
    *ret_server = server;
    return OK;
fail:
    fd_pass_server_close(server);
    return status;
}

void fd_pass_server_close(struct fd_pass_server *server)
{
    if (server == NULL)
        return;
    if (server->has_thread) {
        const uint64_t one = 1;
        CHECK(write(server->stop, &one, sizeof(one)) == (ssize_t)sizeof(one));
        CHECK(pthread_join(server->thread, NULL) == 0);
    }
    for (size_t i = 0; i < server->connection_count; i++)
        (void)close(server->connections[i].fd);
    /* Before the lock goes: afterwards the socket may be another server's. */
    if (server->is_bound)
        (void)unlink(server->path);
    close_fd(&server->listener);
    close_fd(&server->stop);
    close_fd(&server->lock);
    mem_free(server);
}

/* --- client ----------------------------------------------------------------------------------- */

/* Connects fd within timeout_ms, which stays its limit for sending and receiving. */
static enum status client_connect(int fd,
                                  const char *path,
                                  const struct sockaddr_un *address,
                                  int64_t timeout_ms,
                                  struct error *error)
{
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
        return error_set_errno(error, errno, "set the time limit of a unix socket");
    int result;
    do {
        result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return OK;
    if (errno == ENOENT || errno == ECONNREFUSED)
        return error_set(error, ERR_UNAVAILABLE, "nobody listens at %s", path);
    if (errno == EAGAIN)
        return error_set(error, ERR_DEADLINE, "%s does not accept", path);
    return error_set_errno(error, errno, "connect to %s", path);
}

enum status fd_pass_connect(const char *path,
                            int64_t timeout_ms,
                            struct fd_pass_client **ret_client,
                            struct error *reterr_error)
{
    CHECK(timeout_ms > 0);
    struct sockaddr_un address;
    enum status status = make_address(path, &address, reterr_error);
    if (status != OK)
        return status;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(reterr_error, errno, "make a unix socket");
    status = client_connect(fd, path, &address, timeout_ms, reterr_error);
    if (status != OK) {
        (void)close(fd);
        return status;
    }
    struct fd_pass_client *client = MEM_NEW(struct fd_pass_client);
    client->fd = fd;
    client->timeout_ms = timeout_ms;
    *ret_client = client;
    return OK;
}

void fd_pass_client_close(struct fd_pass_client *client)
{
    if (client == NULL)
        return;
    (void)close(client->fd);
    mem_free(client);
}

/* Receives a packet and the descriptor in it, if one was sent, which the caller closes. */
static enum status client_receive(struct fd_pass_client *client,
                                  size_t *ret_length,
                                  int *ret_fd,
                                  struct error *error)
{
    *ret_fd = -1;
    if (fault_hit(FAULT_RECEIVE))
        return error_set(error, ERR_UNAVAILABLE, "receive an answer: fault");

    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = client->packet, .iov_len = sizeof(client->packet)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t length;
    do {
        length = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    if (length < 0 && errno == EAGAIN)
        return error_set(error, ERR_DEADLINE, "no answer over the unix socket within %lld ms",
                         (long long)client->timeout_ms);
    if (length < 0)
        return error_set_errno(error, errno, "receive an answer");
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
    if (length == 0)
        return error_set(error, ERR_UNAVAILABLE, "the unix socket's server has gone");
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return error_set(error, ERR_CORRUPT, "an answer over the unix socket was cut");
    *ret_length = (size_t)length;
    return OK;
}

/* Splits an answer into status and payload. */
static enum status client_read(struct slice packet,
                               struct slice *ret_payload,
                               enum status *ret_status,
                               struct error *error)
{
    size_t name_length = packet.data[0];
    if (name_length == 0 || name_length > STATUS_NAME_BYTES || 1 + name_length > packet.length)
        return error_set(error, ERR_CORRUPT, "an answer over the unix socket is malformed");
    char name[STATUS_NAME_BYTES + 1];
    memcpy(name, packet.data + 1, name_length);
    name[name_length] = '\0';
    *ret_status = status_from_name(name);
    *ret_payload = slice_sub(packet, 1 + name_length, packet.length - 1 - name_length);
    return OK;
}

enum status fd_pass_ask(struct fd_pass_client *client,
                        struct slice question,
                        struct buf *answer,
                        int *ret_fd,
                        struct error *reterr_error)
{
    if (question.length == 0 || question.length > FD_PASS_BYTES)
        return error_set(reterr_error, ERR_INVALID, "a question has 1 to %d bytes, not %zu",
                         FD_PASS_BYTES, question.length);
    if (fault_hit(FAULT_SEND))
        return error_set(reterr_error, ERR_UNAVAILABLE, "send a question: fault");
    ssize_t sent;
    do {
        sent = send(client->fd, question.data, question.length, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EAGAIN)
        return error_set(reterr_error, ERR_DEADLINE, "the unix socket's server does not read");
    if (sent < 0)
        return error_set_errno(reterr_error, errno, "send a question");
    size_t length = 0;
    int fd = -1;
    struct slice payload = {.length = 0};
    enum status told = OK;
    enum status status = client_receive(client, &length, &fd, reterr_error);
    if (status == OK)
        status = client_read(slice_make(client->packet, length), &payload, &told, reterr_error);
    if (status == OK && told != OK)
        status = error_set(reterr_error, told, "%.*s", SLICE_ARGS(payload));
    if (status == OK && buf_append_slice(answer, payload) != OK)
        status = error_set(reterr_error, ERR_LIMIT, "no room for an answer");
    if (status != OK || ret_fd == NULL)
        close_fd(&fd);
    if (status == OK && ret_fd != NULL)
        *ret_fd = fd;
    return status;
}
