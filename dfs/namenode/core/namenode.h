/*
 * namenode.h - the namenode's machine: the namespace, which datanode holds which block, repair.
 *
 * It answers all calls of the services Namenode and DatanodeTracker (proto/dfs.proto). The
 * namespace is journaled (NamenodeFormat, InodePut, InodeAccessed, BlockSealed, InodeRemove,
 * BlockIdsReserved, FenceRaised, MutationDone, DatanodePut, DatanodeRemove, BalancerPut of
 * proto/journal.proto); where replicas are is not: datanodes report it. It makes no calls and has
 * no effects: datanodes get their commands as answers to held heartbeats. The door's contract is
 * lib/model/machine.h. States: docs/states/namenode_*.dot.
 *
 * Invariants, asserted by namenode_check:
 *   NN-1  Every inode but the root is listed by exactly one directory, its parent. A directory
 *         lists at most one installed inode and one file under construction per name, both only
 *         when the latter was created to overwrite, or to append, and the former is a file.
 *   NN-2  Ids of inodes and blocks are never used twice; none is above the reserved range.
 *   NN-3  A file's length is the sum of its sealed blocks; these come before its pending ones; an
 *         installed file has no pending block. A block belongs to exactly one file.
 *   NN-4  A file is under construction if and only if exactly one lease holds it.
 *   NN-5  A replica is listed by its block and by its node, and there is one per block and node.
 *   NN-6  The sums kept of parts (blocks by health, files, directories, bytes and copies expected
 *         on a node, live nodes of a rack, the tally's digest) equal what counting gives.
 *   NN-7  Once repair runs, a sealed block waits in the repair queue if and only if it needs a
 *         copy that is not under way.
 *   NN-8  In safe mode, also one entered by hand, no datanode is told to delete or copy anything.
 *   NN-9  A replica is given up (other than with its file) only while another good one exists.
 *   NN-10 No block with an id above the reserved range is ever deleted: its presence says that
 *         this namenode's journal is older than the data.
 *   NN-11 At most settings.mutations_max results are remembered, oldest forgotten first.
 *   NN-12 A datanode has at most one held heartbeat, and only while it is not given up.
 *   NN-13 Replicas on datanodes that are not in service count for no block's wanted number; those
 * in maintenance lower it, to maintenance_min_replicas at least.
 *   NN-14 No two datanodes that are not given up have one HTTP address.
 *   NN-21 The sums kept by a directory with a quota equal what counting below it gives.
 *   NN-22 A file that appends has the installed file of its name beside it, whose blocks it keeps a
 *         prefix of.
 *   NN-23 At most four merges of small blocks are under way, and a merged block is in no file until
 *         it replaces its sources.
 *   NN-24 A replica is suspect exactly while its datanode is to verify it; it is a stored one.
 *   NN-25 What is doomed (removed, and not yet freed) is reached by no path and no id.
 *
 * Promises of the calls, beside those in dfs.proto and docs/namespace.md:
 *   - Mutations need client_id and request_id (not 0, else ERR_INVALID). A repeated pair is
 *     answered with the remembered success, in safe mode, too; failures are not remembered.
 *     AddBlock and SealBlock are not journaled as results: the block itself tells a repetition.
 *   - In safe mode mutations are refused with ERR_SAFE_MODE (retry) and the reason; reads are
 *     answered. SetSafeMode enters and leaves it by hand; by hand it lasts, but not over a restart.
 *   - Paths are those of lib/model/path.h; doubled and trailing slashes are ignored. Else
 *     ERR_INVALID.
 *   - Permissions are POSIX's: x on every directory passed, w on the directory changed, r to read
 *     or list, the sticky bit. A recursive delete and a content summary need them on every
 *     directory below. permission 0 in a request means 0644 for a file, 0755 for a directory.
 *     Superusers (settings.superuser, "millrace", members of the supergroup) may do everything.
 *     A caller is in event.groups, or, when there are none, in the one named like himself. What he
 *     creates gets the group of its directory.
 *   - A file under construction is seen by GetStatus, ListStatus and GetBlocks (sealed blocks)
 *     unless it is to overwrite an older file or to append to it: then the older one is seen until
 *     Complete. Creating a path that is under construction is ERR_BUSY.
 *   - A lease not renewed for lease_hard_ms (any mutation of the client renews it, too) ends the
 *     client's files as Abandon would: a part never passes for the whole. After lease_ms another
 *     client that wants to write there ends them.
 *   - SealBlock wants blocks in the order in which AddBlock named them (else ERR_BAD_TRANSITION)
 *     and min_replicas of the block's targets, none of them lost or decommissioned (else
 * ERR_NO_NODES). A block named before a restart of the namenode is accepted when as many datanodes
 * have reported it with this length and checksum; else ERR_NOT_FOUND, and the client adds the block
 * again.
 *   - PublishOutput makes missing parents of the destination, like mkdir -p.
 *   - Calls of DatanodeTracker are for the superuser; an unknown node or an old session is
 *     ERR_STALE: register again. Another cluster's datanode is refused with ERR_INVALID.
 */
