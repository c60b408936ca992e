/*
 * settings.c - which settings do not fit together, in words.
 */
#include "dfs/namenode/core/namenode.h"

const char *namenode_settings_complaint(const struct namenode_settings *settings)
{
    /* clang-format off */
    const struct {
        bool is_broken;
        const char *sentence;
    } rules[] = {
        {settings->superuser.length == 0, "dfs.superuser is empty"},
        {settings->supergroup.length == 0, "dfs.supergroup is empty"},
        {settings->replication > settings->replication_max,
         "dfs.replication must be at most dfs.replication_max"},
        {settings->block_size < settings->block_size_min ||
         settings->block_size > settings->block_size_max,
         "dfs.block_size must be from dfs.block_size_min to dfs.block_size_max"},
        {settings->heartbeat_interval_ms >= settings->stale_ms,
         "dfs.heartbeat_interval_ms must be less than dfs.stale_ms"},
        {settings->stale_ms >= settings->lost_ms,
         "dfs.stale_ms must be less than dfs.lost_ms"},
        {settings->lost_ms >= settings->rereplicate_ms,
         "dfs.lost_ms must be less than dfs.rereplicate_ms"},
        {settings->lease_ms > settings->lease_hard_ms,
         "dfs.lease_ms must be at most dfs.lease_hard_ms"},
        {settings->trash_keep_ms > 0 && settings->trash_checkpoint_ms > settings->trash_keep_ms,
         "dfs.trash_checkpoint_ms must be at most dfs.trash_keep_ms"},
        {settings->compact_runs == 1, "dfs.compact_runs must be 0 or at least 2"},
        {settings->compact_bytes_per_second == 0,
         "dfs.compact_bytes_per_second must be at least 1"},
    };

    /* clang-format on */
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].is_broken) {
            return rules[i].sentence;
        }
    }
    return NULL;
}
