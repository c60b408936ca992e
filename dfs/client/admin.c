/*
 * admin.c - calls for those who look after the filesystem.
 */
#include "dfs/client/internal.h"

enum status dfs_check_files(struct dfs *dfs,
                            const struct dfs_check_files_request *request,
                            struct arena *arena,
                            struct dfs_check_files_response *ret_page,
                            struct error *reterr_error)
{
    const void *response = NULL;
    enum status status = dfs_call(dfs, METHOD_NAMENODE_CHECK_FILES, request, arena,
                                  dfs_deadline(dfs), &response, reterr_error);
    if (status == OK)
        *ret_page = *(const struct dfs_check_files_response *)response;
    return status;
}
