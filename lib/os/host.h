/*
 * host.h - facts about this host, user and process.
 */
#ifndef MILLRACE_LIB_OS_HOST_H
#define MILLRACE_LIB_OS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* From the kernel; fit for secrets. Aborts when the kernel has none (it always has on Linux). */
void host_random_bytes(void *data, size_t bytes);
uint64_t host_random_u64(void); /* never 0 */
/* The host's name, from arena. */
const char *host_name(struct arena *arena);
uint32_t host_uid(void); /* effective */
uint32_t host_gid(void);
/* The name of uid, from arena; the number in decimal when the user database has none. */
const char *host_user_name(struct arena *arena, uint32_t uid);
/* The name of the main group of uid; the same rule. */
const char *host_group_name(struct arena *arena, uint32_t uid);
/*
 * The names of all groups of the user called name, the main one first, from arena; the number in
 * decimal of one that has no name. None when the user database does not know the user or cannot be
 * asked. May block.
 */
void host_user_groups(struct arena *arena,
                      struct slice name,
                      const struct slice **ret_groups,
                      size_t *ret_count);
/* HOME, else the user database's, else "/". */
const char *host_home(struct arena *arena);
/* NULL when unset. Borrowed from the environment. */
const char *host_environment(const char *name);
/* "NAME=value" rows, NULL-terminated; borrowed. */
const char *const *host_environment_all(void);
/* Changes this process's environment; call while it has one thread. NULL removes. */
void host_environment_set(const char *name, const char *value);
/* Processors this process may run on, at least 1. */
uint32_t host_cpu_count(void);
/* Physical memory, less if a cgroup limits this process. */
uint64_t host_memory_bytes(void);
/* Directory that holds the running program, from arena; "." when the kernel does not tell. */
const char *host_program_directory(struct arena *arena);
/* True when descriptor is a terminal (0 stdin, 1 stdout, 2 stderr). */
bool host_is_terminal(int descriptor);
/* Columns of the terminal on stdout; 80 when it is none. */
uint32_t host_terminal_columns(void);

#endif
