/*
 * peer.c - see peer.h. A socket that its process has closed shows user 0 in both places: so one
 * that nobody holds (inode 0) or that is not established names nobody.
 */
#include "lib/net/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    ESTABLISHED = 1, /* TCP_ESTABLISHED of the kernel's net/tcp_states.h */
    ANSWER_BYTES = 8192,
    ANSWER_SECONDS = 2,
    LINE_BYTES = 512
};

/* One end, in the form the kernel's tables use. */
struct end {
    int family;          /* AF_INET or AF_INET6 */
    uint32_t address[4]; /* network order; the first word only for AF_INET */
    uint16_t port;       /* network order */
};

static bool read_end(const struct sockaddr_storage *address, struct end *ret_end)
{
    *ret_end = (struct end){.family = address->ss_family};
    if (address->ss_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof(four));
        ret_end->address[0] = four.sin_addr.s_addr;
        ret_end->port = four.sin_port;
        return true;
    }
    if (address->ss_family != AF_INET6)
        return false;
    struct sockaddr_in6 six;
    memcpy(&six, address, sizeof(six));
    memcpy(ret_end->address, &six.sin6_addr, sizeof(ret_end->address));
    ret_end->port = six.sin6_port;
    return true;
}

/* ::ffff:1.2.3.4 is 1.2.3.4. */
static bool is_mapped(const struct end *end)
{
    return end->family == AF_INET6 && end->address[0] == 0 && end->address[1] == 0 &&
           end->address[2] == htonl(0xffff);
}

bool peer_is_loopback(const struct sockaddr_storage *address)
{
    struct end end;
    if (!read_end(address, &end))
        return false;
    if (end.family == AF_INET6 && !is_mapped(&end))
        return end.address[0] == 0 && end.address[1] == 0 && end.address[2] == 0 &&
               end.address[3] == htonl(1);
    uint32_t four = ntohl(end.family == AF_INET ? end.address[0] : end.address[3]);
    return four >> 24 == 127;
}

static enum status nobody(struct error *error)
{
    return error_set(error, ERR_UNAUTHENTICATED,
                     "no process of this host holds the other end of the connection");
}

/* --- sock_diag ------------------------------------------------------------------------------- */

static enum status read_answer(const uint8_t *answer,
                               size_t length,
                               uint32_t *ret_uid,
                               struct error *error)
{
    struct nlmsghdr header;
    struct inet_diag_msg message;
    struct nlmsgerr failure;
    if (length < sizeof(header))
        return error_set(error, ERR_UNSUPPORTED, "sock_diag: short answer");
    memcpy(&header, answer, sizeof(header));
    if (header.nlmsg_type == NLMSG_ERROR && length >= NLMSG_HDRLEN + sizeof(failure)) {
        memcpy(&failure, answer + NLMSG_HDRLEN, sizeof(failure));
        return failure.error == -ENOENT
                   ? nobody(error)
                   : error_set(error, ERR_UNSUPPORTED, "sock_diag: error %d", -failure.error);
    }
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || length < NLMSG_HDRLEN + sizeof(message))
        return error_set(error, ERR_UNSUPPORTED, "sock_diag: answer of type %u",
                         (unsigned)header.nlmsg_type);
    memcpy(&message, answer + NLMSG_HDRLEN, sizeof(message));
    if (message.idiag_state != ESTABLISHED || message.idiag_inode == 0)
        return nobody(error);
    *ret_uid = message.idiag_uid;
    return OK;
}

