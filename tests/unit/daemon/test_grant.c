/*
 * test_grant.c - what the resource manager grants is what the node manager lets start.
 */
#include "lib/daemon/grant.h"

#include <string.h>

#include "tests/support/unit.h"

static const int64_t NOW_MS = 1700000000000;

static struct token_secret secret(uint8_t filler)
{
    struct token_secret secret;
    memset(secret.bytes, filler, sizeof(secret.bytes));
    return secret;
}

static struct grant plain_grant(void)
{
    return (struct grant){
        .container = {.app = {.cluster_timestamp = 1700000000000, .sequence = 3},
                      .app_attempt = 1,
                      .epoch = 2,
                      .sequence = 7},
        .node_id = UINT64_MAX,
        .resource = {.memory_bytes = 1ULL << 40,                                              .vcores = 3 },
        .user = slice_from_string("alice of node:1 user:bob"),
    };
}

struct signed_grant {
    char token[TOKEN_BYTES];
};

static struct signed_grant given_signed(const struct grant *grant)
{
    struct token_secret key = secret(1);
    struct signed_grant result;
    CU_ASSERT_EQUAL_FATAL(grant_sign(&key, grant, NOW_MS + GRANT_LIFETIME_MS, result.token, NULL),
                          OK);
    return result;
}

static void test_grant__round_trip(void)
{
    struct grant grant = plain_grant();
    struct signed_grant given = given_signed(&grant);
    struct token_secret key = secret(1);
    struct token_claims claims;
    struct grant seen;
    CU_ASSERT_EQUAL_FATAL(grant_verify(&key, slice_from_string(given.token), grant.container,
                                       grant.node_id, NOW_MS, &claims, &seen, NULL),
                          OK);
    CU_ASSERT_EQUAL(seen.resource.memory_bytes, grant.resource.memory_bytes);
    CU_ASSERT_EQUAL(seen.resource.vcores, grant.resource.vcores);
    CU_ASSERT_TRUE(slice_equal(seen.user, grant.user));
}

static void expect_refused(const char *token,
                           uint8_t filler,
                           struct container_id container,
                           uint64_t node_id,
                           int64_t now_ms)
{
    struct token_secret key = secret(filler);
    struct token_claims claims;
    struct grant seen = {.node_id = 77};
    struct error error = {.status = OK};
    CU_ASSERT_EQUAL(grant_verify(&key, slice_from_string(token), container, node_id, now_ms,
                                 &claims, &seen, &error),
                    ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL(seen.node_id, 77);
    CU_ASSERT_NOT_EQUAL(error.text[0], '\0');
}

static void test_grant__anything_else_is_refused(void)
{
    struct grant grant = plain_grant();
    struct signed_grant given = given_signed(&grant);
    struct container_id other = grant.container;
    other.sequence++;
    expect_refused(given.token, 1, other, grant.node_id, NOW_MS);
    expect_refused(given.token, 1, grant.container, grant.node_id - 1, NOW_MS);
    expect_refused(given.token, 2, grant.container, grant.node_id, NOW_MS);
    expect_refused(given.token, 1, grant.container, grant.node_id, NOW_MS + GRANT_LIFETIME_MS);
    expect_refused("", 1, grant.container, grant.node_id, NOW_MS);
}

static void test_grant__signed_text_that_is_no_grant_is_refused(void)
{
    static const char *const subjects[] = {
        "user:alice",
        "container:x node:1 mem:1 vcores:1 user:a",
        "container:container_e02_1700000000000_0003_01_000007 node:1 mem:1 vcores:1",
        "container:container_e02_1700000000000_0003_01_000007 node:1 mem:1 vcores:5000000000 user:",
        "container:container_e02_1700000000000_0003_01_000007 node:1 mem:-1 vcores:1 user:a",
        "container:container_e02_1700000000000_0003_01_000007 node: mem:1 vcores:1 user:a",
    };
    struct grant grant = plain_grant();
    struct token_secret key = secret(1);
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        char token[TOKEN_BYTES];
        CU_ASSERT_EQUAL_FATAL(
            token_sign(&key, subjects[i], GRANT_AUDIENCE, NOW_MS + 1000, token, NULL), OK);
        expect_refused(token, 1, grant.container, 1, NOW_MS);
    }
}

static void test_grant__is_no_proof_of_identity(void)
{
    struct grant grant = plain_grant();
    struct signed_grant given = given_signed(&grant);
    struct token_secret key = secret(1);
    struct token_claims claims;
    CU_ASSERT_EQUAL(
        token_verify(&key, slice_from_string(given.token), "millrace", NOW_MS, &claims, NULL),
        ERR_UNAUTHENTICATED);
}

static void test_grant__needs_a_user(void)
{
    struct grant grant = plain_grant();
    struct token_secret key = secret(1);
    char token[TOKEN_BYTES];
    static const uint8_t long_name[65] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    grant.user = slice_make(NULL, 0);
    CU_ASSERT_EQUAL(grant_sign(&key, &grant, NOW_MS, token, NULL), ERR_INVALID);
    grant.user = slice_make(long_name, sizeof(long_name));
    CU_ASSERT_EQUAL(grant_sign(&key, &grant, NOW_MS, token, NULL), ERR_INVALID);
    grant.user = slice_make("a\0b", 3);
    CU_ASSERT_EQUAL(grant_sign(&key, &grant, NOW_MS, token, NULL), ERR_INVALID);
}

static const struct unit_test tests[] = {
    {"test_grant__round_trip",                              "A grant is verified with all it says, whatever the user's name.",
     test_grant__round_trip                                                                                                                                                       },
    {"test_grant__anything_else_is_refused",
     "A grant of another container, node, cluster or time is refused.",                                                        test_grant__anything_else_is_refused               },
    {"test_grant__signed_text_that_is_no_grant_is_refused",
     "A signed text that is no grant is refused.",                                                                             test_grant__signed_text_that_is_no_grant_is_refused},
    {"test_grant__is_no_proof_of_identity",                 "A grant cannot be used as a bearer token.",
     test_grant__is_no_proof_of_identity                                                                                                                                          },
    {"test_grant__needs_a_user",
     "A grant without a user, or with one that cannot be, is not signed.",                                                     test_grant__needs_a_user                           },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "grant", tests, UNIT_COUNT(tests), NULL, NULL);
}
