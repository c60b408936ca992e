/*
 * scrub.c - the scrubber: which replica is read next, at what pace, and how far each volume's pass
 * has come.
 * Each volume lists its good replicas, longest unverified first: those that the scan found in the
 * order of their ids, from behind the position where the last start left off, then what came since.
 * The volumes take turns, block by block, so that a small one is not kept waiting by a large one,
 * nor the other way round. Owns the order of the lists, the pace and the positions.
 */
#include "dfs/datanode/core/internal.h"

#include <stdlib.h>

#include "lib/base/check.h"

/* --- the order ---------------------------------------------------------------------------------
 */

static int compare_blocks(const void *left, const void *right)
{
    const struct dfs_block_info *a = left;
    const struct dfs_block_info *b = right;
    return (a->block_id > b->block_id) - (a->block_id < b->block_id);
}

const struct dfs_block_info *datanode_scrub_sort(const struct datanode_found *found,
                                                 struct arena *arena)
{
    struct dfs_block_info *blocks = ARENA_ARRAY(arena, struct dfs_block_info, found->blocks_count);
    for (size_t i = 0; i < found->blocks_count; i++)
        blocks[i] = found->blocks[i];
    if (found->blocks_count > 1)
        qsort(blocks, found->blocks_count, sizeof(*blocks), compare_blocks);
    return blocks;
}

static void move_first_to_end(struct list *list)
{
    struct replica *replica = list_pop(list);
    list_append(list, &replica->in_scrub, replica);
}

/* Without a position the pass begins by lot, so that restarts do not starve always the same. */
void datanode_scrub_begin(struct datanode *datanode,
                          struct volume *volume,
                          const struct datanode_found *found)
{
    struct list *list = &volume->scrub_list;
    if (list->count == 0)
        return;
    if (!found->has_position) {
        for (uint64_t i = rng_below(&datanode->rng, list->count); i > 0; i--)
            move_first_to_end(list);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct replica *first = list->first->object;
        if (first->block.block_id > found->position)
            return;
        move_first_to_end(list);
    }
}

/* --- the position ------------------------------------------------------------------------------
 */

/* One writer at a time: a disk that hangs gets no second one. */
static void save_position(struct datanode *datanode, struct actions *actions, struct volume *volume)
{
    if (!volume->is_position_new || volume->position_tag != 0 || volume->state == VOLUME_FAILED)
        return;
    struct datanode_position *data = ARENA_NEW(actions->arena, struct datanode_position);
    data->volume = volume->index;
    data->block_id = volume->position;
    volume->is_position_new = false;
    volume->position_due_ms = datanode->now_ms + datanode->settings.scrub_save_ms;
    volume->position_tag =
        datanode_ask_effect(datanode, actions, USE_SAVE_POSITION, volume->position, volume->index,
                            DATANODE_EFFECT_SAVE_POSITION, data);
}

/*
 * It follows those only that the scan found: their order is that of the ids, and the next start
 * goes on behind it. What came since was verified when it came, and has its turn in the next pass.
 */
static void move_position(struct datanode *datanode,
                          struct actions *actions,
                          const struct replica *replica)
{
    if (!replica->is_found)
        return;
    struct volume *volume = replica->volume;
    volume->position = replica->block.block_id;
    volume->is_position_new = true;
    if (datanode->now_ms >= volume->position_due_ms && !datanode->is_stopping)
        save_position(datanode, actions, volume);
}

void datanode_scrub_position_saved(struct datanode *datanode,
                                   struct actions *actions,
                                   uint32_t index,
                                   const struct event *event)
{
    struct volume *volume = datanode_volume_get(datanode, index);
    CHECK(volume->position_tag == event->tag);
    volume->position_tag = 0;
    if (event->status == ERR_IO)
        datanode_volume_fail(datanode, actions, volume,
                             arena_format(actions->arena,
                                          "the scrubber's position could not be written: %.*s",
                                          SLICE_ARGS(event->text)));
    else if (event->status != OK)
        volume->is_position_new = true; /* written when it is due again */
}

