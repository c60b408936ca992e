/*
 * base64.c - see base64.h.
 */
#include "lib/base/base64.h"

#include <stdint.h>
#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_encode(struct slice bytes, char *text)
{
    size_t length = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        bits = bits << 8 | bytes.data[i];
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            text[length++] = base64_digits[bits >> bit_count & 63];
        }
    }
    if (bit_count > 0)
        text[length++] = base64_digits[bits << (6 - bit_count) & 63];
    text[length] = '\0';
    return length;
}

bool base64_decode_name(struct slice text, char *name, size_t name_bytes)
{
    size_t length = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < text.length; i++) {
        const char *digit = text.data[i] == '\0' ? NULL : strchr(base64_digits, text.data[i]);
        if (digit == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(digit - base64_digits);
        bit_count += 6;
        if (bit_count < 8)
            continue;
        bit_count -= 8;
        if (length + 1 >= name_bytes || (bits >> bit_count & 255) == 0)
            return false;
        name[length++] = (char)(bits >> bit_count & 255);
    }
    name[length] = '\0';
    return bit_count < 6 && (bits & ((1U << bit_count) - 1)) == 0;
}
