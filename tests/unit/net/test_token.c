/*
 * test_token.c - lib/net/token.h.
 */
#include "lib/net/token.h"

#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"

enum {
    NOW_MS = 1000 * 1000,
    LATER_MS = NOW_MS + 500,
    PATIENCE_MS = 30 * 1000
};

static struct fixture {
    char folder[64];
    char path[96];
    struct token_secret secret;
    char token[TOKEN_BYTES];
    struct token_claims claims;
    struct error error;
} f;

static void setup(void)
{
    f = (struct fixture){.secret = {.bytes = "0123456789abcdef0123456789abcde"}};
    (void)snprintf(f.folder, sizeof(f.folder), "/tmp/millrace-test-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof(f.path), "%s/secret", f.folder);
    CU_ASSERT_EQUAL_FATAL(
        token_sign(&f.secret, "user:alice", "cluster-1", LATER_MS, f.token, &f.error), OK);
}

static void teardown(void)
{
    (void)unlink(f.path);
    CU_ASSERT_EQUAL(rmdir(f.folder), 0);
}

static enum status verify(const char *token, size_t length, const char *audience, int64_t now_ms)
{
    f.error.text[0] = '\0';
    f.claims = (struct token_claims){.expires_wall_ms = -1};
    return token_verify(&f.secret, slice_make(token, length), audience, now_ms, &f.claims,
                        &f.error);
}

static void test_token__says_what_was_signed(void)
{
    CU_ASSERT_EQUAL(verify(f.token, strlen(f.token), "cluster-1", NOW_MS), OK);
    CU_ASSERT_STRING_EQUAL(f.claims.subject, "user:alice");
    CU_ASSERT_STRING_EQUAL(f.claims.audience, "cluster-1");
    CU_ASSERT_EQUAL(f.claims.expires_wall_ms, LATER_MS);
}

static void test_token__names_of_any_length_fit(void)
{
    char name[TOKEN_NAME_BYTES + 2];
    for (size_t length = 1; length <= TOKEN_NAME_BYTES; length++) {
        for (size_t i = 0; i < length; i++)
            name[i] = (char)(i % 255 + 1);
        name[length] = '\0';
        CU_ASSERT_EQUAL(token_sign(&f.secret, name, name, INT64_MAX, f.token, &f.error), OK);
        CU_ASSERT_EQUAL(verify(f.token, strlen(f.token), name, NOW_MS), OK);
        CU_ASSERT_STRING_EQUAL(f.claims.subject, name);
    }
    memset(name, 'x', TOKEN_NAME_BYTES + 1);
    name[TOKEN_NAME_BYTES + 1] = '\0';
    CU_ASSERT_EQUAL(token_sign(&f.secret, name, "a", 1, f.token, &f.error), ERR_INVALID);
    CU_ASSERT_EQUAL(token_sign(&f.secret, "a", name, 1, f.token, &f.error), ERR_INVALID);
    CU_ASSERT_EQUAL(token_sign(&f.secret, "", "a", 1, f.token, &f.error), ERR_INVALID);
    CU_ASSERT_EQUAL(token_sign(&f.secret, "a", "a", -1, f.token, &f.error), ERR_INVALID);
}

static void test_token__ends_at_its_time(void)
{
    size_t length = strlen(f.token);
    CU_ASSERT_EQUAL(verify(f.token, length, "cluster-1", LATER_MS - 1), OK);
    CU_ASSERT_EQUAL(verify(f.token, length, "cluster-1", LATER_MS), ERR_UNAUTHENTICATED);
    CU_ASSERT_STRING_EQUAL(f.error.text, "the token of user:alice expired 0 ms ago");
    CU_ASSERT_EQUAL(f.claims.expires_wall_ms, -1);
}

static void test_token__is_for_one_audience(void)
{
    CU_ASSERT_EQUAL(verify(f.token, strlen(f.token), "cluster-2", NOW_MS), ERR_UNAUTHENTICATED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "is for cluster-1, not for cluster-2"));
}

static void test_token__truncated_at_each_length_is_refused(void)
{
    for (size_t length = 0; length < strlen(f.token); length++)
        CU_ASSERT_EQUAL(verify(f.token, length, "cluster-1", NOW_MS), ERR_UNAUTHENTICATED);
}

static void test_token__each_changed_byte_is_noticed(void)
{
    size_t length = strlen(f.token);
    for (size_t i = 0; i < length; i++) {
        for (int byte = 0; byte < 256; byte++) {
            char forged[TOKEN_BYTES];
            memcpy(forged, f.token, length + 1);
            if ((unsigned char)forged[i] == byte)
                continue;
            forged[i] = (char)byte;
            CU_ASSERT_EQUAL(verify(forged, length, "cluster-1", NOW_MS), ERR_UNAUTHENTICATED);
        }
    }
}

