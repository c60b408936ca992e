/*
 * mac.c - see mac.h. HMAC is H(key ^ opad, H(key ^ ipad, text)) (RFC 2104): both digests are kept
 * in the state they have behind the padded key, and copied for each text. OpenSSL's own HMAC takes
 * ten times as long for a short text, since it begins with the key each time.
 */
#include "lib/net/mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    PAD_BYTES = 64, /* a block of SHA-256 */
    INNER_PAD = 0x36,
    OUTER_PAD = 0x5c
};

struct mac_key {
    EVP_MD_CTX *inner; /* behind the padded key */
    EVP_MD_CTX *outer;
    EVP_MD_CTX *work;
};

static EVP_MD_CTX *begin(struct slice key, uint8_t pad)
{
    uint8_t padded[PAD_BYTES];
    for (size_t i = 0; i < PAD_BYTES; i++)
        padded[i] = (uint8_t)((i < key.length ? key.data[i] : 0) ^ pad);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    CHECK(digest != NULL);
    CHECK(EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1);
    CHECK(EVP_DigestUpdate(digest, padded, PAD_BYTES) == 1);
    OPENSSL_cleanse(padded, sizeof(padded));
    return digest;
}

struct mac_key *mac_key_open(struct slice key)
{
    CHECK(key.length > 0);
    CHECK(key.length <= PAD_BYTES); /* a longer one would have to be hashed first */
    struct mac_key *opened = MEM_NEW(struct mac_key);
    opened->inner = begin(key, INNER_PAD);
    opened->outer = begin(key, OUTER_PAD);
    opened->work = EVP_MD_CTX_new();
    CHECK(opened->work != NULL);
    return opened;
}

void mac_key_close(struct mac_key *key)
{
    if (key == NULL)
        return;
    EVP_MD_CTX_free(key->inner); /* they are overwritten */
    EVP_MD_CTX_free(key->outer);
    EVP_MD_CTX_free(key->work);
    mem_free(key);
}

static void finish(EVP_MD_CTX *work,
                   const EVP_MD_CTX *begun,
                   struct slice text,
                   uint8_t ret_digest[MAC_BYTES])
{
    unsigned length = 0;
    CHECK(EVP_MD_CTX_copy_ex(work, begun) == 1);
    CHECK(EVP_DigestUpdate(work, text.data, text.length) == 1);
    CHECK(EVP_DigestFinal_ex(work, ret_digest, &length) == 1);
    CHECK(length == MAC_BYTES);
}

void mac_key_sign(struct mac_key *key, struct slice text, uint8_t ret_mac[MAC_BYTES])
{
    uint8_t inner[MAC_BYTES];
    finish(key->work, key->inner, text, inner);
    finish(key->work, key->outer, slice_make(inner, MAC_BYTES), ret_mac);
}

bool mac_text_is_equal(struct slice left, struct slice right)
{
    return left.length == right.length && CRYPTO_memcmp(left.data, right.data, left.length) == 0;
}
