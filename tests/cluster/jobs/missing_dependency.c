/* missing_dependency.c - a job that needs a function nobody has. */
#include <mr/mr.h>

void nobody_has_this_function(void);

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    nobody_has_this_function();
    mr_emit(context, mr_absent(), line);
}

static const struct mr_job job = {
    MR_JOB_HEADER,
    .name = "missing-dependency",
    .map = map,
};

MR_JOB_EXPORT(job);
