/*
 * trace.h - what a machine did, as one line of text per event, for tests and the simulator.
 * Libraries and machines never log; they emit events here: verb and ids, "node n1 ACTIVE->LOST".
 */
#ifndef MILLRACE_LIB_BASE_TRACE_H
#define MILLRACE_LIB_BASE_TRACE_H

enum {
    TRACE_TEXT_BYTES = 1024
};

struct trace {
    void (*sink)(void *user, const char *text); /* NULL: nobody listens */
    void *user;
};

/* Formats one event, without newline, for the sink; a longer text is cut. trace may be NULL. */
void trace_emit(const struct trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
