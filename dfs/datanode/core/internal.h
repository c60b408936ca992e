/*
 * internal.h - what the files of the datanode's machine share. Private to dfs/datanode/core.
 */
#ifndef MILLRACE_DFS_DATANODE_CORE_INTERNAL_H
#define MILLRACE_DFS_DATANODE_CORE_INTERNAL_H

#include "dfs/datanode/core/datanode.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/base/rng.h"
#include "lib/model/limits.h"

enum {
    DATANODE_COPIES_WAITING_MAX = 4096, /* commands beyond are dropped; the namenode asks again */
    DATANODE_REASON_BYTES = 160,        /* of a failed copy; a longer one is cut */
    DATANODE_TRANSFERS_MAX = 1024       /* bound of the two settings that limit parallel work */
};

#define DATANODE_NEVER INT64_MAX

/* One disk, or one folder that is taken for one. volumes.c. */
struct volume {
    int state; /* enum dfs_volume_state; changed by volume_apply only */
    uint32_t index;
    struct slice directory; /* in the machine's arena, as is failure */
    struct slice failure;   /* why it FAILED */
    uint64_t volume_bytes;  /* as measured last */
    uint64_t volume_free_bytes;
    uint64_t used_bytes;
    uint64_t reserved_bytes;
    uint64_t block_count; /* good replicas */
    uint32_t bad_reads;
    int64_t space_due_ms;
    uint64_t space_tag;     /* of the measurement that runs; 0: none */
    struct list scrub_list; /* its good replicas, longest unverified first */
    uint64_t position;      /* of the scrubber: the block it has verified last */
    bool is_position_new;   /* it is not on the disk */
    uint64_t position_tag;  /* it is being written; 0: it is not */
    int64_t position_due_ms;
    struct dfs_latency_report latency;
};

/* What the namenode has acknowledged about a replica in this session. */
enum replica_known {
    KNOWN_NOTHING,
    KNOWN_GOOD,
    KNOWN_CORRUPT
};

struct replica {
    struct dfs_block_info block;
    struct volume *volume;
    int state; /* enum datanode_replica_state; changed by datanode_replica_apply only */
    enum replica_known known;
    uint64_t transfer;       /* RECEIVING: the shell's number */
    uint64_t copy_tag;       /* COPYING: of the effect */
    uint64_t report_serial;  /* the last full report that listed it */
    int64_t verified_ms;     /* when its bytes were last seen to be right */
    uint64_t quarantine_tag; /* CORRUPT: its files are being moved; 0: they are not */
    bool is_delete_wanted;   /* CORRUPT: delete when they have been moved */
    bool is_found;           /* it was here when the datanode was started */
    struct list_node in_replicas;
    struct list_node in_scrub; /* of its volume; SEALED and COPYING only */
};

enum change_kind {
    CHANGE_RECEIVED,
    CHANGE_DELETED,
    CHANGE_CORRUPT
};

/* What the namenode is still to be told about a block. */
struct change {
    enum change_kind kind;
    struct dfs_block_info block;
    struct list_node in_list;
};

/* A copy or merge that came to nothing, which the namenode is still to be told. */
struct failure {
    struct dfs_failed_work work; /* its text is reason */
    char reason[DATANODE_REASON_BYTES];
    struct list_node in_list;
};

struct verified {
    uint64_t block_id;
    struct list_node in_list;
};

struct copy_job {
    uint64_t tag;                         /* 0 while it waits */
    uint64_t block_id;                    /* of a merge: the new one */
    struct dfs_datanode_command *command; /* in arena */
    struct arena *arena;
    struct list_node in_list;
    struct copy_job *next; /* asked for meanwhile: the same block to other datanodes */
};

/* One kind of call to the namenode, of which at most one is in flight. */
struct lane {
    uint64_t tag;   /* of the call in flight; 0: none */
    int64_t due_ms; /* not to be sent before */
    uint32_t failures;
};

enum effect_use {
    USE_COPY,
    USE_MERGE,
    USE_DELETE,
    USE_QUARANTINE,
    USE_SCRUB,
    USE_SAVE_POSITION,
    USE_VERIFY,
    USE_SAVE_IDENTITY,
    USE_MEASURE,
    USE_FIND
};

/* An effect that has not been answered. */
struct pending {
    enum effect_use use;
    uint64_t block_id;
    uint32_t volume;
};

struct datanode {
    struct datanode_settings settings; /* strings in arena */
    struct arena *arena;
    struct rng rng;
    int64_t now_ms;
    uint64_t next_tag;
    bool is_started;
    bool is_stopping;

    struct map_u64 *replicas; /* block id to struct replica */
    struct list replica_list; /* in the order they came */
    uint64_t reserved_bytes;
    uint64_t used_bytes;
    uint32_t receives;
    uint64_t corrupt_count;

