/*
 * web_clients.c - see web_clients.h. The mutex guards the table and the counts; a client is opened
 * under it (that sends nothing), and closed without it.
 */
#include "dfs/datanode/daemon/web_clients.h"

#include "dfs/client/dfs.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/http_caller.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"

enum {
    IDLE_MAX = 16, /* clients kept for users who may come back */
    TOKEN_MS = 10 * 60 * 1000,
    TOKEN_LEFT_MS = 5 * 60 * 1000, /* a token is renewed when less is left of it */
    PATIENCE_MS = 30 * 1000,
    CALL_PATIENCE_MS =
        30 * 1000 /* for a namenode that restarts; HTTP clients wait about a minute */
};

struct web_client {
    struct web_clients *clients;
    struct arena *arena;
    struct slice key; /* "<user> <namenode's address>" */
    struct slice user;
    struct dfs *dfs;
    size_t holders;
    int64_t token_until_ms; /* wall clock */
    int64_t released_ms;
};

struct web_clients {
    struct daemon *daemon;
    struct mutex *mutex;
    struct condition *changed;
    struct map *by_key;
    size_t uses_max[WEB_USE_COUNT];
    size_t uses[WEB_USE_COUNT];
    bool is_stopping;
};

struct web_clients *web_clients_open(struct daemon *daemon, const size_t uses_max[WEB_USE_COUNT])
{
    struct web_clients *clients = MEM_NEW(struct web_clients);
    clients->daemon = daemon;
    clients->mutex = mutex_open();
    clients->changed = condition_open();
    clients->by_key = map_open();
    for (size_t i = 0; i < WEB_USE_COUNT; i++)
        clients->uses_max[i] = uses_max[i];
    return clients;
}

static void client_close(struct web_client *client)
{
    if (client == NULL)
        return;
    dfs_close(client->dfs);
    arena_close(client->arena);
    mem_free(client);
}

void web_clients_stop(struct web_clients *clients)
{
    size_t cursor = 0;
    void *value = NULL;
    mutex_lock(clients->mutex);
    clients->is_stopping = true;
    while (map_next(clients->by_key, &cursor, NULL, &value))
        dfs_cancel(((struct web_client *)value)->dfs);
    condition_broadcast(clients->changed);
    mutex_unlock(clients->mutex);
}

void web_clients_close(struct web_clients *clients)
{
    size_t cursor = 0;
    void *value = NULL;
    if (clients == NULL)
        return;
    while (map_next(clients->by_key, &cursor, NULL, &value))
        client_close(value);
    map_close(clients->by_key);
    condition_close(clients->changed);
    mutex_close(clients->mutex);
    mem_free(clients);
}

/* Signs a token when the one in use ends soon; called with the mutex held. */
static enum status renew_token(struct web_client *client, struct error *reterr_error)
{
    int64_t now_ms = clock_wall_ms();
    /* Also when the clock was set back, or what is left would seem more than was given. */
    if (client->token_until_ms - now_ms > TOKEN_LEFT_MS &&
        client->token_until_ms - now_ms <= TOKEN_MS)
        return OK;
    struct arena *arena = arena_open(0);
    struct slice token;
    enum status status =
        http_caller_sign_for_cluster(daemon_secret(client->clients->daemon), client->user,
                                     now_ms + TOKEN_MS, arena, &token, reterr_error);
    if (status == OK) {
        dfs_set_token(client->dfs, (const char *)token.data);
        client->token_until_ms = now_ms + TOKEN_MS;
    }
    arena_close(arena);
    return status;
}

/* The client of user, made if need be; called with the mutex held. */
static enum status find_client(struct web_clients *clients,
                               struct slice user,
                               const char *namenode,
                               struct web_client **ret_client,
                               struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct slice key = arena_format(arena, "%.*s %s", SLICE_ARGS(user), namenode);
    struct web_client *client = map_get(clients->by_key, key);
    enum status status = OK;
    if (client == NULL) {
        struct dfs_settings settings = {
            .namenode_address = namenode,
            .host = daemon_host(clients->daemon),
            .deadline_ms = CALL_PATIENCE_MS,
        };
        client = MEM_NEW(struct web_client);
        client->clients = clients;
        client->arena = arena;
        client->key = key;
        client->user = arena_copy(arena, user);
        arena = NULL;
        status = dfs_open(&settings, &client->dfs, reterr_error);
        if (status != OK) {
            client_close(client);
            return status;
        }
        (void)map_put(clients->by_key, client->key, client); /* it was not there */
    }
    arena_close(arena);
    status = renew_token(client, reterr_error);
    if (status == OK) {
        client->holders++;
        *ret_client = client;
    }
    return status;
}

/* Takes the client out of the table that was of no use for longest, when there are too many. */
static struct web_client *take_idle(struct web_clients *clients)
{
    size_t cursor = 0;
    size_t idle = 0;
    void *value = NULL;
    struct web_client *oldest = NULL;
    while (map_next(clients->by_key, &cursor, NULL, &value)) {
        struct web_client *client = value;
        if (client->holders > 0)
            continue;
        idle++;
        if (oldest == NULL || client->released_ms < oldest->released_ms)
            oldest = client;
    }
    if (idle <= IDLE_MAX)
        return NULL;
    (void)map_remove(clients->by_key, oldest->key);
    return oldest;
}

enum status web_clients_take(struct web_clients *clients,
                             struct slice user,
                             enum web_use use,
                             struct web_client **ret_client,
                             struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *namenode = NULL;
    enum status status = daemon_find(clients->daemon, "namenode", arena, &namenode, reterr_error);
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    bool is_in_time = true;
    mutex_lock(clients->mutex);
    while (status == OK && is_in_time && !clients->is_stopping &&
           clients->uses[use] >= clients->uses_max[use])
        is_in_time = condition_wait_until(clients->changed, clients->mutex, until_ms);
    if (status == OK && clients->is_stopping)
        status = error_set(reterr_error, ERR_UNAVAILABLE, "the datanode is stopping");
    else if (status == OK && clients->uses[use] >= clients->uses_max[use])
        status = error_set(reterr_error, ERR_UNAVAILABLE, "too many requests at a time; try again");
    if (status == OK)
        status = find_client(clients, user, namenode, ret_client, reterr_error);
    if (status == OK)
        clients->uses[use]++;
    mutex_unlock(clients->mutex);
    arena_close(arena);
    return status;
}

void web_client_release(struct web_client *client, enum web_use use)
{
    if (client == NULL)
        return;
    struct web_clients *clients = client->clients;
    mutex_lock(clients->mutex);
    client->holders--;
    client->released_ms = clock_monotonic_ms();
    clients->uses[use]--;
    struct web_client *idle = take_idle(clients);
    condition_signal(clients->changed);
    mutex_unlock(clients->mutex);
    client_close(idle);
}

struct dfs *web_client_dfs(struct web_client *client)
{
    mutex_lock(client->clients->mutex);
    /* Fails only for a name too long, and then it did in find_client. */
    status_ignore(renew_token(client, NULL));
    mutex_unlock(client->clients->mutex);
    return client->dfs;
}
