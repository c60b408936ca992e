/* net_private.h - what the files of lib/net share with each other; for nobody else. */
#ifndef MILLRACE_LIB_NET_NET_PRIVATE_H
#define MILLRACE_LIB_NET_NET_PRIVATE_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "lib/net/net.h"

struct sockaddr;

/* Writes one line to the log given to net_open; nothing when it is not open. Any thread. */
void net_log_write(enum net_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Blocks all signals of this thread and remembers which were not; around whatever starts threads,
 * which take over the mask: signals belong to the thread that asked for them.
 */
void net_signals_block(sigset_t *ret_before);
void net_signals_restore(const sigset_t *before);

/* Starts a thread with all signals blocked. name: up to 15 bytes. */
MUST_USE enum status net_thread_start(
    pthread_t *ret_thread, const char *name, void *(*run)(void *), void *user, struct error *error);

/*
 * Loads and starts libcurl unless it is there; any thread. Needed before its first function.
 * ERR_INTERNAL when it cannot. net_curl_unload ends it.
 */
MUST_USE enum status net_curl_load(struct error *reterr_error);
void net_curl_unload(void);

/* A condition whose timed waits use the monotonic clock. Aborts when there is none. */
void net_condition_open(pthread_cond_t *condition);
/* Waits for a signal until then_ms (of net_now_ms); false when the time is over. */
bool net_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t then_ms);
int64_t net_now_ms(void); /* monotonic */
/* now + delay_ms without overflow. */
int64_t net_time_after_ms(int64_t delay_ms);

/* Makes the socket address of address, whose host must be numeric: ERR_INVALID otherwise. */
MUST_USE enum status net_address_socket(const struct net_address *address,
                                        void *ret_storage, /* struct sockaddr_storage */
                                        struct error *reterr_error);
/*
 * Says why nothing can listen at address although a library failed to: ERR_BUSY for a port in use,
 * ERR_DENIED for one that needs more rights, else as the system says; ERR_INTERNAL when it could.
 */
MUST_USE enum status net_address_explain(const struct net_address *address, struct error *error);

#endif
