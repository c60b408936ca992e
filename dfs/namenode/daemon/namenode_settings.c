/*
 * namenode_settings.c - see namenode_settings.h.
 */
#include "dfs/namenode/daemon/namenode_settings.h"

#include "lib/base/check.h"
#include "lib/daemon/settings.h"
#include "lib/model/limits.h"
#include "lib/os/host.h"

enum {
    DURATION_MAX_MS = 1000000000, /* eleven days */
};

#define RATE_MAX ((uint64_t)1 << 40)

/* One setting, two lines. */
/* clang-format off */
const struct setting namenode_setting_rows[] = {
    {"dfs.webhdfs_token_lifetime", SETTING_MS, "1h",
     "How long a redirect to a datanode may be used.", 1000, DURATION_MAX_MS},
    {"dfs.superuser", SETTING_STRING, "",
     "User who may do everything; empty: who runs the daemon.", 0, 0},
    {"dfs.supergroup", SETTING_STRING, "supergroup",
     "Group of the root directory.", 0, 0},
    {"dfs.rack_table", SETTING_STRING, "",
     "File with lines \"host /rack\"; empty: none.", 0, 0},
    {"dfs.rack_script", SETTING_STRING, "",
     "Program that prints the rack of the host it is given; empty: none.", 0, 0},
    {"dfs.replication", SETTING_U64, "3",
     "Replicas of new files.", 1, LIMIT_REPLICAS},
    {"dfs.replication_max", SETTING_U64, "16",
     "Most replicas a file may ask for.", 1, LIMIT_REPLICAS},
    {"dfs.min_replicas", SETTING_U64, "2",
     "Synced replicas that acknowledge a block.", 1, LIMIT_REPLICAS},
    {"dfs.block_size", SETTING_BYTES, "128m",
     "Block size of new files.", 1, LIMIT_BLOCK_BYTES},
    {"dfs.block_size_min", SETTING_BYTES, "1k",
     "Smallest block size a file may ask for.", 1, LIMIT_BLOCK_BYTES},
    {"dfs.block_size_max", SETTING_BYTES, "1g",
     "Largest block size a file may ask for.", 1, LIMIT_BLOCK_BYTES},
    {"dfs.blocks_per_file_max", SETTING_U64, "65536",
     "Most blocks of a file.", 1, LIMIT_BLOCKS_PER_FILE},
    {"dfs.inodes_max", SETTING_U64, "50000000",
     "Most files and directories.", 1, UINT32_MAX},
    {"dfs.release_max", SETTING_U64, "1000",
     "Files, directories and blocks of a removed tree freed at a time.", 1, UINT32_MAX},
    {"dfs.list_limit", SETTING_U64, "1000",
     "Entries in a page of a listing.", 1, LIMIT_LIST_PAGE},
    {"dfs.ids_reserved", SETTING_U64, "1024",
     "Ids taken per journal record.", 1, 1000000},
    {"dfs.access_time_precision_ms", SETTING_MS, "1h",
     "Reads of a file are recorded this often; 0: never.", 0, DURATION_MAX_MS},
    {"dfs.block_token_ms", SETTING_MS, "10h",
     "How long readers and writers may use a block without asking again.", 1, DURATION_MAX_MS},
    {"dfs.trash_keep_ms", SETTING_MS, "0",
     "Trash older than this is deleted; 0: no trash.", 0, NAMENODE_TRASH_MS_MAX},
    {"dfs.trash_checkpoint_ms", SETTING_MS, "0",
     "How often trash is set aside to expire; 0: each trash_keep_ms.", 0, NAMENODE_TRASH_MS_MAX},
    {"dfs.compact_runs", SETTING_U64, "16",
     "So many small blocks at a file's end are merged; 0: never.", 0, 10000},
    {"dfs.compact_bytes_per_second", SETTING_BYTES, "16m",
     "Bytes of files that are merged in a second.", 1, (uint64_t)1 << 40},
    {"dfs.lease_ms", SETTING_MS, "60s",
     "Another may take over from a writer not heard of for so long.", 1, DURATION_MAX_MS},
    {"dfs.lease_hard_ms", SETTING_MS, "300s",
     "A writer not heard of for so long is gone.", 1, DURATION_MAX_MS},
    {"dfs.mutation_keep_ms", SETTING_MS, "10m",
     "How long results are kept for retries.", 1, DURATION_MAX_MS},
    {"dfs.mutations_max", SETTING_U64, "200000",
     "Most results kept for retries.", 1, 100000000},
    {"dfs.fences_max", SETTING_U64, "100000",
     "Most fenced outputs remembered.", 1, 100000000},
    {"dfs.heartbeat_interval_ms", SETTING_MS, "1s",
     "How long a heartbeat is held.", 1, LIMIT_WAIT_MS},
    {"dfs.stale_ms", SETTING_MS, "10s",
     "Silence after which a datanode is avoided.", 1, DURATION_MAX_MS},
    {"dfs.lost_ms", SETTING_MS, "30s",
     "Silence after which a datanode gets no work.", 1, DURATION_MAX_MS},
    {"dfs.rereplicate_ms", SETTING_MS, "120s",
     "Silence after which a datanode's blocks are copied.", 1, DURATION_MAX_MS},
    {"dfs.report_wait_ms", SETTING_MS, "10s",
     "A full report that did not come is asked for.", 1, DURATION_MAX_MS},
    {"dfs.report_interval_ms", SETTING_MS, "6h",
     "How often full reports are asked for.", 1, DURATION_MAX_MS},
    {"dfs.safe_mode_ppm", SETTING_U64, "999000",
     "Blocks per million with a replica that end safe mode.", 0, 1000000},
    {"dfs.repair_start_ms", SETTING_MS, "30s",
     "From the end of safe mode to the first copy.", 0, DURATION_MAX_MS},
    {"dfs.repair_retry_ms", SETTING_MS, "5s",
     "Blocks that no datanode could take are tried again.", 1, DURATION_MAX_MS},
    {"dfs.maintenance_min_replicas", SETTING_U64, "1",
     "Replicas a block keeps elsewhere while a datanode is in maintenance.", 0, LIMIT_REPLICAS},
    {"dfs.repair_bytes_per_second", SETTING_BYTES, "1g",
     "What copies of all datanodes may take together; 0: no limit.", 0, RATE_MAX},
    {"dfs.repair_node_bytes_per_second", SETTING_BYTES, "256m",
     "What copies may take from, and to, each datanode; 0: no limit.", 0, RATE_MAX},
    {"dfs.slow_factor", SETTING_U64, "5",
     "A datanode slower than so often the median is slow; 0: none is.", 0, 1000000},
    {"dfs.slow_floor_us", SETTING_U64, "50000",
     "Microseconds below which nothing is slow.", 0, UINT32_MAX},
    {"dfs.slow_samples_min", SETTING_U64, "20",
     "Reads or writes of which a percentile says something.", 1, UINT32_MAX},
    {"dfs.slow_keep_ms", SETTING_MS, "60s",
     "A datanode is slow for so long after it was last seen to be.", 1, DURATION_MAX_MS},
    {"dfs.balance", SETTING_BOOL, "true",
     "Move replicas from fuller datanodes to emptier ones.", 0, 0},
    {"dfs.balance_threshold_ppm", SETTING_U64, "100000",
     "How far a datanode's use may be from the mean, of a million.", 1, 1000000},
    {"dfs.balance_bytes_per_second", SETTING_BYTES, "64m",
     "What moves of all datanodes may take together; 0: no limit.", 0, RATE_MAX},
    {"dfs.copies_per_node", SETTING_U64, "2",
     "Copies a datanode sends, and takes, at a time.", 1, 1000},
    {"dfs.copy_timeout_ms", SETTING_MS, "120s",
     "A copy that did not arrive is tried again.", 1, DURATION_MAX_MS},
    {"dfs.pipeline_wait_ms", SETTING_MS, "10s",
     "For replicas beyond min_replicas of a new block.", 1, DURATION_MAX_MS},
    {"dfs.unknown_grace_ms", SETTING_MS, "60s",
     "From the report of a block of no file to its deletion.", 1, DURATION_MAX_MS},
    {"dfs.delete_retry_ms", SETTING_MS, "60s",
     "A deletion not confirmed is told again.", 1, DURATION_MAX_MS},
    {"dfs.deletes_per_heartbeat", SETTING_U64, "1000",
     "Deletions in one answer.", 1, LIMIT_COMMANDS_PER_HEARTBEAT},
};
/* clang-format on */
const size_t namenode_setting_count =
    sizeof(namenode_setting_rows) / sizeof(namenode_setting_rows[0]);

