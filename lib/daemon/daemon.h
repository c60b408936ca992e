/*
 * daemon.h - the main function of all daemons.
 *
 * A daemon is a struct daemon_definition and "int main: return daemon_main(argc, argv,
 * &definition)". daemon_main does, in order: block signals; options and settings; its folder, lock
 * file and log; fork the launcher (if wanted); node id and incarnation; the cluster's secret; gRPC
 * server on loopback, refusing calls for now; definition->open (makes the machine); journal replay;
 * definition->start; EVENT_START; the credential socket; the address file. Then it waits. SIGTERM
 * or SIGINT become EVENT_STOP; after ACTION_EXIT, or stop_ms later, definition->stop, servers,
 * journal and machine close in that order. Exit codes: docs/exit-codes.md.
 *
 * A call without a valid bearer token is refused with ERR_UNAUTHENTICATED before anything else. A
 * token's subject becomes event.user: "user:alice" is "alice", "daemon:rm" is "millrace",
 * "container:..." stays as it is (and so does "user:millrace", so that nobody can be a daemon by
 * name).
 */
#ifndef MILLRACE_LIB_DAEMON_DAEMON_H
#define MILLRACE_LIB_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/daemon/settings.h"
#include "lib/daemon/shell.h"

struct daemon;
struct arena;
struct groups;
struct http_request;
struct http_server;
struct http_server_options;
struct launcher;
struct launcher_host;
struct log;
struct metrics_page;
struct rpc_client;
struct token_secret;
struct workers;

/* docs/exit-codes.md is the list for people; a test compares the two. */
enum {
    EXIT_STOPPED = 0,        /* asked to stop, and did */
    EXIT_FAILED = 1,         /* could not start, or an effect nobody can live without failed */
    EXIT_USAGE = 2,          /* bad option, setting or value */
    EXIT_BUSY = 3,           /* another process has the folder */
    EXIT_CORRUPT = 4,        /* the journal is damaged; nothing was changed */
    EXIT_JOURNAL_FAILED = 5, /* a write or sync of the journal failed while running */
    EXIT_STOP_TIMEOUT = 6,   /* asked to stop, but the machine was not done within stop_ms */
    EXIT_LAUNCHER_LOST = 7,  /* the process that starts containers died */
    EXIT_REFUSED = 8, /* the cluster refuses this node: another cluster's, or a copy of another */
    EXIT_NO_MEMORY = MEM_EXIT_CODE /* 9 */
};

struct daemon_definition {
    const char *name;    /* "rm": program mr-rm, rm.addr, rm.lock, rm.log, the log's component */
    const char *purpose; /* one sentence for --help */
    const struct machine_door *door;
    const struct setting *settings; /* its own; the common ones are added */
    size_t settings_count;
    const char *const *services; /* "ResourceManager", "NodeTracker", NULL */
    bool has_launcher;
    /*
     * Its folder is for one run, and nobody looks for it there: it gets no node file and no address
     * file, which would have to be synced.
     */
    bool is_transient;
    bool issues_tokens; /* serves <dir>/<name>.credential.sock for the users of this host */
    /*
     * Makes the daemon's state and its machine, from daemon_* below. It may open servers (HTTP,
     * descriptors) whose addresses the machine must know, and tell them by daemon_set_*; what they
     * ask the shell is refused with ERR_UNAVAILABLE until the start. On failure nothing is left.
     */
    enum status (*open)(struct daemon *daemon,
                        void **ret_state,
                        void **ret_machine,
                        struct error *reterr_error);
    /* The journal is replayed; called before EVENT_START. May be NULL. */
    enum status (*start)(void *state, struct error *reterr_error);
    /*
     * Makes a second machine with the settings of the first and nothing beside it, for checkpoints
     * (docs/checkpoint.md). On the core thread. NULL: no checkpoints are made.
     */
    enum status (*open_twin)(struct daemon *daemon,
                             void *state,
                             void **ret_machine,
                             struct error *reterr_error);
    /* A request that is answered with a checkpoint, of those who may ask for it (NULL: all). */
    bool has_checkpoint_method;
    enum method checkpoint_method;
    bool (*may_checkpoint)(void *state, const void *machine, const struct event *event);
    /* True for requests to refuse while the journal's disk is full. NULL: none. */
    bool (*needs_room)(void *state, enum method method);
    /* ACTION_EFFECT; see struct shell_host. NULL when the machine has none. */
    void (*effect)(void *state, struct shell *shell, uint64_t tag, int effect, const void *data);
    /*
     * Says whether user (authenticated) may call method; any thread. NULL: everybody may. Daemons
     * are the user "millrace".
     */
    bool (*may_call)(void *state, enum method method, struct slice user);
    /*
     * The bearer token of the machine's calls, from arena or living as long as state; on the core
     * thread. NULL: the daemon's own, which makes it the user "millrace".
     */
    struct slice (*call_token)(void *state, struct arena *arena);
    /* Adds the daemon's own families to /metrics; any thread, may ask the shell. May be NULL. */
    void (*metrics)(void *state, struct metrics_page *page);
    /*
     * Says on /healthz whether the daemon can do its work; what a person should know although it
     * can is appended to notes, a line each. Any thread, may ask the shell. May be NULL.
     */
    enum status (*health)(void *state, struct buf *notes, struct error *reterr_error);
    /* The machine has stepped for the last time: stop own servers and threads. May be NULL. */
    void (*stop)(void *state);
    /* Frees state, after shell and machine are closed. May be NULL when state is. */
    void (*close)(void *state);
};

