/*
 * request.c - see request.h.
 */
#include "dfs/webhdfs/request.h"

#include <string.h>
#include <strings.h>

#include "lib/model/limits.h"
#include "lib/model/path.h"
#include "lib/model/text.h"

/* --- operations ------------------------------------------------------------------------------ */

struct op_row {
    const char *name;
    const char *verb;
};

static const struct op_row ops[WEBHDFS_OP_COUNT] = {
#define WEBHDFS_OP_ROW(name, verb) {#name, verb},
    WEBHDFS_OP_LIST(WEBHDFS_OP_ROW)
#undef WEBHDFS_OP_ROW
};

/* What HDFS 3 has beside those. */
static const struct op_row missing_ops[] = {
    {"GETLINKTARGET",                 "GET"   },
    {"GET_BLOCK_LOCATIONS",           "GET"   },
    {"GETXATTRS",                     "GET"   },
    {"LISTXATTRS",                    "GET"   },
    {"GETALLSTORAGEPOLICY",           "GET"   },
    {"GETSTORAGEPOLICY",              "GET"   },
    {"GETECPOLICY",                   "GET"   },
    {"GETECPOLICIES",                 "GET"   },
    {"GETECCODECS",                   "GET"   },
    {"GETSNAPSHOTDIFF",               "GET"   },
    {"GETSNAPSHOTDIFFLISTING",        "GET"   },
    {"GETSNAPSHOTTABLEDIRECTORYLIST", "GET"   },
    {"GETSNAPSHOTLIST",               "GET"   },
    {"GETTRASHROOTS",                 "GET"   },
    {"CREATESYMLINK",                 "PUT"   },
    {"SETXATTR",                      "PUT"   },
    {"REMOVEXATTR",                   "PUT"   },
    {"SETACL",                        "PUT"   },
    {"MODIFYACLENTRIES",              "PUT"   },
    {"REMOVEACLENTRIES",              "PUT"   },
    {"REMOVEDEFAULTACL",              "PUT"   },
    {"REMOVEACL",                     "PUT"   },
    {"SETQUOTABYSTORAGETYPE",         "PUT"   },
    {"SETSTORAGEPOLICY",              "PUT"   },
    {"SATISFYSTORAGEPOLICY",          "PUT"   },
    {"SETECPOLICY",                   "PUT"   },
    {"ENABLEECPOLICY",                "PUT"   },
    {"DISABLEECPOLICY",               "PUT"   },
    {"ALLOWSNAPSHOT",                 "PUT"   },
    {"DISALLOWSNAPSHOT",              "PUT"   },
    {"CREATESNAPSHOT",                "PUT"   },
    {"RENAMESNAPSHOT",                "PUT"   },
    {"RENEWDELEGATIONTOKEN",          "PUT"   },
    {"CANCELDELEGATIONTOKEN",         "PUT"   },
    {"UNSETSTORAGEPOLICY",            "POST"  },
    {"UNSETECPOLICY",                 "POST"  },
    {"DELETESNAPSHOT",                "DELETE"},
};

const char *webhdfs_op_name(enum webhdfs_op op)
{
    return ops[op].name;
}

static bool fits(const struct op_row *row, const char *verb, const char *text)
{
    return strcasecmp(row->name, text) == 0 && strcmp(row->verb, verb) == 0;
}

/* A value of a request in a sentence: short, and without what would not print. */
static struct slice shown(const char *text)
{
    enum {
        SHOWN_BYTES = 100
    };
    struct slice whole = slice_from_string(text);
    struct slice part =
        slice_sub(whole, 0, whole.length < SHOWN_BYTES ? whole.length : SHOWN_BYTES);
    for (size_t i = 0; i < part.length; i++) {
        if (part.data[i] < ' ' || part.data[i] > '~')
            return slice_from_string("(it does not print)");
    }
    return part;
}

