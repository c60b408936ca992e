/*
 * dfs_tokens.c - tokens of blocks without keys: what a grant says, in words. Whoever would show one
 * to a datanode has it checked here, so that none is missing, for another block or for another user
 * wherever it went: through queues, retries and restarts.
 */
#include "dfs/namenode/core/namenode.h"
#include "tests/sim/dfs.h"

static struct slice words(struct arena *arena,
                          uint64_t block_id,
                          enum block_mode mode,
                          struct slice user)
{
    return arena_format(arena, "%s %llu %.*s", block_mode_name(mode), (unsigned long long)block_id,
                        SLICE_ARGS(user));
}

static struct slice sign(void *user, const struct block_grant *grant, struct arena *arena)
{
    (void)user;
    return words(arena, grant->block_id, grant->mode, grant->user);
}

void dfs_tokens_begin(struct namenode *namenode)
{
    const struct namenode_signer signer = {.sign = sign};
    namenode_set_signer(namenode, &signer);
}

void dfs_token_check(struct world *world,
                     struct slice token,
                     uint64_t block_id,
                     enum block_mode mode,
                     struct slice user)
{
    struct arena *arena = arena_open(0);
    struct slice wanted = words(arena, block_id, mode, user);
    if (!slice_equal(token, wanted))
        world_fail(world, "a token to %.*s says \"%.*s\"", SLICE_ARGS(wanted), SLICE_ARGS(token));
    arena_close(arena);
}
