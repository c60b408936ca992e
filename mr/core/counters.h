/*
 * counters.h - named numbers of one attempt. Bounded: names beyond COUNTERS_MAX are added up under
 * one of their own, so that a job that counts too many things goes on.
 */
#ifndef MILLRACE_MR_CORE_COUNTERS_H
#define MILLRACE_MR_CORE_COUNTERS_H

#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
    COUNTERS_MAX = 512,
    COUNTER_NAME_BYTES_MAX = 128 /* of group and of name; longer ones are cut */
};

/*
 * What the engine counts by itself, in the group "task"; cpu_ms is its host's to add.
 * X(constant, name)
 */
#define TASK_COUNTER_LIST(X)                                                                       \
 X(TASK_MAP_INPUT_RECORDS, "map_input_records")                                                    \
 X(TASK_MAP_INPUT_BYTES, "map_input_bytes")                                                        \
 X(TASK_MAP_OUTPUT_RECORDS, "map_output_records")                                                  \
 X(TASK_MAP_OUTPUT_BYTES, "map_output_bytes")                                                      \
 X(TASK_COMBINE_INPUT_RECORDS, "combine_input_records")                                            \
 X(TASK_COMBINE_OUTPUT_RECORDS, "combine_output_records")                                          \
 X(TASK_SPILLED_RECORDS, "spilled_records")                                                        \
 X(TASK_SPILLS, "spills")                                                                          \
 X(TASK_MAP_FILE_BYTES, "map_file_bytes")                                                          \
 X(TASK_SHUFFLED_BYTES, "shuffled_bytes")                                                          \
 X(TASK_MERGED_RUNS, "merged_runs")                                                                \
 X(TASK_REDUCE_INPUT_GROUPS, "reduce_input_groups")                                                \
 X(TASK_REDUCE_INPUT_RECORDS, "reduce_input_records")                                              \
 X(TASK_OUTPUT_RECORDS, "output_records")                                                          \
 X(TASK_OUTPUT_BYTES, "output_bytes")                                                              \
 X(TASK_CPU_MS, "cpu_ms")

enum task_counter {
#define TASK_COUNTER_ENUM(constant, name) constant,
    TASK_COUNTER_LIST(TASK_COUNTER_ENUM)
#undef TASK_COUNTER_ENUM
    TASK_COUNTER_COUNT
};

/* The group of the engine's own counters. */
#define TASK_COUNTER_GROUP "task"

const char *task_counter_name(enum task_counter counter);

struct counters;

struct counters *counters_open(void);
void counters_close(struct counters *counters); /* NULL is fine */
/* Cheap: no lookup. */
void counters_add_task(struct counters *counters, enum task_counter counter, uint64_t n);
uint64_t counters_get_task(const struct counters *counters, enum task_counter counter);
void counters_add(struct counters *counters, struct slice group, struct slice name, uint64_t n);
/* 0 when it was never added to. */
uint64_t counters_get(const struct counters *counters, struct slice group, struct slice name);
/* Adds all of source. */
void counters_merge(struct counters *counters, const struct counters *source);
void counters_clear(struct counters *counters);

/*
 * Walks those that are not zero, the engine's first, then in order of first use. Start with
 * *cursor 0; false at the end.
 */
bool counters_next(const struct counters *counters,
                   size_t *cursor,
                   struct slice *ret_group,
                   struct slice *ret_name,
                   uint64_t *ret_value);

#endif
