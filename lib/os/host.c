/*
 * host.c - facts about this host, user and process.
 */
#include "lib/os/host.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

enum {
    DATABASE_BYTES = 64 << 10, /* one row of the user database */
    CGROUP_BYTES = 4096,
    USER_GROUPS_MAX = 65536 /* the kernel's NGROUPS_MAX */
};

void host_random_bytes(void *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = getrandom((uint8_t *)data + done, bytes - done, 0);
        CHECK(got > 0 || errno == EINTR);
        if (got > 0)
            done += (size_t)got;
    }
}

uint64_t host_random_u64(void)
{
    uint64_t value = 0;
    while (value == 0)
        host_random_bytes(&value, sizeof(value));
    return value;
}

const char *host_name(struct arena *arena)
{
    char name[256] = "";
    CHECK(gethostname(name, sizeof(name) - 1) == 0); /* fails only for a short buffer */
    return (const char *)arena_copy(arena, slice_from_string(name)).data;
}

uint32_t host_uid(void)
{
    return (uint32_t)geteuid();
}

uint32_t host_gid(void)
{
    return (uint32_t)getegid();
}

/* The row of uid; false when the database has none. text and row hold it. */
static bool find_user(struct arena *arena, uint32_t uid, struct passwd *ret_row)
{
    char *text = arena_new(arena, DATABASE_BYTES);
    struct passwd *found = NULL;
    return getpwuid_r((uid_t)uid, ret_row, text, DATABASE_BYTES, &found) == 0 && found != NULL;
}

const char *host_user_name(struct arena *arena, uint32_t uid)
{
    struct arena *scratch = arena_open(0);
    struct passwd row;
    struct slice name = find_user(scratch, uid, &row)
                            ? arena_copy(arena, slice_from_string(row.pw_name))
                            : arena_format(arena, "%u", uid);
    arena_close(scratch);
    return (const char *)name.data;
}

/* The name of gid, or the number in decimal when the database has none. */
static struct slice name_group(struct arena *arena, gid_t gid)
{
    struct arena *scratch = arena_open(0);
    struct group group;
    struct group *found = NULL;
    char *text = arena_new(scratch, DATABASE_BYTES);
    bool has_name = getgrgid_r(gid, &group, text, DATABASE_BYTES, &found) == 0 && found != NULL;
    struct slice name = has_name ? arena_copy(arena, slice_from_string(group.gr_name))
                                 : arena_format(arena, "%u", (unsigned)gid);
    arena_close(scratch);
    return name;
}

void host_user_groups(struct arena *arena,
                      struct slice name,
                      const struct slice **ret_groups,
                      size_t *ret_count)
{
    struct arena *scratch = arena_open(0);
    const char *user = (const char *)arena_copy(scratch, name).data;
    char *text = arena_new(scratch, DATABASE_BYTES);
    struct passwd row;
    struct passwd *found = NULL;
    int count = 0;
    gid_t *gids = ARENA_ARRAY(scratch, gid_t, USER_GROUPS_MAX);
    /* A name with a NUL in it is nobody's. */
    if (strlen(user) == name.length && getpwnam_r(user, &row, text, DATABASE_BYTES, &found) == 0 &&
        found != NULL) {
        count = USER_GROUPS_MAX;
        if (getgrouplist(user, row.pw_gid, gids, &count) < 0)
            count = USER_GROUPS_MAX; /* more than Linux lets a process have; the first ones count */
    }
    struct slice *groups = ARENA_ARRAY(arena, struct slice, (size_t)count);
    for (int i = 0; i < count; i++)
        groups[i] = name_group(arena, gids[i]);
    arena_close(scratch);
    *ret_groups = groups;
    *ret_count = (size_t)count;
}

const char *host_group_name(struct arena *arena, uint32_t uid)
{
    struct arena *scratch = arena_open(0);
    struct passwd user;
    gid_t gid = find_user(scratch, uid, &user) ? user.pw_gid : (gid_t)uid;
    arena_close(scratch);
    return (const char *)name_group(arena, gid).data;
}

const char *host_home(struct arena *arena)
{
    const char *home = host_environment("HOME");
    if (home != NULL && home[0] == '/')
        return (const char *)arena_copy(arena, slice_from_string(home)).data;
    struct arena *scratch = arena_open(0);
    struct passwd row;
    const char *found = find_user(scratch, host_uid(), &row) ? row.pw_dir : "/";
    const char *copy = (const char *)arena_copy(arena, slice_from_string(found)).data;
    arena_close(scratch);
    return copy;
}

const char *host_environment(const char *name)
{
    return getenv(name);
}

const char *const *host_environment_all(void)
{
    return (const char *const *)environ;
}

void host_environment_set(const char *name, const char *value)
{
    if (value != NULL)
        CHECK(setenv(name, value, 1) == 0);
    else
        CHECK(unsetenv(name) == 0);
}

uint32_t host_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than a cpu_set_t holds */
    return count > 0 ? (uint32_t)count : 1;
}

/* Lowers *bytes to the number in the file at path, if there is one ("max" is none). */
static void apply_limit_file(const char *path, uint64_t *bytes)
{
    struct buf text;
    buf_open(&text, CGROUP_BYTES);
    if (file_read_whole(path, &text, NULL) == OK) {
        struct slice whole = buf_slice(&text);
        uint64_t limit = 0;
        if (slice_parse_u64(slice_sub(whole, 0, slice_find(whole, '\n')), &limit) && limit > 0 &&
            limit < *bytes)
            *bytes = limit;
    }
    buf_close(&text);
}

/* cgroup v2: "0::/path" in /proc/self/cgroup; every level above may limit, too. */
static void apply_cgroup_limits(uint64_t *bytes)
{
    struct buf text;
    buf_open(&text, CGROUP_BYTES);
    struct arena *arena = arena_open(0);
    struct slice prefix = slice_from_string("0::/");
    if (file_read_whole("/proc/self/cgroup", &text, NULL) == OK &&
        slice_has_prefix(buf_slice(&text), prefix)) {
        struct slice line = slice_sub(buf_slice(&text), 3, text.length - 3);
        struct slice path = arena_copy(arena, slice_sub(line, 0, slice_find(line, '\n')));
        for (const char *level = (const char *)path.data; strcmp(level, "/") != 0;
             level = path_parent(arena, level))
            apply_limit_file(
                (const char *)arena_format(arena, "/sys/fs/cgroup%s/memory.max", level).data,
                bytes);
    }
    apply_limit_file("/sys/fs/cgroup/memory.max", bytes);
    apply_limit_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", bytes);
    arena_close(arena);
    buf_close(&text);
}

uint64_t host_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    CHECK(pages > 0 && page > 0);
    uint64_t bytes = (uint64_t)pages * (uint64_t)page;
    apply_cgroup_limits(&bytes);
    return bytes;
}

const char *host_program_directory(struct arena *arena)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0)
        return ".";
    path[length] = '\0';
    return path_parent(arena, path);
}

bool host_is_terminal(int descriptor)
{
    return isatty(descriptor) == 1;
}

uint32_t host_terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}
