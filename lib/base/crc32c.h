/*
 * crc32c.h - CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of all our formats.
 */
#ifndef MILLRACE_LIB_BASE_CRC32C_H
#define MILLRACE_LIB_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Continues the checksum crc (0 to start) over length bytes. The nine bytes "123456789" give
 * 0xE3069283. Uses the instructions of the processor it runs on.
 */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t length);
/*
 * The same value, sooner when the bytes are not in the processor's caches yet: it asks for them
 * ahead, which the processor itself does only up to the end of a page.
 */
uint32_t crc32c_update_cold(uint32_t crc, const void *data, size_t length);
/* The same value from a table in plain C; the twin that tests compare with. */
uint32_t crc32c_update_plain(uint32_t crc, const void *data, size_t length);
/* The checksum of two runs put together, the second length_second bytes long. */
uint32_t crc32c_combine(uint32_t crc_first, uint32_t crc_second, uint64_t length_second);
/*
 * The same in two steps, for many runs of one length: the factor that stands for length, which is
 * dear, and the combination by it, which is cheap.
 */
uint32_t crc32c_factor(uint64_t length_second);
uint32_t crc32c_combine_by(uint32_t crc_first, uint32_t crc_second, uint32_t factor);
/* The same value bit by bit in plain C; the twin that tests compare with. */
uint32_t crc32c_combine_by_plain(uint32_t crc_first, uint32_t crc_second, uint32_t factor);

#endif
