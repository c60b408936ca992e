/*
 * grant.h - the resource manager's permission to start one container on one node, signed with the
 * cluster's secret. The resource manager signs it into Grant.token, the node manager verifies it.
 *
 * A grant is a token of lib/net/token.h whose audience is GRANT_AUDIENCE, so that it proves
 * nobody's identity, and whose subject is container:<container id> node:<node id> mem:<bytes>
 * vcores:<count> user:<name> with decimal numbers in their shortest form and one space between the
 * parts.
 */
#ifndef MILLRACE_LIB_DAEMON_GRANT_H
#define MILLRACE_LIB_DAEMON_GRANT_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"
#include "lib/net/token.h"

#define GRANT_AUDIENCE "millrace.grant"

enum {
    /* From the signing: longer than a master keeps a grant before it uses it or gives it back. */
    GRANT_LIFETIME_MS = 10 * 60 * 1000
};

struct grant {
    struct container_id container;
    uint64_t node_id;
    struct resource resource;
    struct slice user;
};

/* Writes the token, NUL-terminated (room for TOKEN_BYTES). ERR_INVALID: an empty or too long user.
 */
MUST_USE enum status grant_sign(const struct token_secret *secret,
                                const struct grant *grant,
                                int64_t expires_wall_ms,
                                char *token,
                                struct error *reterr_error);
/*
 * ERR_UNAUTHENTICATED, and a text that says why, unless token is a grant of container on node_id
 * that is valid at now_wall_ms. ret_grant->user borrows ret_claims.
 */
MUST_USE enum status grant_verify(const struct token_secret *secret,
                                  struct slice token,
                                  struct container_id container,
                                  uint64_t node_id,
                                  int64_t now_wall_ms,
                                  struct token_claims *ret_claims,
                                  struct grant *ret_grant,
                                  struct error *reterr_error);

#endif
