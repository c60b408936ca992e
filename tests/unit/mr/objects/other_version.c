/* other_version.c - a job built with a mr/mr.h of the future. */
#include "mr/mr.h"

static const struct mr_job job = {
    .abi_version = MR_ABI_VERSION + 41,
    .struct_bytes = sizeof(struct mr_job),
};

MR_JOB_EXPORT(job);
