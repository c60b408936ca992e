/*
 * cluster.c - reads and writes cluster.json and the .addr files.
 */
#include "lib/daemon/cluster.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/net/token.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

enum {
    FORMAT = 1,
    FILE_BYTES_MAX = 1 << 20,
    DAEMONS_MAX = 16384,
    TOKEN_TIMEOUT_MS = 5000
};

const char *cluster_directory(struct arena *arena, const char *chosen)
{
    const char *given = chosen;
    if (given == NULL || given[0] == '\0')
        given = host_environment("MILLRACE_DIR");
    if (given == NULL || given[0] == '\0')
        return path_join(arena, host_home(arena), ".millrace/cluster");
    const char *absolute = NULL;
    if (path_absolute(arena, given, &absolute, NULL) != OK)
        return path_join(arena, "", given); /* the working directory is gone: opening will tell */
    return absolute;
}

const char *cluster_secret_path(struct arena *arena, const char *directory)
{
    return path_join(arena, directory, "secret");
}

/* --- JSON ------------------------------------------------------------------------------------ */

/* The string under key, from arena; "" when there is none. */
static const char *take_string(struct arena *arena, const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return (const char *)arena_copy(arena, slice_from_string(value != NULL ? value : "")).data;
}

/* Reads a JSON object of our format; *ret_object is for json_decref. */
static enum status load_object(const char *path, json_t **ret_object, struct error *reterr_error)
{
    struct buf content;
    buf_open(&content, FILE_BYTES_MAX);
    enum status status = file_read_whole(path, &content, reterr_error);
    if (status != OK) {
        buf_close(&content);
        return status;
    }
    json_error_t reason;
    json_t *object =
        json_loadb((const char *)content.data, content.length, JSON_REJECT_DUPLICATES, &reason);
    buf_close(&content);
    if (object == NULL)
        return error_set(reterr_error, ERR_CORRUPT, "%s:%d: %s", path, reason.line, reason.text);
    if (json_integer_value(json_object_get(object, "format")) != FORMAT) {
        json_decref(object);
        return error_set(reterr_error, ERR_UNSUPPORTED, "%s is not of format %d", path,
                         (int)FORMAT);
    }
    *ret_object = object;
    return OK;
}

/* Takes object. */
static enum status save_object(const char *path, json_t *object, struct error *reterr_error)
{
    CHECK(object != NULL);
    char *text = json_dumps(object, JSON_INDENT(2));
    json_decref(object);
    if (text == NULL)
        return error_set(reterr_error, ERR_INVALID, "write %s: a name is not UTF-8", path);
    enum status status = file_replace(path, slice_from_string(text), FILE_PUBLIC, reterr_error);
    free(text); /* from jansson, hence not mem_free */
    return status;
}

/* --- one daemon's address -------------------------------------------------------------------- */

static const char *address_path(struct arena *arena, const char *directory, const char *role)
{
    return (const char *)arena_format(arena, "%s/%s.addr", directory, role).data;
}

static json_t *addresses_to_json(const struct cluster_daemon *daemon)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "format", (int)FORMAT, "name",
                     daemon->name, "role", daemon->role, "rpc_address", daemon->rpc_address,
                     "http_address", daemon->http_address, "credential_socket",
                     daemon->credential_socket, "fd_socket", daemon->fd_socket, "pid",
                     (json_int_t)daemon->pid);
}

static void addresses_from_json(struct arena *arena,
                                const json_t *object,
                                struct cluster_daemon *daemon)
{
    daemon->rpc_address = take_string(arena, object, "rpc_address");
    daemon->http_address = take_string(arena, object, "http_address");
    daemon->credential_socket = take_string(arena, object, "credential_socket");
    daemon->fd_socket = take_string(arena, object, "fd_socket");
    daemon->pid = (int64_t)json_integer_value(json_object_get(object, "pid"));
}

enum status cluster_address_save(const char *directory,
                                 const struct cluster_daemon *daemon,
                                 struct error *reterr_error)
{
    json_t *object = addresses_to_json(daemon);
    if (object == NULL)
        return error_set(reterr_error, ERR_INVALID, "the addresses of %s are not UTF-8",
                         daemon->name);
    struct arena *arena = arena_open(0);
    enum status status =
        save_object(address_path(arena, directory, daemon->role), object, reterr_error);
    arena_close(arena);
    return status;
}

