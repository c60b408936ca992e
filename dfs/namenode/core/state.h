/*
 * state.h - the namenode's tables, and what its files offer each other. Private to this folder.
 * Everything is owned by struct namenode and touched by its one thread only.
 */
#ifndef MILLRACE_DFS_NAMENODE_CORE_STATE_H
#define MILLRACE_DFS_NAMENODE_CORE_STATE_H

#include "dfs/namenode/core/bucket.h"
#include "dfs/namenode/core/care.h"
#include "dfs/namenode/core/extend.h"
#include "dfs/namenode/core/namenode.h"
#include "lib/base/arena.h"
#include "lib/base/heap.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/base/rng.h"
#include "lib/model/limits.h"

/* --- states (tables in states.c) ----------------------------------------------------- */

#define NAMENODE_MODE_LIST(X) X(MODE_REPLAY) X(MODE_SAFE) X(MODE_OPEN)
#define NAMENODE_MODE_EVENT_LIST(X)                                                                \
 X(MODE_STARTED) X(MODE_BLOCKS_FOUND) X(MODE_ENTERED) X(MODE_LEFT)
#define TRACKED_LIST(X)                                                                            \
 X(TRACKED_ABSENT) X(TRACKED_LIVE) X(TRACKED_STALE) X(TRACKED_LOST) X(TRACKED_GIVEN_UP)
#define TRACKED_EVENT_LIST(X)                                                                      \
 X(TRACKED_HEARD)                                                                                  \
 X(TRACKED_REGISTERED)                                                                             \
 X(TRACKED_SILENT) X(TRACKED_SILENT_LONG) X(TRACKED_SILENT_TOO_LONG) X(TRACKED_SUPERSEDED)
#define INODE_LIST(X)       X(INODE_WRITING) X(INODE_INSTALLED) X(INODE_REMOVED)
#define INODE_EVENT_LIST(X) X(INODE_INSTALL) X(INODE_ABANDON) X(INODE_REMOVE)
#define BLOCK_LIST(X)       X(BLOCK_PENDING) X(BLOCK_SEALED) X(BLOCK_FORGOTTEN)
#define BLOCK_EVENT_LIST(X) X(BLOCK_SEAL) X(BLOCK_ABANDON) X(BLOCK_REMOVE)
#define REPLICA_LIST(X)                                                                            \
 X(REPLICA_EXPECTED) X(REPLICA_STORED) X(REPLICA_CORRUPT) X(REPLICA_DELETING) X(REPLICA_GONE)
#define REPLICA_EVENT_LIST(X)                                                                      \
 X(REPLICA_ARRIVED) X(REPLICA_MISMATCHED) X(REPLICA_SURPLUS) X(REPLICA_REPLACED) X(REPLICA_DROPPED)

#define NAMENODE_ENUM(name) name,

enum namenode_mode {
    NAMENODE_MODE_LIST(NAMENODE_ENUM) NAMENODE_MODE_COUNT
};

enum namenode_mode_event {
    NAMENODE_MODE_EVENT_LIST(NAMENODE_ENUM) NAMENODE_MODE_EVENT_COUNT
};

enum tracked_state {
    TRACKED_LIST(NAMENODE_ENUM) TRACKED_STATE_COUNT
};

enum tracked_event {
    TRACKED_EVENT_LIST(NAMENODE_ENUM) TRACKED_EVENT_COUNT
};

enum inode_state {
    INODE_LIST(NAMENODE_ENUM) INODE_STATE_COUNT
};

enum inode_event {
    INODE_EVENT_LIST(NAMENODE_ENUM) INODE_EVENT_COUNT
};

enum block_state {
    BLOCK_LIST(NAMENODE_ENUM) BLOCK_STATE_COUNT
};

enum block_event {
    BLOCK_EVENT_LIST(NAMENODE_ENUM) BLOCK_EVENT_COUNT
};

enum replica_state {
    REPLICA_LIST(NAMENODE_ENUM) REPLICA_STATE_COUNT
};

enum replica_event {
    REPLICA_EVENT_LIST(NAMENODE_ENUM) REPLICA_EVENT_COUNT
};

#undef NAMENODE_ENUM

extern const struct transition_table namenode_mode_table;
extern const struct transition_table namenode_tracked_table;
extern const struct transition_table namenode_inode_table;
extern const struct transition_table namenode_block_table;
extern const struct transition_table namenode_replica_table;

