/*
 * crc32c.c - the checksum by ISA-L (which picks its kernel at run time), by table, and the algebra
 * that joins two checksums: appending zeros is multiplication by a power of x modulo the
 * polynomial.
 */
#include "lib/base/crc32c.h"

#include <limits.h>

#include <isa-l/crc.h>
#if defined(__x86_64__)
# include <immintrin.h>
#endif

#define CRC32C_POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 with its bits reversed */

enum {
    CACHE_LINE_BYTES = 64,
    /* Measured over mapped files: more at a time or farther ahead is slower, and so is less. */
    COLD_STEP_BYTES = 2048,
    COLD_AHEAD_BYTES = 4096
};

uint32_t crc32c_update(uint32_t crc, const void *data, size_t length)
{
    /* ISA-L takes a pointer to non-const bytes that it does not change, and an int. */
    unsigned char *at = (unsigned char *)(uintptr_t)data;
    unsigned int inverted = ~crc;
    while (length > 0) {
        int part = length > INT_MAX ? INT_MAX : (int)length;
        inverted = crc32_iscsi(at, part, inverted);
        at += part;
        length -= (size_t)part;
    }
    return ~inverted;
}

uint32_t crc32c_update_cold(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t at = 0; at < length; at += COLD_STEP_BYTES) {
        size_t ahead = at + COLD_AHEAD_BYTES;
        size_t ahead_end = ahead + COLD_STEP_BYTES < length ? ahead + COLD_STEP_BYTES : length;
        for (size_t line = ahead; line < ahead_end; line += CACHE_LINE_BYTES)
            __builtin_prefetch(bytes + line, 0, 3);
        size_t part = length - at < COLD_STEP_BYTES ? length - at : COLD_STEP_BYTES;
        crc = crc32c_update(crc, bytes + at, part);
    }
    return crc;
}

static uint32_t crc32c_table_entry(uint32_t byte)
{
    uint32_t crc = byte;
    for (unsigned bit = 0; bit < 8; bit++)
        crc = (crc >> 1) ^ ((crc & 1) != 0 ? CRC32C_POLYNOMIAL : 0);
    return crc;
}

uint32_t crc32c_update_plain(uint32_t crc, const void *data, size_t length)
{
    /* Made anew in every call: sixteen entries for half bytes cost less than a shared table. */
    uint32_t table[16];
    for (uint32_t i = 0; i < 16; i++)
        table[i] = crc32c_table_entry(i * 16);
    const uint8_t *bytes = data;
    uint32_t inverted = ~crc;
    for (size_t i = 0; i < length; i++) {
        inverted ^= bytes[i];
        inverted = (inverted >> 4) ^ table[inverted & 15];
        inverted = (inverted >> 4) ^ table[inverted & 15];
    }
    return ~inverted;
}

/* Product of two polynomials modulo ours; bit 31 is the coefficient of x^0. */
static uint32_t crc32c_multiply_plain(uint32_t left, uint32_t right)
{
    uint32_t product = 0;
    for (uint32_t bit = (uint32_t)1 << 31; bit != 0; bit >>= 1) {
        if ((left & bit) != 0)
            product ^= right;
        right = (right >> 1) ^ ((right & 1) != 0 ? CRC32C_POLYNOMIAL : 0);
    }
    return product;
}

#if defined(__x86_64__)
/*
 * The product of 63 bits, moved up by one, has the coefficients below x^32 in its upper half. The
 * lower half stands for a polynomial times x^32, and its remainder is what the instruction gives.
 */
__attribute__((target("pclmul,sse4.2"))) static uint32_t crc32c_multiply_at_once(uint32_t left,
                                                                                 uint32_t right)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)left), _mm_cvtsi32_si128((int)right), 0);
    uint64_t bits = (uint64_t)_mm_cvtsi128_si64(product) << 1;
    return (uint32_t)(bits >> 32) ^ _mm_crc32_u32(0, (uint32_t)bits);
}
#endif

static uint32_t crc32c_multiply(uint32_t left, uint32_t right)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.2"))
        return crc32c_multiply_at_once(left, right);
#endif
    return crc32c_multiply_plain(left, right);
}

uint32_t crc32c_factor(uint64_t length_second)
{
    uint32_t factor = (uint32_t)1 << 31; /* x^0 */
    uint32_t square = (uint32_t)1 << 23; /* x^8: one byte of zeros */
    for (uint64_t rest = length_second; rest != 0; rest >>= 1) {
        if ((rest & 1) != 0)
            factor = crc32c_multiply(factor, square);
        square = crc32c_multiply(square, square);
    }
    return factor;
}

uint32_t crc32c_combine_by(uint32_t crc_first, uint32_t crc_second, uint32_t factor)
{
    return crc32c_multiply(factor, crc_first) ^ crc_second;
}

uint32_t crc32c_combine_by_plain(uint32_t crc_first, uint32_t crc_second, uint32_t factor)
{
    return crc32c_multiply_plain(factor, crc_first) ^ crc_second;
}

uint32_t crc32c_combine(uint32_t crc_first, uint32_t crc_second, uint64_t length_second)
{
    return crc32c_combine_by(crc_first, crc_second, crc32c_factor(length_second));
}
