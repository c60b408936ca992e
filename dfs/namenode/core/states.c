/*
 * states.c - the namenode's state machines as tables, rows in life order.
 * Drawn in docs/states/ by name.
 */
#include "dfs/namenode/core/state.h"

#include "lib/base/check.h"

#define NAME_STRING(name) #name,
#define TABLE(title, row_array, state_array, event_array)                                          \
 {                                                                                                 \
  .name = (title), .rows = (row_array), .count = sizeof(row_array) / sizeof((row_array)[0]),       \
  .state_names = (state_array), .state_count = sizeof(state_array) / sizeof((state_array)[0]),     \
  .event_names = (event_array), .event_count = sizeof(event_array) / sizeof((event_array)[0])      \
 }

/* The namenode: reading its journal, waiting for the datanodes, serving. */
static const char *const mode_names[] = {NAMENODE_MODE_LIST(NAME_STRING)};
static const char *const mode_event_names[] = {NAMENODE_MODE_EVENT_LIST(NAME_STRING)};
static const struct transition_row mode_rows[] = {
    {MODE_REPLAY, MODE_STARTED,      MODE_SAFE, NULL},
    {MODE_SAFE,   MODE_BLOCKS_FOUND, MODE_OPEN, NULL},
    {MODE_SAFE,   MODE_LEFT,         MODE_OPEN, NULL},
    {MODE_OPEN,   MODE_ENTERED,      MODE_SAFE, NULL},
};
const struct transition_table namenode_mode_table =
    TABLE("namenode_mode", mode_rows, mode_names, mode_event_names);

/* A datanode as the namenode sees it; absent: known from the journal, not yet registered. */
static const char *const tracked_names[] = {TRACKED_LIST(NAME_STRING)};
static const char *const tracked_event_names[] = {TRACKED_EVENT_LIST(NAME_STRING)};
static const struct transition_row tracked_rows[] = {
    {TRACKED_ABSENT,   TRACKED_REGISTERED,      TRACKED_LIVE,     NULL},
    {TRACKED_LIVE,     TRACKED_HEARD,           TRACKED_LIVE,     NULL},
    {TRACKED_LIVE,     TRACKED_REGISTERED,      TRACKED_LIVE,     NULL},
    {TRACKED_LIVE,     TRACKED_SILENT,          TRACKED_STALE,    NULL},
    {TRACKED_STALE,    TRACKED_HEARD,           TRACKED_LIVE,     NULL},
    {TRACKED_STALE,    TRACKED_REGISTERED,      TRACKED_LIVE,     NULL},
    {TRACKED_STALE,    TRACKED_SILENT_LONG,     TRACKED_LOST,     NULL},
    {TRACKED_LOST,     TRACKED_HEARD,           TRACKED_LIVE,     NULL},
    {TRACKED_LOST,     TRACKED_REGISTERED,      TRACKED_LIVE,     NULL},
    {TRACKED_LOST,     TRACKED_SILENT_TOO_LONG, TRACKED_GIVEN_UP, NULL},
    {TRACKED_LIVE,     TRACKED_SUPERSEDED,      TRACKED_GIVEN_UP, NULL},
    {TRACKED_STALE,    TRACKED_SUPERSEDED,      TRACKED_GIVEN_UP, NULL},
    {TRACKED_LOST,     TRACKED_SUPERSEDED,      TRACKED_GIVEN_UP, NULL},
    {TRACKED_GIVEN_UP, TRACKED_REGISTERED,      TRACKED_LIVE,     NULL},
};
const struct transition_table namenode_tracked_table =
    TABLE("namenode_datanode", tracked_rows, tracked_names, tracked_event_names);

/* A file or directory; a directory is installed as soon as it is made. */
static const char *const inode_names[] = {INODE_LIST(NAME_STRING)};
static const char *const inode_event_names[] = {INODE_EVENT_LIST(NAME_STRING)};
static const struct transition_row inode_rows[] = {
    {INODE_WRITING,   INODE_INSTALL, INODE_INSTALLED, NULL},
    {INODE_WRITING,   INODE_ABANDON, INODE_REMOVED,   NULL},
    {INODE_INSTALLED, INODE_REMOVE,  INODE_REMOVED,   NULL},
};
const struct transition_table namenode_inode_table =
    TABLE("namenode_inode", inode_rows, inode_names, inode_event_names);

/* A block: pending while its bytes are written, then sealed for good. */
static const char *const block_names[] = {BLOCK_LIST(NAME_STRING)};
static const char *const block_event_names[] = {BLOCK_EVENT_LIST(NAME_STRING)};
static const struct transition_row block_rows[] = {
    {BLOCK_PENDING, BLOCK_SEAL,    BLOCK_SEALED,    NULL},
    {BLOCK_PENDING, BLOCK_ABANDON, BLOCK_FORGOTTEN, NULL},
    {BLOCK_SEALED,  BLOCK_REMOVE,  BLOCK_FORGOTTEN, NULL},
};
const struct transition_table namenode_block_table =
    TABLE("namenode_block", block_rows, block_names, block_event_names);

/* One block on one datanode. Only STORED ones count and are read. */
static const char *const replica_names[] = {REPLICA_LIST(NAME_STRING)};
static const char *const replica_event_names[] = {REPLICA_EVENT_LIST(NAME_STRING)};
static const struct transition_row replica_rows[] = {
    {REPLICA_EXPECTED, REPLICA_ARRIVED,    REPLICA_STORED,   NULL},
    {REPLICA_EXPECTED, REPLICA_MISMATCHED, REPLICA_CORRUPT,  NULL},
    {REPLICA_EXPECTED, REPLICA_DROPPED,    REPLICA_GONE,     NULL},
    {REPLICA_STORED,   REPLICA_MISMATCHED, REPLICA_CORRUPT,  NULL},
    {REPLICA_STORED,   REPLICA_SURPLUS,    REPLICA_DELETING, NULL},
    {REPLICA_STORED,   REPLICA_DROPPED,    REPLICA_GONE,     NULL},
    {REPLICA_CORRUPT,  REPLICA_REPLACED,   REPLICA_DELETING, NULL},
    {REPLICA_CORRUPT,  REPLICA_DROPPED,    REPLICA_GONE,     NULL},
    {REPLICA_DELETING, REPLICA_DROPPED,    REPLICA_GONE,     NULL},
};
const struct transition_table namenode_replica_table =
    TABLE("namenode_replica", replica_rows, replica_names, replica_event_names);

int namenode_transition(const struct transition_table *table, int state, int event)
{
    enum status status = transition_apply(table, &state, event, NULL, NULL);
    CHECK(status == OK);
    return state;
}

const struct transition_table *namenode_table(size_t index)
{
    static const struct transition_table *const tables[] = {
        &namenode_mode_table,  &namenode_tracked_table, &namenode_inode_table,
        &namenode_block_table, &namenode_replica_table, &namenode_service_table,
    };
    return index < sizeof(tables) / sizeof(tables[0]) ? tables[index] : NULL;
}