/* Applies an event of our own making: CHECKs that a row fits. Returns the new state. */
int namenode_transition(const struct transition_table *table, int state, int event);

/* --- timers -------------------------------------------------------------------------- */

enum timer_kind {
    TIMER_HEARTBEAT, /* object: tracked node; its held heartbeat is due */
    TIMER_LIVENESS,  /* object: tracked node; its next degree of silence */
    TIMER_REPLICA,   /* object: replica; an expected one that did not arrive */
    TIMER_LEASE,     /* object: lease */
    TIMER_HOUSEKEEPING,
    TIMER_RELEASE, /* something is doomed */
    TIMER_REPAIR,  /* a rate allows copies again */
};

struct timer {
    struct heap_node node;
    enum timer_kind kind;
    void *object;
};

/* --- namespace ----------------------------------------------------------------------- */

/* What only few directories have. */
struct directory_extra {
    uint64_t name_quota; /* 0: none */
    uint64_t space_quota;
    uint64_t names; /* in use, while there is a quota: itself and everything below */
    uint64_t bytes;
    uint64_t trash_age_ms; /* of a trash checkpoint, up to when it was seen last */
    int64_t trash_seen_ms; /* 0: not yet by this process */
};

struct inode {
    uint64_t id;
    int state; /* enum inode_state */
    enum dfs_file_kind kind;
    struct inode *parent; /* NULL: the root */
    struct slice name;    /* owned */
    uint32_t permission;
    uint32_t replication;
    struct slice owner; /* interned */
    struct slice group; /* interned */
    uint64_t modified_ms;
    uint64_t accessed_ms;
    /* As a child: treap of the parent, ordered by name, then installed before writing. */
    struct inode *left;
    struct inode *right;
    uint64_t priority;
    /* A directory's. */
    struct inode *children;
    uint32_t child_count;
    uint32_t directory_count;      /* of child_count */
    uint32_t cut_count;            /* how often it was truncated */
    uint32_t keep_blocks;          /* of an appending file: blocks of the older one that stay */
    struct directory_extra *extra; /* NULL: nothing special */
    /* A file's. */
    uint64_t block_size;
    uint64_t length; /* of its sealed blocks */
    struct block **blocks;
    size_t block_count; /* sealed, then pending */
    size_t sealed_count;
    uint64_t add_request_id; /* of the newest AddBlock; while under construction, not journaled */
    size_t block_capacity;
    bool overwrite;
    uint8_t durability;  /* enum dfs_durability; while under construction */
    bool is_append;      /* its blocks are for the installed file of its name */
    struct lease *lease; /* NULL unless under construction */
    struct list_node in_lease;
};

/* From (directory, name) to inode. A zeroed one is empty. */
struct children {
    struct child_slot *slots;
    size_t capacity; /* a power of two */
    size_t count;
};

struct lease {
    uint64_t client_id;
    int64_t due_ms;
    struct timer timer;
    struct list files; /* of struct inode, INODE_WRITING */
};

/* --- blocks -------------------------------------------------------------------------- */

enum block_health {
    HEALTH_NONE, /* pending: nothing is promised yet */
    HEALTH_GOOD,
    HEALTH_UNDER,   /* fewer replicas than wanted */
    HEALTH_MISSING, /* no good replica */
    HEALTH_COUNT
};

struct block {
    uint64_t id;
    int state; /* enum block_state */
    enum block_health health;
    struct inode *file;
    uint64_t length; /* pending: expected */
    uint32_t crc32c;
    uint32_t index;      /* in file->blocks */
    uint64_t request_id; /* of the AddBlock that named it */
    bool was_seen;       /* counted for the end of safe mode */
    struct replica **replicas;
    size_t replica_count;
    size_t replica_capacity;
    struct heap_node in_queue; /* repair->queue */
    struct list_node in_parked;
};

/* Of a replica that is not there yet, or not judged yet: only while it is EXPECTED. */
struct arrival {
    uint64_t reserved_bytes;
    /* What the node reported while the block was pending. */
    bool was_reported;
    uint32_t reported_crc32c;
    uint64_t reported_length;
    struct tracked *source;       /* of a copy; NULL: written by a client */
    uint64_t replaces_node_id;    /* of a move for the balance: whose replica goes then; else 0 */
    struct list_node in_outgoing; /* source->outgoing until told */
    struct timer timer;           /* except for pending blocks */
};

