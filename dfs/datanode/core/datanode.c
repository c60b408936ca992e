/*
 * datanode.c - the door of the datanode's machine: opening, dispatch, deadline, checks.
 * Owns struct datanode as a whole; its parts belong to volumes.c, replicas.c, work.c, scrub.c,
 * verify.c, session.c and changes.c.
 */
#include "dfs/datanode/core/datanode.h"

#include <string.h>

#include "dfs/datanode/core/internal.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

#define MIB ((uint64_t)1 << 20)

void datanode_settings_default(struct datanode_settings *settings)
{
    *settings = (struct datanode_settings){
        .bad_reads_max = 3,
        .reserve_bytes = 64 * MIB,
        .copies_max = 4,
        .receives_max = 64,
        .report_part_blocks = 10000,
        .scrub_bytes_per_second = 8 * MIB,
        .scrub_pause_ms = INT64_C(24) * 60 * 60 * 1000,
        .scrub_save_ms = INT64_C(5) * 60 * 1000,
        .call_timeout_ms = 10000,
        .retry_min_ms = 100,
        .retry_max_ms = 5000,
        .space_interval_ms = 5000,
    };
}

static bool settings_are_sound(const struct datanode_settings *s)
{
    return s->node.node_id != 0 && s->namenode_address.length <= LIMIT_ADDRESS_BYTES &&
           s->copies_max >= 1 && s->copies_max <= DATANODE_TRANSFERS_MAX && s->receives_max >= 1 &&
           s->receives_max <= DATANODE_TRANSFERS_MAX && s->report_part_blocks >= 1 &&
           s->report_part_blocks <= LIMIT_BLOCKS_PER_REPORT_PART && s->call_timeout_ms >= 1 &&
           s->retry_min_ms >= 1 && s->retry_max_ms >= s->retry_min_ms && s->scrub_pause_ms >= 0 &&
           s->scrub_save_ms >= 0 && s->space_interval_ms >= 1 && s->reserve_bytes <= INT64_MAX &&
           s->bad_reads_max >= 1 &&
           (s->volumes == NULL ||
            (s->volumes_count >= 1 && s->volumes_count <= DATANODE_VOLUMES_MAX));
}

enum status datanode_open(const struct datanode_settings *settings,
                          uint64_t seed,
                          struct datanode **ret_datanode)
{
    if (!settings_are_sound(settings))
        return ERR_INVALID;
    struct datanode *datanode = MEM_NEW(struct datanode);
    datanode->arena = arena_open(0);
    datanode->settings = *settings;
    message_copy_into(&endpoint_type, &settings->node, &datanode->settings.node, datanode->arena);
    /* The copy in the struct may change; the setting says whether it does. */
    if (settings->namenode_address.length > 0)
        memcpy(datanode->namenode_address, settings->namenode_address.data,
               settings->namenode_address.length);
    datanode->settings.namenode_address = slice_from_string(datanode->namenode_address);
    datanode->is_namenode_fixed = settings->namenode_address.length > 0;
    datanode_volumes_open(datanode, settings);
    datanode->rng = rng_seed(seed);
    datanode->cluster_id = settings->cluster_id;
    datanode->replicas = map_u64_open();
    datanode->pending = map_u64_open();
    datanode->copy_jobs = map_u64_open();
    datanode->change_by_block = map_u64_open();
    *ret_datanode = datanode;
    return OK;
}

uint64_t datanode_next_tag(struct datanode *datanode)
{
    return ++datanode->next_tag;
}

static void start(struct datanode *datanode)
{
    datanode->is_started = true;
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        datanode->volumes[i].space_due_ms = datanode->now_ms;
    datanode_scrub_start(datanode);
}

static void step_local(struct datanode *datanode,
                       struct actions *actions,
                       const struct event *event)
{
    switch ((enum datanode_local)event->effect) {
    case DATANODE_LOCAL_BLOCKS_FOUND:
        datanode_replicas_found(datanode, actions, event->data);
        break;
    case DATANODE_LOCAL_RECEIVE_ASKED:
        datanode_receive_asked(datanode, actions, event->data);
        break;
    case DATANODE_LOCAL_RECEIVE_DONE:
        datanode_receive_done(datanode, actions, event->data);
        break;
    case DATANODE_LOCAL_BLOCK_CORRUPT: {
        const struct datanode_block *seen = event->data;
        datanode_replica_is_bad(datanode, actions, seen->block.block_id, seen->volume,
                                seen->is_unreadable);
        break;
    }
    case DATANODE_LOCAL_VOLUME_FAILED: {
        const struct datanode_volume *seen = event->data;
        datanode_volume_fail(datanode, actions, datanode_volume_get(datanode, seen->volume),
                             seen->text);
        break;
    }
    case DATANODE_LOCAL_LATENCIES:
        datanode_latencies_told(datanode, event->data);
        break;
    case DATANODE_LOCAL_COUNT:
    default:
        CHECK(event->effect < DATANODE_LOCAL_COUNT);
        break;
    }
}

