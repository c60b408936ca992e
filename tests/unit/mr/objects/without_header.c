/* without_header.c - a job that forgot MR_JOB_HEADER's second half. */
#include "mr/mr.h"

static const struct mr_job job = {.abi_version = MR_ABI_VERSION};

MR_JOB_EXPORT(job);
