/*
 * dfs_clients.c - clients that do anything: write, read, move, delete, look. Each does one thing
 * after the other, repeats a call that got no answer with the same request id, and gives up after a
 * while.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/dfs_client.h"

static void client_next(struct world *world, struct process *process, uint64_t tag);

struct client *dfs_client_of(const struct process *process)
{
    return process->state;
}

/* --- calls
 * -------------------------------------------------------------------------------------------- */
bool dfs_client_is_passing(enum status status)
{
    return status == ERR_UNAVAILABLE || status == ERR_DEADLINE || status == ERR_SAFE_MODE ||
           status == ERR_CANCELLED;
}

static void call_send(struct world *world, struct process *process, uint64_t tag)
{
    struct client *client = dfs_client_of(process);
    if (tag != client->tag)
        return;
    world_call(world, process, client->tag, world->dfs->namenode->address, client->method,
               client->message, DFS_CALL_MS);
}

/* request_id: of message; 0 for a read. */
void dfs_client_call(struct world *world,
                     struct process *process,
                     enum method method,
                     uint64_t request_id,
                     const void *message)
{
    struct client *client = dfs_client_of(process);
    client->method = method;
    client->request_id = request_id;
    client->message = message_copy(method_info(method)->request, message, client->arena);
    client->tag++;
    client->deadline_ms = world->now_ms + DFS_GIVE_UP_MS;
    call_send(world, process, client->tag);
}

void dfs_client_done(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    client->tag++;
    client->is_writing = false;
    client->was_zombie = false;
    world_wake(world, process, 1 + (int64_t)rng_below(&world->rng, 400), client_next, client->tag);
}

/* --- paths
 * -------------------------------------------------------------------------------------------- */
void dfs_client_random_path(struct world *world, char *path)
{
    static const char *const tops[] = {"d0", "d1", "d2", "d0", "d1", "d2", "x"};
    static const char *const names[] = {"a", "b", "c", "x", "y"};
    size_t at = (size_t)snprintf(path, DFS_PATH_MAX, "/%s", tops[rng_below(&world->rng, 7)]);
    for (uint64_t depth = rng_below(&world->rng, 4); depth > 0; depth--)
        at +=
            (size_t)snprintf(path + at, DFS_PATH_MAX - at, "/%s", names[rng_below(&world->rng, 5)]);
}

void dfs_path_of(const struct model_node *node, char *path)
{
    if (!node->parent) {
        path[0] = '\0';
        return;
    }
    dfs_path_of(node->parent, path);
    size_t at = strlen(path);
    (void)snprintf(path + at, DFS_PATH_MAX - at, "/%s", node->name);
}

/* Something that is there more often than not. */
void dfs_client_likely_path(struct world *world, char *path, enum dfs_file_kind kind)
{
    const struct model *model = world->dfs->model;
    size_t count = 0;
    dfs_client_random_path(world, path);
    if (rng_chance(&world->rng, 300000))
        return;
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node)) {
        if (node->kind == kind && node->parent && rng_below(&world->rng, ++count) == 0)
            dfs_path_of(node, path);
    }
}

/* --- what it does
 * ------------------------------------------------------------------------------------------ */
static void client_next(struct world *world, struct process *process, uint64_t tag)
{
    struct client *client = dfs_client_of(process);
    if (tag != client->tag)
        return;
    arena_reset(client->arena);
    if (world->dfs->is_peace) {
        client->is_idle = true;
        return;
    }
    if (client->setup > 0) {
        dfs_call_setup(world, process);
        return;
    }
    char path[DFS_PATH_MAX];
    dfs_client_likely_path(world, path,
                           rng_chance(&world->rng, 800000) ? FILE_REGULAR : FILE_DIRECTORY);
    if (world->dfs->plan.has_trash && rng_chance(&world->rng, 200000)) {
        dfs_call_trash(world, process, path);
        return;
    }
    uint64_t draw = rng_below(&world->rng, 18);
    if (draw < 8)
        dfs_call_any(world, process, path);
    else if (draw < 11)
        dfs_get_file(world, process, path);
    else if (draw < 13)
        dfs_write_append(world, process);
    else
        dfs_write_create(world, process);
}

