/*
 * http_caller.c - see http_caller.h.
 */
#include "lib/daemon/http_caller.h"

#include <string.h>
#include <strings.h>

#include "lib/daemon/cluster.h"
#include "lib/daemon/serve.h"
#include "lib/net/http_server.h"
#include "lib/net/token.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"

/* --- names and subjects ---------------------------------------------------------------------- */

static const char daemons[] = "millrace";

/* The subject that serve_user_of makes user of. */
static struct slice subject_of(struct slice user, struct arena *arena)
{
    if (slice_equal_string(user, daemons))
        return slice_from_string("daemon:webhdfs");
    if (slice_has_prefix(user, slice_from_string("container:")) ||
        slice_equal_string(user, "user:millrace"))
        return user;
    return arena_format(arena, "user:%.*s", SLICE_ARGS(user));
}

static enum status sign(const struct token_secret *secret,
                        struct slice user,
                        const char *audience,
                        int64_t expires_wall_ms,
                        struct arena *arena,
                        struct slice *ret_token,
                        struct error *reterr_error)
{
    char token[TOKEN_BYTES];
    struct slice subject = arena_copy(arena, subject_of(user, arena));
    enum status status = token_sign(secret, (const char *)subject.data, audience, expires_wall_ms,
                                    token, reterr_error);
    if (status == OK)
        *ret_token = arena_copy(arena, slice_from_string(token));
    return status;
}

enum status http_caller_sign(const struct token_secret *secret,
                             struct slice user,
                             int64_t expires_wall_ms,
                             struct arena *arena,
                             struct slice *ret_token,
                             struct error *reterr_error)
{
    return sign(secret, user, HTTP_CALLER_AUDIENCE, expires_wall_ms, arena, ret_token,
                reterr_error);
}

enum status http_caller_sign_for_cluster(const struct token_secret *secret,
                                         struct slice user,
                                         int64_t expires_wall_ms,
                                         struct arena *arena,
                                         struct slice *ret_token,
                                         struct error *reterr_error)
{
    return sign(secret, user, CLUSTER_AUDIENCE, expires_wall_ms, arena, ret_token, reterr_error);
}

/* --- tokens ---------------------------------------------------------------------------------- */

/* "delegation", then the header; empty when there is neither. */
static struct slice find_token(const struct http_request *request)
{
    const char *delegation = http_request_query(request, "delegation");
    if (delegation != NULL && delegation[0] != '\0')
        return slice_from_string(delegation);
    return token_from_bearer(slice_from_string(http_request_header(request, "Authorization")));
}

static enum status identify_by_token(const struct http_caller_rules *rules,
                                     struct slice token,
                                     struct arena *arena,
                                     struct slice *ret_user,
                                     struct error *reterr_error)
{
    struct token_claims claims;
    int64_t now_ms = clock_wall_ms();
    enum status status =
        token_verify(rules->secret, token, HTTP_CALLER_AUDIENCE, now_ms, &claims, NULL);
    if (status != OK) /* this one's text is the one for people: most tokens are the cluster's */
        status =
            token_verify(rules->secret, token, CLUSTER_AUDIENCE, now_ms, &claims, reterr_error);
    if (status == OK)
        *ret_user = arena_copy(arena, serve_user_of(slice_from_string(claims.subject)));
    return status;
}

/* --- sockets --------------------------------------------------------------------------------- */

static enum status find_peer(void *user,
                             const struct http_request *request,
                             struct arena *arena,
                             struct slice *ret_user,
                             struct error *reterr_error)
{
    (void)user;
    uint32_t uid = 0;
    enum status status = http_request_peer_uid(request, &uid, reterr_error);
    if (status != OK)
        return status;
    struct slice name = slice_from_string(host_user_name(arena, uid));
    /* Nobody is a daemon by name. */
    *ret_user = slice_equal_string(name, daemons) ? slice_from_string("user:millrace") : name;
    return OK;
}

static bool equal_caseless(struct slice text, const char *other)
{
    return other != NULL && strlen(other) == text.length &&
           strncasecmp((const char *)text.data, other, text.length) == 0;
}

