/*
 * dfs_calls.c - a client reads a file and verifies it, and all the calls that are over with their
 * answer.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/dfs_client.h"

/* --- reading
 * ------------------------------------------------------------------------------------------ */
static void get_blocks(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    struct dfs_get_blocks_request request = {.path = slice_from_string(client->get.path)};
    dfs_client_call(world, process, METHOD_NAMENODE_GET_BLOCKS, 0, &request);
}

void dfs_get_file(struct world *world, struct process *process, const char *path)
{
    struct client *client = dfs_client_of(process);
    client->get = (struct get){0};
    (void)snprintf(client->get.path, sizeof client->get.path, "%s", path);
    get_blocks(world, process);
}

static void get_wakes(struct world *world, struct process *process, uint64_t tag)
{
    if (dfs_client_of(process)->tag == tag)
        get_blocks(world, process);
}

static void get_replica(struct world *world, struct process *process);

/* The datanode tells of it, too; who does first does not matter. */
static void report_corrupt(struct world *world, struct process *process)
{
    const struct get *get = &dfs_client_of(process)->get;
    const struct dfs_located_block *block = &get->blocks->blocks[get->block];
    struct dfs_report_corrupt_request request = {
        .block_id = block->block_id, .node_id = block->replicas[get->replica].node.node_id};
    world_call(world, process, RENEW_TAG, world->dfs->namenode->address,
               METHOD_NAMENODE_REPORT_CORRUPT, &request, 1000);
}

/* Good on the disk, and bad where it has come to. */
static bool is_spoiled_on_the_way(const struct world *world, uint64_t tag)
{
    return (tag * 2654435761U) % 1000000 < world->dfs->plan.flip_ppm;
}

static void got_replica(struct world *world,
                        struct process *process,
                        uint64_t tag,
                        enum status status,
                        const uint8_t *bytes,
                        uint64_t length)
{
    struct client *client = dfs_client_of(process);
    struct get *get = &client->get;
    if (client->tag != tag)
        return;
    if (status != OK) {
        if (status == ERR_CORRUPT)
            report_corrupt(world, process);
        get->replica++;
        get_replica(world, process);
        return;
    }
    uint64_t block_id = get->blocks->blocks[get->block].block_id;
    const struct content *content = map_u64_get(world->dfs->contents, block_id);
    if (!content || content->length != length || memcmp(content->bytes, bytes, length) != 0) {
        world_fail(world, "I6 a reader of block %llu got bytes that nobody wrote",
                   (unsigned long long)block_id);
        return;
    }
    if (is_spoiled_on_the_way(world, tag)) {
        world->dfs->counters.false_alarms++;
        report_corrupt(world, process);
        get->replica++;
        get_replica(world, process);
        return;
    }
    get->block++;
    get->replica = 0;
    get_replica(world, process);
}

static void get_replica(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    struct get *get = &client->get;
    if (get->block == get->blocks->blocks_count) {
        world->dfs->counters.files_read++;
        dfs_client_done(world, process);
        return;
    }
    const struct dfs_located_block *block = &get->blocks->blocks[get->block];
    client->tag++;
    if (get->replica < block->replicas_count) {
        dfs_token_check(world, block->token, block->block_id, BLOCK_READ, process->user);
        dfs_read(world, process, block->replicas[get->replica].node.node_id, block->block_id,
                 got_replica, client->tag);
    } else if (++get->round < READ_ROUNDS) {
        get->replica = 0;
        world_wake(world, process, 2000, get_wakes, client->tag);
    } else {
        dfs_client_done(world, process);
    }
}

void dfs_get_answered(struct world *world,
                      struct process *process,
                      enum status status,
                      const void *message)
{
    struct client *client = dfs_client_of(process);
    if (status != OK) {
        dfs_client_done(world, process);
        return;
    }
    client->get.blocks = message_copy(&dfs_get_blocks_response_type, message, client->arena);
    client->get.block = 0;
    client->get.replica = 0;
    get_replica(world, process);
}

/* --- everything else
 * ---------------------------------------------------------------------------------- */
