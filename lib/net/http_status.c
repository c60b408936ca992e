/*
 * http_status.c - the two tables of http_status.h.
 */
#include "lib/net/http_status.h"

#include "lib/base/check.h"

struct http_code_row {
    enum status status;
    unsigned code;
};

/* One row per status, in the order of status.h. */
static const struct http_code_row code_table[] = {
    {OK,                  200},
    {ERR_INVALID,         400},
    {ERR_NOT_FOUND,       404},
    {ERR_EXISTS,          409},
    {ERR_NOT_DIRECTORY,   400},
    {ERR_IS_DIRECTORY,    400},
    {ERR_NOT_EMPTY,       409},
    {ERR_DENIED,          403},
    {ERR_UNAUTHENTICATED, 401},
    {ERR_NO_MEMORY,       503},
    {ERR_LIMIT,           413},
    {ERR_NO_SPACE,        507},
    {ERR_NO_NODES,        503},
    {ERR_IO,              500},
    {ERR_CORRUPT,         500},
    {ERR_UNAVAILABLE,     503},
    {ERR_DEADLINE,        504},
    {ERR_CANCELLED,       503},
    {ERR_STALE,           409},
    {ERR_FENCED,          409},
    {ERR_BAD_TRANSITION,  409},
    {ERR_SAFE_MODE,       503},
    {ERR_BUSY,            503},
    {ERR_UNSUPPORTED,     501},
    {ERR_QUOTA,           403},
    {ERR_INTERNAL,        500},
};

_Static_assert(sizeof(code_table) / sizeof(code_table[0]) == STATUS_COUNT, "one row per status");

unsigned http_code_from_status(enum status status)
{
    CHECK((unsigned)status < STATUS_COUNT);
    CHECK(code_table[status].status == status);
    return code_table[status].code;
}

enum status http_code_status(unsigned code)
{
    switch (code) {
    case 401:
        return ERR_UNAUTHENTICATED;
    case 403:
        return ERR_DENIED;
    case 404:
    case 410:
        return ERR_NOT_FOUND;
    case 405:
    case 501:
        return ERR_UNSUPPORTED;
    case 408:
    case 504:
        return ERR_DEADLINE;
    case 409:
        return ERR_EXISTS;
    case 413:
    case 431:
        return ERR_LIMIT;
    case 429:
        return ERR_BUSY;
    case 502:
    case 503:
        return ERR_UNAVAILABLE;
    case 507:
        return ERR_NO_SPACE;
    default:
        if (code < 400)
            return OK;
        return code < 500 ? ERR_INVALID : ERR_INTERNAL;
    }
}
