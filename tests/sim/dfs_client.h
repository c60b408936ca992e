/*
 * dfs_client.h - one client of the simulated filesystem, and what its files offer each other.
 */
#ifndef MILLRACE_TESTS_SIM_DFS_CLIENT_H
#define MILLRACE_TESTS_SIM_DFS_CLIENT_H

#include "tests/sim/dfs.h"

enum {
    RENEW_TAG = 1,
    FIRST_TAG = 2,
    READ_ROUNDS = 3,
    BLOCK_TRIES = 6
};

enum write_step {
    WRITE_CREATE,
    WRITE_ADD,
    WRITE_SEND,
    WRITE_SEAL,
    WRITE_COMPLETE,
    WRITE_ABANDON
};

struct write {
    enum write_step step;
    uint64_t file_id;
    uint32_t min_replicas;
    uint64_t block_id;
    uint64_t abandoned_id;
    uint64_t excluded_id;
    uint32_t blocks;
    uint32_t block;
    uint32_t tries;
    bool will_abandon;
    bool is_append;
    uint64_t kept_length; /* of the file that is appended to */
    struct content content[DFS_BLOCKS_MAX];
    uint64_t synced[DFS_NODES_MAX];
    size_t synced_count;
    struct endpoint targets[DFS_NODES_MAX];
    size_t targets_count;
};

struct get {
    const struct dfs_get_blocks_response *blocks; /* in the client's arena */
    size_t block;
    size_t replica;
    uint32_t round;
    char path[DFS_PATH_MAX];
};

struct client {
    uint64_t client_id;
    uint64_t next_request_id;
    struct arena *arena; /* of the current call's request, and of what is read */
    enum method method;
    const void *message;
    uint64_t request_id; /* 0: a read */
    uint64_t tag;
    int64_t deadline_ms;
    bool is_idle;
    bool is_writing;
    bool is_paused;
    bool was_zombie;
    uint32_t setup; /* calls of the first client that are still to be made */
    struct write write;
    struct get get;
};

/* dfs_clients.c */
struct client *dfs_client_of(const struct process *process);
bool dfs_client_is_passing(enum status status);
/* request_id: of message; 0 for a read. */
void dfs_client_call(struct world *world,
                     struct process *process,
                     enum method method,
                     uint64_t request_id,
                     const void *message);
/* What the client was doing is over, one way or the other. */
void dfs_client_done(struct world *world, struct process *process);
void dfs_client_random_path(struct world *world, char *path);
/* Something that is there more often than not. */
void dfs_client_likely_path(struct world *world, char *path, enum dfs_file_kind kind);

/* dfs_writer.c */
void dfs_write_create(struct world *world, struct process *process);
void dfs_write_append(struct world *world, struct process *process);
void dfs_write_answered(struct world *world,
                        struct process *process,
                        enum status status,
                        const void *message);
/* Renews the client's lease again and again. */
void dfs_write_renew(struct world *world, struct process *process, uint64_t tag);

/* dfs_calls.c */
void dfs_get_file(struct world *world, struct process *process, const char *path);
void dfs_get_answered(struct world *world,
                      struct process *process,
                      enum status status,
                      const void *message);
/* Any call but those of writing a file; the answer needs no care. */
void dfs_call_any(struct world *world, struct process *process, const char *path);
/* Puts path into somebody's trash, or makes it again. */
void dfs_call_trash(struct world *world, struct process *process, const char *path);
void dfs_call_setup(struct world *world, struct process *process);

#endif
