/* undefined.c - a job that calls what nobody defines. */
#include "mr/mr.h"

void defined_nowhere(void);

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice value)
{
    (void)context;
    (void)key;
    (void)value;
    defined_nowhere();
}

static const struct mr_job job = {MR_JOB_HEADER, .map = map};

MR_JOB_EXPORT(job);
