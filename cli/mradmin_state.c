/*
 * mradmin_state.c - what holds for the filesystem as a whole: safe mode, racks, quotas.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/mradmin.h"
#include "cli/table.h"
#include "lib/daemon/settings.h"
#include "lib/model/path.h"
#include "lib/os/host.h"
#include "lib/services/calls.h"

enum {
    CHECKPOINT_MS = 60 * 60 * 1000
};

/* --- safe mode ---------------------------------------------------------------------------------
 */

static enum status ask_safe_mode(struct mradmin *mradmin,
                                 enum dfs_safe_mode_action action,
                                 struct arena *arena,
                                 const struct dfs_set_safe_mode_response **ret_found,
                                 struct error *reterr_error)
{
    struct service_target target = mradmin->namenode;
    struct dfs_set_safe_mode_request request = {.action = action};
    target.arena = arena;
    return services_namenode_set_safe_mode(&target, &request, ret_found, reterr_error);
}

static void show_safe_mode(const struct mradmin *mradmin,
                           const struct dfs_set_safe_mode_response *found)
{
    if (mradmin->is_json)
        mradmin_print_json(&dfs_set_safe_mode_response_type, found);
    else if (found->in_safe_mode)
        printf("Safe mode is ON. %.*s\n  blocks found %" PRIu64 " of %" PRIu64 ", needed %" PRIu64
               "; datanodes live %" PRIu32 " of %" PRIu32 "\n",
               SLICE_ARGS(found->reason), found->blocks_found, found->blocks_total,
               found->blocks_needed, found->datanodes_live, found->datanodes_known);
    else
        printf("Safe mode is OFF.\n");
}

static enum status wait_safe_mode(struct mradmin *mradmin, struct error *reterr_error)
{
    bool is_on = true;
    enum status status = OK;
    while (status == OK && is_on) {
        const struct dfs_set_safe_mode_response *found = NULL;
        struct arena *arena = arena_open(0);
        status = ask_safe_mode(mradmin, SAFE_MODE_GET, arena, &found, reterr_error);
        is_on = status == OK && found->in_safe_mode;
        if (is_on && mradmin->is_terminal)
            fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 " blocks found", found->blocks_found,
                    found->blocks_needed);
        if (status == OK && !is_on) {
            if (mradmin->is_terminal)
                fprintf(stderr, "\r\033[K");
            show_safe_mode(mradmin, found);
        }
        arena_close(arena);
        if (is_on)
            status = mradmin_pause(mradmin, reterr_error);
    }
    return status;
}

enum status mradmin_safemode(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    static const char *const names[] = {"get", "enter", "leave"};

    static const enum dfs_safe_mode_action actions[] = {SAFE_MODE_GET, SAFE_MODE_ENTER,
                                                        SAFE_MODE_LEAVE};

    const char *word = mradmin->words.arguments[0];
    const struct dfs_set_safe_mode_response *found = NULL;
    (void)ret_code;
    if (strcmp(word, "wait") == 0)
        return wait_safe_mode(mradmin, reterr_error);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(word, names[i]) != 0)
            continue;
        enum status status =
            ask_safe_mode(mradmin, actions[i], mradmin->arena, &found, reterr_error);
        if (status == OK)
            show_safe_mode(mradmin, found);
        return status;
    }
    return error_set(reterr_error, ERR_INVALID, "expected get, enter, leave or wait");
}

/* --- checkpoint --------------------------------------------------------------------------------
 */

enum status mradmin_checkpoint(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    struct service_target target = mradmin->namenode;
    struct dfs_save_checkpoint_request request = {0};
    const struct dfs_save_checkpoint_response *done = NULL;
    (void)ret_code;
    if (mradmin->deadline_ms == INT64_MAX)
        target.timeout_ms = CHECKPOINT_MS; /* it takes as long as writing the namespace takes */
    enum status status = services_namenode_save_checkpoint(&target, &request, &done, reterr_error);
    if (status == OK && mradmin->is_json)
        mradmin_print_json(&dfs_save_checkpoint_response_type, done);
    else if (status == OK)
        printf("Saved %s in %s, in %" PRIu32 " folders; up to batch %" PRIu64 " of the journal.\n",
               cli_bytes(done->bytes).text, cli_duration(done->duration_ms).text, done->directories,
               done->sequence);
    return status;
}

/* --- racks -------------------------------------------------------------------------------------
 */

enum status mradmin_refresh(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    struct dfs_refresh_nodes_request request = {0};
    const struct dfs_refresh_nodes_response *done = NULL;
    (void)ret_code;
    enum status status =
        services_namenode_refresh_nodes(&mradmin->namenode, &request, &done, reterr_error);
    if (status == OK && mradmin->is_json)
        mradmin_print_json(&dfs_refresh_nodes_response_type, done);
    else if (status == OK)
        printf("%" PRIu32 " rows in the table of racks, %" PRIu32
               " datanodes moved to another rack, %" PRIu32 " hosts asked of the script\n",
               done->table_entries, done->datanodes_moved, done->hosts_asked);
    return status;
}

/* --- quotas ------------------------------------------------------------------------------------
 */

/* The same limit for each path from the first on; all are looked at before one is changed. */
static enum status set_quotas(struct mradmin *mradmin,
                              size_t first,
                              struct dfs_set_quota_request request,
                              struct error *reterr_error)
{
    size_t count = mradmin->words.count;
    struct slice *paths = ARENA_ARRAY(mradmin->arena, struct slice, count + 1);
    enum status status = OK;
    for (size_t i = first; i < count && status == OK; i++) {
        struct slice text = slice_from_string(mradmin->words.arguments[i]);
        status = path_normalise(text, mradmin->arena, &paths[i], reterr_error);
    }
    request.client_id = host_random_u64();
    for (size_t i = first; i < count && status == OK; i++) {
        const struct dfs_set_quota_response *done = NULL;
        request.request_id++;
        request.path = paths[i];
        status = services_namenode_set_quota(&mradmin->namenode, &request, &done, reterr_error);
    }
    return status;
}

enum status mradmin_set_quota(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    struct dfs_set_quota_request request = {.set_names = true};
    (void)ret_code;
    if (!slice_parse_u64(slice_from_string(mradmin->words.arguments[0]), &request.names) ||
        request.names == 0)
        return error_set(reterr_error, ERR_INVALID, "a limit of names is a number from 1");
    return set_quotas(mradmin, 1, request, reterr_error);
}

enum status mradmin_clear_quota(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    (void)ret_code;
    return set_quotas(mradmin, 0, (struct dfs_set_quota_request){.set_names = true}, reterr_error);
}

enum status mradmin_set_space_quota(struct mradmin *mradmin,
                                    int *ret_code,
                                    struct error *reterr_error)
{
    struct dfs_set_quota_request request = {.set_bytes = true};
    struct slice text = slice_from_string(mradmin->words.arguments[0]);
    (void)ret_code;
    enum status status = setting_parse(SETTING_BYTES, text, &request.bytes, reterr_error);
    if (status != OK || request.bytes == 0)
        return error_set(reterr_error, ERR_INVALID, "a limit of bytes is a number, or like 10g");
    return set_quotas(mradmin, 1, request, reterr_error);
}

enum status mradmin_clear_space_quota(struct mradmin *mradmin,
                                      int *ret_code,
                                      struct error *reterr_error)
{
    (void)ret_code;
    return set_quotas(mradmin, 0, (struct dfs_set_quota_request){.set_bytes = true}, reterr_error);
}
