/*
 * machines.c - the five machines in the simulated cluster, and what their shells would do for them.
 */
#include <stdio.h>
#include <string.h>

#include "appmaster/core/appmaster.h"
#include "dfs/datanode/core/datanode.h"
#include "dfs/namenode/core/namenode.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "nodemgr/core/nodemgr.h"
#include "rm/core/rm.h"
#include "tests/sim/scenario.h"

#define DOOR_FUNCTIONS(prefix)                                                                     \
 static void prefix##_do_step(void *machine, const struct event *event,                            \
                              struct actions *ret_actions)                                         \
 {                                                                                                 \
  prefix##_step(machine, event, ret_actions);                                                      \
 }                                                                                                 \
 static int64_t prefix##_do_deadline_ms(const void *machine)                                       \
 {                                                                                                 \
  return prefix##_deadline_ms(machine);                                                            \
 }                                                                                                 \
 static void prefix##_do_check(const void *machine)                                                \
 {                                                                                                 \
  prefix##_check(machine);                                                                         \
 }                                                                                                 \
 static void prefix##_do_close(void *machine)                                                      \
 {                                                                                                 \
  prefix##_close(machine);                                                                         \
 }
#define DOOR(prefix, step_function, snapshot_function)                                             \
 static const struct door prefix##_door = {step_function, prefix##_do_deadline_ms,                 \
                                           prefix##_do_check, snapshot_function,                   \
                                           prefix##_do_close}

DOOR_FUNCTIONS(namenode)
DOOR_FUNCTIONS(rm)
DOOR_FUNCTIONS(datanode)
DOOR_FUNCTIONS(appmaster)

static void namenode_do_snapshot(const void *machine, struct actions *ret_actions)
{
    namenode_snapshot(machine, ret_actions);
}

static void rm_do_snapshot(const void *machine, struct actions *ret_actions)
{
    rm_snapshot(machine, ret_actions);
}

DOOR(namenode, namenode_do_step, namenode_do_snapshot);
DOOR(rm, rm_do_step, rm_do_snapshot);
DOOR(datanode, datanode_do_step, NULL);
DOOR(appmaster, appmaster_do_step, NULL);

enum {
    CHILDREN_MAX = 256,
    NODEMGR_ID_FIRST = 200
};

struct child {
    struct process *process;
    struct container_id container;
};

struct nodemgr_disk {
    uint64_t incarnation;
    struct app_id apps[SCENARIO_JOBS + 1]; /* whose folders are here, by sequence; zero: none */
    struct child children[CHILDREN_MAX];
    size_t children_count;
    uint32_t stale_epoch; /* containers below it must not start any more */
};

static const char *const racks[WORLD_HOSTS] = {"/rack0", "/rack0", "/rack1", "/rack1"};

static struct endpoint endpoint_of(const struct process *process, uint64_t node_id)
{
    return (struct endpoint){
        .node_id = node_id,
        .host = arena_format(process->disk, "host%u", process->host),
        .rack = slice_from_string(racks[process->host]),
        .rpc_address = process->address,
        .http_address = process->address,
    };
}

/* A machine that is loaded from a shorter journal must be the one it was: sometimes, at a restart.
 */
static void compact(struct world *world, struct process *process)
{
    if (!process->door->snapshot || !rng_chance(&world->rng, 300000) || process->journal_count == 0)
        return;
    void *old = process->machine;
    struct actions snapshot;
    actions_open(&snapshot);
    process->door->snapshot(old, &snapshot);
    process->journal_count = 0;
    for (size_t i = 0; i < snapshot.count; i++) {
        CHECK(snapshot.items[i].kind == ACTION_JOURNAL);
        process->journal = mem_reserve(process->journal, process->journal_count,
                                       &process->journal_capacity, sizeof *process->journal);
        process->journal[process->journal_count++] =
            (struct record){.type = snapshot.items[i].type,
                            .message = message_copy(snapshot.items[i].type,
                                                    snapshot.items[i].message, process->disk)};
    }
    actions_close(&snapshot);
}

static void start(struct world *world, struct process *process, void *machine)
{
    world_process_start(world, process, machine);
    compact(world, process);
    world_step(world, process, (struct event){.kind = EVENT_START});
}

/* --- namenode and resource manager
 * ---------------------------------------------------------------- */
