/*
 * volumes.c - the disks of this node: how much room each has, which takes the next block, and what
 * happens when one fails.
 * Owns struct volume but for its bytes used and reserved, which are replicas.c's. A volume that has
 * failed is not asked again before the datanode is restarted, whatever it answers later: after a
 * failed sync nobody knows which of its cached pages were dropped (the fsync study, ATC'20).
 * Invariants: DN-2, DN-8. States: docs/states/datanode_volume.dot.
 */
#include "dfs/datanode/core/internal.h"

#include <inttypes.h>

#include "lib/base/check.h"

/* X(constant, name) */
#define VOLUME_EVENT_LIST(X)                                                                       \
 X(VOLUME_HAS_ROOM, "HAS_ROOM")                                                                    \
 X(VOLUME_HAS_NONE, "HAS_NONE")                                                                    \
 X(VOLUME_BROKE, "BROKE")

enum volume_event {
#define EVENT_ENUM(constant, name) constant,
    VOLUME_EVENT_LIST(EVENT_ENUM)
#undef EVENT_ENUM
    VOLUME_EVENT_COUNT
};

static const char *const volume_event_names[VOLUME_EVENT_COUNT] = {
#define EVENT_NAME(constant, name) name,
    VOLUME_EVENT_LIST(EVENT_NAME)
#undef EVENT_NAME
};

static const char *const volume_state_names[DFS_VOLUME_STATE_COUNT] = {
    [VOLUME_STARTING] = "STARTING",
    [VOLUME_OPEN] = "OPEN",
    [VOLUME_FULL] = "FULL",
    [VOLUME_FAILED] = "FAILED",
};

static void retire(void *object, void *context)
{
    struct volume *volume = object;
    const struct datanode_context *c = context;
    c->datanode->volumes_failed++;
    struct datanode_volume *data = ARENA_NEW(c->actions->arena, struct datanode_volume);
    data->volume = volume->index;
    data->text = volume->failure;
    actions_effect(c->actions, 0, DATANODE_EFFECT_RETIRE_VOLUME, data);
}

static const struct transition_row volume_rows[] = {
    {VOLUME_STARTING, VOLUME_HAS_ROOM, VOLUME_OPEN,   NULL  },
    {VOLUME_STARTING, VOLUME_HAS_NONE, VOLUME_FULL,   NULL  },
    {VOLUME_STARTING, VOLUME_BROKE,    VOLUME_FAILED, retire},
    {VOLUME_OPEN,     VOLUME_HAS_NONE, VOLUME_FULL,   NULL  },
    {VOLUME_OPEN,     VOLUME_BROKE,    VOLUME_FAILED, retire},
    {VOLUME_FULL,     VOLUME_HAS_ROOM, VOLUME_OPEN,   NULL  },
    {VOLUME_FULL,     VOLUME_BROKE,    VOLUME_FAILED, retire},
};

const struct transition_table datanode_volume_table = {
    .name = "datanode_volume",
    .rows = volume_rows,
    .count = sizeof(volume_rows) / sizeof(volume_rows[0]),
    .state_names = volume_state_names,
    .state_count = DFS_VOLUME_STATE_COUNT,
    .event_names = volume_event_names,
    .event_count = VOLUME_EVENT_COUNT,
};

/* The only place where a volume changes state; an event that says nothing new is passed over. */
static void volume_apply(struct datanode *datanode,
                         struct actions *actions,
                         struct volume *volume,
                         enum volume_event event)
{
    struct datanode_context context = {datanode, actions};
    int from = volume->state;
    if (transition_apply(&datanode_volume_table, &volume->state, (int)event, volume, &context) ==
        OK)
        trace_emit(actions->trace, "volume %" PRIu32 " %s->%s", volume->index,
                   volume_state_names[from], volume_state_names[volume->state]);
}

enum {
    LIMPING_WRITES_MIN = 8,      /* fewer say nothing */
    LIMPING_US_MIN = 100 * 1000, /* what is faster does not limp, whatever the others do */
    LIMPING_FACTOR = 10,         /* times the p99 of the fastest disk */
    LIMPING_SHARE = 16           /* of the blocks it would get otherwise */
};

void datanode_volumes_open(struct datanode *datanode, const struct datanode_settings *settings)
{
    datanode->volumes_count = settings->volumes == NULL ? 1 : (uint32_t)settings->volumes_count;
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        struct volume *volume = &datanode->volumes[i];
        volume->index = i;
        if (settings->volumes != NULL)
            volume->directory = arena_copy(datanode->arena, settings->volumes[i]);
    }
    datanode->settings.volumes = NULL; /* borrowed until here */
}

struct volume *datanode_volume_get(struct datanode *datanode, uint32_t index)
{
    CHECK(index < datanode->volumes_count); /* the shell names only what it was told of */
    return &datanode->volumes[index];
}

