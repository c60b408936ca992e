/*
 * webhdfs_read.c - WebHDFS's operations that change nothing.
 */
#include "dfs/namenode/daemon/visit.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/http_caller.h"
#include "lib/model/path.h"
#include "lib/os/clock.h"

static enum status get_status(struct visit *visit, const struct dfs_file_status **ret_file)
{
    struct dfs_get_status_request ask = {.path = visit->path};
    const void *answer = NULL;
    enum status status = namenode_visit_ask(visit, METHOD_NAMENODE_GET_STATUS, &ask, &answer);
    if (status == OK)
        *ret_file = &((const struct dfs_get_status_response *)answer)->status;
    return status;
}

enum status namenode_webhdfs_file_status(struct visit *visit)
{
    const struct dfs_file_status *file = NULL;
    enum status status = get_status(visit, &file);
    return status == OK ? webhdfs_write_file_status(file, &visit->page) : status;
}

enum status namenode_webhdfs_acl(struct visit *visit)
{
    const struct dfs_file_status *file = NULL;
    enum status status = get_status(visit, &file);
    return status == OK ? webhdfs_write_acl(file, &visit->page) : status;
}

/* --- listings -------------------------------------------------------------------------------- */

static enum status list_page(struct visit *visit,
                             struct slice start_after,
                             const struct dfs_list_status_response **ret_page)
{
    struct dfs_list_status_request ask = {.path = visit->path, .start_after = start_after};
    const void *answer = NULL;
    enum status status = namenode_visit_ask(visit, METHOD_NAMENODE_LIST_STATUS, &ask, &answer);
    if (status == OK)
        *ret_page = answer;
    return status;
}

/*
 * The machine lists a file under its own name, HDFS under none. The one entry of a directory may
 * have that name, too, so the file itself is looked at.
 */
static enum status strip_itself(struct visit *visit, struct dfs_file_status *files, size_t count)
{
    const struct dfs_file_status *self = NULL;
    if (count != 1 || files[0].kind != FILE_REGULAR ||
        !slice_equal(files[0].path, path_last_name(visit->path)))
        return OK;
    enum status status = get_status(visit, &self);
    if (status == OK && self->file_id == files[0].file_id)
        files[0].path = slice_make(NULL, 0);
    return status;
}

/* All pages, put together in the arena. */
enum status namenode_webhdfs_list(struct visit *visit)
{
    struct dfs_file_status *files = NULL;
    size_t count = 0;
    size_t room = 0;
    struct slice last = {.length = 0};
    bool has_more = true;
    enum status status = OK;
    while (has_more && status == OK) {
        const struct dfs_list_status_response *page = NULL;
        status = list_page(visit, last, &page);
        if (status != OK)
            break;
        if (count + page->entries_count > room) {
            struct dfs_file_status *old = files;
            room = 2 * (count + page->entries_count);
            files = ARENA_ARRAY(visit->arena, struct dfs_file_status, room);
            for (size_t i = 0; i < count; i++)
                files[i] = old[i];
        }
        for (size_t i = 0; i < page->entries_count; i++)
            files[count++] = page->entries[i];
        has_more = page->has_more && page->entries_count > 0;
        if (has_more)
            last = files[count - 1].path;
    }
    if (status == OK)
        status = strip_itself(visit, files, count);
    return status == OK ? webhdfs_write_list(files, count, &visit->page) : status;
}

enum status namenode_webhdfs_batch(struct visit *visit)
{
    struct slice start_after;
    const struct dfs_list_status_response *page = NULL;
    const struct dfs_file_status *directory = NULL;
    enum status status =
        webhdfs_text(&visit->parameters, "startAfter", &start_after, &visit->error);
    if (status == OK)
        status = list_page(visit, start_after, &page);
    if (status != OK)
        return status;
    uint64_t remaining = page->has_more;
    /* From the first page on the number is known; later only that there is something. */
    bool is_first = start_after.length == 0;
    if (page->has_more && is_first && get_status(visit, &directory) == OK &&
        directory->child_count > page->entries_count)
        remaining = directory->child_count - page->entries_count;
    struct dfs_file_status *files =
        ARENA_ARRAY(visit->arena, struct dfs_file_status, page->entries_count);
    for (size_t i = 0; i < page->entries_count; i++)
        files[i] = page->entries[i];
    status = strip_itself(visit, files, page->entries_count);
    return status == OK ? webhdfs_write_batch(files, page->entries_count, remaining, &visit->page)
                        : status;
}

/* --- sums ------------------------------------------------------------------------------------ */

static enum status get_summary(struct visit *visit,
                               const struct dfs_content_summary_response **ret_summary)
{
    struct dfs_content_summary_request ask = {.path = visit->path};
    const void *answer = NULL;
    enum status status = namenode_visit_ask(visit, METHOD_NAMENODE_CONTENT_SUMMARY, &ask, &answer);
    if (status == OK)
        *ret_summary = answer;
    return status;
}

