/*
 * groups.c - see groups.h. The mutex guards the table; it is never held over a lookup.
 */
#include "lib/daemon/groups.h"

#include <stdatomic.h>

#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"
#include "lib/os/thread.h"

struct group_list {
    atomic_uint holders;
    struct arena *arena;
    const struct slice *names;
    size_t count;
};

/* What is known of one user. */
struct known_user {
    struct group_list *list;
    int64_t expires_ms;
    bool is_asked; /* somebody is on the way to the next answer */
};

struct groups {
    struct groups_options options;
    struct mutex *mutex;
    struct map *users; /* name to struct known_user */
};

static void look_into_database(void *user,
                               struct slice name,
                               struct arena *arena,
                               const struct slice **ret_groups,
                               size_t *ret_count)
{
    (void)user;
    host_user_groups(arena, name, ret_groups, ret_count);
}

static int64_t monotonic_ms(void *user)
{
    (void)user;
    return clock_monotonic_ms();
}

struct groups *groups_open(const struct groups_options *options)
{
    CHECK(options->keep_ms > 0);
    struct groups *groups = MEM_NEW(struct groups);
    groups->options = *options;
    if (groups->options.lookup == NULL)
        groups->options.lookup = look_into_database;
    if (groups->options.now_ms == NULL)
        groups->options.now_ms = monotonic_ms;
    groups->mutex = mutex_open();
    groups->users = map_open();
    return groups;
}

static void forget_all(struct groups *groups)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_next(groups->users, &cursor, NULL, &value)) {
        struct known_user *known = value;
        group_list_release(known->list);
        mem_free(known);
    }
    map_clear(groups->users);
}

void groups_close(struct groups *groups)
{
    if (groups == NULL)
        return;
    forget_all(groups);
    map_close(groups->users);
    mutex_close(groups->mutex);
    mem_free(groups);
}

static struct group_list *hold(struct group_list *list)
{
    atomic_fetch_add(&list->holders, 1);
    return list;
}

void group_list_release(struct group_list *list)
{
    if (list == NULL || atomic_fetch_sub(&list->holders, 1) > 1)
        return;
    arena_close(list->arena);
    mem_free(list);
}

const struct slice *group_list_names(const struct group_list *list, size_t *ret_count)
{
    *ret_count = list == NULL ? 0 : list->count;
    return list == NULL ? NULL : list->names;
}

/* A good enough answer, or NULL: then the caller has to ask. */
static struct group_list *find_known(struct groups *groups, struct slice name)
{
    struct group_list *list = NULL;
    int64_t now_ms = groups->options.now_ms(groups->options.user);
    mutex_lock(groups->mutex);
    struct known_user *known = map_get(groups->users, name);
    if (known != NULL && (known->expires_ms > now_ms || known->is_asked))
        list = hold(known->list);
    else if (known != NULL)
        known->is_asked = true;
    mutex_unlock(groups->mutex);
    return list;
}

static void keep(struct groups *groups, struct slice name, struct group_list *list)
{
    int64_t now_ms = groups->options.now_ms(groups->options.user);
    mutex_lock(groups->mutex);
    struct known_user *known = map_get(groups->users, name);
    if (known == NULL) {
        if (map_count(groups->users) >= GROUPS_USERS_MAX)
            forget_all(groups);
        known = MEM_NEW(struct known_user);
        (void)map_put(groups->users, name, known); /* it was not there */
    }
    group_list_release(known->list);
    known->list = hold(list);
    known->expires_ms = now_ms + groups->options.keep_ms;
    known->is_asked = false;
    mutex_unlock(groups->mutex);
}

struct group_list *groups_find(struct groups *groups, struct slice name)
{
    struct group_list *list = find_known(groups, name);
    if (list != NULL)
        return list;
    list = MEM_NEW(struct group_list);
    atomic_store(&list->holders, 1);
    list->arena = arena_open(0);
    groups->options.lookup(groups->options.user, name, list->arena, &list->names, &list->count);
    keep(groups, name, list);
    return list;
}
