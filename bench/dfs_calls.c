/*
 * dfs_calls.c - calls a second of the namenode over RPC, from a number of clients at once, each
 * with a connection of its own and one call in flight. usage: dfs_calls NAMENODE TOKEN CLIENTS
 * SECONDS; prints JSON: for each kind of call its number a second and the median and 99th
 * percentile of its time in ms.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dfs/client/dfs.h"
#include "lib/base/mem.h"
#include "lib/net/net.h"
#include "lib/os/thread.h"

enum {
    PATH_BYTES = 64,
    TIMES_MAX = 1 << 20
};

enum kind {
    KIND_CREATE,
    KIND_STAT,
    KIND_LIST,
    KIND_RENAME,
    KIND_DELETE,
    KIND_COUNT
};

static const char *const kind_names[KIND_COUNT] = {"create", "stat", "list", "rename", "delete"};

struct client {
    struct dfs *dfs;
    struct thread *thread;
    unsigned number;
    enum kind kind;
    double end; /* when to stop */
    uint64_t created;
    uint64_t moved;
    uint64_t deleted;
    uint64_t done; /* in this round */
    uint32_t *times_us;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const struct error *error)
{
    fprintf(stderr, "dfs_calls: %s\n", error->text);
    exit(1);
}

static struct slice name(char *buffer, const struct client *client, char letter, uint64_t number)
{
    int length =
        snprintf(buffer, PATH_BYTES, "/bench/c%u/%c%08" PRIu64, client->number, letter, number);
    return slice_make(buffer, (size_t)length);
}

/* False: there is nothing of this kind left to do. */
static bool call(struct client *client, struct arena *arena)
{
    char path[PATH_BYTES];
    char other[PATH_BYTES];
    struct error error = {0};
    struct dfs_file_status found;
    struct dfs_list_status_response page;
    enum status status = OK;
    uint64_t seed = client->done * 2654435761U;
    switch (client->kind) {
    case KIND_CREATE: /* Create and Complete: two calls */
        status = dfs_write_file(client->dfs, name(path, client, 'f', client->created++),
                                slice_make(NULL, 0), NULL, NULL, &error);
        break;
    case KIND_STAT:
        status = dfs_get_status(client->dfs, name(path, client, 'f', seed % client->created), arena,
                                &found, &error);
        break;
    case KIND_LIST: /* up to 100 names */
        (void)snprintf(path, sizeof(path), "/bench/list");
        status = dfs_list_page(client->dfs, slice_from_string(path), slice_make(NULL, 0), arena,
                               &page, &error);
        break;
    case KIND_RENAME:
        if (client->moved == client->created)
            return false;
        status = dfs_rename(client->dfs, name(path, client, 'f', client->moved),
                            name(other, client, 'g', client->moved), &error);
        client->moved++;
        break;
    case KIND_DELETE:
        if (client->deleted == client->moved)
            return false;
        status = dfs_delete(client->dfs, name(path, client, 'g', client->deleted++), false, &error);
        break;
    case KIND_COUNT:
        break;
    }
    if (status != OK)
        fail(&error);
    return true;
}

static void run(void *argument)
{
    struct client *client = argument;
    struct arena *arena = arena_open(0);
    double begun = now();
    while (begun < client->end && client->done < TIMES_MAX && call(client, arena)) {
        double ended = now();
        client->times_us[client->done++] = (uint32_t)((ended - begun) * 1e6);
        begun = ended;
        arena_reset(arena);
    }
    arena_close(arena);
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void round_of(struct client *clients, unsigned count, enum kind kind, double seconds)
{
    struct error error = {0};
    double begun = now();
    uint64_t done = 0;
    for (unsigned i = 0; i < count; i++) {
        clients[i].kind = kind;
        clients[i].end = begun + seconds;
        clients[i].done = 0;
        if (thread_open("client", run, &clients[i], &clients[i].thread, &error) != OK)
            fail(&error);
    }
    for (unsigned i = 0; i < count; i++) {
        thread_join(clients[i].thread);
        done += clients[i].done;
    }
    double took = now() - begun;
    uint32_t *all = mem_new((done + 1) * sizeof(*all));
    uint64_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        memcpy(all + at, clients[i].times_us, clients[i].done * sizeof(*all));
        at += clients[i].done;
    }
    qsort(all, done, sizeof(*all), compare);
    printf("%s\"%s\": {\"calls\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}",
           kind == KIND_CREATE ? "{" : ", ", kind_names[kind], (double)done / took,
           done == 0 ? 0 : all[done / 2] / 1e3, done == 0 ? 0 : all[done * 99 / 100] / 1e3);
    (void)fflush(stdout);
    mem_free(all);
}

/* A directory of its own for each client, and one of 100 files for all. */
static void make_folders(struct client *clients, unsigned count)
{
    char path[PATH_BYTES];
    struct error error = {0};
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(path, sizeof(path), "/bench/c%u", i);
        if (dfs_mkdirs(clients[i].dfs, slice_from_string(path), 0755, true, &error) != OK)
            fail(&error);
    }
    if (dfs_mkdirs(clients[0].dfs, slice_from_string("/bench/list"), 0755, true, &error) != OK)
        fail(&error);
    for (unsigned i = 0; i < 100; i++) {
        struct dfs_create_options options = {.overwrite = true};
        (void)snprintf(path, sizeof(path), "/bench/list/entry%02u", i);
        if (dfs_write_file(clients[0].dfs, slice_from_string(path), slice_make(NULL, 0), &options,
                           NULL, &error) != OK)
            fail(&error);
    }
}

int main(int argc, char **argv)
{
    struct error error = {0};
    if (argc != 5)
        return 2;
    unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    struct client *clients = mem_new(count * sizeof(*clients));
    struct dfs_settings settings = {.namenode_address = argv[1], .token = argv[2]};
    if (net_open(NULL, &error) != OK)
        fail(&error);
    for (unsigned i = 0; i < count; i++) {
        clients[i] =
            (struct client){.number = i, .times_us = mem_new(TIMES_MAX * sizeof(uint32_t))};
        if (dfs_open(&settings, &clients[i].dfs, &error) != OK)
            fail(&error);
    }
    make_folders(clients, count);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        round_of(clients, count, (enum kind)kind, seconds);
    printf("}\n");
    if (dfs_delete(clients[0].dfs, slice_from_string("/bench"), true, &error) != OK)
        fail(&error);
    for (unsigned i = 0; i < count; i++) {
        dfs_close(clients[i].dfs);
        mem_free(clients[i].times_us);
    }
    mem_free(clients);
    net_close();
    return 0;
}
