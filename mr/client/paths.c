/*
 * paths.c - looks at inputs and output before anything is uploaded, so that a mistyped name costs a
 * moment, not a master. The master looks again: things may change in between.
 */
#include "mr/client/client_internal.h"

#include "lib/model/limits.h"
#include "lib/model/path.h"
#include "lib/model/text.h"

/* As the planner in appmaster/core/setup.c, and Hadoop. */
static bool is_hidden(struct slice name)
{
    return name.length > 0 && (name.data[0] == '_' || name.data[0] == '.');
}

static enum status check_folder(struct mr_client *client,
                                struct slice path,
                                struct arena *arena,
                                struct error *reterr_error)
{
    const struct dfs_file_status *entries = NULL;
    size_t count = 0;
    size_t files = 0;
    enum status status = dfs_list(client->dfs, path, arena, &entries, &count, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "input %s", text_quote(path).text);
    for (size_t i = 0; i < count; i++) {
        if (is_hidden(entries[i].path) || entries[i].under_construction)
            continue;
        if (entries[i].kind == FILE_DIRECTORY)
            return error_set(reterr_error, ERR_IS_DIRECTORY,
                             "input %s contains the directory %s, and input directories are not "
                             "read recursively; name it as an input of its own",
                             text_quote(path).text, text_quote(entries[i].path).text);
        files++;
    }
    if (files == 0)
        return error_set(reterr_error, ERR_NOT_FOUND,
                         "input %s is a directory without files (names that begin with _ or . do "
                         "not count); put some there with `mrfs put`",
                         text_quote(path).text);
    return OK;
}

static enum status check_input(struct mr_client *client,
                               const char *text,
                               struct arena *arena,
                               struct slice *ret_path,
                               struct error *reterr_error)
{
    struct dfs_file_status file;
    struct slice given = slice_from_string(text);
    enum status status = path_normalise(given, arena, ret_path, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "input %s", text_quote(given).text);
    status = dfs_get_status(client->dfs, *ret_path, arena, &file, reterr_error);
    if (status == ERR_NOT_FOUND)
        return error_set(reterr_error, status,
                         "input %s does not exist in the cluster's filesystem; put it there with "
                         "`mrfs put`, or add --local to read local files",
                         text_quote(given).text);
    if (status != OK)
        return error_prefix(reterr_error, status, "input %s", text_quote(given).text);
    if (file.kind == FILE_DIRECTORY)
        return check_folder(client, *ret_path, arena, reterr_error);
    if (file.under_construction)
        return error_set(reterr_error, ERR_BUSY,
                         "input %s is still being written; submit again when it is closed",
                         text_quote(given).text);
    return OK;
}

static enum status check_output(struct mr_client *client,
                                const char *text,
                                struct arena *arena,
                                struct slice *ret_path,
                                struct error *reterr_error)
{
    struct dfs_file_status file;
    struct slice given = slice_from_string(text);
    enum status status = path_normalise(given, arena, ret_path, reterr_error);
    if (status == OK) {
        status = dfs_get_status(client->dfs, *ret_path, arena, &file, reterr_error);
        if (status == OK)
            return error_set(reterr_error, ERR_EXISTS,
                             "output %s already exists; name another, or remove it with `mrfs rm "
                             "-r`",
                             text_quote(given).text);
        if (status == ERR_NOT_FOUND)
            return OK;
    }
    return error_prefix(reterr_error, status, "output %s", text_quote(given).text);
}

enum status mr_client_check_paths(struct mr_client *client,
                                  const struct mr_client_job *job,
                                  struct arena *arena,
                                  struct am_job_spec *spec,
                                  struct error *reterr_error)
{
    if (job->input_count > LIMIT_INPUTS)
        return mr_client_blame(client, MR_CLIENT_FAULT_JOB,
                               error_set(reterr_error, ERR_LIMIT,
                                         "there are %zu inputs, at most %d can be named; name "
                                         "their directory",
                                         job->input_count, (int)LIMIT_INPUTS));
    enum status status = check_output(client, job->output, arena, &spec->output, reterr_error);
    if (status != OK)
        return mr_client_blame(client, MR_CLIENT_FAULT_OUTPUT, status);
    struct slice *inputs = ARENA_ARRAY(arena, struct slice, job->input_count + 1);
    for (size_t i = 0; i < job->input_count && status == OK; i++)
        status = check_input(client, job->inputs[i], arena, &inputs[i], reterr_error);
    spec->inputs = inputs;
    spec->inputs_count = job->input_count;
    if (status == ERR_BUSY) { /* not the cluster's doing */
        client->fault = MR_CLIENT_FAULT_INPUT;
        return status;
    }
    return mr_client_blame(client, MR_CLIENT_FAULT_INPUT, status);
}