static void namenode_restart(struct world *world, struct process *process)
{
    struct namenode_settings settings;
    struct namenode *namenode = NULL;
    namenode_settings_default(&settings);
    settings.block_size_min = 1;
    settings.block_size = SCENARIO_BLOCK_BYTES;
    settings.ids_reserved = 8;
    CHECK(namenode_open(&settings, rng_u64(&world->rng), &namenode) == OK);
    start(world, process, namenode);
}

static void rm_restart(struct world *world, struct process *process)
{
    struct rm_settings settings = rm_settings_default();
    struct rm *rm = NULL;
    settings.master_attempts_max = 1000;
    settings.master_launch_ms = 20000;
    settings.container_launch_ms = 20000;
    CHECK(rm_open(&settings, rng_u64(&world->rng), &rm) == OK);
    start(world, process, rm);
}

/* --- datanodes
 * ------------------------------------------------------------------------------------- */
struct sending {
    struct process *sender;
    uint64_t sender_life;
    struct dfs_block_info block;
    size_t remaining;
    uint64_t synced[WORLD_HOSTS];
    size_t synced_count;
    block_sent_function *done;
    uint64_t tag;
};

struct transfer {
    uint64_t number;
    struct process *datanode;
    struct sending *sending;
    bool is_let_in;
};

struct datanode_disk *datanode_disk(const struct process *datanode)
{
    return datanode->state;
}

static uint64_t node_id_of(const struct process *datanode)
{
    return 100 + datanode->number;
}

static void transfer_end(struct world *world, struct transfer *transfer, bool is_synced)
{
    struct sending *sending = transfer->sending;
    struct datanode_disk *disk = datanode_disk(transfer->datanode);
    (void)map_u64_remove(disk->transfers, transfer->number);
    if (is_synced)
        sending->synced[sending->synced_count++] = node_id_of(transfer->datanode);
    mem_free(transfer);
    if (--sending->remaining > 0)
        return;
    bool is_alive = sending->sender->is_up && sending->sender->life == sending->sender_life;
    if (is_alive)
        sending->done(world, sending->sender, sending->tag, sending->synced, sending->synced_count);
    mem_free(sending);
}

static void transfer_arrives(struct world *world, struct process *datanode, uint64_t number)
{
    struct datanode_disk *disk = datanode_disk(datanode);
    struct transfer *transfer = map_u64_get(disk->transfers, number);
    if (!transfer)
        return;
    struct stored_block *block = MEM_NEW(struct stored_block);
    block->info = transfer->sending->block;
    struct stored_block *old = map_u64_put(disk->blocks, block->info.block_id, block);
    mem_free(old);
    struct datanode_received received = {
        .transfer = number, .block_id = block->info.block_id, .status = OK};
    world_step(world, datanode,
               (struct event){
                   .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_RECEIVE_DONE, .data = &received});
}

void block_send(struct world *world,
                struct process *sender,
                const struct dfs_block_info *block,
                const struct endpoint *targets,
                size_t targets_count,
                block_sent_function *done,
                uint64_t tag)
{
    struct scenario *scenario = world->scenario;
    struct sending *sending = MEM_NEW(struct sending);
    *sending = (struct sending){.sender = sender,
                                .sender_life = sender->life,
                                .block = *block,
                                .remaining = targets_count + 1,
                                .done = done,
                                .tag = tag};
    for (size_t i = 0; i < targets_count; i++) {
        struct process *datanode = scenario->datanodes[targets[i].node_id - 100];
        struct datanode_disk *disk = datanode_disk(datanode);
        struct transfer *transfer = MEM_NEW(struct transfer);
        transfer->number = ++disk->next_transfer;
        transfer->datanode = datanode;
        transfer->sending = sending;
        (void)map_u64_put(disk->transfers, transfer->number, transfer);
        bool is_lost = rng_chance(&world->rng, world->faults.loss_ppm) ||
                       !world_is_reachable(world, sender->host, datanode);
        if (is_lost) {
            transfer_end(world, transfer, false);
            continue;
        }
        struct datanode_receive receive = {.transfer = transfer->number, .block = *block};
        world_step(world, datanode,
                   (struct event){.kind = EVENT_LOCAL,
                                  .effect = DATANODE_LOCAL_RECEIVE_ASKED,
                                  .data = &receive});
    }
    /* One more for this call itself, so that done is never called from inside it. */
    struct transfer *last = MEM_NEW(struct transfer);
    last->datanode = scenario->datanodes[0];
    last->sending = sending;
    transfer_end(world, last, false);
}

