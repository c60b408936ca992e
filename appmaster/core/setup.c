/*
 * setup.c - from a job's description to its maps: fences the output, sees that it does not exist
 * yet, lists the inputs and reads where their blocks are. Owns plan and plan_* of struct appmaster.
 * Source of the split rule: Hadoop's FileInputFormat (a last piece up to 1.1 splits is not cut).
 * Called from appmaster_step only.
 */
#include "appmaster/core/appmaster_internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

/* --- calls to the namenode, one at a time -------------------------------------------------------
 */
bool appmaster_namenode_is_ready(const struct appmaster *am)
{
    return !am->call_out && am->now_ms >= am->call_at_ms;
}

void appmaster_namenode_call(struct appmaster *am,
                             enum method method,
                             const void *request,
                             struct actions *actions)
{
    CHECK(!am->call_out);
    am->call_out = true;
    if (am->call_first_ms == INT64_MAX)
        am->call_first_ms = am->now_ms;
    actions_call(actions, APPMASTER_TAG_NAMENODE, am->settings.namenode_address, method, request,
                 am->settings.call_timeout_ms);
}

bool appmaster_namenode_retry(struct appmaster *am,
                              const struct event *event,
                              struct actions *actions)
{
    bool is_transient = event->status == ERR_UNAVAILABLE || event->status == ERR_DEADLINE ||
                        event->status == ERR_SAFE_MODE || event->status == ERR_BUSY ||
                        event->status == ERR_CANCELLED;
    if (!is_transient) {
        am->call_first_ms = INT64_MAX;
        am->call_backoff_ms = am->settings.retry_min_ms;
        am->call_at_ms = am->now_ms;
        return false;
    }
    am->call_at_ms = am->now_ms + appmaster_backoff(am, &am->call_backoff_ms);
    if (am->now_ms - am->call_first_ms > am->settings.give_up_ms && !appmaster_job_is_over(am))
        appmaster_job_fail(am,
                           arena_format(actions->arena, "the namenode does not answer: %.*s",
                                        SLICE_ARGS(event->text)),
                           actions);
    return true;
}

/* --- asking ------------------------------------------------------------------------------------
 */
static struct slice app_key(const struct appmaster *am, struct arena *arena)
{
    return arena_format(arena, "application_%llu_%04u",
                        (unsigned long long)am->settings.app.cluster_timestamp,
                        am->settings.app.sequence);
}

static void ask(struct appmaster *am, struct actions *actions)
{
    const struct am_job_spec *job = &am->settings.job;
    struct dfs_fence_output_request fence = {
        .client_id = am->settings.app.cluster_timestamp ^ am->settings.app.sequence,
        .request_id = am->settings.app_attempt,
        .key = app_key(am, actions->arena),
        .epoch = am->settings.app_attempt,
    };
    struct dfs_get_status_request status = {.path = job->output};
    struct dfs_list_status_request list = {0};
    struct dfs_get_blocks_request blocks = {.client_host = job->client_host};
    switch (am->plan) {
    case PLAN_FENCE:
        appmaster_namenode_call(am, METHOD_NAMENODE_FENCE_OUTPUT, &fence, actions);
        return;
    case PLAN_OUTPUT:
        appmaster_namenode_call(am, METHOD_NAMENODE_GET_STATUS, &status, actions);
        return;
    case PLAN_STATUS:
        status.path = job->inputs[am->plan_input];
        appmaster_namenode_call(am, METHOD_NAMENODE_GET_STATUS, &status, actions);
        return;
    case PLAN_LIST:
        list.path = job->inputs[am->plan_input];
        list.start_after = am->plan_after;
        appmaster_namenode_call(am, METHOD_NAMENODE_LIST_STATUS, &list, actions);
        return;
    case PLAN_BLOCKS:
        blocks.path = am->plan_files[am->plan_file];
        appmaster_namenode_call(am, METHOD_NAMENODE_GET_BLOCKS, &blocks, actions);
        return;
    case PLAN_JOURNAL: /* not a call to the namenode */
    case PLAN_DONE:
        return;
    }
}

/* --- answers -----------------------------------------------------------------------------------
 */
static void file_add(struct appmaster *am, struct slice path)
{
    am->plan_files = mem_reserve(am->plan_files, am->plan_files_count, &am->plan_files_capacity,
                                 sizeof *am->plan_files);
    am->plan_files[am->plan_files_count++] = path;
}

static void input_next(struct appmaster *am)
{
    am->plan_input++;
    am->plan_after = slice_make(NULL, 0);
    if (am->plan_input < am->settings.job.inputs_count)
        am->plan = PLAN_STATUS;
    else
        am->plan = am->plan_files_count > 0 ? PLAN_BLOCKS : PLAN_DONE;
}

static void input_status(struct appmaster *am, const struct dfs_file_status *status)
{
    if (status->kind == FILE_DIRECTORY) {
        am->plan = PLAN_LIST;
        return;
    }
    file_add(am, am->settings.job.inputs[am->plan_input]);
    input_next(am);
}

/* Names that begin with _ or . are a job's own business: _SUCCESS, .part. As Hadoop does. */
static bool is_hidden(struct slice name)
{
    return name.length > 0 && (name.data[0] == '_' || name.data[0] == '.');
}

