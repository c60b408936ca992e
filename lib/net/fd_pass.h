/*
 * fd_pass.h - small questions over a unix socket, answered with a few bytes and, where asked for,
 * an open file. The kernel says who asks, so this is also how a user proves who he is on this host.
 *
 * One question is one packet (SOCK_SEQPACKET), one answer is one packet, in order. Wire form of an
 * answer: docs/protocols/fd-pass.md.
 */
#ifndef MILLRACE_LIB_NET_FD_PASS_H
#define MILLRACE_LIB_NET_FD_PASS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
    FD_PASS_BYTES = 4096,       /* a question's and an answer's limit */
    FD_PASS_PATH_BYTES = 107,   /* the kernel's limit for a socket's path */
    FD_PASS_CONNECTIONS = 1024, /* open at once; more are closed at once */
};

struct fd_pass_server;
struct fd_pass_client; /* one connection; one thread at a time */

/*
 * Answers one question, on the server's only thread: opening a file is fine, waiting is not. uid:
 * the asking process's effective user, from the kernel. answer: empty, limited to FD_PASS_BYTES.
 * ret_fd: starts as -1; a descriptor put there is sent and then closed. Anything but OK is told to
 * the client with error's text, and no descriptor.
 */
typedef enum status fd_pass_answer(void *user,
                                   uint32_t uid,
                                   struct slice question,
                                   struct buf *answer,
                                   int *ret_fd,
                                   struct error *error);

struct fd_pass_server_options {
    const char *path; /* of the socket; beside it stays a lock file, path + ".lock" */
    unsigned mode;    /* who may connect, for example 0600 or 0666 */
    fd_pass_answer *answer;
    void *user;
};

/*
 * Listens at path; a socket left there by a dead server is replaced. ERR_LIMIT: path is longer than
 * FD_PASS_PATH_BYTES; ERR_BUSY: a living server has it; else as the system says.
 */
MUST_USE enum status fd_pass_server_open(const struct fd_pass_server_options *options,
                                         struct fd_pass_server **ret_server,
                                         struct error *reterr_error);
/* Removes the socket, ends the thread. NULL is fine. */
void fd_pass_server_close(struct fd_pass_server *server);

/* timeout_ms: for each question, 1.. ERR_LIMIT as above; ERR_UNAVAILABLE: nobody listens. */
MUST_USE enum status fd_pass_connect(const char *path,
                                     int64_t timeout_ms,
                                     struct fd_pass_client **ret_client,
                                     struct error *reterr_error);
/*
 * Asks and waits. OK: answer (the caller's open buffer) has got the answer appended, and *ret_fd
 * the descriptor (close-on-exec, the caller closes it) or -1; ret_fd NULL: one that comes is
 * closed. A failure of the answering side gives its status and text. ERR_UNAVAILABLE, ERR_DEADLINE
 * or ERR_CORRUPT of our own: the connection is of no use any more, close it.
 */
MUST_USE enum status fd_pass_ask(struct fd_pass_client *client,
                                 struct slice question,
                                 struct buf *answer,
                                 int *ret_fd,
                                 struct error *reterr_error);
void fd_pass_client_close(struct fd_pass_client *client); /* NULL is fine */

#endif
