/*
 * folders.c - paths, recovery, retention. Layout and promises: folders.h.
 */
#include "nodemgr/daemon/folders.h"

#include "lib/base/check.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

enum {
    FOLDER_PERMISSION = 0700,
    OWNER_BYTES_MAX = LIMIT_OWNER_BYTES
};

/* --- paths ------------------------------------------------------------------------------------ */
static const char *formatted(struct arena *arena,
                             const char *left,
                             const char *middle,
                             const char *right)
{
    return (const char *)arena_format(arena, "%s/%s/%s", left, middle, right).data;
}

const char *nodemgr_folders_app(const struct nodemgr_folders *folders,
                                struct arena *arena,
                                struct app_id app)
{
    return formatted(arena, folders->root, "apps", app_id_text(app).text);
}

const char *nodemgr_folders_output(const struct nodemgr_folders *folders,
                                   struct arena *arena,
                                   struct app_id app)
{
    return path_join(arena, nodemgr_folders_app(folders, arena, app), "output");
}

const char *nodemgr_folders_resources(const struct nodemgr_folders *folders,
                                      struct arena *arena,
                                      struct app_id app)
{
    return path_join(arena, nodemgr_folders_app(folders, arena, app), "resources");
}

const char *nodemgr_folders_work(const struct nodemgr_folders *folders,
                                 struct arena *arena,
                                 struct container_id container)
{
    return formatted(arena, nodemgr_folders_app(folders, arena, container.app), "containers",
                     container_id_text(container).text);
}

const char *nodemgr_folders_app_logs(const struct nodemgr_folders *folders,
                                     struct arena *arena,
                                     struct app_id app)
{
    return formatted(arena, folders->root, "logs", app_id_text(app).text);
}

const char *nodemgr_folders_logs(const struct nodemgr_folders *folders,
                                 struct arena *arena,
                                 struct container_id container)
{
    return path_join(arena, nodemgr_folders_app_logs(folders, arena, container.app),
                     container_id_text(container).text);
}

/* --- a container's and an application's ------------------------------------------------------- */
static enum status owner_read(const struct nodemgr_folders *folders,
                              struct app_id app,
                              struct buf *owner,
                              struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *path = path_join(arena, nodemgr_folders_app_logs(folders, arena, app), "owner");
    enum status status = file_read_whole(path, owner, reterr_error);
    arena_close(arena);
    return status;
}

enum status nodemgr_folders_owner(const struct nodemgr_folders *folders,
                                  struct arena *arena,
                                  struct app_id app,
                                  struct slice *ret_user,
                                  struct error *reterr_error)
{
    struct buf owner;
    buf_open(&owner, OWNER_BYTES_MAX);
    enum status status = owner_read(folders, app, &owner, reterr_error);
    if (status == OK)
        *ret_user = arena_copy(arena, buf_slice(&owner));
    else if (status == ERR_NOT_FOUND)
        status = error_set(reterr_error, ERR_NOT_FOUND,
                           "%s never had a container on this node, or its logs are gone",
                           app_id_text(app).text);
    buf_close(&owner);
    return status;
}

/* Makes path with content in one step, or ERR_EXISTS. temporary: a name of the caller's own. */
static enum status create_at_once(const char *path,
                                  const char *temporary,
                                  struct slice content,
                                  struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status =
        file_open(temporary, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, reterr_error);
    if (status != OK)
        return status;
    status = file_append(file, content, reterr_error);
    file_close(file);
    if (status == OK)
        status = file_link(temporary, path, reterr_error);
    status_ignore(file_remove(temporary, NULL)); /* the next claim would empty it */
    return status;
}

/* The first container of an application says whose it is; later ones must agree. */
static enum status owner_claim(const struct nodemgr_folders *folders,
                               struct container_id container,
                               struct slice user,
                               struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *logs = nodemgr_folders_app_logs(folders, arena, container.app);
    const char *path = path_join(arena, logs, "owner");
    const char *temporary = formatted(arena, logs, container_id_text(container).text, "owner.tmp");
    struct buf owner;
    buf_open(&owner, OWNER_BYTES_MAX);
    struct error error = {.status = OK};
    enum status status = owner_read(folders, container.app, &owner, &error);
    if (status == ERR_NOT_FOUND) {
        status = create_at_once(path, temporary, user, &error);
        if (status == OK || status == ERR_EXISTS)
            status = owner_read(folders, container.app, &owner, &error);
    }
    if (status != OK)
        status = error_set(reterr_error, status, "%s", error.text);
    if (status == OK && !slice_equal(buf_slice(&owner), user))
        status = error_set(reterr_error, ERR_DENIED, "%s belongs to %.*s",
                           app_id_text(container.app).text, SLICE_ARGS(buf_slice(&owner)));
    buf_close(&owner);
    arena_close(arena);
    return status;
}

