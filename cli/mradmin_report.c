/*
 * mradmin_report.c - report, topology: what there is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/mradmin.h"
#include "cli/table.h"
#include "lib/base/buf.h"
#include "lib/model/message.h"

/* --- names -------------------------------------------------------------------------------------
 */

static const char *state_text(const struct dfs_datanode_info *node)
{
    static const char *const texts[DFS_DATANODE_STATE_COUNT] = {
        [DATANODE_LIVE] = "live", [DATANODE_STALE] = "stale", [DATANODE_LOST] = "dead"};
    return node->state < DFS_DATANODE_STATE_COUNT ? texts[node->state] : "?";
}

static const char *admin_text(const struct dfs_datanode_info *node)
{
    static const char *const texts[DFS_DATANODE_ADMIN_STATE_COUNT] = {
        [ADMIN_IN_SERVICE] = "in service",
        [ADMIN_DECOMMISSIONING] = "decommissioning",
        [ADMIN_DECOMMISSIONED] = "decommissioned",
        [ADMIN_ENTERING_MAINTENANCE] = "entering maintenance",
        [ADMIN_IN_MAINTENANCE] = "maintenance",
    };
    return node->admin_state < DFS_DATANODE_ADMIN_STATE_COUNT ? texts[node->admin_state] : "?";
}

static const char *volume_text(const struct dfs_volume_info *volume)
{
    static const char *const texts[DFS_VOLUME_STATE_COUNT] = {
        [VOLUME_STARTING] = "starting",
        [VOLUME_OPEN] = "open",
        [VOLUME_FULL] = "full",
        [VOLUME_FAILED] = "failed",
    };
    return volume->state < DFS_VOLUME_STATE_COUNT ? texts[volume->state] : "?";
}

/* --- report ------------------------------------------------------------------------------------
 */

/* Without options all; with several what fits any. */
static bool is_wanted(const struct mradmin *mradmin, const struct dfs_datanode_info *node)
{
    static const int keys[] = {ADMIN_KEY_LIVE, ADMIN_KEY_STALE, ADMIN_KEY_DEAD,
                               ADMIN_KEY_DECOMMISSIONING, ADMIN_KEY_MAINTENANCE};
    const bool fits[] = {
        node->state == DATANODE_LIVE,
        node->state == DATANODE_STALE,
        node->state == DATANODE_LOST,
        node->admin_state == ADMIN_DECOMMISSIONING || node->admin_state == ADMIN_DECOMMISSIONED,
        node->admin_state == ADMIN_ENTERING_MAINTENANCE ||
            node->admin_state == ADMIN_IN_MAINTENANCE,
    };
    bool has_option = false;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        has_option = has_option || mradmin_has(mradmin, keys[i]);
        if (mradmin_has(mradmin, keys[i]) && fits[i])
            return true;
    }
    return !has_option;
}

static void print_summary(const struct dfs_cluster_status_response *found)
{
    uint64_t capacity = 0;
    uint64_t used = 0;
    uint64_t free_bytes = 0;
    size_t counts[DFS_DATANODE_STATE_COUNT] = {0};
    for (size_t i = 0; i < found->datanodes_count; i++) {
        const struct dfs_datanode_info *node = &found->datanodes[i];
        if (node->state < DFS_DATANODE_STATE_COUNT)
            counts[node->state]++;
        if (node->state == DATANODE_LOST)
            continue;
        capacity += node->capacity_bytes;
        used += node->used_bytes;
        free_bytes += node->free_bytes;
    }
    printf("Cluster %016" PRIx64 "%s\n", found->cluster_id,
           found->in_safe_mode ? ", IN SAFE MODE (mradmin safemode get tells why)" : "");
    printf("  files %" PRIu64 ", directories %" PRIu64 ", blocks %" PRIu64 "\n", found->file_count,
           found->directory_count, found->block_count);
    printf("  blocks with too few replicas %" PRIu64 ", with none %" PRIu64 "\n",
           found->under_replicated_count, found->missing_count);
    printf("  capacity %s, used %s, free %s\n", cli_bytes(capacity).text, cli_bytes(used).text,
           cli_bytes(free_bytes).text);
    printf("  datanodes %zu live, %zu stale, %zu dead\n", counts[DATANODE_LIVE],
           counts[DATANODE_STALE], counts[DATANODE_LOST]);
}

