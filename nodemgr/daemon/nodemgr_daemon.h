/*
 * nodemgr_daemon.h - the node manager's shell: what its files share.
 *
 * Threads: the core thread performs effects (nodemgr_daemon.c) by posting them; `workers` fetch and
 * launch; one `signaller` sends signals, so that they keep their order and never wait behind a
 * download; one `cleaner` removes folders, in order; the launcher's reader tells of exits; one
 * watcher measures memory; the HTTP server has its own. Locks (never two at once): that of struct
 * nodemgr_processes and that of struct nodemgr_fetches.
 */
#ifndef MILLRACE_NODEMGR_DAEMON_NODEMGR_DAEMON_H
#define MILLRACE_NODEMGR_DAEMON_NODEMGR_DAEMON_H

#include "lib/base/map.h"
#include "lib/daemon/daemon.h"
#include "lib/net/token.h"
#include "nodemgr/core/nodemgr.h"
#include "nodemgr/daemon/folders.h"

struct condition;
struct file;
struct http_server;
struct launcher_host;
struct mutex;
struct thread;

/* Containers' processes; processes.c. */
struct nodemgr_processes {
    struct mutex *mutex;
    struct condition *changed; /* wakes the watcher at the end */
    struct map_u64 *by_launch; /* launch number to struct nodemgr_process */
    uint64_t last_launch;
    struct thread *watcher;
    bool is_stopping;
};

/* Room on the disks of the node's folders; disk.c. */
struct nodemgr_disk {
    struct mutex *mutex;
    struct condition *changed;
    struct thread *watcher;
    bool is_stopping;
};

/* Files of the filesystem being fetched; localize.c. */
struct nodemgr_fetches {
    struct mutex *mutex;
    struct condition *changed;
    struct map *running; /* by destination path */
    struct map *clients; /* all struct fetch_client by their own address: cancelled at the stop */
    struct map *by_user; /* those that new fetches of a user take */
    bool is_stopping;
};

struct nodemgr_daemon {
    struct daemon *daemon;
    struct nodemgr_folders folders;
    struct arena *arena; /* of the strings below */
    struct token_secret secret;
    struct token_claims grant_claims; /* of the newest grant; core thread only */
    const char *programs_directory;
    const char *kept_environment;
    const char *fd_path;
    int64_t token_lifetime_ms;
    int64_t memory_check_ms;
    uint64_t log_apps_max;
    int64_t log_age_ms;
    struct workers *signaller;
    struct workers *cleaner;
    uint64_t disk_reserve_bytes;
    int64_t disk_check_ms;
    struct nodemgr_processes processes;
    struct nodemgr_disk disk;
    struct nodemgr_fetches fetches;
    struct http_server *http;
};

/* What nodemgr/daemon/main.c and "millrace" run. */
extern const struct daemon_definition nodemgr_daemon_definition;

/* --- jobs: each is posted by the core thread and answers the shell by itself -------------------
 */

/* localize.c */
void nodemgr_fetches_open(struct nodemgr_fetches *fetches);
/* Breaks off what is being fetched; jobs still to come fail at once. */
void nodemgr_fetches_stop(struct nodemgr_fetches *fetches);
void nodemgr_fetches_close(struct nodemgr_fetches *fetches);
void nodemgr_localize_post(struct nodemgr_daemon *self,
                           uint64_t tag,
                           const struct nodemgr_localize *localize);

/* disk.c */
void nodemgr_disk_open(struct nodemgr_disk *disk);
/* Looks at once and then every nodemgr.disk_check_ms; the machine hears of each change. */
MUST_USE enum status nodemgr_disk_start(struct nodemgr_daemon *self, struct error *reterr_error);
void nodemgr_disk_stop(struct nodemgr_disk *disk); /* may come twice */
void nodemgr_disk_close(struct nodemgr_disk *disk);

/* processes.c */
/* The launcher's host; before anything is launched. */
struct launcher_host nodemgr_processes_host(struct nodemgr_daemon *self);
void nodemgr_processes_open(struct nodemgr_processes *processes);
MUST_USE enum status nodemgr_processes_start(struct nodemgr_daemon *self,
                                             struct error *reterr_error);
void nodemgr_processes_stop(struct nodemgr_processes *processes);
void nodemgr_processes_close(struct nodemgr_processes *processes);
void nodemgr_launch_post(struct nodemgr_daemon *self,
                         uint64_t tag,
                         const struct nodemgr_launch *launch);
void nodemgr_signal_post(struct nodemgr_daemon *self, const struct nodemgr_signal *sent);

/* --- HTTP; pages.c -----------------------------------------------------------------------------
 */
MUST_USE enum status nodemgr_pages_open(struct nodemgr_daemon *self, struct error *reterr_error);
/* See struct daemon_definition. */
void nodemgr_pages_metrics(void *state, struct metrics_page *page);

/* A bearer token of user, from arena; ERR_INVALID for a name that cannot be. */
MUST_USE enum status nodemgr_daemon_user_token(const struct nodemgr_daemon *self,
                                               struct slice user,
                                               struct arena *arena,
                                               const char **ret_token,
                                               struct error *reterr_error);

#endif