enum status nodemgr_folders_prepare(const struct nodemgr_folders *folders,
                                    struct container_id container,
                                    struct slice user,
                                    struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *made[] = {
        nodemgr_folders_logs(folders, arena, container),
        nodemgr_folders_resources(folders, arena, container.app),
        nodemgr_folders_output(folders, arena, container.app),
        path_join(arena, nodemgr_folders_work(folders, arena, container), "tmp"),
    };
    enum status status = OK;
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]) && status == OK; i++)
        status = directory_make_all(made[i], FOLDER_PERMISSION, reterr_error);
    if (status == OK)
        status = owner_claim(folders, container, user, reterr_error);
    arena_close(arena);
    return status;
}

enum status nodemgr_folders_clean(const struct nodemgr_folders *folders,
                                  struct container_id container,
                                  struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    enum status status =
        directory_remove_tree(nodemgr_folders_work(folders, arena, container), reterr_error);
    arena_close(arena);
    return status;
}

enum status nodemgr_folders_forget(const struct nodemgr_folders *folders,
                                   struct app_id app,
                                   struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    enum status status =
        directory_remove_tree(nodemgr_folders_app(folders, arena, app), reterr_error);
    arena_close(arena);
    return status;
}

/* --- recovery and retention ------------------------------------------------------------------- */
/* The applications that have a folder in root/kind; other names are not ours and are left alone. */
static enum status list_apps(const struct nodemgr_folders *folders,
                             const char *kind,
                             struct arena *arena,
                             struct app_id **ret_apps,
                             size_t *ret_count,
                             struct error *reterr_error)
{
    const char *path = path_join(arena, folders->root, kind);
    struct slice *names = NULL;
    size_t names_count = 0;
    enum status status = directory_make_all(path, FOLDER_PERMISSION, reterr_error);
    if (status == OK)
        status = directory_list(path, arena, &names, &names_count, reterr_error);
    if (status != OK)
        return status;
    struct app_id *apps = ARENA_ARRAY(arena, struct app_id, names_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < names_count; i++)
        count += app_id_parse(names[i], &apps[count]);
    *ret_apps = apps;
    *ret_count = count;
    return OK;
}

enum status nodemgr_folders_recover(const struct nodemgr_folders *folders,
                                    struct arena *arena,
                                    struct app_id **ret_apps,
                                    size_t *ret_count,
                                    struct error *reterr_error)
{
    enum status status = list_apps(folders, "apps", arena, ret_apps, ret_count, reterr_error);
    for (size_t i = 0; status == OK && i < *ret_count; i++) {
        const char *app = nodemgr_folders_app(folders, arena, (*ret_apps)[i]);
        status = directory_remove_tree(path_join(arena, app, "containers"), reterr_error);
        if (status == OK)
            status = directory_remove_tree(path_join(arena, app, "resources"), reterr_error);
    }
    return status;
}

/* Newest first: ids grow with time. */
static void sort_newest_first(struct app_id *apps, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct app_id app = apps[i];
        size_t place = i;
        for (; place > 0 && app_id_compare(apps[place - 1], app) < 0; place--)
            apps[place] = apps[place - 1];
        apps[place] = app;
    }
}

static bool is_older(const char *path, int64_t oldest_wall_ms)
{
    struct file_info info;
    return file_info_get(path, false, &info, NULL) == OK && info.modified_ms < oldest_wall_ms;
}

enum status nodemgr_folders_trim_logs(const struct nodemgr_folders *folders,
                                      size_t apps_max,
                                      int64_t oldest_wall_ms,
                                      struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct app_id *apps = NULL;
    size_t count = 0;
    size_t kept = 0;
    enum status status = list_apps(folders, "logs", arena, &apps, &count, reterr_error);
    if (status == OK)
        sort_newest_first(apps, count);
    for (size_t i = 0; status == OK && i < count; i++) {
        struct file_info info;
        if (file_info_get(nodemgr_folders_app(folders, arena, apps[i]), false, &info, NULL) == OK)
            continue; /* still there */
        const char *logs = nodemgr_folders_app_logs(folders, arena, apps[i]);
        if (kept < apps_max && !is_older(logs, oldest_wall_ms))
            kept++;
        else
            status = directory_remove_tree(logs, reterr_error);
    }
    arena_close(arena);
    return status;
}

struct slice nodemgr_folders_stderr_tail(const struct nodemgr_folders *folders,
                                         struct arena *arena,
                                         struct container_id container,
                                         size_t bytes_max)
{
    struct slice tail = slice_make(NULL, 0);
    struct file *file = NULL;
    uint64_t length = 0;
    const char *path = path_join(arena, nodemgr_folders_logs(folders, arena, container), "stderr");
    /* What cannot be read is shown as nothing: the exit itself is told in any case. */
    if (file_open(path, FILE_MODE_READ, 0, &file, NULL) != OK)
        return tail;
    if (file_length(file, &length, NULL) == OK) {
        uint64_t from = length > bytes_max ? length - bytes_max : 0;
        uint8_t *bytes = arena_new(arena, bytes_max);
        size_t got = 0;
        if (file_read_at(file, from, bytes, bytes_max, &got, NULL) == OK)
            tail = slice_make(bytes, got);
        size_t line = slice_find(tail, '\n') + 1;
        if (from > 0 && line < tail.length)
            tail = slice_sub(tail, line, tail.length - line);
    }
    file_close(file);
    return tail;
}
