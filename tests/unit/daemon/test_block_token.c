/*
 * test_block_token.c - what the namenode signs is what a datanode lets in, and nothing else.
 */
#include "lib/daemon/block_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

static const int64_t NOW_MS = 1700000000000;

enum {
    BLOCK_ID = 0x1234abcd,
    READING = 1U << BLOCK_READ | 1U << BLOCK_COPY
};

static struct fixture {
    struct block_keys *keys;
    struct block_grant grant;
    char token[BLOCK_TOKEN_BYTES];
    size_t length;
} f;

static void setup(void)
{
    struct token_secret secret;
    memset(secret.bytes, 1, sizeof(secret.bytes));
    f.keys = block_keys_open(&secret);
    f.grant = (struct block_grant){.block_id = BLOCK_ID,
                                   .mode = BLOCK_READ,
                                   .user = slice_from_string("alice"),
                                   .expires_wall_ms = NOW_MS + 1000};
    f.length = block_token_sign(f.keys, &f.grant, f.token);
}

static void teardown(void)
{
    block_keys_close(f.keys);
}

static enum block_verdict judge(struct slice token)
{
    struct error error = {.status = OK};
    enum block_verdict verdict = block_token_judge(
        f.keys, token, BLOCK_ID, slice_from_string("alice"), READING, NOW_MS, &error);
    CU_ASSERT_EQUAL(error.status, verdict == BLOCK_VERDICT_GOOD ? OK : ERR_DENIED);
    CU_ASSERT_EQUAL(error.text[0] != '\0', verdict != BLOCK_VERDICT_GOOD);
    return verdict;
}

static enum block_verdict judge_signed(void)
{
    return judge(slice_make(f.token, block_token_sign(f.keys, &f.grant, f.token)));
}

/* Computed by Python's hmac from the page's words. */
static void test_block_token__has_the_form_of_its_page(void)
{
    CU_ASSERT_EQUAL(f.length, strlen(f.token));
    CU_ASSERT_STRING_EQUAL(f.token, "mb1.47222.1700000001000.r.000000001234abcd.YWxpY2U."
                                    "DHM0MsIuCCoaCJqHabMaidllM4M4zSRSLp34szTNpYY");
    CU_ASSERT_EQUAL(judge(slice_from_string(f.token)), BLOCK_VERDICT_GOOD);
}

static void test_block_token__any_user_and_block_comes_through(void)
{
    char name[TOKEN_NAME_BYTES + 1];
    memset(name, 'x', TOKEN_NAME_BYTES);
    name[TOKEN_NAME_BYTES] = '\0';
    const char *const users[] = {"a", "user:millrace", "a b.c\t\xc3\xa4", name};
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        for (int mode = 0; mode < BLOCK_MODE_COUNT; mode++) {
            f.grant = (struct block_grant){UINT64_MAX - i, (enum block_mode)mode,
                                           slice_from_string(users[i]), INT64_MAX};
            size_t length = block_token_sign(f.keys, &f.grant, f.token);
            CU_ASSERT_TRUE(length < BLOCK_TOKEN_BYTES);
            CU_ASSERT_EQUAL(block_token_judge(f.keys, slice_make(f.token, length), UINT64_MAX - i,
                                              f.grant.user, 1U << mode, NOW_MS, NULL),
                            BLOCK_VERDICT_GOOD);
        }
    }
}

static void test_block_token__other_grants_are_refused(void)
{
    struct block_grant good = f.grant;
    CU_ASSERT_EQUAL(judge(slice_make(NULL, 0)), BLOCK_VERDICT_MISSING);
    f.grant.mode = BLOCK_COPY;
    CU_ASSERT_EQUAL(judge_signed(), BLOCK_VERDICT_GOOD);
    f.grant.mode = BLOCK_WRITE;
    CU_ASSERT_EQUAL(judge_signed(), BLOCK_VERDICT_MODE);
    f.grant = good;
    f.grant.block_id++;
    CU_ASSERT_EQUAL(judge_signed(), BLOCK_VERDICT_BLOCK);
    f.grant = good;
    f.grant.user = slice_from_string("alic");
    CU_ASSERT_EQUAL(judge_signed(), BLOCK_VERDICT_USER);
    f.grant = good;
    f.grant.expires_wall_ms = NOW_MS + 1;
    CU_ASSERT_EQUAL(judge_signed(), BLOCK_VERDICT_GOOD);
    f.grant.expires_wall_ms = NOW_MS;
    CU_ASSERT_EQUAL(judge_signed(), BLOCK_VERDICT_EXPIRED);
    f.grant.expires_wall_ms = 0;
    CU_ASSERT_EQUAL(judge_signed(), BLOCK_VERDICT_EXPIRED);
}

