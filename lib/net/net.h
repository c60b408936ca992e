/*
 * net.h - the process-wide part of lib/net: start and stop of the libraries below it, the log they
 * write to, and addresses.
 */
#ifndef MILLRACE_LIB_NET_NET_H
#define MILLRACE_LIB_NET_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum net_log_level {
    NET_LOG_DEBUG,
    NET_LOG_INFO,
    NET_LOG_ERROR,
};

/* Called from any thread, also from threads of the libraries; text has no newline. */
struct net_log {
    void (*write)(void *user, enum net_log_level level, const char *text); /* NULL: silence */
    void *user;
};

/*
 * Starts the libraries, once per process, before any other function of lib/net but those of token.h
 * and fd_pass.h. The threads they start have all signals blocked. From here to net_close the
 * process must not fork without an immediate exec: fork helpers first. log (copied; NULL: silence)
 * stays in use until net_close returns. Fails with ERR_INTERNAL when a library does not start.
 */
MUST_USE enum status net_open(const struct net_log *log, struct error *reterr_error);
/*
 * Loads what HTTP requests need on a thread of its own, once after net_open: for a program that
 * will make some but has other things to wait for until then. Without it the first request waits
 * for some milliseconds.
 */
void net_prepare_http(void);
/*
 * Waits until the libraries have let go of everything. All servers and clients are closed before.
 */
void net_close(void);

enum {
    NET_HOST_BYTES = 256,
    NET_ADDRESS_BYTES = NET_HOST_BYTES + 8,
};

/* "host:port" taken apart. */
struct net_address {
    char host[NET_HOST_BYTES]; /* without brackets; "localhost" has become
                                  "127.0.0.1" */
    uint16_t port;             /* 0: any free one (servers only) */
};

/*
 * Reads "host:port", "[ipv6]:port" or "port" alone, which means loopback. ERR_INVALID, naming what
 * is wrong, for anything else.
 */
MUST_USE enum status net_address_parse(const char *text,
                                       struct net_address *ret_address,
                                       struct error *reterr_error);
/* Writes "host:port", brackets where needed; text has room for NET_ADDRESS_BYTES. */
void net_address_format(const struct net_address *address, char *text);
/* True for 127.0.0.0/8 and ::1. A host name is not loopback, whatever it resolves to. */
bool net_address_is_loopback(const struct net_address *address);

/* Certificates of one process in PEM form, borrowed. With them both sides prove who they are. */
struct net_credentials {
    struct slice certificate; /* this process's, with intermediates */
    struct slice key;         /* its private key, PKCS#8 */
    struct slice authority;   /* whom to trust; peers must have a certificate signed by it */
};

#endif
