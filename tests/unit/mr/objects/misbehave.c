/*
 * misbehave.c - a job that does what jobs should not. misbehave.mode says what and misbehave.line
 * at which line: segfault, abort, exit, fail, loop (until told to stop), flood (stdout). Lines are
 * counted otherwise.
 */
#include "mr/mr.h"

#include <signal.h>
#include <stdio.h>

static void misbehave(struct mr_context *context, const char *mode)
{
    if (strcmp(mode, "segfault") == 0)
        (void)raise(SIGSEGV);
    else if (strcmp(mode, "abort") == 0)
        abort();
    else if (strcmp(mode, "exit") == 0)
        exit(0);
    else if (strcmp(mode, "fail") == 0)
        mr_fail(context, "told to fail");
    else if (strcmp(mode, "loop") == 0)
        while (!mr_has_failed(context))
            continue;
    else if (strcmp(mode, "flood") == 0)
        for (unsigned i = 0; i < 100000; i++)
            (void)printf("line %u of a flood\n", i);
}

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    const char *at = mr_parameter_string(context, "misbehave.line", "bad");
    (void)key;
    if (line.length == strlen(at) && memcmp(line.data, at, line.length) == 0)
        misbehave(context, mr_parameter_string(context, "misbehave.mode", "fail"));
    mr_emit_u64(context, line, 1);
}

static const struct mr_job job = {
    MR_JOB_HEADER,
    .name = "misbehave",
    .map = map,
    .value_type = MR_VALUE_U64,
    .aggregator = MR_AGGREGATE_SUM,
};

MR_JOB_EXPORT(job);
