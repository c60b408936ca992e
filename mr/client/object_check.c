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

struct object_check {
    struct arena *arena;
    const char *object;
    const char *folder; /* of the child's answer */
    const char *result;
    int64_t pid;
    bool is_over; /* then: */
    const char *name;
    struct error error;
};

static enum status spawn(struct object_check *check,
                         const char *program,
                         uint32_t reduces,
                         struct error *reterr_error)
{
    const char *number = (const char *)arena_format(check->arena, "%u", (unsigned)reduces).data;
    const char *arguments[] = {program, OBJECT_CHECK_OPTION, check->object,
                               number,  check->result,       NULL};
    struct process_spec spec = {
        .arguments = arguments,
        .stdout_path = "/dev/null", /* what constructors print there is not our result */
        .dies_with_parent = true,
    };
    return process_spawn(&spec, &check->pid, reterr_error);
}

enum status object_check_begin(const char *program,
                               const char *object,
                               uint32_t reduces,
                               struct object_check **ret_check,
                               struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct object_check *check = ARENA_NEW(arena, struct object_check);
    const char *folder = host_environment("TMPDIR");
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    check->arena = arena;
    check->object = (const char *)arena_copy(arena, slice_from_string(object)).data;
    enum status status = directory_make_temporary(path_join(arena, folder, "millrace-check-"),
                                                  arena, &check->folder, reterr_error);
    if (status == OK) {
        check->result = path_join(arena, check->folder, "result");
        status = spawn(check, program, reduces, reterr_error);
    }
    if (status == OK) {
        *ret_check = check;
        return OK;
    }
    check->is_over = true; /* there is no child */
    object_check_close(check);
    return error_prefix(reterr_error, status, "check the job object");
}

static enum status judge(struct object_check *check, struct error *reterr_error)
{
    struct process_exit exit = {0};
    struct file_info info;
    bool in_time = false;
    enum status status = wait_for(check->pid, &in_time, &exit, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "check the job object");
    if (file_info_get(check->result, true, &info, NULL) != OK)
        return explain(check->object, in_time, exit, reterr_error);
    return read_result(check->result, check->arena, &check->name, reterr_error);
}

enum status object_check_wait(struct object_check *check,
                              const char **ret_name,
                              struct error *reterr_error)
{
    if (!check->is_over)
        check->error.status = judge(check, &check->error);
    check->is_over = true;
    if (check->error.status != OK)
        return error_set(reterr_error, check->error.status, "%s", check->error.text);
    *ret_name = check->name;
    return OK;
}

void object_check_close(struct object_check *check)
{
    if (check == NULL)
        return;
    if (!check->is_over) {
        struct process_exit exit;
        status_ignore(process_signal(check->pid, PROCESS_KILL)); /* it may have ended just now */
        status_ignore(process_wait(check->pid, &exit, NULL));    /* nobody asks how */
    }
    /* A file left in TMPDIR is no reason to refuse the job. */
    if (check->folder != NULL)
        status_ignore(directory_remove_tree(check->folder, NULL));
    arena_close(check->arena);
}

enum status object_check(const char *program,
                         const char *object,
                         uint32_t reduces,
                         struct arena *arena,
                         const char **ret_name,
                         struct error *reterr_error)
{
    struct object_check *check = NULL;
    const char *name = NULL;
    enum status status = object_check_begin(program, object, reduces, &check, reterr_error);
    if (status == OK)
        status = object_check_wait(check, &name, reterr_error);
    if (status == OK)
        *ret_name = (const char *)arena_copy(arena, slice_from_string(name)).data;
    object_check_close(check);
    return status;
}
