/*
 * server.c - from rpc requests to messages, and answers back.
 */
#include "lib/services/server.h"

#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "lib/net/rpc.h"
#include "lib/net/token.h"
#include "lib/wire/wire.h"

static bool is_served(const char *const *services, const char *service)
{
    for (size_t i = 0; services[i] != NULL; i++) {
        if (slice_equal_string(slice_from_string(services[i]), service))
            return true;
    }
    return false;
}

static enum status find_method(struct rpc_request *rpc,
                               const char *const *services,
                               enum method *ret_method,
                               struct error *reterr_error)
{
    struct slice path = rpc_request_path(rpc);
    enum method method;
    if (!method_from_path(path, &method) || !is_served(services, method_info(method)->service))
        return error_set(reterr_error, ERR_UNSUPPORTED, "no method %s is served at this address",
                         text_quote(path).text);
    *ret_method = method;
    return OK;
}

static void refuse(struct rpc_request *rpc, const struct error *error)
{
    struct arena *scratch = arena_open(0);
    rpc_request_fail_status(rpc, error->status,
                            text_clean(slice_from_string(error->text), scratch));
    arena_close(scratch);
}

struct service_request *service_accept(struct rpc_request *request, const char *const *services)
{
    struct error error = {0};
    enum method method = METHOD_COUNT;
    if (find_method(request, services, &method, &error) != OK) {
        refuse(request, &error);
        return NULL;
    }
    struct arena *arena = arena_open(LIMIT_UNPACKED_BYTES);
    void *message = NULL;
    if (wire_unpack(method_info(method)->request, rpc_request_body(request), arena, &message,
                    &error) != OK) {
        refuse(request, &error);
        arena_close(arena);
        return NULL;
    }
    struct service_request *accepted = MEM_NEW(struct service_request);
    *accepted = (struct service_request){
        .method = method,
        .message = message,
        .arena = arena,
        .peer = rpc_request_peer(request),
        .request = request,
    };
    struct slice authorization;
    if (rpc_request_metadata(request, "authorization", &authorization))
        accepted->token = token_from_bearer(authorization);
    return accepted;
}

static void close_request(struct service_request *request)
{
    arena_close(request->arena);
    mem_free(request);
}

void service_reply(struct service_request *request, const void *response)
{
    struct error error = {0};
    struct buf bytes = {0};
    if (wire_pack(method_info(request->method)->response, response, &bytes, &error) == OK) {
        rpc_request_reply(request->request, buf_slice(&bytes));
    } else {
        error.status = ERR_INTERNAL;
        refuse(request->request, &error);
    }
    buf_close(&bytes);
    close_request(request);
}

void service_fail(struct service_request *request, enum status status, struct slice text)
{
    CHECK(status != OK);
    struct arena *scratch = arena_open(0);
    rpc_request_fail_status(request->request, status, text_clean(text, scratch));
    arena_close(scratch);
    close_request(request);
}
