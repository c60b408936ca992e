/*
 * drill.c - the plan, the sites seen so far, and who is to fail. Calls the kernel itself: what it
 * does is no call site of the program's.
 */
#include "lib/os/drill.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/check.h"

enum {
    FRAMES_MAX = 11,  /* a site: three of our own, lib/os, and who called it */
    SITES_MAX = 4096, /* more than there can be: 300 in the largest program */
    PATH_BYTES = 512,
    NAME_BYTES = 64,
    EVERY_HIT_MAX = 16, /* so many hits of a site are told one by one */
    SHORT = -1
};

enum plan_verb {
    PLAN_NONE,
    PLAN_RECORD,
    PLAN_FAIL
};

struct site {
    uint64_t name; /* 0: free */
    uint64_t hits;
};

struct drill {
    pthread_mutex_t mutex;
    enum plan_verb verb;
    char path[PATH_BYTES]; /* of the claim */
    uint64_t site;         /* 0: all */
    uint64_t nth;
    uint64_t repeat;
    int number; /* errno or SHORT */
    bool is_claimed;
    bool is_over;   /* another process has claimed it */
    int descriptor; /* of the record */
    pid_t recorder; /* whose record it is: a fork opens its own */
    uint64_t hits;  /* of all sites that the plan means */
    struct site sites[SITES_MAX];
};

static struct drill drill = {.mutex = PTHREAD_MUTEX_INITIALIZER, .descriptor = -1};
static pthread_once_t drill_once = PTHREAD_ONCE_INIT;

/* Of the linker: the program's own code lies between them, whatever it was loaded to. */
extern const char __executable_start;
extern const char etext;

static const struct {
    const char *name;
    int number;
} drill_numbers[] = {
    {"EIO",    EIO   },
    {"ENOSPC", ENOSPC},
    {"EINTR",  EINTR },
    {"EAGAIN", EAGAIN},
    {"EMFILE", EMFILE},
    {"short",  SHORT },
};

/* What the kernel answers to which kind of call. */
static bool is_possible(int number, enum drill_kind kind)
{
    switch (number) {
    case SHORT:
        return kind == DRILL_READ || kind == DRILL_WRITE;
    case EINTR:
        return kind == DRILL_READ || kind == DRILL_WRITE || kind == DRILL_ROOM ||
               kind == DRILL_OPEN || kind == DRILL_CREATE;
    case EAGAIN:
        return kind == DRILL_READ || kind == DRILL_WRITE || kind == DRILL_OPEN ||
               kind == DRILL_CREATE || kind == DRILL_FORK;
    case EMFILE:
        return kind == DRILL_OPEN || kind == DRILL_CREATE;
    case ENOSPC:
        return kind == DRILL_WRITE || kind == DRILL_ROOM || kind == DRILL_SYNC ||
               kind == DRILL_CREATE || kind == DRILL_NAME;
    default:
        return kind != DRILL_FORK;
    }
}

/* --- the plan ----------------------------------------------------------------------------------
 */

_Noreturn static void plan_is_wrong(const char *path)
{
    (void)fprintf(stderr, "MILLRACE_DRILL: %s is no plan; lib/os/drill.h tells how one looks\n",
                  path);
    _exit(2);
}

static bool take_fail(char *text)
{
    char program[NAME_BYTES];
    char site[NAME_BYTES];
    char what[NAME_BYTES];
    if (sscanf(text, "fail %63s %63s %" SCNu64 " %" SCNu64 " %63s %511s", program, site, &drill.nth,
               &drill.repeat, what, drill.path) != 6 ||
        drill.nth == 0)
        return false;
    drill.site = strcmp(site, "*") == 0 ? 0 : strtoull(site, NULL, 16);
    for (size_t i = 0; i < sizeof(drill_numbers) / sizeof(drill_numbers[0]); i++) {
        if (strcmp(what, drill_numbers[i].name) == 0)
            drill.number = drill_numbers[i].number;
    }
    if (drill.number == 0)
        return false;
    if (strcmp(program, program_invocation_short_name) == 0)
        drill.verb = PLAN_FAIL;
    return true;
}

