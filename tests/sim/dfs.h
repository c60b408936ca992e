/*
 * dfs.h - the simulated filesystem: one namenode, datanodes on racks with disks of real bytes,
 * clients that do anything a client may do, faults drawn by the seed, and a model that says what
 * must have happened. The design is docs/simulation.md.
 */
#ifndef MILLRACE_TESTS_SIM_DFS_H
#define MILLRACE_TESTS_SIM_DFS_H

#include "dfs/datanode/core/datanode.h"
#include "lib/model/block.h"
#include "tests/sim/model.h"
#include "tests/sim/world.h"

enum {
    DFS_NODES_MAX = 8,
    DFS_VOLUMES = 2, /* disks of a datanode */
    DFS_CLIENTS = 4,
    DFS_BLOCK_BYTES = 48, /* of a block at most */
    DFS_BLOCKS_MAX = 5,   /* of a file that a client writes */
    DFS_REPLICATION = 3,
    DFS_MIN_REPLICAS = 2,
    DFS_LEASE_MS = 5000,
    DFS_LEASE_HARD_MS = 12000,
    DFS_ACCESS_MS = 3000,
    DFS_FAULTS_MS = 60000,  /* faults come in this time */
    DFS_LIMIT_MS = 300000,  /* in peace, everything must be well after this */
    DFS_RETRY_MS = 300,     /* of a client */
    DFS_GIVE_UP_MS = 25000, /* a client tries one call for so long */
    DFS_CALL_MS = 5000,
    DFS_LATE_MS = 10000, /* no message is later */
    DFS_TRASH_KEEP_MS = 15000,
    DFS_TRASH_ROLL_MS = 7000,
    DFS_EXIT_REFUSED = 8, /* of a datanode that the namenode does not take */
    DFS_ADMIN_HOST = DFS_NODES_MAX,
    DFS_CLIENT_HOST = DFS_NODES_MAX + 1, /* of the first client that runs beside no datanode */
    DFS_SPARE_HOST = DFS_CLIENT_HOST + DFS_CLIENTS, /* of what should not be there */
    DFS_PATH_MAX = 96,
    /* Seed S + DFS_PLAIN_SEEDS is what S was before the features that a plan draws last. */
    DFS_PLAIN_SEEDS = 1000000000
};

/* Faults planted by hand; docs/simulation.md says how each is made and what finds it. */
enum dfs_bug {
    BUG_RECORD_LOST = BUG_OF_DFS, /* a rename is not journaled */
    BUG_IDS_REUSED,               /* the range of ids handed out is not journaled */
    BUG_RESULTS_FORGOTTEN,        /* results of mutations do not survive a restart */
    BUG_OLD_SESSION,              /* reports of a datanode's earlier session are believed */
    BUG_CORRUPT_IS_GOOD,          /* a corrupt replica goes on counting */
    BUG_TRIMS_ALL,                /* where one replica is surplus, all are deleted */
    BUG_ZOMBIE_SEALS,             /* a writer that lost its lease is let in again */
    BUG_LEASE_ENDLESS,            /* leases of dead writers are renewed */
    BUG_LEASE_ON_WALL,            /* the namenode's timers follow the wall clock */
    BUG_WIPED_COUNTS,             /* an empty report of a node does not take its replicas away */
    BUG_EARLY_REPLACE,            /* an overwritten file goes when the new one is begun */
    BUG_SAFE_MODE_EARLY,          /* safe mode ends before the blocks are found */
    BUG_ACK_BEFORE_SYNC,          /* a datanode confirms what is not on its disk */
    BUG_SERVES_UNVERIFIED,        /* a datanode serves and copies without looking */
    BUG_SYNC_RETRIED,             /* a sync that failed is believed the second time */
    BUG_SEALS_ONE,                /* a writer claims two synced replicas when it has one */
    BUG_DELETE_FORGOTTEN,         /* orders to delete are lost, and believed to be done */
    BUG_SAFE_MODE_IGNORED,        /* safe mode that was entered by hand stops nothing */
    BUG_RENEWAL_UNHEARD,          /* who renews its lease loses it all the same */
    BUG_UNDER_WAY_IS_FREE,        /* a quota does not count blocks that are being written */
    BUG_TRASH_AGES,               /* after a restart a checkpoint is as old as its name says */
    BUG_MOVE_DELETES_FIRST,       /* the old replica of a move goes before the new one is there */
    BUG_MERGE_UNCONFIRMED,        /* a merge that was ordered is believed to be done */
    BUG_COPY_ADMITTED,            /* a copy of a datanode that runs is taken for it */
    BUG_STRANGER_ADMITTED,        /* another cluster's datanode is let in */
    BUG_RACKS_IGNORED,            /* all datanodes seem to be in one rack */
    BUG_RACKS_OLD,                /* a refresh finds the rack table of the start */
    BUG_DRAINED_AT_ONCE,          /* a datanode may be switched off as soon as somebody says so */
    BUG_TAIL_LOST,                /* behind an older checkpoint only the newest records are read */
    BUG_NEVER_WRITTEN_BACK,       /* what was confirmed from memory stays there */
    BUG_DFS_END
};

