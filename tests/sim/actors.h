/*
 * actors.h - what clients and tasks share: one call at a time, and writing a file block by block.
 */
#ifndef MILLRACE_TESTS_SIM_ACTORS_H
#define MILLRACE_TESTS_SIM_ACTORS_H

#include "tests/sim/scenario.h"

enum {
    PUT_BLOCKS_MAX = 8
};

enum put_phase {
    PUT_CREATE,
    PUT_ADD,
    PUT_SEND,
    PUT_SEAL,
    PUT_COMPLETE,
    PUT_DONE
};

struct put;
typedef void put_done_function(struct world *world, struct process *process);

/* One file on its way. Any failure that is not passing starts it again from the beginning. */
struct put {
    enum put_phase phase;
    char path[128];
    uint32_t blocks;
    uint32_t crc[PUT_BLOCKS_MAX];
    uint32_t block; /* the current one */
    uint64_t client_id;
    uint64_t request_id; /* of the current call */
    uint64_t *next_request_id;
    uint64_t file_id;
    uint64_t block_id;
    uint64_t abandoned_id;
    uint64_t synced[WORLD_HOSTS];
    size_t synced_count;
    uint64_t excluded[1]; /* a node that just failed, sometimes */
    size_t excluded_count;
    put_done_function *done;
};

/* An actor's first member. */
struct actor {
    struct put put;
    uint64_t next_request_id;
    bool is_putting;
};

bool status_is_passing(enum status status);
void put_start(struct world *world,
               struct process *process,
               const char *path,
               const uint32_t *crc,
               uint32_t blocks,
               put_done_function *done);
void put_answered(struct world *world,
                  struct process *process,
                  enum status status,
                  const void *message);
uint64_t actor_client_id(const struct process *process);

/* tasks.c */
void task_state_free(struct process *process);

#endif