void mradmin_print_datanodes(const struct dfs_datanode_info *datanodes, size_t count)
{
    static const char *const titles[] = {"NODE",   "HOST",      "RACK",  "STATE", "SERVICE",
                                         ">LEFT",  ">CAPACITY", ">USED", ">FREE", ">BLOCKS",
                                         ">HEARD", "SLOW",      "HTTP",  NULL};
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < count; i++) {
        const struct dfs_datanode_info *node = &datanodes[i];
        cli_table_add_format(table, "%016" PRIx64, node->node.node_id);
        cli_table_add(table, node->node.host);
        cli_table_add(table, node->node.rack);
        cli_table_add_string(table, state_text(node));
        cli_table_add_string(table, admin_text(node));
        if (node->admin_state == ADMIN_IN_SERVICE)
            cli_table_add_string(table, "");
        else
            cli_table_add_format(table, "%" PRIu64, node->blocks_left);
        cli_table_add_string(table, cli_bytes(node->capacity_bytes).text);
        cli_table_add_string(table, cli_bytes(node->used_bytes).text);
        cli_table_add_string(table, cli_bytes(node->free_bytes).text);
        cli_table_add_format(table, "%" PRIu64, node->block_count);
        cli_table_add_string(table, cli_duration(node->silent_ms).text);
        cli_table_add_string(table, node->is_slow ? "slow" : "");
        cli_table_add(table, node->node.http_address);
    }
    cli_table_print(table, 0);
    cli_table_close(table);
}

static void print_volumes(const struct dfs_datanode_info *datanodes, size_t count)
{
    static const char *const titles[] = {"HOST",     "VOLUME",  "STATE",   ">CAPACITY",
                                         ">USED",    ">FREE",   ">BLOCKS", ">READ99",
                                         ">WRITE99", "FAILURE", NULL};
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < datanodes[i].volumes_count; j++) {
            const struct dfs_volume_info *volume = &datanodes[i].volumes[j];
            cli_table_add(table, datanodes[i].node.host);
            cli_table_add(table, volume->directory);
            cli_table_add_string(table, volume_text(volume));
            cli_table_add_string(table, cli_bytes(volume->capacity_bytes).text);
            cli_table_add_string(table, cli_bytes(volume->used_bytes).text);
            cli_table_add_string(table, cli_bytes(volume->free_bytes).text);
            cli_table_add_format(table, "%" PRIu64, volume->block_count);
            cli_table_add_format(table, "%.1f ms", (double)volume->latency.read_p99_us / 1000);
            cli_table_add_format(table, "%.1f ms", (double)volume->latency.write_p99_us / 1000);
            cli_table_add(table, volume->failure);
        }
    }
    if (cli_table_rows(table) > 0)
        printf("\n");
    cli_table_print(table, 0);
    cli_table_close(table);
}

enum status mradmin_report(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    const struct dfs_cluster_status_response *found = NULL;
    (void)ret_code;
    enum status status = mradmin_cluster(mradmin, mradmin->arena, &found, reterr_error);
    if (status != OK)
        return status;
    struct dfs_datanode_info *wanted =
        ARENA_ARRAY(mradmin->arena, struct dfs_datanode_info, found->datanodes_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < found->datanodes_count; i++) {
        if (is_wanted(mradmin, &found->datanodes[i]))
            wanted[count++] = found->datanodes[i];
    }
    if (mradmin->is_json) {
        struct dfs_cluster_status_response shown = *found;
        shown.datanodes = wanted;
        shown.datanodes_count = count;
        mradmin_print_json(&dfs_cluster_status_response_type, &shown);
        return OK;
    }
    print_summary(found);
    if (count > 0)
        printf("\n");
    mradmin_print_datanodes(wanted, count);
    print_volumes(wanted, count);
    return OK;
}

/* --- topology ----------------------------------------------------------------------------------
 */

static int by_rack_and_host(const void *left, const void *right)
{
    const struct dfs_datanode_info *first = left;
    const struct dfs_datanode_info *second = right;
    int order = slice_compare(first->node.rack, second->node.rack);
    if (order == 0)
        order = slice_compare(first->node.host, second->node.host);
    if (order == 0)
        order = first->node.node_id < second->node.node_id ? -1 : 1;
    return order;
}

enum status mradmin_topology(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    const struct dfs_cluster_status_response *found = NULL;
    (void)ret_code;
    enum status status = mradmin_cluster(mradmin, mradmin->arena, &found, reterr_error);
    if (status != OK)
        return status;
    struct dfs_datanode_info *sorted =
        ARENA_ARRAY(mradmin->arena, struct dfs_datanode_info, found->datanodes_count + 1);
    for (size_t i = 0; i < found->datanodes_count; i++)
        sorted[i] = found->datanodes[i];
    qsort(sorted, found->datanodes_count, sizeof(*sorted), by_rack_and_host);
    if (mradmin->is_json)
        printf("[");
    for (size_t i = 0; i < found->datanodes_count; i++) {
        const struct endpoint *node = &sorted[i].node;
        if (mradmin->is_json) {
            printf(i > 0 ? ",\n" : "\n");
            struct buf text = {0};
            status = message_print_json(&endpoint_type, node, &text);
            printf("%s", buf_string(&text));
            buf_close(&text);
            continue;
        }
        if (i == 0 || !slice_equal(node->rack, sorted[i - 1].node.rack))
            printf("Rack: %.*s\n", SLICE_ARGS(node->rack));
        printf("   %.*s (%.*s) %s\n", SLICE_ARGS(node->http_address), SLICE_ARGS(node->host),
               state_text(&sorted[i]));
    }
    if (mradmin->is_json)
        printf("\n]\n");
    return status;
}
