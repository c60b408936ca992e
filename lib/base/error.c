/*
 * error.c - texts of errors, built in place; see error.h.
 */
#include "lib/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_control(char byte)
{
    return ((unsigned char)byte < ' ' && byte != '\0') || byte == 0x7f;
}

/* Writes control characters as C does: a name with a newline must not make two lines of one. */
static void escape(struct error *error)
{
    char plain[ERROR_TEXT_BYTES];
    size_t length = 0;
    const char *at = error->text;
    while (*at != '\0' && !is_control(*at))
        at++;
    if (*at == '\0')
        return;
    memcpy(plain, error->text, sizeof(plain));
    for (at = plain; *at != '\0'; at++) {
        char piece[5] = {*at, '\0'};
        if (*at == '\n' || *at == '\t')
            (void)snprintf(piece, sizeof(piece), "\\%c", *at == '\n' ? 'n' : 't');
        else if (is_control(*at))
            (void)snprintf(piece, sizeof(piece), "\\x%02x", (unsigned)(unsigned char)*at);
        size_t bytes = strlen(piece);
        if (length + bytes >= sizeof(error->text))
            break;
        memcpy(error->text + length, piece, bytes);
        length += bytes;
    }
    error->text[length] = '\0';
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    escape(error);
    return status;
}

enum status error_set_errno(struct error *error, int errno_value, const char *format, ...)
{
    enum status status = status_from_errno(errno_value);
    if (error == NULL)
        return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    size_t length = strlen(error->text);
    (void)snprintf(error->text + length, sizeof(error->text) - length, ": %s",
                   strerror(errno_value));
    escape(error);
    return status;
}

enum status error_prefix(struct error *error, enum status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    char inner[ERROR_TEXT_BYTES];
    memcpy(inner, error->text, sizeof(inner));
    inner[sizeof(inner) - 1] = '\0';
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    size_t length = strlen(error->text);
    /* An error that was never given a text still gets its status said in words. */
    const char *rest = inner[0] != '\0' ? inner : status_sentence(status);
    (void)snprintf(error->text + length, sizeof(error->text) - length, ": %s", rest);
    escape(error);
    if (error->status == OK)
        error->status = status;
    return error->status;
}

enum status status_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return OK;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
        return ERR_INVALID;
    case ENOENT:
    case ESRCH:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOTDIR:
        return ERR_NOT_DIRECTORY;
    case EISDIR:
        return ERR_IS_DIRECTORY;
    case ENOTEMPTY:
        return ERR_NOT_EMPTY;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case E2BIG:
    case EMLINK:
        return ERR_LIMIT;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EPIPE:
    case ENOTCONN:
        return ERR_UNAVAILABLE;
    case ETIMEDOUT:
        return ERR_DEADLINE;
    case ECANCELED:
        return ERR_CANCELLED;
    case EBUSY:
    case EAGAIN:
    case ETXTBSY:
        return ERR_BUSY;
    case ENOSYS:
    case ENOTSUP:
    case EXDEV:
        return ERR_UNSUPPORTED;
    default:
        return ERR_IO;
    }
}
