/*
 * launch_check.c - is what a master wants to run well-formed? The shell may then trust names and
 * sizes; whether the program exists shows when it is started.
 */
#include "nodemgr/core/nodemgr_internal.h"

#include "lib/model/limits.h"

static bool is_plain_name(struct slice name)
{
    return name.length > 0 && name.length <= LIMIT_COMPONENT_BYTES &&
           slice_find(name, '/') == name.length && slice_find(name, '\0') == name.length &&
           !slice_equal_string(name, ".") && !slice_equal_string(name, "..");
}

/* What the shell makes in the container's working directory, and a resource must not replace. */
static bool is_reserved_name(struct slice name)
{
    return slice_equal_string(name, "tmp") || slice_equal_string(name, "millrace.token");
}

static enum status check_strings(const struct rm_launch_spec *launch, const char **ret_text)
{
    uint64_t bytes = 0;
    *ret_text = "an argument or a variable of the launch is malformed or too long";
    for (size_t i = 0; i < launch->arguments_count; i++) {
        struct slice argument = launch->arguments[i];
        if (argument.length > LIMIT_LAUNCH_STRING_BYTES ||
            slice_find(argument, '\0') != argument.length)
            return ERR_INVALID;
        bytes += argument.length + 1;
    }
    for (size_t i = 0; i < launch->environment_count; i++) {
        const struct key_value *variable = &launch->environment[i];
        uint64_t length = (uint64_t)variable->key.length + variable->value.length + 1;
        if (variable->key.length == 0 || length > LIMIT_LAUNCH_STRING_BYTES ||
            slice_find(variable->key, '=') != variable->key.length ||
            slice_find(variable->key, '\0') != variable->key.length ||
            slice_find(variable->value, '\0') != variable->value.length)
            return ERR_INVALID;
        bytes += length + 1;
    }
    *ret_text = "the launch's arguments and environment are too long together";
    return bytes > LIMIT_LAUNCH_BYTES ? ERR_INVALID : OK;
}

static enum status check_resources(const struct rm_launch_spec *launch, const char **ret_text)
{
    for (size_t i = 0; i < launch->resources_count; i++) {
        const struct rm_local_resource *resource = &launch->resources[i];
        *ret_text = "a local resource's name is not a plain file name of its own";
        if (!is_plain_name(resource->name) || is_reserved_name(resource->name))
            return ERR_INVALID;
        for (size_t j = 0; j < i; j++) {
            if (slice_equal(launch->resources[j].name, resource->name))
                return ERR_INVALID;
        }
        *ret_text = "a local resource is too large";
        if (resource->length > LIMIT_LOCAL_RESOURCE_BYTES)
            return ERR_INVALID;
        *ret_text = "a local resource has no path";
        if (resource->path.length == 0 || resource->path.length > LIMIT_PATH_BYTES)
            return ERR_INVALID;
    }
    return OK;
}

enum status nodemgr_launch_check(const struct rm_launch_spec *launch, const char **ret_text)
{
    *ret_text = "the launch has no command to run";
    if (launch->arguments_count == 0 || launch->arguments[0].length == 0)
        return ERR_INVALID;
    *ret_text = "the launch has too many arguments, variables or local resources";
    if (launch->arguments_count > LIMIT_ARGUMENTS ||
        launch->environment_count > LIMIT_ENVIRONMENT ||
        launch->resources_count > LIMIT_LOCAL_RESOURCES)
        return ERR_INVALID;
    enum status status = check_strings(launch, ret_text);
    return status == OK ? check_resources(launch, ret_text) : status;
}