/* The host of "host", "host:port", "[::1]:port" or, with a scheme before it, of an origin. */
static struct slice host_of(const char *text)
{
    struct slice rest = slice_from_string(text);
    struct slice scheme = slice_from_string("http://");
    if (slice_has_prefix(rest, scheme))
        rest = slice_sub(rest, scheme.length, rest.length - scheme.length);
    size_t begin = 0; /* of where a port may be looked for */
    if (rest.length > 0 && rest.data[0] == '[')
        begin = slice_find(rest, ']');
    size_t port = slice_find(slice_sub(rest, begin, rest.length - begin), ':');
    return slice_sub(rest, 0, begin + port);
}

static bool is_own_host(const struct http_caller_rules *rules, const char *text)
{
    struct slice host = host_of(text);
    if (equal_caseless(host, "localhost") || equal_caseless(host, "[::1]") ||
        equal_caseless(host, rules->host))
        return true;
    /* 127.0.0.0/8 in numbers; a name that begins so is not it. */
    bool is_number = slice_has_prefix(host, slice_from_string("127."));
    for (size_t i = 0; i < host.length && is_number; i++)
        is_number = host.data[i] == '.' || (host.data[i] >= '0' && host.data[i] <= '9');
    return is_number;
}

/* A browser sends what any page tells it to, and the socket is its user's all the same. */
static enum status check_origin(const struct http_caller_rules *rules,
                                const struct http_request *request,
                                struct error *reterr_error)
{
    const char *host = http_request_header(request, "Host");
    const char *origin = http_request_header(request, "Origin");
    const char *site = http_request_header(request, "Sec-Fetch-Site");
    if (host != NULL && !is_own_host(rules, host))
        return error_set(reterr_error, ERR_DENIED,
                         "without a token this host is to be called localhost, not \"%s\"", host);
    if (origin != NULL && !is_own_host(rules, origin))
        return error_set(reterr_error, ERR_DENIED, "a page of another site (%s) made this request",
                         origin);
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return error_set(reterr_error, ERR_DENIED, "a page of another site made this request");
    return OK;
}

static enum status identify_by_socket(const struct http_caller_rules *rules,
                                      const struct http_request *request,
                                      struct arena *arena,
                                      struct slice *ret_user,
                                      struct error *reterr_error)
{
    enum status status = check_origin(rules, request, reterr_error);
    if (status != OK)
        return status;
    if (rules->find_peer != NULL)
        return rules->find_peer(rules->user, request, arena, ret_user, reterr_error);
    return find_peer(rules->user, request, arena, ret_user, reterr_error);
}

/* --- the rule -------------------------------------------------------------------------------- */

/* The user named by a parameter must be the caller, unless the caller may act for others. */
static enum status take_wish(const struct http_caller_rules *rules,
                             const char *parameter,
                             struct slice wish,
                             struct slice caller,
                             struct arena *arena,
                             struct slice *user,
                             struct error *reterr_error)
{
    if (wish.length == 0)
        return OK;
    if (slice_equal(wish, caller)) {
        *user = caller;
        return OK;
    }
    /* Daemons and containers have names of a form that no user has. */
    bool is_user = slice_is_utf8(wish) && slice_find(wish, ':') == wish.length &&
                   !slice_equal_string(wish, daemons);
    if (!is_user || rules->may_act_for_others == NULL ||
        !rules->may_act_for_others(rules->user, caller))
        return error_set(
            reterr_error, ERR_DENIED,
            "%s=%.*s: the caller is %.*s (so says the kernel or his token) and may not "
            "act for others",
            parameter, SLICE_ARGS(wish), SLICE_ARGS(caller));
    *user = arena_copy(arena, wish);
    return OK;
}

enum status http_caller_identify(const struct http_caller_rules *rules,
                                 const struct http_request *request,
                                 struct arena *arena,
                                 struct slice *ret_user,
                                 struct error *reterr_error)
{
    struct slice caller = {.length = 0};
    struct slice token = find_token(request);
    bool has_token = token.length > 0;
    enum status status = has_token
                             ? identify_by_token(rules, token, arena, &caller, reterr_error)
                             : identify_by_socket(rules, request, arena, &caller, reterr_error);
    struct slice user = caller;
    if (status == OK && !has_token)
        status = take_wish(rules, "user.name",
                           slice_from_string(http_request_query(request, "user.name")), caller,
                           arena, &user, reterr_error);
    if (status == OK)
        status = take_wish(rules, "doas", slice_from_string(http_request_query(request, "doas")),
                           caller, arena, &user, reterr_error);
    if (status == OK)
        *ret_user = user;
    return status;
}