static void datanode_crashed(struct world *world, struct process *process)
{
    struct datanode_disk *disk = datanode_disk(process);
    size_t cursor = 0;
    void *value;
    while (map_u64_next(disk->transfers, &cursor, NULL, &value))
        transfer_end(world, value, false);
}

static void copied(struct world *world,
                   struct process *datanode,
                   uint64_t tag,
                   const uint64_t *node_ids,
                   size_t count)
{
    (void)node_ids;
    struct datanode_copied data = {.synced_count = (uint32_t)count};
    world_effect_done(world, datanode, 1, tag, DATANODE_EFFECT_COPY_BLOCK,
                      count > 0 ? OK : ERR_UNAVAILABLE, &data, sizeof data);
}

static void copy_block(struct world *world,
                       struct process *process,
                       uint64_t tag,
                       const struct datanode_copy *copy)
{
    const struct stored_block *block =
        map_u64_get(datanode_disk(process)->blocks, copy->block.block_id);
    if (!block || block->is_corrupt)
        world_effect_done(world, process, 1, tag, DATANODE_EFFECT_COPY_BLOCK,
                          block ? ERR_CORRUPT : ERR_NOT_FOUND, NULL, 0);
    else
        block_send(world, process, &block->info, copy->targets, copy->targets_count, copied, tag);
}

static void answer_receive(struct world *world,
                           struct process *process,
                           const struct datanode_answer *answer)
{
    struct transfer *transfer = map_u64_get(datanode_disk(process)->transfers, answer->transfer);
    if (!transfer)
        return;
    if (answer->status != OK) {
        transfer_end(world, transfer, false);
    } else if (transfer->is_let_in) {
        transfer_end(world, transfer, true);
    } else {
        transfer->is_let_in = true;
        world_wake(world, process, world_delay(world), transfer_arrives, transfer->number);
    }
}

static void datanode_perform(
    struct world *world, struct process *process, uint64_t tag, int effect, const void *data)
{
    struct datanode_disk *disk = datanode_disk(process);
    const struct datanode_block *named = data;
    struct datanode_space space = {.volume_bytes = 1ULL << 40, .free_bytes = 1ULL << 39};
    struct stored_block *block = NULL;
    switch ((enum datanode_effect)effect) {
    case DATANODE_EFFECT_ANSWER_RECEIVE:
        answer_receive(world, process, data);
        return;
    case DATANODE_EFFECT_COPY_BLOCK:
        copy_block(world, process, tag, data);
        return;
    case DATANODE_EFFECT_DELETE_BLOCK:
        block = map_u64_remove(disk->blocks, named->block.block_id);
        mem_free(block);
        world_effect_done(world, process, world_delay(world), tag, effect, OK, NULL, 0);
        return;
    case DATANODE_EFFECT_QUARANTINE_BLOCK:
        block = map_u64_get(disk->blocks, named->block.block_id);
        if (block)
            block->is_corrupt = true;
        world_effect_done(world, process, world_delay(world), tag, effect, OK, NULL, 0);
        return;
    case DATANODE_EFFECT_SCRUB_BLOCK:
        block = map_u64_get(disk->blocks, named->block.block_id);
        world_effect_done(world, process, world_delay(world), tag, effect,
                          !block || block->is_corrupt ? ERR_CORRUPT : OK, NULL, 0);
        return;
    case DATANODE_EFFECT_SAVE_POSITION: /* and is forgotten: the next start begins by lot */
        world_effect_done(world, process, 1, tag, effect, OK, NULL, 0);
        return;
    case DATANODE_EFFECT_SAVE_IDENTITY:
        disk->cluster_id = ((const struct datanode_identity *)data)->cluster_id;
        world_effect_done(world, process, 1, tag, effect, OK, NULL, 0);
        return;
    case DATANODE_EFFECT_MEASURE_SPACE:
        world_effect_done(world, process, 1, tag, effect, OK, &space, sizeof space);
        return;
    case DATANODE_EFFECT_FIND_NAMENODE: /* the settings name it */
        world_effect_done(world, process, 1, tag, effect, ERR_UNSUPPORTED, NULL, 0);
        return;
    case DATANODE_EFFECT_MERGE_BLOCKS: /* no disk of the simulation can */
        world_effect_done(world, process, 1, tag, effect, ERR_UNSUPPORTED, NULL, 0);
        return;
    case DATANODE_EFFECT_RETIRE_VOLUME: /* no disk of the simulation fails as a whole */
    case DATANODE_EFFECT_TELL_REFUSAL:  /* ACTION_EXIT follows */
    case DATANODE_EFFECT_COUNT:
        return;
    }
}