void datanode_scrub_start(struct datanode *datanode)
{
    datanode->scrub_due_ms = datanode->now_ms;
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        datanode->volumes[i].position_due_ms = datanode->now_ms + datanode->settings.scrub_save_ms;
}

void datanode_scrub_stop(struct datanode *datanode, struct actions *actions)
{
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        save_position(datanode, actions, &datanode->volumes[i]);
}

/* --- the pace ----------------------------------------------------------------------------------
 */

/* When the replica of the volume that has been unverified for longest may be scrubbed. */
static int64_t volume_ready_ms(const struct datanode *datanode, const struct volume *volume)
{
    if (volume->scrub_list.count == 0)
        return DATANODE_NEVER;
    const struct replica *oldest = volume->scrub_list.first->object;
    int64_t ready_ms = datanode->scrub_due_ms;
    if (oldest->verified_ms != INT64_MIN &&
        oldest->verified_ms + datanode->settings.scrub_pause_ms > ready_ms)
        ready_ms = oldest->verified_ms + datanode->settings.scrub_pause_ms;
    return ready_ms;
}

int64_t datanode_scrub_deadline_ms(const struct datanode *datanode)
{
    int64_t deadline_ms = DATANODE_NEVER;
    if (datanode->scrub_tag != 0 || datanode->settings.scrub_bytes_per_second == 0)
        return deadline_ms;
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        int64_t ready_ms = volume_ready_ms(datanode, &datanode->volumes[i]);
        if (ready_ms < deadline_ms)
            deadline_ms = ready_ms;
    }
    return deadline_ms;
}

/* The first that has something to be read, beginning with the one whose turn it is. */
static const struct volume *take_turn(struct datanode *datanode)
{
    uint32_t index = datanode->scrub_turn;
    while (volume_ready_ms(datanode, &datanode->volumes[index]) > datanode->now_ms)
        index = (index + 1) % datanode->volumes_count; /* the caller knows that there is one */
    datanode->scrub_turn = (index + 1) % datanode->volumes_count;
    return &datanode->volumes[index];
}

void datanode_scrub_pump(struct datanode *datanode, struct actions *actions)
{
    if (datanode_scrub_deadline_ms(datanode) > datanode->now_ms)
        return;
    const struct volume *volume = take_turn(datanode);
    const struct replica *oldest = volume->scrub_list.first->object;
    struct datanode_block *data = ARENA_NEW(actions->arena, struct datanode_block);
    data->block = oldest->block;
    data->volume = volume->index;
    datanode->scrub_tag = datanode_ask_effect(datanode, actions, USE_SCRUB, oldest->block.block_id,
                                              data->volume, DATANODE_EFFECT_SCRUB_BLOCK, data);
    /* The pace is kept here: the next one begins when the rate has paid for this one. */
    uint64_t rate = datanode->settings.scrub_bytes_per_second;
    uint64_t cost_ms =
        oldest->block.length / rate * 1000 + oldest->block.length % rate * 1000 / rate;
    datanode->scrub_due_ms = datanode->now_ms + (int64_t)cost_ms + 1;
}

void datanode_scrub_done(struct datanode *datanode,
                         struct actions *actions,
                         uint64_t block_id,
                         uint32_t volume,
                         const struct event *event)
{
    CHECK(datanode->scrub_tag == event->tag);
    datanode->scrub_tag = 0;
    datanode->blocks_scrubbed++;
    struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica == NULL || replica->volume->index != volume || !datanode_replica_is_good(replica))
        return;
    bool is_bad =
        event->status == ERR_CORRUPT || event->status == ERR_NOT_FOUND || event->status == ERR_IO;
    if (event->status == OK || is_bad)
        move_position(datanode, actions, replica);
    if (is_bad) {
        datanode_replica_is_bad(datanode, actions, block_id, volume, event->status == ERR_IO);
        return;
    }
    /* Also after "could not be checked now" (no memory, no descriptor): others come first then. */
    replica->verified_ms = datanode->now_ms;
    list_remove(&replica->in_scrub);
    list_append(&replica->volume->scrub_list, &replica->in_scrub, replica);
}
