/*
 * replicas.c - which blocks are on this node, and in which state.
 * Owns the replica table and the bytes used and reserved.
 * Invariants: DN-2 reserved bytes are those of RECEIVING replicas; DN-4 a CORRUPT replica is not in
 * the scrub list; DN-7 used bytes are those of all replicas on disk. States:
 * docs/states/datanode_replica.dot.
 */
#include "dfs/datanode/core/internal.h"

#include <inttypes.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

/* X(constant, name) */
#define REPLICA_EVENT_LIST(X)                                                                      \
 X(REPLICA_FOUND, "FOUND")                                                                         \
 X(REPLICA_FOUND_CORRUPT, "FOUND_CORRUPT")                                                         \
 X(REPLICA_RECEIVED, "RECEIVED")                                                                   \
 X(REPLICA_RECEIVE_FAILED, "RECEIVE_FAILED")                                                       \
 X(REPLICA_COPY_STARTED, "COPY_STARTED")                                                           \
 X(REPLICA_COPY_ENDED, "COPY_ENDED")                                                               \
 X(REPLICA_SEEN_CORRUPT, "SEEN_CORRUPT")                                                           \
 X(REPLICA_DELETE_ASKED, "DELETE_ASKED")                                                           \
 X(REPLICA_DELETED, "DELETED")                                                                     \
 X(REPLICA_DELETE_FAILED, "DELETE_FAILED")                                                         \
 X(REPLICA_VOLUME_LOST, "VOLUME_LOST")

enum replica_event {
#define EVENT_ENUM(constant, name) constant,
    REPLICA_EVENT_LIST(EVENT_ENUM)
#undef EVENT_ENUM
    REPLICA_EVENT_COUNT
};

static const char *const replica_event_names[REPLICA_EVENT_COUNT] = {
#define EVENT_NAME(constant, name) name,
    REPLICA_EVENT_LIST(EVENT_NAME)
#undef EVENT_NAME
};

static const char *const replica_state_names[REPLICA_STATE_COUNT] = {
#define REPLICA_STATE_NAME(constant, name) name,
    DATANODE_REPLICA_STATE_LIST(REPLICA_STATE_NAME)
#undef REPLICA_STATE_NAME
};

static void add_used(struct datanode *datanode, const struct replica *replica)
{
    datanode->used_bytes += replica->block.length;
    replica->volume->used_bytes += replica->block.length;
}

static void subtract_used(struct datanode *datanode, const struct replica *replica)
{
    datanode->used_bytes -= replica->block.length;
    replica->volume->used_bytes -= replica->block.length;
}

static void on_disk(struct datanode *datanode, struct replica *replica)
{
    add_used(datanode, replica);
    replica->volume->block_count++;
    list_append(&replica->volume->scrub_list, &replica->in_scrub, replica);
}

/* The scan found it; it counts as unverified until the scrubber has seen it. */
static void take_found(void *object, void *context)
{
    const struct datanode_context *c = context;
    struct replica *replica = object;
    replica->verified_ms = INT64_MIN;
    replica->is_found = true;
    on_disk(c->datanode, replica);
}

static void take_found_corrupt(void *object, void *context)
{
    const struct datanode_context *c = context;
    struct replica *replica = object;
    add_used(c->datanode, replica);
    c->datanode->corrupt_count++;
}

static void release_reservation(struct datanode *datanode, const struct replica *replica)
{
    datanode->reserved_bytes -= replica->block.length;
    replica->volume->reserved_bytes -= replica->block.length;
    datanode->receives--;
}

static void take_received(void *object, void *context)
{
    const struct datanode_context *c = context;
    struct replica *replica = object;
    struct datanode *datanode = c->datanode;
    release_reservation(datanode, replica);
    replica->verified_ms = datanode->now_ms;
    on_disk(datanode, replica);
    /* The volume is measured now and then only; until then count what has come. */
    datanode_volume_adjust(replica->volume, 0, replica->block.length);
    datanode_change_note(datanode, CHANGE_RECEIVED, replica->block);
}

static void drop_receive(void *object, void *context)
{
    const struct datanode_context *c = context;
    release_reservation(c->datanode, object);
}

/* For an effect that works on its files. */
static struct datanode_block *describe(const struct replica *replica, struct actions *actions)
{
    struct datanode_block *data = ARENA_NEW(actions->arena, struct datanode_block);
    data->block = replica->block;
    data->volume = replica->volume->index;
    return data;
}

static void leave_service(struct replica *replica)
{
    replica->volume->block_count--;
    list_remove(&replica->in_scrub);
}

