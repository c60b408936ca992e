/*
 * model.h - a filesystem in memory, made from the words of proto/dfs.proto and docs only, to be
 * held against the namenode: the same calls in the same order must have the same effect.
 *
 * For each call the model first judges: it names every error that the call deserves. A namenode
 * that answers with one of these is right, whichever it looks for first; a namenode that answers OK
 * is right when there is none. Then the model applies the call. It learns from the namenode only
 * what it cannot know: the ids that it gives.
 */
#ifndef MILLRACE_TESTS_SIM_MODEL_H
#define MILLRACE_TESTS_SIM_MODEL_H

#include "lib/base/map.h"
#include "lib/model/machine.h"

enum {
    MODEL_NAME_MAX = 24,
    MODEL_MERGED_MAX = 64,
    MODEL_PENDING_MAX = 8, /* more than a namenode allows */
    MODEL_X = 1,
    MODEL_W = 2,
    MODEL_R = 4
};

struct model_block {
    uint64_t id;
    uint64_t length;
    uint32_t crc32c;
};

struct model_pending {
    uint64_t id;
    uint64_t length;
    uint64_t request_id;
};

struct model_node {
    uint64_t id;
    struct model_node *parent; /* NULL: the root */
    char name[MODEL_NAME_MAX];
    enum dfs_file_kind kind;
    uint32_t permission;
    char owner[MODEL_NAME_MAX];
    char group[MODEL_NAME_MAX];
    uint64_t modified_ms; /* of files, and so is the next */
    uint64_t accessed_ms;
    uint64_t name_quota; /* of directories; 0: none */
    uint64_t space_quota;
    struct model_node **children;
    size_t children_count;
    size_t children_capacity;
    uint32_t replication;
    uint64_t block_size;
    struct model_block *blocks;
    size_t blocks_count;
    size_t blocks_capacity;
    struct model_pending pending[MODEL_PENDING_MAX]; /* named, not sealed; gone at a restart */
    size_t pending_count;
    enum dfs_durability durability; /* while it is being written */
    int64_t rolled_ms;              /* of a checkpoint of the trash: since when; 0: it is none */
    bool is_writing;
    bool overwrite;
    bool is_append;          /* beside the complete file of its name, of which it keeps */
    uint32_t keep_blocks;    /* ... so many blocks */
    uint64_t client_id;      /* while it is being written */
    uint64_t add_request_id; /* of the newest AddBlock that gave a block since the restart */
    bool is_marked;          /* by the comparison that is under way */
};

/* A block id that AddBlock gave out. */
struct model_handed {
    uint64_t file_id;
    uint64_t life;  /* of the namenode */
    bool is_sealed; /* at some time */
};

struct model_result {
    enum method method;
    uint64_t value;
    int64_t at_ms;
};

struct model_lease {
    int64_t heard_ms;
    size_t files;
};

struct model {
    struct model_node *root;
    struct map_u64 *nodes;    /* by id */
    struct map_u64 *leases;   /* client id to struct model_lease */
    struct map *results;      /* (client id, request id) to struct model_result */
    struct map_u64 *handed;   /* block id to struct model_handed */
    struct map_u64 *accessed; /* ids of files whose access is to be noted */
    struct map_u64 *used;     /* every id ever given to a file, directory or block, to itself */
    int64_t now_ms;
    int64_t wall_ms;
    int64_t lease_ms;      /* of silence, and another may take over */
    int64_t lease_hard_ms; /* ... and the namenode ends it */
    uint64_t access_precision_ms;
    uint64_t life;         /* of the namenode */
    bool may_be_safe;      /* it may be in safe mode: no mutation was done in this life */
    bool is_safe;          /* it is: somebody entered it by hand */
    int64_t trash_keep_ms; /* 0: trash is nothing special */
    uint64_t trash_rolls;
    uint64_t trash_expiries;
    uint32_t min_replicas;
    uint32_t replication;
    uint32_t replication_max;
    uint64_t block_size;
    uint64_t block_size_max;
    /* Told of each block that took the place of others. */
    void (*on_merged)(void *context,
                      const struct model_block *merged,
                      const uint64_t *sources,
                      size_t count);
    void *context;
    uint64_t takeovers; /* files ended for another client that wanted to write */
    char problem[256];  /* the first thing that the model cannot explain; empty: none */
};