/* A replica as it is on a disk: header and bytes, each of which may rot. */
struct disk_block {
    struct dfs_block_info info;
    uint8_t bytes[DFS_BLOCK_BYTES];
    uint32_t volume;
    bool is_synced; /* survives a power loss */
    bool is_cached; /* confirmed from memory, as its file wanted; on its way to the disk */
    bool is_quarantined;
    bool is_unreadable;
};

struct disk {
    uint32_t node; /* whose folder it is: an index of dfs_sim.datanodes */
    uint64_t node_id;
    struct map_u64 *blocks[DFS_VOLUMES]; /* id to struct disk_block */
    bool is_failed[DFS_VOLUMES];         /* until the next start */
    uint64_t positions[DFS_VOLUMES];     /* of the scrubber; 0: none was saved */
    uint64_t cluster_id;
    uint64_t incarnation;
    uint64_t next_transfer;
    struct map_u64 *transfers; /* running, by number */
    int64_t full_until_ms;
    bool fails_next_sync;
    bool is_gone;    /* the node never comes back */
    int64_t slow_ms; /* each thing its disk does takes up to this longer */
    int64_t up_since_ms;
};

/* What the writers wrote, by block id: what readers must get. */
struct content {
    uint32_t length;
    uint8_t bytes[DFS_BLOCK_BYTES];
};

/* How often something happened; a run of many seeds must have seen all of it. */
/* clang-format off */
#define DFS_COUNTER_LIST(X) \
  X(namenode_crashes) X(checkpoints) X(datanode_crashes) X(power_losses) X(wipes) \
  X(rots) X(syncs_failed) X(volumes_failed) X(full_disks) X(pauses) X(partitions) \
  X(clock_jumps) X(writers_died) X(zombies) X(zombies_refused) X(leases_ended) \
  X(takeovers) X(stale_sessions) X(answered_again) X(safe_mode_refusals) \
  X(files_completed) X(files_abandoned) X(blocks_sealed) X(files_read) X(renames) \
  X(deletes) X(appends) X(concats) X(quota_refusals) X(decommissions) X(denials) \
  X(corrupt_seen) X(false_alarms) X(unacknowledged) X(copies) X(merges) X(moves) \
  X(safe_modes_by_hand) X(trash_rolls) X(trash_expiries) X(folders_copied) X(copies_won) \
  X(strangers) X(old_disks) X(refused) X(rack_outages) X(rack_moves) X(switched_off) \
  X(older_checkpoints) X(unsynced_files) X(unsynced_lost)

/* clang-format on */

struct dfs_counters {
#define DFS_COUNTER_FIELD(name) uint64_t name;
    DFS_COUNTER_LIST(DFS_COUNTER_FIELD)
#undef DFS_COUNTER_FIELD
};