static enum status ask(
    int fd, const struct end *peer, const struct end *own, uint32_t *ret_uid, struct error *error)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof(question),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST                                     },
        .request = { .sdiag_family = (uint8_t)peer->family,
                   .sdiag_protocol = IPPROTO_TCP,
                   .idiag_states = 1u << ESTABLISHED,
                   .id = {.idiag_sport = peer->port,
                           .idiag_dport = own->port,
                           .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };

    memcpy(question.request.id.idiag_src, peer->address, sizeof(peer->address));
    memcpy(question.request.id.idiag_dst, own->address, sizeof(own->address));
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    uint8_t answer[ANSWER_BYTES];
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        sendto(fd, &question, sizeof(question), 0, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0)
        return error_set(error, ERR_UNSUPPORTED, "sock_diag: %s", strerror(errno));
    ssize_t length = recv(fd, answer, sizeof(answer), 0);
    if (length < 0)
        return error_set(error, ERR_UNSUPPORTED, "sock_diag: %s", strerror(errno));
    return read_answer(answer, (size_t)length, ret_uid, error);
}

enum status peer_ask_kernel(const struct sockaddr_storage *peer,
                            const struct sockaddr_storage *own,
                            uint32_t *ret_uid,
                            struct error *reterr_error)
{
    struct end ends[2];
    if (!read_end(peer, &ends[0]) || !read_end(own, &ends[1]) || ends[0].family != ends[1].family)
        return nobody(reterr_error);
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return error_set(reterr_error, ERR_UNSUPPORTED, "sock_diag: %s", strerror(errno));
    enum status status = ask(fd, &ends[0], &ends[1], ret_uid, reterr_error);
    (void)close(fd);
    return status;
}

/* --- /proc/net/tcp, /proc/net/tcp6 ----------------------------------------------------------- */

/* "0100007F:1F90", addresses as the words lie in memory, printed as numbers of this machine. */
static void print_end(const struct end *end, char *text, size_t room)
{
    if (end->family == AF_INET)
        (void)snprintf(text, room, "%08X:%04X", end->address[0], ntohs(end->port));
    else
        (void)snprintf(text, room, "%08X%08X%08X%08X:%04X", end->address[0], end->address[1],
                       end->address[2], end->address[3], ntohs(end->port));
}

static enum status search(const char *path,
                          const struct end *peer,
                          const struct end *own,
                          uint32_t *ret_uid,
                          struct error *error)
{
    char wanted[2][48];
    char line[LINE_BYTES];
    print_end(peer, wanted[0], sizeof(wanted[0]));
    print_end(own, wanted[1], sizeof(wanted[1]));
    FILE *table = fopen(path, "re");
    if (table == NULL)
        return error_set_errno(error, errno, "open %s", path);
    enum status status = nobody(error);
    while (status != OK && fgets(line, sizeof(line), table) != NULL) {
        char ends[2][48];
        unsigned state = 0;
        unsigned uid = 0;
        unsigned long inode = 0;
        /* sl local remote st tx:rx tr:when retrnsmt uid timeout inode */
        if (sscanf(line, " %*u: %47s %47s %x %*s %*s %*s %u %*u %lu", ends[0], ends[1], &state,
                   &uid, &inode) == 5 &&
            strcmp(ends[0], wanted[0]) == 0 && strcmp(ends[1], wanted[1]) == 0 &&
            state == ESTABLISHED && inode != 0) {
            *ret_uid = uid;
            status = OK;
        }
    }
    (void)fclose(table);
    return status;
}

enum status peer_search_tables(const struct sockaddr_storage *peer,
                               const struct sockaddr_storage *own,
                               uint32_t *ret_uid,
                               struct error *reterr_error)
{
    struct end ends[2];
    if (!read_end(peer, &ends[0]) || !read_end(own, &ends[1]) || ends[0].family != ends[1].family)
        return nobody(reterr_error);
    return search(ends[0].family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", &ends[0],
                  &ends[1], ret_uid, reterr_error);
}

enum status peer_find_uid(const struct sockaddr_storage *peer,
                          const struct sockaddr_storage *own,
                          uint32_t *ret_uid,
                          struct error *reterr_error)
{
    if (!peer_is_loopback(peer) || !peer_is_loopback(own))
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "the peer is not on this host");
    enum status status = peer_ask_kernel(peer, own, ret_uid, reterr_error);
    if (status == ERR_UNSUPPORTED)
        status = peer_search_tables(peer, own, ret_uid, reterr_error);
    return status;
}
