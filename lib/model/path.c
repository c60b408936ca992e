/*
 * path.c - judging, normalising and taking apart filesystem paths; see path.h.
 */
#include "lib/model/path.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"

/* What is wrong with a name, as the end of the sentence "... ", or NULL. */
static const char *name_fault(struct slice name)
{
    if (name.length == 0)
        return "is empty";
    if (name.length > LIMIT_COMPONENT_BYTES)
        return "is longer than 255 bytes";
    if (slice_equal_string(name, ".") || slice_equal_string(name, ".."))
        return "is \".\" or \"..\", which have no meaning in absolute paths";
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] == '/')
            return "holds a slash";
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return "holds a control character";
    }
    return slice_is_utf8(name) ? NULL : "is not UTF-8";
}

enum status path_check_name(struct slice name, struct error *reterr_error)
{
    const char *fault = name_fault(name);
    if (fault == NULL)
        return OK;
    return error_set(reterr_error, ERR_INVALID, "the name %s %s", text_quote(name).text, fault);
}

/* Takes one name off, however many slashes stand in front of it. */
static bool next_name(struct slice *rest, struct slice *ret_name)
{
    size_t from = 0;
    while (from < rest->length && rest->data[from] == '/')
        from++;
    if (from == rest->length)
        return false;
    struct slice tail = slice_sub(*rest, from, rest->length - from);
    *ret_name = slice_sub(tail, 0, slice_find(tail, '/'));
    *rest = slice_sub(tail, ret_name->length, tail.length - ret_name->length);
    return true;
}

/* All that holds for normal and not yet normal paths alike. */
static enum status check_names(struct slice path, struct error *reterr_error)
{
    if (path.length == 0)
        return error_set(reterr_error, ERR_INVALID, "the path is empty");
    if (path.data[0] != '/')
        return error_set(reterr_error, ERR_INVALID,
                         "the path %s is not absolute: it does not start with a slash",
                         text_quote(path).text);
    if (path.length > LIMIT_PATH_BYTES)
        return error_set(reterr_error, ERR_INVALID, "the path %s is longer than %d bytes",
                         text_quote(path).text, LIMIT_PATH_BYTES);
    struct slice rest = path;
    struct slice name;
    size_t depth = 0;
    while (next_name(&rest, &name)) {
        const char *fault = name_fault(name);
        if (fault != NULL)
            return error_set(reterr_error, ERR_INVALID, "in the path %s the name %s %s",
                             text_quote(path).text, text_quote(name).text, fault);
        depth++;
    }
    if (depth > LIMIT_PATH_DEPTH)
        return error_set(reterr_error, ERR_INVALID, "the path %s is deeper than %d names",
                         text_quote(path).text, LIMIT_PATH_DEPTH);
    return OK;
}

/* For a path that starts with a slash. */
static bool slashes_are_normal(struct slice path)
{
    if (path.length == 1)
        return true;
    for (size_t i = 1; i < path.length; i++) {
        if (path.data[i] == '/' && path.data[i - 1] == '/')
            return false;
    }
    return path.data[path.length - 1] != '/';
}

enum status path_check(struct slice path, struct error *reterr_error)
{
    enum status status = check_names(path, reterr_error);
    if (status == OK && !slashes_are_normal(path))
        status = error_set(reterr_error, ERR_INVALID,
                           "the path %s has an empty name between or after its slashes",
                           text_quote(path).text);
    return status;
}

enum status path_normalise(struct slice path,
                           struct arena *arena,
                           struct slice *ret_path,
                           struct error *reterr_error)
{
    enum status status = check_names(path, reterr_error);
    if (status != OK)
        return status;
    if (slashes_are_normal(path)) {
        *ret_path = path;
        return OK;
    }
    uint8_t *normal = arena_new(arena, path.length + 1);
    size_t length = 0;
    struct slice rest = path;
    struct slice name;
    while (next_name(&rest, &name)) {
        normal[length++] = '/';
        memcpy(normal + length, name.data, name.length);
        length += name.length;
    }
    if (length == 0)
        normal[length++] = '/';
    *ret_path = slice_make(normal, length);
    return OK;
}

bool path_next_name(struct slice *rest, struct slice *ret_name)
{
    return next_name(rest, ret_name);
}

size_t path_depth(struct slice path)
{
    size_t depth = 0;
    struct slice name;
    while (next_name(&path, &name))
        depth++;
    return depth;
}

bool path_is_root(struct slice path)
{
    return path.length == 1;
}

/* Index of the last slash. */
static size_t last_slash(struct slice path)
{
    CHECK(path.length > 0);
    size_t at = path.length - 1;
    while (at > 0 && path.data[at] != '/')
        at--;
    return at;
}

struct slice path_directory(struct slice path)
{
    size_t at = last_slash(path);
    return slice_sub(path, 0, at == 0 ? 1 : at);
}

struct slice path_last_name(struct slice path)
{
    size_t from = last_slash(path) + 1;
    return slice_sub(path, from, path.length - from);
}

struct slice path_append(struct slice directory, struct slice name, struct arena *arena)
{
    if (path_is_root(directory))
        directory.length = 0;
    size_t length = directory.length + 1 + name.length;
    uint8_t *joined = arena_new(arena, length + 1);
    if (directory.length > 0)
        memcpy(joined, directory.data, directory.length);
    joined[directory.length] = '/';
    if (name.length > 0)
        memcpy(joined + directory.length + 1, name.data, name.length);
    return slice_make(joined, length);
}

bool path_is_within(struct slice path, struct slice ancestor)
{
    if (path_is_root(ancestor))
        return true;
    if (!slice_has_prefix(path, ancestor))
        return false;
    return path.length == ancestor.length || path.data[ancestor.length] == '/';
}
