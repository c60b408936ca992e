/*
 * cgroup.c - cgroups as files: folders are groups, small files in them hold limits. Version 1 has a
 * hierarchy for each controller, version 2 one for all, in which a group passes controllers on to
 * the groups below it only when told so, and holds processes or passes controllers on, never both.
 */
#include "lib/os/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/os/calls.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

#define JOIN_FILE "cgroup.procs"

enum {
    TEXT_BYTES = 1 << 20,
    FOLDERS_MAX = 2,
    REMOVE_MS = 2000, /* killed processes end within this, or something is wrong with the host */
    REMOVE_POLL_MS = 5,
    SHARES_PER_VCORE = 1024, /* of one process outside all groups: version 1 */
    SHARES_MAX = 262144,
    WEIGHT_PER_VCORE = 100, /* the same: version 2 */
    WEIGHT_MAX = 10000
};

/* --- what the kernel says --------------------------------------------------------------------- */
/* Takes what stands before the next separator, or all the rest. */
static struct slice take_until(struct slice *text, char separator)
{
    size_t end = slice_find(*text, (uint8_t)separator);
    struct slice word = slice_sub(*text, 0, end);
    size_t skip = end < text->length ? end + 1 : end;
    *text = slice_sub(*text, skip, text->length - skip);
    return word;
}

static bool has_word(struct slice list, char separator, const char *word)
{
    while (list.length > 0) {
        if (slice_equal_string(take_until(&list, separator), word))
            return true;
    }
    return false;
}

/* The file's text from arena; empty when it cannot be read. */
static struct slice read_text(const char *path, struct arena *arena)
{
    struct buf buf;
    buf_open(&buf, TEXT_BYTES);
    struct slice text = slice_make(NULL, 0);
    if (file_read_whole(path, &buf, NULL) == OK)
        text = arena_copy(arena, buf_slice(&buf));
    buf_close(&buf);
    return text;
}

/* Where the hierarchy with this controller is mounted (version 2: NULL); NULL: nowhere. */
static const char *find_mount(struct slice mounts, const char *controller, struct arena *arena)
{
    while (mounts.length > 0) {
        struct slice line = take_until(&mounts, '\n');
        (void)take_until(&line, ' '); /* the device */
        struct slice folder = take_until(&line, ' ');
        struct slice type = take_until(&line, ' ');
        struct slice options = take_until(&line, ' ');
        bool is_it = controller == NULL
                         ? slice_equal_string(type, "cgroup2")
                         : slice_equal_string(type, "cgroup") && has_word(options, ',', controller);
        if (is_it)
            return (const char *)arena_copy(arena, folder).data;
    }
    return NULL;
}

/* This process's group in the hierarchy with this controller; NULL: it has none. */
static const char *find_own(struct slice groups, const char *controller, struct arena *arena)
{
    while (groups.length > 0) {
        struct slice line = take_until(&groups, '\n');
        (void)take_until(&line, ':'); /* the hierarchy's number */
        struct slice controllers = take_until(&line, ':');
        bool is_it =
            controller == NULL ? controllers.length == 0 : has_word(controllers, ',', controller);
        if (is_it)
            return (const char *)arena_copy(arena, line).data;
    }
    return NULL;
}

static bool is_delegated(const char *folder)
{
    char mark = '0';
    if ((getxattr(folder, "trusted.delegate", &mark, 1) == 1 && mark == '1') ||
        (getxattr(folder, "user.delegate", &mark, 1) == 1 && mark == '1'))
        return true;
    struct file_info info;
    return host_uid() != 0 && file_info_get(folder, true, &info, NULL) == OK &&
           info.uid == host_uid();
}

/* The folder in which groups are ours to make. */
static enum status find_base(const struct cgroup_source *source,
                             const char *controller,
                             struct arena *arena,
                             const char **ret_folder,
                             struct error *reterr_error)
{
    const char *what = controller != NULL ? controller : "version 2";
    const char *mounts =
        source != NULL && source->mounts != NULL ? source->mounts : "/proc/self/mounts";
    const char *self = source != NULL && source->self != NULL ? source->self : "/proc/self/cgroup";
    const char *mount = find_mount(read_text(mounts, arena), controller, arena);
    const char *own = find_own(read_text(self, arena), controller, arena);
    if (mount == NULL || own == NULL || own[0] != '/')
        return error_set(reterr_error, ERR_UNSUPPORTED, "no control groups (%s) are mounted", what);
    *ret_folder = mount;
    if (strcmp(own, "/") == 0)
        return OK;
    for (const char *level = own; strcmp(level, "/") != 0; level = path_parent(arena, level)) {
        *ret_folder = (const char *)arena_format(arena, "%s%s", mount, level).data;
        if (is_delegated(*ret_folder))
            return OK;
    }
    return error_set(reterr_error, ERR_UNSUPPORTED,
                     "the control group %s (%s) is not this process's to divide", own, what);
}