    struct volume volumes[DATANODE_VOLUMES_MAX];
    uint32_t volumes_count;
    uint32_t volumes_failed;
    struct dfs_latency_report latency;
    struct dfs_peer_latency *peers; /* in peers_arena */
    size_t peers_count;
    struct arena *peers_arena;

    struct map_u64 *pending; /* tag to struct pending */
    struct list copies_waiting;
    struct list copies_running;
    struct map_u64 *copy_jobs; /* block id to its first struct copy_job, waiting or running */

    char namenode_address[LIMIT_ADDRESS_BYTES + 1]; /* as it was found last */
    bool is_namenode_fixed;                         /* by the settings */
    int registration;                               /* enum datanode_registration_state */
    uint64_t session;
    uint64_t cluster_id;
    uint64_t saving_cluster_id;
    int64_t heartbeat_interval_ms;
    struct lane register_lane;
    struct lane heartbeat_lane;
    struct lane report_lane;
    struct lane changes_lane;
    uint64_t report_serial;
    uint32_t report_part;
    bool report_is_last;           /* the part in flight is the last */
    struct list_node *report_next; /* first replica not yet in a part; NULL: at the end */

    struct list changes_waiting;
    struct list changes_sent;
    struct map_u64 *change_by_block; /* waiting ones only */
    struct list verified_waiting;    /* of struct verified: good after all */
    struct list verified_sent;
    struct list failures_waiting;
    struct list failures_sent;

    struct list verifies; /* verify.c: those that wait */
    uint64_t verify_tag;
    uint64_t scrub_tag;
    int64_t scrub_due_ms;
    uint32_t scrub_turn; /* the volume that is asked first for something to read */
    uint64_t blocks_scrubbed;
};

/* What a row's action works on. */
struct datanode_context {
    struct datanode *datanode;
    struct actions *actions;
};

uint64_t datanode_next_tag(struct datanode *datanode);
/* Appends an effect that will be answered. */
uint64_t datanode_ask_effect(struct datanode *datanode,
                             struct actions *actions,
                             enum effect_use use,
                             uint64_t block_id,
                             uint32_t volume,
                             enum datanode_effect effect,
                             const void *data);

/* --- volumes.c ---------------------------------------------------------------------------------
 */
void datanode_volumes_open(struct datanode *datanode, const struct datanode_settings *settings);
struct volume *datanode_volume_get(struct datanode *datanode, uint32_t index);
/* What a writer may still get, and what there is in all. */
uint64_t datanode_free_bytes(const struct datanode *datanode);
uint64_t datanode_capacity_bytes(const struct datanode *datanode);
/* True when one has been measured, or none is left to be. */
bool datanode_volumes_are_known(const struct datanode *datanode);
/* NULL: none has so much room. */
struct volume *datanode_volume_choose(struct datanode *datanode, uint64_t bytes);
void datanode_volume_adjust(struct volume *volume, uint64_t more_bytes, uint64_t less_bytes);
void datanode_volume_measured(struct datanode *datanode,
                              struct actions *actions,
                              uint32_t index,
                              const struct event *event);
/* Retires it, with all its replicas; nothing happens when it has failed before. */
void datanode_volume_fail(struct datanode *datanode,
                          struct actions *actions,
                          struct volume *volume,
                          struct slice why);
/* A write found it full, whatever was measured last. */
void datanode_volume_is_full(struct datanode *datanode,
                             struct actions *actions,
                             struct volume *volume);
/* One more of its blocks could not be read. */
void datanode_volume_bad_read(struct datanode *datanode,
                              struct actions *actions,
                              struct volume *volume);
void datanode_latencies_told(struct datanode *datanode, const struct datanode_latencies *told);
void datanode_volumes_pump(struct datanode *datanode, struct actions *actions);
int64_t datanode_volumes_deadline_ms(const struct datanode *datanode);
void datanode_volumes_check(const struct datanode *datanode);

/* --- replicas.c --------------------------------------------------------------------------------
 */
struct replica *datanode_replica_get(const struct datanode *datanode, uint64_t block_id);
bool datanode_replica_is_good(const struct replica *replica);
void datanode_replicas_found(struct datanode *datanode,
                             struct actions *actions,
                             const struct datanode_found *found);
void datanode_receive_asked(struct datanode *datanode,
                            struct actions *actions,
                            const struct datanode_receive *receive);
void datanode_receive_done(struct datanode *datanode,
                           struct actions *actions,
                           const struct datanode_received *received);
/*
 * Takes a replica out of service; nothing happens unless it is in service on that volume.
 * is_unreadable: counts against the volume.
 */
void datanode_replica_is_bad(struct datanode *datanode,
                             struct actions *actions,
                             uint64_t block_id,
                             uint32_t volume,
                             bool is_unreadable);
/* Lets go of all that was on it. */
void datanode_replicas_lose_volume(struct datanode *datanode,
                                   struct actions *actions,
                                   struct volume *volume);
