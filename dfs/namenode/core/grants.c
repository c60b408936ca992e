/*
 * grants.c - what readers, writers and datanodes may do with a block, for the host to sign
 * (docs/protocols/block-token.md). Who gets one has passed the checks of permission before.
 */
#include "dfs/namenode/core/state.h"

void namenode_set_signer(struct namenode *nn, const struct namenode_signer *signer)
{
    nn->signer = *signer;
}

static struct slice sign(struct namenode *nn,
                         uint64_t block_id,
                         enum block_mode mode,
                         struct slice user)
{
    if (nn->signer.sign == NULL) {
        return slice_make(NULL, 0);
    }
    /* The one thing that depends on the wall clock: at worst a token is of no use for a while. */
    struct block_grant grant = {
        .block_id = block_id,
        .mode = mode,
        .user = user,
        .expires_wall_ms = (int64_t)nn->wall_ms + nn->settings.block_token_ms,
    };
    return nn->signer.sign(nn->signer.user, &grant, nn->actions->arena);
}

struct slice namenode_grant_caller(struct namenode *nn, uint64_t block_id, enum block_mode mode)
{
    return sign(nn, block_id, mode, nn->event->user);
}

struct slice namenode_grant_datanode(struct namenode *nn, uint64_t block_id)
{
    return sign(nn, block_id, BLOCK_COPY, slice_from_string("millrace"));
}