struct model *model_open(void);
void model_close(struct model *model);
void model_problem(struct model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The namenode has been restarted: every lease has its full time again. */
void model_restarted(struct model *model, int64_t now_ms);
/* Whether the model knows the method at all. */
bool model_knows(enum method method);
/* Whether its success is remembered by request id. */
bool model_remembers(enum method method);
/*
 * A request was executed and its effect is durable: event is the request, actions what the namenode
 * did about it. Sets problem when that is not what must be.
 */
void model_step(struct model *model, const struct event *event, const struct actions *actions);
/* What the namenode did by itself in a step: the ends of leases. Returns how many files it ended.
 */
size_t model_own_steps(struct model *model, const struct actions *actions);
/* records: a snapshot of the namenode. */
void model_compare(struct model *model, const struct actions *records);

struct model_node *model_node_by_id(const struct model *model, uint64_t id);
/* Installed before being written; NULL: nothing is there. */
struct model_node *model_find(const struct model *model, struct slice path);
const struct model_result *model_result(const struct model *model,
                                        uint64_t client_id,
                                        uint64_t request_id);
uint64_t model_length(const struct model_node *node);
/* The next node after node, depth first; starts with the root (node NULL); NULL: the end. */
struct model_node *model_walk(const struct model *model, const struct model_node *node);

/* --- what the model's files offer each other ------------------------------------------------- */

struct model_target {
    struct model_node *parent; /* NULL: the root itself, or a parent is missing */
    char name[MODEL_NAME_MAX];
    struct model_node *installed;
    struct model_node *writing;
    struct model_node *deepest;
    char missing[16][MODEL_NAME_MAX]; /* directories between deepest and the last name */
    size_t missing_count;
    uint64_t errors;
};

#define MODEL_BIT(status) (UINT64_C(1) << (status))

void model_resolve(const struct model *model,
                   const struct event *event,
                   struct slice path,
                   bool may_miss,
                   struct model_target *ret_target);
uint64_t model_access(const struct event *event, const struct model_node *node, unsigned bits);
bool model_is_super(const struct event *event);
bool model_is_member(const struct event *event, struct slice group);
/* May the caller take child out of its directory. */
uint64_t model_may_take_out(const struct event *event, const struct model_node *child);
uint64_t model_must_own(const struct event *event, const struct model_node *node);
struct model_node *model_child(const struct model_node *parent, const char *name, bool is_writing);
struct model_node *model_node_new(struct model *model, uint64_t id);
void model_attach(struct model_node *parent, struct model_node *node);
void model_detach(struct model_node *node);
void model_remove(struct model *model, struct model_node *node);
bool model_is_below(const struct model_node *node, const struct model_node *top);
/* Under construction beside a complete file of its name. */
bool model_is_hidden(const struct model_node *node);
/* As a quota counts it: every replica, blocks under way, too. */
uint64_t model_space(const struct model_node *node);
/*
 * ERR_QUOTA when directory or one above it cannot grow so much; those that hold source already are
 * not asked.
 */
uint64_t model_quota(const struct model_node *directory,
                     const struct model_node *source,
                     int64_t names,
                     int64_t bytes);
void model_usage(const struct model_node *top, uint64_t *ret_names, uint64_t *ret_bytes);
void model_lease_hold(struct model *model, struct model_node *file, uint64_t client_id);
void model_lease_release(struct model *model, struct model_node *file);
void model_use_id(struct model *model, uint64_t id, const char *what);
void model_text(char *to, struct slice from);
uint64_t model_wall(const struct model *model);

/* One call, while it is judged and applied. */
struct model_call {
    struct model *model;
    const struct event *event;
    const struct actions *actions;
    enum status status; /* the answer's */
    const void *reply;  /* when that is OK */
};

struct model_method {
    enum method method;
    uint64_t (*judge)(const struct model_call *call);
    uint64_t (*apply)(const struct model_call *call); /* returns the value remembered */
    bool is_remembered;
    uint64_t passing; /* errors that need no reason here: datanodes may be busy or away */
};

/* Something must be there. NULL: errors say why not, and nothing else can be said. */
struct model_node *model_find_judged(const struct model_call *call,
                                     struct slice path,
                                     uint64_t *ret_errors);
struct model_node *model_make_parents(const struct model_call *call,
                                      struct model_target *target,
                                      uint32_t permission);
struct model_node *model_make_node(const struct model_call *call,
                                   struct model_node *parent,
                                   const char *name,
                                   uint64_t id,
                                   enum dfs_file_kind kind,
                                   uint32_t permission);
/* NULL: another file's. */
const struct model_method *model_method_names(enum method method);  /* modelnames.c */
const struct model_method *model_method_writes(enum method method); /* modelwrites.c */
/* What a failed AddBlock or SealBlock may also be answered with, and what remains of it. */
uint64_t model_write_may_fail(const struct model_call *call);
void model_write_failed(const struct model_call *call);

/* modeltrash.c */
/* A directory got another name by itself: it may have become a checkpoint of the trash. */
void model_trash_put(struct model *model,
                     struct model_node *node,
                     const struct journal_inode_put *record);
/* A checkpoint goes by itself; false: it is none, or too young. */
bool model_trash_may_expire(const struct model *model, const struct model_node *node);
/* It has been there for longer than it should, all since since_ms. */
bool model_trash_is_overdue(const struct model *model,
                            const struct model_node *node,
                            int64_t since_ms);

/* modelreads.c */
uint64_t model_judge_read(const struct model *model, const struct event *event);
void model_check_read(struct model *model, const struct event *event, const void *response);

#endif
