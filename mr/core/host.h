/*
 * host.h - what the record engine needs from the program around it: bytes in, bytes out, scratch
 * files, and somebody to tell how far it is. The engine itself opens, maps and sends nothing, so
 * mr-task, the local engine and the tests' memory are three implementations of one list.
 *
 * Each function returns OK or a status, and then puts one sentence into reterr_error. All of them
 * are called on the thread that runs the task.
 */
#ifndef MILLRACE_MR_CORE_HOST_H
#define MILLRACE_MR_CORE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* Where a result goes, in order: a part of the output, a finished run. */
struct byte_sink {
    void *user;
    enum status (*append)(void *user, struct slice bytes, struct error *reterr_error);
};

/* One input file; read in ascending offsets, mostly. */
struct byte_source {
    void *user;
    uint64_t length; /* of the file */
    /*
     * Lends 1..length_max bytes that stand at offset (offset < length). Fewer than asked for at the
     * end of the file or where the memory behind it ends. Lent until the next call.
     */
    enum status (*read)(void *user,
                        uint64_t offset,
                        size_t length_max,
                        struct slice *ret_bytes,
                        struct error *reterr_error);
};

/* Bytes that stay readable at any offset: a fetched segment, a spill. */
struct byte_store {
    struct slice memory; /* data not NULL: the bytes themselves; read is not used */
    void *user;
    /* Fills data with the length bytes at offset; fewer is an error. */
    enum status (*read)(
        void *user, uint64_t offset, uint8_t *data, size_t length, struct error *reterr_error);
};

/* Scratch files of one attempt: written once from front to back, then read anywhere. */
struct scratch {
    void *user;
    enum status (*create)(void *user, void **ret_file, struct error *reterr_error);
    enum status (*append)(void *file, struct slice bytes, struct error *reterr_error);
    /* After the last append. */
    enum status (*seal)(void *file, struct error *reterr_error);
    enum status (*read)(
        void *file, uint64_t offset, uint8_t *data, size_t length, struct error *reterr_error);
    /* Closes and removes; sealed or not. NULL is fine. */
    void (*discard)(void *file);
};

struct counters;

/* Called every few records, so it must be cheap. */
struct watcher {
    void *user;
    /* progress: 0..1. False: the attempt is to stop; it ends with ERR_CANCELLED. */
    bool (*is_wanted)(void *user,
                      float progress,
                      const struct counters *counters,
                      const char *status_text);
};

#endif