struct dfs_plan {
    uint32_t nodes;        /* 5..DFS_NODES_MAX */
    uint32_t racks;        /* 2..3 */
    uint32_t crash_weight; /* of each kind of fault, 0..3: swarm testing */
    uint32_t namenode_weight;
    uint32_t power_weight;
    uint32_t partition_weight;
    uint32_t destroy_weight; /* rot, wiped and lost disks */
    uint32_t disk_weight;    /* full, slow, failing syncs */
    uint32_t pause_weight;
    uint32_t clock_weight;
    uint32_t admin_weight;
    int64_t gap_ms;
    uint32_t zombie_ppm; /* of writes: the writer is paused beyond its lease */
    uint32_t death_ppm;
    uint32_t flip_ppm; /* of transfers: a bit flips on the way */
    /* Features: most seeds have few of them. */
    uint32_t identity_weight; /* copied, foreign and old disks */
    uint32_t rack_weight;     /* a rack that is gone for a while, a datanode that moves */
    uint32_t safe_weight;     /* safe mode by hand */
    bool has_trash;
    bool has_rack_table;
    bool retires;            /* who is decommissioned is switched off for good */
    uint32_t replicated_ppm; /* of files: they need not be synced */
    uint32_t rotten_ppm;     /* of the namenode's starts: its newest checkpoint is */
};

struct dfs_sim {
    struct dfs_plan plan;
    struct process *namenode;
    struct process *datanodes[DFS_NODES_MAX];
    struct process *clients[DFS_CLIENTS];
    struct process *admin;
    struct model *model;
    struct map_u64 *contents; /* block id to struct content */
    struct map_u64 *reads;    /* running, by number */
    uint64_t next_read;
    struct dfs_counters counters;
    bool is_peace;
    int64_t peace_ms;
    int64_t destroyed_ms;
    bool is_healthy;         /* as the namenode last said */
    int64_t healthy_ms;      /* when it said so */
    uint32_t destroyed_node; /* whose disk; DFS_NODES_MAX: none */
    int64_t namenode_up_ms;
    uint64_t moved_blocks;             /* by the balancer, in this life of the namenode */
    bool is_served[DFS_NODES_MAX];     /* in peace: the namenode has it in service */
    uint64_t sessions[DFS_NODES_MAX];  /* of the datanodes, as registered last */
    struct map_u64 *seen_blocks;       /* reported in this life of the namenode: id to the sim */
    uint32_t racks[DFS_NODES_MAX + 1]; /* where each datanode is; the last: a stranger */
    uint64_t rack_version;             /* grows when one moves */
    bool is_refreshed;                 /* the namenode has read where */
    bool is_safe_left;                 /* in peace: it is not in safe mode by hand */
    int64_t served_ms[DFS_NODES_MAX];  /* of the last order that may put it back in service */
    bool is_left_by_hand;              /* safe mode, in this life of the namenode */
    bool is_power_loss;                /* while crashes are struck: they lose caches for certain */
    struct process *asker;             /* in the end */
    struct process *copy;              /* of a datanode's folder; NULL: none was made */
    struct process *stranger;          /* another cluster's datanode */
    struct disk *backup;               /* an older image of a datanode's disks */
    struct map_u64 *power_lost; /* block id to the sim: a cached replica went with its node */
    struct dfs_rules *rules;    /* dfs_rules.c */
    struct dfs_checkpoints *checkpoints; /* dfs_journal.c */
    struct dfs_planted *planted;         /* dfs_bugs.c */
};

/* Runs one seed; false when it failed, and then world->failure says why. */
bool dfs_run(struct world *world, struct dfs_counters *ret_counters);

/* dfs_nodes.c: the machines and what their shells would do. */
void dfs_nodes_start(struct world *world);
void dfs_nodes_free(struct world *world);
void dfs_namenode_restart(struct world *world, struct process *process);
void dfs_datanode_restart(struct world *world, struct process *process);
struct disk *dfs_disk(const struct process *datanode);
uint64_t dfs_node_id(const struct process *datanode);
struct process *dfs_node_by_id(const struct world *world, uint64_t node_id);
bool disk_block_is_good(const struct disk_block *block);
/* On a disk that has not failed, in service rather than quarantined. NULL: none. */
struct disk_block *disk_find(const struct disk *disk, uint64_t block_id);
struct disk_block *disk_find_on(const struct disk *disk, uint32_t volume, uint64_t block_id);

