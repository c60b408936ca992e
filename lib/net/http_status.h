/* http_status.h - an enum status over HTTP: the nearest number, and the exact name in a header. */
#ifndef MILLRACE_LIB_NET_HTTP_STATUS_H
#define MILLRACE_LIB_NET_HTTP_STATUS_H

#include "lib/base/status.h"

/* Response header with the name of an enum status, for example "ERR_CORRUPT". */
#define HTTP_STATUS_HEADER "millrace-status"

/* OK gives 200. */
unsigned http_code_from_status(enum status status);
/* For a response without HTTP_STATUS_HEADER; below 400 gives OK. */
enum status http_code_status(unsigned code);

#endif