/* --- room --------------------------------------------------------------------------------------
 */

static uint64_t bytes_left(uint64_t bytes, uint64_t taken)
{
    return bytes > taken ? bytes - taken : 0;
}

static uint64_t room_of(const struct datanode *datanode, const struct volume *volume)
{
    if (volume->state != VOLUME_OPEN && volume->state != VOLUME_FULL)
        return 0;
    return bytes_left(bytes_left(volume->volume_free_bytes, datanode->settings.reserve_bytes),
                      volume->reserved_bytes);
}

uint64_t datanode_free_bytes(const struct datanode *datanode)
{
    uint64_t free_bytes = 0;
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        free_bytes += room_of(datanode, &datanode->volumes[i]);
    if (datanode->settings.capacity_bytes == 0)
        return free_bytes;
    uint64_t offered =
        bytes_left(bytes_left(datanode->settings.capacity_bytes, datanode->used_bytes),
                   datanode->reserved_bytes);
    return offered < free_bytes ? offered : free_bytes;
}

uint64_t datanode_capacity_bytes(const struct datanode *datanode)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        if (datanode->volumes[i].state != VOLUME_FAILED)
            bytes += datanode->volumes[i].volume_bytes;
    }
    uint64_t offered = datanode->settings.capacity_bytes;
    return offered != 0 && datanode->volumes_failed < datanode->volumes_count ? offered : bytes;
}

bool datanode_volumes_are_known(const struct datanode *datanode)
{
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        int state = datanode->volumes[i].state;
        if (state == VOLUME_OPEN || state == VOLUME_FULL)
            return true;
    }
    return datanode->volumes_failed == datanode->volumes_count;
}

/* A disk that takes far longer than the fastest of this node for the same kind of work. */
static bool is_limping(const struct datanode *datanode, const struct volume *volume)
{
    uint64_t best_us = UINT64_MAX;
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        const struct volume *other = &datanode->volumes[i];
        if (other->state == VOLUME_OPEN && other->latency.writes >= LIMPING_WRITES_MIN &&
            other->latency.write_p99_us < best_us)
            best_us = other->latency.write_p99_us;
    }
    return best_us != UINT64_MAX && volume->latency.writes >= LIMPING_WRITES_MIN &&
           volume->latency.write_p99_us >= LIMPING_US_MIN &&
           volume->latency.write_p99_us / LIMPING_FACTOR > best_us;
}

/* What it weighs in the lot for a block of that size. */
static uint64_t weight_of(const struct datanode *datanode,
                          const struct volume *volume,
                          uint64_t bytes)
{
    uint64_t room = room_of(datanode, volume);
    if (volume->state != VOLUME_OPEN || room < bytes || room == 0)
        return 0;
    if (!is_limping(datanode, volume))
        return room;
    return room / LIMPING_SHARE > 0 ? room / LIMPING_SHARE : 1;
}

/*
 * By lot, weighted with the room on each: disks fill up in step, and a new one does not get every
 * write, as it would if the emptiest were always taken. A limping disk gets few: enough to see that
 * it has recovered.
 */
struct volume *datanode_volume_choose(struct datanode *datanode, uint64_t bytes)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        total += weight_of(datanode, &datanode->volumes[i], bytes);
    if (total == 0)
        return NULL;
    uint64_t lot = datanode->volumes_count == 1 ? 0 : rng_below(&datanode->rng, total);
    uint32_t i = 0;
    for (; lot >= weight_of(datanode, &datanode->volumes[i], bytes); i++)
        lot -= weight_of(datanode, &datanode->volumes[i], bytes); /* it lies below the sum */
    return &datanode->volumes[i];
}

/* What has come or gone since the volume was measured. */
void datanode_volume_adjust(struct volume *volume, uint64_t more_bytes, uint64_t less_bytes)
{
    volume->volume_free_bytes = bytes_left(volume->volume_free_bytes + more_bytes, less_bytes);
}

static void measured(struct datanode *datanode,
                     struct actions *actions,
                     struct volume *volume,
                     const struct event *event)
{
    if (event->status == ERR_IO || event->status == ERR_NOT_FOUND) {
        datanode_volume_fail(datanode, actions, volume,
                             arena_format(actions->arena, "its file system does not answer: %.*s",
                                          SLICE_ARGS(event->text)));
        return;
    }
    if (event->status != OK) {
        /* What cannot be measured has no room; the next look may find otherwise. */
        trace_emit(actions->trace, "space %s", status_name(event->status));
        volume->volume_free_bytes = 0;
    } else {
        const struct datanode_space *space = event->data;
        volume->volume_bytes = space->volume_bytes;
        volume->volume_free_bytes = space->free_bytes;
    }
    bool has_room = volume->volume_free_bytes > datanode->settings.reserve_bytes;
    volume_apply(datanode, actions, volume, has_room ? VOLUME_HAS_ROOM : VOLUME_HAS_NONE);
}

