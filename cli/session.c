/*
 * session.c - opens the libraries, the cluster's folder and channels as they are asked for.
 */
#include "cli/session.h"

#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"

struct cli_session {
    struct arena *arena;
    struct cluster cluster;
    struct slice token;
    struct rpc_client *client;
    struct map *channels; /* address -> struct rpc_channel */
};

enum status cli_session_open(const char *directory,
                             struct cli_session **ret_session,
                             struct error *reterr_error)
{
    struct cli_session *session = MEM_NEW(struct cli_session);
    session->arena = arena_open(0);
    session->channels = map_open();
    const char *folder = cluster_directory(session->arena, directory);
    enum status status = cluster_load(session->arena, folder, &session->cluster, reterr_error);
    if (status == OK)
        status = cluster_token(&session->cluster, session->arena, &session->token, reterr_error);
    if (status != OK)
        goto fail_closed;
    status = net_open(NULL, reterr_error);
    if (status != OK)
        goto fail_closed;
    status = rpc_client_open(NULL, &session->client, reterr_error);
    if (status != OK)
        goto fail;
    *ret_session = session;
    return OK;
fail:
    net_close();
fail_closed:
    map_close(session->channels);
    arena_close(session->arena);
    mem_free(session);
    return status;
}

void cli_session_close(struct cli_session *session)
{
    if (session == NULL)
        return;
    size_t cursor = 0;
    void *channel = NULL;
    while (map_next(session->channels, &cursor, NULL, &channel))
        rpc_channel_close(channel);
    map_close(session->channels);
    rpc_client_close(session->client);
    net_close();
    arena_close(session->arena);
    mem_free(session);
}

const struct cluster *cli_session_cluster(const struct cli_session *session)
{
    return &session->cluster;
}

struct arena *cli_session_arena(struct cli_session *session)
{
    return session->arena;
}

struct slice cli_session_token(const struct cli_session *session)
{
    return session->token;
}

enum status cli_session_target_at(struct cli_session *session,
                                  struct slice address,
                                  struct service_target *ret_target,
                                  struct error *reterr_error)
{
    struct rpc_channel *channel = map_get(session->channels, address);
    if (channel == NULL) {
        const char *text = (const char *)arena_copy(session->arena, address).data;
        enum status status = rpc_channel_open(session->client, text, NULL, &channel, reterr_error);
        if (status != OK)
            return status;
        (void)map_put(session->channels, address, channel); /* nothing was there */
    }
    *ret_target = (struct service_target){
        .channel = channel,
        .token = session->token,
        .timeout_ms = CLI_CALL_MS,
        .arena = session->arena,
    };
    return OK;
}

enum status cli_session_target(struct cli_session *session,
                               const char *role,
                               struct service_target *ret_target,
                               struct error *reterr_error)
{
    const char *address = NULL;
    enum status status = cluster_rpc_address(&session->cluster, role, &address, reterr_error);
    if (status != OK)
        return status;
    return cli_session_target_at(session, slice_from_string(address), ret_target, reterr_error);
}
