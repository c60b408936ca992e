/*
 * token.h - who is calling: texts signed with the cluster's secret (HMAC-SHA256), carried as
 * "authorization: Bearer <token>" in metadata and HTTP headers. Form: docs/protocols/token.md.
 */
#ifndef MILLRACE_LIB_NET_TOKEN_H
#define MILLRACE_LIB_NET_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/net/fd_pass.h"

enum {
    TOKEN_SECRET_BYTES = 32,
    TOKEN_NAME_BYTES = 255, /* a subject's and an audience's limit */
    TOKEN_BYTES = 800,      /* room for any token and its NUL */
};

struct token_secret {
    uint8_t bytes[TOKEN_SECRET_BYTES];
};

/* What a genuine token says. */
struct token_claims {
    char subject[TOKEN_NAME_BYTES + 1];  /* "user:alice", "daemon:rm", "container:container_..." */
    char audience[TOKEN_NAME_BYTES + 1]; /* for whom it is, for example the cluster's id */
    int64_t expires_wall_ms;             /* since 1970; not valid from this moment on */
};

/*
 * Loads the secret from path. ERR_NOT_FOUND; ERR_DENIED when others than its owner, who must be
 * this process's user, may read or write it; ERR_CORRUPT when it is not a plain file of
 * TOKEN_SECRET_BYTES.
 */
MUST_USE enum status token_secret_load(const char *path,
                                       struct token_secret *ret_secret,
                                       struct error *reterr_error);
/*
 * The same, but makes the file (mode 0600, synced) from random bytes when there is none. Processes
 * that do so at once all get the same secret.
 */
MUST_USE enum status token_secret_load_or_create(const char *path,
                                                 struct token_secret *ret_secret,
                                                 struct error *reterr_error);
/* Overwrites it. */
void token_secret_close(struct token_secret *secret);

/*
 * Writes a token, NUL-terminated, to token (room for TOKEN_BYTES). ERR_INVALID: an empty subject or
 * audience, one longer than TOKEN_NAME_BYTES, or a time below 0.
 */
MUST_USE enum status token_sign(const struct token_secret *secret,
                                const char *subject,
                                const char *audience,
                                int64_t expires_wall_ms,
                                char *token,
                                struct error *reterr_error);
/*
 * ERR_UNAUTHENTICATED, and a text that says which: not a token, not signed with this secret,
 * expired, or meant for another audience. The time taken does not tell how much of a forgery was
 * right.
 */
MUST_USE enum status token_verify(const struct token_secret *secret,
                                  struct slice token,
                                  const char *audience,
                                  int64_t now_wall_ms,
                                  struct token_claims *ret_claims,
                                  struct error *reterr_error);

/* The token of "Bearer <token>"; the empty slice when text is anything else. */
struct slice token_from_bearer(struct slice text);

/* --- who am I: a user's token, for whoever the kernel says he is
 * ------------------------------ */

struct credential_server;

struct credential_server_options {
    const char *path;                  /* of the unix socket; everybody on the host may connect */
    const struct token_secret *secret; /* copied */
    const char *audience;              /* copied */
    int64_t lifetime_ms;               /* of the tokens, 1.. */
    int64_t (*wall_ms)(void *user);    /* the clock, NULL: the system's */
    void *user;
};

/*
 * Fails as fd_pass_server_open does. Names are those of the host's user database, else the number.
 */
MUST_USE enum status credential_server_open(const struct credential_server_options *options,
                                            struct credential_server **ret_server,
                                            struct error *reterr_error);
void credential_server_close(struct credential_server *server); /* NULL is fine */

/* Fetches the caller's own token into token (room for TOKEN_BYTES) and when it ends. */
MUST_USE enum status credential_fetch(const char *path,
                                      int64_t timeout_ms,
                                      char *token,
                                      int64_t *ret_expires_wall_ms,
                                      struct error *reterr_error);

#endif