static void take_corrupt(void *object, void *context)
{
    const struct datanode_context *c = context;
    struct replica *replica = object;
    leave_service(replica);
    c->datanode->corrupt_count++;
    replica->quarantine_tag = datanode_ask_effect(
        c->datanode, c->actions, USE_QUARANTINE, replica->block.block_id, replica->volume->index,
        DATANODE_EFFECT_QUARANTINE_BLOCK, describe(replica, c->actions));
    datanode_change_note(c->datanode, CHANGE_CORRUPT, replica->block);
}

static void ask_delete(struct replica *replica, const struct datanode_context *context)
{
    (void)datanode_ask_effect(context->datanode, context->actions, USE_DELETE,
                              replica->block.block_id, replica->volume->index,
                              DATANODE_EFFECT_DELETE_BLOCK, describe(replica, context->actions));
}

static void leave_good(void *object, void *context)
{
    leave_service(object);
    ask_delete(object, context);
}

static void leave_corrupt(void *object, void *context)
{
    const struct datanode_context *c = context;
    c->datanode->corrupt_count--;
    ask_delete(object, context);
}

static void take_deleted(void *object, void *context)
{
    const struct datanode_context *c = context;
    const struct replica *replica = object;
    subtract_used(c->datanode, replica);
    datanode_volume_adjust(replica->volume, replica->block.length, 0);
    datanode_change_note(c->datanode, CHANGE_DELETED, replica->block);
}

/* It may still be on the disk, but nobody may count on it. */
static void lose_good(void *object, void *context)
{
    const struct datanode_context *c = context;
    struct replica *replica = object;
    leave_service(replica);
    subtract_used(c->datanode, replica);
    datanode_change_note(c->datanode, CHANGE_DELETED, replica->block);
}

static void lose_corrupt(void *object, void *context)
{
    const struct datanode_context *c = context;
    const struct replica *replica = object;
    c->datanode->corrupt_count--;
    subtract_used(c->datanode, replica);
    datanode_change_note(c->datanode, CHANGE_DELETED, replica->block);
}

/* Half of it may be gone, so it is out of service until the namenode asks again. */
static void keep_undeleted(void *object, void *context)
{
    const struct datanode_context *c = context;
    const struct replica *replica = object;
    c->datanode->corrupt_count++;
    datanode_change_note(c->datanode, CHANGE_CORRUPT, replica->block);
}

static const struct transition_row replica_rows[] = {
    {REPLICA_RECEIVING, REPLICA_FOUND,          REPLICA_SEALED,   take_found        },
    {REPLICA_RECEIVING, REPLICA_FOUND_CORRUPT,  REPLICA_CORRUPT,  take_found_corrupt},
    {REPLICA_RECEIVING, REPLICA_RECEIVED,       REPLICA_SEALED,   take_received     },
    {REPLICA_RECEIVING, REPLICA_RECEIVE_FAILED, REPLICA_GONE,     drop_receive      },
    {REPLICA_SEALED,    REPLICA_COPY_STARTED,   REPLICA_COPYING,  NULL              },
    {REPLICA_SEALED,    REPLICA_SEEN_CORRUPT,   REPLICA_CORRUPT,  take_corrupt      },
    {REPLICA_SEALED,    REPLICA_DELETE_ASKED,   REPLICA_DELETING, leave_good        },
    {REPLICA_SEALED,    REPLICA_VOLUME_LOST,    REPLICA_GONE,     lose_good         },
    {REPLICA_COPYING,   REPLICA_COPY_ENDED,     REPLICA_SEALED,   NULL              },
    {REPLICA_COPYING,   REPLICA_SEEN_CORRUPT,   REPLICA_CORRUPT,  take_corrupt      },
    {REPLICA_COPYING,   REPLICA_DELETE_ASKED,   REPLICA_DELETING, leave_good        },
    {REPLICA_COPYING,   REPLICA_VOLUME_LOST,    REPLICA_GONE,     lose_good         },
    {REPLICA_CORRUPT,   REPLICA_DELETE_ASKED,   REPLICA_DELETING, leave_corrupt     },
    {REPLICA_CORRUPT,   REPLICA_VOLUME_LOST,    REPLICA_GONE,     lose_corrupt      },
    {REPLICA_DELETING,  REPLICA_DELETED,        REPLICA_GONE,     take_deleted      },
    {REPLICA_DELETING,  REPLICA_DELETE_FAILED,  REPLICA_CORRUPT,  keep_undeleted    },
};