/* --- files ------------------------------------------------------------------------------------ */
static enum status write_limit(struct arena *arena,
                               const char *folder,
                               const char *name,
                               struct slice text,
                               struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status = file_open(path_join(arena, folder, name), FILE_MODE_TRUNCATE, FILE_PUBLIC,
                                   &file, reterr_error);
    if (status == OK)
        status = file_append(file, text, reterr_error);
    file_close(file);
    return status;
}

static struct slice number_text(struct arena *arena, uint64_t number)
{
    return arena_format(arena, "%" PRIu64, number);
}

static enum status write_weight(const struct cgroup_tree *tree,
                                struct arena *arena,
                                const char *folder,
                                uint32_t vcores,
                                struct error *reterr_error)
{
    bool is_first = tree->version == CGROUP_VERSION_1;
    uint64_t most = is_first ? SHARES_MAX : WEIGHT_MAX;
    uint64_t weight =
        (uint64_t)(vcores > 0 ? vcores : 1) * (is_first ? SHARES_PER_VCORE : WEIGHT_PER_VCORE);
    return write_limit(arena, folder, is_first ? "cpu.shares" : "cpu.weight",
                       number_text(arena, weight < most ? weight : most), reterr_error);
}

static enum status make_folder(const char *folder, struct error *reterr_error)
{
    enum status status = directory_make(folder, 0755, reterr_error);
    return status == ERR_EXISTS ? OK : status;
}

/* --- ends ------------------------------------------------------------------------------------- */
static void kill_members(const char *folder, struct arena *arena)
{
    struct slice text = read_text(path_join(arena, folder, JOIN_FILE), arena);
    while (text.length > 0) {
        uint64_t pid = 0;
        if (slice_parse_u64(take_until(&text, '\n'), &pid) && pid > 1 && pid != (uint64_t)getpid())
            (void)os_kill((pid_t)pid, SIGKILL); /* ended by itself: fine */
    }
}

/* Kills and removes a group and those that were made in it; true when it is gone. */
static bool end_group(const char *folder, struct arena *arena)
{
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return errno == ENOENT;
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            (void)end_group(path_join(arena, folder, entry->d_name), arena); /* shown below */
    }
    (void)closedir(stream); /* only read from */
    kill_members(folder, arena);
    return rmdir(folder) == 0 || errno == ENOENT;
}

bool cgroup_end(const char *const *join_files)
{
    struct arena *arena = arena_open(0);
    bool is_gone = true;
    for (size_t i = 0; join_files[i] != NULL; i++)
        is_gone &= end_group(path_parent(arena, join_files[i]), arena);
    arena_close(arena);
    return is_gone;
}

void cgroup_end_folder(const char *join_file)
{
    struct arena *arena = arena_open(0);
    (void)rmdir(path_parent(arena, path_parent(arena, join_file))); /* others are in it: it stays */
    arena_close(arena);
}

/* Until all is gone, or the time is over. */
static bool remove_folder(const char *folder)
{
    int64_t deadline_ms = clock_monotonic_ms() + REMOVE_MS;
    struct arena *arena = arena_open(0);
    bool is_gone = end_group(folder, arena);
    while (!is_gone && clock_monotonic_ms() < deadline_ms) {
        clock_sleep_until_ms(clock_monotonic_ms() + REMOVE_POLL_MS);
        arena_reset(arena);
        is_gone = end_group(folder, arena);
    }
    arena_close(arena);
    return is_gone;
}

bool cgroup_tree_remove(const struct cgroup_tree *tree)
{
    bool is_gone = remove_folder(tree->processes);
    if (tree->cpu != NULL && tree->cpu != tree->processes)
        is_gone &= remove_folder(tree->cpu);
    return is_gone;
}

