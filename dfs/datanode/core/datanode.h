/*
 * datanode.h - the datanode's machine: which blocks are here, what the namenode knows of them, and
 * what is to be copied, deleted or verified next.
 *
 * Owns the replica table, the session with the namenode and the queues between them. Bytes never
 * come here: the shell streams them and tells the machine before (may it begin?) and after (how did
 * it end?).
 *
 * Invariants (datanode_check):
 *   DN-1  a replica is announced to the namenode only after it is on disk (SEALED), and every
 * change of SEALED, CORRUPT or gone that the namenode has not acknowledged is queued, in flight, or
 * covered by a full report that is still to be finished; DN-2  bytes reserved = the sum of the
 * lengths of RECEIVING replicas, and a block is let in only on a volume whose free - reserved -
 * reserve covers it; DN-3  at most copies_max copies and merges run, a copy begun from a SEALED
 * replica, at most one for a block; DN-4  a CORRUPT replica is never offered, copied or scrubbed,
 * and leaves only by deletion; DN-5  at most one heartbeat, one registration, one report part and
 * one list of changes are in flight, and none of the last two without a session; DN-6  nothing is
 * announced before the node's cluster id is on disk; DN-7  used bytes = the sum of the lengths of
 * all replicas that are on disk, for each volume and for all of them; DN-8  a FAILED volume never
 * leaves that state, takes no block, and holds no replica but those that are still RECEIVING or
 * DELETING.
 *
 * States: docs/states/datanode_replica.dot, datanode_registration.dot, datanode_volume.dot. Called
 * from one thread.
 * Source: DESIGN of blocks in docs/protocols/data-plane.md; GFS (SOSP'03) 5.2 for checks and
 * scrubbing; the fsync study (ATC'20) for "a volume whose sync failed is not trusted again".
 */
#ifndef MILLRACE_DFS_DATANODE_CORE_DATANODE_H
#define MILLRACE_DFS_DATANODE_CORE_DATANODE_H

#include "lib/base/transition.h"
#include "lib/model/machine.h"

struct datanode;

/* X(constant, name): the states of a replica, in the order of its life */
#define DATANODE_REPLICA_STATE_LIST(X)                                                             \
 X(REPLICA_RECEIVING, "RECEIVING") /* let in; bytes are streaming into incoming/ */                \
 X(REPLICA_SEALED, "SEALED")       /* on disk, synced, verified when it came */                    \
 X(REPLICA_COPYING, "COPYING")     /* SEALED, and being pushed to other nodes */                   \
 X(REPLICA_CORRUPT, "CORRUPT")     /* does not match its checksums; out of service */              \
 X(REPLICA_DELETING, "DELETING")   /* files are being removed */                                   \
 X(REPLICA_GONE, "GONE")           /* nothing is left; the object is freed in the same step */

enum datanode_replica_state {
#define REPLICA_STATE_ENUM(constant, name) constant,
    DATANODE_REPLICA_STATE_LIST(REPLICA_STATE_ENUM)
#undef REPLICA_STATE_ENUM
    REPLICA_STATE_COUNT
};

/* X(constant, name): the states of the session with the namenode */
#define DATANODE_REGISTRATION_STATE_LIST(X)                                                        \
 X(REGISTRATION_NONE, "NONE")           /* no session; waits for its back-off, or for the start */ \
 X(REGISTRATION_FINDING, "FINDING")     /* the namenode's address is being looked up */            \
 X(REGISTRATION_ASKED, "ASKED")         /* RegisterDatanode is in flight */                        \
 X(REGISTRATION_SAVING, "SAVING")       /* the cluster id is being written to disk */              \
 X(REGISTRATION_REPORTING, "REPORTING") /* parts of the full report are being sent */              \
 X(REGISTRATION_ACTIVE, "ACTIVE")       /* the namenode knows all that is here */                  \
 X(REGISTRATION_REFUSED, "REFUSED")     /* by another cluster; the process ends */

enum datanode_registration_state {
#define REGISTRATION_STATE_ENUM(constant, name) constant,
    DATANODE_REGISTRATION_STATE_LIST(REGISTRATION_STATE_ENUM)
#undef REGISTRATION_STATE_ENUM
    REGISTRATION_STATE_COUNT
};

/* The states of a volume are the protocol's: enum dfs_volume_state of lib/model/messages.h. */

/* For the tests that check and draw them (docs/states/). */
extern const struct transition_table datanode_replica_table;
extern const struct transition_table datanode_registration_table;
extern const struct transition_table datanode_volume_table;

enum {
    DATANODE_EXIT_REFUSED = 8, /* the process ends with it in REFUSED; docs/exit-codes.md */
    DATANODE_VOLUMES_MAX = 64
};

