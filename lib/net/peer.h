/*
 * peer.h - private to lib/net: which user of this host holds the other end of a TCP connection.
 *
 * The kernel is asked for exactly this connection (sock_diag(7); /proc/net/tcp where that is not to
 * be had). The answer holds only for connections over loopback, where both ends are this host's.
 * Decision: docs/decisions/0061-who-calls-over-http.md.
 */
#ifndef MILLRACE_LIB_NET_PEER_H
#define MILLRACE_LIB_NET_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct sockaddr_storage;

/* Over 127.0.0.0/8 or ::1, also when written as an IPv4 address in an IPv6 one. */
bool peer_is_loopback(const struct sockaddr_storage *address);
/*
 * The effective user of the socket whose own address is peer and that is connected to own.
 * ERR_UNAUTHENTICATED when there is none on this host, or nobody holds it open any more.
 */
MUST_USE enum status peer_find_uid(const struct sockaddr_storage *peer,
                                   const struct sockaddr_storage *own,
                                   uint32_t *ret_uid,
                                   struct error *reterr_error);

/* --- the two ways, for tests ----------------------------------------------------------------- */

/* ERR_UNSUPPORTED when the kernel does not do this. */
MUST_USE enum status peer_ask_kernel(const struct sockaddr_storage *peer,
                                     const struct sockaddr_storage *own,
                                     uint32_t *ret_uid,
                                     struct error *reterr_error);
MUST_USE enum status peer_search_tables(const struct sockaddr_storage *peer,
                                        const struct sockaddr_storage *own,
                                        uint32_t *ret_uid,
                                        struct error *reterr_error);

#endif
