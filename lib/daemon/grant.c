/*
 * grant.c - grants to text and back.
 */
#include "lib/daemon/grant.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/model/ids.h"
#include "lib/model/limits.h"

enum {
    SUBJECT_BYTES = TOKEN_NAME_BYTES + 1
};

/* False when the subject does not fit. */
static bool subject_format(const struct grant *grant, char *subject)
{
    struct id_text container = container_id_text(grant->container);
    int length =
        snprintf(subject, SUBJECT_BYTES,
                 "container:%s node:%" PRIu64 " mem:%" PRIu64 " vcores:%" PRIu32 " user:%.*s",
                 container.text, grant->node_id, grant->resource.memory_bytes,
                 grant->resource.vcores, SLICE_ARGS(grant->user));
    return length > 0 && length < SUBJECT_BYTES;
}

enum status grant_sign(const struct token_secret *secret,
                       const struct grant *grant,
                       int64_t expires_wall_ms,
                       char *token,
                       struct error *reterr_error)
{
    char subject[SUBJECT_BYTES];
    if (grant->user.length == 0 || grant->user.length > LIMIT_OWNER_BYTES ||
        slice_find(grant->user, '\0') != grant->user.length || !subject_format(grant, subject))
        return error_set(reterr_error, ERR_INVALID, "grant: the user's name is empty or too long");
    return token_sign(secret, subject, GRANT_AUDIENCE, expires_wall_ms, token, reterr_error);
}

/* Takes "<name>:<value>" from the front of text, the value up to the next space. */
static bool part_take(struct slice *text, const char *name, struct slice *ret_value)
{
    struct slice prefix = slice_from_string(name);
    if (!slice_has_prefix(*text, prefix))
        return false;
    struct slice rest = slice_sub(*text, prefix.length, text->length - prefix.length);
    size_t end = slice_find(rest, ' ');
    *ret_value = slice_sub(rest, 0, end);
    size_t next = end < rest.length ? end + 1 : end;
    *text = slice_sub(rest, next, rest.length - next);
    return true;
}

static bool subject_parse(struct slice subject, struct grant *ret_grant)
{
    struct slice container;
    struct slice node;
    struct slice memory;
    struct slice vcores;
    uint64_t vcores_count;
    struct slice user_name = slice_from_string("user:");
    if (!part_take(&subject, "container:", &container) || !part_take(&subject, "node:", &node) ||
        !part_take(&subject, "mem:", &memory) || !part_take(&subject, "vcores:", &vcores) ||
        !slice_has_prefix(subject, user_name))
        return false;
    /* The user's name is the rest, whatever is in it. */
    ret_grant->user = slice_sub(subject, user_name.length, subject.length - user_name.length);
    if (!container_id_parse(container, &ret_grant->container) ||
        !slice_parse_u64(node, &ret_grant->node_id) ||
        !slice_parse_u64(memory, &ret_grant->resource.memory_bytes) ||
        !slice_parse_u64(vcores, &vcores_count) || vcores_count > UINT32_MAX)
        return false;
    ret_grant->resource.vcores = (uint32_t)vcores_count;
    return true;
}

enum status grant_verify(const struct token_secret *secret,
                         struct slice token,
                         struct container_id container,
                         uint64_t node_id,
                         int64_t now_wall_ms,
                         struct token_claims *ret_claims,
                         struct grant *ret_grant,
                         struct error *reterr_error)
{
    struct grant grant = {.node_id = 0};
    enum status status =
        token_verify(secret, token, GRANT_AUDIENCE, now_wall_ms, ret_claims, reterr_error);
    if (status != OK)
        return status;
    if (!subject_parse(slice_from_string(ret_claims->subject), &grant))
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "the token is no grant");
    if (!container_id_equal(grant.container, container))
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "the grant is of another container");
    if (grant.node_id != node_id)
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "the grant is for another node");
    *ret_grant = grant;
    return OK;
}
