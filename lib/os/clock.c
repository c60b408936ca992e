/*
 * clock.c - what time it is.
 */
#include "lib/os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/check.h"

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0); /* these clocks exist on every Linux */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_process_cpu_us(void)
{
    return read_us(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_sleep_until_ms(int64_t monotonic_ms)
{
    struct timespec until = {.tv_sec = monotonic_ms / 1000,
                             .tv_nsec = (long)(monotonic_ms % 1000) * 1000000};
    int result;
    do
        result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    while (result == EINTR);
    CHECK(result == 0);
}

void clock_format_wall(int64_t wall_ms, char ret_text[CLOCK_TEXT_BYTES])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int milliseconds = (int)(wall_ms % 1000);
    if (milliseconds < 0) { /* before 1970 */
        milliseconds += 1000;
        seconds--;
    }
    struct tm parts;
    CHECK(gmtime_r(&seconds, &parts) != NULL);
    char text[64];
    int length = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                          parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                          parts.tm_min, parts.tm_sec, milliseconds);
    CHECK(length == CLOCK_TEXT_BYTES - 1); /* up to the year 9999 */
    for (int i = 0; i < CLOCK_TEXT_BYTES; i++)
        ret_text[i] = text[i];
}
