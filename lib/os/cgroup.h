/*
 * cgroup.h - control groups (cgroups(7)), version 2 or 1: a folder of our own in each hierarchy,
 * and groups in it, each with a limit of processes and a share of the processors.
 *
 * Groups are made only where they are this process's to make: in its own group when that is the
 * root of the hierarchy as it sees it, else in the nearest group above it that was delegated
 * (marked so by systemd, or owned by this user, who is not root).
 */
#ifndef MILLRACE_LIB_OS_CGROUP_H
#define MILLRACE_LIB_OS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"

enum cgroup_version {
    CGROUP_VERSION_1 = 1,
    CGROUP_VERSION_2 = 2
};

/* Where the kernel says what there is. */
struct cgroup_source {
    const char *mounts; /* NULL: "/proc/self/mounts" */
    const char *self;   /* NULL: "/proc/self/cgroup" */
};

struct cgroup_tree {
    enum cgroup_version version;
    const char *processes; /* the folder whose groups limit processes */
    const char *cpu;       /* the one whose groups share processors: the same with version 2 (or
                              NULL), another with version 1; NULL: there is none */
};

struct cgroup_limits {
    uint64_t processes_max; /* and threads; above 0 */
    uint32_t vcores;        /* weight against the other groups of the tree */
};

/*
 * Makes the folder called name, with a weight of vcores against what else runs on the host, after
 * removing what an earlier process left under that name, processes too. source may be NULL; strings
 * come from arena. ERR_UNSUPPORTED, with the reason, where processes cannot be limited so.
 */
MUST_USE enum status cgroup_tree_open(enum cgroup_version version,
                                      const char *name,
                                      uint32_t vcores,
                                      const struct cgroup_source *source,
                                      struct arena *arena,
                                      struct cgroup_tree *ret_tree,
                                      struct error *reterr_error);
/* Kills what is in the tree's groups and removes them; false: something could not be removed. */
bool cgroup_tree_remove(const struct cgroup_tree *tree);

/*
 * Makes the group called name. *ret_join_files: for process_spec.group_files, from arena. On
 * failure nothing is left.
 */
MUST_USE enum status cgroup_make(const struct cgroup_tree *tree,
                                 const char *name,
                                 const struct cgroup_limits *limits,
                                 struct arena *arena,
                                 const char *const **ret_join_files,
                                 struct error *reterr_error);
/* How often a process or thread was refused in the group called name; 0 when it is gone. */
uint64_t cgroup_refusals(const struct cgroup_tree *tree, const char *name);
/*
 * Kills what is in the groups of these files and removes them; false: not all are gone yet, because
 * what was killed has not ended; ask again.
 */
bool cgroup_end(const char *const *join_files);
/* Removes the folder that holds the group of a join file, if no group is left in it. */
void cgroup_end_folder(const char *join_file);

#endif