const struct transition_table datanode_replica_table = {
    .name = "datanode_replica",
    .rows = replica_rows,
    .count = sizeof(replica_rows) / sizeof(replica_rows[0]),
    .state_names = replica_state_names,
    .state_count = REPLICA_STATE_COUNT,
    .event_names = replica_event_names,
    .event_count = REPLICA_EVENT_COUNT,
};

struct replica *datanode_replica_get(const struct datanode *datanode, uint64_t block_id)
{
    return map_u64_get(datanode->replicas, block_id);
}

bool datanode_replica_is_good(const struct replica *replica)
{
    return replica->state == REPLICA_SEALED || replica->state == REPLICA_COPYING;
}

static struct replica *replica_new(struct datanode *datanode,
                                   struct dfs_block_info block,
                                   struct volume *volume)
{
    struct replica *replica = MEM_NEW(struct replica);
    replica->block = block;
    replica->volume = volume;
    list_append(&datanode->replica_list, &replica->in_replicas, replica);
    (void)map_u64_put(datanode->replicas, block.block_id, replica); /* callers saw it absent */
    return replica;
}

static void replica_free(struct datanode *datanode, struct replica *replica)
{
    datanode_session_forget_replica(datanode, replica);
    (void)map_u64_remove(datanode->replicas, replica->block.block_id); /* is replica */
    list_remove(&replica->in_scrub);
    list_remove(&replica->in_replicas);
    mem_free(replica);
}

/* The only place where a replica changes state. False when the table has no row for it. */
static bool replica_apply(struct datanode *datanode,
                          struct actions *actions,
                          struct replica *replica,
                          enum replica_event event)
{
    struct datanode_context context = {datanode, actions};
    int from = replica->state;
    if (transition_apply(&datanode_replica_table, &replica->state, (int)event, replica, &context) !=
        OK)
        return false;
    trace_emit(actions->trace, "replica %016" PRIx64 " %s->%s", replica->block.block_id,
               replica_state_names[from], replica_state_names[replica->state]);
    if (replica->state == REPLICA_GONE)
        replica_free(datanode, replica);
    return true;
}