/* Small: there are three to each block. */
struct replica {
    struct block *block;
    struct tracked *node;
    int state; /* enum replica_state */
    uint64_t since_step;
    uint64_t report;  /* the node's full report that named it last */
    bool is_expected; /* counted in the node's expected_bytes, expected_count; EXPECTED only */
    bool is_left;     /* counted in the node's left_count; STORED only */
    bool is_suspect;  /* in the node's suspects; STORED only */
    struct arrival *arrival;  /* NULL unless EXPECTED */
    struct list_node in_node; /* node->replicas */
};

/* --- datanodes ----------------------------------------------------------------------- */

struct rack {
    struct slice name; /* owned */
    size_t live_count; /* nodes LIVE or STALE, in service */
};

/* A block that a node was, or is to be, told to delete. */
struct deletion {
    uint64_t block_id;
    bool was_told;
    int64_t retry_ms;
    struct list_node in_node; /* tracked->deletions_waiting or deletions_told */
};

/* A block of no file that a node reported. */
struct unknown {
    struct tracked *node;
    struct dfs_block_info info;
    int64_t since_ms;
    uint64_t report;
    struct list_node in_unknown; /* namenode->unknown, oldest first */
};

/* A process that wants to be what another one is. */
struct rival {
    bool is_there;
    uint64_t node_id;
    uint64_t incarnation;
    uint32_t beats; /* of the node's own process since the rival first asked */
};

struct tracked {
    struct endpoint endpoint; /* strings owned; in the rack where the namenode sees it */
    struct slice said_rack;   /* owned; where the datanode sees itself */
    struct arena *strings;
    int state;           /* enum tracked_state */
    int service;         /* enum dfs_datanode_admin_state */
    uint64_t until_ms;   /* of maintenance, wall clock; 0: until told otherwise */
    uint64_t left_count; /* blocks that have too few replicas without this node's */
    uint64_t incarnation;
    uint64_t session;
    int64_t heard_ms;
    bool is_hung_up;    /* its connection broke since */
    bool is_superseded; /* another datanode is at its address */
    struct rival rival;
    struct rack *rack;
    uint64_t capacity_bytes;
    uint64_t used_bytes;
    uint64_t free_bytes;
    uint32_t transfers_active;
    struct dfs_latency_report latencies; /* as of the last heartbeat, as are volumes */
    struct dfs_volume_info *volumes;     /* in beat_strings, as are peers */
    size_t volume_count;
    struct dfs_peer_latency *peers;
    size_t peer_count;
    struct arena *beat_strings;
    bool is_slow;
    int64_t slow_until_ms;
    uint64_t expected_bytes; /* of EXPECTED replicas */
    uint32_t expected_count;
    uint32_t copies_in;      /* EXPECTED replicas here that have a source */
    uint32_t copies_out;     /* EXPECTED replicas elsewhere whose source this is */
    uint64_t leaving_bytes;  /* of moves under way from here */
    int64_t failed_until_ms; /* a copy to it failed lately: no moves to it before */
    struct bucket copied_in; /* rates of copies */
    struct bucket copied_out;
    struct list replicas;
    struct list outgoing; /* copies not yet told */
    struct list deletions_waiting;
    struct list deletions_told;
    struct list suspects_waiting;
    struct list suspects_told;
    struct map_u64 *suspects;  /* by block id: suspect.c */
    struct map_u64 *deletions; /* by block id */
    struct map_u64 *unknown;   /* by block id */
    /* Full report. */
    uint64_t report;        /* grows with each first part */
    uint64_t report_serial; /* the node's own number of it, in this session */
    uint64_t report_step;
    uint32_t report_next_part;
    bool is_reporting;
    bool has_reported; /* in this session, fully */
    bool has_surplus;  /* was silent when a replica too many was looked for */
    bool wants_report; /* a command is to ask for it */
    int64_t report_due_ms;
    /* Held heartbeat. */
    bool has_held;
    uint64_t held_call;
    struct timer held_timer;
    struct timer liveness_timer;
    struct list_node in_woken;
};

/* --- remembered results -------------------------------------------------------------- */

