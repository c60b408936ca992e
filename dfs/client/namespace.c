/*
 * namespace.c - the calls about names: one request, one answer each.
 */
#include "dfs/client/internal.h"

#include "lib/base/mem.h"

/* For calls whose answer says nothing but that it is done. */
static enum status call_and_forget(struct dfs *dfs,
                                   enum method method,
                                   const void *request,
                                   struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status =
        dfs_call(dfs, method, request, arena, dfs_deadline(dfs), &response, reterr_error);
    arena_close(arena);
    return status;
}

enum status dfs_get_status(struct dfs *dfs,
                           struct slice path,
                           struct arena *arena,
                           struct dfs_file_status *ret_status,
                           struct error *reterr_error)
{
    struct dfs_get_status_request request = {.path = path};
    const void *response = NULL;
    enum status status = dfs_call(dfs, METHOD_NAMENODE_GET_STATUS, &request, arena,
                                  dfs_deadline(dfs), &response, reterr_error);
    if (status == OK)
        *ret_status = ((const struct dfs_get_status_response *)response)->status;
    return status;
}

enum status dfs_list_page(struct dfs *dfs,
                          struct slice path,
                          struct slice start_after,
                          struct arena *arena,
                          struct dfs_list_status_response *ret_page,
                          struct error *reterr_error)
{
    struct dfs_list_status_request request = {.path = path, .start_after = start_after};
    const void *response = NULL;
    enum status status = dfs_call(dfs, METHOD_NAMENODE_LIST_STATUS, &request, arena,
                                  dfs_deadline(dfs), &response, reterr_error);
    if (status == OK)
        *ret_page = *(const struct dfs_list_status_response *)response;
    return status;
}

enum status dfs_list(struct dfs *dfs,
                     struct slice path,
                     struct arena *arena,
                     const struct dfs_file_status **ret_entries,
                     size_t *ret_count,
                     struct error *reterr_error)
{
    struct dfs_file_status *entries = NULL;
    size_t count = 0;
    size_t capacity = 0;
    struct slice start_after = {0};
    struct dfs_list_status_response page = {.has_more = true};
    enum status status = OK;
    while (page.has_more && status == OK) {
        status = dfs_list_page(dfs, path, start_after, arena, &page, reterr_error);
        if (status != OK)
            break;
        if (count + page.entries_count > LIMIT_DIRECTORY_ENTRIES) {
            status = error_set(reterr_error, ERR_LIMIT, "%.*s has more than %d entries",
                               SLICE_ARGS(path), (int)LIMIT_DIRECTORY_ENTRIES);
            break;
        }
        for (size_t i = 0; i < page.entries_count; i++) {
            entries = mem_reserve(entries, count, &capacity, sizeof(*entries));
            entries[count++] = page.entries[i];
        }
        if (page.entries_count == 0)
            break; /* nothing to go on from, whatever has_more says */
        start_after = page.entries[page.entries_count - 1].path;
    }
    if (status == OK) {
        struct dfs_file_status *kept = ARENA_ARRAY(arena, struct dfs_file_status, count);
        for (size_t i = 0; i < count; i++)
            kept[i] = entries[i];
        *ret_entries = kept;
        *ret_count = count;
    }
    mem_free(entries);
    return status;
}

enum status dfs_get_blocks(struct dfs *dfs,
                           struct slice path,
                           uint64_t offset,
                           uint64_t length,
                           struct arena *arena,
                           struct dfs_get_blocks_response *ret_blocks,
                           struct error *reterr_error)
{
    struct dfs_get_blocks_request request = {
        .path = path, .offset = offset, .length = length, .client_host = dfs->host};
    const void *response = NULL;
    enum status status = dfs_call(dfs, METHOD_NAMENODE_GET_BLOCKS, &request, arena,
                                  dfs_deadline(dfs), &response, reterr_error);
    if (status == OK)
        *ret_blocks = *(const struct dfs_get_blocks_response *)response;
    return status;
}

enum status dfs_mkdirs(struct dfs *dfs,
                       struct slice path,
                       uint32_t permission,
                       bool create_parents,
                       struct error *reterr_error)
{
    struct dfs_mkdirs_request request = {.client_id = dfs->client_id,
                                         .request_id = dfs_next_request(dfs),
                                         .path = path,
                                         .permission = permission,
                                         .create_parents = create_parents};
    return call_and_forget(dfs, METHOD_NAMENODE_MKDIRS, &request, reterr_error);
}

enum status dfs_rename(struct dfs *dfs,
                       struct slice source,
                       struct slice destination,
                       struct error *reterr_error)
{
    struct dfs_rename_request request = {.client_id = dfs->client_id,
                                         .request_id = dfs_next_request(dfs),
                                         .source = source,
                                         .destination = destination};
    return call_and_forget(dfs, METHOD_NAMENODE_RENAME, &request, reterr_error);
}

enum status dfs_delete(struct dfs *dfs,
                       struct slice path,
                       bool recursive,
                       struct error *reterr_error)
{
    struct dfs_delete_request request = {.client_id = dfs->client_id,
                                         .request_id = dfs_next_request(dfs),
                                         .path = path,
                                         .recursive = recursive};
    return call_and_forget(dfs, METHOD_NAMENODE_DELETE, &request, reterr_error);
}

enum status dfs_set_permission(struct dfs *dfs,
                               struct slice path,
                               uint32_t permission,
                               struct error *reterr_error)
{
    struct dfs_set_permission_request request = {.client_id = dfs->client_id,
                                                 .request_id = dfs_next_request(dfs),
                                                 .path = path,
                                                 .permission = permission};
    return call_and_forget(dfs, METHOD_NAMENODE_SET_PERMISSION, &request, reterr_error);
}

