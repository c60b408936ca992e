/*
 * counters.c - an array for the engine's own and a map for the job's.
 */
#include "mr/core/counters.h"

#include <string.h>

#include "lib/base/map.h"
#include "lib/base/mem.h"

struct counter_entry {
    struct slice group; /* into name_room */
    struct slice name;
    uint64_t value;
    char name_room[2 * COUNTER_NAME_BYTES_MAX];
};

struct counters {
    uint64_t task[TASK_COUNTER_COUNT];
    struct map *named; /* group NUL name -> struct counter_entry */
};

static const char *const task_counter_names[] = {
#define TASK_COUNTER_NAME(constant, name) name,
    TASK_COUNTER_LIST(TASK_COUNTER_NAME)
#undef TASK_COUNTER_NAME
};

const char *task_counter_name(enum task_counter counter)
{
    return counter < TASK_COUNTER_COUNT ? task_counter_names[counter] : "?";
}

struct counters *counters_open(void)
{
    struct counters *counters = MEM_NEW(struct counters);
    counters->named = map_open();
    return counters;
}

void counters_clear(struct counters *counters)
{
    size_t cursor = 0;
    void *entry;
    while (map_next(counters->named, &cursor, NULL, &entry))
        mem_free(entry);
    map_clear(counters->named);
    memset(counters->task, 0, sizeof(counters->task));
}

void counters_close(struct counters *counters)
{
    if (counters == NULL)
        return;
    counters_clear(counters);
    map_close(counters->named);
    mem_free(counters);
}

void counters_add_task(struct counters *counters, enum task_counter counter, uint64_t n)
{
    counters->task[counter] += n;
}

uint64_t counters_get_task(const struct counters *counters, enum task_counter counter)
{
    return counters->task[counter];
}

static struct slice cut(struct slice text)
{
    if (text.length > COUNTER_NAME_BYTES_MAX)
        text.length = COUNTER_NAME_BYTES_MAX;
    return text;
}

/* Key of the map, in room of 2 * COUNTER_NAME_BYTES_MAX + 1. */
static struct slice counter_key(struct slice group, struct slice name, char *room)
{
    memcpy(room, group.data, group.length);
    room[group.length] = '\0';
    memcpy(room + group.length + 1, name.data, name.length);
    return slice_make(room, group.length + 1 + name.length);
}

static bool find_task_counter(struct slice group, struct slice name, size_t *ret_index)
{
    if (!slice_equal_string(group, TASK_COUNTER_GROUP))
        return false;
    for (size_t i = 0; i < TASK_COUNTER_COUNT; i++) {
        if (slice_equal_string(name, task_counter_names[i])) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static struct counter_entry *add_entry(struct counters *counters,
                                       struct slice group,
                                       struct slice name,
                                       struct slice key)
{
    struct counter_entry *entry = MEM_NEW(struct counter_entry);
    memcpy(entry->name_room, group.data, group.length);
    memcpy(entry->name_room + group.length, name.data, name.length);
    entry->group = slice_make(entry->name_room, group.length);
    entry->name = slice_make(entry->name_room + group.length, name.length);
    (void)map_put(counters->named, key, entry); /* the key was absent: nothing is replaced */
    return entry;
}

void counters_add(struct counters *counters, struct slice group, struct slice name, uint64_t n)
{
    char room[2 * COUNTER_NAME_BYTES_MAX + 1];
    struct counter_entry *entry;
    struct slice key;
    size_t index;

    if (find_task_counter(group, name, &index)) {
        counters->task[index] += n;
        return;
    }
    group = cut(group);
    name = cut(name);
    key = counter_key(group, name, room);
    entry = map_get(counters->named, key);
    if (entry == NULL && map_count(counters->named) + 1 >= COUNTERS_MAX) {
        group = slice_from_string(TASK_COUNTER_GROUP);
        name = slice_from_string("counters_beyond_limit");
        key = counter_key(group, name, room);
        entry = map_get(counters->named, key);
    }
    if (entry == NULL)
        entry = add_entry(counters, group, name, key);
    entry->value += n;
}

uint64_t counters_get(const struct counters *counters, struct slice group, struct slice name)
{
    char room[2 * COUNTER_NAME_BYTES_MAX + 1];
    const struct counter_entry *entry;
    size_t index;

    if (find_task_counter(group, name, &index))
        return counters->task[index];
    entry = map_get(counters->named, counter_key(cut(group), cut(name), room));
    return entry != NULL ? entry->value : 0;
}

void counters_merge(struct counters *counters, const struct counters *source)
{
    struct slice group;
    struct slice name;
    uint64_t value;
    size_t cursor = 0;
    while (counters_next(source, &cursor, &group, &name, &value))
        counters_add(counters, group, name, value);
}

bool counters_next(const struct counters *counters,
                   size_t *cursor,
                   struct slice *ret_group,
                   struct slice *ret_name,
                   uint64_t *ret_value)
{
    size_t named;
    void *value;

    while (*cursor < TASK_COUNTER_COUNT) {
        size_t index = (*cursor)++;
        if (counters->task[index] == 0)
            continue;
        *ret_group = slice_from_string(TASK_COUNTER_GROUP);
        *ret_name = slice_from_string(task_counter_names[index]);
        *ret_value = counters->task[index];
        return true;
    }
    named = *cursor - TASK_COUNTER_COUNT;
    if (!map_next(counters->named, &named, NULL, &value))
        return false;
    *cursor = named + TASK_COUNTER_COUNT;
    *ret_group = ((const struct counter_entry *)value)->group;
    *ret_name = ((const struct counter_entry *)value)->name;
    *ret_value = ((const struct counter_entry *)value)->value;
    return true;
}
