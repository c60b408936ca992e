/*
 * fixture_tokens.c - tokens of blocks without keys; see fixture.h.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/namenode/fixture.h"

static struct slice sign(void *user, const struct block_grant *grant, struct arena *arena)
{
    (void)user;
    return arena_format(arena, "%s %" PRIu64 " %.*s %" PRId64, block_mode_name(grant->mode),
                        grant->block_id, SLICE_ARGS(grant->user), grant->expires_wall_ms);
}

void fixture_sign(struct namenode *nn)
{
    const struct namenode_signer signer = {.sign = sign};
    namenode_set_signer(nn, &signer);
}

void expect_token(struct slice token, uint64_t block_id, enum block_mode mode, const char *user)
{
    struct block_grant grant = {
        .block_id = block_id,
        .mode = mode,
        .user = slice_from_string(user),
        .expires_wall_ms = f.wall_ms + f.settings.block_token_ms,
    };
    struct slice wanted = sign(NULL, &grant, f.answers);
    if (!slice_equal(token, wanted)) {
        fprintf(stderr, "token \"%.*s\", wanted \"%.*s\"\n", SLICE_ARGS(token), SLICE_ARGS(wanted));
        CU_FAIL("another token");
    }
}
