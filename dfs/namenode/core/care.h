/*
 * care.h - what the namenode's files that care for datanodes and replicas offer each other. Private
 * to this folder; included by state.h.
 */
#ifndef MILLRACE_DFS_NAMENODE_CORE_CARE_H
#define MILLRACE_DFS_NAMENODE_CORE_CARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dfs/namenode/core/bucket.h"
#include "lib/base/slice.h"
#include "lib/base/transition.h"
#include "lib/model/messages.h"

struct actions;
struct block;
struct event;
struct namenode;
struct replica;
struct tracked;
struct unknown;

/* --- service.c: datanodes that are to go, or to be away for a while ------------------ */

/* States: enum dfs_datanode_admin_state. */
#define SERVICE_EVENT_LIST(X)                                                                      \
 X(SERVICE_RESUMED)                                                                                \
 X(SERVICE_ENDED) X(SERVICE_PAUSED) X(SERVICE_DRAINED) X(SERVICE_PAUSE_EXPIRED)

enum service_event {
#define SERVICE_ENUM(name) name,
    SERVICE_EVENT_LIST(SERVICE_ENUM) SERVICE_EVENT_COUNT
#undef SERVICE_ENUM
};

extern const struct transition_table namenode_service_table;

void namenode_set_datanode_admin(struct namenode *nn,
                                 const struct dfs_set_datanode_admin_request *request);
/* Ends drains that are done and maintenance whose time is over. */
void namenode_service_housekeeping(struct namenode *nn);
/* Takes replicas and new blocks like any other. */
bool namenode_node_is_in_service(const struct tracked *node);
/* In maintenance or entering it: its replicas are away, but not lost. */
bool namenode_node_is_excused(const struct tracked *node);
/* Journals what is remembered of a node over restarts. */
void namenode_record_node(struct namenode *nn, const struct tracked *node);
void namenode_replay_node(struct namenode *nn, const struct journal_datanode_put *record);
void namenode_replay_node_removed(struct namenode *nn,
                                  const struct journal_datanode_remove *record);
/* True when nothing refers to a node that is gone, so that it may be forgotten. */
bool namenode_node_is_forgettable(const struct tracked *node);
/* Forgets and journals it. */
void namenode_node_forget(struct namenode *nn, struct tracked *node);
/* Counts the replicas without which blocks have too few (tracked->left_count). */
void namenode_service_count_left(struct block *block, bool is_short);
void namenode_service_uncount(struct replica *replica);

/* --- identity.c ---------------------------------------------------------------------- */

/* False: the registration was refused, with a sentence. Gives up who was at its address before. */
bool namenode_identity_admits(struct namenode *nn,
                              const struct dfs_register_datanode_request *request);
/* Forgets datanodes in whose place there is another. */
void namenode_identity_housekeeping(struct namenode *nn);

/* --- balance.c ----------------------------------------------------------------------- */

struct balancer {
    bool is_enabled;
    bool is_set; /* by an operator: journaled */
    uint64_t threshold_ppm;
    uint64_t bytes_per_second;
    struct bucket rate;
    uint32_t moving; /* EXPECTED replicas that are moves */
    bool is_stuck;   /* it found nothing to move when it looked last */
    bool has_work;   /* something changed since it looked */
    uint64_t moved_bytes;
    uint64_t moved_blocks;
};

void namenode_balance_open(struct namenode *nn);
/* Starts as many moves as rates and caps allow. */
void namenode_balance_run(struct namenode *nn);
/* The copy is not under way any more: it has arrived, or it never will. */
void namenode_balance_ended(struct namenode *nn, struct replica *replica);
/* The copy is stored: the replica that it replaces goes. */
void namenode_balance_arrived(struct namenode *nn,
                              struct replica *replica,
                              uint64_t replaces_node_id);
bool namenode_replica_is_move(const struct replica *replica);
void namenode_set_balancer(struct namenode *nn, const struct dfs_set_balancer_request *request);
void namenode_record_balancer(const struct namenode *nn, struct actions *actions);
void namenode_replay_balancer(struct namenode *nn, const struct journal_balancer_put *record);

/* --- racks.c ------------------------------------------------------------------------- */

struct rack_table;

void namenode_racks_open(struct namenode *nn);
void namenode_racks_close(struct namenode *nn);
/* Where a datanode belongs that says it is in the rack said (empty: it does not know). */
struct slice namenode_rack_of(const struct namenode *nn,
                              const struct endpoint *endpoint,
                              struct slice said);
