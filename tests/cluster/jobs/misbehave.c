/*
 * misbehave.c - what a job's author can do wrong, each by -D wrong=WHAT: in the map unless the name
 * says where.
 */
#include <mr/mr.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile int sink;

/* Where the optimiser does not see that it is wrong. */
static void write_out_of_bounds(size_t bytes)
{
    char *volatile memory = (char *)malloc(16);
    for (size_t i = 0; i < bytes; i++)
        memory[i] = (char)i;
    sink = memory[bytes / 2];
    free(memory);
}

static void misbehave(struct mr_context *context, const char *where)
{
    const char *what = mr_parameter_string(context, "wrong", "");
    size_t length = strlen(where);
    if (strncmp(what, where, length) != 0)
        return;
    what += length;
    if (strcmp(what, "segfault") == 0) {
        volatile int *volatile nowhere = NULL;
        *nowhere = 1;
    } else if (strcmp(what, "loop") == 0) {
        for (;;)
            sink++;
    } else if (strcmp(what, "exit") == 0) {
        exit(0);
    } else if (strcmp(what, "exit3") == 0) {
        _exit(3);
    } else if (strcmp(what, "bounds") == 0) {
        write_out_of_bounds(1 << 28);
    } else if (strcmp(what, "fail") == 0) {
        mr_fail(context, "the author says no to %s", where[0] ? where : "map-");
    } else if (strcmp(what, "kill") == 0) {
        raise(SIGKILL);
    } else if (strcmp(what, "chatter") == 0) {
        fprintf(stderr, "last words of the author\n");
        abort();
    }
}

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    misbehave(context, "map-");
    mr_emit_u64(context, line, 1);
}

static void setup(struct mr_context *context)
{
    misbehave(context, "setup-");
}

static void finish(struct mr_context *context)
{
    misbehave(context, "finish-");
}

static void reduce(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    uint64_t count;
    misbehave(context, "reduce-");
    while (mr_next_u64(values, &count))
        mr_emit_u64(context, key, count);
}

static const struct mr_job job = {
    MR_JOB_HEADER,
    .name = "misbehave",
    .setup = setup,
    .finish = finish,
    .map = map,
    .reduce = reduce,
    .value_type = MR_VALUE_U64,
    .aggregator = MR_AGGREGATE_SUM,
};

MR_JOB_EXPORT(job);