static void test_token__other_secrets_signature_is_refused(void)
{
    struct token_secret other = f.secret;
    other.bytes[31] ^= 1;
    CU_ASSERT_EQUAL(token_sign(&other, "user:alice", "cluster-1", LATER_MS, f.token, &f.error), OK);
    CU_ASSERT_EQUAL(verify(f.token, strlen(f.token), "cluster-1", NOW_MS), ERR_UNAUTHENTICATED);
    CU_ASSERT_STRING_EQUAL(f.error.text, "the token was not signed by this cluster");
}

static void test_token__longer_text_is_refused(void)
{
    char longer[2 * TOKEN_BYTES];
    memset(longer, 'A', sizeof(longer));
    memcpy(longer, f.token, strlen(f.token));
    for (size_t length = strlen(f.token) + 1; length <= sizeof(longer); length++)
        CU_ASSERT_EQUAL(verify(longer, length, "cluster-1", NOW_MS), ERR_UNAUTHENTICATED);
}

static void test_token__bearer_is_taken_apart(void)
{
    CU_ASSERT_TRUE(slice_equal_string(token_from_bearer(slice_from_string("Bearer abc")), "abc"));
    static const char *const wrong[] = {"", "Bearer", "Bearer ", "bearer abc", "Basic abc", "abc"};
    for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
        CU_ASSERT_EQUAL(token_from_bearer(slice_from_string(wrong[i])).length, 0);
}

