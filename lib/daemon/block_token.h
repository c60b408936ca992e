/*
 * block_token.h - the namenode's word that a user may read or write one block, which a datanode
 * believes without asking it. Form and rules: docs/protocols/block-token.md.
 */
#ifndef MILLRACE_LIB_DAEMON_BLOCK_TOKEN_H
#define MILLRACE_LIB_DAEMON_BLOCK_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/model/block.h"
#include "lib/net/token.h"

enum {
    BLOCK_TOKEN_BYTES = 512, /* room for any token and its NUL */
    /* Tokens that end in the same so many ms are signed with the same key. */
    BLOCK_KEY_PERIOD_MS = 10 * 60 * 60 * 1000
};

/* What a datanode thinks of a token; the labels of its metrics. */
#define BLOCK_VERDICT_LIST(X)                                                                      \
 X(BLOCK_VERDICT_GOOD, "good")                                                                     \
 X(BLOCK_VERDICT_MISSING, "missing")                                                               \
 X(BLOCK_VERDICT_MALFORMED, "malformed")                                                           \
 X(BLOCK_VERDICT_KEY, "key")       /* names a key that a token with this end is not signed with */ \
 X(BLOCK_VERDICT_FORGED, "forged") /* not signed with the key it names */                          \
 X(BLOCK_VERDICT_EXPIRED, "expired")                                                               \
 X(BLOCK_VERDICT_BLOCK, "block") /* of another block */                                            \
 X(BLOCK_VERDICT_USER, "user")   /* of another user */                                             \
 X(BLOCK_VERDICT_MODE, "mode")   /* for something else */

enum block_verdict {
#define BLOCK_VERDICT_CONSTANT(constant, name) constant,
    BLOCK_VERDICT_LIST(BLOCK_VERDICT_CONSTANT)
#undef BLOCK_VERDICT_CONSTANT
    BLOCK_VERDICT_COUNT
};

const char *block_verdict_name(enum block_verdict verdict);

struct block_keys; /* any number of threads */

/* Keys derived from the cluster's secret. */
struct block_keys *block_keys_open(const struct token_secret *secret);
void block_keys_close(struct block_keys *keys); /* NULL is fine */

/*
 * Writes the token, NUL-terminated (room for BLOCK_TOKEN_BYTES), and returns its length. grant: the
 * user has 1 to TOKEN_NAME_BYTES bytes, the end is not before 1970.
 */
size_t block_token_sign(struct block_keys *keys, const struct block_grant *grant, char *token);
/*
 * Judges a token that user shows for something that needs one of modes (bits, 1 << BLOCK_READ) of
 * the block. reterr_error says what is wrong, with ERR_DENIED, unless it is good. The time taken
 * does not tell how much of a forgery was right.
 */
enum block_verdict block_token_judge(struct block_keys *keys,
                                     struct slice token,
                                     uint64_t block_id,
                                     struct slice user,
                                     unsigned modes,
                                     int64_t now_wall_ms,
                                     struct error *reterr_error);

#endif
