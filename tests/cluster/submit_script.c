/*
 * submit_script.c - submits an application whose master is a shell script, and prints its id.
 * usage: submit_script ATTEMPTS SCRIPT [NAME=PATH...]
 * NAME=PATH puts the filesystem's file PATH into the working folder as NAME. Such a master never
 * registers, so the application fails when the script ends; what the script did is what is tested.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"
#include "lib/model/ids.h"
#include "lib/os/host.h"
#include "lib/services/calls.h"

enum {
    RESOURCES_MAX = 8
};

static enum status submit(struct cli_session *session,
                          const struct rm_submit_app_request *request,
                          struct error *reterr_error)
{
    struct service_target target;
    const struct rm_submit_app_response *response = NULL;
    enum status status = cli_session_target(session, "rm", &target, reterr_error);
    if (status == OK)
        status = services_resource_manager_submit_app(&target, request, &response, reterr_error);
    if (status == OK)
        printf("%s\n", app_id_text(response->app).text);
    return status;
}

int main(int argc, char **argv)
{
    struct slice arguments[] = {
        slice_from_string("/bin/sh"), slice_from_string("-c"), {.length = 0}};
    struct rm_local_resource resources[RESOURCES_MAX];
    if (argc < 3 || argc > 3 + RESOURCES_MAX)
        return 2;
    arguments[2] = slice_from_string(argv[2]);
    for (int i = 3; i < argc; i++) {
        const char *border = strchr(argv[i], '=');
        if (!border)
            return 2;
        resources[i - 3] = (struct rm_local_resource){
            .name = slice_make(argv[i], (size_t)(border - argv[i])),
            .path = slice_from_string(border + 1),
        };
    }
    struct rm_submit_app_request request = {
        .client_id = host_random_u64(),
        .request_id = 1,
        .name = slice_from_string("script"),
        .master_resource = {.memory_bytes = 64 << 20, .vcores = 1},
        .master = { .arguments = arguments,
                            .arguments_count = 3,
                            .resources = resources,
                            .resources_count = (size_t)(argc - 3)},
        .master_attempts_max = (uint32_t)strtoul(argv[1], NULL, 10),
    };
    struct cli_session *session = NULL;
    struct error error = {.status = OK};
    enum status status = cli_session_open(NULL, &session, &error);
    if (status == OK)
        status = submit(session, &request, &error);
    if (status != OK)
        fprintf(stderr, "submit_script: %s\n", error.text);
    cli_session_close(session);
    return status == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