/* Has the script asked for a host, unless its answer is known or awaited. */
void namenode_rack_ask(struct namenode *nn, struct slice host);
bool namenode_rack_name_is_valid(struct slice rack);
void namenode_refresh_nodes(struct namenode *nn);
void namenode_racks_effect_done(struct namenode *nn, const struct event *event);
/* Answers the call that waits for the table. */
void namenode_racks_stop(struct namenode *nn);

/* --- slow.c -------------------------------------------------------------------------- */

/* Finds the datanodes that are slower than the others, now and then. */
void namenode_slow_housekeeping(struct namenode *nn);

/* --- safemode.c ---------------------------------------------------------------------- */

/* Ends safe mode when enough blocks have been found, unless it was entered by hand. */
void namenode_review_safe_mode(struct namenode *nn);
void namenode_set_safe_mode(struct namenode *nn, const struct dfs_set_safe_mode_request *request);
/* A sentence from the step's arena: what safe mode is waiting for; empty when it is over. */
struct slice namenode_safe_mode_reason(const struct namenode *nn);

/* --- fsck.c -------------------------------------------------------------------------- */

void namenode_check_files(struct namenode *nn, const struct dfs_check_files_request *request);

/* --- repair.c ------------------------------------------------------------------------ */

/* True when a copy beyond those under way is needed; ret_key: smaller is more urgent. */
bool namenode_repair_needs(const struct namenode *nn, const struct block *block, int64_t *ret_key);
/* True when its replicas are all in one rack though there is another. */
bool namenode_block_is_misplaced(const struct namenode *nn, const struct block *block);
/* The replicas that stay, stored or expected, leaving out without (may be NULL). */
bool namenode_block_is_in_one_rack(const struct block *block, const struct replica *without);
void namenode_repair_queue(struct namenode *nn, struct block *block);
void namenode_repair_unqueue(struct namenode *nn, struct block *block);
void namenode_repair_start(struct namenode *nn);
/* Forgets the queue and takes back the copies nobody was told of: safe mode begins. */
void namenode_repair_stop(struct namenode *nn);
void namenode_repair_review_all(struct namenode *nn);
void namenode_repair_unpark(struct namenode *nn);
/* A new process of the node knows of no copy that the older one was to send or receive. */
void namenode_repair_restarted(struct namenode *nn, struct tracked *node);
/* Takes back copies that are not needed any more and that nobody was told of. */
void namenode_repair_cancel(struct namenode *nn, struct block *block);
/* Has a block copied; the caller has chosen the nodes. Counts against the nodes' rates. */
struct replica *namenode_copy_start(struct namenode *nn,
                                    struct block *block,
                                    struct tracked *source,
                                    struct tracked *target);
/* Starts as many copies as caps and nodes allow. */
void namenode_repair_run(struct namenode *nn);
/* Gives up the replicas beyond the wanted count, and corrupt ones that are replaced. */
void namenode_repair_trim(struct namenode *nn, struct block *block);

/* A copy that will not arrive: the block is reviewed. */
void namenode_copy_abandon(struct namenode *nn, struct replica *replica);

/* --- failures.c ---------------------------------------------------------------------- */

enum source_doubt {
    SOURCE_TRUSTED,
    SOURCE_DOUBTED, /* a copy from there failed, for its target's sake as it seemed */
    SOURCE_FAILED,  /* it could not be read there */
};

/* A datanode says that what it was told to copy or merge came to nothing. */
void namenode_work_failed(struct namenode *nn,
                          const struct tracked *node,
                          const struct dfs_failed_work *work);
/* target_id 0: the source failed. */
void namenode_failure_note(struct namenode *nn,
                           uint64_t block_id,
                           uint64_t source_id,
                           uint64_t target_id);
void namenode_failures_expire(struct namenode *nn);
enum source_doubt namenode_failure_of_source(const struct namenode *nn,
                                             const struct block *block,
                                             const struct tracked *node);
/* Where copies of the block failed lately, at most room of them; returns how many. */
size_t namenode_failed_targets(const struct namenode *nn,
                               const struct block *block,
                               uint64_t *ret_node_ids,
                               size_t room);
void namenode_failures_close(struct namenode *nn);

/* --- suspect.c ----------------------------------------------------------------------- */