static uint32_t number_of(const struct settings *from, const char *name)
{
    uint64_t value = settings_u64(from, name);
    CHECK(value <= UINT32_MAX); /* bounded by its row */
    return (uint32_t)value;
}

static void read_sizes(const struct settings *from, struct namenode_settings *to)
{
    to->replication = number_of(from, "dfs.replication");
    to->replication_max = number_of(from, "dfs.replication_max");
    to->min_replicas = number_of(from, "dfs.min_replicas");
    to->block_size = settings_bytes(from, "dfs.block_size");
    to->block_size_min = settings_bytes(from, "dfs.block_size_min");
    to->block_size_max = settings_bytes(from, "dfs.block_size_max");
    to->blocks_per_file_max = number_of(from, "dfs.blocks_per_file_max");
    to->inodes_max = settings_u64(from, "dfs.inodes_max");
    to->release_max = (uint32_t)settings_u64(from, "dfs.release_max");
    to->list_limit = number_of(from, "dfs.list_limit");
    to->compact_runs = number_of(from, "dfs.compact_runs");
    to->compact_bytes_per_second = settings_bytes(from, "dfs.compact_bytes_per_second");
    to->ids_reserved = settings_u64(from, "dfs.ids_reserved");
    to->mutations_max = settings_u64(from, "dfs.mutations_max");
    to->fences_max = settings_u64(from, "dfs.fences_max");
    to->safe_mode_ppm = number_of(from, "dfs.safe_mode_ppm");
    to->maintenance_min_replicas = number_of(from, "dfs.maintenance_min_replicas");
    to->repair_bytes_per_second = settings_bytes(from, "dfs.repair_bytes_per_second");
    to->repair_node_bytes_per_second = settings_bytes(from, "dfs.repair_node_bytes_per_second");
    to->slow_factor = number_of(from, "dfs.slow_factor");
    to->slow_floor_us = settings_u64(from, "dfs.slow_floor_us");
    to->slow_samples_min = settings_u64(from, "dfs.slow_samples_min");
    to->balance = settings_bool(from, "dfs.balance");
    to->balance_threshold_ppm = settings_u64(from, "dfs.balance_threshold_ppm");
    to->balance_bytes_per_second = settings_bytes(from, "dfs.balance_bytes_per_second");
    to->copies_per_node = number_of(from, "dfs.copies_per_node");
    to->deletes_per_heartbeat = number_of(from, "dfs.deletes_per_heartbeat");
}