static void write_secret(const void *data, size_t length, unsigned mode)
{
    (void)unlink(f.path);
    int fd = open(f.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL(write(fd, data, length), (ssize_t)length);
    CU_ASSERT_EQUAL(fchmod(fd, (mode_t)mode), 0);
    (void)close(fd);
}

static void test_token__secret_is_made_once(void)
{
    struct token_secret first;
    struct token_secret second;
    CU_ASSERT_EQUAL(token_secret_load(f.path, &first, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(token_secret_load_or_create(f.path, &first, &f.error), OK);
    CU_ASSERT_EQUAL(token_secret_load_or_create(f.path, &second, &f.error), OK);
    CU_ASSERT_EQUAL(memcmp(first.bytes, second.bytes, TOKEN_SECRET_BYTES), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(first.bytes, f.secret.bytes, TOKEN_SECRET_BYTES), 0);
    struct stat info;
    CU_ASSERT_EQUAL(stat(f.path, &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0600);
    token_secret_close(&first);
    static const uint8_t zeros[TOKEN_SECRET_BYTES];
    CU_ASSERT_EQUAL(memcmp(first.bytes, zeros, TOKEN_SECRET_BYTES), 0);
}

struct maker {
    pthread_t thread;
    struct token_secret secret;
    enum status status;
};

static void *make_secret(void *user)
{
    struct maker *maker = user;
    maker->status = token_secret_load_or_create(f.path, &maker->secret, NULL);
    return NULL;
}

static void test_token__makers_at_once_get_one_secret(void)
{
    for (unsigned round = 0; round < 20; round++) {
        struct maker makers[6] = {{.status = OK}};
        for (size_t i = 0; i < UNIT_COUNT(makers); i++)
            CU_ASSERT_EQUAL_FATAL(pthread_create(&makers[i].thread, NULL, make_secret, &makers[i]),
                                  0);
        for (size_t i = 0; i < UNIT_COUNT(makers); i++) {
            CU_ASSERT_EQUAL(pthread_join(makers[i].thread, NULL), 0);
            CU_ASSERT_EQUAL(makers[i].status, OK);
            CU_ASSERT_EQUAL(
                memcmp(makers[i].secret.bytes, makers[0].secret.bytes, TOKEN_SECRET_BYTES), 0);
        }
        CU_ASSERT_EQUAL(unlink(f.path), 0);
    }
}

static void test_token__unsafe_secret_files_are_refused(void)
{
    static const uint8_t bytes[TOKEN_SECRET_BYTES + 1] = {1};
    struct token_secret secret;
    write_secret(bytes, TOKEN_SECRET_BYTES, 0600);
    CU_ASSERT_EQUAL(token_secret_load(f.path, &secret, &f.error), OK);
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        write_secret(bytes, length, 0600);
        CU_ASSERT_EQUAL(token_secret_load_or_create(f.path, &secret, &f.error),
                        length == TOKEN_SECRET_BYTES ? OK : ERR_CORRUPT);
    }
    write_secret(bytes, TOKEN_SECRET_BYTES, 0640);
    CU_ASSERT_EQUAL(token_secret_load(f.path, &secret, &f.error), ERR_DENIED);
    write_secret(bytes, TOKEN_SECRET_BYTES, 0602);
    CU_ASSERT_EQUAL(token_secret_load(f.path, &secret, &f.error), ERR_DENIED);
    (void)unlink(f.path);
    CU_ASSERT_EQUAL(symlink("/dev/zero", f.path), 0);
    CU_ASSERT_EQUAL(token_secret_load(f.path, &secret, &f.error), ERR_CORRUPT);
    (void)unlink(f.path);
    CU_ASSERT_EQUAL(mkfifo(f.path, 0600), 0);
    CU_ASSERT_EQUAL(token_secret_load(f.path, &secret, &f.error), ERR_CORRUPT);
}

static int64_t fixed_clock(void *user)
{
    (void)user;
    return NOW_MS;
}

static void test_token__host_user_gets_his_token(void)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/who", f.folder);
    struct credential_server_options options = {.path = path,
                                                .secret = &f.secret,
                                                .audience = "cluster-1",
                                                .lifetime_ms = 500,
                                                .wall_ms = fixed_clock};
    struct credential_server *server = NULL;
    CU_ASSERT_EQUAL_FATAL(credential_server_open(&options, &server, &f.error), OK);
    struct stat info;
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0666);
    int64_t expires_wall_ms = 0;
    memset(f.token, 0, sizeof(f.token));
    CU_ASSERT_EQUAL(credential_fetch(path, PATIENCE_MS, f.token, &expires_wall_ms, &f.error), OK);
    CU_ASSERT_EQUAL(expires_wall_ms, LATER_MS);
    CU_ASSERT_EQUAL(verify(f.token, strlen(f.token), "cluster-1", NOW_MS), OK);
    char expected[TOKEN_NAME_BYTES + 1];
    const struct passwd *me = getpwuid(geteuid());
    if (me != NULL)
        (void)snprintf(expected, sizeof(expected), "user:%s", me->pw_name);
    else
        (void)snprintf(expected, sizeof(expected), "user:%u", (unsigned)geteuid());
    CU_ASSERT_STRING_EQUAL(f.claims.subject, expected);
    credential_server_close(server);
    CU_ASSERT_EQUAL(credential_fetch(path, PATIENCE_MS, f.token, &expires_wall_ms, &f.error),
                    ERR_UNAVAILABLE);
    char lock[112];
    (void)snprintf(lock, sizeof(lock), "%s.lock", path);
    CU_ASSERT_EQUAL(unlink(lock), 0);
}

static const struct unit_test tests[] = {
    {"test_token__says_what_was_signed",                "Says what was signed.",                test_token__says_what_was_signed},
    {"test_token__names_of_any_length_fit",             "Names of any length fit.",
     test_token__names_of_any_length_fit                                                                                        },
    {"test_token__ends_at_its_time",                    "Ends at its time.",                    test_token__ends_at_its_time    },
    {"test_token__is_for_one_audience",                 "Is for one audience.",                 test_token__is_for_one_audience },
    {"test_token__truncated_at_each_length_is_refused", "Truncated at each length is refused.",
     test_token__truncated_at_each_length_is_refused                                                                            },
    {"test_token__each_changed_byte_is_noticed",        "Each changed byte is noticed.",
     test_token__each_changed_byte_is_noticed                                                                                   },
    {"test_token__other_secrets_signature_is_refused",  "Other secrets signature is refused.",
     test_token__other_secrets_signature_is_refused                                                                             },
    {"test_token__longer_text_is_refused",              "Longer text is refused.",
     test_token__longer_text_is_refused                                                                                         },
    {"test_token__bearer_is_taken_apart",               "Bearer is taken apart.",
     test_token__bearer_is_taken_apart                                                                                          },
    {"test_token__secret_is_made_once",                 "Secret is made once.",                 test_token__secret_is_made_once },
    {"test_token__makers_at_once_get_one_secret",       "Makers at once get one secret.",
     test_token__makers_at_once_get_one_secret                                                                                  },
    {"test_token__unsafe_secret_files_are_refused",     "Unsafe secret files are refused.",
     test_token__unsafe_secret_files_are_refused                                                                                },
    {"test_token__host_user_gets_his_token",            "Host user gets his token.",
     test_token__host_user_gets_his_token                                                                                       },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/test_token", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