#ifndef MILLRACE_DFS_NAMENODE_CORE_NAMENODE_H
#define MILLRACE_DFS_NAMENODE_CORE_NAMENODE_H

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/base/transition.h"
#include "lib/model/block.h"
#include "lib/model/machine.h"

struct namenode;

#define NAMENODE_TRASH_MS_MAX ((int64_t)10 * 366 * 86400 * 1000)

/* Every field has a name "dfs.<field>" in configuration files, durations in ms. */
struct namenode_settings {
    struct slice superuser;   /* who runs the cluster; default "millrace" */
    struct slice supergroup;  /* group of the root directory; default "supergroup" */
    struct slice rack_table;  /* file that namenode_load_racks was given; empty: none */
    struct slice rack_script; /* program to be asked for racks of hosts; empty: none */
    uint32_t replication;     /* default of new files: 3 */
    uint32_t replication_max; /* at most, and by default, LIMIT_REPLICAS */
    uint32_t min_replicas; /* synced replicas that acknowledge a block: 2; clamped to replication */
    uint64_t block_size;   /* default of new files: 128 MiB */
    uint64_t block_size_min;      /* LIMIT_BLOCK_BYTES_MIN; lower for tests */
    uint64_t block_size_max;      /* LIMIT_BLOCK_BYTES */
    uint32_t blocks_per_file_max; /* LIMIT_BLOCKS_PER_FILE */
    uint64_t inodes_max;          /* 50,000,000 */
    uint32_t release_max;         /* inodes and blocks freed in one step; 1,000 */
    uint32_t list_limit;          /* entries in a page of ListStatus: LIMIT_LIST_PAGE */
    uint64_t ids_reserved;        /* ids taken per BlockIdsReserved record: 1,024 */

    int64_t access_time_precision_ms; /* between two journaled reads of a file: 3,600,000; 0: none
                                         is */
    int64_t trash_keep_ms;       /* age at which a checkpoint of the trash goes; 0, the default:
                                    trash is nothing special */
    int64_t trash_checkpoint_ms; /* how often Current becomes one; 0: each trash_keep_ms */
    uint32_t compact_runs;       /* so many small blocks at a file's end are merged: 16; 0: never */
    uint64_t compact_bytes_per_second; /* of files, by all merges: 16 MiB */
    int64_t lease_ms;         /* silence after which another client may take a file over: 60,000 */
    int64_t lease_hard_ms;    /* ... after which the namenode ends it: 300,000 */
    int64_t mutation_keep_ms; /* how long results are remembered: 600,000 */
    uint64_t mutations_max;   /* 200,000 */
    uint64_t fences_max;      /* fenced keys remembered: 100,000 */
    int64_t block_token_ms;   /* how long a reader or writer may use a block: 36,000,000 */
    int64_t heartbeat_interval_ms; /* how long a heartbeat is held: 1,000 */
    int64_t stale_ms;              /* silence after which a datanode is avoided: 10,000 */
    int64_t lost_ms;               /* ... after which it gets no work: 30,000 */
    int64_t rereplicate_ms; /* ... after which it is given up and its blocks are copied: 120,000 */
    int64_t report_wait_ms; /* a registered node without a full report is asked for one: 10,000 */
    int64_t report_interval_ms;        /* full reports are asked for this often: 21,600,000 */
    uint32_t safe_mode_ppm;            /* blocks of a million found that end safe mode: 999,000 */
    int64_t repair_start_ms;           /* from the end of safe mode to the first copy: 30,000 */
    int64_t repair_retry_ms;           /* blocks that no node could take are tried again: 5,000 */
    uint32_t maintenance_min_replicas; /* of a block on nodes in service while others are in
                                          maintenance: 1 */
    uint32_t slow_factor;      /* a node slower than so often the median is slow: 5; 0: none is */
    uint64_t slow_floor_us;    /* ... unless it is faster than this: 50,000 */
    uint64_t slow_samples_min; /* of a percentile that says something: 20 */
    int64_t slow_keep_ms;      /* slow for so long after it was last seen to be: 60,000 */
    uint64_t repair_bytes_per_second;      /* copies of all nodes: 1 GiB; 0: no limit */
    uint64_t repair_node_bytes_per_second; /* ... from a node, and to a node: 256 MiB; 0: none */
    bool balance;                          /* replicas are moved to emptier nodes: true */
    uint64_t balance_threshold_ppm;        /* when a node is so far from the mean use: 100,000 */
    uint64_t balance_bytes_per_second;     /* of all moves: 64 MiB; 0: no limit */
    uint32_t copies_per_node;              /* at once, as source and as target each: 2 */
    int64_t copy_timeout_ms;               /* 120,000 */
    int64_t pipeline_wait_ms; /* for replicas beyond min_replicas of a sealed block: 10,000 */
    int64_t unknown_grace_ms; /* from the report of a block of no file to its deletion: 60,000 */
    int64_t delete_retry_ms;  /* a deletion not confirmed is told again: 60,000 */
    uint32_t deletes_per_heartbeat; /* LIMIT_COMMANDS_PER_HEARTBEAT */
};