struct mutation {
    uint64_t client_id;
    uint64_t request_id;
    enum method method;
    uint64_t value;
    uint64_t wall_ms;
    int64_t known_ms; /* monotonic: when it was done, or read back at a start */
    struct list_node in_order;
};

struct fence {
    uint64_t epoch;
    bool is_published; /* by this or an earlier epoch */
    struct slice key;  /* owned */
    struct list_node in_order;
};

struct namenode {
    struct namenode_settings settings;
    struct rng rng;
    int mode; /* enum namenode_mode */
    uint64_t cluster_id;
    uint64_t reserved_up_to;
    uint64_t next_id;              /* above reserved_up_to: reserve first */
    uint64_t older_id;             /* ids up to here are of earlier incarnations */
    struct namenode_signer signer; /* sign NULL: no tokens of blocks */
    /* The step under way. */
    const struct event *event;
    struct actions *actions;
    int64_t now_ms;
    uint64_t wall_ms;
    uint64_t step;
    bool is_stopping;

    struct arena *interned;
    struct map *interned_names; /* to struct slice */
    struct inode *root;
    struct map_u64 *inodes;
    struct inode **doomed; /* taken out of the tree and not yet freed; tops */
    size_t doomed_count;
    size_t doomed_capacity;
    uint32_t release_left; /* inodes and blocks that this step may still free */
    struct timer release_timer;
    struct children installed;
    struct children writing; /* files under construction */
    uint64_t file_count;
    uint64_t directory_count;
    uint64_t digest;            /* of the tree and its sealed blocks: tally.c */
    uint64_t quota_count;       /* directories that have one */
    const struct inode *moving; /* is being moved, and counts as much; NULL: nothing */
    struct usage moving_usage;
    struct map_u64 *leases;          /* by client id */
    struct map_u64 *accessed;        /* files that were read since the last flush, by id */
    struct map_u64 *compact_waiting; /* by file id */
    struct map_u64 *merges;          /* by the merged block's id */
    int64_t compact_next_ms;
    int64_t trash_pass_ms; /* when the trash is looked at next, and when it is rolled */
    int64_t trash_roll_ms;

    struct map_u64 *blocks;
    uint64_t sealed_count;
    uint64_t health_counts[HEALTH_COUNT];
    uint64_t safe_total; /* sealed blocks when safe mode began */
    uint64_t safe_seen;
    bool is_safe_manual; /* safe mode was entered by hand, and is left by hand */

    struct map_u64 *nodes;
    struct map *racks;
    size_t live_rack_count;
    struct rack_table *rack_table; /* NULL: none */
    struct map *rack_answers;      /* by host, to struct slice, interned */
    struct map *rack_asks;         /* hosts the script was asked for */
    int64_t slow_check_ms;         /* when next */
    uint64_t refresh_call;         /* waits for the table; 0: none */
    struct list woken;
    struct list unknown;
    int64_t open_ms; /* when safe mode ended */

    bool is_repairing;
    bool has_repair_work; /* something changed since the last pass */
    struct heap repair_queue;
    struct list parked; /* blocks that no node could take */
    struct bucket repair_rate;
    struct list failures; /* of struct failure, oldest first: failures.c */
    struct map_u64 *failures_by_block;
    struct balancer balancer;
    struct timer repair_timer; /* a rate allows copies again */
    int64_t unpark_ms;

    struct map *mutations; /* (client, request) */
    struct list mutation_order;
    struct map *fences;
    struct list fence_order;

    struct heap timers;
    struct timer housekeeping;
};

/* --- namenode.c ---------------------------------------------------------------------- */

