/*
 * status.h - the one list of reasons why something did not succeed.
 * A status says only success or why not; end of data is a bool. The names travel over RPC and
 * appear in logs, so a row is never renamed; new rows go before the end.
 */
#ifndef MILLRACE_LIB_BASE_STATUS_H
#define MILLRACE_LIB_BASE_STATUS_H

#define MUST_USE __attribute__((warn_unused_result))

/* X(name, sentence) */
#define STATUS_LIST(X)                                                                             \
 X(OK, "success")                                                                                  \
 X(ERR_INVALID, "invalid argument")                                                                \
 X(ERR_NOT_FOUND, "not found")                                                                     \
 X(ERR_EXISTS, "already exists")                                                                   \
 X(ERR_NOT_DIRECTORY, "not a directory")                                                           \
 X(ERR_IS_DIRECTORY, "is a directory")                                                             \
 X(ERR_NOT_EMPTY, "directory is not empty")                                                        \
 X(ERR_DENIED, "permission denied")                                                                \
 X(ERR_UNAUTHENTICATED, "caller is not authenticated")                                             \
 X(ERR_NO_MEMORY, "out of memory")                                                                 \
 X(ERR_LIMIT, "limit exceeded")                                                                    \
 X(ERR_NO_SPACE, "no space left")                                                                  \
 X(ERR_NO_NODES, "not enough live nodes")                                                          \
 X(ERR_IO, "input/output error")                                                                   \
 X(ERR_CORRUPT, "data is corrupt")                                                                 \
 X(ERR_UNAVAILABLE, "service unavailable")                                                         \
 X(ERR_DEADLINE, "deadline exceeded")                                                              \
 X(ERR_CANCELLED, "cancelled")                                                                     \
 X(ERR_STALE, "message from an earlier incarnation")                                               \
 X(ERR_FENCED, "fenced by a newer epoch")                                                          \
 X(ERR_BAD_TRANSITION, "not possible in this state")                                               \
 X(ERR_SAFE_MODE, "namenode is in safe mode")                                                      \
 X(ERR_BUSY, "busy")                                                                               \
 X(ERR_UNSUPPORTED, "not supported")                                                               \
 X(ERR_QUOTA, "quota exceeded")                                                                    \
 X(ERR_INTERNAL, "internal error")

enum status {
#define STATUS_ENUM(name, sentence) name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
    STATUS_COUNT
};

/* Returns the constant's name, for example "ERR_NOT_FOUND"; static storage. */
const char *status_name(enum status status);

/* Returns the short sentence of the list above; static storage. */
const char *status_sentence(enum status status);

/* Finds the status with this name; ERR_INTERNAL when no row has it (a newer peer). */
enum status status_from_name(const char *name);

/*
 * Drops a status on purpose; write the reason beside it. (A cast to void does not silence gcc.)
 */
static inline void status_ignore(enum status status)
{
    (void)status;
}

#endif