/*
 * Returns the process's exit code. Options: --dir DIR (daemon.dir), --cluster DIR (cluster.dir),
 * --config FILE, --set NAME=VALUE, -D NAME=VALUE, --settings, --settings-json, --help, --version.
 */
int daemon_main(int argc, char **argv, const struct daemon_definition *definition);

/* What definition->open and all that runs later may use; all live until definition->close. */
const struct settings *daemon_settings(const struct daemon *daemon);
struct log *daemon_log(const struct daemon *daemon);
struct shell *daemon_shell(const struct daemon *daemon);
/* Launches are possible after daemon_start_launcher. NULL without has_launcher. */
struct launcher *daemon_launcher(const struct daemon *daemon);
/* Threads for blocking effects; setting daemon.workers. */
struct workers *daemon_workers(const struct daemon *daemon);
/* Groups of users, as event.groups has them. */
struct groups *daemon_groups(const struct daemon *daemon);
const char *daemon_directory(const struct daemon *daemon);
const char *daemon_cluster_directory(const struct daemon *daemon);
/* "127.0.0.1:port" of the gRPC server; kept over restarts when the port is still free. */
const char *daemon_rpc_address(const struct daemon *daemon);
/*
 * The port to try first for HTTP: the setting daemon.http_port, else the one used last, else 0.
 * When it is in use (ERR_BUSY) and the setting is 0, listen on port 0.
 */
uint16_t daemon_http_port(const struct daemon *daemon);
void daemon_set_http_address(struct daemon *daemon, const char *address);
/*
 * Opens the daemon's HTTP server by that rule and tells its address. options->address is not looked
 * at; ret_address ("127.0.0.1:port", living as long as daemon) may be NULL. Fails as
 * http_server_open does.
 */
MUST_USE enum status daemon_listen_http(struct daemon *daemon,
                                        struct http_server_options *options,
                                        struct http_server **ret_server,
                                        const char **ret_address,
                                        struct error *reterr_error);
/* Answers GET /metrics and GET /healthz; for handlers of routes whose threads may wait. */
void daemon_serve_metrics(struct daemon *daemon, struct http_request *request);
void daemon_serve_health(struct daemon *daemon, struct http_request *request);
/*
 * A path for a unix socket in this daemon's folder, "<dir>/<name>.<purpose>.sock"; when that is
 * longer than the kernel allows, one in a folder of its own in /tmp. From arena.
 */
MUST_USE enum status daemon_socket_path(const struct daemon *daemon,
                                        const char *purpose,
                                        struct arena *arena,
                                        const char **ret_path,
                                        struct error *reterr_error);
void daemon_set_fd_socket(struct daemon *daemon, const char *path);
/* Random, made when the folder was first used; never 0. */
uint64_t daemon_node_id(const struct daemon *daemon);
/* 1 for the first start in this folder, one more with each start. */
uint64_t daemon_incarnation(const struct daemon *daemon);
/* The host's name as locality compares it, and "/rack0": settings daemon.host, daemon.rack. */
const char *daemon_host(const struct daemon *daemon);
const char *daemon_rack(const struct daemon *daemon);
/* The key that signs tokens and grants. */
const struct token_secret *daemon_secret(const struct daemon *daemon);
/*
 * A token for calls the daemon makes: of the user "millrace", signed anew well before the last one
 * ends, or what MILLRACE_TOKEN_FILE holds (a master's, which acts for its job's owner). Any thread.
 */
struct slice daemon_token(struct daemon *daemon, struct arena *arena);
/* The client for outgoing calls; see lib/net/rpc.h. */
struct rpc_client *daemon_rpc_client(const struct daemon *daemon);
/*
 * The gRPC address of role "namenode" or "rm": setting cluster.<role> when given, else the cluster
 * folder's. Asked anew each time, since a daemon may come back elsewhere.
 */
MUST_USE enum status daemon_find(struct daemon *daemon,
                                 const char *role,
                                 struct arena *arena,
                                 const char **ret_address,
                                 struct error *reterr_error);
/* Starts the launcher's reader; called in definition->start. See launcher_start. */
MUST_USE enum status daemon_start_launcher(struct daemon *daemon,
                                           const struct launcher_host *host,
                                           struct error *reterr_error);

#endif