#define NAMENODE_TRACE(nn, ...) trace_emit((nn)->actions->trace, __VA_ARGS__)
void namenode_timer_set(struct namenode *nn, struct timer *timer, int64_t due_ms);
void namenode_timer_clear(struct namenode *nn, struct timer *timer);
/* A new id; journals a reservation when the range is used up. */
uint64_t namenode_new_id(struct namenode *nn);
void namenode_fail(struct namenode *nn, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void namenode_reply(struct namenode *nn, const void *response);
bool namenode_is_superuser(const struct namenode *nn, struct slice user);

/* --- tally.c ------------------------------------------------------------------------- */

/* What an inode that has its place in the tree adds to the digest. */
uint64_t namenode_tally_of_inode(const struct inode *inode);
/* What a sealed block adds. */
uint64_t namenode_tally_of_block(const struct block *block);

/* --- inode.c ------------------------------------------------------------------------- */

struct slice namenode_intern(struct namenode *nn, struct slice name);
struct inode *namenode_inode_new(struct namenode *nn, uint64_t id, enum dfs_file_kind kind);
/* Enters inode (state and name set) into parent; INODE_WRITING files into the lease of client_id.
 */
void namenode_inode_attach(struct namenode *nn, struct inode *inode, struct inode *parent);
void namenode_inode_detach(struct namenode *nn, struct inode *inode);
/* Gives inode (detached) a copy of name. */
void namenode_inode_set_name(struct inode *inode, struct slice name);
/*
 * Takes it with everything below out of the tree, at once, and frees it, its blocks too: of a large
 * tree a part in this step, the rest in later ones, in which it is *doomed*. Nobody may change what
 * is doomed, or journal anything of it.
 */
void namenode_inode_remove(struct namenode *nn, struct inode *inode);
/* Frees as much of what is doomed as this step still may. */
void namenode_release_run(struct namenode *nn);
/* At the end. */
void namenode_release_all(struct namenode *nn);
bool namenode_inode_is_doomed(const struct namenode *nn, const struct inode *inode);
/* NULL: there is none, or it is doomed. */
struct inode *namenode_inode_by_id(const struct namenode *nn, uint64_t id);
/* WRITING to INSTALLED at its place; the lease lets it go. Pending blocks must be gone. */
void namenode_inode_install(struct namenode *nn, struct inode *inode);
struct inode *namenode_inode_installed(const struct namenode *nn,
                                       const struct inode *parent,
                                       struct slice name);
struct inode *namenode_inode_writing(const struct namenode *nn,
                                     const struct inode *parent,
                                     struct slice name);
/* The next child after (name, is_writing); start with an empty name. NULL: no more. */
struct inode *namenode_inode_next_child(const struct inode *parent,
                                        struct slice name,
                                        bool is_writing);
/* Walks a subtree, directories before their children: start with inode == top; NULL: done. */
struct inode *namenode_inode_walk(const struct inode *top, const struct inode *inode);
/* The same, without what is below inode. */
struct inode *namenode_inode_walk_past(const struct inode *top, const struct inode *inode);
bool namenode_inode_is_below(const struct inode *inode, const struct inode *top);
bool namenode_inode_is_directory(const struct inode *inode);
struct slice namenode_inode_path(const struct inode *inode, struct arena *arena);
void namenode_inode_status(const struct inode *inode,
                           struct slice path,
                           struct dfs_file_status *ret_status);
/* modified_ms of a directory becomes the step's time, journaled. */
void namenode_inode_touch(struct namenode *nn, struct inode *directory);

/* --- children.c ------------------------------------------------------------------------ */

struct inode *namenode_children_get(const struct children *children,
                                    const struct inode *parent,
                                    struct slice name);
/* inode has its parent and name, and the pair is not in yet. */
void namenode_children_add(struct children *children, struct inode *inode);
/* inode still has its parent and name. */
void namenode_children_remove(struct children *children, const struct inode *inode);
void namenode_children_close(struct children *children);

/* --- path.c -------------------------------------------------------------------------- */

enum access_bits {
    ACCESS_EXECUTE = 1,
    ACCESS_WRITE = 2,
    ACCESS_READ = 4,
};

struct path {
    struct slice names[LIMIT_PATH_DEPTH];
    size_t count; /* 0: the root */
};

/* What a path leads to. Each step failed the request already when false is returned. */
struct target {
    struct inode *parent;    /* NULL for the root */
    struct slice name;       /* last component; empty for the root */
    struct inode *installed; /* NULL: none */
    struct inode *writing;   /* NULL: none */
    struct inode
        *deepest;   /* the deepest existing directory; parent unless components are missing */
    size_t missing; /* parent directories that do not exist, from deepest on */
    struct path path;
};

/*
 * Parses and walks path as the event's user; fails the call and returns false on an invalid path, a
 * file in the way, or a directory that may not be passed. Missing directories: allowed when
 * may_miss_parents, else ERR_NOT_FOUND.
 */
bool namenode_path_resolve(struct namenode *nn,
                           struct slice path,
                           bool may_miss_parents,
                           struct target *ret_target);
/* The same, and something must be there: installed or, if not, under construction. NULL: failed. */
struct inode *namenode_path_find(struct namenode *nn, struct slice path, struct target *ret_target);
/* The caller belongs to group; to the one of his own name when his groups are not known. */
bool namenode_access_is_member(const struct namenode *nn, struct slice group);
bool namenode_access_allows(const struct namenode *nn, const struct inode *inode, unsigned bits);
/* False and the call failed with ERR_DENIED when the user has not all bits. */
bool namenode_access_check(struct namenode *nn, const struct inode *inode, unsigned bits);
/* May the user take child out of its directory: w and x there, the sticky bit. */
bool namenode_access_check_removal(struct namenode *nn, const struct inode *child);
/* All bits on every directory from top down (for removal: only on those with children). */
bool namenode_access_check_below(struct namenode *nn,
                                 const struct inode *top,
                                 unsigned bits,
                                 bool only_filled);
/* Only the owner or the superuser. */
bool namenode_access_check_owner(struct namenode *nn, const struct inode *inode);

/* --- tree.c: calls that change the tree ---------------------------------------------- */

void namenode_mkdirs(struct namenode *nn, const struct dfs_mkdirs_request *request);
void namenode_rename(struct namenode *nn, const struct dfs_rename_request *request);
void namenode_delete(struct namenode *nn, const struct dfs_delete_request *request);
/* Makes the directories that target misses; returns the parent. The caller has checked access. */
struct inode *namenode_make_parents(struct namenode *nn,
                                    const struct target *target,
                                    uint32_t permission);
struct inode *namenode_make_directory(struct namenode *nn,
                                      struct inode *parent,
                                      struct slice name,
                                      uint32_t permission);
/* False and the call failed with ERR_LIMIT when so many inodes more do not fit. */
bool namenode_has_room(struct namenode *nn, size_t inodes);
/* Removes and journals it. */
void namenode_remove_journaled(struct namenode *nn, struct inode *inode);

/* --- read.c -------------------------------------------------------------------------- */

void namenode_get_status(struct namenode *nn, const struct dfs_get_status_request *request);
void namenode_list_status(struct namenode *nn, const struct dfs_list_status_request *request);
void namenode_get_blocks(struct namenode *nn, const struct dfs_get_blocks_request *request);
void namenode_content_summary(struct namenode *nn,
                              const struct dfs_content_summary_request *request);
void namenode_cluster_status(struct namenode *nn);
void namenode_datanode_info(const struct namenode *nn,
                            const struct tracked *node,
                            struct dfs_datanode_info *ret_info);

/* --- write.c ------------------------------------------------------------------------- */

void namenode_create(struct namenode *nn, const struct dfs_create_request *request);
/* False and the call failed: a newer client's. */
bool namenode_durability_is_valid(struct namenode *nn, enum dfs_durability durability);
void namenode_add_block(struct namenode *nn, const struct dfs_add_block_request *request);
void namenode_seal_block(struct namenode *nn, const struct dfs_seal_block_request *request);
uint32_t namenode_min_replicas(const struct namenode *nn, const struct inode *file);
void namenode_complete(struct namenode *nn, const struct dfs_complete_request *request);
void namenode_abandon(struct namenode *nn, const struct dfs_abandon_request *request);
void namenode_report_corrupt(struct namenode *nn, const struct dfs_report_corrupt_request *request);
/* Installs a file under construction in place of an older one, or adds its blocks to that;
 * journals. Returns what is installed then. */
struct inode *namenode_finish_file(struct namenode *nn, struct inode *file);
void namenode_reply_create(struct namenode *nn, uint64_t file_id);
void namenode_reply_complete(struct namenode *nn, uint64_t file_id);

/* --- lease.c ------------------------------------------------------------------------- */

void namenode_lease_add(struct namenode *nn, struct inode *file, uint64_t client_id);
void namenode_lease_remove(struct namenode *nn, struct inode *file);
void namenode_lease_renew(struct namenode *nn, uint64_t client_id);
void namenode_lease_expired(struct namenode *nn, struct lease *lease);
/*
 * Somebody wants to write where writing is under way. True: its writer had been silent for too long
 * and the file has ended, look again. False: the call failed with ERR_BUSY, naming the writer.
 */
bool namenode_lease_take_over(struct namenode *nn, struct inode *writing, uint64_t client_id);
/* False and the call failed with ERR_BUSY when file, installed, has a writer beside it. */
bool namenode_lease_is_free(struct namenode *nn, const struct inode *file);
void namenode_renew_lease(struct namenode *nn, const struct dfs_renew_lease_request *request);

/* --- publish.c ----------------------------------------------------------------------- */

void namenode_fence_output(struct namenode *nn, const struct dfs_fence_output_request *request);
void namenode_reply_fenced(struct namenode *nn, const struct dfs_fence_output_request *request);
void namenode_publish_output(struct namenode *nn, const struct dfs_publish_output_request *request);
void namenode_fence_set(struct namenode *nn, struct slice key, uint64_t epoch, bool is_published);

/* --- mutation.c ---------------------------------------------------------------------- */

/* True when the call was answered from memory or refused (ids missing); false: go on. */
bool namenode_mutation_is_answered(struct namenode *nn, uint64_t client_id, uint64_t request_id);
/* The same for calls whose repetition is known without memory. */
bool namenode_mutation_is_refused(struct namenode *nn, uint64_t client_id, uint64_t request_id);
/* Remembers and journals success. */
void namenode_mutation_done(struct namenode *nn,
                            uint64_t client_id,
                            uint64_t request_id,
                            uint64_t value);
void namenode_mutation_restore(struct namenode *nn, const struct journal_mutation_done *record);
void namenode_mutation_expire(struct namenode *nn);

/* --- record.c ------------------------------------------------------------------------ */

void namenode_record_inode(struct namenode *nn, const struct inode *inode);
void namenode_record_access(struct namenode *nn, const struct inode *file);
void namenode_record_remove(struct namenode *nn, uint64_t file_id);
void namenode_record_seal(struct namenode *nn, const struct block *block);
void namenode_record_ids(struct namenode *nn);
void namenode_record_format(struct namenode *nn);
void namenode_record_fence(struct namenode *nn,
                           struct slice key,
                           uint64_t epoch,
                           bool is_published);
void namenode_replay(struct namenode *nn, const struct message_type *type, const void *message);

/* --- block.c ------------------------------------------------------------------------- */

struct block *namenode_block_new(struct namenode *nn,
                                 struct inode *file,
                                 uint64_t id,
                                 uint64_t length);
void namenode_block_seal(struct namenode *nn,
                         struct block *block,
                         uint64_t length,
                         uint32_t crc32c);
/* Forgets block, which no file lists any more: its replicas are to be deleted. */
void namenode_block_forget(struct namenode *nn, struct block *block);
/* Takes block from its file's list and forgets it. */
void namenode_block_remove(struct namenode *nn, struct block *block);
struct replica *namenode_replica_find(const struct block *block, const struct tracked *node);
struct replica *namenode_replica_new(struct namenode *nn,
                                     struct block *block,
                                     struct tracked *node);
void namenode_replica_apply(struct namenode *nn, struct replica *replica, enum replica_event event);
/* It is under way: from source (NULL: a client), until due_ms (INT64_MAX: while the block is
 * pending). */
void namenode_replica_expect(struct namenode *nn,
                             struct replica *replica,
                             struct tracked *source,
                             int64_t due_ms);
/* Takes it out of all tables and frees it; no review. */
void namenode_replica_drop(struct namenode *nn, struct replica *replica);
/* Has its node delete it; another good one must exist (NN-9). */
void namenode_replica_give_up(struct namenode *nn,
                              struct replica *replica,
                              enum replica_event event);
/* The node says that it has the block, with this length and checksum. */
void namenode_replica_reported(struct namenode *nn,
                               struct tracked *node,
                               const struct dfs_block_info *info);
void namenode_replica_corrupted(struct namenode *nn, struct replica *replica);
void namenode_replica_overdue(struct namenode *nn, struct replica *replica);
size_t namenode_block_stored(const struct block *block);
/* Those of stored ones that count: on nodes in service. */
size_t namenode_block_good(const struct block *block);
/* Good ones that are enough while nodes with others are in maintenance. */
uint32_t namenode_block_needed(const struct namenode *nn, const struct block *block);
size_t namenode_block_in_flight(const struct block *block);
uint32_t namenode_block_wanted(const struct block *block);
/* Recounts a block's health, queues or takes it from repair, gives up surplus and corrupt replicas.
 */
void namenode_block_review(struct namenode *nn, struct block *block);

#endif
