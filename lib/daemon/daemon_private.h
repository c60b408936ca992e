/*
 * daemon_private.h - private to lib/daemon: the parts of a running daemon.
 */
#ifndef MILLRACE_LIB_DAEMON_DAEMON_PRIVATE_H
#define MILLRACE_LIB_DAEMON_DAEMON_PRIVATE_H

#include "lib/base/arena.h"
#include "lib/daemon/cluster.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/log.h"
#include "lib/net/token.h"

struct caller;
struct file_lock;
struct groups;
struct http_server;
struct metrics_calls;
struct mutex;
struct serve;
struct signal_watcher;

struct daemon {
    const struct daemon_definition *definition;
    struct arena *arena; /* strings that live as long as the daemon */
    struct settings *settings;
    const char *directory;
    const char *cluster_directory;
    struct file_lock *lock;
    struct log *log;
    struct launcher *launcher;
    uint64_t node_id;
    uint64_t incarnation;
    const char *host;
    struct token_secret secret;
    struct cluster_daemon last; /* what the .addr file said before this start */
    struct cluster_daemon addresses;
    bool is_net_open;
    struct rpc_client *client;
    struct caller *caller;
    struct workers *workers;
    struct groups *groups;
    struct metrics_calls *calls;
    struct http_server *http; /* the definition's, while it serves; for its own pages only */
    int64_t started_wall_ms;
    struct shell *shell;
    struct serve *serve;
    struct credential_server *credentials;
    struct signal_watcher *signals;
    void *state;
    bool has_state;

    struct mutex *token_mutex; /* guards the next two */
    char token[TOKEN_BYTES];
    int64_t token_renew_wall_ms;
};

/* What the command line asks for beside running. */
enum daemon_request {
    DAEMON_RUN,
    DAEMON_PRINT_SETTINGS,
    DAEMON_PRINT_SETTINGS_JSON
};

/* Options, file and environment into daemon->settings and the two folders. */
MUST_USE enum status daemon_configure(struct daemon *daemon,
                                      int argc,
                                      char **argv,
                                      enum daemon_request *ret_request,
                                      struct error *reterr_error);
/* Reads or makes <name>.node: node id and incarnation; and the last addresses. */
MUST_USE enum status daemon_identify(struct daemon *daemon, struct error *reterr_error);

#endif
