/*
 * mradmin_queues.c - the resource manager's queues: what each is guaranteed, may hold and holds,
 * and their file read again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/mradmin.h"
#include "cli/table.h"
#include "lib/model/text.h"
#include "lib/services/calls.h"

enum {
    PPM_PER_PERCENT = 10000
};

static void add_resource(struct cli_table *table, struct resource resource)
{
    cli_table_add_format(table, "%s, %" PRIu32, cli_bytes(resource.memory_bytes).text,
                         resource.vcores);
}

static void print_queues(const struct rm_get_queues_response *found)
{
    static const char *const titles[] = {"QUEUE",       "STATE",    ">SHARE",   ">MAX",
                                         ">GUARANTEED", ">IN USE",  ">PENDING", ">WAITING",
                                         ">APPS",       ">RUNNING", NULL};
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < found->queues_count; i++) {
        const struct rm_queue_report *queue = &found->queues[i];
        cli_table_add(table, queue->path);
        cli_table_add_string(table, queue->is_vanished
                                        ? "GONE"
                                        : rm_queue_state_name(queue->state) + strlen("QUEUE_"));
        cli_table_add_format(table, "%.4g %%", (double)queue->share_ppm / PPM_PER_PERCENT);
        cli_table_add_format(table, "%.4g %%", (double)queue->max_share_ppm / PPM_PER_PERCENT);
        add_resource(table, queue->guaranteed);
        add_resource(table, queue->used);
        add_resource(table, queue->pending);
        cli_table_add_format(table, "%" PRIu32, queue->containers_pending);
        cli_table_add_format(table, "%" PRIu32, queue->apps);
        cli_table_add_format(table, "%" PRIu32, queue->apps_running);
    }
    cli_table_print(table, 0);
    cli_table_close(table);
}

static enum status show(struct mradmin *mradmin,
                        const struct service_target *target,
                        struct error *reterr_error)
{
    struct rm_get_queues_request request = {0};
    const struct rm_get_queues_response *found = NULL;
    enum status status =
        services_resource_manager_get_queues(target, &request, &found, reterr_error);
    if (status == OK && mradmin->is_json)
        mradmin_print_json(&rm_get_queues_response_type, found);
    else if (status == OK)
        print_queues(found);
    return status;
}

static enum status refresh(struct mradmin *mradmin,
                           const struct service_target *target,
                           struct error *reterr_error)
{
    struct rm_refresh_queues_request request = {0};
    const struct rm_refresh_queues_response *done = NULL;
    enum status status =
        services_resource_manager_refresh_queues(target, &request, &done, reterr_error);
    if (status == OK && mradmin->is_json)
        mradmin_print_json(&rm_refresh_queues_response_type, done);
    else if (status == OK)
        printf("%" PRIu32 " queues, from %.*s\n", done->queues, SLICE_ARGS(done->file));
    return status;
}

enum status mradmin_queues(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    struct service_target target;
    (void)ret_code;
    bool is_refresh = strcmp(mradmin->command, "refreshQueues") == 0;
    if (mradmin->words.count == 1 && strcmp(mradmin->words.arguments[0], "refresh") != 0)
        return error_set(reterr_error, ERR_INVALID, "expected refresh or nothing, not %s",
                         text_quote(slice_from_string(mradmin->words.arguments[0])).text);
    enum status status = cli_session_target(mradmin->session, "rm", &target, reterr_error);
    if (status != OK)
        return status;
    return is_refresh || mradmin->words.count == 1 ? refresh(mradmin, &target, reterr_error)
                                                   : show(mradmin, &target, reterr_error);
}