static void input_listed(struct appmaster *am,
                         const struct dfs_list_status_response *response,
                         struct actions *actions)
{
    struct slice folder = am->settings.job.inputs[am->plan_input];
    for (size_t i = 0; i < response->entries_count; i++) {
        const struct dfs_file_status *entry = &response->entries[i];
        struct slice path =
            arena_format(am->arena, "%.*s%s%.*s", SLICE_ARGS(folder),
                         slice_equal_string(folder, "/") ? "" : "/", SLICE_ARGS(entry->path));
        if (is_hidden(entry->path) || entry->under_construction)
            continue;
        if (entry->kind == FILE_DIRECTORY) {
            appmaster_job_fail(am,
                               arena_format(actions->arena,
                                            "input %.*s contains the directory %.*s, and input "
                                            "directories are not read recursively; name it as an "
                                            "input of its own",
                                            SLICE_ARGS(folder), SLICE_ARGS(entry->path)),
                               actions);
            return;
        }
        file_add(am, path);
    }
    if (response->has_more && response->entries_count > 0)
        am->plan_after = arena_copy(am->arena, response->entries[response->entries_count - 1].path);
    else
        input_next(am);
}

/* Replicas of the block that holds the split's first byte: there most of it can be read locally. */
static void split_places(struct appmaster *am,
                         const struct dfs_get_blocks_response *response,
                         struct am_input_split *split)
{
    const struct dfs_located_block *block = NULL;
    for (size_t i = 0; i < response->blocks_count && !block; i++) {
        const struct dfs_located_block *candidate = &response->blocks[i];
        if (split->offset >= candidate->offset &&
            split->offset < candidate->offset + candidate->length)
            block = candidate;
    }
    if (!block || block->replicas_count == 0)
        return;
    struct slice *hosts = ARENA_ARRAY(am->arena, struct slice, block->replicas_count);
    struct slice *racks = ARENA_ARRAY(am->arena, struct slice, block->replicas_count);
    for (size_t i = 0; i < block->replicas_count; i++) {
        hosts[i] = arena_copy(am->arena, block->replicas[i].node.host);
        racks[i] = arena_copy(am->arena, block->replicas[i].node.rack);
    }
    split->hosts = hosts;
    split->hosts_count = block->replicas_count;
    split->racks = racks;
    split->racks_count = block->replicas_count;
}

static void file_blocks(struct appmaster *am, const struct dfs_get_blocks_response *response)
{
    uint64_t length = response->status.length;
    uint64_t size = am->settings.job.split_bytes > 0 ? am->settings.job.split_bytes
                                                     : response->status.block_size;
    size = size > 0 ? size : 1;
    for (uint64_t offset = 0; offset < length;) {
        uint64_t rest = length - offset;
        bool is_last = rest <= size + size / 10;
        struct am_input_split split = {
            .path = am->plan_files[am->plan_file],
            .offset = offset,
            .length = is_last ? rest : size,
            .file_length = length,
        };
        split_places(am, response, &split);
        appmaster_map_add(am, &split);
        offset += split.length;
    }
    am->plan_file++;
    if (am->plan_file == am->plan_files_count)
        am->plan = PLAN_DONE;
}

static void fail_path(struct appmaster *am,
                      const char *what,
                      struct slice path,
                      const struct event *event,
                      struct actions *actions)
{
    appmaster_job_fail(am,
                       arena_format(actions->arena, "%s %.*s: %.*s", what, SLICE_ARGS(path),
                                    SLICE_ARGS(event->text)),
                       actions);
}

static void output_answered(struct appmaster *am,
                            const struct event *event,
                            struct actions *actions)
{
    if (event->status == ERR_NOT_FOUND) {
        am->plan = am->settings.app_attempt > 1 ? PLAN_JOURNAL : PLAN_STATUS;
    } else if (event->status == OK) {
        appmaster_job_fail(am,
                           arena_format(actions->arena,
                                        "output %.*s already exists; remove it or name another",
                                        SLICE_ARGS(am->settings.job.output)),
                           actions);
    } else {
        fail_path(am, "output", am->settings.job.output, event, actions);
    }
}

void appmaster_setup_response(struct appmaster *am,
                              const struct event *event,
                              struct actions *actions)
{
    if (appmaster_namenode_retry(am, event, actions))
        return;
    const struct am_job_spec *job = &am->settings.job;
    if (am->plan == PLAN_OUTPUT) {
        output_answered(am, event, actions);
    } else if (event->status != OK) {
        if (am->plan == PLAN_FENCE)
            fail_path(am, "cannot fence the output", job->output, event, actions);
        else if (am->plan == PLAN_BLOCKS)
            fail_path(am, "input", am->plan_files[am->plan_file], event, actions);
        else
            fail_path(am, "input", job->inputs[am->plan_input], event, actions);
    } else if (am->plan == PLAN_FENCE) {
        const struct dfs_fence_output_response *response = event->message;
        am->plan = PLAN_OUTPUT;
        if (response->is_published) { /* by the attempt before this one, which then died */
            am->plan = PLAN_DONE;
            CHECK(appmaster_job_apply(am, JE_PUBLISHED, actions));
        }
    } else if (am->plan == PLAN_STATUS) {
        input_status(am, &((const struct dfs_get_status_response *)event->message)->status);
    } else if (am->plan == PLAN_LIST) {
        input_listed(am, event->message, actions);
    } else if (am->plan == PLAN_BLOCKS) {
        file_blocks(am, event->message);
    }
}

void appmaster_setup_advance(struct appmaster *am, struct actions *actions)
{
    if (am->job != JOB_SETUP)
        return;
    if (am->plan == PLAN_JOURNAL) {
        appmaster_journal_read(am, actions);
        return;
    }
    if (am->plan != PLAN_DONE) {
        if (appmaster_namenode_is_ready(am))
            ask(am, actions);
        return;
    }
    appmaster_reduces_make(am);
    appmaster_journal_recover(am, actions);
    CHECK(appmaster_job_apply(am, JE_PLANNED, actions));
}