static void blocks_found(struct world *world, struct process *process)
{
    struct datanode_disk *disk = datanode_disk(process);
    size_t room = map_u64_count(disk->blocks) + 1;
    struct dfs_block_info *good = mem_new(room * sizeof *good);
    struct dfs_block_info *corrupt = mem_new(room * sizeof *corrupt);
    struct datanode_found found = {.blocks = good, .corrupt = corrupt};
    size_t cursor = 0;
    void *value;
    while (map_u64_next(disk->blocks, &cursor, NULL, &value)) {
        const struct stored_block *block = value;
        if (block->is_corrupt)
            corrupt[found.corrupt_count++] = block->info;
        else
            good[found.blocks_count++] = block->info;
    }
    world_step(
        world, process,
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCKS_FOUND, .data = &found});
    mem_free(good);
    mem_free(corrupt);
}

static void datanode_restart(struct world *world, struct process *process)
{
    struct datanode_disk *disk = datanode_disk(process);
    struct datanode_settings settings;
    struct datanode *datanode = NULL;
    datanode_settings_default(&settings);
    settings.node = endpoint_of(process, node_id_of(process));
    settings.cluster_id = disk->cluster_id;
    settings.incarnation = ++disk->incarnation;
    settings.namenode_address = world->scenario->namenode->address;
    settings.report_part_blocks = 4;
    CHECK(datanode_open(&settings, rng_u64(&world->rng), &datanode) == OK);
    world_process_start(world, process, datanode);
    blocks_found(world, process);
    world_step(world, process, (struct event){.kind = EVENT_START});
}

/* --- node managers
 * ------------------------------------------------------------------------------------ */
static struct nodemgr_disk *nodemgr_disk_of(const struct process *process)
{
    return process->state;
}

/* Pure, as the door asks: what the resource manager would have signed. */
static enum status grant_verify(void *context,
                                struct slice token,
                                const struct container_id *container,
                                uint64_t node_id,
                                int64_t wall_ms,
                                struct nodemgr_grant *ret_grant)
{
    (void)context;
    (void)token;
    (void)container;
    (void)node_id;
    (void)wall_ms;
    *ret_grant = (struct nodemgr_grant){
        .resource = {.memory_bytes = 100, .vcores = 1},
          .user = slice_from_string("alice")
    };
    return OK;
}

static void child_exited(struct world *world, struct process *nodemgr, uint64_t index)
{
    struct nodemgr_disk *disk = nodemgr_disk_of(nodemgr);
    const struct child *child = &disk->children[index];
    int exit_code = child->process->exit_code;
    struct nodemgr_exited exited = {
        .container = child->container,
        .exit_code = exit_code >= 0 ? exit_code : 0,
        .signal = exit_code >= 0 ? 0 : 9,
    };
    world_step(world, nodemgr,
               (struct event){.kind = EVENT_LOCAL, .effect = NODEMGR_EXITED, .data = &exited});
}

/* on_crash of masters and tasks: their node manager is told, if it is the one that started them. */
static void child_crashed(struct world *world, struct process *process)
{
    struct process *nodemgr = world->scenario->nodemgrs[process->host];
    struct nodemgr_disk *disk = nodemgr_disk_of(nodemgr);
    for (size_t i = 0; i < disk->children_count; i++)
        if (disk->children[i].process == process)
            world_wake(world, nodemgr, world_delay(world), child_exited, i);
}

static struct slice copy_text(struct process *process, const char *text)
{
    return arena_copy(process->disk, slice_from_string(text));
}

