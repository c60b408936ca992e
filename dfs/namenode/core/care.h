/*
 * care.h - what the namenode's files that care for datanodes and replicas offer each other: service
 * of nodes. Private to this folder; included by state.h.
 */
#ifndef MILLRACE_DFS_NAMENODE_CORE_CARE_H
#define MILLRACE_DFS_NAMENODE_CORE_CARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/transition.h"
#include "lib/model/messages.h"

struct block;
struct namenode;
struct replica;
struct tracked;

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

#endif