static enum status refuse(const char *name, const char *text, const char *why, struct error *error)
{
    struct slice value = shown(text);
    return error_set(error, ERR_INVALID, "Invalid value for webhdfs parameter \"%s\": %.*s %s",
                     name, SLICE_ARGS(value), why);
}

enum status webhdfs_op_parse(const char *verb,
                             const char *text,
                             enum webhdfs_op *ret_op,
                             struct error *reterr_error)
{
    if (strcmp(verb, "HEAD") == 0)
        verb = "GET";
    if (text == NULL || text[0] == '\0')
        return error_set(reterr_error, ERR_INVALID,
                         "Invalid value for webhdfs parameter \"op\": it is missing");
    for (size_t i = 0; i < WEBHDFS_OP_COUNT; i++) {
        if (!fits(&ops[i], verb, text))
            continue;
        *ret_op = (enum webhdfs_op)i;
        return OK;
    }
    for (size_t i = 0; i < sizeof(missing_ops) / sizeof(missing_ops[0]); i++) {
        if (fits(&missing_ops[i], verb, text))
            return error_set(reterr_error, ERR_UNSUPPORTED, "%s is not supported",
                             missing_ops[i].name);
    }
    struct slice value = shown(text);
    return error_set(reterr_error, ERR_INVALID,
                     "Invalid value for webhdfs parameter \"op\": %.*s is no operation of %s",
                     SLICE_ARGS(value), verb);
}

/* --- paths ----------------------------------------------------------------------------------- */

/* A copy in arena, so that nothing borrows from a request. */
static enum status normalise(struct slice text,
                             struct arena *arena,
                             struct slice *ret_path,
                             struct error *error)
{
    struct slice path;
    enum status status = path_normalise(text, arena, &path, error);
    if (status == OK)
        *ret_path = arena_copy(arena, path);
    return status;
}

enum status webhdfs_path_parse(const char *rest,
                               struct arena *arena,
                               struct slice *ret_path,
                               struct error *reterr_error)
{
    if (rest[0] != '\0' && rest[0] != '/') /* "/webhdfs/v1x" */
        return error_set(reterr_error, ERR_NOT_FOUND, "there is nothing at this address");
    return normalise(slice_from_string(rest[0] == '\0' ? "/" : rest), arena, ret_path,
                     reterr_error);
}

/* --- parameters ------------------------------------------------------------------------------ */

/* NULL when there is nothing to read. */
static const char *value_of(const struct webhdfs_parameters *from, const char *name)
{
    const char *text = from->get(from->user, name);
    return text == NULL || text[0] == '\0' || strcmp(text, "null") == 0 ? NULL : text;
}

enum status webhdfs_number(const struct webhdfs_parameters *from,
                           const char *name,
                           uint64_t value_default,
                           uint64_t value_max,
                           uint64_t *ret_value,
                           struct error *reterr_error)
{
    const char *text = value_of(from, name);
    uint64_t value = value_default;
    if (text != NULL && (!slice_parse_u64(slice_from_string(text), &value) || value > value_max))
        return refuse(name, text, "is not a number, or too large", reterr_error);
    *ret_value = value;
    return OK;
}

enum status webhdfs_number_or_none(const struct webhdfs_parameters *from,
                                   const char *name,
                                   bool *ret_is_given,
                                   bool *ret_is_none,
                                   uint64_t *ret_value,
                                   struct error *reterr_error)
{
    const char *text = value_of(from, name);
    uint64_t value = 0;
    bool is_none = text != NULL && strcmp(text, "-1") == 0;
    if (text != NULL && !is_none &&
        (!slice_parse_u64(slice_from_string(text), &value) || value > INT64_MAX))
        return refuse(name, text, "is neither a number nor -1", reterr_error);
    *ret_is_given = text != NULL;
    *ret_is_none = is_none;
    *ret_value = value;
    return OK;
}