static struct process *master_start(struct world *world,
                                    struct process *nodemgr,
                                    const struct container_id *container,
                                    size_t job)
{
    struct scenario *scenario = world->scenario;
    const struct job_plan *plan = &scenario->jobs[job];
    struct process *process =
        world_process_add(world, PROCESS_APPMASTER, ++scenario->masters_started, nodemgr->host,
                          slice_from_string("millrace"));
    struct slice *input = arena_new(process->disk, sizeof *input);
    *input = copy_text(process, plan->input);
    struct appmaster_settings settings = {
        .app = container->app,
        .app_attempt = container->app_attempt,
        .container = *container,
        .job = {.name = slice_from_string("job"),
                .inputs = input,
                .inputs_count = 1,
                .output = copy_text(process, plan->output),
                .reduces = plan->reduces,
                .attempts_max = 1000,
                .split_bytes = SCENARIO_BLOCK_BYTES,
                .map_resource = {.memory_bytes = 100, .vcores = 1},
                .reduce_resource = {.memory_bytes = 100, .vcores = 1},
                .task_timeout_ms = 60000,
                .staging = copy_text(process, plan->staging)},
        .user = slice_from_string("alice"),
        .self_address = process->address,
        .rm_address = scenario->rm->address,
        .namenode_address = scenario->namenode->address,
        .history_path = slice_from_string("/history"),
        .worker_failures_max = 1000,
    };
    struct container_id *self = arena_new(process->disk, sizeof *self);
    *self = *container;
    process->state = self;
    struct appmaster *appmaster = NULL;
    CHECK(appmaster_open(&settings, rng_u64(&world->rng), &appmaster) == OK);
    process->door = &appmaster_door;
    process->on_crash = child_crashed;
    world_process_start(world, process, appmaster);
    return process;
}

/* A master that hears of a lost node may run again what was there. */
static void appmaster_stepped(struct world *world,
                              struct process *process,
                              const struct event *event,
                              const struct actions *actions,
                              bool is_durable)
{
    bool is_news = event->kind == EVENT_RESPONSE &&
                   event->method == METHOD_MASTER_TRACKER_ALLOCATE && event->status == OK;
    const struct rm_allocate_response *response = is_news ? event->message : NULL;
    (void)process;
    (void)actions;
    (void)is_durable;
    for (size_t i = 0; response && i < response->lost_node_ids_count; i++)
        scenario_outputs_doubted(world, (uint32_t)(response->lost_node_ids[i] - NODEMGR_ID_FIRST));
}

static void appmaster_perform(
    struct world *world, struct process *process, uint64_t tag, int effect, const void *data)
{
    if (effect == APPMASTER_APPEND_JOURNAL)
        scenario_journal_append(world, process, tag, data);
    else if (effect == APPMASTER_READ_JOURNAL)
        scenario_journal_read(world, process, tag);
    else
        world_effect_done(world, process, world_delay(world), tag, effect, OK, NULL, 0);
}

static void master_begins(struct world *world, struct process *process, uint64_t tag)
{
    (void)tag;
    world_step(world, process, (struct event){.kind = EVENT_START});
}

static struct slice environment(const struct rm_launch_spec *launch, const char *key)
{
    for (size_t i = 0; i < launch->environment_count; i++)
        if (slice_equal_string(launch->environment[i].key, key))
            return launch->environment[i].value;
    return slice_make(NULL, 0);
}

static void launch(struct world *world,
                   struct process *nodemgr,
                   uint64_t tag,
                   const struct nodemgr_launch *launch_data)
{
    struct nodemgr_disk *disk = nodemgr_disk_of(nodemgr);
    const struct container_id *container = &launch_data->container;
    if (disk->children_count == CHILDREN_MAX || rng_chance(&world->rng, world->faults.loss_ppm)) {
        world_effect_done(world, nodemgr, 1, tag, NODEMGR_LAUNCH, ERR_IO, NULL, 0);
        return;
    }
    struct process *process = NULL;
    if (slice_equal_string(launch_data->launch.arguments[0], "mr-appmaster")) {
        uint64_t job = 0;
        CHECK(slice_parse_u64(environment(&launch_data->launch, "JOB"), &job));
        process = master_start(world, nodemgr, container, (size_t)job);
        process->perform_effect = appmaster_perform;
        process->on_stepped = appmaster_stepped;
        world_wake(world, process, world_delay(world), master_begins, 0);
    } else {
        process = task_start(world, nodemgr->host, container,
                             environment(&launch_data->launch, "MILLRACE_MASTER_ADDRESS"), nodemgr);
        process->on_crash = child_crashed;
    }
    if (container->app.sequence <= SCENARIO_JOBS)
        disk->apps[container->app.sequence] = container->app;
    disk->children[disk->children_count++] =
        (struct child){.process = process, .container = *container};
    struct nodemgr_launched launched = {.process_id = disk->children_count};
    world_effect_done(world, nodemgr, 1, tag, NODEMGR_LAUNCH, OK, &launched, sizeof launched);
}

