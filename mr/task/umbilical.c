/*
 * umbilical.c - calls to the master, repeated with growing pauses.
 */
#include "mr/task/umbilical.h"

#include <stdatomic.h>

#include "lib/base/mem.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/os/process.h"

enum {
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 1000,
    PAUSE_STEP_MS = 50 /* how soon a pause sees that it was cancelled */
};

struct umbilical {
    struct rpc_client *client;
    struct rpc_channel *channel;
    struct arena *arena; /* of the strings below; not used by calls */
    const char *address;
    struct slice token;
    struct container_id container;
    int64_t give_up_ms;
    _Atomic int64_t heard_ms; /* when the master last answered anything */
    atomic_bool is_cancelled;
};

enum status umbilical_open(const struct umbilical_settings *settings,
                           struct umbilical **ret_umbilical,
                           struct error *reterr_error)
{
    struct umbilical *umbilical = MEM_NEW(struct umbilical);
    enum status status;

    umbilical->arena = arena_open(0);
    umbilical->address =
        (const char *)arena_copy(umbilical->arena, slice_from_string(settings->master_address))
            .data;
    umbilical->token = arena_copy(umbilical->arena, slice_from_string(settings->token));
    umbilical->container = settings->container;
    umbilical->give_up_ms = settings->give_up_ms > 0 ? settings->give_up_ms : UMBILICAL_GIVE_UP_MS;
    atomic_store(&umbilical->heard_ms, clock_monotonic_ms());
    status = rpc_client_open(NULL, &umbilical->client, reterr_error);
    if (status == OK)
        status = rpc_channel_open(umbilical->client, umbilical->address, NULL, &umbilical->channel,
                                  reterr_error);
    if (status != OK) {
        umbilical_close(umbilical);
        return error_prefix(reterr_error, status, "master at %s", settings->master_address);
    }
    *ret_umbilical = umbilical;
    return OK;
}

void umbilical_close(struct umbilical *umbilical)
{
    if (umbilical == NULL)
        return;
    rpc_channel_close(umbilical->channel);
    rpc_client_close(umbilical->client);
    arena_close(umbilical->arena);
    mem_free(umbilical);
}

void umbilical_cancel(struct umbilical *umbilical)
{
    atomic_store(&umbilical->is_cancelled, true);
}

void umbilical_heard(struct umbilical *umbilical)
{
    atomic_store(&umbilical->heard_ms, clock_monotonic_ms());
}

bool umbilical_is_passing(enum status status)
{
    return status == ERR_UNAVAILABLE || status == ERR_DEADLINE || status == ERR_BUSY ||
           status == ERR_CANCELLED;
}

enum status umbilical_check(struct umbilical *umbilical, struct error *reterr_error)
{
    int64_t silent_ms = clock_monotonic_ms() - atomic_load(&umbilical->heard_ms);
    if (atomic_load(&umbilical->is_cancelled))
        return error_set(reterr_error, ERR_CANCELLED, "the process is to stop");
    if (silent_ms < umbilical->give_up_ms)
        return OK;
    return error_set(reterr_error, ERR_UNAVAILABLE, "the master at %s has not answered for %lld s",
                     umbilical->address, (long long)(silent_ms / 1000));
}

static struct service_target target(const struct umbilical *umbilical,
                                    struct arena *arena,
                                    int64_t timeout_ms)
{
    return (struct service_target){
        .channel = umbilical->channel,
        .token = umbilical->token,
        .timeout_ms = timeout_ms,
        .arena = arena,
    };
}

static enum status call_once(struct umbilical *umbilical,
                             enum method method,
                             const void *request,
                             int64_t timeout_ms,
                             struct arena *arena,
                             const void **ret_response,
                             struct error *reterr_error)
{
    struct service_target to = target(umbilical, arena, timeout_ms);
    enum status status = service_call(&to, method, request, ret_response, reterr_error);
    if (status == OK)
        umbilical_heard(umbilical);
    return status;
}

static void pause_ms(const struct umbilical *umbilical, int64_t pause)
{
    int64_t until = clock_monotonic_ms() + pause;
    while (clock_monotonic_ms() < until && !atomic_load(&umbilical->is_cancelled)) {
        int64_t step = clock_monotonic_ms() + PAUSE_STEP_MS;
        clock_sleep_until_ms(step < until ? step : until);
    }
}