void datanode_volume_measured(struct datanode *datanode,
                              struct actions *actions,
                              uint32_t index,
                              const struct event *event)
{
    struct volume *volume = datanode_volume_get(datanode, index);
    volume->space_tag = 0;
    volume->space_due_ms = datanode->now_ms + datanode->settings.space_interval_ms;
    if (volume->state != VOLUME_FAILED)
        measured(datanode, actions, volume, event);
}

void datanode_latencies_told(struct datanode *datanode, const struct datanode_latencies *told)
{
    datanode->latency = told->node;
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        datanode->volumes[i].latency = told->volumes[i];
    arena_close(datanode->peers_arena);
    datanode->peers_arena = arena_open(0);
    datanode->peers =
        ARENA_ARRAY(datanode->peers_arena, struct dfs_peer_latency, told->peers_count);
    datanode->peers_count = told->peers_count;
    for (size_t i = 0; i < told->peers_count; i++)
        message_copy_into(&dfs_peer_latency_type, &told->peers[i], &datanode->peers[i],
                          datanode->peers_arena);
}

void datanode_volumes_pump(struct datanode *datanode, struct actions *actions)
{
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        struct volume *volume = &datanode->volumes[i];
        if (volume->state == VOLUME_FAILED || volume->space_tag != 0 ||
            volume->space_due_ms > datanode->now_ms)
            continue;
        struct datanode_volume *data = ARENA_NEW(actions->arena, struct datanode_volume);
        data->volume = i;
        volume->space_tag = datanode_ask_effect(datanode, actions, USE_MEASURE, 0, i,
                                                DATANODE_EFFECT_MEASURE_SPACE, data);
    }
}

int64_t datanode_volumes_deadline_ms(const struct datanode *datanode)
{
    int64_t deadline_ms = DATANODE_NEVER;
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        const struct volume *volume = &datanode->volumes[i];
        if (volume->state != VOLUME_FAILED && volume->space_tag == 0 &&
            volume->space_due_ms < deadline_ms)
            deadline_ms = volume->space_due_ms;
    }
    return deadline_ms;
}

/* --- failure -----------------------------------------------------------------------------------
 */

void datanode_volume_fail(struct datanode *datanode,
                          struct actions *actions,
                          struct volume *volume,
                          struct slice why)
{
    if (volume->state == VOLUME_FAILED)
        return;
    volume->failure = arena_copy(datanode->arena, why);
    volume_apply(datanode, actions, volume, VOLUME_BROKE);
    datanode_replicas_lose_volume(datanode, actions, volume);
}

void datanode_volume_is_full(struct datanode *datanode,
                             struct actions *actions,
                             struct volume *volume)
{
    volume->volume_free_bytes = 0;
    volume_apply(datanode, actions, volume, VOLUME_HAS_NONE);
}

void datanode_volume_bad_read(struct datanode *datanode,
                              struct actions *actions,
                              struct volume *volume)
{
    volume->bad_reads++;
    if (volume->bad_reads < datanode->settings.bad_reads_max)
        return;
    datanode_volume_fail(datanode, actions, volume,
                         arena_format(actions->arena, "%" PRIu32 " of its blocks could not be read",
                                      volume->bad_reads));
}

/* --- looking in --------------------------------------------------------------------------------
 */

struct dfs_volume_info datanode_volume_info(const struct datanode *datanode, uint32_t index)
{
    CHECK(index < datanode->volumes_count);
    const struct volume *volume = &datanode->volumes[index];
    return (struct dfs_volume_info){
        .directory = volume->directory,
        .state = (enum dfs_volume_state)volume->state,
        .capacity_bytes = volume->volume_bytes,
        .used_bytes = volume->used_bytes,
        .free_bytes = room_of(datanode, volume),
        .block_count = volume->block_count,
        .latency = volume->latency,
        .failure = volume->failure,
    };
}

void datanode_volumes_check(const struct datanode *datanode)
{
    uint64_t used = 0;
    uint64_t reserved = 0;
    uint32_t failed = 0;
    for (uint32_t i = 0; i < datanode->volumes_count; i++) {
        const struct volume *volume = &datanode->volumes[i];
        used += volume->used_bytes;
        reserved += volume->reserved_bytes;
        failed += volume->state == VOLUME_FAILED;
        CHECK(volume->state != VOLUME_FAILED || volume->block_count == 0); /* DN-8 */
        CHECK(volume->block_count == volume->scrub_list.count);
    }
    CHECK(used == datanode->used_bytes);         /* DN-7 */
    CHECK(reserved == datanode->reserved_bytes); /* DN-2 */
    CHECK(failed == datanode->volumes_failed);
}