static void forget(struct world *world, struct process *nodemgr, const struct app_id *app)
{
    struct scenario *scenario = world->scenario;
    struct nodemgr_disk *disk = nodemgr_disk_of(nodemgr);
    char prefix[64];
    int length = snprintf(prefix, sizeof prefix, "%u/%u/", nodemgr->host, app->sequence);
    size_t cursor = 0;
    struct slice key;
    while (map_next(scenario->outputs, &cursor, &key, NULL))
        if (slice_has_prefix(key, slice_make(prefix, (size_t)length)))
            (void)map_remove(scenario->outputs, key);
    if (app->sequence <= SCENARIO_JOBS)
        disk->apps[app->sequence] = (struct app_id){0};
}

static void nodemgr_perform(
    struct world *world, struct process *process, uint64_t tag, int effect, const void *data)
{
    struct nodemgr_disk *disk = nodemgr_disk_of(process);
    const struct nodemgr_signal *signal = data;
    switch ((enum nodemgr_effect)effect) {
    case NODEMGR_LOCALIZE:
        world_effect_done(world, process, world_delay(world), tag, effect,
                          rng_chance(&world->rng, world->faults.loss_ppm) ? ERR_IO : OK, NULL, 0);
        return;
    case NODEMGR_LAUNCH:
        launch(world, process, tag, data);
        return;
    case NODEMGR_SIGNAL:
        /* Half of the processes do not mind SIGTERM. */
        if (signal->is_kill || rng_chance(&world->rng, 500000))
            world_process_crash(world, disk->children[signal->process_id - 1].process);
        return;
    case NODEMGR_CLEAN:
        return;
    case NODEMGR_FORGET:
        forget(world, process, &((const struct nodemgr_forget *)data)->app);
        world_effect_done(world, process, world_delay(world), tag, effect, OK, data,
                          sizeof(struct nodemgr_forget));
        return;
    case NODEMGR_EFFECT_COUNT:
        return;
    }
}

/* The launcher kills all containers when its node manager dies. */
static void nodemgr_crashed(struct world *world, struct process *process)
{
    struct nodemgr_disk *disk = nodemgr_disk_of(process);
    for (size_t i = 0; i < disk->children_count; i++)
        world_process_crash(world, disk->children[i].process);
}

static struct world *watched_world; /* of the step below; one world steps at a time */

static void check_epoch(const struct process *nodemgr, const struct nodemgr_localize *localize)
{
    const struct container_id *container = &localize->container;
    const struct nodemgr_disk *disk = nodemgr_disk_of(nodemgr);
    if (container->epoch < disk->stale_epoch)
        world_fail(
            watched_world,
            "SIM-3 nm%u starts container %u.%llu of epoch %u after it registered in epoch %u",
            nodemgr->number, container->app.sequence, (unsigned long long)container->sequence,
            container->epoch, disk->stale_epoch);
}

/*
 * Sees the epoch each node manager registers in: SIM-3 says that older containers may not start
 * after that. The planted bug hides the epoch from the machine.
 */
static void nodemgr_do_step_watched(void *machine,
                                    const struct event *event,
                                    struct actions *ret_actions)
{
    struct event seen = *event;
    struct rm_register_node_response altered;
    if (event->kind == EVENT_RESPONSE && event->status == OK &&
        event->method == METHOD_NODE_TRACKER_REGISTER_NODE) {
        altered = *(const struct rm_register_node_response *)event->message;
        nodemgr_disk_of(watched_world->stepping)->stale_epoch = altered.epoch;
        if (watched_world->bug == BUG_STALE_CONTAINER)
            altered.epoch = 0;
        seen.message = &altered;
    }
    size_t before = ret_actions->count;
    nodemgr_step(machine, &seen, ret_actions);
    for (size_t i = before; i < ret_actions->count; i++)
        if (ret_actions->items[i].kind == ACTION_EFFECT &&
            ret_actions->items[i].effect == NODEMGR_LOCALIZE)
            check_epoch(watched_world->stepping, ret_actions->items[i].data);
}