static void do_mkdirs(struct world *world, struct process *process, const char *path)
{
    struct client *client = dfs_client_of(process);
    struct dfs_mkdirs_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .permission = rng_chance(&world->rng, 500000) ? 0777 : 0,
        .create_parents = rng_chance(&world->rng, 500000),
    };
    dfs_client_call(world, process, METHOD_NAMENODE_MKDIRS, request.request_id, &request);
}

static void do_rename(struct world *world, struct process *process, const char *path)
{
    struct client *client = dfs_client_of(process);
    char destination[DFS_PATH_MAX];
    dfs_client_random_path(world, destination);
    struct dfs_rename_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .source = slice_from_string(path),
        .destination = slice_from_string(destination),
    };
    dfs_client_call(world, process, METHOD_NAMENODE_RENAME, request.request_id, &request);
}

static void do_delete(struct world *world, struct process *process, const char *path)
{
    struct client *client = dfs_client_of(process);
    struct dfs_delete_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .recursive = rng_chance(&world->rng, 500000),
    };
    dfs_client_call(world, process, METHOD_NAMENODE_DELETE, request.request_id, &request);
}

static void do_permission(struct world *world, struct process *process, const char *path)
{
    static const uint32_t permissions[] = {0755, 0777, 01777, 0700, 0775, 02000};
    struct client *client = dfs_client_of(process);
    struct dfs_set_permission_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .permission = permissions[rng_below(&world->rng, 6)],
    };
    dfs_client_call(world, process, METHOD_NAMENODE_SET_PERMISSION, request.request_id, &request);
}

static void do_owner(struct world *world, struct process *process, const char *path)
{
    static const char *const names[] = {"", "alice", "bob", "staff"};
    struct client *client = dfs_client_of(process);
    struct dfs_set_owner_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .owner = slice_from_string(names[rng_below(&world->rng, 4)]),
        .group = slice_from_string(names[rng_below(&world->rng, 4)]),
    };
    dfs_client_call(world, process, METHOD_NAMENODE_SET_OWNER, request.request_id, &request);
}

static void do_times(struct world *world, struct process *process, const char *path)
{
    struct client *client = dfs_client_of(process);
    struct dfs_set_times_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .set_modified = rng_chance(&world->rng, 700000),
        .modified_ms = rng_below(&world->rng, 1000000000),
        .set_accessed = rng_chance(&world->rng, 700000),
        .accessed_ms = rng_below(&world->rng, 1000000000),
    };
    dfs_client_call(world, process, METHOD_NAMENODE_SET_TIMES, request.request_id, &request);
}

static void do_replication(struct world *world, struct process *process, const char *path)
{
    struct client *client = dfs_client_of(process);
    struct dfs_set_replication_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .replication =
            (uint32_t)rng_below(&world->rng, 20) == 0 ? 0 : 2 + (uint32_t)rng_below(&world->rng, 3),
    };
    dfs_client_call(world, process, METHOD_NAMENODE_SET_REPLICATION, request.request_id, &request);
}

static void do_quota(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    char path[DFS_PATH_MAX];
    dfs_client_likely_path(world, path, FILE_DIRECTORY);
    struct dfs_set_quota_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(path),
        .set_names = rng_chance(&world->rng, 600000),
        .names = rng_chance(&world->rng, 400000) ? 0 : 1 + rng_below(&world->rng, 12),
        .set_bytes = rng_chance(&world->rng, 600000),
        .bytes = rng_chance(&world->rng, 400000) ? 0 : 100 + rng_below(&world->rng, 2000),
    };
    dfs_client_call(world, process, METHOD_NAMENODE_SET_QUOTA, request.request_id, &request);
}

static void do_concat(struct world *world, struct process *process, const char *path)
{
    struct client *client = dfs_client_of(process);
    char names[3][DFS_PATH_MAX];
    struct slice sources[3];
    size_t count = rng_below(&world->rng, 10) == 0 ? 0 : 1 + (size_t)rng_below(&world->rng, 3);
    for (size_t i = 0; i < count; i++) {
        dfs_client_likely_path(world, names[i], FILE_REGULAR);
        sources[i] = slice_from_string(names[i]);
    }
    struct dfs_concat_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .target = slice_from_string(path),
        .sources = sources,
        .sources_count = count,
    };
    dfs_client_call(world, process, METHOD_NAMENODE_CONCAT, request.request_id, &request);
}

