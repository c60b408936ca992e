/*
 * grants.c - grants get their signatures on the way out.
 */
#include "lib/base/check.h"
#include "lib/daemon/grant.h"
#include "rm/daemon/rm_daemon.h"

/* A copy of grants with tokens, from arena. */
static const struct rm_grant *signed_copy(const struct rm_grant *grants,
                                          size_t count,
                                          const struct token_secret *secret,
                                          int64_t expires_wall_ms,
                                          struct arena *arena)
{
    struct rm_grant *copy = ARENA_ARRAY(arena, struct rm_grant, count);
    for (size_t i = 0; i < count; i++) {
        copy[i] = grants[i];
        struct grant grant = {.container = grants[i].container,
                              .node_id = grants[i].node.node_id,
                              .resource = grants[i].resource,
                              .user = grants[i].user};
        char token[TOKEN_BYTES];
        /* The machine accepts no application of a user whose name would not fit. */
        CHECK(grant_sign(secret, &grant, expires_wall_ms, token, NULL) == OK);
        copy[i].token = arena_copy(arena, slice_from_string(token));
    }
    return copy;
}

void rm_grants_sign(struct actions *actions, const struct token_secret *secret, int64_t wall_ms)
{
    int64_t expires_wall_ms = wall_ms + GRANT_LIFETIME_MS;
    for (size_t i = 0; i < actions->count; i++) {
        struct action *action = &actions->items[i];
        if (action->kind != ACTION_REPLY)
            continue;
        if (action->type == &rm_allocate_response_type) {
            const struct rm_allocate_response *answer = action->message;
            if (answer->grants_count == 0)
                continue;
            struct rm_allocate_response *copy =
                ARENA_NEW(actions->arena, struct rm_allocate_response);
            *copy = *answer;
            copy->grants = signed_copy(answer->grants, answer->grants_count, secret,
                                       expires_wall_ms, actions->arena);
            action->message = copy;
        } else if (action->type == &rm_register_master_response_type) {
            const struct rm_register_master_response *answer = action->message;
            if (answer->running_count == 0)
                continue;
            struct rm_register_master_response *copy =
                ARENA_NEW(actions->arena, struct rm_register_master_response);
            *copy = *answer;
            copy->running = signed_copy(answer->running, answer->running_count, secret,
                                        expires_wall_ms, actions->arena);
            action->message = copy;
        }
    }
}