struct datanode_settings {
    struct endpoint node;          /* node_id not 0; strings are copied */
    uint64_t cluster_id;           /* from the VERSION file; 0: never registered */
    uint64_t incarnation;          /* grows with every start */
    struct slice namenode_address; /* "host:port", copied; empty: FIND_NAMENODE tells, each time */
    const struct slice *volumes;   /* their folders, copied; NULL: one without a name */
    size_t volumes_count;          /* up to DATANODE_VOLUMES_MAX; ignored without volumes */
    uint32_t bad_reads_max;        /* a volume with so many unreadable blocks fails; default 3 */
    uint64_t capacity_bytes;       /* what this node offers; 0: the size of its volumes */
    uint64_t reserve_bytes;        /* kept free on each volume; default 64 MiB */
    uint32_t copies_max;           /* copies at a time; default 4 */
    uint32_t receives_max;         /* blocks received at a time; default 64 */
    uint32_t report_part_blocks;   /* blocks in one part of a full report; default 10,000 */
    uint64_t scrub_bytes_per_second; /* background verification; 0: none; default 8 MiB/s */
    int64_t scrub_pause_ms;          /* a replica is not scrubbed again sooner; default 24 h */
    int64_t scrub_save_ms;           /* between two writes of a volume's position; default 5 min */
    int64_t call_timeout_ms;         /* one call to the namenode; default 10,000 */
    int64_t retry_min_ms;            /* first back-off; doubles; default 100 */
    int64_t retry_max_ms;            /* default 5,000 */
    int64_t space_interval_ms;       /* between two looks at a volume's free space; default 5,000 */
};

/* All defaults above; node, cluster_id, incarnation and namenode_address are left zero. */
void datanode_settings_default(struct datanode_settings *settings);

/* --- what only this machine's shell can do (ACTION_EFFECT), and what it answers ----------------
 */
enum datanode_effect {
    /* data: datanode_answer. Lets a receive begin, refuses it, or confirms its end. No answer. */
    DATANODE_EFFECT_ANSWER_RECEIVE,
    /* data: datanode_copy. Answer: datanode_copied; ERR_CORRUPT when the replica here is bad. */
    DATANODE_EFFECT_COPY_BLOCK,
    /* data: datanode_merge. Answer: datanode_copied, or nothing. A source here that is bad is told
     * by BLOCK_CORRUPT, too. */
    DATANODE_EFFECT_MERGE_BLOCKS,
    /* data: datanode_block. Removes the files wherever they are; nothing to remove is OK. */
    DATANODE_EFFECT_DELETE_BLOCK,
    /* data: datanode_block. Moves the files out of service, into corrupt/. */
    DATANODE_EFFECT_QUARANTINE_BLOCK,
    /* data: datanode_block. Reads and checks every chunk at scrub rate; ERR_CORRUPT when one is
     * bad. */
    DATANODE_EFFECT_SCRUB_BLOCK,
    /* data: datanode_position. Writes down how far the scrubber has come on the volume; need not be
     * synced. ERR_IO: the volume has failed; else it is written again later. */
    DATANODE_EFFECT_SAVE_POSITION,
    /* data: datanode_identity. Writes the VERSION file of every volume, synced. Those that cannot
     * be written are told by VOLUME_FAILED; OK when at least one could be. */
    DATANODE_EFFECT_SAVE_IDENTITY,
    /* data: datanode_volume. Answer: datanode_space; ERR_IO, ERR_NOT_FOUND: the volume is gone. */
    DATANODE_EFFECT_MEASURE_SPACE,
    /* no data. Answer: datanode_namenode. */
    DATANODE_EFFECT_FIND_NAMENODE,
    /* data: datanode_refusal. Tells a person why the process ends; ACTION_EXIT follows. No answer.
     */
    DATANODE_EFFECT_TELL_REFUSAL,
    /* data: datanode_volume. It has failed: nothing is read from it or written to it any more. A
     * person is told why. No answer. */
    DATANODE_EFFECT_RETIRE_VOLUME,
    DATANODE_EFFECT_COUNT
};

struct datanode_answer {
    uint64_t transfer;  /* the shell's number of this receive */
    enum status status; /* OK: go on, or, after its end, tell the writer so */
    struct slice text;  /* why not, for people */
    uint32_t volume;    /* OK before the first byte: where the block is to go */
};

struct datanode_copy {
    struct dfs_block_info block;
    uint32_t volume;
    const struct endpoint *targets; /* pipeline order */
    size_t targets_count;
    struct slice token; /* the namenode's word that they may have it */
};

struct datanode_merge {
    /* Its targets begin with this node, its sources have a node each and add up to its block. */
    const struct dfs_datanode_command *command;
};

