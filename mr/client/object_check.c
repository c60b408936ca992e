/*
 * object_check.c - the parent's and the child's end of the file with the result: the status's name,
 * a newline, and the job's name or the sentence.
 */
#include "mr/client/object_check.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/process.h"
#include "lib/os/process_handle.h"

enum {
    RESULT_BYTES_MAX = 64 * 1024
};

enum status object_check_answer(const char *result,
                                const char *name,
                                const struct error *error,
                                struct error *reterr_error)
{
    struct buf text;
    buf_open(&text, RESULT_BYTES_MAX);
    enum status status = buf_append_format(&text, "%s\n%s", status_name(error->status),
                                           error->status == OK ? name : error->text);
    if (status == OK)
        status = file_replace(result, buf_slice(&text), FILE_PRIVATE, reterr_error);
    buf_close(&text);
    return status;
}

/* Ends the child when it takes too long; reaps it. */
static enum status wait_for(int64_t pid,
                            bool *ret_in_time,
                            struct process_exit *ret_exit,
                            struct error *reterr_error)
{
    struct process_handle *handle = NULL;
    bool in_time = false;
    enum status status = process_handle_open(pid, &handle, reterr_error);
    if (status == OK)
        in_time = process_handle_wait(handle, clock_monotonic_ms() + OBJECT_CHECK_TIMEOUT_MS);
    process_handle_close(handle);
    if (!in_time)
        status_ignore(process_signal(pid, PROCESS_KILL)); /* it may have ended just now */
    enum status reaped = process_wait(pid, ret_exit, reterr_error);
    *ret_in_time = in_time;
    return status != OK ? status : reaped;
}

/* Without a result something in the object ended the process. */
static enum status explain(const char *object,
                           bool in_time,
                           struct process_exit exit,
                           struct error *reterr_error)
{
    struct text_quote name = text_quote(slice_from_string(object));
    if (!in_time)
        return error_set(reterr_error, ERR_INVALID,
                         "%s was not loaded after %d s; look at its constructors", name.text,
                         OBJECT_CHECK_TIMEOUT_MS / 1000);
    if (exit.by_signal)
        return error_set(reterr_error, ERR_INVALID,
                         "%s crashes while it is loaded (signal %d); look at its constructors",
                         name.text, exit.code);
    return error_set(reterr_error, ERR_INVALID,
                     "%s ends the process that loads it (exit code %d); look at its constructors",
                     name.text, exit.code);
}

static enum status read_result(const char *path,
                               struct arena *arena,
                               const char **ret_name,
                               struct error *reterr_error)
{
    struct buf text;
    buf_open(&text, RESULT_BYTES_MAX);
    enum status status = file_read_whole(path, &text, reterr_error);
    if (status == OK) {
        struct slice whole = buf_slice(&text);
        size_t end = slice_find(whole, '\n');
        const char *found = (const char *)arena_copy(arena, slice_sub(whole, 0, end)).data;
        size_t from = end < whole.length ? end + 1 : end;
        struct slice rest = slice_sub(whole, from, whole.length - from);
        enum status answer = status_from_name(found);
        if (answer == OK)
            *ret_name = (const char *)arena_copy(arena, rest).data;
        else
            status = error_set(reterr_error, answer, "%.*s", SLICE_ARGS(rest));
    }
    buf_close(&text);
    return status;
}

static enum status run_child(const char *program,
                             const char *object,
                             uint32_t reduces,
                             const char *result,
                             struct arena *arena,
                             const char **ret_name,
                             struct error *reterr_error)
{
    const char *number = (const char *)arena_format(arena, "%u", (unsigned)reduces).data;
    const char *arguments[] = {program, OBJECT_CHECK_OPTION, object, number, result, NULL};
    struct process_spec spec = {
        .arguments = arguments,
        .stdout_path = "/dev/null", /* what constructors print there is not our result */
        .dies_with_parent = true,
    };
    struct process_exit exit = {0};
    struct file_info info;
    bool in_time = false;
    int64_t pid = 0;
    enum status status = process_spawn(&spec, &pid, reterr_error);
    if (status == OK)
        status = wait_for(pid, &in_time, &exit, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "check the job object");
    if (file_info_get(result, true, &info, NULL) != OK)
        return explain(object, in_time, exit, reterr_error);
    return read_result(result, arena, ret_name, reterr_error);
}

enum status object_check(const char *program,
                         const char *object,
                         uint32_t reduces,
                         struct arena *arena,
                         const char **ret_name,
                         struct error *reterr_error)
{
    const char *folder = host_environment("TMPDIR");
    const char *temporary = NULL;
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    enum status status = directory_make_temporary(path_join(arena, folder, "millrace-check-"),
                                                  arena, &temporary, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "check the job object");
    status = run_child(program, object, reduces, path_join(arena, temporary, "result"), arena,
                       ret_name, reterr_error);
    /* A file left in TMPDIR is no reason to refuse the job. */
    status_ignore(directory_remove_tree(temporary, NULL));
    return status;
}
