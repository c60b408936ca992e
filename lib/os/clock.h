/*
 * clock.h - what time it is. Deadlines and intervals use the monotonic clock, always.
 */
#ifndef MILLRACE_LIB_OS_CLOCK_H
#define MILLRACE_LIB_OS_CLOCK_H

#include <stdint.h>

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
int64_t clock_wall_ms(void); /* since 1970, UTC; may jump */
int64_t clock_wall_us(void);
/* CPU time of the whole process, user and system, in us. */
int64_t clock_process_cpu_us(void);
/* Blocks the calling thread; for polling what cannot be waited for. */
void clock_sleep_until_ms(int64_t monotonic_ms);

enum {
    CLOCK_TEXT_BYTES = 25
};

/* "2026-01-31T10:00:00.123Z" with its NUL. */
void clock_format_wall(int64_t wall_ms, char ret_text[CLOCK_TEXT_BYTES]);

#endif