struct datanode_copied {
    uint32_t synced_count; /* of the targets */
    /* Of a merge that failed: the source that could not be read, and whose; 0: none could not. */
    uint64_t bad_block_id;
    uint64_t bad_node_id;
};

struct datanode_block {
    struct dfs_block_info block;
    uint32_t volume;
    bool is_urgent;     /* SCRUB_BLOCK: not held back by the rate */
    bool is_unreadable; /* BLOCK_CORRUPT: the disk could not read it, instead of reading it wrong */
};

struct datanode_volume {
    uint32_t volume;
    struct slice text; /* why it fails */
};

struct datanode_position {
    uint32_t volume;
    uint64_t block_id; /* that was verified last; the next start goes on behind it */
};

struct datanode_identity {
    uint64_t cluster_id;
};

struct datanode_namenode {
    struct slice address; /* 1 to LIMIT_ADDRESS_BYTES bytes */
};

struct datanode_refusal {
    struct slice text;
};

struct datanode_space {
    uint64_t volume_bytes; /* size of the file system */
    uint64_t free_bytes;   /* available to this process */
};

/* --- what the shell sees by itself (EVENT_LOCAL) -----------------------------------------------
 */
enum datanode_local {
    /* data: datanode_found. Before EVENT_START only, for each volume: what its scan found. */
    DATANODE_LOCAL_BLOCKS_FOUND,
    /* data: datanode_receive. Somebody wants to send a block: answered by ANSWER_RECEIVE. */
    DATANODE_LOCAL_RECEIVE_ASKED,
    /* data: datanode_received. A receive that was let in has ended: answered by ANSWER_RECEIVE. */
    DATANODE_LOCAL_RECEIVE_DONE,
    /* data: datanode_block. A chunk did not match while it was served. */
    DATANODE_LOCAL_BLOCK_CORRUPT,
    /* data: datanode_volume. It cannot be used any more; also before EVENT_START. */
    DATANODE_LOCAL_VOLUME_FAILED,
    /* data: datanode_latencies. How long disks and peers took lately; now and then. */
    DATANODE_LOCAL_LATENCIES,
    DATANODE_LOCAL_COUNT
};

struct datanode_found {
    uint32_t volume;                     /* each block is named once in all volumes' lists */
    const struct dfs_block_info *blocks; /* whole, header checked */
    size_t blocks_count;
    const struct dfs_block_info *corrupt; /* quarantined, now or earlier */
    size_t corrupt_count;
    bool has_position; /* false: the scrubber begins its pass by lot */
    uint64_t position; /* as saved last; its block may be gone */
};

struct datanode_receive {
    uint64_t transfer;
    struct dfs_block_info block; /* as claimed by the sender */
};

struct datanode_received {
    uint64_t transfer;
    uint64_t block_id;
    enum status
        status; /* OK: in place and synced; ERR_IO: the disk failed; else the sender's fault */
    bool is_volume_failed; /* a write or sync failed: the volume is not to be trusted any more */
    struct slice text;
};

struct datanode_latencies {
    struct dfs_latency_report node;
    const struct dfs_latency_report *volumes; /* one for each */
    const struct dfs_peer_latency *peers;
    size_t peers_count;
};

/* --- the door (lib/model/machine.h) ------------------------------------------------------------
 */
/* ERR_INVALID when node_id is missing or a setting is out of range. */
MUST_USE enum status datanode_open(const struct datanode_settings *settings,
                                   uint64_t seed,
                                   struct datanode **ret_datanode);
void datanode_step(struct datanode *datanode,
                   const struct event *event,
                   struct actions *ret_actions);
int64_t datanode_deadline_ms(const struct datanode *datanode);
void datanode_check(const struct datanode *datanode);
void datanode_close(struct datanode *datanode);

/* --- looking in, for the status page, tests and the simulator ----------------------------------
 */
struct datanode_totals {
    enum datanode_registration_state registration;
    uint64_t cluster_id;
    uint64_t block_count; /* servable replicas */
    uint64_t corrupt_count;
    uint64_t used_bytes;
    uint64_t reserved_bytes;
    uint64_t free_bytes; /* what a writer may still get */
    uint32_t copies_running;
    uint32_t copies_waiting;
    uint64_t changes_waiting; /* not yet acknowledged by the namenode */
    uint64_t blocks_scrubbed;
    uint32_t volumes;
    uint32_t volumes_failed;
};

struct datanode_totals datanode_totals(const struct datanode *datanode);
/* One volume, as heartbeats tell of it; texts are borrowed. index: below totals.volumes. */
struct dfs_volume_info datanode_volume_info(const struct datanode *datanode, uint32_t index);
/* REPLICA_GONE when the block is not here. */
enum datanode_replica_state datanode_replica_state(const struct datanode *datanode,
                                                   uint64_t block_id);

#endif
