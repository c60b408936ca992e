/*
 * job_logs.c - asks every node manager for its list, then fetches and prints.
 */
#include "cli/job_logs.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/model/ids.h"
#include "lib/net/http_client.h"
#include "lib/services/calls.h"

enum {
    TAIL_BYTES_MIN = 64 * 1024,
    TAIL_LINE_BYTES = 1024, /* of a tail, so many for each line */
    LIST_BYTES_MAX = 8 * 1024 * 1024,
    CONNECT_MS = 2000,
    STALL_MS = 10 * 1000
};

struct job_logs {
    const struct job_logs_choice *choice;
    const char *token;
    struct arena *arena;
    struct http_client *client;
    size_t printed;
    size_t unreachable; /* nodes */
};

static enum status print_piece(void *user, struct slice data)
{
    (void)user;
    /* A closed output stops the transfer; the message comes at the end. */
    return fwrite(data.data, 1, data.length, stdout) == data.length ? OK : ERR_IO;
}

/* The last lines of what came. */
static struct slice last_lines(struct slice text, uint64_t lines)
{
    size_t begin = text.length;
    if (begin > 0 && text.data[begin - 1] == '\n')
        begin--;
    while (begin > 0) {
        if (text.data[begin - 1] == '\n' && --lines == 0)
            break;
        begin--;
    }
    return slice_sub(text, begin, text.length - begin);
}

static uint64_t tail_bytes(uint64_t lines)
{
    uint64_t bytes = lines * TAIL_LINE_BYTES;
    return bytes > TAIL_BYTES_MIN ? bytes : TAIL_BYTES_MIN;
}

static enum status print_log(struct job_logs *logs,
                             const struct rm_node_report *node,
                             const char *container,
                             const char *name,
                             struct error *reterr_error)
{
    const struct job_logs_choice *choice = logs->choice;
    struct slice url = arena_format(logs->arena, "http://%.*s/v1/logs/%s/%s/%s",
                                    SLICE_ARGS(node->node.http_address),
                                    app_id_text(choice->app).text, container, name);
    if (choice->tail_lines > 0)
        url = arena_format(logs->arena, "%s?tail=%" PRIu64, (const char *)url.data,
                           tail_bytes(choice->tail_lines));
    struct http_request_options options = {
        .url = (const char *)url.data,
        .bearer = logs->token,
        .data = choice->tail_lines == 0 ? print_piece : NULL,
    };
    struct http_response response = {.code = 0};
    buf_open(&response.body, (size_t)tail_bytes(choice->tail_lines) + TAIL_BYTES_MIN);
    (void)fflush(stdout); /* its failure is found at the end */
    fprintf(stderr, "%s==> %s on %.*s, %s <==\n", logs->printed > 0 ? "\n" : "", container,
            SLICE_ARGS(node->node.host), name);
    enum status status = http_get(logs->client, &options, &response, reterr_error);
    if (status == OK && choice->tail_lines > 0) {
        struct slice text = last_lines(buf_slice(&response.body), choice->tail_lines);
        status = print_piece(NULL, text);
    }
    http_response_close(&response);
    logs->printed++;
    return status;
}

/* One row of a node's list. */
static enum status print_container(struct job_logs *logs,
                                   const struct rm_node_report *node,
                                   const json_t *row,
                                   struct error *reterr_error)
{
    const struct job_logs_choice *choice = logs->choice;
    const char *name = json_string_value(json_object_get(row, "container"));
    struct container_id container;
    if (name == NULL || !container_id_parse(slice_from_string(name), &container))
        return error_set(reterr_error, ERR_CORRUPT, "a node manager's list of logs has no ids");
    if (choice->has_container && !container_id_equal(container, choice->container))
        return OK;
    enum status status = OK;
    /* Empty ones are no news, unless they were asked for by name. */
    bool is_asked = choice->has_container;
    json_int_t out = json_integer_value(json_object_get(row, "stdout"));
    json_int_t err = json_integer_value(json_object_get(row, "stderr"));
    if (choice->with_stdout && (is_asked || out > 0))
        status = print_log(logs, node, name, "stdout", reterr_error);
    if (status == OK && choice->with_stderr && (is_asked || err > 0))
        status = print_log(logs, node, name, "stderr", reterr_error);
    return status;
}

static enum status print_node(struct job_logs *logs,
                              const struct rm_node_report *node,
                              struct error *reterr_error)
{
    struct slice url =
        arena_format(logs->arena, "http://%.*s/v1/logs/%s", SLICE_ARGS(node->node.http_address),
                     app_id_text(logs->choice->app).text);
    struct http_request_options options = {.url = (const char *)url.data, .bearer = logs->token};
    struct http_response response = {.code = 0};
    struct error error = {OK, ""};
    buf_open(&response.body, LIST_BYTES_MAX);
    enum status status = http_get(logs->client, &options, &response, &error);
    json_t *list = NULL;
    if (status == OK) {
        struct slice body = buf_slice(&response.body);
        list = json_loadb((const char *)body.data, body.length, 0, NULL);
        if (list == NULL)
            status = error_set(reterr_error, ERR_CORRUPT, "%s is not JSON", options.url);
    } else if (status == ERR_NOT_FOUND) {
        status = OK; /* nothing of it ran there */
    } else if (status == ERR_UNAVAILABLE || status == ERR_DEADLINE) {
        fprintf(stderr, "%.*s: %s\n", SLICE_ARGS(node->node.host), error.text);
        logs->unreachable++;
        status = OK;
    } else {
        status = error_set(reterr_error, status, "%s", error.text);
    }
    const json_t *rows = json_object_get(list, "containers");
    for (size_t i = 0; i < json_array_size(rows) && status == OK; i++)
        status = print_container(logs, node, json_array_get(rows, i), reterr_error);
    json_decref(list);
    http_response_close(&response);
    return status;
}

enum status job_logs_print(struct cli_session *session,
                           const struct job_logs_choice *choice,
                           struct error *reterr_error)
{
    struct job_logs logs = {
        .choice = choice,
        .token = (const char *)cli_session_token(session).data,
        .arena = cli_session_arena(session),
    };
    struct service_target target;
    const struct rm_get_app_request app_request = {.app = choice->app};
    const struct rm_get_app_response *app = NULL;
    const struct rm_list_nodes_request nodes_request = {0};
    const struct rm_list_nodes_response *nodes = NULL;
    const struct http_client_options options = {.connect_ms = CONNECT_MS, .stall_ms = STALL_MS};
    enum status status = cli_session_target(session, "rm", &target, reterr_error);
    if (status == OK) /* so that an unknown application is told from one without logs */
        status = services_resource_manager_get_app(&target, &app_request, &app, reterr_error);
    if (status == OK)
        status =
            services_resource_manager_list_nodes(&target, &nodes_request, &nodes, reterr_error);
    if (status == OK)
        status = http_client_open(&options, &logs.client, reterr_error);
    for (size_t i = 0; status == OK && i < nodes->nodes_count; i++) {
        if (nodes->nodes[i].state == NODE_ACTIVE)
            status = print_node(&logs, &nodes->nodes[i], reterr_error);
    }
    http_client_close(logs.client);
    if (status == OK && logs.printed == 0)
        return error_set(reterr_error, ERR_NOT_FOUND, "no node has such logs of %s%s",
                         app_id_text(choice->app).text,
                         logs.unreachable > 0 ? ", but not all could be asked" : "");
    return status;
}
