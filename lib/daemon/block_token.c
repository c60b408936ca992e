/*
 * block_token.c - see block_token.h. A token is
 * "mb1.<key>.<expires>.<mode>.<block>.<user>.<signature>", the signature over all before its point.
 * One key is kept ready, that of the tokens seen last; the mutex guards it.
 */
#include "lib/daemon/block_token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/net/mac.h"
#include "lib/os/thread.h"

enum {
    NUMBER_TEXT_BYTES = 20,
    USER_TEXT_BYTES = BASE64_TEXT_BYTES(TOKEN_NAME_BYTES),
    SIGNATURE_TEXT_BYTES = BASE64_TEXT_BYTES(MAC_BYTES)
};

static const char prefix[] = "mb1.";
static const char mode_letters[] = "rwc"; /* by enum block_mode */

_Static_assert(sizeof(mode_letters) == BLOCK_MODE_COUNT + 1, "every mode has its letter");
_Static_assert(sizeof(prefix) + 2 * (NUMBER_TEXT_BYTES + 1) + 2 + BLOCK_NAME_BYTES +
                       USER_TEXT_BYTES + 1 + SIGNATURE_TEXT_BYTES <=
                   BLOCK_TOKEN_BYTES,
               "any token fits");

struct block_keys {
    struct mac_key *secret;
    struct mutex *mutex; /* of what follows */
    struct mac_key *key;
    uint64_t key_id;
};

const char *block_verdict_name(enum block_verdict verdict)
{
    static const char *const names[BLOCK_VERDICT_COUNT] = {
#define BLOCK_VERDICT_NAME(constant, name) name,
        BLOCK_VERDICT_LIST(BLOCK_VERDICT_NAME)
#undef BLOCK_VERDICT_NAME
    };
    CHECK((unsigned)verdict < BLOCK_VERDICT_COUNT);
    return names[verdict];
}

struct block_keys *block_keys_open(const struct token_secret *secret)
{
    struct block_keys *keys = MEM_NEW(struct block_keys);
    keys->secret = mac_key_open(slice_make(secret->bytes, TOKEN_SECRET_BYTES));
    keys->mutex = mutex_open();
    return keys;
}

void block_keys_close(struct block_keys *keys)
{
    if (keys == NULL)
        return;
    mac_key_close(keys->key);
    mac_key_close(keys->secret);
    mutex_close(keys->mutex);
    mem_free(keys);
}

/* Called with the mutex held. The label keeps these keys apart from all else the secret signs. */
static void derive_key(struct block_keys *keys, uint64_t key_id)
{
    char label[64];
    uint8_t bytes[MAC_BYTES];
    if (keys->key != NULL && keys->key_id == key_id)
        return;
    int length = snprintf(label, sizeof(label), "millrace block token key %" PRIu64, key_id);
    CHECK(length > 0 && (size_t)length < sizeof(label));
    mac_key_sign(keys->secret, slice_make(label, (size_t)length), bytes);
    mac_key_close(keys->key);
    keys->key = mac_key_open(slice_make(bytes, MAC_BYTES));
    keys->key_id = key_id;
}

/* Writes SIGNATURE_TEXT_BYTES and a NUL. */
static void sign(struct block_keys *keys, uint64_t key_id, struct slice text, char *signature)
{
    uint8_t mac[MAC_BYTES];
    mutex_lock(keys->mutex);
    derive_key(keys, key_id);
    mac_key_sign(keys->key, text, mac);
    mutex_unlock(keys->mutex);
    (void)base64_encode(slice_make(mac, MAC_BYTES), signature); /* of one length */
}

/* --- signing: once for each block of an answer, so without printf ------------------------------
 */

static size_t put_number(char *text, uint64_t number)
{
    char digits[NUMBER_TEXT_BYTES];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = '.';
    return count + 1;
}

static size_t put_block(char *text, uint64_t block_id)
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < BLOCK_NAME_BYTES - 1; i++)
        text[i] = digits[block_id >> (60 - 4 * i) & 15];
    text[BLOCK_NAME_BYTES - 1] = '.';
    return BLOCK_NAME_BYTES;
}

size_t block_token_sign(struct block_keys *keys, const struct block_grant *grant, char *token)
{
    CHECK(grant->user.length > 0 && grant->user.length <= TOKEN_NAME_BYTES);
    CHECK(grant->expires_wall_ms >= 0);
    CHECK((unsigned)grant->mode < BLOCK_MODE_COUNT);
    uint64_t key_id = (uint64_t)grant->expires_wall_ms / BLOCK_KEY_PERIOD_MS;
    size_t length = sizeof(prefix) - 1;
    memcpy(token, prefix, length);
    length += put_number(token + length, key_id);
    length += put_number(token + length, (uint64_t)grant->expires_wall_ms);
    token[length++] = mode_letters[grant->mode];
    token[length++] = '.';
    length += put_block(token + length, grant->block_id);
    length += base64_encode(grant->user, token + length);
    sign(keys, key_id, slice_make(token, length), token + length + 1);
    token[length] = '.';
    return length + 1 + SIGNATURE_TEXT_BYTES;
}

