/*
 * extend.h - what the namenode's files that change complete inodes offer each other: attributes,
 * quotas, append, concat, trash, merging of small blocks. Private to this folder; included by
 * state.h.
 */
#ifndef MILLRACE_DFS_NAMENODE_CORE_EXTEND_H
#define MILLRACE_DFS_NAMENODE_CORE_EXTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/model/block.h"
#include "lib/model/messages.h"

struct inode;
struct namenode;
struct tracked;

/* --- attributes.c: calls that change one inode ----------------------------------------- */

void namenode_set_permission(struct namenode *nn, const struct dfs_set_permission_request *request);
void namenode_set_owner(struct namenode *nn, const struct dfs_set_owner_request *request);
void namenode_set_times(struct namenode *nn, const struct dfs_set_times_request *request);
void namenode_set_replication(struct namenode *nn,
                              const struct dfs_set_replication_request *request);
void namenode_set_quota(struct namenode *nn, const struct dfs_set_quota_request *request);
void namenode_get_server_defaults(struct namenode *nn);
/*
 * A reader looked the file up: its access time is to move, if it is old enough. It does with the
 * next flush, so that readers need not wait until the journal is synced.
 */
void namenode_inode_accessed(struct namenode *nn, const struct inode *file);
void namenode_accessed_flush(struct namenode *nn);
/* False and the call failed: not 1 to the most that is allowed. */
bool namenode_replication_is_valid(struct namenode *nn, uint32_t replication);

/* --- quota.c --------------------------------------------------------------------------- */

struct usage {
    uint64_t names; /* a file under construction beside an older one of its name is none */
    uint64_t bytes; /* every replica; pending blocks with their expected length */
};

/* Of one file, every replica counted. */
uint64_t namenode_inode_space(const struct inode *inode);
/* Of inode and everything below. */
struct usage namenode_quota_usage(const struct namenode *nn, const struct inode *inode);
/* Between the two, inode is detached and attached to parent, and so counted once at most. */
void namenode_quota_begin_move(struct namenode *nn,
                               const struct inode *inode,
                               const struct inode *parent);
void namenode_quota_end_move(struct namenode *nn);
/* inode with everything below has come to, or is about to leave, its parent. */
void namenode_quota_moved(struct namenode *nn, const struct inode *inode, bool is_added);
/* The blocks of file take so many more bytes, all replicas counted. */
void namenode_quota_grown(struct namenode *nn, const struct inode *file, int64_t bytes);
/* 0: none. */
void namenode_quota_set(struct namenode *nn,
                        struct inode *directory,
                        uint64_t names,
                        uint64_t bytes);
/* The nearest directory with a quota, from inode up, itself included. NULL: none. */
const struct inode *namenode_quota_above(const struct namenode *nn, const struct inode *inode);
/* False and the call failed with ERR_QUOTA: so much more is too much for directory's own quota. */
bool namenode_quota_admits(struct namenode *nn,
                           const struct inode *directory,
                           int64_t names,
                           int64_t bytes);
/* The same for all quotas from directory up, except those that hold source (NULL: none does). */
bool namenode_quota_allows(struct namenode *nn,
                           const struct inode *directory,
                           const struct inode *source,
                           int64_t names,
                           int64_t bytes);

/* --- append.c, concat.c ---------------------------------------------------------------- */

void namenode_append(struct namenode *nn, const struct dfs_append_request *request);
void namenode_reply_append(struct namenode *nn, uint64_t file_id);
/* The file that an appending one is for. */
struct inode *namenode_append_older(const struct namenode *nn, const struct inode *appending);
/* Bytes before the appending file's own. */
uint64_t namenode_append_base(const struct namenode *nn, const struct inode *appending);
/* The blocks go to the older file, the appending one goes; journals. Returns the older one. */
struct inode *namenode_append_finish(struct namenode *nn, struct inode *appending);
void namenode_concat(struct namenode *nn, const struct dfs_concat_request *request);

/* --- trash.c --------------------------------------------------------------------------- */

/* Rolls and expires what is due. */
void namenode_trash_run(struct namenode *nn);
void namenode_trash_set_age(struct inode *directory, uint64_t age_ms);

/* --- compact.c ------------------------------------------------------------------------- */

enum {
    NAMENODE_MERGES_MAX = 4, /* under way at a time */
};

/* The end of an installed file has changed: it waits when it is worth merging. */
void namenode_compact_consider(struct namenode *nn, const struct inode *file);
/* What node failed to do was a merge: it is tried again later. */
bool namenode_compact_failed(struct namenode *nn,
                             const struct tracked *node,
                             const struct dfs_failed_work *work);
/* Starts merges within their rate, gives up those that are overdue. */
void namenode_compact_run(struct namenode *nn);
/* Blocks of no file were reported: a merged one may be among them. */
void namenode_compact_review(struct namenode *nn);
/* The node has a merge to be told of; tells it, room for NAMENODE_MERGES_MAX. */
bool namenode_compact_waits(const struct namenode *nn, const struct tracked *node);
void namenode_compact_tell(struct namenode *nn,
                           const struct tracked *node,
                           struct dfs_datanode_command *commands,
                           size_t *count);
void namenode_compact_check(const struct namenode *nn, void (*expect)(bool, const char *));
void namenode_compact_close(struct namenode *nn);

/* --- blocklist.c ----------------------------------------------------------------------- */

/* All sealed blocks of source (it has no other) go behind those of file; sums of quotas follow. */
void namenode_blocklist_join(struct namenode *nn, struct inode *file, struct inode *source);
/* The last block of file takes the place of count blocks from first on, which are forgotten. */
void namenode_blocklist_replace(struct namenode *nn,
                                struct inode *file,
                                size_t first,
                                size_t count);
/* Replay: file has exactly these blocks; some may be of other files so far, or new. */
void namenode_blocklist_set(struct namenode *nn,
                            struct inode *file,
                            const struct dfs_block_info *infos,
                            size_t count);

/* --- grants.c: tokens of blocks; empty without a signer --------------------------------- */

/* For the user whose request is being answered. */
struct slice namenode_grant_caller(struct namenode *nn, uint64_t block_id, enum block_mode mode);
/* For a datanode that sends the block to others, or fetches it from one. */
struct slice namenode_grant_datanode(struct namenode *nn, uint64_t block_id);

#endif
