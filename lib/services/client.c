/*
 * client.c - pack, call, unpack.
 */
#include "lib/services/client.h"

#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/net/rpc.h"
#include "lib/wire/wire.h"

static const char bearer_prefix[] = "Bearer ";

/* The options of one call and the texts they borrow. */
struct call_options {
    struct rpc_call_options rpc;
    struct rpc_metadata metadata;
    char bearer[sizeof(bearer_prefix) + LIMIT_TOKEN_BYTES];
};

static enum status set_options(const struct service_target *target,
                               struct call_options *ret_options,
                               struct error *reterr_error)
{
    CHECK(target->timeout_ms > 0);
    ret_options->rpc = (struct rpc_call_options){
        .timeout_ms = target->timeout_ms,
        .wait_for_ready = target->wait_for_ready,
    };
    if (target->token.length == 0)
        return OK;
    if (target->token.length > LIMIT_TOKEN_BYTES)
        return error_set(reterr_error, ERR_INVALID, "the token is longer than %d bytes",
                         LIMIT_TOKEN_BYTES);
    int length = snprintf(ret_options->bearer, sizeof(ret_options->bearer), "%s%.*s", bearer_prefix,
                          SLICE_ARGS(target->token));
    CHECK(length > 0);
    ret_options->metadata = (struct rpc_metadata){
        .key = "authorization",
        .value = slice_make(ret_options->bearer, (size_t)length),
    };
    ret_options->rpc.metadata = &ret_options->metadata;
    ret_options->rpc.metadata_count = 1;
    return OK;
}

/* A response that cannot be read is the server's fault, whatever was wrong with it. */
static enum status unpack_response(enum method method,
                                   struct slice body,
                                   struct arena *arena,
                                   const void **ret_response,
                                   struct error *reterr_error)
{
    void *response = NULL;
    enum status status =
        wire_unpack(method_info(method)->response, body, arena, &response, reterr_error);
    if (status != OK) {
        if (reterr_error != NULL)
            reterr_error->status = ERR_CORRUPT;
        return ERR_CORRUPT;
    }
    *ret_response = response;
    return OK;
}

enum status service_call(const struct service_target *target,
                         enum method method,
                         const void *request,
                         const void **ret_response,
                         struct error *reterr_error)
{
    const struct method_info *info = method_info(method);
    struct call_options options;
    struct buf bytes = {0};
    struct buf answer = {0};
    enum status status = set_options(target, &options, reterr_error);
    if (status == OK)
        status = wire_pack(info->request, request, &bytes, reterr_error);
    if (status == OK)
        status = rpc_call_wait(target->channel, info->path, buf_slice(&bytes), &options.rpc,
                               &answer, reterr_error);
    if (status == OK)
        status =
            unpack_response(method, buf_slice(&answer), target->arena, ret_response, reterr_error);
    buf_close(&answer);
    buf_close(&bytes);
    return status;
}

struct pending_call {
    enum method method;
    service_done *done;
    void *user;
};

static void call_is_done(void *user, const struct rpc_result *result)
{
    struct pending_call *pending = user;
    struct error error = {0};
    struct service_result outcome = {
        .method = pending->method, .status = result->status, .text = result->text};
    if (outcome.status == OK) {
        outcome.arena = arena_open(LIMIT_UNPACKED_BYTES);
        outcome.status = unpack_response(pending->method, result->body, outcome.arena,
                                         &outcome.response, &error);
        if (outcome.status != OK) {
            outcome.text = slice_from_string(error.text);
            arena_close(outcome.arena);
            outcome.arena = NULL;
        }
    }
    pending->done(pending->user, &outcome);
    mem_free(pending);
}

enum status service_call_start(const struct service_target *target,
                               enum method method,
                               const void *request,
                               service_done *done,
                               void *user,
                               struct rpc_call **ret_call,
                               struct error *reterr_error)
{
    const struct method_info *info = method_info(method);
    struct call_options options;
    struct buf bytes = {0};
    enum status status = set_options(target, &options, reterr_error);
    if (status == OK)
        status = wire_pack(info->request, request, &bytes, reterr_error);
    if (status == OK) {
        struct pending_call *pending = MEM_NEW(struct pending_call);
        *pending = (struct pending_call){.method = method, .done = done, .user = user};
        status = rpc_call_start(target->channel, info->path, buf_slice(&bytes), &options.rpc,
                                call_is_done, pending, ret_call);
        if (status != OK) {
            mem_free(pending);
            status = error_set(reterr_error, status, "cannot start the call %s: %s", info->path,
                               status_sentence(status));
        }
    }
    buf_close(&bytes);
    return status;
}
