/*
 * job_settings.h - what -D key=value may say. Names that begin with "mr." or "job." are Millrace's
 * and must be among those below; all others are the job's own. All of them reach the job's
 * functions as parameters.
 */
#ifndef MILLRACE_MR_CLIENT_JOB_SETTINGS_H
#define MILLRACE_MR_CLIENT_JOB_SETTINGS_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"
#include "mr/client/client.h"

struct job_settings {
    uint64_t map_memory_bytes;
    uint64_t reduce_memory_bytes;
    uint64_t master_memory_bytes;
    uint64_t map_vcores;
    uint64_t reduce_vcores;
    uint64_t sort_memory_bytes;
    uint64_t task_timeout_ms;   /* 0: never */
    uint64_t task_attempts_max; /* 0: the default */
    uint64_t master_attempts_max;
    uint64_t split_bytes; /* 0: not said */
    uint64_t priority;
    const char *queue; /* "": the default one */
    const char *name;  /* "": not said */
};

/*
 * Reads and checks all parameters; *ret_settings borrows from them. ERR_INVALID, in one sentence:
 * a key with other characters than letters, digits, ".", "-", "_", or too long; an unknown name of
 * Millrace's, with the one that may have been meant; a value that does not fit.
 */
MUST_USE enum status job_settings_read(const struct mr_client_parameter *parameters,
                                       size_t count,
                                       struct job_settings *ret_settings,
                                       struct error *reterr_error);
/*
 * "64k", "512m", "2g" or a plain number of bytes; what: what the sentence calls it. ERR_INVALID
 * when it is anything else or does not fit 64 bits.
 */
MUST_USE enum status job_settings_bytes(const char *what,
                                        const char *text,
                                        uint64_t *ret_bytes,
                                        struct error *reterr_error);
/* ERR_INVALID unless text is 1..LIMIT_APP_NAME_BYTES of UTF-8 without control characters. */
MUST_USE enum status job_settings_check_name(const char *text, struct error *reterr_error);

/* One known name, for help texts; false when index is beyond the last. */
bool job_settings_describe(size_t index, const char **ret_key, const char **ret_text);

#endif
