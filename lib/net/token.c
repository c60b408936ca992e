/*
 * token.c - signing and checking; see token.h. A token is
 * "mr1.<expires>.<subject>.<audience>.<signature>": milliseconds in decimal, names and signature in
 * base64url without padding, the signature over everything before its point.
 */
#include "lib/net/token.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/base64.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    SIGNATURE_BYTES = 32,
    SIGNATURE_TEXT_BYTES = 43, /* of SIGNATURE_BYTES in base64url */
    NAME_TEXT_BYTES = (TOKEN_NAME_BYTES + 2) / 3 * 4,
    USER_BUFFER_BYTES = 16 * 1024,
    SECRET_PATH_BYTES = 4096,
};

static const char token_prefix[] = "mr1.";

_Static_assert(sizeof(token_prefix) + 20 + 1 + NAME_TEXT_BYTES + 1 + NAME_TEXT_BYTES + 1 +
                       SIGNATURE_TEXT_BYTES <=
                   TOKEN_BYTES,
               "any token fits");

/* --- secrets ---------------------------------------------------------------------------------- */

void token_secret_close(struct token_secret *secret)
{
    OPENSSL_cleanse(secret->bytes, sizeof(secret->bytes));
}

/* Reads up to room bytes; -1 with errno. */
static ssize_t read_all(int fd, uint8_t *data, size_t room)
{
    size_t length = 0;
    while (length < room) {
        ssize_t got = read(fd, data + length, room - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static enum status secret_read(int fd,
                               const char *path,
                               struct token_secret *ret_secret,
                               struct error *error)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set_errno(error, errno, "look at %s", path);
    if (!S_ISREG(info.st_mode))
        return error_set(error, ERR_CORRUPT, "the secret %s is not a plain file", path);
    if (info.st_uid != geteuid())
        return error_set(error, ERR_DENIED, "the secret %s belongs to another user", path);
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_set(error, ERR_DENIED, "the secret %s has mode %04o and must have 0600", path,
                         (unsigned)(info.st_mode & 07777));
    uint8_t bytes[TOKEN_SECRET_BYTES + 1];
    ssize_t length = read_all(fd, bytes, sizeof(bytes));
    enum status status = OK;
    if (length < 0)
        status = error_set_errno(error, errno, "read %s", path);
    else if (length != TOKEN_SECRET_BYTES)
        status = error_set(error, ERR_CORRUPT, "the secret %s must have %d bytes", path,
                           TOKEN_SECRET_BYTES);
    else
        memcpy(ret_secret->bytes, bytes, TOKEN_SECRET_BYTES);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return status;
}

enum status token_secret_load(const char *path,
                              struct token_secret *ret_secret,
                              struct error *reterr_error)
{
    /* Without waiting for the writer of a pipe somebody put there. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP)
        return error_set(reterr_error, ERR_CORRUPT, "the secret %s is not a plain file but a link",
                         path);
    if (fd < 0)
        return error_set_errno(reterr_error, errno, "open the secret %s", path);
    enum status status = secret_read(fd, path, ret_secret, reterr_error);
    (void)close(fd);
    return status;
}

/* Writes and syncs fresh random bytes; closes fd. */
static enum status secret_write(int fd, const char *path, struct error *error)
{
    struct token_secret secret;
    enum status status = OK;
    ssize_t written = 0;
    if (RAND_bytes(secret.bytes, TOKEN_SECRET_BYTES) != 1)
        status = error_set(error, ERR_INTERNAL, "no random bytes for a secret");
    else
        written = write(fd, secret.bytes, TOKEN_SECRET_BYTES);
    token_secret_close(&secret);
    if (status == OK && (written < 0 || fsync(fd) != 0))
        status = error_set_errno(error, errno, "write %s", path);
    if (status == OK && written != TOKEN_SECRET_BYTES)
        status = error_set(error, ERR_NO_SPACE, "write %s: only in part", path);
    if (close(fd) != 0 && status == OK)
        status = error_set_errno(error, errno, "close %s", path);
    return status;
}

static enum status sync_directory_of(const char *path, struct error *error)
{
    char directory[SECRET_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (slash == NULL)
        (void)snprintf(directory, sizeof(directory), ".");
    else
        (void)snprintf(directory, sizeof(directory), "%.*s", (int)(length == 0 ? 1 : length), path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "open %s", directory);
    enum status status = OK;
    if (fsync(fd) != 0)
        status = error_set_errno(error, errno, "sync %s", directory);
    (void)close(fd);
    return status;
}

/*
 * Makes the file under another name and links it to its own: a link, unlike a rename, does not
 * replace the secret that a faster process has made and begun to use.
 */
static enum status secret_create(const char *path, struct error *error)
{
    uint8_t salt[12];
    char salt_text[17];
    if (RAND_bytes(salt, sizeof(salt)) != 1)
        return error_set(error, ERR_INTERNAL, "no random bytes for a secret");
    (void)base64_encode(slice_make(salt, sizeof(salt)), salt_text);
    char temporary[SECRET_PATH_BYTES];
    int length = snprintf(temporary, sizeof(temporary), "%s.%s", path, salt_text);
    if (length < 0 || (size_t)length >= sizeof(temporary))
        return error_set(error, ERR_LIMIT, "the path of the secret is too long");
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(error, errno, "create %s", temporary);
    enum status status = secret_write(fd, temporary, error);
    if (status == OK && link(temporary, path) != 0 && errno != EEXIST)
        status = error_set_errno(error, errno, "create the secret %s", path);
    (void)unlink(temporary);
    return status == OK ? sync_directory_of(path, error) : status;
}

enum status token_secret_load_or_create(const char *path,
                                        struct token_secret *ret_secret,
                                        struct error *reterr_error)
{
    enum status status = token_secret_load(path, ret_secret, reterr_error);
    if (status != ERR_NOT_FOUND)
        return status;
    status = secret_create(path, reterr_error);
    return status == OK ? token_secret_load(path, ret_secret, reterr_error) : status;
}

/* --- tokens ----------------------------------------------------------------------------------- */

/* Writes the signature of text: SIGNATURE_TEXT_BYTES and a NUL. */
static void sign_text(const struct token_secret *secret, struct slice text, char *signature)
{
    uint8_t mac[SIGNATURE_BYTES];
    unsigned length = 0;
    CHECK(HMAC(EVP_sha256(), secret->bytes, TOKEN_SECRET_BYTES, text.data, text.length, mac,
               &length) != NULL);
    CHECK(length == SIGNATURE_BYTES);
    CHECK(base64_encode(slice_make(mac, length), signature) == SIGNATURE_TEXT_BYTES);
}

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= TOKEN_NAME_BYTES;
}

enum status token_sign(const struct token_secret *secret,
                       const char *subject,
                       const char *audience,
                       int64_t expires_wall_ms,
                       char *token,
                       struct error *reterr_error)
{
    if (!is_name(subject) || !is_name(audience))
        return error_set(reterr_error, ERR_INVALID,
                         "a token's subject and audience have 1 to %d bytes", TOKEN_NAME_BYTES);
    if (expires_wall_ms < 0)
        return error_set(reterr_error, ERR_INVALID, "a token cannot end before 1970");
    char subject_text[NAME_TEXT_BYTES + 1];
    char audience_text[NAME_TEXT_BYTES + 1];
    (void)base64_encode(slice_from_string(subject), subject_text);
    (void)base64_encode(slice_from_string(audience), audience_text);
    int length = snprintf(token, TOKEN_BYTES, "%s%" PRId64 ".%s.%s", token_prefix, expires_wall_ms,
                          subject_text, audience_text);
    CHECK(length > 0 && length + 1 + SIGNATURE_TEXT_BYTES < TOKEN_BYTES);
    sign_text(secret, slice_make(token, (size_t)length), token + length + 1);
    token[length] = '.';
    return OK;
}

/* Takes the part before the next point, or the rest; false when nothing is left. */
static bool take_part(struct slice *rest, struct slice *ret_part)
{
    if (rest->data == NULL)
        return false;
    size_t point = slice_find(*rest, '.');
    *ret_part = slice_sub(*rest, 0, point);
    if (point == rest->length)
        *rest = slice_make(NULL, 0);
    else
        *rest = slice_sub(*rest, point + 1, rest->length - point - 1);
    return true;
}

/* Reads "<expires>.<subject>.<audience>". */
static bool read_claims(struct slice rest, struct token_claims *claims)
{
    struct slice expires;
    struct slice subject;
    struct slice audience;
    if (!take_part(&rest, &expires) || !take_part(&rest, &subject) ||
        !take_part(&rest, &audience) || rest.data != NULL)
        return false;
    uint64_t expires_wall_ms = 0;
    if (!slice_parse_u64(expires, &expires_wall_ms) || expires_wall_ms > INT64_MAX)
        return false;
    claims->expires_wall_ms = (int64_t)expires_wall_ms;
    return base64_decode_name(subject, claims->subject, sizeof(claims->subject)) &&
           base64_decode_name(audience, claims->audience, sizeof(claims->audience));
}

enum status token_verify(const struct token_secret *secret,
                         struct slice token,
                         const char *audience,
                         int64_t now_wall_ms,
                         struct token_claims *ret_claims,
                         struct error *reterr_error)
{
    const size_t prefix_length = sizeof(token_prefix) - 1;
    if (token.length >= TOKEN_BYTES || token.length < prefix_length + 1 + SIGNATURE_TEXT_BYTES ||
        !slice_has_prefix(token, slice_from_string(token_prefix)) ||
        token.data[token.length - SIGNATURE_TEXT_BYTES - 1] != '.')
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "this is not a token");
    size_t text_length = token.length - SIGNATURE_TEXT_BYTES - 1;
    char signature[SIGNATURE_TEXT_BYTES + 1];
    sign_text(secret, slice_sub(token, 0, text_length), signature);
    if (CRYPTO_memcmp(signature, token.data + text_length + 1, SIGNATURE_TEXT_BYTES) != 0)
        return error_set(reterr_error, ERR_UNAUTHENTICATED,
                         "the token was not signed by this cluster");
    struct token_claims claims = {.expires_wall_ms = 0};
    if (!read_claims(slice_sub(token, prefix_length, text_length - prefix_length), &claims))
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "this is not a token");
    if (now_wall_ms >= claims.expires_wall_ms)
        return error_set(reterr_error, ERR_UNAUTHENTICATED,
                         "the token of %s expired %" PRId64 " ms ago", claims.subject,
                         now_wall_ms - claims.expires_wall_ms);
    if (strcmp(claims.audience, audience) != 0)
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "the token of %s is for %s, not for %s",
                         claims.subject, claims.audience, audience);
    *ret_claims = claims;
    return OK;
}