/* --- the tree --------------------------------------------------------------------------------- */
static enum status open_first(const char *name,
                              uint32_t vcores,
                              const struct cgroup_source *source,
                              struct arena *arena,
                              struct cgroup_tree *tree,
                              struct error *reterr_error)
{
    const char *base = NULL;
    enum status status = find_base(source, "pids", arena, &base, reterr_error);
    if (status != OK)
        return status;
    tree->processes = path_join(arena, base, name);
    if (find_base(source, "cpu", arena, &base, NULL) == OK)
        tree->cpu = path_join(arena, base, name);
    (void)cgroup_tree_remove(tree); /* what is left is used as it is */
    status = make_folder(tree->processes, reterr_error);
    if (status == OK)
        status =
            write_limit(arena, tree->processes, "pids.max", slice_from_string("max"), reterr_error);
    if (status == OK && tree->cpu != NULL &&
        (make_folder(tree->cpu, NULL) != OK ||
         write_weight(tree, arena, tree->cpu, vcores, NULL) != OK))
        tree->cpu = NULL; /* it may be a read-only mount: processes are limited all the same */
    return status;
}

static enum status open_second(const char *name,
                               uint32_t vcores,
                               const struct cgroup_source *source,
                               struct arena *arena,
                               struct cgroup_tree *tree,
                               struct error *reterr_error)
{
    const char *base = NULL;
    enum status status = find_base(source, NULL, arena, &base, reterr_error);
    if (status != OK)
        return status;
    struct slice controllers = read_text(path_join(arena, base, "cgroup.controllers"), arena);
    controllers = take_until(&controllers, '\n');
    if (!has_word(controllers, ' ', "pids"))
        return error_set(reterr_error, ERR_UNSUPPORTED, "%s has no controller of processes", base);
    bool has_cpu = has_word(controllers, ' ', "cpu");
    struct slice passed = slice_from_string(has_cpu ? "+pids +cpu" : "+pids");
    tree->processes = path_join(arena, base, name);
    (void)remove_folder(tree->processes); /* what is left is used as it is */
    status = write_limit(arena, base, "cgroup.subtree_control", passed, reterr_error);
    if (status == OK)
        status = make_folder(tree->processes, reterr_error);
    if (status == OK)
        status =
            write_limit(arena, tree->processes, "cgroup.subtree_control", passed, reterr_error);
    if (status == OK && has_cpu) {
        tree->cpu = tree->processes;
        status = write_weight(tree, arena, tree->cpu, vcores, reterr_error);
    }
    return status;
}

enum status cgroup_tree_open(enum cgroup_version version,
                             const char *name,
                             uint32_t vcores,
                             const struct cgroup_source *source,
                             struct arena *arena,
                             struct cgroup_tree *ret_tree,
                             struct error *reterr_error)
{
    struct cgroup_tree tree = {.version = version};
    struct error why = {.status = OK};
    enum status status = version == CGROUP_VERSION_1
                             ? open_first(name, vcores, source, arena, &tree, &why)
                             : open_second(name, vcores, source, arena, &tree, &why);
    if (status == OK) {
        *ret_tree = tree;
        return OK;
    }
    if (tree.processes != NULL)
        (void)cgroup_tree_remove(&tree); /* empty, if it is there */
    return error_set(reterr_error, ERR_UNSUPPORTED, "%s", why.text);
}

/* --- groups ----------------------------------------------------------------------------------- */
enum status cgroup_make(const struct cgroup_tree *tree,
                        const char *name,
                        const struct cgroup_limits *limits,
                        struct arena *arena,
                        const char *const **ret_join_files,
                        struct error *reterr_error)
{
    const char **files = ARENA_ARRAY(arena, const char *, FOLDERS_MAX + 1);
    const char *group = path_join(arena, tree->processes, name);
    size_t count = 0;
    files[count++] = path_join(arena, group, JOIN_FILE);
    enum status status = make_folder(group, reterr_error);
    if (status == OK)
        status = write_limit(arena, group, "pids.max", number_text(arena, limits->processes_max),
                             reterr_error);
    if (status == OK && tree->cpu != NULL && tree->cpu != tree->processes) {
        group = path_join(arena, tree->cpu, name);
        files[count++] = path_join(arena, group, JOIN_FILE);
        status = make_folder(group, reterr_error);
    }
    if (status == OK && tree->cpu != NULL)
        status = write_weight(tree, arena, group, limits->vcores, reterr_error);
    if (status == OK)
        *ret_join_files = files;
    else
        (void)cgroup_end(files); /* nobody is in them */
    return status;
}

uint64_t cgroup_refusals(const struct cgroup_tree *tree, const char *name)
{
    struct arena *arena = arena_open(0);
    const char *group = path_join(arena, tree->processes, name);
    struct slice text = read_text(path_join(arena, group, "pids.events"), arena);
    uint64_t count = 0;
    while (text.length > 0) {
        struct slice line = take_until(&text, '\n');
        if (slice_equal_string(take_until(&line, ' '), "max") && !slice_parse_u64(line, &count))
            count = 0; /* not as cgroups(7) says */
    }
    arena_close(arena);
    return count;
}
