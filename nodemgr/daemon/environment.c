/*
 * environment.c - see environment.h.
 */
#include "nodemgr/daemon/environment.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/map.h"
#include "lib/model/ids.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"

static const char *text(struct arena *arena, struct slice slice)
{
    return (const char *)arena_copy(arena, slice).data;
}

static bool is_own_program(struct slice name)
{
    return slice_equal_string(name, "mr-task") || slice_equal_string(name, "mr-appmaster");
}

const char *const *nodemgr_environment_arguments(const struct nodemgr_facts *facts,
                                                 const struct rm_launch_spec *launch,
                                                 struct arena *arena)
{
    const char **arguments = ARENA_ARRAY(arena, const char *, launch->arguments_count + 1);
    for (size_t i = 0; i < launch->arguments_count; i++)
        arguments[i] = text(arena, launch->arguments[i]);
    if (is_own_program(launch->arguments[0]))
        arguments[0] = path_join(arena, facts->programs_directory, arguments[0]);
    return arguments;
}

struct variables {
    struct map *values; /* by name, of NUL-terminated strings */
    struct arena *arena;
};

static void set_slices(struct variables *variables, struct slice name, struct slice value)
{
    char *copy = arena_new(variables->arena, value.length + 1); /* zeroed, so it ends in NUL */
    if (value.length > 0)
        memcpy(copy, value.data, value.length);
    (void)map_put(variables->values, name, copy); /* a replaced one is the arena's, too */
}

static void set(struct variables *variables, const char *name, const char *value)
{
    if (value && value[0] != '\0')
        set_slices(variables, slice_from_string(name), slice_from_string(value));
}

static void set_number(struct variables *variables, const char *name, uint64_t value)
{
    set(variables, name, text(variables->arena, arena_format(variables->arena, "%" PRIu64, value)));
}

static void set_kept(struct variables *variables, const char *names)
{
    struct slice rest = slice_from_string(names);
    while (rest.length > 0) {
        size_t end = slice_find(rest, ' ');
        const char *name = text(variables->arena, slice_sub(rest, 0, end));
        set(variables, name, host_environment(name));
        size_t next = end < rest.length ? end + 1 : end;
        rest = slice_sub(rest, next, rest.length - next);
    }
}

static void set_own(struct variables *variables,
                    const struct nodemgr_facts *facts,
                    const struct nodemgr_launch *launch)
{
    set(variables, "MILLRACE_CONTAINER_ID", container_id_text(launch->container).text);
    set(variables, "MILLRACE_APP_ID", app_id_text(launch->container.app).text);
    set_number(variables, "MILLRACE_APP_ATTEMPT", launch->container.app_attempt);
    set(variables, "MILLRACE_WORK_DIR", facts->work_directory);
    set(variables, "MILLRACE_APP_DIR", facts->app_directory);
    set(variables, "MILLRACE_LOG_DIR", facts->log_directory);
    set_number(variables, "MILLRACE_NODE_ID", facts->node_id);
    set(variables, "MILLRACE_HOST", facts->host);
    set(variables, "MILLRACE_RACK", facts->rack);
    set(variables, "MILLRACE_DIR", facts->cluster_directory);
    set(variables, "MILLRACE_RM_ADDRESS", facts->rm_address);
    set(variables, "MILLRACE_NAMENODE_ADDRESS", facts->namenode_address);
    set(variables, "MILLRACE_FD_PATH", facts->fd_path);
    set(variables, "MILLRACE_USER", text(variables->arena, launch->user));
    set(variables, "MILLRACE_USER_TOKEN", facts->user_token);
    set(variables, "MILLRACE_TOKEN_FILE", facts->token_file);
    set_number(variables, "MILLRACE_MEMORY_BYTES", launch->resource.memory_bytes);
    set_number(variables, "MILLRACE_VCORES", launch->resource.vcores);
}

const char *const *nodemgr_environment_variables(const struct nodemgr_facts *facts,
                                                 const struct nodemgr_launch *launch,
                                                 struct arena *arena)
{
    struct variables variables = {.values = map_open(), .arena = arena};
    set_kept(&variables, facts->kept);
    set(&variables, "PATH", "/usr/local/bin:/usr/bin:/bin");
    set(&variables, "LANG", "C.UTF-8");
    set(&variables, "HOME", facts->work_directory);
    set(&variables, "TMPDIR", path_join(arena, facts->work_directory, "tmp"));
    for (size_t i = 0; i < launch->launch.environment_count; i++)
        set_slices(&variables, launch->launch.environment[i].key,
                   launch->launch.environment[i].value);
    set_own(&variables, facts, launch);
    const char **rows = ARENA_ARRAY(arena, const char *, map_count(variables.values) + 1);
    size_t count = 0;
    size_t cursor = 0;
    struct slice name;
    void *value;
    while (map_next(variables.values, &cursor, &name, &value))
        rows[count++] =
            (const char *)arena_format(arena, "%.*s=%s", SLICE_ARGS(name), (const char *)value)
                .data;
    map_close(variables.values);
    return rows;
}