static void read_plan(void)
{
    const char *path = getenv("MILLRACE_DRILL");
    char text[2 * PATH_BYTES];
    if (path == NULL || path[0] == '\0')
        return;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = descriptor < 0 ? -1 : read(descriptor, text, sizeof(text) - 1);
    if (descriptor >= 0)
        (void)close(descriptor); /* only read from */
    if (bytes < 0)
        plan_is_wrong(path);
    text[bytes] = '\0';
    if (bytes == 0) /* between two drills */
        return;
    if (sscanf(text, "record %511s", drill.path) == 1)
        drill.verb = PLAN_RECORD;
    else if (!take_fail(text))
        plan_is_wrong(path);
}

/* --- sites -------------------------------------------------------------------------------------
 */

static uint64_t name_site(const char *call)
{
    void *frames[FRAMES_MAX];
    int count = backtrace(frames, FRAMES_MAX);
    uint64_t name = 1469598103934665603u; /* FNV-1a */
    for (const char *at = call; *at != '\0'; at++)
        name = (name ^ (uint64_t)(unsigned char)*at) * 1099511628211u;
    for (int i = 0; i < count; i++) {
        uintptr_t frame = (uintptr_t)frames[i];
        uintptr_t begin = (uintptr_t)&__executable_start;
        if (frame < begin || frame >= (uintptr_t)&etext)
            break; /* what called us from outside is the same in no two runs */
        name = (name ^ (uint64_t)(frame - begin)) * 1099511628211u;
    }
    return name == 0 ? 1 : name;
}

static struct site *find_site(uint64_t name)
{
    size_t i = name % SITES_MAX;
    size_t looked = 0;
    while (drill.sites[i].name != 0 && drill.sites[i].name != name) {
        CHECK(++looked < SITES_MAX);
        i = (i + 1) % SITES_MAX;
    }
    drill.sites[i].name = name;
    return &drill.sites[i];
}

static void record(enum drill_kind kind, const char *call, const struct site *site)
{
    char text[2 * PATH_BYTES];
    if (site->hits > EVERY_HIT_MAX && (site->hits & (site->hits - 1)) != 0)
        return;
    if (drill.recorder != getpid()) {
        if (drill.descriptor >= 0)
            (void)close(drill.descriptor); /* the parent's */
        drill.recorder = getpid();
        (void)snprintf(text, sizeof(text), "%s/%s.%ld", drill.path, program_invocation_short_name,
                       (long)drill.recorder);
        drill.descriptor = open(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    int length = snprintf(text, sizeof(text), "%016" PRIx64 " %s %" PRIu64 " %d\n", site->name,
                          call, site->hits, (int)kind);
    /* A drill that cannot write its record is useless, and says so. */
    CHECK(write(drill.descriptor, text, (size_t)length) == length);
}

/* True for the one process that takes the failure. */
static bool claim(void)
{
    int descriptor = open(drill.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    drill.is_over = descriptor < 0;
    if (descriptor >= 0)
        (void)close(descriptor); /* nothing was written */
    return descriptor >= 0;
}

static bool is_meant(enum drill_kind kind, uint64_t site)
{
    if (drill.is_over || !is_possible(drill.number, kind) ||
        (drill.site != 0 && drill.site != site))
        return false;
    drill.hits++;
    if (drill.hits < drill.nth || drill.hits - drill.nth >= drill.repeat)
        return false;
    if (!drill.is_claimed)
        drill.is_claimed = claim();
    return drill.is_claimed;
}

enum drill_answer drill_ask(enum drill_kind kind, const char *call)
{
    (void)pthread_once(&drill_once, read_plan); /* fails for a bad argument only */
    if (drill.verb == PLAN_NONE)
        return DRILL_GO;
    int before = errno;
    uint64_t name = name_site(call);
    bool fails = false;
    CHECK(pthread_mutex_lock(&drill.mutex) == 0);
    if (drill.verb == PLAN_RECORD) {
        struct site *site = find_site(name);
        site->hits++;
        record(kind, call, site);
    } else {
        fails = is_meant(kind, name);
    }
    CHECK(pthread_mutex_unlock(&drill.mutex) == 0);
    errno = fails && drill.number != SHORT ? drill.number : before;
    if (!fails)
        return DRILL_GO;
    return drill.number == SHORT ? DRILL_SHORT : DRILL_FAIL;
}