enum status webhdfs_boolean(const struct webhdfs_parameters *from,
                            const char *name,
                            bool value_default,
                            bool *ret_value,
                            struct error *reterr_error)
{
    const char *text = value_of(from, name);
    if (text == NULL)
        *ret_value = value_default;
    else if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
        *ret_value = strcasecmp(text, "true") == 0;
    else
        return refuse(name, text, "is neither true nor false", reterr_error);
    return OK;
}

enum status webhdfs_permission(const struct webhdfs_parameters *from,
                               const char *name,
                               uint32_t value_default,
                               uint32_t *ret_value,
                               struct error *reterr_error)
{
    const char *text = value_of(from, name);
    uint32_t value = text == NULL ? value_default : 0;
    size_t length = text == NULL ? 0 : strlen(text);
    bool is_octal = length <= 5; /* "01777" */
    for (size_t i = 0; i < length && is_octal; i++) {
        is_octal = text[i] >= '0' && text[i] <= '7';
        value = value * 8 + (uint32_t)(text[i] - '0');
    }
    if (text != NULL && (!is_octal || value > LIMIT_PERMISSION))
        return refuse(name, text, "is not an octal number from 0 to 1777", reterr_error);
    *ret_value = value;
    return OK;
}

/* The machine's messages are of clean texts: what comes over gRPC was looked at on its way. */
enum status webhdfs_text(const struct webhdfs_parameters *from,
                         const char *name,
                         struct slice *ret_text,
                         struct error *reterr_error)
{
    const char *text = from->get(from->user, name);
    struct slice value = slice_from_string(text);
    if (!text_is_clean(value))
        return refuse(name, text, "is not UTF-8", reterr_error);
    *ret_text = value;
    return OK;
}

enum status webhdfs_path(const struct webhdfs_parameters *from,
                         const char *name,
                         struct arena *arena,
                         struct slice *ret_path,
                         struct error *reterr_error)
{
    const char *text = value_of(from, name);
    if (text == NULL || text[0] != '/')
        return refuse(name, text == NULL ? "" : text, "is not an absolute path", reterr_error);
    return normalise(slice_from_string(text), arena, ret_path, reterr_error);
}

enum status webhdfs_path_list(const struct webhdfs_parameters *from,
                              const char *name,
                              struct arena *arena,
                              const struct slice **ret_paths,
                              size_t *ret_count,
                              struct error *reterr_error)
{
    const char *text = value_of(from, name);
    struct slice rest = slice_from_string(text);
    size_t room = 1;
    for (size_t i = 0; i < rest.length; i++)
        room += rest.data[i] == ',';
    struct slice *paths = ARENA_ARRAY(arena, struct slice, room);
    if (text == NULL)
        return refuse(name, "", "is not a list of absolute paths", reterr_error);
    for (size_t i = 0; i < room; i++) {
        size_t end = slice_find(rest, ',');
        struct slice path = slice_sub(rest, 0, end);
        if (path.length == 0 || path.data[0] != '/')
            return refuse(name, text, "is not a list of absolute paths", reterr_error);
        enum status status = normalise(path, arena, &paths[i], reterr_error);
        if (status != OK)
            return status;
        if (end < rest.length)
            rest = slice_sub(rest, end + 1, rest.length - end - 1);
    }
    *ret_paths = paths;
    *ret_count = room;
    return OK;
}

enum status webhdfs_action(const struct webhdfs_parameters *from,
                           const char *name,
                           uint32_t *ret_bits,
                           struct error *reterr_error)
{
    static const char letters[] = "rwx";
    const char *text = value_of(from, name);
    uint32_t bits = 0;
    bool is_action = text != NULL && strlen(text) == 3;
    for (size_t i = 0; i < 3 && is_action; i++) {
        is_action = text[i] == letters[i] || text[i] == '-';
        if (text[i] == letters[i])
            bits |= 4u >> i;
    }
    if (!is_action)
        return refuse(name, text == NULL ? "" : text, "is not of the form rwx", reterr_error);
    *ret_bits = bits;
    return OK;
}
