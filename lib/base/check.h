/*
 * check.h - CHECK states what must hold if our own code is right; it stays on in release builds.
 * Never CHECK what a peer, a file or a user controls.
 */
#ifndef MILLRACE_LIB_BASE_CHECK_H
#define MILLRACE_LIB_BASE_CHECK_H

/* Prints "file:line: CHECK failed: condition" to stderr and aborts. */
_Noreturn void check_failed(const char *file, int line, const char *condition);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#endif
