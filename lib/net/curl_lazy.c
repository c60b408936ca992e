/*
 * curl_lazy.c - libcurl, loaded when the first transfer needs it and not when the program starts:
 * it brings 25 libraries along, which take 3 ms, and many programs never speak HTTP or may load it
 * while they wait for something else. Defines the functions of libcurl that we use; each forwards
 * to the library's own. net_curl_load comes before all others.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/net/net_private.h"

#define CURL_LIBRARY "libcurl.so.4"

#define CURL_FUNCTIONS(X)                                                                          \
 X(curl_easy_cleanup)                                                                              \
 X(curl_easy_getinfo)                                                                              \
 X(curl_easy_init)                                                                                 \
 X(curl_easy_pause)                                                                                \
 X(curl_easy_setopt)                                                                               \
 X(curl_easy_strerror)                                                                             \
 X(curl_global_cleanup)                                                                            \
 X(curl_global_init)                                                                               \
 X(curl_multi_add_handle)                                                                          \
 X(curl_multi_cleanup)                                                                             \
 X(curl_multi_info_read)                                                                           \
 X(curl_multi_init)                                                                                \
 X(curl_multi_perform)                                                                             \
 X(curl_multi_poll)                                                                                \
 X(curl_multi_remove_handle)                                                                       \
 X(curl_multi_setopt)                                                                              \
 X(curl_multi_strerror)                                                                            \
 X(curl_multi_wakeup)                                                                              \
 X(curl_slist_append)                                                                              \
 X(curl_slist_free_all)

/* The library's own functions; written once, under the lock. */
static struct {
#define MEMBER(name) __typeof__(name) *name;
    CURL_FUNCTIONS(MEMBER)
#undef MEMBER
} library;

static pthread_mutex_t load_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_loaded;

/* --- loading ---------------------------------------------------------------------------------- */

static enum status find_functions(void *handle, struct error *reterr_error)
{
    static const char *const names[] = {
#define NAME(name) #name,
        CURL_FUNCTIONS(NAME)
#undef NAME
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        void *symbol = dlsym(handle, names[i]);
        if (symbol == NULL)
            return error_set(reterr_error, ERR_INTERNAL, "%s has no %s", CURL_LIBRARY, names[i]);
        /* All function pointers are alike in size and form here, says POSIX of dlsym. */
        memcpy((char *)&library + i * sizeof(symbol), &symbol, sizeof(symbol));
    }
    return OK;
}

/* Under the lock. */
static enum status load(struct error *reterr_error)
{
    sigset_t before;
    net_signals_block(&before); /* for threads that it may start */
    void *handle = dlopen(CURL_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    enum status status = OK;
    if (handle == NULL)
        status = error_set(reterr_error, ERR_INTERNAL, "libcurl cannot be loaded: %s", dlerror());
    if (status == OK)
        status = find_functions(handle, reterr_error);
    CURLcode code = status == OK ? library.curl_global_init(CURL_GLOBAL_ALL) : CURLE_OK;
    if (code != CURLE_OK)
        status = error_set(reterr_error, ERR_INTERNAL, "libcurl does not start: %s",
                           library.curl_easy_strerror(code));
    net_signals_restore(&before);
    return status;
}

enum status net_curl_load(struct error *reterr_error)
{
    enum status status = OK;
    CHECK(pthread_mutex_lock(&load_mutex) == 0);
    if (!is_loaded)
        status = load(reterr_error);
    if (status == OK)
        is_loaded = true;
    CHECK(pthread_mutex_unlock(&load_mutex) == 0);
    return status;
}

/* The library stays in memory: what it has loaded cannot all be unloaded. */
void net_curl_unload(void)
{
    CHECK(pthread_mutex_lock(&load_mutex) == 0);
    if (is_loaded)
        library.curl_global_cleanup();
    is_loaded = false;
    CHECK(pthread_mutex_unlock(&load_mutex) == 0);
}

/* --- forwarding ------------------------------------------------------------------------------- */

CURL *curl_easy_init(void)
{
    return library.curl_easy_init();
}

void curl_easy_cleanup(CURL *easy)
{
    library.curl_easy_cleanup(easy);
}

CURLcode curl_easy_pause(CURL *easy, int action)
{
    return library.curl_easy_pause(easy, action);
}

const char *curl_easy_strerror(CURLcode code)
{
    return library.curl_easy_strerror(code);
}

/* The kind of the last argument goes by the option's number (curl/curl.h, CURLOPTTYPE_...). */
CURLcode(curl_easy_setopt)(CURL *easy, CURLoption option, ...)
{
    CURLcode code;
    va_list arguments;
    va_start(arguments, option);
    if ((int)option < CURLOPTTYPE_OBJECTPOINT)
        code = (library.curl_easy_setopt)(easy, option, va_arg(arguments, long));
    else if ((int)option >= CURLOPTTYPE_OFF_T && (int)option < CURLOPTTYPE_BLOB)
        code = (library.curl_easy_setopt)(easy, option, va_arg(arguments, curl_off_t));
    else
        code = (library.curl_easy_setopt)(easy, option, va_arg(arguments, void *));
    va_end(arguments);
    return code;
}

/* Always a pointer to where the answer goes. */
CURLcode(curl_easy_getinfo)(CURL *easy, CURLINFO info, ...)
{
    va_list arguments;
    va_start(arguments, info);
    CURLcode code = (library.curl_easy_getinfo)(easy, info, va_arg(arguments, void *));
    va_end(arguments);
    return code;
}

CURLM *curl_multi_init(void)
{
    return library.curl_multi_init();
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
    return library.curl_multi_cleanup(multi);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    return library.curl_multi_add_handle(multi, easy);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
    return library.curl_multi_remove_handle(multi, easy);
}

CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
    return library.curl_multi_perform(multi, running);
}

CURLMcode curl_multi_poll(
    CURLM *multi, struct curl_waitfd extra[], unsigned extra_count, int timeout_ms, int *ret_count)
{
    return library.curl_multi_poll(multi, extra, extra_count, timeout_ms, ret_count);
}

CURLMcode curl_multi_wakeup(CURLM *multi)
{
    return library.curl_multi_wakeup(multi);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
    return library.curl_multi_info_read(multi, left);
}

/* We set numbers only. */
CURLMcode(curl_multi_setopt)(CURLM *multi, CURLMoption option, ...)
{
    CHECK((int)option < CURLOPTTYPE_OBJECTPOINT);
    va_list arguments;
    va_start(arguments, option);
    CURLMcode code = (library.curl_multi_setopt)(multi, option, va_arg(arguments, long));
    va_end(arguments);
    return code;
}

const char *curl_multi_strerror(CURLMcode code)
{
    return library.curl_multi_strerror(code);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    return library.curl_slist_append(list, text);
}

void curl_slist_free_all(struct curl_slist *list)
{
    library.curl_slist_free_all(list);
}