void datanode_replicas_found(struct datanode *datanode,
                             struct actions *actions,
                             const struct datanode_found *found)
{
    CHECK(!datanode->is_started);
    struct volume *volume = datanode_volume_get(datanode, found->volume);
    CHECK(volume->state != VOLUME_FAILED);
    const struct dfs_block_info *blocks = datanode_scrub_sort(found, actions->arena);
    for (size_t i = 0; i < found->blocks_count; i++) {
        CHECK(datanode_replica_get(datanode, blocks[i].block_id) == NULL);
        struct replica *replica = replica_new(datanode, blocks[i], volume);
        CHECK(replica_apply(datanode, actions, replica, REPLICA_FOUND));
    }
    datanode_scrub_begin(datanode, volume, found);
    for (size_t i = 0; i < found->corrupt_count; i++) {
        /* A good copy that came after the bad one was taken out of service wins. */
        if (datanode_replica_get(datanode, found->corrupt[i].block_id) != NULL)
            continue;
        struct replica *replica = replica_new(datanode, found->corrupt[i], volume);
        CHECK(replica_apply(datanode, actions, replica, REPLICA_FOUND_CORRUPT));
    }
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static void answer_receive(struct actions *actions,
                           uint64_t transfer,
                           enum status status,
                           struct slice text,
                           uint32_t volume)
{
    struct datanode_answer *answer = ARENA_NEW(actions->arena, struct datanode_answer);
    answer->transfer = transfer;
    answer->volume = volume;
    answer->status = status;
    answer->text = arena_copy(actions->arena, text);
    actions_effect(actions, 0, DATANODE_EFFECT_ANSWER_RECEIVE, answer);
}

static enum status judge_receive(const struct datanode *datanode,
                                 const struct dfs_block_info *block,
                                 const char **ret_text)
{
    *ret_text = "the datanode is not serving";
    if (!datanode->is_started || datanode->is_stopping)
        return ERR_UNAVAILABLE;
    *ret_text = "every volume of this datanode has failed";
    if (datanode->volumes_failed == datanode->volumes_count)
        return ERR_IO;
    *ret_text = "the block id is zero";
    if (block->block_id == 0)
        return ERR_INVALID;
    *ret_text = "this datanode has a replica of the block";
    if (datanode_replica_get(datanode, block->block_id) != NULL)
        return ERR_EXISTS;
    *ret_text = "the datanode is receiving as many blocks as it may";
    if (datanode->receives >= datanode->settings.receives_max)
        return ERR_BUSY;
    *ret_text = "the datanode has not yet measured its volumes";
    if (!datanode_volumes_are_known(datanode))
        return ERR_BUSY;
    *ret_text = "the block does not fit beside what is reserved";
    if (block->length > datanode_free_bytes(datanode))
        return ERR_NO_SPACE;
    *ret_text = "";
    return OK;
}

void datanode_receive_asked(struct datanode *datanode,
                            struct actions *actions,
                            const struct datanode_receive *receive)
{
    const char *text;
    enum status status = judge_receive(datanode, &receive->block, &text);
    struct volume *volume = NULL;
    if (status == OK) {
        volume = datanode_volume_choose(datanode, receive->block.length);
        if (volume == NULL) {
            status = ERR_NO_SPACE;
            text = "no single volume has room for the block beside what is reserved";
        }
    }
    if (volume != NULL) {
        struct replica *replica = replica_new(datanode, receive->block, volume);
        replica->transfer = receive->transfer;
        datanode->reserved_bytes += receive->block.length;
        volume->reserved_bytes += receive->block.length;
        datanode->receives++;
        trace_emit(actions->trace, "replica %016" PRIx64 " RECEIVING", receive->block.block_id);
    }
    answer_receive(actions, receive->transfer, status, slice_from_string(text),
                   volume == NULL ? 0 : volume->index);
}

void datanode_receive_done(struct datanode *datanode,
                           struct actions *actions,
                           const struct datanode_received *received)
{
    struct replica *replica = datanode_replica_get(datanode, received->block_id);
    /* The shell ends only what it was allowed to begin. */
    CHECK(replica != NULL);
    CHECK(replica->state == REPLICA_RECEIVING);
    CHECK(replica->transfer == received->transfer);
    if (received->is_volume_failed)
        datanode_volume_fail(
            datanode, actions, replica->volume,
            arena_format(actions->arena, "a write failed: %.*s", SLICE_ARGS(received->text)));
    else if (received->status == ERR_NO_SPACE)
        datanode_volume_is_full(datanode, actions, replica->volume);
    enum status status = received->status;
    struct slice text = received->text;
    if (status == OK && replica->volume->state == VOLUME_FAILED) {
        status = ERR_IO; /* it failed while this block was coming in */
        text = slice_from_string("the volume that received the block has failed");
    }
    uint32_t volume = replica->volume->index;
    CHECK(replica_apply(datanode, actions, replica,
                        status == OK ? REPLICA_RECEIVED : REPLICA_RECEIVE_FAILED));
    answer_receive(actions, received->transfer, status, text, volume);
}

/* --- leaving -----------------------------------------------------------------------------------
 */

void datanode_replica_is_bad(struct datanode *datanode,
                             struct actions *actions,
                             uint64_t block_id,
                             uint32_t volume,
                             bool is_unreadable)
{
    struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica == NULL || replica->volume->index != volume || !datanode_replica_is_good(replica))
        return;
    CHECK(replica_apply(datanode, actions, replica, REPLICA_SEEN_CORRUPT));
    if (is_unreadable)
        datanode_volume_bad_read(datanode, actions, datanode_volume_get(datanode, volume));
}

/* What is being received or deleted there ends by itself, and is let go then. */
void datanode_replicas_lose_volume(struct datanode *datanode,
                                   struct actions *actions,
                                   struct volume *volume)
{
    struct list_node *next;
    for (struct list_node *n = datanode->replica_list.first; n != NULL; n = next) {
        struct replica *replica = n->object;
        next = n->next;
        if (replica->volume != volume || replica->state == REPLICA_RECEIVING ||
            replica->state == REPLICA_DELETING)
            continue;
        CHECK(replica_apply(datanode, actions, replica, REPLICA_VOLUME_LOST));
    }
}

void datanode_replica_copy_started(struct datanode *datanode,
                                   struct actions *actions,
                                   struct replica *replica,
                                   uint64_t tag)
{
    CHECK(replica_apply(datanode, actions, replica, REPLICA_COPY_STARTED));
    replica->copy_tag = tag;
}

void datanode_replica_copy_ended(struct datanode *datanode,
                                 struct actions *actions,
                                 uint64_t block_id,
                                 uint64_t tag)
{
    struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica != NULL && replica->state == REPLICA_COPYING && replica->copy_tag == tag)
        CHECK(replica_apply(datanode, actions, replica, REPLICA_COPY_ENDED));
}