static enum status call(struct umbilical *umbilical,
                        enum method method,
                        const void *request,
                        int64_t timeout_ms,
                        struct arena *arena,
                        const void **ret_response,
                        struct error *reterr_error)
{
    int64_t retry_ms = RETRY_MIN_MS;
    for (;;) {
        enum status status =
            call_once(umbilical, method, request, timeout_ms, arena, ret_response, reterr_error);
        if (status == OK || !umbilical_is_passing(status))
            return status;
        status = umbilical_check(umbilical, reterr_error);
        if (status != OK)
            return status;
        pause_ms(umbilical, retry_ms);
        retry_ms = retry_ms * 2 < RETRY_MAX_MS ? retry_ms * 2 : RETRY_MAX_MS;
    }
}

enum status umbilical_get_task(struct umbilical *umbilical,
                               const struct attempt_id *finished,
                               struct arena *arena,
                               const struct am_get_task_response **ret_response,
                               struct error *reterr_error)
{
    struct am_get_task_request request = {
        .container = umbilical->container,
        .process_id = (uint64_t)process_self(),
        .finished = *finished,
        .wait_ms = UMBILICAL_WAIT_MS,
    };
    for (;;) {
        const void *response = NULL;
        enum status status =
            call(umbilical, METHOD_UMBILICAL_GET_TASK, &request,
                 UMBILICAL_WAIT_MS + UMBILICAL_CALL_MS, arena, &response, reterr_error);
        if (status != OK)
            return status;
        *ret_response = response;
        if ((*ret_response)->kind != GET_TASK_WAIT)
            return OK;
        arena_reset(arena);
        status = umbilical_check(umbilical, reterr_error);
        if (status != OK)
            return status;
    }
}

enum status umbilical_report(struct umbilical *umbilical,
                             struct am_task_report_request *request,
                             bool *ret_must_stop,
                             struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status;

    request->container = umbilical->container;
    status = call_once(umbilical, METHOD_UMBILICAL_TASK_REPORT, request, UMBILICAL_CALL_MS, arena,
                       &response, reterr_error);
    if (status == OK)
        *ret_must_stop = ((const struct am_task_report_response *)response)->must_stop;
    arena_close(arena);
    return status;
}

enum status umbilical_done(struct umbilical *umbilical,
                           struct am_task_done_request *request,
                           bool *ret_is_accepted,
                           struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status;

    request->container = umbilical->container;
    status = call(umbilical, METHOD_UMBILICAL_TASK_DONE, request, UMBILICAL_CALL_MS, arena,
                  &response, reterr_error);
    if (status == OK)
        *ret_is_accepted = ((const struct am_task_done_response *)response)->is_accepted;
    arena_close(arena);
    return status;
}

enum status umbilical_failed(struct umbilical *umbilical,
                             struct am_task_failed_request *request,
                             struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status;

    request->container = umbilical->container;
    status = call(umbilical, METHOD_UMBILICAL_TASK_FAILED, request, UMBILICAL_CALL_MS, arena,
                  &response, reterr_error);
    arena_close(arena);
    return status;
}

enum status umbilical_fetch_failed(struct umbilical *umbilical,
                                   const struct am_fetch_failed_request *request,
                                   struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status = call(umbilical, METHOD_UMBILICAL_FETCH_FAILED, request, UMBILICAL_CALL_MS,
                              arena, &response, reterr_error);
    arena_close(arena);
    return status;
}

enum status umbilical_ask_map_outputs(struct umbilical *umbilical,
                                      const struct am_get_map_outputs_request *request,
                                      service_done *done,
                                      void *user,
                                      struct rpc_call **ret_call,
                                      struct error *reterr_error)
{
    struct service_target to =
        target(umbilical, NULL, (int64_t)request->wait_ms + UMBILICAL_CALL_MS);
    return service_call_start(&to, METHOD_UMBILICAL_GET_MAP_OUTPUTS, request, done, user, ret_call,
                              reterr_error);
}