static void test_block_token__cut_ones_are_refused_at_every_length(void)
{
    for (size_t length = 1; length < f.length; length++)
        CU_ASSERT_EQUAL(judge(slice_make(f.token, length)), BLOCK_VERDICT_MALFORMED);
    f.token[f.length] = 'A';
    CU_ASSERT_EQUAL(judge(slice_make(f.token, f.length + 1)), BLOCK_VERDICT_MALFORMED);
}

static void test_block_token__no_byte_can_be_changed(void)
{
    for (size_t i = 0; i < f.length; i++) {
        for (unsigned bit = 1; bit < 256; bit *= 2) {
            f.token[i] = (char)(f.token[i] ^ (char)bit);
            enum block_verdict verdict = judge(slice_make(f.token, f.length));
            CU_ASSERT_TRUE(verdict == BLOCK_VERDICT_MALFORMED || verdict == BLOCK_VERDICT_FORGED ||
                           verdict == BLOCK_VERDICT_KEY);
            f.token[i] = (char)(f.token[i] ^ (char)bit);
        }
    }
    CU_ASSERT_EQUAL(judge(slice_make(f.token, f.length)), BLOCK_VERDICT_GOOD);
}

static void test_block_token__other_clusters_and_keys_are_refused(void)
{
    struct token_secret secret;
    memset(secret.bytes, 2, sizeof(secret.bytes));
    struct block_keys *others = block_keys_open(&secret);
    char token[BLOCK_TOKEN_BYTES];
    size_t length = block_token_sign(others, &f.grant, token);
    CU_ASSERT_EQUAL(judge(slice_make(token, length)), BLOCK_VERDICT_FORGED);
    block_keys_close(others);
    /* A key is for the tokens that end in its period: an end of another period names another. */
    char *key = strchr(f.token, '.') + 1;
    key[0]++;
    CU_ASSERT_EQUAL(judge(slice_make(f.token, f.length)), BLOCK_VERDICT_KEY);
}

static void test_block_token__keys_change_with_the_period(void)
{
    struct slice before = slice_make(f.token, f.length);
    char token[BLOCK_TOKEN_BYTES];
    f.grant.expires_wall_ms += BLOCK_KEY_PERIOD_MS;
    size_t length = block_token_sign(f.keys, &f.grant, token);
    /* Both are good while the period changes, in any order. */
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(judge(before), BLOCK_VERDICT_GOOD);
        CU_ASSERT_EQUAL(judge(slice_make(token, length)), BLOCK_VERDICT_GOOD);
    }
    CU_ASSERT_NOT_EQUAL(strtoul(f.token + 4, NULL, 10), strtoul(token + 4, NULL, 10));
}

static const struct unit_test tests[] = {
    {"test_block_token__has_the_form_of_its_page",             "A token is what others compute.",
     test_block_token__has_the_form_of_its_page                                                                                                                 },
    {"test_block_token__any_user_and_block_comes_through",
     "Whatever the user's name, block and mode, a token is taken.",                                        test_block_token__any_user_and_block_comes_through   },
    {"test_block_token__other_grants_are_refused",
     "Tokens of another block, user, mode or time are refused, and it is told which.",                     test_block_token__other_grants_are_refused           },
    {"test_block_token__cut_ones_are_refused_at_every_length", "Cut tokens are refused.",
     test_block_token__cut_ones_are_refused_at_every_length                                                                                                     },
    {"test_block_token__no_byte_can_be_changed",               "A token with any bit changed is refused.",
     test_block_token__no_byte_can_be_changed                                                                                                                   },
    {"test_block_token__other_clusters_and_keys_are_refused",
     "Tokens of another cluster, or that name another key, are refused.",                                  test_block_token__other_clusters_and_keys_are_refused},
    {"test_block_token__keys_change_with_the_period",          "Tokens of two periods are good at once.",
     test_block_token__keys_change_with_the_period                                                                                                              },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "block_token", tests, UNIT_COUNT(tests), setup, teardown);
}