enum status cluster_address_load(struct arena *arena,
                                 const char *directory,
                                 const char *role,
                                 struct cluster_daemon *ret_daemon,
                                 struct error *reterr_error)
{
    json_t *object = NULL;
    enum status status = load_object(address_path(arena, directory, role), &object, reterr_error);
    if (status != OK)
        return status;
    *ret_daemon = (struct cluster_daemon){
        .name = take_string(arena, object, "name"),
        .role = take_string(arena, object, "role"),
        .directory = path_join(arena, "", directory),
    };
    addresses_from_json(arena, object, ret_daemon);
    json_decref(object);
    return OK;
}

/* --- cluster.json ---------------------------------------------------------------------------- */

static const struct cluster_daemon empty_addresses = {
    .rpc_address = "", .http_address = "", .credential_socket = "", .fd_socket = ""};

/* Fills in where the daemon is now; stays empty when it does not run. */
static enum status find_addresses(struct arena *arena,
                                  struct cluster_daemon *daemon,
                                  struct error *reterr_error)
{
    struct cluster_daemon found;
    enum status status =
        cluster_address_load(arena, daemon->directory, daemon->role, &found, reterr_error);
    if (status == ERR_NOT_FOUND)
        return OK;
    if (status != OK)
        return status;
    /* The file outlives the daemon, its lock does not; and a lock of another pid is a new start. */
    const char *lock =
        (const char *)arena_format(arena, "%s/%s.lock", daemon->directory, daemon->role).data;
    int64_t pid = 0;
    status = file_lock_holder(lock, &pid, reterr_error);
    if (status != OK || pid == 0 || pid != found.pid)
        return status;
    daemon->rpc_address = found.rpc_address;
    daemon->http_address = found.http_address;
    daemon->credential_socket = found.credential_socket;
    daemon->fd_socket = found.fd_socket;
    daemon->pid = pid;
    return OK;
}

static enum status take_daemon(struct arena *arena,
                               const char *directory,
                               const json_t *object,
                               struct cluster_daemon *daemon,
                               struct error *reterr_error)
{
    *daemon = empty_addresses;
    daemon->name = take_string(arena, object, "name");
    daemon->role = take_string(arena, object, "role");
    const char *relative = take_string(arena, object, "directory");
    if (daemon->name[0] == '\0' || !path_is_plain_name(slice_from_string(daemon->role)))
        return error_set(reterr_error, ERR_CORRUPT,
                         "%s/cluster.json: a daemon without name or role", directory);
    if (relative[0] == '\0') { /* elsewhere: its addresses stand here */
        daemon->directory = "";
        addresses_from_json(arena, object, daemon);
        return OK;
    }
    daemon->directory = path_join(arena, directory, relative);
    return find_addresses(arena, daemon, reterr_error);
}

static bool has_role(const json_t *row, const char *role)
{
    const char *text = json_string_value(json_object_get(row, "role"));
    return role == NULL || (text != NULL && strcmp(text, role) == 0);
}

/* role NULL: all. */
static enum status load_daemons(struct arena *arena,
                                const char *directory,
                                const char *role,
                                struct cluster *ret_cluster,
                                struct error *reterr_error)
{
    json_t *object = NULL;
    enum status status =
        load_object(path_join(arena, directory, "cluster.json"), &object, reterr_error);
    if (status == ERR_NOT_FOUND)
        return error_set(reterr_error, ERR_UNAVAILABLE,
                         "no cluster in %s: start one with `millrace up`, or set MILLRACE_DIR to "
                         "the folder of one that runs",
                         directory);
    if (status != OK)
        return status;
    const json_t *rows = json_object_get(object, "daemons");
    size_t count = json_array_size(rows);
    if (count > DAEMONS_MAX)
        status =
            error_set(reterr_error, ERR_LIMIT, "%s/cluster.json: %zu daemons", directory, count);
    struct cluster_daemon *daemons =
        ARENA_ARRAY(arena, struct cluster_daemon, status == OK && count > 0 ? count : 1);
    size_t taken = 0;
    for (size_t i = 0; i < count && status == OK; i++) {
        const json_t *row = json_array_get(rows, i);
        if (has_role(row, role))
            status = take_daemon(arena, directory, row, &daemons[taken++], reterr_error);
    }
    json_decref(object);
    if (status != OK)
        return status;
    *ret_cluster = (struct cluster){
        .directory = path_join(arena, "", directory), .daemons = daemons, .daemon_count = taken};
    return OK;
}

