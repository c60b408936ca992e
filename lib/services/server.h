/*
 * server.h - incoming calls as model structs, and their answers.
 *
 * For the handle callback of an rpc_server: service_accept turns the call into a method and a
 * message, or refuses it by itself; later, from any thread, service_reply or service_fail answers
 * it, once. A failure travels as gRPC's nearest code with a sentence, and the status's name as
 * metadata "millrace-status", so that clients in other languages see proper codes and ours see the
 * very status.
 */
#ifndef MILLRACE_LIB_SERVICES_SERVER_H
#define MILLRACE_LIB_SERVICES_SERVER_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

struct rpc_request;

/* One accepted call. Slices and message live until it is answered. */
struct service_request {
    enum method method;
    const void *message; /* of the method's request type */
    struct arena *arena; /* holds message; bounded, so nothing else may come from it */
    struct slice token;  /* of "authorization: Bearer <token>"; empty when there is none */
    struct slice peer;   /* "ipv4:127.0.0.1:4711", for logs */
    struct rpc_request *request;
};

/*
 * services: the names of those served here ("ResourceManager", "NodeTracker"), ended by NULL.
 * Returns the accepted call, which must be answered; or NULL: it was refused and is gone
 * (ERR_UNSUPPORTED no such method here, ERR_INVALID or ERR_LIMIT not such a message). The caller
 * sees to the token before anything is done for it.
 */
struct service_request *service_accept(struct rpc_request *request, const char *const *services);
/* Answers with response, of the method's response type; request is gone. ERR_INTERNAL goes to the
 * caller instead when response cannot be packed (a string that was not cleaned). */
void service_reply(struct service_request *request, const void *response);
/* Answers with a failure; request is gone. status is not OK; text: one sentence, may be empty. */
void service_fail(struct service_request *request, enum status status, struct slice text);

#endif
