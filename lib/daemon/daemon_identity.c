/*
 * daemon_identity.c - who a daemon is: node id, incarnation, tokens, sockets, the others.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/daemon/daemon_private.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/thread.h"

enum {
    NODE_FILE_BYTES = 256,
    TOKEN_FILE_AGE_MS = 60 * 1000 /* a token file may be renewed by whoever wrote it */
};

/* Takes "key <decimal>\n" from the front of rest. */
static bool take_number(struct slice *rest, const char *key, uint64_t *ret_value)
{
    struct slice prefix = slice_from_string(key);
    if (!slice_has_prefix(*rest, prefix))
        return false;
    struct slice line = slice_sub(*rest, prefix.length, rest->length - prefix.length);
    size_t end = slice_find(line, '\n');
    if (end == line.length || !slice_parse_u64(slice_sub(line, 0, end), ret_value))
        return false;
    *rest = slice_sub(line, end + 1, line.length - end - 1);
    return true;
}

static enum status read_node_file(struct daemon *daemon,
                                  const char *path,
                                  struct error *reterr_error)
{
    struct buf content;
    buf_open(&content, NODE_FILE_BYTES);
    enum status status = file_read_whole(path, &content, reterr_error);
    struct slice rest = buf_slice(&content);
    if (status == OK &&
        (!take_number(&rest, "node_id ", &daemon->node_id) ||
         !take_number(&rest, "incarnation ", &daemon->incarnation) || daemon->node_id == 0))
        status = error_set(reterr_error, ERR_CORRUPT,
                           "%s does not hold a node id and an incarnation", path);
    buf_close(&content);
    if (status == ERR_NOT_FOUND) { /* the first start in this folder */
        daemon->node_id = host_random_u64();
        daemon->incarnation = 0;
        status = OK;
    }
    return status;
}

enum status daemon_identify(struct daemon *daemon, struct error *reterr_error)
{
    struct arena *arena = daemon->arena;
    daemon->last = (struct cluster_daemon){.rpc_address = "", .http_address = ""};
    if (daemon->definition->is_transient) {
        daemon->node_id = host_random_u64();
        daemon->incarnation = 1;
        return OK;
    }
    const char *path =
        (const char *)arena_format(arena, "%s/%s.node", daemon->directory, daemon->definition->name)
            .data;
    enum status status = read_node_file(daemon, path, reterr_error);
    if (status != OK)
        return status;
    daemon->incarnation++;
    struct slice content =
        arena_format(arena, "node_id %llu\nincarnation %llu\n", (unsigned long long)daemon->node_id,
                     (unsigned long long)daemon->incarnation);
    status = file_replace(path, content, FILE_PUBLIC, reterr_error);
    if (status != OK)
        return status;
    status = cluster_address_load(arena, daemon->directory, daemon->definition->name, &daemon->last,
                                  reterr_error);
    return status == ERR_NOT_FOUND ? OK : status;
}

/* A folder for sockets whose paths would be too long; others must not be able to put theirs there.
 */
static enum status make_socket_folder(const char *path, struct error *reterr_error)
{
    enum status status = directory_make(path, 0711, reterr_error);
    if (status != ERR_EXISTS)
        return status;
    struct file_info info;
    status = file_info_get(path, false, &info, reterr_error);
    if (status != OK)
        return status;
    if (!info.is_directory || info.uid != host_uid())
        return error_set(reterr_error, ERR_DENIED, "%s is not a directory of this user", path);
    return file_set_permission(path, 0711, reterr_error);
}

enum status daemon_socket_path(const struct daemon *daemon,
                               const char *purpose,
                               struct arena *arena,
                               const char **ret_path,
                               struct error *reterr_error)
{
    const char *name = daemon->definition->name;
    struct slice path = arena_format(arena, "%s/%s.%s.sock", daemon->directory, name, purpose);
    if (path.length > FD_PASS_PATH_BYTES) {
        const char *folder = (const char *)arena_format(arena, "/tmp/millrace-%u-%llx", host_uid(),
                                                        (unsigned long long)daemon->node_id)
                                 .data;
        enum status status = make_socket_folder(folder, reterr_error);
        if (status != OK)
            return status;
        path = arena_format(arena, "%s/%s.%s.sock", folder, name, purpose);
    }
    *ret_path = (const char *)path.data;
    return OK;
}

/* Signs or reads a fresh token into daemon->token; called with the mutex held. */
static void renew_token(struct daemon *daemon, int64_t now_wall_ms)
{
    struct error error = {.status = OK};
    const char *path = host_environment("MILLRACE_TOKEN_FILE");
    if (path != NULL && path[0] != '\0') {
        struct arena *arena = arena_open(0);
        struct cluster none = {.directory = daemon->cluster_directory};
        struct slice token = {.length = 0};
        if (cluster_token(&none, arena, &token, &error) == OK && token.length < TOKEN_BYTES) {
            memcpy(daemon->token, token.data, token.length);
            daemon->token[token.length] = '\0';
            daemon->token_renew_wall_ms = now_wall_ms + TOKEN_FILE_AGE_MS;
        } else { /* the old one is tried on; the called daemon tells when it is too old */
            log_event(daemon->log, LOG_LEVEL_WARN, "token_not_renewed",
                      log_text("reason", error.text));
        }
        arena_close(arena);
        return;
    }
    int64_t lifetime_ms = settings_ms(daemon->settings, "daemon.token_lifetime");
    char subject[128];
    (void)snprintf(subject, sizeof(subject), "daemon:%s", daemon->definition->name);
    /* Fails only for names too long, and this one is not. */
    CHECK(token_sign(&daemon->secret, subject, CLUSTER_AUDIENCE, now_wall_ms + lifetime_ms,
                     daemon->token, &error) == OK);
    daemon->token_renew_wall_ms = now_wall_ms + lifetime_ms / 2;
}

struct slice daemon_token(struct daemon *daemon, struct arena *arena)
{
    mutex_lock(daemon->token_mutex);
    int64_t now_wall_ms = clock_wall_ms();
    if (now_wall_ms >= daemon->token_renew_wall_ms)
        renew_token(daemon, now_wall_ms);
    struct slice token = arena_copy(arena, slice_from_string(daemon->token));
    mutex_unlock(daemon->token_mutex);
    return token;
}

enum status daemon_find(struct daemon *daemon,
                        const char *role,
                        struct arena *arena,
                        const char **ret_address,
                        struct error *reterr_error)
{
    bool is_namenode = strcmp(role, "namenode") == 0;
    CHECK(is_namenode || strcmp(role, "rm") == 0);
    const char *given =
        settings_string(daemon->settings, is_namenode ? "cluster.namenode" : "cluster.rm");
    if (given[0] != '\0') {
        *ret_address = given;
        return OK;
    }
    struct cluster cluster;
    enum status status =
        cluster_load_role(arena, daemon->cluster_directory, role, &cluster, reterr_error);
    return status == OK ? cluster_rpc_address(&cluster, role, ret_address, reterr_error) : status;
}