struct slice token_from_bearer(struct slice text)
{
    static const char scheme[] = "Bearer ";
    const size_t scheme_length = sizeof(scheme) - 1;
    if (!slice_has_prefix(text, slice_from_string(scheme)) || text.length == scheme_length)
        return slice_make(NULL, 0);
    return slice_sub(text, scheme_length, text.length - scheme_length);
}

/* --- who am I --------------------------------------------------------------------------------- */

static const char credential_question[] = "token";

struct credential_server {
    struct fd_pass_server *server;
    struct token_secret secret;
    char audience[TOKEN_NAME_BYTES + 1];
    int64_t lifetime_ms;
    int64_t (*wall_ms)(void *user);
    void *user;
};

static int64_t system_wall_ms(void *user)
{
    (void)user;
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "user:" and the name of uid in the host's database, or its number when it has none there. */
static void user_subject(uint32_t uid, char *subject, size_t subject_bytes)
{
    char *buffer = mem_new(USER_BUFFER_BYTES);
    struct passwd entry;
    struct passwd *found = NULL;
    int result = getpwuid_r((uid_t)uid, &entry, buffer, USER_BUFFER_BYTES, &found);
    /* A cut name would be somebody else's. */
    if (result == 0 && found != NULL && strlen(found->pw_name) + sizeof("user:") <= subject_bytes)
        (void)snprintf(subject, subject_bytes, "user:%s", found->pw_name);
    else
        (void)snprintf(subject, subject_bytes, "user:%" PRIu32, uid);
    mem_free(buffer);
}

static enum status credential_answer(void *user,
                                     uint32_t uid,
                                     struct slice question,
                                     struct buf *answer,
                                     int *ret_fd,
                                     struct error *error)
{
    (void)ret_fd; /* no descriptor goes with a token */
    const struct credential_server *server = user;
    if (!slice_equal_string(question, credential_question))
        return error_set(error, ERR_UNSUPPORTED, "only a token can be asked for here");
    char subject[TOKEN_NAME_BYTES + 1];
    user_subject(uid, subject, sizeof(subject));
    char token[TOKEN_BYTES];
    int64_t expires_wall_ms = server->wall_ms(server->user) + server->lifetime_ms;
    enum status status =
        token_sign(&server->secret, subject, server->audience, expires_wall_ms, token, error);
    if (status != OK)
        return status;
    return buf_append_format(answer, "%" PRId64 " %s", expires_wall_ms, token);
}

enum status credential_server_open(const struct credential_server_options *options,
                                   struct credential_server **ret_server,
                                   struct error *reterr_error)
{
    CHECK(options->lifetime_ms > 0);
    if (!is_name(options->audience))
        return error_set(reterr_error, ERR_INVALID, "a token's audience needs a name");
    struct credential_server *server = MEM_NEW(struct credential_server);
    server->secret = *options->secret;
    memcpy(server->audience, options->audience, strlen(options->audience) + 1);
    server->lifetime_ms = options->lifetime_ms;
    server->wall_ms = options->wall_ms == NULL ? system_wall_ms : options->wall_ms;
    server->user = options->user;
    struct fd_pass_server_options socket_options = {
        .path = options->path, .mode = 0666, .answer = credential_answer, .user = server};
    enum status status = fd_pass_server_open(&socket_options, &server->server, reterr_error);
    if (status != OK) {
        credential_server_close(server);
        return status;
    }
    *ret_server = server;
    return OK;
}

void credential_server_close(struct credential_server *server)
{
    if (server == NULL)
        return;
    fd_pass_server_close(server->server);
    token_secret_close(&server->secret);
    mem_free(server);
}

enum status credential_fetch(const char *path,
                             int64_t timeout_ms,
                             char *token,
                             int64_t *ret_expires_wall_ms,
                             struct error *reterr_error)
{
    struct fd_pass_client *client = NULL;
    enum status status = fd_pass_connect(path, timeout_ms, &client, reterr_error);
    if (status != OK)
        return status;
    struct buf answer;
    buf_open(&answer, FD_PASS_BYTES);
    status =
        fd_pass_ask(client, slice_from_string(credential_question), &answer, NULL, reterr_error);
    if (status == OK) {
        struct slice text = buf_slice(&answer);
        size_t space = slice_find(text, ' ');
        uint64_t expires = 0;
        if (text.length - space < 2 || text.length - space > TOKEN_BYTES ||
            !slice_parse_u64(slice_sub(text, 0, space), &expires) || expires > INT64_MAX) {
            status = error_set(reterr_error, ERR_CORRUPT, "%s answers nonsense", path);
        } else {
            memcpy(token, text.data + space + 1, text.length - space - 1);
            token[text.length - space - 1] = '\0';
            *ret_expires_wall_ms = (int64_t)expires;
        }
    }
    buf_close(&answer);
    fd_pass_client_close(client);
    return status;
}
