/*
 * cluster_folder.c - makes, locks and removes the folder of a cluster.
 */
#include "cli/cluster_folder.h"

#include "lib/daemon/cluster.h"
#include "lib/net/token.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

enum {
    FOLDER_PERMISSION = 0700, /* docs/cluster.md says how to let others in */
    DAEMON_PERMISSION = 0755,
    SETTINGS_BYTES_MAX = 1 << 20
};

static const char lock_name[] = "millrace.lock";

bool cluster_folder_is_made(const char *directory, struct arena *arena)
{
    struct file_info info;
    return file_info_get(path_join(arena, directory, "cluster.json"), true, &info, NULL) == OK;
}

bool cluster_folder_is_ours(const char *directory, struct arena *arena)
{
    struct file_info info;
    return cluster_folder_is_made(directory, arena) ||
           file_info_get(path_join(arena, directory, lock_name), true, &info, NULL) == OK;
}

enum status cluster_folder_prepare(const char *directory,
                                   struct arena *arena,
                                   struct error *reterr_error)
{
    struct file_info info;
    enum status status = file_info_get(directory, true, &info, NULL);
    if (status == ERR_NOT_FOUND)
        return directory_make_all(directory, FOLDER_PERMISSION, reterr_error);
    status = file_info_get(directory, true, &info, reterr_error);
    if (status != OK)
        return status;
    if (!info.is_directory)
        return error_set(reterr_error, ERR_NOT_DIRECTORY, "%s is not a directory", directory);
    if (info.uid != host_uid())
        return error_set(reterr_error, ERR_DENIED,
                         "%s belongs to %s: only its owner can start a cluster in it", directory,
                         host_user_name(arena, info.uid));
    if (cluster_folder_is_ours(directory, arena))
        return OK;
    struct slice *names = NULL;
    size_t count = 0;
    status = directory_list(directory, arena, &names, &count, reterr_error);
    if (status == OK && count > 0)
        return error_set(reterr_error, ERR_NOT_EMPTY,
                         "%s is not empty and holds no cluster: choose another folder", directory);
    return status;
}

enum status cluster_folder_lock(const char *directory,
                                struct arena *arena,
                                struct file_lock **ret_lock,
                                struct error *reterr_error)
{
    enum status status =
        file_lock_open(path_join(arena, directory, lock_name), ret_lock, reterr_error);
    if (status == ERR_BUSY)
        return error_set(reterr_error, ERR_BUSY,
                         "another millrace is just starting or stopping the cluster in %s",
                         directory);
    return status;
}

static const char *settings_path(const char *directory, struct arena *arena)
{
    return path_join(arena, directory, "millrace.conf");
}

enum status cluster_folder_read_settings(const char *directory,
                                         struct arena *arena,
                                         struct buf *ret_text,
                                         struct error *reterr_error)
{
    struct error error = {OK, ""};
    struct buf content;
    buf_open(&content, SETTINGS_BYTES_MAX);
    enum status status = file_read_whole(settings_path(directory, arena), &content, &error);
    if (status == OK)
        status = buf_append_slice(ret_text, buf_slice(&content));
    else if (status == ERR_NOT_FOUND)
        status = OK;
    buf_close(&content);
    return status == OK ? OK : error_set(reterr_error, status, "%s", error.text);
}

enum status cluster_folder_write_settings(const char *directory,
                                          struct arena *arena,
                                          struct slice text,
                                          struct error *reterr_error)
{
    return file_replace(settings_path(directory, arena), text, FILE_PUBLIC, reterr_error);
}

enum status cluster_folder_make(const char *directory,
                                const struct cluster_plan *plan,
                                struct arena *arena,
                                struct error *reterr_error)
{
    struct token_secret secret;
    enum status status =
        token_secret_load_or_create(cluster_secret_path(arena, directory), &secret, reterr_error);
    if (status != OK)
        return status;
    token_secret_close(&secret);
    struct cluster_daemon *daemons = ARENA_ARRAY(arena, struct cluster_daemon, plan->count);
    for (size_t i = 0; i < plan->count && status == OK; i++) {
        const char *name = plan->daemons[i].name;
        daemons[i] = (struct cluster_daemon){
            .name = name,
            .role = plan->daemons[i].role,
            .directory = name, /* relative, so that the folder can be moved */
        };
        status =
            directory_make_all(path_join(arena, directory, name), DAEMON_PERMISSION, reterr_error);
    }
    if (status != OK)
        return status;
    const struct cluster cluster = {
        .directory = directory,
        .daemons = daemons,
        .daemon_count = plan->count,
    };
    return cluster_save(&cluster, reterr_error);
}

static enum status remove_file(const char *path, struct error *reterr_error)
{
    struct error error = {OK, ""};
    enum status status = file_remove(path, &error);
    if (status == OK || status == ERR_NOT_FOUND)
        return OK;
    return error_set(reterr_error, status, "%s", error.text);
}

enum status cluster_folder_unmake(const char *directory,
                                  struct arena *arena,
                                  struct error *reterr_error)
{
    enum status status = remove_file(path_join(arena, directory, "cluster.json"), reterr_error);
    return status == OK ? remove_file(settings_path(directory, arena), reterr_error) : status;
}

/* A socket whose path would be too long in the daemon's folder is in one of its own, in /tmp. */
static enum status remove_socket_folder(const char *socket,
                                        struct arena *arena,
                                        struct error *reterr_error)
{
    struct slice path = slice_from_string(socket);
    if (!slice_has_prefix(path, slice_from_string("/tmp/millrace-")))
        return OK;
    return directory_remove_tree(path_parent(arena, socket), reterr_error);
}

enum status cluster_folder_remove(const char *directory,
                                  struct arena *arena,
                                  struct error *reterr_error)
{
    if (!cluster_folder_is_ours(directory, arena))
        return error_set(reterr_error, ERR_INVALID, "%s holds no cluster: nothing is removed",
                         directory);
    struct cluster cluster = {.daemon_count = 0};
    enum status status = OK;
    if (cluster_folder_is_made(directory, arena))
        status = cluster_load(arena, directory, &cluster, reterr_error);
    for (size_t i = 0; i < cluster.daemon_count && status == OK; i++) {
        const struct cluster_daemon *daemon = &cluster.daemons[i];
        struct cluster_daemon last; /* the addresses file stays when the daemon ends */
        if (daemon->directory[0] == '\0' ||
            cluster_address_load(arena, daemon->directory, daemon->role, &last, NULL) != OK)
            continue;
        status = remove_socket_folder(last.credential_socket, arena, reterr_error);
        if (status == OK)
            status = remove_socket_folder(last.fd_socket, arena, reterr_error);
    }
    return status == OK ? directory_remove_tree(directory, reterr_error) : status;
}
