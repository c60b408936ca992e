/*
 * rm_daemon.h - the resource manager's shell: what its files share.
 *
 * Threads: the core thread steps the machine and signs its grants (grants.c); the HTTP server has a
 * thread for each connection, which asks the machine by way of the shell (pages.c). No lock is our
 * own.
 */
#ifndef MILLRACE_RM_DAEMON_RM_DAEMON_H
#define MILLRACE_RM_DAEMON_RM_DAEMON_H

#include "lib/daemon/daemon.h"
#include "lib/net/token.h"
#include "rm/core/rm.h"

struct buf;
struct http_server;

/* What the shell steps: the machine, and what signs for it. */
struct rm_signing {
    struct rm *rm;
    struct token_secret secret;
};

struct rm_daemon {
    struct daemon *daemon;
    struct http_server *http;
    const struct token_secret *secret; /* the daemon's */
    uint64_t started_wall_ms;
};

/* What rm/daemon/main.c and "millrace" run. */
extern const struct daemon_definition rm_daemon_definition;

/*
 * grants.c: puts a signed token into each grant of each answer among actions; the machine leaves
 * them empty because secrets are no business of a machine.
 */
void rm_grants_sign(struct actions *actions, const struct token_secret *secret, int64_t wall_ms);

/* pages.c */
MUST_USE enum status rm_pages_open(struct rm_daemon *self, struct error *reterr_error);
/* See struct daemon_definition. */
void rm_pages_metrics(void *state, struct metrics_page *page);

/* render.c: YARN's JSON (docs/protocols/rm-http.md). All fail as buf_append does. */
MUST_USE enum status rm_render_app(const struct rm_app_report *report, struct buf *page);
MUST_USE enum status rm_render_apps(const struct rm_list_apps_response *apps, struct buf *page);
MUST_USE enum status rm_render_nodes(const struct rm_list_nodes_response *nodes, struct buf *page);
MUST_USE enum status rm_render_metrics(const struct rm_list_apps_response *apps,
                                       const struct rm_list_nodes_response *nodes,
                                       struct buf *page);
/* The same numbers as Prometheus reads them. */
void rm_render_prometheus(const struct rm_list_apps_response *apps,
                          const struct rm_list_nodes_response *nodes,
                          struct metrics_page *page);
MUST_USE enum status rm_render_info(const struct rm_list_nodes_response *nodes,
                                    uint64_t started_wall_ms,
                                    struct buf *page);

/* rm_daemon.c: where the queues' file is; lives as long as arena or the settings. */
const char *rm_queues_path(const struct rm_daemon *self, struct arena *arena);

#endif
