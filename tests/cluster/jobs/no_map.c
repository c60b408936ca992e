/* no_map.c - a job without map. */
#include <mr/mr.h>

static const struct mr_job job = {
    MR_JOB_HEADER,
    .name = "no-map",
};

MR_JOB_EXPORT(job);
