/*
 * net.c - start and stop of the libraries, their log, threads without signals,
 * addresses.
 */
#include "lib/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/net/net_private.h"

enum {
    NET_LOG_BYTES = 2048
};

/* The libraries' own state is one per process, so this is too. Written by
 * net_open and net_close. */
static struct net_log net_log_sink;
static bool net_is_open;
static pthread_t net_preparer;
static bool net_is_preparing; /* net_preparer is to be joined */

void net_log_write(enum net_log_level level, const char *format, ...)
{
    if (net_log_sink.write == NULL)
        return;
    char text[NET_LOG_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ')
            *at = ' ';
    }
    net_log_sink.write(net_log_sink.user, level, text);
}

static void net_log_grpc(gpr_log_func_args *arguments)
{
    enum net_log_level level = NET_LOG_DEBUG;
    if (arguments->severity == GPR_LOG_SEVERITY_ERROR)
        level = NET_LOG_ERROR;
    else if (arguments->severity == GPR_LOG_SEVERITY_INFO)
        level = NET_LOG_INFO;
    net_log_write(level, "grpc: %s", arguments->message);
}

void net_signals_block(sigset_t *ret_before)
{
    sigset_t all;
    (void)sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, ret_before) == 0);
}

void net_signals_restore(const sigset_t *before)
{
    CHECK(pthread_sigmask(SIG_SETMASK, before, NULL) == 0);
}

enum status net_open(const struct net_log *log, struct error *reterr_error)
{
    (void)reterr_error; /* nothing can fail before the first use */
    CHECK(!net_is_open);
    net_log_sink = log == NULL ? (struct net_log){.write = NULL} : *log;
    sigset_t before;
    net_signals_block(&before);
    gpr_set_log_function(net_log_grpc);
    grpc_init();
    net_signals_restore(&before);
    net_is_open = true;
    return OK;
}

static void *prepare_http(void *unused)
{
    struct error error = {0};
    if (net_curl_load(&error) != OK) /* the first request tries again and returns it */
        net_log_write(NET_LOG_ERROR, "%s", error.text);
    return unused;
}

void net_prepare_http(void)
{
    CHECK(net_is_open && !net_is_preparing);
    struct error error; /* without the thread the first request loads */
    net_is_preparing =
        net_thread_start(&net_preparer, "net-prepare", prepare_http, NULL, &error) == OK;
}

void net_close(void)
{
    CHECK(net_is_open);
    if (net_is_preparing)
        CHECK(pthread_join(net_preparer, NULL) == 0);
    net_is_preparing = false;
    grpc_shutdown_blocking();
    gpr_set_log_function(NULL);
    net_curl_unload();
    net_log_sink.write = NULL;
    net_is_open = false;
}

enum status net_thread_start(
    pthread_t *ret_thread, const char *name, void *(*run)(void *), void *user, struct error *error)
{
    sigset_t before;
    net_signals_block(&before);
    int result = pthread_create(ret_thread, NULL, run, user);
    net_signals_restore(&before);
    if (result != 0)
        return error_set_errno(error, result, "start thread %s", name);
    /* The name is for debuggers; nothing depends on it. */
    (void)pthread_setname_np(*ret_thread, name);
    return OK;
}

