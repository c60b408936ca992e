/*
 * namenode_load.h - what the benches of the namenode share: names of files, datanodes that do not
 * exist, time and memory of this process.
 */
#ifndef MILLRACE_BENCH_NAMENODE_LOAD_H
#define MILLRACE_BENCH_NAMENODE_LOAD_H

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "dfs/namenode/core/namenode.h"

enum {
    LOAD_NODES = 3,
    LOAD_FILES_PER_DIRECTORY = 1000,
    LOAD_PATH_BYTES = 128,
    LOAD_HOUR_MS = 3600 * 1000
};

#define LOAD_NODE_BYTES  ((uint64_t)1 << 50)
#define LOAD_BLOCK_BYTES ((uint64_t)64 << 20)
#define LOAD_CLIENT      1

static inline double load_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Pages of this process in memory, in bytes. */
static inline uint64_t load_resident_bytes(void)
{
    unsigned long all = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    if (file != NULL)
        (void)fclose(file);
    return (uint64_t)resident * 4096;
}

static inline struct slice load_directory(char *buffer, uint64_t number)
{
    int length = snprintf(buffer, LOAD_PATH_BYTES, "/user/alice/data/%05" PRIu64,
                          number / LOAD_FILES_PER_DIRECTORY);
    return slice_make(buffer, (size_t)length);
}

static inline struct slice load_path(char *buffer, const char *name, uint64_t number)
{
    int length =
        snprintf(buffer, LOAD_PATH_BYTES, "/user/alice/data/%05" PRIu64 "/%s-%05" PRIu64,
                 number / LOAD_FILES_PER_DIRECTORY, name, number % LOAD_FILES_PER_DIRECTORY);
    return slice_make(buffer, (size_t)length);
}

/* Nobody goes stale while it is measured; else the defaults. */
static inline void load_settings(struct namenode_settings *settings)
{
    namenode_settings_default(settings);
    settings->superuser = slice_from_string("bench");
    settings->stale_ms = LOAD_HOUR_MS;
    settings->lost_ms = 2 * LOAD_HOUR_MS;
    settings->rereplicate_ms = 3 * LOAD_HOUR_MS;
}

static inline struct dfs_register_datanode_request load_register(uint64_t node)
{
    static const char *const hosts[LOAD_NODES] = {"host1", "host2", "host3"};
    static const char *const racks[LOAD_NODES] = {"/rack0", "/rack1", "/rack1"};
    static const char *const addresses[LOAD_NODES] = {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"};
    return (struct dfs_register_datanode_request){
        .node = {.node_id = node + 1,
                 .host = slice_from_string(hosts[node]),
                 .rack = slice_from_string(racks[node]),
                 .http_address = slice_from_string(addresses[node])},
        .incarnation = 1,
        .capacity_bytes = LOAD_NODE_BYTES,
    };
}

static inline struct dfs_datanode_heartbeat_request load_heartbeat(uint64_t node, uint64_t session)
{
    return (struct dfs_datanode_heartbeat_request){.node_id = node + 1,
                                                   .session = session,
                                                   .capacity_bytes = LOAD_NODE_BYTES,
                                                   .free_bytes = LOAD_NODE_BYTES};
}

#endif
