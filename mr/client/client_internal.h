/*
 * client_internal.h - struct mr_client, for the files of mr/client only.
 */
#ifndef MILLRACE_MR_CLIENT_CLIENT_INTERNAL_H
#define MILLRACE_MR_CLIENT_CLIENT_INTERNAL_H

#include "dfs/client/dfs.h"
#include "lib/daemon/cluster.h"
#include "lib/os/thread.h"
#include "mr/client/client.h"

struct rpc_call;
struct rpc_client;

enum {
    MR_CLIENT_CALL_MS = 10 * 1000,         /* one try of a call that is answered at once */
    MR_CLIENT_PATIENCE_MS = 5 * 60 * 1000, /* how long a daemon that is away is waited for */
    MR_CLIENT_BACKOFF_MS = 100,            /* before the second try; doubles */
    MR_CLIENT_BACKOFF_MAX_MS = 2 * 1000
};

struct mr_client {
    struct arena *arena;
    const char *directory;
    struct cluster cluster;
    struct slice token;
    struct rpc_client *rpc;
    struct dfs *dfs;
    void (*noticed)(void *user, const char *sentence);
    void *user;
    enum mr_client_fault fault;

    struct mutex *mutex; /* guards what follows */
    struct condition *changed;
    struct rpc_call *call; /* in flight */
    bool is_done;
    bool is_cancelled;
};

/* One outage of a daemon: how long it lasts, whether that was said. Start with a zeroed one. */
struct mr_client_outage {
    int64_t since_ms; /* monotonic; 0: none */
    int64_t backoff_ms;
    bool is_told;
};

/* A filesystem client of its own; deadline_ms: as struct dfs_settings. */
MUST_USE enum status mr_client_open_dfs(const struct mr_client *client,
                                        int64_t deadline_ms,
                                        struct dfs **ret_dfs,
                                        struct error *reterr_error);
/* Notes whose fault a failure is and returns status. */
MUST_USE enum status mr_client_blame(struct mr_client *client,
                                     enum mr_client_fault fault,
                                     enum status status);
/* Calls method at address and waits; response in arena. ERR_CANCELLED after mr_client_cancel. */
MUST_USE enum status mr_client_call(struct mr_client *client,
                                    struct slice address,
                                    enum method method,
                                    const void *request,
                                    int64_t timeout_ms,
                                    struct arena *arena,
                                    const void **ret_response,
                                    struct error *reterr_error);
/* The same to the resource manager, wherever it is now. */
MUST_USE enum status mr_client_call_rm(struct mr_client *client,
                                       enum method method,
                                       const void *request,
                                       int64_t timeout_ms,
                                       struct arena *arena,
                                       const void **ret_response,
                                       struct error *reterr_error);
bool mr_client_is_cancelled(struct mr_client *client);
/* Waits; false when cancelled. */
bool mr_client_pause(struct mr_client *client, int64_t ms);
/* True for failures that may pass by themselves. */
bool mr_client_may_pass(enum status status);
/*
 * After a passing failure of daemon ("resource manager"): says so once, waits a little longer than
 * the last time. False when it has lasted too long or the client was cancelled: then *error, the
 * failure, has become the sentence for that.
 */
bool mr_client_outage_wait(struct mr_client *client,
                           struct mr_client_outage *outage,
                           const char *daemon,
                           struct error *error);
/* The daemon answers (again). */
void mr_client_outage_over(struct mr_client *client,
                           struct mr_client_outage *outage,
                           const char *daemon);

/* Sees that the inputs can be read and the output made. */
MUST_USE enum status mr_client_check_paths(struct mr_client *client,
                                           const struct mr_client_job *job,
                                           struct arena *arena,
                                           struct am_job_spec *spec,
                                           struct error *reterr_error);

#endif