void datanode_delete_asked(struct datanode *datanode, struct actions *actions, uint64_t block_id)
{
    struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica == NULL) {
        struct dfs_block_info block = {.block_id = block_id};
        datanode_change_note(datanode, CHANGE_DELETED, block);
        return;
    }
    if (replica->quarantine_tag != 0) {
        replica->is_delete_wanted = true;
        return;
    }
    /* One that is coming will be announced, and deleted then; one that is going is going. */
    if (replica->state == REPLICA_RECEIVING || replica->state == REPLICA_DELETING)
        return;
    CHECK(replica_apply(datanode, actions, replica, REPLICA_DELETE_ASKED));
}

void datanode_delete_done(struct datanode *datanode,
                          struct actions *actions,
                          uint64_t block_id,
                          const struct event *event)
{
    struct replica *replica = datanode_replica_get(datanode, block_id);
    CHECK(replica != NULL); /* a DELETING replica leaves by this door only */
    struct volume *volume = replica->volume;
    if (event->status == ERR_IO)
        datanode_volume_fail(datanode, actions, volume,
                             arena_format(actions->arena, "a block could not be deleted: %.*s",
                                          SLICE_ARGS(event->text)));
    bool is_gone = event->status == OK || volume->state == VOLUME_FAILED;
    CHECK(replica_apply(datanode, actions, replica,
                        is_gone ? REPLICA_DELETED : REPLICA_DELETE_FAILED));
}

/* A file that cannot be moved stays where it is: out of service by its state, found again by its
 * CRC. */
void datanode_quarantine_done(struct datanode *datanode,
                              struct actions *actions,
                              uint64_t block_id,
                              const struct event *event)
{
    struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica == NULL || replica->quarantine_tag != event->tag)
        return; /* it went with its volume */
    CHECK(replica->state == REPLICA_CORRUPT);
    replica->quarantine_tag = 0;
    if (event->status == ERR_IO) {
        datanode_volume_fail(datanode, actions, replica->volume,
                             arena_format(actions->arena, "a block could not be moved: %.*s",
                                          SLICE_ARGS(event->text)));
        return;
    }
    if (replica->is_delete_wanted)
        CHECK(replica_apply(datanode, actions, replica, REPLICA_DELETE_ASKED));
}

/* --- looking in --------------------------------------------------------------------------------
 */

enum datanode_replica_state datanode_replica_state(const struct datanode *datanode,
                                                   uint64_t block_id)
{
    const struct replica *replica = datanode_replica_get(datanode, block_id);
    return replica == NULL ? REPLICA_GONE : (enum datanode_replica_state)replica->state;
}

void datanode_replicas_check(const struct datanode *datanode)
{
    uint64_t reserved = 0;
    uint64_t used = 0;
    uint64_t corrupt = 0;
    uint32_t receives = 0;
    for (const struct list_node *n = datanode->replica_list.first; n != NULL; n = n->next) {
        const struct replica *replica = n->object;
        CHECK(datanode_replica_get(datanode, replica->block.block_id) == replica);
        CHECK(replica->state != REPLICA_GONE);
        if (replica->state == REPLICA_RECEIVING) {
            reserved += replica->block.length;
            receives++;
        } else {
            used += replica->block.length;
        }
        if (replica->state == REPLICA_CORRUPT)
            corrupt++;
        CHECK(replica->in_scrub.list ==
              (datanode_replica_is_good(replica) ? &replica->volume->scrub_list : NULL)); /* DN-4 */
        CHECK(replica->quarantine_tag == 0 || replica->state == REPLICA_CORRUPT);
        CHECK(replica->volume->state != VOLUME_FAILED || replica->state == REPLICA_RECEIVING ||
              replica->state == REPLICA_DELETING); /* DN-8 */
    }
    CHECK(map_u64_count(datanode->replicas) == datanode->replica_list.count);
    CHECK(reserved == datanode->reserved_bytes); /* DN-2 */
    CHECK(receives == datanode->receives);
    CHECK(receives <= datanode->settings.receives_max);
    CHECK(used == datanode->used_bytes); /* DN-7 */
    CHECK(corrupt == datanode->corrupt_count);
}

void datanode_replicas_close(struct datanode *datanode)
{
    struct replica *replica;
    while ((replica = list_pop(&datanode->replica_list)) != NULL) {
        list_remove(&replica->in_scrub);
        mem_free(replica);
    }
    map_u64_close(datanode->replicas);
}
