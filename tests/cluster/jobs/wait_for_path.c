/*
 * wait_for_path.c - word count whose maps wait in the middle of their work until a path exists, so
 * that a test can break something while they run.
 *
 *     -D wait.gate=PATH    what they wait for
 *     -D wait.seen=FOLDER  a map that begins to wait makes a file map-<index>-<attempt> here, and a
 *                          reduce reduce-<index>-<attempt>, with the name of its host
 *     -D wait.maps=N       only maps N and above wait (0); below, they run through
 *     -D wait.reduces=1    reduces wait, too, before their first key (0)
 */
#include <mr/mr.h>

#include <stdio.h>
#include <unistd.h>

struct state {
    bool has_waited;
};

static void wait_at_gate(struct mr_context *context)
{
    struct state *state = (struct state *)context->user;
    const struct mr_task *task = mr_task(context);
    const char *gate = mr_parameter_string(context, "wait.gate", "");
    char path[4096];
    FILE *file;
    if (state->has_waited)
        return;
    state->has_waited = true;
    if (task->is_reduce ? !mr_parameter_bool(context, "wait.reduces", false)
                        : task->index < mr_parameter_u64(context, "wait.maps", 0))
        return;
    snprintf(path, sizeof(path), "%s/%s-%u-%u", mr_parameter_string(context, "wait.seen", "."),
             task->is_reduce ? "reduce" : "map", task->index, task->attempt);
    file = fopen(path, "w");
    if (file == NULL) {
        mr_fail(context, "cannot make %s", path);
        return;
    }
    fprintf(file, "%s\n", getenv("MILLRACE_HOST") != NULL ? getenv("MILLRACE_HOST") : "");
    fclose(file);
    while (access(gate, F_OK) != 0 && !mr_has_failed(context))
        usleep(10000); /* between two questions */
}

static void setup(struct mr_context *context)
{
    context->user = calloc(1, sizeof(struct state));
    if (context->user == NULL)
        mr_fail(context, "out of memory");
}

static void cleanup(struct mr_context *context)
{
    free(context->user);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    size_t at = 0;
    (void)key;
    while (at < line.length) {
        size_t begin;
        while (at < line.length && is_space(line.data[at]))
            at++;
        begin = at;
        while (at < line.length && !is_space(line.data[at]))
            at++;
        if (at > begin)
            mr_emit_u64(context, mr_slice_make(line.data + begin, at - begin), 1);
    }
    wait_at_gate(context);
}

static void reduce(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    uint64_t count;
    wait_at_gate(context);
    while (mr_next_u64(values, &count))
        mr_emit_u64(context, key, count);
}

static const struct mr_job job = {
    MR_JOB_HEADER,
    .name = "wait-for-path",
    .setup = setup,
    .cleanup = cleanup,
    .map = map,
    .reduce = reduce,
    .value_type = MR_VALUE_U64,
    .aggregator = MR_AGGREGATE_SUM,
};

MR_JOB_EXPORT(job);
