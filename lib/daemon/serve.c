/*
 * serve.c - incoming calls: token, permission, mailbox; and their answers.
 */
#include "lib/daemon/serve.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/audit.h"
#include "lib/daemon/cluster.h"
#include "lib/daemon/log.h"
#include "lib/daemon/metrics.h"
#include "lib/model/message.h"
#include "lib/net/rpc.h"
#include "lib/net/token.h"
#include "lib/os/clock.h"
#include "lib/services/server.h"

struct serve {
    struct serve_options options;
    struct rpc_server *server;
};

/* A call on its way through the shell. */
struct serve_call {
    struct metrics_calls *calls;
    int64_t came_us;
    struct service_request *request;
    struct arena *arena; /* of the user's name, which the shell borrows */
    struct slice user;
    struct log *log;
};

struct slice serve_user_of(struct slice subject)
{
    struct slice user_prefix = slice_from_string("user:");
    if (slice_has_prefix(subject, slice_from_string("daemon:")))
        return slice_from_string("millrace");
    if (slice_has_prefix(subject, user_prefix) && !slice_equal_string(subject, "user:millrace"))
        return slice_sub(subject, user_prefix.length, subject.length - user_prefix.length);
    return subject;
}

enum status serve_authenticate(const struct token_secret *secret,
                               struct slice token,
                               struct arena *arena,
                               struct slice *ret_user,
                               struct error *reterr_error)
{
    if (token.length == 0)
        return error_set(reterr_error, ERR_UNAUTHENTICATED,
                         "a bearer token is required; programs of Millrace get one by themselves "
                         "from the cluster's folder");
    struct token_claims claims;
    enum status status =
        token_verify(secret, token, CLUSTER_AUDIENCE, clock_wall_ms(), &claims, reterr_error);
    if (status != OK)
        return status;
    *ret_user = arena_copy(arena, serve_user_of(slice_from_string(claims.subject)));
    return OK;
}

static void audit(struct log *log,
                  const struct service_request *request,
                  struct slice user,
                  enum status status,
                  struct slice why)
{
    const struct audit audit = {
        .user = user,
        .from = request->peer,
        .what = slice_from_string(method_info(request->method)->path),
        .status = status,
        .why = why,
    };
    audit_refusal(log, &audit);
}

/* On the core thread. */
static void answer_call(void *user, const struct shell_answer *answer)
{
    struct serve_call *call = user;
    metrics_calls_add(call->calls, call->request->method, answer->status,
                      clock_monotonic_us() - call->came_us);
    if (answer->status == OK) {
        service_reply(call->request, answer->message);
    } else {
        audit(call->log, call->request, call->user, answer->status, answer->text);
        service_fail(call->request, answer->status, answer->text);
    }
    arena_close(call->arena);
    mem_free(call);
}

static void refuse(const struct serve *serve,
                   struct service_request *request,
                   struct slice user,
                   enum status status,
                   const char *text)
{
    audit(serve->options.log, request, user, status, slice_from_string(text));
    log_event(serve->options.log, LOG_LEVEL_DEBUG, "call_refused",
              log_text("method", method_info(request->method)->path),
              log_slice("peer", request->peer), log_status("status", status),
              log_text("reason", text));
    service_fail(request, status, slice_from_string(text));
}

/* On a server thread: nothing here waits. */
static void handle(void *user, struct rpc_request *raw)
{
    struct serve *serve = user;
    struct service_request *request = service_accept(raw, serve->options.services);
    if (request == NULL)
        return;
    struct serve_call *call = MEM_NEW(struct serve_call);
    call->request = request;
    call->calls = serve->options.calls;
    call->came_us = clock_monotonic_us();
    call->arena = arena_open(0);
    call->log = serve->options.log;
    struct slice caller = {.length = 0};
    struct error error = {.status = OK};
    enum status status =
        serve_authenticate(serve->options.secret, request->token, call->arena, &caller, &error);
    if (status == OK && serve->options.may_call != NULL &&
        !serve->options.may_call(serve->options.user, request->method, caller))
        status = error_set(&error, ERR_DENIED, "%.*s may not call %s", SLICE_ARGS(caller),
                           method_info(request->method)->path);
    call->user = caller;
    if (status == OK) {
        uint64_t number = shell_next_call(serve->options.shell);
        rpc_request_set_tag(raw, number);
        status =
            shell_request_borrow(serve->options.shell, number, request->method, request->message,
                                 caller, slice_make(NULL, 0), answer_call, call);
        if (status == OK)
            return;
        /* Not ERR_BUSY for a full mailbox: that is a machine's word for what somebody else has. */
        status = error_set(&error, ERR_UNAVAILABLE,
                           status == ERR_BUSY ? "too many calls are waiting; try again later"
                                              : "the daemon is starting or stopping");
    }
    metrics_calls_add(call->calls, request->method, status, clock_monotonic_us() - call->came_us);
    refuse(serve, request, caller, status, error.text);
    arena_close(call->arena);
    mem_free(call);
}

static void cancelled(void *user, uint64_t tag)
{
    struct serve *serve = user;
    if (tag != 0) /* refused before it got a number */
        shell_request_cancel(serve->options.shell, tag);
}

enum status serve_open(const struct serve_options *options,
                       struct serve **ret_serve,
                       struct error *reterr_error)
{
    struct serve *serve = MEM_NEW(struct serve);
    serve->options = *options;
    struct rpc_server_options server_options = {
        .address = options->address,
        .threads = options->threads,
        .handle = handle,
        .cancelled = cancelled,
        .user = serve,
    };
    enum status status = rpc_server_open(&server_options, &serve->server, reterr_error);
    if (status != OK) {
        mem_free(serve);
        return status;
    }
    *ret_serve = serve;
    return OK;
}

uint16_t serve_port(const struct serve *serve)
{
    return rpc_server_port(serve->server);
}

void serve_stop(struct serve *serve)
{
    rpc_server_stop(serve->server);
}

void serve_close(struct serve *serve, int64_t grace_ms)
{
    if (serve == NULL)
        return;
    rpc_server_close(serve->server, grace_ms);
    mem_free(serve);
}