static int64_t nodemgr_do_deadline_ms(const void *machine)
{
    return nodemgr_deadline_ms(machine);
}

static void nodemgr_do_check(const void *machine)
{
    nodemgr_check(machine);
}

static void nodemgr_do_close(void *machine)
{
    nodemgr_close(machine);
}

DOOR(nodemgr, nodemgr_do_step_watched, NULL);

static void nodemgr_restart(struct world *world, struct process *process)
{
    struct nodemgr_disk *disk = nodemgr_disk_of(process);
    struct app_id apps[SCENARIO_JOBS + 1];
    size_t apps_count = 0;
    for (size_t i = 0; i <= SCENARIO_JOBS; i++)
        if (disk->apps[i].sequence != 0)
            apps[apps_count++] = disk->apps[i];
    struct nodemgr_settings settings = {
        .self = endpoint_of(process, NODEMGR_ID_FIRST + process->number),
        .capacity = {.memory_bytes = 300, .vcores = 3},
        .incarnation = ++disk->incarnation,
        .rm_address = world->scenario->rm->address,
        .known_apps = apps,
        .known_apps_count = apps_count,
        .grant_verify = grant_verify,
    };
    struct nodemgr *nodemgr = NULL;
    disk->children_count = 0;
    disk->stale_epoch = 0;
    watched_world = world;
    CHECK(nodemgr_open(&settings, rng_u64(&world->rng), &nodemgr) == OK);
    world_process_start(world, process, nodemgr);
    world_step(world, process, (struct event){.kind = EVENT_START});
}

/* --- all
 * ------------------------------------------------------------------------------------------------
 */
static struct process *daemon_add(struct world *world,
                                  enum process_kind kind,
                                  uint32_t number,
                                  uint32_t host,
                                  const struct door *door,
                                  void (*restart)(struct world *world, struct process *process))
{
    struct process *process =
        world_process_add(world, kind, number, host, slice_from_string("millrace"));
    process->door = door;
    process->restart = restart;
    return process;
}

void machines_start(struct world *world)
{
    struct scenario *scenario = world->scenario;
    watched_world = world;
    scenario->outputs = map_open();
    scenario->namenode =
        daemon_add(world, PROCESS_NAMENODE, 0, 0, &namenode_door, namenode_restart);
    scenario->namenode->has_journal = true;
    scenario->rm = daemon_add(world, PROCESS_RM, 0, 1, &rm_door, rm_restart);
    scenario->rm->has_journal = true;
    for (uint32_t i = 0; i < WORLD_HOSTS; i++) {
        struct process *datanode =
            daemon_add(world, PROCESS_DATANODE, i, i, &datanode_door, datanode_restart);
        struct datanode_disk *disk = MEM_NEW(struct datanode_disk);
        disk->blocks = map_u64_open();
        disk->transfers = map_u64_open();
        datanode->state = disk;
        datanode->perform_effect = datanode_perform;
        datanode->on_crash = datanode_crashed;
        scenario->datanodes[i] = datanode;
        struct process *nodemgr =
            daemon_add(world, PROCESS_NODEMGR, i, i, &nodemgr_door, nodemgr_restart);
        nodemgr->state = MEM_NEW(struct nodemgr_disk);
        nodemgr->perform_effect = nodemgr_perform;
        nodemgr->on_crash = nodemgr_crashed;
        scenario->nodemgrs[i] = nodemgr;
    }
    namenode_restart(world, scenario->namenode);
    rm_restart(world, scenario->rm);
    for (uint32_t i = 0; i < WORLD_HOSTS; i++) {
        datanode_restart(world, scenario->datanodes[i]);
        nodemgr_restart(world, scenario->nodemgrs[i]);
    }
}

void machines_free(struct world *world)
{
    struct scenario *scenario = world->scenario;
    for (uint32_t i = 0; i < WORLD_HOSTS; i++) {
        struct datanode_disk *disk = datanode_disk(scenario->datanodes[i]);
        size_t cursor = 0;
        void *value;
        while (map_u64_next(disk->blocks, &cursor, NULL, &value))
            mem_free(value);
        map_u64_close(disk->blocks);
        map_u64_close(disk->transfers);
        mem_free(disk);
        mem_free(scenario->nodemgrs[i]->state);
    }
    map_close(scenario->outputs);
}
