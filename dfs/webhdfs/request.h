/*
 * request.h - what a WebHDFS request asks for: operation, path, parameters
 * (docs/protocols/webhdfs.md). Knows no server: parameters come through a function, so that tests
 * and fuzzers can bring their own.
 */
#ifndef MILLRACE_DFS_WEBHDFS_REQUEST_H
#define MILLRACE_DFS_WEBHDFS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

#define WEBHDFS_PREFIX "/webhdfs/v1"

/* X(operation, verb): those the filesystem has a meaning for. */
#define WEBHDFS_OP_LIST(X)                                                                         \
 X(OPEN, "GET")                                                                                    \
 X(GETFILESTATUS, "GET")                                                                           \
 X(GETFILELINKSTATUS, "GET")                                                                       \
 X(LISTSTATUS, "GET")                                                                              \
 X(LISTSTATUS_BATCH, "GET")                                                                        \
 X(GETCONTENTSUMMARY, "GET")                                                                       \
 X(GETQUOTAUSAGE, "GET")                                                                           \
 X(GETSTATUS, "GET")                                                                               \
 X(GETSERVERDEFAULTS, "GET")                                                                       \
 X(GETFILECHECKSUM, "GET")                                                                         \
 X(GETFILEBLOCKLOCATIONS, "GET")                                                                   \
 X(GETHOMEDIRECTORY, "GET")                                                                        \
 X(GETTRASHROOT, "GET")                                                                            \
 X(CHECKACCESS, "GET")                                                                             \
 X(GETACLSTATUS, "GET")                                                                            \
 X(GETDELEGATIONTOKEN, "GET")                                                                      \
 X(CREATE, "PUT")                                                                                  \
 X(MKDIRS, "PUT")                                                                                  \
 X(RENAME, "PUT")                                                                                  \
 X(SETREPLICATION, "PUT")                                                                          \
 X(SETOWNER, "PUT")                                                                                \
 X(SETPERMISSION, "PUT")                                                                           \
 X(SETTIMES, "PUT")                                                                                \
 X(SETQUOTA, "PUT")                                                                                \
 X(APPEND, "POST")                                                                                 \
 X(CONCAT, "POST")                                                                                 \
 X(TRUNCATE, "POST")                                                                               \
 X(DELETE, "DELETE")

enum webhdfs_op {
#define WEBHDFS_OP_ENUM(name, verb) WEBHDFS_##name,
    WEBHDFS_OP_LIST(WEBHDFS_OP_ENUM)
#undef WEBHDFS_OP_ENUM
    WEBHDFS_OP_COUNT
};

const char *webhdfs_op_name(enum webhdfs_op op);
/*
 * text: the parameter "op", NULL when absent. HEAD asks for GET's. ERR_INVALID when verb has no
 * such operation; ERR_UNSUPPORTED for one that HDFS has and this filesystem has not.
 */
MUST_USE enum status webhdfs_op_parse(const char *verb,
                                      const char *text,
                                      enum webhdfs_op *ret_op,
                                      struct error *reterr_error);

/* rest: what follows WEBHDFS_PREFIX, percent signs decoded; empty is "/". From arena. */
MUST_USE enum status webhdfs_path_parse(const char *rest,
                                        struct arena *arena,
                                        struct slice *ret_path,
                                        struct error *reterr_error);

/* Where parameters come from: the value, "" when it has none, NULL when the parameter is absent. */
struct webhdfs_parameters {
    const char *(*get)(const void *user, const char *name);
    const void *user;
};

/*
 * Each reads one parameter: when absent or empty *ret_value becomes the default; ERR_INVALID with
 * HDFS's sentence when its value is none of its kind.
 */
MUST_USE enum status webhdfs_number(const struct webhdfs_parameters *from,
                                    const char *name,
                                    uint64_t value_default,
                                    uint64_t value_max,
                                    uint64_t *ret_value,
                                    struct error *reterr_error);
/* -1 is a value, too: HDFS's "none" or "leave it". value_max: at most INT64_MAX. */
MUST_USE enum status webhdfs_number_or_none(const struct webhdfs_parameters *from,
                                            const char *name,
                                            bool *ret_is_given,
                                            bool *ret_is_none,
                                            uint64_t *ret_value,
                                            struct error *reterr_error);
MUST_USE enum status webhdfs_boolean(const struct webhdfs_parameters *from,
                                     const char *name,
                                     bool value_default,
                                     bool *ret_value,
                                     struct error *reterr_error);
/* Octal, at most 1777. */
MUST_USE enum status webhdfs_permission(const struct webhdfs_parameters *from,
                                        const char *name,
                                        uint32_t value_default,
                                        uint32_t *ret_value,
                                        struct error *reterr_error);
/* UTF-8, borrowed from the source; empty when absent. ERR_INVALID for other bytes. */
MUST_USE enum status webhdfs_text(const struct webhdfs_parameters *from,
                                  const char *name,
                                  struct slice *ret_text,
                                  struct error *reterr_error);
/* An absolute path; ERR_INVALID when it is absent. From arena. */
MUST_USE enum status webhdfs_path(const struct webhdfs_parameters *from,
                                  const char *name,
                                  struct arena *arena,
                                  struct slice *ret_path,
                                  struct error *reterr_error);
/* "/a,/b"; at least one. From arena. */
MUST_USE enum status webhdfs_path_list(const struct webhdfs_parameters *from,
                                       const char *name,
                                       struct arena *arena,
                                       const struct slice **ret_paths,
                                       size_t *ret_count,
                                       struct error *reterr_error);
/* "rwx", "r-x", "-w-": the bits 4, 2, 1. ERR_INVALID when absent. */
MUST_USE enum status webhdfs_action(const struct webhdfs_parameters *from,
                                    const char *name,
                                    uint32_t *ret_bits,
                                    struct error *reterr_error);

#endif