/* A reader says that it is corrupt: its node is told to verify it. */
void namenode_suspect(struct namenode *nn, struct replica *replica);
/* Nothing happens when it is not suspect. */
void namenode_suspect_end(struct replica *replica);
/* The node has looked: it is good. */
void namenode_suspect_verified(struct namenode *nn, struct tracked *node, uint64_t block_id);
bool namenode_block_has_suspect(const struct block *block);
/* A new process of the node was told nothing. */
void namenode_suspects_restarted(struct tracked *node);
void namenode_suspects_housekeeping(struct namenode *nn, struct tracked *node);
/* Adds at most room commands. */
void namenode_suspects_tell(struct namenode *nn,
                            struct tracked *node,
                            struct dfs_datanode_command *commands,
                            size_t room,
                            size_t *count);

/* --- placement.c --------------------------------------------------------------------- */

struct placement {
    struct slice writer_host; /* empty: nowhere special */
    uint64_t block_bytes;
    const uint64_t *excluded; /* node ids */
    size_t excluded_count;
    const struct block *block; /* its replicas' nodes are taken; NULL: a new block */
    bool is_copy;              /* nodes at their cap of incoming copies are left out */
};

/*
 * Chooses up to count nodes into ret_nodes; returns how many. The first on the writer's host (else
 * on its rack), the second on another rack, the third on the second's, further ones in racks that
 * have fewer than (replicas - 1) / racks + 2; live before stale ones, and of these neither slow nor
 * overloaded ones before others, unless only these are in another rack; less busy before busier
 * ones; never excluded, lost, full ones or those not in service.
 */
size_t namenode_placement_choose(struct namenode *nn,
                                 const struct placement *placement,
                                 size_t count,
                                 struct tracked **ret_nodes);

/* --- nodes.c ------------------------------------------------------------------------- */

void namenode_register_datanode(struct namenode *nn,
                                const struct dfs_register_datanode_request *request);
void namenode_heartbeat(struct namenode *nn, const struct dfs_datanode_heartbeat_request *request);
void namenode_node_wake(struct namenode *nn, struct tracked *node);
/* Answers held heartbeats of nodes that have something to be told. */
void namenode_nodes_flush(struct namenode *nn);
void namenode_node_answer_held(struct namenode *nn, struct tracked *node);
void namenode_node_liveness(struct namenode *nn, struct tracked *node);
/* At once: what it holds is not waited for. */
void namenode_node_give_up(struct namenode *nn, struct tracked *node);
void namenode_nodes_excuse(struct namenode *nn, int64_t pause_ms);
void namenode_nodes_housekeeping(struct namenode *nn);
bool namenode_node_is_usable(const struct tracked *node);
/* Holds nothing: not seen since the start, or given up. */
bool namenode_node_is_gone(const struct tracked *node);
/* The node of the endpoint, ABSENT when it is new; has this endpoint. */
struct tracked *namenode_node_remember(struct namenode *nn, const struct endpoint *endpoint);
/* Puts it into the rack where it belongs now, its replicas with it; journals. False: it was there.
 */
bool namenode_node_place(struct namenode *nn, struct tracked *node);
/* Changes node->service, and with it the counts of its rack and its liveness timer. */
void namenode_node_set_service(struct namenode *nn, struct tracked *node, int service);
/* The node of a message of DatanodeTracker; NULL: refused already. */
struct tracked *namenode_node_find(struct namenode *nn, uint64_t node_id, uint64_t session);
void namenode_node_heard(struct namenode *nn, struct tracked *node);
/* Tells node to delete a block; nothing happens in safe mode or for ids above the reserved range.
 */
void namenode_node_delete(struct namenode *nn, struct tracked *node, uint64_t block_id);
/* The node no longer has the block. */
void namenode_node_deleted(struct namenode *nn, struct tracked *node, uint64_t block_id);
/* Forgets what it holds; the blocks are reviewed unless everything ends. */
void namenode_node_clear(struct namenode *nn, struct tracked *node, bool is_closing);
void namenode_node_free(struct namenode *nn, struct tracked *node);

/* --- report.c ------------------------------------------------------------------------ */

void namenode_block_report(struct namenode *nn, const struct dfs_block_report_request *request);
void namenode_block_changes(struct namenode *nn, const struct dfs_block_changes_request *request);
void namenode_unknown_expire(struct namenode *nn);
/* The node has a block of no file. */
void namenode_unknown_add(struct namenode *nn,
                          struct tracked *node,
                          const struct dfs_block_info *info);
void namenode_unknown_drop(struct namenode *nn, struct unknown *unknown);
/* True when at least count of the nodes reported the unknown block like this. */
bool namenode_unknown_matches(const struct namenode *nn,
                              const struct dfs_block_info *info,
                              const uint64_t *node_ids,
                              size_t node_count,
                              size_t count);

#endif