struct disk_cursor {
    uint32_t volume;
    size_t at;
};

/* The next replica on any disk, failed ones included; a zeroed cursor begins. NULL: the end. */
struct disk_block *disk_next(const struct disk *disk, struct disk_cursor *cursor);
size_t disk_count(const struct disk *disk);
void disk_put(struct disk *disk, struct disk_block *block);
void disk_drop(struct disk *disk, uint32_t volume, uint64_t block_id);
/* Good and synced replicas on nodes that are up or may come back. */
size_t dfs_good_replicas(const struct world *world, const struct model_block *block);

/* The same, on any disk or in memory, ones that have failed included; of others than except. */
size_t dfs_held_replicas(const struct world *world,
                         const struct model_block *block,
                         const struct process *except);
struct process *dfs_datanode_new(
    struct world *world, uint32_t number, uint32_t host, uint32_t node, uint64_t node_id);
void dfs_disk_clear(struct disk *disk);
void dfs_disk_free(struct disk *disk);
/* In the namenode's words; struct rack table text on the namenode's disk. */
struct slice dfs_rack_table(struct world *world, bool is_first);

/* dfs_journal.c: the namenode's records, its checkpoints, and one that rots. */
void dfs_journal_open(struct world *world);
void dfs_journal_close(struct world *world);
/* Replaces the journal by a snapshot of the running machine; the one before is kept. */
void dfs_checkpoint(struct world *world);
/* Before the namenode starts: what it will find. */
void dfs_journal_find(struct world *world);

/* dfs_data.c: blocks from clients and datanodes to datanodes, and back. */
typedef void dfs_sent_function(struct world *world,
                               struct process *sender,
                               uint64_t tag,
                               const uint64_t *node_ids,
                               size_t count);
/*
 * Sends a block to the datanodes at targets; done is called once, with the ids of the nodes that
 * confirmed it, unless the sender crashes. Never calls done from inside.
 */
void dfs_send(struct world *world,
              struct process *sender,
              const struct dfs_block_info *block,
              const uint8_t *bytes,
              const struct endpoint *targets,
              size_t targets_count,
              enum dfs_durability durability,
              dfs_sent_function *done,
              uint64_t tag);
void dfs_answer_receive(struct world *world,
                        struct process *datanode,
                        const struct datanode_answer *answer);
void dfs_transfers_end(struct world *world, struct process *datanode);
/* Writes several blocks, one after the other, as one new one, and ends the datanode's effect. */
void dfs_merge(struct world *world,
               struct process *datanode,
               uint64_t tag,
               const struct dfs_datanode_command *command);
/* bytes: NULL when status is not OK. */
typedef void dfs_read_function(struct world *world,
                               struct process *reader,
                               uint64_t tag,
                               enum status status,
                               const uint8_t *bytes,
                               uint64_t length);
void dfs_read(struct world *world,
              struct process *reader,
              uint64_t node_id,
              uint64_t block_id,
              dfs_read_function *done,
              uint64_t tag);

/* dfs_tokens.c: tokens of blocks, held against what their holders would do with them. */
struct namenode;
void dfs_tokens_begin(struct namenode *namenode);
void dfs_token_check(struct world *world,
                     struct slice token,
                     uint64_t block_id,
                     enum block_mode mode,
                     struct slice user);

/* dfs_watch.c: holds the namenode's steps against the model. */
void dfs_watch_open(struct world *world);
void dfs_watch_close(struct world *world);
void dfs_watch_namenode(struct world *world,
                        struct process *process,
                        const struct event *event,
                        const struct actions *actions,
                        bool is_durable);
void dfs_watch_restarted(struct world *world);
/* The namenode's whole state against the model. */
void dfs_watch_compare(struct world *world);
/* A client was told OK. */
void dfs_watch_acknowledged(struct world *world,
                            uint64_t client_id,
                            uint64_t request_id,
                            enum method method);