/* --- judging -----------------------------------------------------------------------------------
 */

struct parts {
    struct slice text; /* what is signed */
    struct slice signature;
    uint64_t key_id;
    uint64_t expires_wall_ms;
    enum block_mode mode;
    uint64_t block_id;
    char user[TOKEN_NAME_BYTES + 1];
};

/* Takes the part before the next point; false when there is no point. */
static bool take_part(struct slice *rest, struct slice *ret_part)
{
    size_t point = slice_find(*rest, '.');
    if (point == rest->length)
        return false;
    *ret_part = slice_sub(*rest, 0, point);
    *rest = slice_sub(*rest, point + 1, rest->length - point - 1);
    return true;
}

static bool parse_mode(struct slice text, enum block_mode *ret_mode)
{
    for (unsigned i = 0; i < BLOCK_MODE_COUNT; i++) {
        if (text.length == 1 && text.data[0] == (uint8_t)mode_letters[i]) {
            *ret_mode = (enum block_mode)i;
            return true;
        }
    }
    return false;
}

static bool parse(struct slice token, struct parts *parts)
{
    struct slice rest = token;
    struct slice version;
    struct slice key;
    struct slice expires;
    struct slice mode;
    struct slice block;
    struct slice user;
    if (token.length >= BLOCK_TOKEN_BYTES || !take_part(&rest, &version) ||
        !take_part(&rest, &key) || !take_part(&rest, &expires) || !take_part(&rest, &mode) ||
        !take_part(&rest, &block) || !take_part(&rest, &user) ||
        rest.length != SIGNATURE_TEXT_BYTES)
        return false;
    parts->signature = rest;
    parts->text = slice_sub(token, 0, token.length - SIGNATURE_TEXT_BYTES - 1);
    return slice_equal_string(version, "mb1") && slice_parse_u64(key, &parts->key_id) &&
           slice_parse_u64(expires, &parts->expires_wall_ms) &&
           parts->expires_wall_ms <= INT64_MAX && parse_mode(mode, &parts->mode) &&
           block_name_parse(block, &parts->block_id) && user.length > 0 &&
           base64_decode_name(user, parts->user, sizeof(parts->user));
}

static enum block_verdict check_signature(struct block_keys *keys,
                                          struct slice token,
                                          struct parts *ret_parts,
                                          struct error *reterr_error)
{
    char signature[SIGNATURE_TEXT_BYTES + 1];
    if (token.length == 0) {
        status_ignore(error_set(reterr_error, ERR_DENIED, "a block token is required"));
        return BLOCK_VERDICT_MISSING;
    }
    if (!parse(token, ret_parts)) {
        status_ignore(error_set(reterr_error, ERR_DENIED, "this is not a block token"));
        return BLOCK_VERDICT_MALFORMED;
    }
    if (ret_parts->key_id != ret_parts->expires_wall_ms / BLOCK_KEY_PERIOD_MS) {
        status_ignore(error_set(reterr_error, ERR_DENIED,
                                "the block token names key %" PRIu64 ", which is not its own",
                                ret_parts->key_id));
        return BLOCK_VERDICT_KEY;
    }
    sign(keys, ret_parts->key_id, ret_parts->text, signature);
    if (!mac_text_is_equal(slice_make(signature, SIGNATURE_TEXT_BYTES), ret_parts->signature)) {
        status_ignore(
            error_set(reterr_error, ERR_DENIED, "the block token was not signed by this cluster"));
        return BLOCK_VERDICT_FORGED;
    }
    return BLOCK_VERDICT_GOOD;
}

enum block_verdict block_token_judge(struct block_keys *keys,
                                     struct slice token,
                                     uint64_t block_id,
                                     struct slice user,
                                     unsigned modes,
                                     int64_t now_wall_ms,
                                     struct error *reterr_error)
{
    struct parts parts;
    enum block_verdict verdict = check_signature(keys, token, &parts, reterr_error);
    if (verdict != BLOCK_VERDICT_GOOD)
        return verdict;
    if (now_wall_ms >= (int64_t)parts.expires_wall_ms) {
        status_ignore(error_set(reterr_error, ERR_DENIED,
                                "the block token expired %" PRId64 " ms ago",
                                now_wall_ms - (int64_t)parts.expires_wall_ms));
        return BLOCK_VERDICT_EXPIRED;
    }
    if (parts.block_id != block_id) {
        status_ignore(error_set(reterr_error, ERR_DENIED,
                                "the block token is for block %016" PRIx64, parts.block_id));
        return BLOCK_VERDICT_BLOCK;
    }
    if (!slice_equal_string(user, parts.user)) {
        status_ignore(error_set(reterr_error, ERR_DENIED, "the block token is for %s", parts.user));
        return BLOCK_VERDICT_USER;
    }
    if ((modes & 1U << parts.mode) == 0) {
        status_ignore(error_set(reterr_error, ERR_DENIED, "the block token is only good to %s",
                                block_mode_name(parts.mode)));
        return BLOCK_VERDICT_MODE;
    }
    return BLOCK_VERDICT_GOOD;
}