static void do_attribute(struct world *world, struct process *process, const char *path)
{
    switch (rng_below(&world->rng, 6)) {
    case 0:
        do_permission(world, process, path);
        return;
    case 1:
        do_owner(world, process, path);
        return;
    case 2:
        do_times(world, process, path);
        return;
    case 3:
        do_quota(world, process);
        return;
    default:
        do_replication(world, process, path);
        return;
    }
}

static void do_look(struct world *world, struct process *process, const char *path)
{
    struct dfs_get_status_request status = {.path = slice_from_string(path)};
    struct dfs_content_summary_request summary = {.path = slice_from_string(path)};
    struct dfs_list_status_request list = {
        .path = slice_from_string(path),
        .start_after = slice_from_string(rng_chance(&world->rng, 300000) ? "b" : ""),
        .limit = (uint32_t)rng_below(&world->rng, 4),
    };
    switch (rng_below(&world->rng, 3)) {
    case 0:
        dfs_client_call(world, process, METHOD_NAMENODE_GET_STATUS, 0, &status);
        return;
    case 1:
        dfs_client_call(world, process, METHOD_NAMENODE_LIST_STATUS, 0, &list);
        return;
    default:
        dfs_client_call(world, process, METHOD_NAMENODE_CONTENT_SUMMARY, 0, &summary);
        return;
    }
}

void dfs_call_trash(struct world *world, struct process *process, const char *path)
{
    static const char *const trashes[] = {"/user/alice/.Trash/Current", "/user/bob/.Trash/Current",
                                          "/user/alice/.Trash/Current", "/user/bob/.Trash/Current",
                                          "/user/alice/.Trash",         "/user/bob"};
    struct client *client = dfs_client_of(process);
    struct slice trash = slice_from_string(trashes[rng_below(&world->rng, 6)]);
    if (rng_chance(&world->rng, 300000)) {
        struct dfs_mkdirs_request request = {.client_id = client->client_id,
                                             .request_id = client->next_request_id++,
                                             .path = trash,
                                             .permission = 0777,
                                             .create_parents = true};
        dfs_client_call(world, process, METHOD_NAMENODE_MKDIRS, request.request_id, &request);
        return;
    }
    struct dfs_rename_request request = {.client_id = client->client_id,
                                         .request_id = client->next_request_id++,
                                         .source = slice_from_string(path),
                                         .destination = trash};
    dfs_client_call(world, process, METHOD_NAMENODE_RENAME, request.request_id, &request);
}

/* The first client makes folders in which others may work: open to all, sticky, and one's own. */
void dfs_call_setup(struct world *world, struct process *process)
{
    struct client *client = dfs_client_of(process);
    uint32_t left = --client->setup;
    static const char *const paths[] = {"/d0", "/d1", "/d2", "/user/alice/.Trash/Current",
                                        "/user/bob/.Trash/Current"};
    static const uint32_t permissions[] = {0777, 01777, 0755, 0777, 0777};
    struct dfs_mkdirs_request request = {
        .client_id = client->client_id,
        .request_id = client->next_request_id++,
        .path = slice_from_string(paths[left]),
        .permission = permissions[left],
        .create_parents = left >= 3,
    };
    dfs_client_call(world, process, METHOD_NAMENODE_MKDIRS, request.request_id, &request);
}

void dfs_call_any(struct world *world, struct process *process, const char *path)
{
    char made[DFS_PATH_MAX];
    switch (rng_below(&world->rng, 8)) {
    case 0:
        dfs_client_random_path(world, made);
        do_mkdirs(world, process, made);
        return;
    case 1:
    case 2:
        do_rename(world, process, path);
        return;
    case 3:
        do_delete(world, process, path);
        return;
    case 4:
    case 5:
        do_attribute(world, process, path);
        return;
    case 6:
        do_look(world, process, path);
        return;
    default:
        do_concat(world, process, path);
        return;
    }
}
