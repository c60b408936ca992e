/*
 * umbilical.h - what a task process says to its master (service Umbilical of am.proto).
 * Calls are repeated while they fail for a passing reason; a master that has not answered anything
 * for give_up_ms is taken for dead, and the process has nothing left to do.
 * Any thread may call.
 */
#ifndef MILLRACE_MR_TASK_UMBILICAL_H
#define MILLRACE_MR_TASK_UMBILICAL_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/model/messages.h"
#include "lib/services/client.h"

struct umbilical;

enum {
    UMBILICAL_GIVE_UP_MS = 30 * 1000,
    UMBILICAL_CALL_MS = 10 * 1000,
    UMBILICAL_WAIT_MS = 20 * 1000 /* how long the master may hold a question */
};

struct umbilical_settings {
    const char *master_address;
    const char *token;
    struct container_id container;
    int64_t give_up_ms; /* 0: UMBILICAL_GIVE_UP_MS */
};

/* Everything is copied. Nothing is sent yet. */
MUST_USE enum status umbilical_open(const struct umbilical_settings *settings,
                                    struct umbilical **ret_umbilical,
                                    struct error *reterr_error);
void umbilical_close(struct umbilical *umbilical); /* NULL is fine */
/* Makes calls of now and later return ERR_CANCELLED soon. */
void umbilical_cancel(struct umbilical *umbilical);

/* Waits until there is work or the order to exit (never GET_TASK_WAIT). finished: the attempt done
 * before; zero when none. */
MUST_USE enum status umbilical_get_task(struct umbilical *umbilical,
                                        const struct attempt_id *finished,
                                        struct arena *arena,
                                        const struct am_get_task_response **ret_response,
                                        struct error *reterr_error);
/* One try; the next report says it again. request's container is filled in. */
MUST_USE enum status umbilical_report(struct umbilical *umbilical,
                                      struct am_task_report_request *request,
                                      bool *ret_must_stop,
                                      struct error *reterr_error);
/* request's container is filled in. */
MUST_USE enum status umbilical_done(struct umbilical *umbilical,
                                    struct am_task_done_request *request,
                                    bool *ret_is_accepted,
                                    struct error *reterr_error);
MUST_USE enum status umbilical_failed(struct umbilical *umbilical,
                                      struct am_task_failed_request *request,
                                      struct error *reterr_error);
MUST_USE enum status umbilical_fetch_failed(struct umbilical *umbilical,
                                            const struct am_fetch_failed_request *request,
                                            struct error *reterr_error);
/* Starts one question for map outputs, held by the master; done as service_call_start says. */
MUST_USE enum status umbilical_ask_map_outputs(struct umbilical *umbilical,
                                               const struct am_get_map_outputs_request *request,
                                               service_done *done,
                                               void *user,
                                               struct rpc_call **ret_call,
                                               struct error *reterr_error);
/* ERR_UNAVAILABLE, with the sentence for people, when the master is to be taken for dead. */
MUST_USE enum status umbilical_check(struct umbilical *umbilical, struct error *reterr_error);
/* An answer came by way of umbilical_ask_map_outputs. */
void umbilical_heard(struct umbilical *umbilical);
/* True for failures that the next try may not have. */
bool umbilical_is_passing(enum status status);

#endif