static void client_answered(struct world *world,
                            struct process *process,
                            uint64_t tag,
                            enum method method,
                            enum status status,
                            const void *message)
{
    struct client *client = dfs_client_of(process);
    if (tag != client->tag)
        return;
    bool is_late = world->now_ms >= client->deadline_ms;
    if (dfs_client_is_passing(status) && !is_late) {
        world_wake(world, process, DFS_RETRY_MS, call_send, client->tag);
        return;
    }
    bool is_remembered = client->request_id != 0 && method != METHOD_NAMENODE_ADD_BLOCK &&
                         method != METHOD_NAMENODE_SEAL_BLOCK;
    if (status == OK && is_remembered)
        dfs_watch_acknowledged(world, client->client_id, client->request_id, method);
    world->dfs->counters.unacknowledged += dfs_client_is_passing(status) && client->request_id != 0;
    switch ((int)method) {
    case METHOD_NAMENODE_CREATE:
    case METHOD_NAMENODE_APPEND:
    case METHOD_NAMENODE_ADD_BLOCK:
    case METHOD_NAMENODE_SEAL_BLOCK:
    case METHOD_NAMENODE_COMPLETE:
    case METHOD_NAMENODE_ABANDON:
        dfs_write_answered(world, process, status, message);
        return;
    case METHOD_NAMENODE_GET_BLOCKS:
        dfs_get_answered(world, process, status, message);
        return;
    default:
        dfs_client_done(world, process);
        return;
    }
}

/* --- life
 * --------------------------------------------------------------------------------------------- */
static void client_begins(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    client->client_id += 100; /* a new process is a new client */
    client->next_request_id = 1;
    client->is_writing = false;
    client->is_paused = false;
    client->was_zombie = false;
    client->tag += FIRST_TAG;
    process->is_up = true;
    process->life++;
    world_wake(world, process, 1 + (int64_t)rng_below(&world->rng, 300), client_next, client->tag);
    world_wake(world, process, DFS_LEASE_MS / 3, dfs_write_renew, 0);
}

static void client_returns(struct world *world, struct process *admin, uint64_t number)
{
    (void)admin;
    client_begins(world, world->dfs->clients[number]);
}

static void client_crashed(struct world *world, struct process *process)
{
    world_wake(world, world->dfs->admin, 1 + (int64_t)rng_below(&world->rng, 5000), client_returns,
               process->number);
}

void dfs_clients_start(struct world *world)
{
    static const char *const users[DFS_CLIENTS] = {"millrace", "alice", "bob", "alice"};
    static const struct slice groups[] = {
        {(const uint8_t *)"alice", 5},
        {(const uint8_t *)"staff", 5},
        {(const uint8_t *)"bob",   3}
    };
    struct dfs_sim *sim = world->dfs;
    dfs_admin_start(world);
    for (uint32_t i = 0; i < DFS_CLIENTS; i++) {
        uint32_t host = i < 2 ? i : DFS_CLIENT_HOST + i;
        struct process *process =
            world_process_add(world, PROCESS_CLIENT, i, host, slice_from_string(users[i]));
        struct client *client = MEM_NEW(struct client);
        client->client_id = i + 1;
        client->arena = arena_open(0);
        client->setup = i > 0 ? 0 : sim->plan.has_trash ? 5 : 3;
        process->state = client;
        process->groups = i == 0 ? NULL : i == 2 ? &groups[1] : &groups[0];
        process->groups_count = i == 0 ? 0 : 2;
        process->on_answer = client_answered;
        process->on_crash = client_crashed;
        sim->clients[i] = process;
        client_begins(world, process);
    }
}

bool dfs_clients_are_idle(const struct world *world)
{
    for (size_t i = 0; i < DFS_CLIENTS; i++)
        if (!dfs_client_of(world->dfs->clients[i])->is_idle)
            return false;
    return true;
}

void dfs_clients_free(struct world *world)
{
    for (size_t i = 0; i < DFS_CLIENTS; i++) {
        struct client *client = dfs_client_of(world->dfs->clients[i]);
        arena_close(client->arena);
        mem_free(client);
    }
}
