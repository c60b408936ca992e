/*
 * nodemgr_daemon.h - the node manager's shell: what its files share.
 *
 * Threads: the core thread performs effects (nodemgr_daemon.c) by posting them; `workers` fetch and
 * launch; one `signaller` sends signals, so that they keep their order and never wait behind a
 * download; one `cleaner` removes folders, in order; the launcher's reader tells of exits; one
 * watcher looks at the containers' limits, one at the disks; the HTTP server has its own. Locks
 * (never two at once): those of struct nodemgr_processes, nodemgr_limits, nodemgr_disk and
 * nodemgr_fetches.
 */
#ifndef MILLRACE_NODEMGR_DAEMON_NODEMGR_DAEMON_H
#define MILLRACE_NODEMGR_DAEMON_NODEMGR_DAEMON_H

#include "lib/base/map.h"
#include "lib/daemon/daemon.h"
#include "lib/net/token.h"
#include "lib/os/cgroup.h"
#include "nodemgr/core/nodemgr.h"
#include "nodemgr/daemon/folders.h"

struct condition;
struct directory_space;
struct file;
struct http_server;
struct launcher_host;
struct mutex;
struct thread;

/* Containers' processes; processes.c. */
struct nodemgr_processes {
    struct mutex *mutex;
    struct map_u64 *by_launch; /* launch number to struct nodemgr_process */
    uint64_t last_launch;
};

/* A process that runs and is known to the core. */
struct nodemgr_running {
    struct container_id container;
    int64_t pid;
    uint64_t memory_bytes_max;
};

/* What containers may have; limits.c. */
struct nodemgr_limits {
    struct mutex *mutex;
    struct condition *changed;
    struct thread *watcher;
    bool is_stopping;
    bool has_groups; /* processes and processors are limited by the kernel, in tree */
    struct cgroup_tree tree;
    int64_t check_ms;
    uint64_t processes_max; /* and threads, of one container; 0: no limit */
    uint64_t log_bytes_max; /* of one container; 0: no limit */
};

/* When a disk is full, and when it is not any more. */
struct nodemgr_disk_limits {
    uint64_t reserve_bytes; /* once it was unusable, half as much more */
    uint64_t full_percent;  /* 100: the reserve alone counts */
    uint64_t well_percent;  /* once it was unusable */
};

enum nodemgr_room {
    NODEMGR_ROOM_ENOUGH,
    NODEMGR_ROOM_BELOW_RESERVE,
    NODEMGR_ROOM_ABOVE_PERCENT
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
    uint64_t log_apps_max;
    int64_t log_age_ms;
    struct workers *signaller;
    struct workers *cleaner;
    struct nodemgr_disk_limits disk_limits;
    int64_t disk_check_ms;
    int64_t disk_write_ms;
    struct nodemgr_processes processes;
    struct nodemgr_limits limits;
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
/* *ret_percent: how full it is, rounded up, of what an unprivileged user may use. */
enum nodemgr_room nodemgr_disk_room(const struct nodemgr_disk_limits *limits,
                                    const struct directory_space *space,
                                    bool was_unusable,
                                    uint64_t *ret_percent);
void nodemgr_disk_open(struct nodemgr_disk *disk);
/* Looks at once and then every nodemgr.disk_check_ms, writes every nodemgr.disk_write_ms; the
 * machine hears of each change. */
MUST_USE enum status nodemgr_disk_start(struct nodemgr_daemon *self, struct error *reterr_error);
void nodemgr_disk_stop(struct nodemgr_disk *disk); /* may come twice */
void nodemgr_disk_close(struct nodemgr_disk *disk);

/* limits.c */
void nodemgr_limits_open(struct nodemgr_limits *limits);
/* Chooses how containers are limited and logs it. ERR_UNSUPPORTED: not as nodemgr.limits says. */
MUST_USE enum status nodemgr_limits_choose(struct nodemgr_daemon *self,
                                           uint32_t vcores,
                                           struct error *reterr_error);
/* "cgroup2", "cgroup1" or "polling": how the number of processes is limited. */
const char *nodemgr_limits_name(const struct nodemgr_limits *limits);
/* Looks at what runs every nodemgr.memory_check_ms; the machine hears of what is over a limit. */
MUST_USE enum status nodemgr_limits_start(struct nodemgr_daemon *self, struct error *reterr_error);
/* *ret_join_files: for the container's process, NULL when there are none; from arena. */
MUST_USE enum status nodemgr_limits_make(struct nodemgr_daemon *self,
                                         struct container_id container,
                                         struct resource resource,
                                         struct arena *arena,
                                         const char *const **ret_join_files,
                                         struct error *reterr_error);
void nodemgr_limits_stop(struct nodemgr_limits *limits); /* may come twice */
void nodemgr_limits_close(struct nodemgr_limits *limits);

/* processes.c */
/* The launcher's host; before anything is launched. */
struct launcher_host nodemgr_processes_host(struct nodemgr_daemon *self);
void nodemgr_processes_open(struct nodemgr_processes *processes);
MUST_USE enum status nodemgr_processes_start(struct nodemgr_daemon *self,
                                             struct error *reterr_error);
/* What runs now, from arena. */
size_t nodemgr_processes_list(const struct nodemgr_processes *processes,
                              struct arena *arena,
                              struct nodemgr_running **ret_running);
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