void net_condition_open(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(condition, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
}

bool net_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t then_ms)
{
    if (then_ms == INT64_MAX) {
        CHECK(pthread_cond_wait(condition, mutex) == 0);
        return true;
    }
    struct timespec then = {.tv_sec = then_ms / 1000, .tv_nsec = then_ms % 1000 * 1000000};
    int result = pthread_cond_timedwait(condition, mutex, &then);
    CHECK(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

int64_t net_now_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t net_time_after_ms(int64_t delay_ms)
{
    int64_t now = net_now_ms();
    return delay_ms > INT64_MAX - now ? INT64_MAX : now + delay_ms;
}

/* Splits at the last colon; text without one is a port of the loopback. */
static enum status net_address_split(const char *text,
                                     struct net_address *address,
                                     const char **ret_port,
                                     struct error *error)
{
    const char *host = text;
    size_t host_length;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (end == NULL || end[1] != ':')
            return error_set(error, ERR_INVALID, "address \"%.300s\" is not [host]:port", text);
        host = text + 1;
        host_length = (size_t)(end - host);
        *ret_port = end + 2;
    } else {
        const char *colon = strrchr(text, ':');
        if (colon == NULL) {
            host = "127.0.0.1";
            host_length = strlen(host);
            *ret_port = text;
        } else {
            host_length = (size_t)(colon - text);
            *ret_port = colon + 1;
            if (memchr(text, ':', host_length) != NULL)
                return error_set(error, ERR_INVALID,
                                 "address \"%.300s\" needs brackets: [host]:port", text);
        }
    }
    if (host_length == 0 || host_length >= NET_HOST_BYTES)
        return error_set(error, ERR_INVALID,
                         "address \"%.300s\" has a host of %zu bytes, possible are 1 to %d", text,
                         host_length, NET_HOST_BYTES - 1);
    memcpy(address->host, host, host_length);
    address->host[host_length] = '\0';
    return OK;
}

enum status net_address_parse(const char *text,
                              struct net_address *ret_address,
                              struct error *reterr_error)
{
    struct net_address address = {.port = 0};
    const char *port_text = NULL;
    enum status status = net_address_split(text, &address, &port_text, reterr_error);
    if (status != OK)
        return status;
    uint64_t port = 0;
    if (!slice_parse_u64(slice_from_string(port_text), &port) || port > UINT16_MAX)
        return error_set(reterr_error, ERR_INVALID,
                         "address \"%.300s\" needs a port from 0 to 65535", text);
    /* Host names and numbers; whatever else would change the meaning of a URL or
     * a target. */
    size_t usual =
        strspn(address.host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%");
    if (address.host[usual] != '\0')
        return error_set(reterr_error, ERR_INVALID, "address \"%.300s\" has no proper host name",
                         text);
    address.port = (uint16_t)port;
    if (strcmp(address.host, "localhost") == 0)
        memcpy(address.host, "127.0.0.1", sizeof("127.0.0.1"));
    *ret_address = address;
    return OK;
}

void net_address_format(const struct net_address *address, char *text)
{
    bool has_colon = strchr(address->host, ':') != NULL;
    (void)snprintf(text, NET_ADDRESS_BYTES, "%s%s%s:%u", has_colon ? "[" : "", address->host,
                   has_colon ? "]" : "", (unsigned)address->port);
}

bool net_address_is_loopback(const struct net_address *address)
{
    struct in_addr four;
    if (inet_pton(AF_INET, address->host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    struct in6_addr six;
    if (inet_pton(AF_INET6, address->host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return false;
}

enum status net_address_socket(const struct net_address *address,
                               void *ret_storage,
                               struct error *reterr_error)
{
    struct sockaddr_storage storage;
    memset(&storage, 0, sizeof(storage));
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    if (inet_pton(AF_INET, address->host, &four.sin_addr) == 1)
        memcpy(&storage, &four, sizeof(four));
    else if (inet_pton(AF_INET6, address->host, &six.sin6_addr) == 1)
        memcpy(&storage, &six, sizeof(six));
    else
        return error_set(reterr_error, ERR_INVALID,
                         "address to listen at must be a number like 127.0.0.1, not \"%s\"",
                         address->host);
    memcpy(ret_storage, &storage, sizeof(storage));
    return OK;
}

enum status net_address_explain(const struct net_address *address, struct error *error)
{
    char text[NET_ADDRESS_BYTES];
    net_address_format(address, text);
    struct sockaddr_storage storage;
    enum status status = net_address_socket(address, &storage, error);
    if (status != OK)
        return status;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error, errno, "listen at %s", text);
    socklen_t length = storage.ss_family == AF_INET ? (socklen_t)sizeof(struct sockaddr_in)
                                                    : (socklen_t)sizeof(struct sockaddr_in6);
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    int cause = 0;
    if (bind(fd, (const struct sockaddr *)&storage, length) != 0 || listen(fd, 1) != 0)
        cause = errno;
    (void)close(fd);
    if (cause == EADDRINUSE)
        return error_set(error, ERR_BUSY, "%s is in use by another server", text);
    if (cause != 0)
        return error_set_errno(error, cause, "listen at %s", text);
    return error_set(error, ERR_INTERNAL, "cannot listen at %s", text);
}
