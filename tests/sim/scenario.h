/*
 * scenario.h - what happens in the simulated cluster: processes on four hosts, clients that write
 * files and submit jobs, faults for a while, then peace, in which everything must come to its end.
 */
#ifndef MILLRACE_TESTS_SIM_SCENARIO_H
#define MILLRACE_TESTS_SIM_SCENARIO_H

#include "tests/sim/world.h"

enum {
    SCENARIO_BLOCK_BYTES = 1000,
    SCENARIO_FAULTS_MS = 60000,  /* faults come in this time */
    SCENARIO_LIMIT_MS = 1800000, /* in peace, everything must be over by then */
    SCENARIO_FILES_MAX = 64,
    SCENARIO_JOBS = 2,
    SCENARIO_TASKS_MAX = 16 /* of a job and kind */
};

/* A block on a datanode's disk. */
struct stored_block {
    struct dfs_block_info info;
    bool is_corrupt;
};

struct datanode_disk {
    struct map_u64 *blocks; /* id to struct stored_block */
    uint64_t cluster_id;
    uint64_t incarnation;
    uint64_t next_transfer;
    struct map_u64 *transfers; /* running, by number, to struct transfer */
};

/* What a client was told to be durable. */
struct known_file {
    char path[64];
    uint64_t length;
    uint32_t crc32c; /* of its only block, or the sum of all */
    bool is_known;   /* the completion was acknowledged */
    bool is_gone;    /* a deletion was asked for */
    bool is_certain; /* its being gone was acknowledged */
};

struct job_plan {
    struct app_id app;
    bool is_submitted;
    bool is_over;
    enum rm_final_status final_status;
    struct slice diagnostics;
    uint32_t maps;
    uint32_t reduces;
    char input[64];
    char output[64];
    char staging[64];
};

/* What the masters of a job wrote, and what must follow from it. */
struct job_journal {
    struct master_batch *batches; /* in the order of writing */
    size_t count;
    size_t capacity;
    uint32_t
        read_by; /* the newest master that has read; what older ones write now, nobody need know */

    struct {
        bool is_durable; /* finished, and the next master can know it */
        uint32_t host;   /* of a map's output */
    } tasks[2][SCENARIO_TASKS_MAX];
};

struct scenario {
    struct process *namenode;
    struct process *rm;
    struct process *datanodes[WORLD_HOSTS];
    struct process *nodemgrs[WORLD_HOSTS];
    struct process *writer;
    struct process *submitter;
    struct map *outputs; /* "host/app/map_attempt" of map outputs on the hosts' disks */
    struct known_file files[SCENARIO_FILES_MAX];
    size_t files_count;
    struct job_plan jobs[SCENARIO_JOBS];
    struct job_journal journals[SCENARIO_JOBS]; /* by application sequence - 1 */
    uint32_t tasks_started;
    uint32_t masters_started;
    uint32_t crashes;
    bool is_peace;
    bool writer_is_done;
};

/* Runs one seed; false when it failed, and then world->failure says why. */
bool scenario_run(struct world *world);

/* machines.c: the daemons' machines and what their shells would do. */
void machines_start(struct world *world);
void machines_free(struct world *world);
/*
 * Sends a block to the datanodes at targets; done is called once, with the ids of the nodes that
 * have it, unless the sender crashes.
 */
typedef void block_sent_function(struct world *world,
                                 struct process *sender,
                                 uint64_t tag,
                                 const uint64_t *node_ids,
                                 size_t count);
void block_send(struct world *world,
                struct process *sender,
                const struct dfs_block_info *block,
                const struct endpoint *targets,
                size_t targets_count,
                block_sent_function *done,
                uint64_t tag);
struct datanode_disk *datanode_disk(const struct process *datanode);
struct slice scenario_outputs_key(
    struct arena *arena, uint32_t host, uint32_t app, uint32_t map, uint32_t attempt);

/* journals.c: the masters' journals, and SIM-5. */
struct am_master_journal;
void scenario_journal_append(struct world *world,
                             struct process *master,
                             uint64_t tag,
                             const struct am_master_journal *batch);
void scenario_journal_read(struct world *world, struct process *master, uint64_t tag);
void scenario_journals_free(struct world *world);
/* An attempt is given to a process: fails the run when the task's success is durable. */
void scenario_attempt_begins(struct world *world, const struct attempt_id *attempt);
/* A reduce could not fetch it, or its host is troubled: it may be run again. */
void scenario_output_doubted(struct world *world, uint32_t app_sequence, uint32_t map);
void scenario_outputs_doubted(struct world *world, uint32_t host);

/* actors.c: clients and tasks. */
void clients_start(struct world *world);
/* A task process on a host; returns it. */
struct process *task_start(struct world *world,
                           uint32_t host,
                           const struct container_id *container,
                           struct slice master_address,
                           struct process *nodemgr);
void actors_free(struct world *world);
uint32_t scenario_input_crc(uint32_t job, uint64_t offset);
uint32_t scenario_map_crc(uint32_t input_crc, uint32_t partition);
uint32_t scenario_mix(uint32_t left, uint32_t right);

/* verify.c: what must hold when all is over. */
bool verify_quiet(struct world *world); /* true when everything has come to its end */
void verify_end(struct world *world);

#endif
