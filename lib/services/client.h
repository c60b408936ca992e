/*
 * client.h - calling any service with model structs, blocking or not.
 *
 * lib/services/calls.h has one typed function per remote call on top of service_call:
 *
 *     struct service_target namenode = {.channel = channel, .token = token, .timeout_ms = 10000,
 *                                       .arena = arena};
 *     struct dfs_get_status_request request = {.path = path};
 *     const struct dfs_get_status_response *response;
 *     status = services_namenode_get_status(&namenode, &request, &response, &error);
 *
 * A failure has the status the server gave (its name travels beside gRPC's code), and the server's
 * sentence in the error. Nothing here repeats a call: who does so knows whether that is safe.
 */
#ifndef MILLRACE_LIB_SERVICES_CLIENT_H
#define MILLRACE_LIB_SERVICES_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

struct rpc_call;
struct rpc_channel;

/* Where and how to call; everything is borrowed for the length of the call. */
struct service_target {
    struct rpc_channel *channel; /* lib/net/rpc.h */
    struct slice token;          /* bearer token; empty: none is sent */
    int64_t timeout_ms;          /* 1.. */
    bool wait_for_ready;         /* true: an unreachable server uses up the timeout */
    struct arena *arena;         /* responses come from here; not used by service_call_start */
};

/*
 * Calls and waits. request: of the method's request type. OK: *ret_response, of its response type,
 * from target->arena. Else the server's status, or: ERR_INVALID the request cannot be packed;
 * ERR_UNAVAILABLE no connection; ERR_DEADLINE; ERR_CORRUPT the response cannot be unpacked. Not on
 * the rpc client's own thread.
 */
MUST_USE enum status service_call(const struct service_target *target,
                                  enum method method,
                                  const void *request,
                                  const void **ret_response,
                                  struct error *reterr_error);

/* The end of a call made by service_call_start. */
struct service_result {
    enum method method;
    enum status status;
    struct slice text;    /* why, when status is not OK; borrowed until the callback returns */
    const void *response; /* of the method's response type; NULL unless OK */
    struct arena *arena;  /* holds response: the callback takes it and closes it; NULL unless OK */
};

/* On the rpc client's thread, exactly once a call that was started; must not block. */
typedef void service_done(void *user, const struct service_result *result);

/*
 * Starts a call and returns. OK: done will be called once, perhaps before this returns. Else done
 * is not called: ERR_INVALID, ERR_LIMIT as wire_pack; else as rpc_call_start. ret_call (may be
 * NULL): for rpc_call_cancel; give it back with rpc_call_close.
 */
MUST_USE enum status service_call_start(const struct service_target *target,
                                        enum method method,
                                        const void *request,
                                        service_done *done,
                                        void *user,
                                        struct rpc_call **ret_call,
                                        struct error *reterr_error);

#endif
