/*
 * mrsubmit.c - "mrsubmit JOB.so -i PATH... -o PATH -r N": runs a job and follows it to its end.
 * The summary goes to stdout, everything else to stderr. Exit codes: docs/exit-codes.md.
 */
#include "cli/mrsubmit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/os/process.h"
#include "lib/os/signals.h"
#include "mr/client/object_check.h"
#include "mr/core/task_context.h"
#include "mr/task/job_object.h"

enum submit_exit submit_fail(enum submit_exit code, const struct error *error)
{
    (void)fflush(stdout); /* its failure is found at the end */
    if (error->text[0] != '\0')
        fprintf(stderr, "mrsubmit: %s\n", error->text);
    if (code == SUBMIT_USAGE)
        fputs("mrsubmit: `mrsubmit --help` tells more\n", stderr);
    return code;
}

/* In the child of object_check: arguments OBJECT REDUCES RESULT. */
static int check_object(char **arguments)
{
    struct job_object *object = NULL;
    struct error error = {0};
    struct error answer_error = {0};
    uint64_t reduces = 0;
    const char *name = "";
    enum status status = OK;
    if (!slice_parse_u64(slice_from_string(arguments[1]), &reduces) || reduces > UINT32_MAX)
        return SUBMIT_USAGE;
    status = job_object_open(arguments[0], &object, &error);
    if (status == OK) {
        const struct mr_job *job = job_object_job(object);
        struct task_settings settings = {
            .job = job, .reduces = (uint32_t)reduces, .memory_bytes = TASK_MEMORY_BYTES_DEFAULT};
        if (job->name != NULL)
            name = job->name;
        status = task_settings_check(&settings, &error);
    }
    error.status = status;
    if (object_check_answer(arguments[2], name, &error, &answer_error) != OK)
        return (int)submit_fail(SUBMIT_REFUSED, &answer_error);
    job_object_close(object);
    return SUBMIT_SUCCEEDED;
}

/* *ret_is_cluster: a client with threads is still open. */
static enum submit_exit run(int argc, char **argv, struct arena *arena, bool *ret_is_cluster)
{
    struct submit_options options = {0};
    struct error error = {0};
    if (submit_options_parse(argc, argv, arena, &options, &error) != OK)
        return submit_fail(SUBMIT_USAGE, &error);
    if (options.wants_help) {
        submit_options_help();
        return SUBMIT_SUCCEEDED;
    }
    if (options.wants_version) {
        printf("mrsubmit %s\n", PACKAGE_VERSION);
        return SUBMIT_SUCCEEDED;
    }
    *ret_is_cluster = !options.is_local;
    return options.is_local ? submit_run_local(&options) : submit_run_cluster(&options);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], OBJECT_CHECK_OPTION) == 0)
        return check_object(argv + 2);
    signals_block(); /* before any thread */
    struct arena *arena = arena_open(0);
    bool is_cluster = false;
    enum submit_exit code = run(argc, argv, arena, &is_cluster);
    arena_close(arena);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "mrsubmit: write the output: %s\n", strerror(errno));
        code = code == SUBMIT_SUCCEEDED ? SUBMIT_REFUSED : code;
    }
    if (is_cluster)
        process_exit_now((int)code);
    return (int)code;
}