/* What this machine needs of its host beside effects: keys are not its business. */
struct namenode_signer {
    /* A token that says what grant says, from arena. It depends on grant alone, and is quick. */
    struct slice (*sign)(void *user, const struct block_grant *grant, struct arena *arena);
    void *user;
};

/* What the shell does; each is answered once. */
enum namenode_effect {
    NAMENODE_EFFECT_READ_RACKS, /* no data; answered with struct namenode_rack_text */
    NAMENODE_EFFECT_ASK_RACK,   /* struct namenode_rack_question; answered with ..._answer */
};

struct namenode_rack_text {
    struct slice text; /* the whole file settings.rack_table */
};

struct namenode_rack_question {
    struct slice host;
};

/* Also with a failure: the host names the question. */
struct namenode_rack_answer {
    struct slice host;
    struct slice rack;
};

/* All defaults as above. */
void namenode_settings_default(struct namenode_settings *ret_settings);
/*
 * The first rule that settings which may each be fine break together, as a sentence for people:
 * "dfs.lease_ms must be at most dfs.lease_hard_ms". NULL: they fit.
 */
const char *namenode_settings_complaint(const struct namenode_settings *settings);
/* Copies settings. ERR_INVALID when a number is out of range or there is a complaint. */
MUST_USE enum status namenode_open(const struct namenode_settings *settings,
                                   uint64_t seed,
                                   struct namenode **ret_namenode);
/*
 * Takes a rack table, before the first step: lines "host /rack" or "host:port /rack" (a datanode's
 * HTTP address, which wins), comments from # on. ERR_INVALID names the line.
 */
MUST_USE enum status namenode_load_racks(struct namenode *namenode,
                                         struct slice text,
                                         struct error *reterr_error);
/* Before the first step; copied. Without one, answers have no tokens of blocks. */
void namenode_set_signer(struct namenode *namenode, const struct namenode_signer *signer);
void namenode_step(struct namenode *namenode,
                   const struct event *event,
                   struct actions *ret_actions);
int64_t namenode_deadline_ms(const struct namenode *namenode);
void namenode_check(const struct namenode *namenode);
/* Appends records that rebuild the journaled state: format, ids, inodes parents first, fences,
 * results. */
void namenode_snapshot(const struct namenode *namenode, struct actions *ret_actions);
/*
 * Appends one line that sums up what the journal determines: counts, and a digest of the names and
 * of the sealed blocks. A machine that replayed the same records says the same. Quick. Nothing
 * while a part of a removed tree is still to be freed: what is left of it counts here.
 */
void namenode_tally(const struct namenode *namenode, struct buf *text);
/* True when the event's user is a superuser: for requests that the daemon answers by itself. */
bool namenode_may_administer(const struct namenode *namenode, const struct event *event);
void namenode_close(struct namenode *namenode);

/* The machine's state tables, for drawing; NULL beyond the last. */
const struct transition_table *namenode_table(size_t index);

#endif