enum status dfs_set_owner(struct dfs *dfs,
                          struct slice path,
                          struct slice owner,
                          struct slice group,
                          struct error *reterr_error)
{
    struct dfs_set_owner_request request = {.client_id = dfs->client_id,
                                            .request_id = dfs_next_request(dfs),
                                            .path = path,
                                            .owner = owner,
                                            .group = group};
    return call_and_forget(dfs, METHOD_NAMENODE_SET_OWNER, &request, reterr_error);
}

enum status dfs_set_times(struct dfs *dfs,
                          struct slice path,
                          const uint64_t *modified_ms,
                          const uint64_t *accessed_ms,
                          struct error *reterr_error)
{
    struct dfs_set_times_request request = {
        .client_id = dfs->client_id,
        .request_id = dfs_next_request(dfs),
        .path = path,
        .set_modified = modified_ms != NULL,
        .modified_ms = modified_ms != NULL ? *modified_ms : 0,
        .set_accessed = accessed_ms != NULL,
        .accessed_ms = accessed_ms != NULL ? *accessed_ms : 0,
    };
    return call_and_forget(dfs, METHOD_NAMENODE_SET_TIMES, &request, reterr_error);
}

enum status dfs_set_replication(struct dfs *dfs,
                                struct slice path,
                                uint32_t replication,
                                struct error *reterr_error)
{
    struct dfs_set_replication_request request = {.client_id = dfs->client_id,
                                                  .request_id = dfs_next_request(dfs),
                                                  .path = path,
                                                  .replication = replication};
    return call_and_forget(dfs, METHOD_NAMENODE_SET_REPLICATION, &request, reterr_error);
}

enum status dfs_set_quota(struct dfs *dfs,
                          struct slice path,
                          const uint64_t *names,
                          const uint64_t *bytes,
                          struct error *reterr_error)
{
    struct dfs_set_quota_request request = {
        .client_id = dfs->client_id,
        .request_id = dfs_next_request(dfs),
        .path = path,
        .set_names = names != NULL,
        .names = names != NULL ? *names : 0,
        .set_bytes = bytes != NULL,
        .bytes = bytes != NULL ? *bytes : 0,
    };
    return call_and_forget(dfs, METHOD_NAMENODE_SET_QUOTA, &request, reterr_error);
}

enum status dfs_concat(struct dfs *dfs,
                       struct slice target,
                       const struct slice *sources,
                       size_t source_count,
                       struct error *reterr_error)
{
    struct dfs_concat_request request = {.client_id = dfs->client_id,
                                         .request_id = dfs_next_request(dfs),
                                         .target = target,
                                         .sources = sources,
                                         .sources_count = source_count};
    return call_and_forget(dfs, METHOD_NAMENODE_CONCAT, &request, reterr_error);
}

enum status dfs_server_defaults(struct dfs *dfs,
                                struct arena *arena,
                                struct dfs_get_server_defaults_response *ret_defaults,
                                struct error *reterr_error)
{
    struct dfs_get_server_defaults_request request = {0};
    const void *response = NULL;
    enum status status = dfs_call(dfs, METHOD_NAMENODE_GET_SERVER_DEFAULTS, &request, arena,
                                  dfs_deadline(dfs), &response, reterr_error);
    if (status == OK)
        *ret_defaults = *(const struct dfs_get_server_defaults_response *)response;
    return status;
}

enum status dfs_content_summary(struct dfs *dfs,
                                struct slice path,
                                struct dfs_content_summary_response *ret_summary,
                                struct error *reterr_error)
{
    struct dfs_content_summary_request request = {.path = path};
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status = dfs_call(dfs, METHOD_NAMENODE_CONTENT_SUMMARY, &request, arena,
                                  dfs_deadline(dfs), &response, reterr_error);
    if (status == OK) /* numbers only, so nothing of it lives in the arena */
        *ret_summary = *(const struct dfs_content_summary_response *)response;
    arena_close(arena);
    return status;
}

enum status dfs_cluster_status(struct dfs *dfs,
                               struct arena *arena,
                               struct dfs_cluster_status_response *ret_status,
                               struct error *reterr_error)
{
    struct dfs_cluster_status_request request = {0};
    const void *response = NULL;
    enum status status = dfs_call(dfs, METHOD_NAMENODE_CLUSTER_STATUS, &request, arena,
                                  dfs_deadline(dfs), &response, reterr_error);
    if (status == OK)
        *ret_status = *(const struct dfs_cluster_status_response *)response;
    return status;
}

enum status dfs_fence_output(struct dfs *dfs,
                             struct slice key,
                             uint64_t epoch,
                             struct error *reterr_error)
{
    struct dfs_fence_output_request request = {.client_id = dfs->client_id,
                                               .request_id = dfs_next_request(dfs),
                                               .key = key,
                                               .epoch = epoch};
    return call_and_forget(dfs, METHOD_NAMENODE_FENCE_OUTPUT, &request, reterr_error);
}

enum status dfs_publish_output(struct dfs *dfs,
                               const struct dfs_publish_output_request *request,
                               struct error *reterr_error)
{
    struct dfs_publish_output_request filled = *request;
    filled.client_id = dfs->client_id;
    filled.request_id = dfs_next_request(dfs);
    return call_and_forget(dfs, METHOD_NAMENODE_PUBLISH_OUTPUT, &filled, reterr_error);
}