static void read_durations(const struct settings *from, struct namenode_settings *to)
{
    to->access_time_precision_ms = settings_ms(from, "dfs.access_time_precision_ms");
    to->block_token_ms = settings_ms(from, "dfs.block_token_ms");
    to->trash_keep_ms = settings_ms(from, "dfs.trash_keep_ms");
    to->trash_checkpoint_ms = settings_ms(from, "dfs.trash_checkpoint_ms");
    to->lease_ms = settings_ms(from, "dfs.lease_ms");
    to->lease_hard_ms = settings_ms(from, "dfs.lease_hard_ms");
    to->mutation_keep_ms = settings_ms(from, "dfs.mutation_keep_ms");
    to->heartbeat_interval_ms = settings_ms(from, "dfs.heartbeat_interval_ms");
    to->stale_ms = settings_ms(from, "dfs.stale_ms");
    to->lost_ms = settings_ms(from, "dfs.lost_ms");
    to->rereplicate_ms = settings_ms(from, "dfs.rereplicate_ms");
    to->report_wait_ms = settings_ms(from, "dfs.report_wait_ms");
    to->report_interval_ms = settings_ms(from, "dfs.report_interval_ms");
    to->repair_start_ms = settings_ms(from, "dfs.repair_start_ms");
    to->repair_retry_ms = settings_ms(from, "dfs.repair_retry_ms");
    to->copy_timeout_ms = settings_ms(from, "dfs.copy_timeout_ms");
    to->pipeline_wait_ms = settings_ms(from, "dfs.pipeline_wait_ms");
    to->unknown_grace_ms = settings_ms(from, "dfs.unknown_grace_ms");
    to->slow_keep_ms = settings_ms(from, "dfs.slow_keep_ms");
    to->delete_retry_ms = settings_ms(from, "dfs.delete_retry_ms");
}

void namenode_settings_read(const struct settings *from,
                            struct arena *arena,
                            struct namenode_settings *ret_settings)
{
    *ret_settings = (struct namenode_settings){0};
    read_sizes(from, ret_settings);
    read_durations(from, ret_settings);
    ret_settings->supergroup = slice_from_string(settings_string(from, "dfs.supergroup"));
    ret_settings->rack_table = slice_from_string(settings_string(from, "dfs.rack_table"));
    ret_settings->rack_script = slice_from_string(settings_string(from, "dfs.rack_script"));
    ret_settings->superuser = slice_from_string(settings_string(from, "dfs.superuser"));
    if (ret_settings->superuser.length == 0) {
        ret_settings->superuser = slice_from_string(host_user_name(arena, host_uid()));
    }
}