static void stop(struct datanode *datanode, struct actions *actions)
{
    if (datanode->is_stopping)
        return;
    datanode->is_stopping = true;
    datanode_scrub_stop(datanode, actions);
    actions_exit(actions, 0);
}

void datanode_step(struct datanode *datanode,
                   const struct event *event,
                   struct actions *ret_actions)
{
    CHECK(event->now_ms >= datanode->now_ms);
    datanode->now_ms = event->now_ms;
    switch (event->kind) {
    case EVENT_START:
        CHECK(!datanode->is_started);
        start(datanode);
        break;
    case EVENT_REQUEST: /* a datanode serves bytes, not calls */
        actions_fail(ret_actions, event->call, ERR_UNSUPPORTED, "a datanode serves no calls");
        break;
    case EVENT_RESPONSE:
        datanode_session_response(datanode, ret_actions, event);
        break;
    case EVENT_EFFECT_DONE:
        datanode_effect_done(datanode, ret_actions, event);
        break;
    case EVENT_LOCAL:
        step_local(datanode, ret_actions, event);
        break;
    case EVENT_STOP:
        stop(datanode, ret_actions);
        break;
    case EVENT_TICK:
    case EVENT_REPLAY: /* it has no journal */
    case EVENT_REQUEST_CANCELLED:
    default:
        break;
    }
    if (!datanode->is_started || datanode->registration == REGISTRATION_REFUSED)
        return;
    datanode_work_pump(datanode, ret_actions);
    datanode_session_pump(datanode, ret_actions);
}

int64_t datanode_deadline_ms(const struct datanode *datanode)
{
    if (!datanode->is_started || datanode->registration == REGISTRATION_REFUSED)
        return DATANODE_NEVER;
    int64_t work_ms = datanode_work_deadline_ms(datanode);
    int64_t session_ms = datanode_session_deadline_ms(datanode);
    return work_ms < session_ms ? work_ms : session_ms;
}

struct datanode_totals datanode_totals(const struct datanode *datanode)
{
    uint64_t good = 0;
    for (uint32_t i = 0; i < datanode->volumes_count; i++)
        good += datanode->volumes[i].block_count;
    return (struct datanode_totals){
        .registration = (enum datanode_registration_state)datanode->registration,
        .cluster_id = datanode->cluster_id,
        .block_count = good,
        .corrupt_count = datanode->corrupt_count,
        .used_bytes = datanode->used_bytes,
        .reserved_bytes = datanode->reserved_bytes,
        .free_bytes = datanode_free_bytes(datanode),
        .copies_running = (uint32_t)datanode->copies_running.count,
        .copies_waiting = (uint32_t)datanode->copies_waiting.count,
        .changes_waiting = datanode->changes_waiting.count + datanode->changes_sent.count,
        .blocks_scrubbed = datanode->blocks_scrubbed,
        .volumes = datanode->volumes_count,
        .volumes_failed = datanode->volumes_failed,
    };
}

void datanode_check(const struct datanode *datanode)
{
    datanode_replicas_check(datanode);
    datanode_volumes_check(datanode);
    datanode_work_check(datanode);
    datanode_changes_check(datanode);
    bool has_session = datanode->registration == REGISTRATION_REPORTING ||
                       datanode->registration == REGISTRATION_ACTIVE;
    if (!has_session) { /* DN-5 */
        CHECK(datanode->heartbeat_lane.tag == 0);
        CHECK(datanode->report_lane.tag == 0);
        CHECK(datanode->changes_lane.tag == 0);
    }
    if (has_session) /* DN-6 */
        CHECK(datanode->cluster_id != 0);
}

void datanode_close(struct datanode *datanode)
{
    if (datanode == NULL)
        return;
    datanode_changes_drop(datanode);
    map_u64_close(datanode->change_by_block);
    datanode_work_close(datanode);
    datanode_replicas_close(datanode);
    arena_close(datanode->peers_arena);
    arena_close(datanode->arena);
    mem_free(datanode);
}
