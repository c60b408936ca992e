/*
 * mradmin_service.c - datanodes out of service and back: decommission, maintenance, recommission,
 * forget.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/mradmin.h"
#include "lib/base/check.h"
#include "lib/daemon/settings.h"
#include "lib/os/clock.h"
#include "lib/services/calls.h"

enum {
    NODE_DIGITS = 16,
    LINE_MS = 10 * 1000 /* between two lines of progress when stderr is no terminal */
};

/* Sixteen hexadecimal digits are a number, everything else a host or an HTTP address. */
static bool parse_node_id(const char *text, uint64_t *ret_node_id)
{
    uint64_t node_id = 0;
    if (strlen(text) != NODE_DIGITS)
        return false;
    for (; *text != 0; text++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, *text);
        if (digit == NULL)
            return false;
        node_id = node_id << 4 | (uint64_t)(digit - digits);
    }
    *ret_node_id = node_id;
    return node_id != 0;
}

static enum status tell_one(struct mradmin *mradmin,
                            const char *node,
                            enum dfs_datanode_admin_action action,
                            uint64_t until_ms,
                            const struct dfs_set_datanode_admin_response **ret_response,
                            struct error *reterr_error)
{
    struct dfs_set_datanode_admin_request request = {.action = action, .until_ms = until_ms};
    if (!parse_node_id(node, &request.node_id))
        request.host = slice_from_string(node);
    enum status status = services_namenode_set_datanode_admin(&mradmin->namenode, &request,
                                                              ret_response, reterr_error);
    return status == OK ? OK : error_prefix(reterr_error, status, "%s", node);
}

/* Every node of the command line; rows of all answers, each once. */
static enum status tell_all(struct mradmin *mradmin,
                            enum dfs_datanode_admin_action action,
                            uint64_t until_ms,
                            struct dfs_set_datanode_admin_response *ret_told,
                            struct error *reterr_error)
{
    struct dfs_datanode_info *told = NULL;
    size_t count = 0;
    for (size_t i = 0; i < mradmin->words.count; i++) {
        const struct dfs_set_datanode_admin_response *answer = NULL;
        enum status status =
            tell_one(mradmin, mradmin->words.arguments[i], action, until_ms, &answer, reterr_error);
        if (status != OK)
            return status;
        CHECK(answer != NULL);
        struct dfs_datanode_info *more =
            ARENA_ARRAY(mradmin->arena, struct dfs_datanode_info, count + answer->datanodes_count);
        if (count > 0)
            memcpy(more, told, count * sizeof(*more));
        for (size_t j = 0; j < answer->datanodes_count; j++)
            more[count++] = answer->datanodes[j];
        told = more;
    }
    *ret_told =
        (struct dfs_set_datanode_admin_response){.datanodes = told, .datanodes_count = count};
    return OK;
}

static void show_told(const struct mradmin *mradmin,
                      const struct dfs_set_datanode_admin_response *told)
{
    if (mradmin->is_json)
        mradmin_print_json(&dfs_set_datanode_admin_response_type, told);
    else
        mradmin_print_datanodes(told->datanodes, told->datanodes_count);
}

/* --- waiting -----------------------------------------------------------------------------------
 */

/* Takes the newest row of each told datanode; counts those still on their way, and their blocks. */
static void take_newest(struct dfs_datanode_info *told,
                        size_t count,
                        const struct dfs_cluster_status_response *found,
                        size_t *ret_nodes_left,
                        uint64_t *ret_blocks_left)
{
    *ret_nodes_left = 0;
    *ret_blocks_left = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < found->datanodes_count; j++) {
            const struct dfs_datanode_info *newest = &found->datanodes[j];
            if (newest->node.node_id != told[i].node.node_id)
                continue;
            told[i].admin_state = newest->admin_state;
            told[i].blocks_left = newest->blocks_left;
        }
        if (told[i].admin_state != ADMIN_DECOMMISSIONING &&
            told[i].admin_state != ADMIN_ENTERING_MAINTENANCE)
            continue;
        ++*ret_nodes_left;
        *ret_blocks_left += told[i].blocks_left;
    }
}

static enum status wait_for_all(struct mradmin *mradmin,
                                struct dfs_set_datanode_admin_response *told,
                                struct error *reterr_error)
{
    size_t count = told->datanodes_count;
    struct dfs_datanode_info *nodes =
        ARENA_ARRAY(mradmin->arena, struct dfs_datanode_info, count + 1);
    size_t nodes_left = count;
    uint64_t blocks_left = 0;
    int64_t next_ms = clock_monotonic_ms();
    enum status status = OK;
    if (count > 0)
        memcpy(nodes, told->datanodes, count * sizeof(*nodes));
    told->datanodes = nodes;
    while (status == OK && nodes_left > 0) {
        const struct dfs_cluster_status_response *found = NULL;
        struct arena *arena = arena_open(0);
        status = mradmin_cluster(mradmin, arena, &found, reterr_error);
        if (status == OK)
            take_newest(nodes, count, found, &nodes_left, &blocks_left);
        arena_close(arena);
        if (status == OK && nodes_left > 0 &&
            (mradmin->is_terminal || clock_monotonic_ms() >= next_ms)) {
            fprintf(stderr, "%s%zu datanodes to go, %" PRIu64 " blocks to copy%s",
                    mradmin->is_terminal ? "\r\033[K" : "", nodes_left, blocks_left,
                    mradmin->is_terminal ? "" : "\n");
            next_ms = clock_monotonic_ms() + LINE_MS;
        }
        if (status == OK && nodes_left > 0)
            status = mradmin_pause(mradmin, reterr_error);
    }
    if (mradmin->is_terminal)
        fprintf(stderr, "\r\033[K");
    return status;
}

static enum status change_service(struct mradmin *mradmin,
                                  enum dfs_datanode_admin_action action,
                                  uint64_t until_ms,
                                  struct error *reterr_error)
{
    struct dfs_set_datanode_admin_response told;
    enum status status = tell_all(mradmin, action, until_ms, &told, reterr_error);
    if (status == OK && mradmin_has(mradmin, ADMIN_KEY_WAIT))
        status = wait_for_all(mradmin, &told, reterr_error);
    if (status == OK)
        show_told(mradmin, &told);
    return status;
}

enum status mradmin_decommission(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    (void)ret_code;
    return change_service(mradmin, DATANODE_DECOMMISSION, 0, reterr_error);
}

enum status mradmin_maintenance(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    uint64_t length_ms = 0;
    uint64_t until_ms = 0;
    (void)ret_code;
    if (mradmin_has(mradmin, ADMIN_KEY_FOR)) {
        struct slice text = slice_from_string(mradmin->words.values[ADMIN_KEY_FOR]);
        enum status status = setting_parse(SETTING_MS, text, &length_ms, reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "-for");
        if (length_ms == 0 || length_ms > (uint64_t)INT32_MAX * 1000)
            return error_set(reterr_error, ERR_INVALID, "-for is a time like 30m or 2h");
        until_ms = (uint64_t)clock_wall_ms() + length_ms;
    }
    return change_service(mradmin, DATANODE_MAINTENANCE, until_ms, reterr_error);
}

enum status mradmin_recommission(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    (void)ret_code;
    return change_service(mradmin, DATANODE_SERVE, 0, reterr_error);
}

enum status mradmin_forget(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    (void)ret_code;
    return change_service(mradmin, DATANODE_FORGET, 0, reterr_error);
}
