/* needs_gone.c - a job that needs a library which is not there. */
#include "mr/mr.h"

int gone(void);

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice value)
{
    (void)key;
    mr_emit_u64(context, value, (uint64_t)gone());
}

static const struct mr_job job = {MR_JOB_HEADER, .map = map, .value_type = MR_VALUE_U64};

MR_JOB_EXPORT(job);