enum status cluster_load(struct arena *arena,
                         const char *directory,
                         struct cluster *ret_cluster,
                         struct error *reterr_error)
{
    return load_daemons(arena, directory, NULL, ret_cluster, reterr_error);
}

enum status cluster_load_role(struct arena *arena,
                              const char *directory,
                              const char *role,
                              struct cluster *ret_cluster,
                              struct error *reterr_error)
{
    return load_daemons(arena, directory, role, ret_cluster, reterr_error);
}

enum status cluster_save(const struct cluster *cluster, struct error *reterr_error)
{
    json_t *rows = json_array();
    enum status status = OK;
    for (size_t i = 0; i < cluster->daemon_count && status == OK; i++) {
        const struct cluster_daemon *daemon = &cluster->daemons[i];
        json_t *row = daemon->directory[0] == '\0'
                          ? addresses_to_json(daemon)
                          : json_pack("{s:s, s:s, s:s}", "name", daemon->name, "role", daemon->role,
                                      "directory", daemon->directory);
        if (row == NULL || json_array_append_new(rows, row) != 0)
            status = error_set(reterr_error, ERR_INVALID, "the names of daemon %zu are not UTF-8",
                               i + 1);
    }
    if (status != OK) {
        json_decref(rows);
        return status;
    }
    json_t *object = json_pack("{s:i, s:o}", "format", (int)FORMAT, "daemons", rows);
    struct arena *arena = arena_open(0);
    status =
        save_object(path_join(arena, cluster->directory, "cluster.json"), object, reterr_error);
    arena_close(arena);
    return status;
}

const struct cluster_daemon *cluster_find(const struct cluster *cluster, const char *role)
{
    for (size_t i = 0; i < cluster->daemon_count; i++) {
        if (strcmp(cluster->daemons[i].role, role) == 0)
            return &cluster->daemons[i];
    }
    return NULL;
}

enum status cluster_rpc_address(const struct cluster *cluster,
                                const char *role,
                                const char **ret_address,
                                struct error *reterr_error)
{
    const struct cluster_daemon *daemon = cluster_find(cluster, role);
    if (daemon == NULL)
        return error_set(reterr_error, ERR_UNAVAILABLE, "the cluster in %s has no %s",
                         cluster->directory, role);
    if (daemon->rpc_address[0] == '\0')
        return error_set(reterr_error, ERR_UNAVAILABLE,
                         "the %s of the cluster in %s does not run: start it with `millrace up`",
                         role, cluster->directory);
    *ret_address = daemon->rpc_address;
    return OK;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static enum status read_token_file(const char *path,
                                   struct arena *arena,
                                   struct slice *ret_token,
                                   struct error *reterr_error)
{
    struct buf content;
    buf_open(&content, TOKEN_BYTES);
    enum status status = file_read_whole(path, &content, reterr_error);
    if (status == OK) {
        struct slice whole = buf_slice(&content);
        *ret_token = arena_copy(arena, slice_sub(whole, 0, slice_find(whole, '\n')));
    } else {
        status = error_prefix(reterr_error, status, "MILLRACE_TOKEN_FILE");
    }
    buf_close(&content);
    return status;
}

enum status cluster_token(const struct cluster *cluster,
                          struct arena *arena,
                          struct slice *ret_token,
                          struct error *reterr_error)
{
    const char *path = host_environment("MILLRACE_TOKEN_FILE");
    if (path != NULL && path[0] != '\0')
        return read_token_file(path, arena, ret_token, reterr_error);
    struct error last = {.status = OK, .text = "no daemon of it runs"};
    for (size_t i = 0; i < cluster->daemon_count; i++) {
        const char *socket = cluster->daemons[i].credential_socket;
        char token[TOKEN_BYTES];
        int64_t expires_wall_ms = 0;
        if (socket[0] == '\0')
            continue;
        if (credential_fetch(socket, TOKEN_TIMEOUT_MS, token, &expires_wall_ms, &last) == OK) {
            *ret_token = arena_copy(arena, slice_from_string(token));
            return OK;
        }
    }
    return error_set(reterr_error, ERR_UNAVAILABLE,
                     "no token from the cluster in %s (%s): start it with `millrace up`",
                     cluster->directory, last.text);
}
