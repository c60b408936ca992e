/*
 * cluster.h - how programs find the daemons of a cluster and prove who they are.
 *
 * A cluster is a folder: what the command line or the setting cluster.dir says, else MILLRACE_DIR,
 * else $HOME/.millrace/cluster.
 * It holds cluster.json (docs/formats/cluster.md), which names each daemon and either its folder,
 * whose <role>.addr file has the addresses in use now, or, for daemons on other hosts, the
 * addresses themselves; and "secret", the key that signs tokens (0600).
 */
#ifndef MILLRACE_LIB_DAEMON_CLUSTER_H
#define MILLRACE_LIB_DAEMON_CLUSTER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* One daemon as its .addr file tells. Strings are never NULL; "" when there is none. */
struct cluster_daemon {
    const char *name; /* "namenode", "rm", "datanode-1": the entry's name in cluster.json */
    const char *role; /* "namenode", "datanode", "rm", "nodemgr" */
    const char *directory;
    const char *rpc_address;
    const char *http_address;
    const char *credential_socket; /* unix socket that issues tokens */
    const char *fd_socket;         /* unix socket that hands out descriptors */
    int64_t pid;                   /* 0: not known to run */
};

struct cluster {
    const char *directory;
    const struct cluster_daemon *daemons;
    size_t daemon_count;
};

/* The cluster's folder by the rule above, absolute; chosen: from the command line, or NULL or "".
 */
const char *cluster_directory(struct arena *arena, const char *chosen);
/*
 * Reads cluster.json and the .addr files. ERR_UNAVAILABLE with a sentence that names the way out
 * ("no cluster in /home/a/.millrace/cluster: start one with `millrace up`") when there is none. A
 * daemon that does not run now has empty addresses.
 */
MUST_USE enum status cluster_load(struct arena *arena,
                                  const char *directory,
                                  struct cluster *ret_cluster,
                                  struct error *reterr_error);
/* The same with daemons of this role alone: it looks at no other's files. */
MUST_USE enum status cluster_load_role(struct arena *arena,
                                       const char *directory,
                                       const char *role,
                                       struct cluster *ret_cluster,
                                       struct error *reterr_error);
/* Writes cluster.json atomically. Of each daemon: name, role, directory; addresses if directory is
 * "". */
MUST_USE enum status cluster_save(const struct cluster *cluster, struct error *reterr_error);
/* The first daemon of this role, or NULL. */
const struct cluster_daemon *cluster_find(const struct cluster *cluster, const char *role);
/* Its gRPC address; ERR_UNAVAILABLE with a sentence when there is no such daemon or it is down. */
MUST_USE enum status cluster_rpc_address(const struct cluster *cluster,
                                         const char *role,
                                         const char **ret_address,
                                         struct error *reterr_error);
/*
 * Gets a token for the calling process's user from the first daemon of the cluster that answers on
 * its credential socket. MILLRACE_TOKEN_FILE, when set, names a file with a token instead.
 */
MUST_USE enum status cluster_token(const struct cluster *cluster,
                                   struct arena *arena,
                                   struct slice *ret_token,
                                   struct error *reterr_error);
/* Where the key that signs tokens is: <directory>/secret. See lib/net/token.h. */
const char *cluster_secret_path(struct arena *arena, const char *directory);

/* Writes <directory>/<role>.addr. */
MUST_USE enum status cluster_address_save(const char *directory,
                                          const struct cluster_daemon *daemon,
                                          struct error *reterr_error);
/*
 * Reads <directory>/<role>.addr. ERR_NOT_FOUND when the daemon never served there. It may have
 * ended since: cluster_load looks whether it still holds its lock.
 */
MUST_USE enum status cluster_address_load(struct arena *arena,
                                          const char *directory,
                                          const char *role,
                                          struct cluster_daemon *ret_daemon,
                                          struct error *reterr_error);

/* What all tokens of a cluster are for (their audience). */
#define CLUSTER_AUDIENCE "millrace"

#endif
