/*
 * trace.c - formats events for a sink.
 */
#include "lib/base/trace.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void trace_emit(const struct trace *trace, const char *format, ...)
{
    if (trace == NULL || trace->sink == NULL)
        return;
    char text[TRACE_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    trace->sink(trace->user, text);
}
