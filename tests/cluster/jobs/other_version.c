/* other_version.c - a job for a version of Millrace that there is not. */
#include <mr/mr.h>

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    mr_emit(context, mr_absent(), line);
}

static const struct mr_job job = {
    .abi_version = MR_ABI_VERSION + 41,
    .struct_bytes = (uint32_t)sizeof(struct mr_job),
    .name = "other-version",
    .map = map,
};

MR_JOB_EXPORT(job);