/* dfs_rules.c: what holds between the namenode's steps and what is on the disks. */
void dfs_rules_open(struct world *world);
void dfs_rules_close(struct world *world);
void dfs_rules_restarted(struct world *world);
/* Before and after the model has taken the step. */
void dfs_rules_before(struct world *world,
                      const struct event *event,
                      const struct actions *actions);
void dfs_rules_after(struct world *world, const struct event *event, const struct actions *actions);
/* I2: enough of the nodes named have the block, except for what was destroyed. */
void dfs_rules_sealed(struct world *world, const struct dfs_seal_block_request *request);
void dfs_rules_merged(struct world *world, const struct model_block *merged);
const struct model_block *dfs_sealed_block(const struct world *world, uint64_t block_id);

/* dfs_identity.c: datanodes that are not who they say. */
void dfs_fault_identity(struct world *world);
/* Whether a copied folder and its original are still both running. */
bool dfs_identity_is_open(const struct world *world);
/* The namenode knows this process as the datanode from now on. */
void dfs_identity_registered(struct world *world, struct slice address, uint64_t node_id);
void dfs_identity_peace(struct world *world);
void dfs_identity_free(struct world *world);

/* dfs_bugs.c: what planted bugs do to events on their way in and to actions on their way out. */
void dfs_bugs_open(struct world *world);
void dfs_bugs_close(struct world *world);
/* How far the namenode's monotonic clock is ahead of the world's. */
int64_t dfs_bugs_shift_ms(const struct world *world);
/* True: another event is to be stepped first, into the same actions. */
bool dfs_bugs_event_before(struct world *world,
                           const struct event *event,
                           struct event *ret_before,
                           struct arena *arena);
void dfs_bugs_event(struct world *world, struct event *event, struct arena *arena);
void dfs_bugs_actions(struct world *world, const struct event *event, struct actions *actions);
bool dfs_bugs_keeps_record(struct world *world,
                           const struct process *process,
                           const struct event *event,
                           const struct action *record);

/* dfs_clients.c */
void dfs_clients_start(struct world *world);
/* A client's file is complete, as file_id: it must be what the client wrote. */
void dfs_clients_check(struct world *world,
                       uint64_t client_id,
                       uint64_t written_id,
                       uint64_t file_id);
/* path: DFS_PATH_MAX bytes; the root's is empty. */
void dfs_path_of(const struct model_node *node, char *path);
bool dfs_clients_are_idle(const struct world *world);
void dfs_clients_free(struct world *world);

/* dfs_admin.c */
void dfs_admin_start(struct world *world);
/* A datanode goes out of service, or comes back; in peace all do until the namenode has said OK. */
void dfs_admin_serve(struct world *world, uint32_t node, enum dfs_datanode_admin_action action);
void dfs_admin_safe_mode(struct world *world, enum dfs_safe_mode_action action);
void dfs_admin_refresh(struct world *world);
bool dfs_admin_is_done(const struct world *world);

/* dfs_faults.c */
bool dfs_may_destroy(struct world *world);
/* Notes that what is on node's disks is no promise for a while. */
void dfs_destroyed(struct world *world, uint32_t node);
void dfs_crash(struct world *world, struct process *process, int64_t down_ms);
int64_t dfs_draw_down_ms(struct world *world);
size_t dfs_count_gone(const struct world *world);
void dfs_plan_draw(struct world *world);
void dfs_faults_run(struct world *world);
void dfs_peace(struct world *world);

/* dfs_verify.c */
void dfs_verify(struct world *world);
/* Asks the namenode and waits; NULL: *ret_status says why not. The answer is the sim's until the
 * end. */
const void *dfs_ask(struct world *world,
                    enum method method,
                    const void *message,
                    enum status *ret_status);

/* dfs_fsck.c: I12, what the namenode says of every file, block and datanode against the disks. */
void dfs_fsck(struct world *world);
void dfs_run_until(struct world *world, int64_t until_ms);

#endif