enum status namenode_webhdfs_summary(struct visit *visit)
{
    const struct dfs_content_summary_response *summary = NULL;
    enum status status = get_summary(visit, &summary);
    return status == OK ? webhdfs_write_summary(summary, &visit->page) : status;
}

enum status namenode_webhdfs_quota(struct visit *visit)
{
    const struct dfs_content_summary_response *summary = NULL;
    enum status status = get_summary(visit, &summary);
    return status == OK ? webhdfs_write_quota(summary, &visit->page) : status;
}

enum status namenode_webhdfs_fs_status(struct visit *visit)
{
    static const struct dfs_cluster_status_request ask;
    const void *answer = NULL;
    enum status status = namenode_visit_ask(visit, METHOD_NAMENODE_CLUSTER_STATUS, &ask, &answer);
    return status == OK ? webhdfs_write_fs_status(answer, &visit->page) : status;
}

enum status namenode_webhdfs_defaults(struct visit *visit)
{
    static const struct dfs_get_server_defaults_request ask;
    const void *answer = NULL;
    enum status status =
        namenode_visit_ask(visit, METHOD_NAMENODE_GET_SERVER_DEFAULTS, &ask, &answer);
    return status == OK ? webhdfs_write_defaults(answer, &visit->page) : status;
}

/* --- blocks ---------------------------------------------------------------------------------- */

static enum status get_blocks(struct visit *visit,
                              uint64_t offset,
                              uint64_t length,
                              const struct dfs_get_blocks_response **ret_blocks)
{
    struct dfs_get_blocks_request ask = {.path = visit->path, .offset = offset, .length = length};
    const void *answer = NULL;
    enum status status = namenode_visit_ask(visit, METHOD_NAMENODE_GET_BLOCKS, &ask, &answer);
    if (status == OK)
        *ret_blocks = answer;
    return status;
}

enum status namenode_webhdfs_checksum(struct visit *visit)
{
    const struct dfs_get_blocks_response *blocks = NULL;
    enum status status = get_blocks(visit, 0, 0, &blocks);
    return status == OK ? webhdfs_write_checksum(blocks, &visit->page) : status;
}

enum status namenode_webhdfs_locations(struct visit *visit)
{
    const struct dfs_get_blocks_response *blocks = NULL;
    uint64_t offset = 0;
    uint64_t length = 0;
    enum status status =
        webhdfs_number(&visit->parameters, "offset", 0, INT64_MAX, &offset, &visit->error);
    if (status == OK)
        status = webhdfs_number(&visit->parameters, "length", INT64_MAX, INT64_MAX, &length,
                                &visit->error);
    if (status == OK)
        status = get_blocks(visit, 0, 0, &blocks);
    if (status == OK)
        status = webhdfs_write_locations(blocks, offset, length, &visit->page);
    return status;
}

/* --- users ----------------------------------------------------------------------------------- */

enum status namenode_webhdfs_home(struct visit *visit)
{
    return webhdfs_write_path(arena_format(visit->arena, "/user/%.*s", SLICE_ARGS(visit->user)),
                              &visit->page);
}

enum status namenode_webhdfs_trash_root(struct visit *visit)
{
    return webhdfs_write_path(
        arena_format(visit->arena, "/user/%.*s/.Trash", SLICE_ARGS(visit->user)), &visit->page);
}

enum status namenode_webhdfs_check_access(struct visit *visit)
{
    const struct dfs_file_status *file = NULL;
    uint32_t wanted = 0;
    enum status status = webhdfs_action(&visit->parameters, "fsaction", &wanted, &visit->error);
    if (status == OK)
        status = get_status(visit, &file); /* the way there is the machine's to judge */
    if (status != OK || namenode_user_is_super(visit->self, visit->user))
        return status;
    unsigned shift = 0;
    if (slice_equal(visit->user, file->owner))
        shift = 6;
    else if (namenode_user_is_in(visit->self, visit->user, file->group))
        shift = 3;
    if ((file->permission >> shift & wanted) == wanted)
        return OK;
    return error_set(&visit->error, ERR_DENIED, "%.*s may not do that with %.*s (%o, %.*s, %.*s)",
                     SLICE_ARGS(visit->user), SLICE_ARGS(visit->path), (unsigned)file->permission,
                     SLICE_ARGS(file->owner), SLICE_ARGS(file->group));
}

enum status namenode_webhdfs_token(struct visit *visit)
{
    const struct daemon *daemon = visit->self->daemon;
    int64_t lifetime_ms = settings_ms(daemon_settings(daemon), "daemon.token_lifetime");
    struct slice token;
    enum status status =
        http_caller_sign(daemon_secret(daemon), visit->user, clock_wall_ms() + lifetime_ms,
                         visit->arena, &token, &visit->error);
    return status == OK ? webhdfs_write_token(token, &visit->page) : status;
}