void datanode_replica_copy_started(struct datanode *datanode,
                                   struct actions *actions,
                                   struct replica *replica,
                                   uint64_t tag);
/* tag: of the copy; a replica that has changed since then is left alone. */
void datanode_replica_copy_ended(struct datanode *datanode,
                                 struct actions *actions,
                                 uint64_t block_id,
                                 uint64_t tag);
void datanode_delete_asked(struct datanode *datanode, struct actions *actions, uint64_t block_id);
void datanode_delete_done(struct datanode *datanode,
                          struct actions *actions,
                          uint64_t block_id,
                          const struct event *event);
void datanode_quarantine_done(struct datanode *datanode,
                              struct actions *actions,
                              uint64_t block_id,
                              const struct event *event);
void datanode_replicas_check(const struct datanode *datanode);
void datanode_replicas_close(struct datanode *datanode);

/* --- work.c: copies, effects that run, deadlines
 * ------------------------------------------------------
 */
void datanode_copy_asked(struct datanode *datanode,
                         struct actions *actions,
                         const struct dfs_datanode_command *command);
void datanode_merge_asked(struct datanode *datanode,
                          struct actions *actions,
                          const struct dfs_datanode_command *command);
void datanode_effect_done(struct datanode *datanode,
                          struct actions *actions,
                          const struct event *event);
void datanode_work_pump(struct datanode *datanode, struct actions *actions);
int64_t datanode_work_deadline_ms(const struct datanode *datanode);
void datanode_work_check(const struct datanode *datanode);
void datanode_work_close(struct datanode *datanode);

/* --- scrub.c: the scrubber
 * ------------------------------------------------------------------------
 */
/* What was found, in the order of the ids; from arena. */
const struct dfs_block_info *datanode_scrub_sort(const struct datanode_found *found,
                                                 struct arena *arena);
/* The volume's replicas have been listed in that order: turns the list to where the pass goes on.
 */
void datanode_scrub_begin(struct datanode *datanode,
                          struct volume *volume,
                          const struct datanode_found *found);
void datanode_scrub_start(struct datanode *datanode);
/* An orderly stop: has what is new written. */
void datanode_scrub_stop(struct datanode *datanode, struct actions *actions);
void datanode_scrub_pump(struct datanode *datanode, struct actions *actions);
int64_t datanode_scrub_deadline_ms(const struct datanode *datanode);
void datanode_scrub_done(struct datanode *datanode,
                         struct actions *actions,
                         uint64_t block_id,
                         uint32_t volume,
                         const struct event *event);
void datanode_scrub_position_saved(struct datanode *datanode,
                                   struct actions *actions,
                                   uint32_t index,
                                   const struct event *event);

/* --- verify.c: replicas that somebody says are bad -----------------------------------------------
 */
void datanode_verify_asked(struct datanode *datanode, uint64_t block_id);
void datanode_verify_pump(struct datanode *datanode, struct actions *actions);
void datanode_verify_done(struct datanode *datanode,
                          struct actions *actions,
                          uint64_t block_id,
                          uint32_t volume,
                          const struct event *event);
void datanode_verify_close(struct datanode *datanode);

/* --- session.c ----------------------------------------------------------------------------------
 */
void datanode_session_response(struct datanode *datanode,
                               struct actions *actions,
                               const struct event *event);
void datanode_namenode_found(struct datanode *datanode,
                             struct actions *actions,
                             const struct event *event);
void datanode_identity_saved(struct datanode *datanode,
                             struct actions *actions,
                             enum status status);
void datanode_session_pump(struct datanode *datanode, struct actions *actions);
int64_t datanode_session_deadline_ms(const struct datanode *datanode);
/* A replica is about to be freed: no list of the session may point to it. */
void datanode_session_forget_replica(struct datanode *datanode, const struct replica *replica);

/* --- changes.c: what is not yet acknowledged ----------------------------------------------------
 */
void datanode_change_note(struct datanode *datanode,
                          enum change_kind kind,
                          struct dfs_block_info block);
/* One too many waiting is dropped: the namenode then waits as long as for one that is silent. */
void datanode_failure_note(struct datanode *datanode,
                           struct actions *actions,
                           const struct dfs_failed_work *work);
/* The namenode asked for it, and the replica is good. */
void datanode_verified_note(struct datanode *datanode, uint64_t block_id);
bool datanode_changes_are_waiting(const struct datanode *datanode);
/* Moves up to the maximum to the sent list and fills in the lists, from the arena. */
void datanode_changes_take(struct datanode *datanode,
                           struct arena *arena,
                           struct dfs_block_changes_request *ret_request);
void datanode_changes_acknowledged(struct datanode *datanode);
/* The call failed: what was sent waits again, unless something newer is known of the block. */
void datanode_changes_failed(struct datanode *datanode);
/* A new session begins with a full report, which says all of it. */
void datanode_changes_drop(struct datanode *datanode);
void datanode_changes_check(const struct datanode *datanode);

#endif
