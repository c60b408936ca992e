/*
 * test_mac.c - HMAC-SHA256 as others compute it.
 */
#include "lib/net/mac.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/unit.h"

static void expect_mac(struct mac_key *key, const char *text, const char *wanted)
{
    uint8_t mac[MAC_BYTES];
    char hex[2 * MAC_BYTES + 1];
    mac_key_sign(key, slice_from_string(text), mac);
    for (size_t i = 0; i < MAC_BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", mac[i]); /* two digits */
    CU_ASSERT_STRING_EQUAL(hex, wanted);
}

/* RFC 4231, 4.2 and 4.3. */
static void test_mac__rfc_vectors(void)
{
    uint8_t bytes[20];
    memset(bytes, 0x0b, sizeof(bytes));
    struct mac_key *key = mac_key_open(slice_make(bytes, sizeof(bytes)));
    for (int i = 0; i < 2; i++) /* the key is as good after a text as before */
        expect_mac(key, "Hi There",
                   "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    mac_key_close(key);
    key = mac_key_open(slice_from_string("Jefe"));
    expect_mac(key, "what do ya want for nothing?",
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    mac_key_close(key);
    mac_key_close(NULL);
}

static void test_mac__texts_are_compared_whole(void)
{
    struct slice text = slice_from_string("abc");
    CU_ASSERT_TRUE(mac_text_is_equal(text, slice_from_string("abc")));
    CU_ASSERT_FALSE(mac_text_is_equal(text, slice_from_string("abd")));
    CU_ASSERT_FALSE(mac_text_is_equal(text, slice_from_string("abcd")));
    CU_ASSERT_FALSE(mac_text_is_equal(text, slice_from_string("ab")));
}

static const struct unit_test tests[] = {
    {"test_mac__rfc_vectors",              "The RFC's examples come out.",     test_mac__rfc_vectors},
    {"test_mac__texts_are_compared_whole", "Texts are compared to their end.",
     test_mac__texts_are_compared_whole                                                             },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "mac", tests, UNIT_COUNT(tests), NULL, NULL);
}
