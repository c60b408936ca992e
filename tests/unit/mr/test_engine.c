/*
 * test_engine.c - whole jobs through mr/core in memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fault.h"
#include "lib/base/rng.h"
#include "tests/support/unit.h"
#include "tests/unit/mr/memory_host.h"

enum {
    OUTPUTS_MAX = 400,
    MEMORY_PLENTY = 64 << 20
};

static struct fixture {
    struct memory_host host;
    struct counters *counters;
    struct buf outputs[OUTPUTS_MAX];
    struct buf all; /* the outputs joined, each behind "#" */
    struct buf input;
    struct buf expected;
    struct error error;
} f;

static void clear_outputs(void)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        buf_close(&f.outputs[i]);
    buf_close(&f.all);
}

static void setup(void)
{
    f = (struct fixture){.counters = counters_open()};
}

static void teardown(void)
{
    fault_disarm_all();
    clear_outputs();
    buf_close(&f.input);
    buf_close(&f.expected);
    counters_close(f.counters);
    memory_host_close(&f.host);
}

static enum status run(const struct mr_job *job,
                       struct slice input,
                       uint64_t split_bytes,
                       uint32_t reduces,
                       uint64_t memory_bytes,
                       bool segments_on_disk)
{
    struct memory_job memory_job = {
        .settings = {.job = job, .reduces = reduces, .memory_bytes = memory_bytes},
        .input = input,
        .split_bytes = split_bytes,
        .segments_on_disk = segments_on_disk,
    };
    size_t maps = (input.length + split_bytes - 1) / split_bytes;
    enum status status;

    clear_outputs();
    counters_clear(f.counters);
    status = memory_job_run(&f.host, &memory_job, f.outputs, OUTPUTS_MAX, f.counters, &f.error);
    for (size_t i = 0; status == OK && i < (reduces > 0 ? reduces : maps); i++) {
        CU_ASSERT_EQUAL_FATAL(buf_append(&f.all, "#", 1), OK);
        CU_ASSERT_EQUAL_FATAL(buf_append_slice(&f.all, buf_slice(&f.outputs[i])), OK);
    }
    CU_ASSERT_EQUAL(f.host.files_open, 0);
    return status;
}

static enum status run_text(const struct mr_job *job, const char *input, uint32_t reduces)
{
    return run(job, slice_from_string(input), 1000, reduces, MEMORY_PLENTY, false);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void map_words_numbers(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    size_t begin = 0;
    (void)key;
    for (size_t i = 0; i <= line.length; i++) {
        if (i < line.length && line.data[i] != ' ')
            continue;
        if (i > begin)
            mr_emit_u64(context, mr_slice_make(line.data + begin, i - begin), 1);
        begin = i + 1;
    }
}

static const struct mr_job words_aggregated = {
    MR_JOB_HEADER,
    .map = map_words_numbers,
    .value_type = MR_VALUE_U64,
    .aggregator = MR_AGGREGATE_SUM,
};

static void combine_sum(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    uint64_t sum = 0;
    uint64_t value;
    while (mr_next_u64(values, &value))
        sum += value;
    mr_emit_u64(context, key, sum);
}

static const struct mr_job words_combined = {
    MR_JOB_HEADER,         .map = map_words_numbers,   .combine = combine_sum,
    .reduce = combine_sum, .value_type = MR_VALUE_U64,
};

static const struct mr_job words_reduced = {
    MR_JOB_HEADER,
    .map = map_words_numbers,
    .reduce = combine_sum,
    .value_type = MR_VALUE_U64,
};

/* Emits (first letter, whole line): the order of the values shows the order of the merge. */
static void map_by_letter(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    if (line.length > 0)
        mr_emit(context, mr_slice_make(line.data, 1), line);
}

static const struct mr_job lines_by_letter = {MR_JOB_HEADER, .map = map_by_letter};

static void given_random_words(size_t bytes, unsigned distinct, struct rng *rng)
{
    while (f.input.length < bytes) {
        CU_ASSERT_EQUAL_FATAL(buf_append_format(&f.input, "w%u%c",
                                                (unsigned)rng_below(rng, distinct),
                                                rng_below(rng, 8) == 0 ? '\n' : ' '),
                              OK);
    }
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_engine__counts_words(void)
{
    CU_ASSERT_EQUAL(run_text(&words_aggregated, "b a b\nc b\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#a\t1\nb\t3\nc\t1\n");
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_MAP_INPUT_RECORDS), 2);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_MAP_INPUT_BYTES), 10);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_MAP_OUTPUT_RECORDS), 5);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_REDUCE_INPUT_GROUPS), 3);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_REDUCE_INPUT_RECORDS), 3);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_OUTPUT_RECORDS), 3);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_OUTPUT_BYTES), 12);
}

static void test_engine__records_of_a_reduce_are_counted_before_they_are_folded(void)
{
    CU_ASSERT_EQUAL(
        run(&words_aggregated, slice_from_string("a b\na c\na\n"), 4, 1, MEMORY_PLENTY, false), OK);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_REDUCE_INPUT_RECORDS), 5);
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_REDUCE_INPUT_GROUPS), 3);
}

static void test_engine__empty_input_gives_empty_outputs(void)
{
    CU_ASSERT_EQUAL(run_text(&words_aggregated, "", 2), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "##");
    CU_ASSERT_EQUAL(run_text(&words_reduced, "\n\n", 2), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "##");
}

static void test_engine__all_ways_of_counting_agree_whatever_memory_and_splits(void)
{
    static const struct mr_job *const jobs[] = {&words_aggregated, &words_combined, &words_reduced};
    static const uint64_t memories[] = {TASK_MEMORY_BYTES_MIN, 200000, MEMORY_PLENTY};
    static const uint64_t splits[] = {7001, 60000, 1 << 20};
    struct rng rng = rng_seed(unit_seed());
    uint64_t spills = 0;

    given_random_words(400000, 9000, &rng);
    CU_ASSERT_EQUAL_FATAL(
        run(&words_reduced, buf_slice(&f.input), 1 << 20, 3, MEMORY_PLENTY, false), OK);
    CU_ASSERT_EQUAL_FATAL(buf_append_slice(&f.expected, buf_slice(&f.all)), OK);
    for (size_t j = 0; j < 3; j++) {
        for (size_t m = 0; m < 3; m++) {
            for (size_t s = 0; s < 3; s++) {
                CU_ASSERT_EQUAL_FATAL(
                    run(jobs[j], buf_slice(&f.input), splits[s], 3, memories[m], s == 1), OK);
                CU_ASSERT_TRUE(slice_equal(buf_slice(&f.all), buf_slice(&f.expected)));
                spills += counters_get_task(f.counters, TASK_SPILLS);
            }
        }
    }
    CU_ASSERT_TRUE(spills > 50);
}

static void test_engine__values_come_in_input_order_however_many_spills(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (uint32_t i = 0; i < 9000; i++) {
        CU_ASSERT_EQUAL_FATAL(buf_append_format(&f.input, "%c line %u with some more text in it\n",
                                                (char)('a' + rng_below(&rng, 4)), i),
                              OK);
    }
    for (char letter = 'a'; letter < 'e'; letter++) {
        struct slice rest = buf_slice(&f.input);
        while (rest.length > 0) {
            struct slice line = input_take_line(&rest);
            if (line.data[0] == letter)
                CU_ASSERT_EQUAL_FATAL(
                    buf_append_format(&f.expected, "%c\t%.*s\n", letter, SLICE_ARGS(line)), OK);
        }
    }
    /* 300 maps in one case, so that segments on disk are merged in two rounds. */
    for (unsigned i = 0; i < 4; i++) {
        uint64_t split = i < 2 ? f.input.length / 300 : 100000;
        uint64_t memory = i % 2 == 0 ? TASK_MEMORY_BYTES_MIN : MEMORY_PLENTY;
        CU_ASSERT_EQUAL_FATAL(run(&lines_by_letter, buf_slice(&f.input), split, 1, memory, true),
                              OK);
        CU_ASSERT_TRUE(slice_equal(buf_slice(&f.outputs[0]), buf_slice(&f.expected)));
    }
}

static void test_engine__many_spills_are_merged_in_rounds(void)
{
    struct rng rng = rng_seed(unit_seed());
    given_random_words(5 << 20, 1u << 30, &rng);
    CU_ASSERT_EQUAL_FATAL(
        run(&words_reduced, buf_slice(&f.input), 8 << 20, 2, MEMORY_PLENTY, false), OK);
    CU_ASSERT_EQUAL_FATAL(buf_append_slice(&f.expected, buf_slice(&f.all)), OK);
    CU_ASSERT_EQUAL_FATAL(
        run(&words_reduced, buf_slice(&f.input), 8 << 20, 2, TASK_MEMORY_BYTES_MIN, false), OK);
    CU_ASSERT_TRUE(counters_get_task(f.counters, TASK_SPILLS) > RECORD_MERGE_MAX);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&f.all), buf_slice(&f.expected)));
}

static uint32_t by_last_digit(struct mr_context *context, struct mr_slice key, uint32_t reduces)
{
    (void)context;
    return (uint32_t)(key.data[key.length - 1] - '0') % reduces;
}

static int descending(struct mr_context *context, struct mr_slice left, struct mr_slice right)
{
    (void)context;
    return slice_compare(slice_make(right.data, right.length), slice_make(left.data, left.length));
}

static void test_engine__own_partition_and_compare_decide(void)
{
    struct mr_job job = words_aggregated;
    job.partition = by_last_digit;
    job.compare = descending;
    CU_ASSERT_EQUAL(run_text(&job, "a1 a2 b1 b2 a1 c2\n", 2), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#c2\t1\nb2\t1\na2\t1\n#b1\t1\na1\t2\n");
    job = words_combined;
    job.partition = by_last_digit;
    job.compare = descending;
    CU_ASSERT_EQUAL(run_text(&job, "a1 a2 b1 b2 a1 c2\n", 2), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#c2\t1\nb2\t1\na2\t1\n#b1\t1\na1\t2\n");
}

static uint32_t beyond_the_last(struct mr_context *context, struct mr_slice key, uint32_t reduces)
{
    (void)context;
    (void)key;
    return reduces;
}

static void test_engine__partition_out_of_range_fails_the_task(void)
{
    struct mr_job job = words_aggregated;
    job.partition = beyond_the_last;
    CU_ASSERT_EQUAL(run_text(&job, "a\n", 2), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(
        f.error.text, "map at byte 0 of /input: partition answered 2, but there are 2 reduces");
}

/* Secondary sort: keys "k1 5"; group by the first word, values by the second. */
static int same_first_word(struct mr_context *context, struct mr_slice left, struct mr_slice right)
{
    (void)context;
    return strncmp(left.data, right.data, 2);
}

static void map_whole_line(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    mr_emit(context, line, mr_absent());
}

static void reduce_join(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    char text[200] = "";
    struct mr_slice value;
    while (mr_next(values, &value))
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s,",
                       (int)values->key.length - 3, values->key.data + 3);
    mr_emit(context, mr_slice_make(key.data, 2), mr_slice_from_string(text));
}

static void test_engine__groups_may_be_wider_than_keys(void)
{
    const struct mr_job job = {MR_JOB_HEADER, .map = map_whole_line, .reduce = reduce_join,
                               .group = same_first_word};
    CU_ASSERT_EQUAL(run_text(&job, "k2 9\nk1 5\nk1 1\nk2 3\nk1 3\nk3 7\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#k1\t1,3,5,\nk2\t3,9,\nk3\t7,\n");
}

static void reduce_first(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    struct mr_slice value;
    if (mr_next(values, &value))
        mr_emit(context, key, value);
}

static void reduce_greedy(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    struct mr_slice value;
    uint64_t count = 0;
    while (mr_next(values, &value))
        count++;
    for (unsigned i = 0; i < 3; i++)
        count += mr_next(values, &value);
    mr_emit_u64(context, key, count);
}

static void test_engine__reduce_may_read_fewer_values_or_ask_for_more(void)
{
    struct mr_job job = lines_by_letter;
    job.reduce = reduce_first;
    CU_ASSERT_EQUAL(run_text(&job, "b1\nb2\na1\nb3\nc1\na2\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#a\ta1\nb\tb1\nc\tc1\n");
    job.reduce = reduce_greedy;
    CU_ASSERT_EQUAL(run_text(&job, "b1\nb2\na1\nb3\nc1\na2\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#a\t2\nb\t3\nc\t1\n");
}

static void map_i64(struct mr_context *context, struct mr_slice key, struct mr_slice value)
{
    mr_emit_i64(context, key, strtoll(value.data, NULL, 10));
}

static void map_f64(struct mr_context *context, struct mr_slice key, struct mr_slice value)
{
    mr_emit_f64(context, key, strtod(value.data, NULL));
}

static void test_engine__aggregators_know_signs_and_fractions(void)
{
    static const char input[] = "a\t-5\na\t3\nb\t7\na\t-9223372036854775808\n";
    struct mr_job job = {MR_JOB_HEADER, .map = map_i64, .input = MR_INPUT_KEY_VALUE,
                         .value_type = MR_VALUE_I64, .aggregator = MR_AGGREGATE_MIN};
    CU_ASSERT_EQUAL(run_text(&job, input, 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#a\t-9223372036854775808\nb\t7\n");
    job.aggregator = MR_AGGREGATE_MAX;
    CU_ASSERT_EQUAL(run_text(&job, input, 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#a\t3\nb\t7\n");
    job.map = map_f64;
    job.value_type = MR_VALUE_F64;
    job.aggregator = MR_AGGREGATE_SUM;
    CU_ASSERT_EQUAL(run_text(&job, "a\t0.1\nb\t1e300\na\t0.2\nb\t-0.5\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#a\t0.30000000000000004\nb\t1e+300\n");
}

static void test_engine__sums_of_fractions_are_the_same_bits_every_time(void)
{
    const struct mr_job job = {MR_JOB_HEADER, .map = map_f64, .input = MR_INPUT_KEY_VALUE,
                               .value_type = MR_VALUE_F64, .aggregator = MR_AGGREGATE_SUM};
    struct rng rng = rng_seed(unit_seed());
    for (unsigned i = 0; i < 20000; i++) {
        CU_ASSERT_EQUAL_FATAL(
            buf_append_format(&f.input, "k%u\t%u.%u\n", (unsigned)rng_below(&rng, 2000),
                              (unsigned)rng_below(&rng, 100000), (unsigned)rng_below(&rng, 100000)),
            OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(
            run(&job, buf_slice(&f.input), 100000, 2, TASK_MEMORY_BYTES_MIN, i == 1), OK);
        CU_ASSERT_TRUE(counters_get_task(f.counters, TASK_SPILLS) > 0);
        if (i == 0)
            CU_ASSERT_EQUAL_FATAL(buf_append_slice(&f.expected, buf_slice(&f.all)), OK);
        CU_ASSERT_TRUE(slice_equal(buf_slice(&f.all), buf_slice(&f.expected)));
    }
}

static void test_engine__count_ignores_the_values(void)
{
    struct mr_job job = words_aggregated;
    job.aggregator = MR_AGGREGATE_COUNT;
    CU_ASSERT_EQUAL(run_text(&job, "x y x\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#x\t2\ny\t1\n");
}

static void map_lines_as_they_are(struct mr_context *c, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    mr_emit(c, mr_absent(), line);
}

static void test_engine__without_reduces_maps_write_in_order(void)
{
    const struct mr_job job = {MR_JOB_HEADER, .map = map_lines_as_they_are};
    CU_ASSERT_EQUAL(run(&job, slice_from_string("b\na\n\nc\n"), 3, 0, MEMORY_PLENTY, false), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#b\na\n#\nc\n#");
}

static void map_fixed_record(struct mr_context *context, struct mr_slice key, struct mr_slice value)
{
    mr_emit(context, key, value);
}

static void test_engine__fixed_records_are_sorted_as_they_are(void)
{
    const struct mr_job job = {MR_JOB_HEADER,     .map = map_fixed_record, .input = MR_INPUT_FIXED,
                               .record_bytes = 4, .key_bytes = 2,          .output = MR_OUTPUT_RAW};
    CU_ASSERT_EQUAL(run(&job, slice_from_string("bb01aa02cc03aa04"), 5, 1, MEMORY_PLENTY, false),
                    OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#aa02aa04bb01cc03");
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_MAP_INPUT_RECORDS), 4);
}

static void split_counts_bytes(struct mr_context *context, struct mr_slice records)
{
    char text[40];
    (void)snprintf(text, sizeof(text), "%" PRIu64 "+%zu", mr_offset(context), records.length);
    mr_emit(context, mr_slice_from_string(text),
            mr_slice_from_string(mr_task(context)->input_path));
}

static void test_engine__map_split_gets_runs_of_whole_lines(void)
{
    const struct mr_job job = {MR_JOB_HEADER, .map_split = split_counts_bytes};
    CU_ASSERT_EQUAL(run(&job, slice_from_string("aaa\nbbb\ncc"), 5, 0, MEMORY_PLENTY, false), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#0+8\t/input\n#8+2\t/input\n");
}

static void setup_emits(struct mr_context *context)
{
    context->user = malloc(1);
    mr_emit_u64(context, mr_slice_from_string("setup"), 1);
}

static void finish_emits(struct mr_context *context)
{
    if (context->user != NULL)
        mr_emit_u64(context, mr_slice_from_string("user kept"), 1);
}

static void cleanup_frees(struct mr_context *context)
{
    mr_count(context, "job", mr_task(context)->is_reduce ? "reduces" : "maps", 1);
    free(context->user);
}

static void cleanup_emits(struct mr_context *context)
{
    mr_emit_u64(context, mr_slice_from_string("too late"), 1);
}

/* What is freed in cleanup is still needed in combine; a sanitizer would tell. */
static void combine_with_user(struct mr_context *context,
                              struct mr_slice key,
                              struct mr_values *values)
{
    char *user = (char *)context->user;
    user[0]++;
    combine_sum(context, key, values);
}

static void test_engine__cleanup_comes_after_combine_and_cannot_emit(void)
{
    struct mr_job job = words_combined;
    job.setup = setup_emits;
    job.combine = combine_with_user;
    job.cleanup = cleanup_frees;
    CU_ASSERT_EQUAL(run_text(&job, "w\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all), "#setup\t1\nsetup\t1\nw\t1\n");
    job = words_combined;
    job.cleanup = cleanup_emits;
    CU_ASSERT_EQUAL(run_text(&job, "w\n", 1), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, "cleanup: mr_emit is not possible here");
}

static void test_engine__setup_and_finish_may_emit_and_share_the_users_pointer(void)
{
    struct mr_job job = words_aggregated;
    job.setup = setup_emits;
    job.finish = finish_emits;
    job.cleanup = cleanup_frees;
    CU_ASSERT_EQUAL(run_text(&job, "w\n", 1), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.all),
                           "#setup\t1\nsetup\t1\nuser kept\t1\nw\t1\nuser kept\t1\n");
    CU_ASSERT_EQUAL(counters_get(f.counters, slice_from_string("job"), slice_from_string("maps")),
                    1);
    CU_ASSERT_EQUAL(
        counters_get(f.counters, slice_from_string("job"), slice_from_string("reduces")), 1);
}

static void map_fails_on_bad(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    if (line.length == 3)
        mr_fail(context, "cannot read \"%.*s\"", (int)line.length, line.data);
    mr_emit_u64(context, line, 1);
}

static void test_engine__mr_fail_ends_the_task_with_place_and_sentence(void)
{
    struct mr_job job = words_aggregated;
    job.map = map_fails_on_bad;
    CU_ASSERT_EQUAL(run_text(&job, "fine\nbad\nlater\n", 1), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, "map at byte 5 of /input: cannot read \"bad\"");
    CU_ASSERT_EQUAL(counters_get_task(f.counters, TASK_MAP_INPUT_RECORDS), 2);
}

static void setup_refuses(struct mr_context *context)
{
    mr_fail(context, "parameter %s is missing", "depth");
}

static void test_engine__setup_refuses_the_whole_job(void)
{
    struct mr_job job = words_aggregated;
    job.map = map_fails_on_bad;
    CU_ASSERT_EQUAL(run_text(&job, "bad\n", 1), ERR_INVALID);
    CU_ASSERT_FALSE(f.host.is_refused); /* another attempt may see it otherwise */
    job.setup = setup_refuses;
    CU_ASSERT_EQUAL(run_text(&job, "bad\n", 1), ERR_INVALID);
    CU_ASSERT_TRUE(f.host.is_refused);
    CU_ASSERT_STRING_EQUAL(f.error.text, "setup: parameter depth is missing");
}

static void test_engine__cleanup_comes_after_a_failure_too(void)
{
    struct mr_job job = words_aggregated;
    job.map = map_fails_on_bad;
    job.setup = setup_emits;
    job.cleanup = cleanup_frees; /* frees what setup got: a sanitizer would tell */
    CU_ASSERT_EQUAL(run_text(&job, "bad\n", 1), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, "map at byte 0 of /input: cannot read \"bad\"");
    CU_ASSERT_EQUAL(counters_get(f.counters, slice_from_string("job"), slice_from_string("maps")),
                    1);
}

static void reduce_fails(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    (void)values;
    if (key.data[0] == 'b')
        mr_fail(context, "no %s", "b");
}

static void test_engine__failing_reduce_names_itself(void)
{
    struct mr_job job = words_reduced;
    job.reduce = reduce_fails;
    CU_ASSERT_EQUAL(run_text(&job, "a b c\n", 1), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, "reduce 0: no b");
}

static void combine_wanders(struct mr_context *context,
                            struct mr_slice key,
                            struct mr_values *values)
{
    (void)key;
    (void)values;
    mr_emit_u64(context, mr_slice_from_string("elsewhere"), 1);
}

static void test_engine__combine_must_stay_under_its_key(void)
{
    struct mr_job job = words_combined;
    job.combine = combine_wanders;
    CU_ASSERT_EQUAL(run_text(&job, "a\n", 1), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, "combine must emit under the key that it was given");
}

static void map_emits_bytes(struct mr_context *context, struct mr_slice key, struct mr_slice line)
{
    (void)key;
    mr_emit(context, line, line);
}

static void test_engine__wrong_kind_of_value_is_refused(void)
{
    struct mr_job job = words_aggregated;
    job.map = map_emits_bytes;
    CU_ASSERT_EQUAL(run_text(&job, "a\n", 1), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "value_type"));
    job = lines_by_letter;
    job.map = map_words_numbers;
    CU_ASSERT_EQUAL(run_text(&job, "a\n", 1), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "value_type"));
}

static void test_engine__jobs_that_cannot_work_are_refused_before_they_run(void)
{
    struct mr_job job = words_aggregated;
    job.map_split = split_counts_bytes;
    CU_ASSERT_EQUAL(task_job_check(&job, &f.error), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text,
                           "job (without name): it needs exactly one of map and map_split");
    job = words_aggregated;
    job.combine = combine_sum;
    CU_ASSERT_EQUAL(task_job_check(&job, &f.error), ERR_INVALID);
    job = words_aggregated;
    job.value_type = MR_VALUE_BYTES;
    CU_ASSERT_EQUAL(task_job_check(&job, &f.error), ERR_INVALID);
    job = lines_by_letter;
    job.input = MR_INPUT_FIXED;
    CU_ASSERT_EQUAL(task_job_check(&job, &f.error), ERR_INVALID);
    CU_ASSERT_EQUAL(run_text(&words_aggregated, "a\n", 0), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text,
                           "the job has an aggregator, so it needs at least one reduce");
}

static void test_engine__cancelled_attempt_stops_at_any_watch(void)
{
    struct rng rng = rng_seed(unit_seed());
    uint64_t total;
    given_random_words(100000, 5000, &rng);
    CU_ASSERT_EQUAL_FATAL(
        run(&words_reduced, buf_slice(&f.input), 30000, 2, TASK_MEMORY_BYTES_MIN, false), OK);
    total = f.host.watches;
    CU_ASSERT_TRUE(total > 20);
    for (uint64_t nth = 1; nth <= total; nth += nth < 20 ? 1 : 17) {
        f.host.watches = 0;
        f.host.cancel_at = nth;
        CU_ASSERT_EQUAL(
            run(&words_reduced, buf_slice(&f.input), 30000, 2, TASK_MEMORY_BYTES_MIN, false),
            ERR_CANCELLED);
    }
}

static void test_engine__every_call_of_the_host_may_fail(void)
{
    static const struct mr_job *const jobs[] = {&words_aggregated, &words_combined};
    struct rng rng = rng_seed(unit_seed());
    given_random_words(200000, 20000, &rng);
    for (size_t j = 0; j < 2; j++) {
        for (uint64_t nth = 1;; nth += nth < 60 ? 1 : 23) {
            enum status status;
            f.host.calls = 0;
            f.host.fail_at = nth;
            status = run(jobs[j], buf_slice(&f.input), 150000, 2, 200000, true);
            if (f.host.calls < nth) {
                CU_ASSERT_EQUAL(status, OK);
                CU_ASSERT_TRUE(nth > 50);
                break;
            }
            CU_ASSERT_EQUAL(status, ERR_IO);
        }
    }
}

/* The whole job with the n-th allocation failing; true when one did. */
static bool run_without_memory(const struct mr_job *job, uint64_t nth, uint64_t repeat)
{
    struct memory_job memory_job = {
        .settings = {.job = job, .reduces = 2, .memory_bytes = TASK_MEMORY_BYTES_MIN},
        .input = buf_slice(&f.input),
        .split_bytes = 30000,
        .segments_on_disk = true,
    };
    clear_outputs();
    counters_clear(f.counters);
    fault_arm(FAULT_MEM, nth, repeat);
    enum status status =
        memory_job_run(&f.host, &memory_job, f.outputs, OUTPUTS_MAX, f.counters, &f.error);
    bool has_failed = fault_failures(FAULT_MEM) > 0;
    fault_disarm_all();
    CU_ASSERT_EQUAL(f.host.files_open, 0);
    /* What only makes it faster may be done without. */
    CU_ASSERT_TRUE(status == OK || (has_failed && status == ERR_NO_MEMORY));
    if (status == OK) {
        CU_ASSERT_TRUE(slice_equal(buf_slice(&f.outputs[0]), buf_slice(&f.expected)));
    } else {
        CU_ASSERT_TRUE(strlen(f.error.text) > 0);
    }
    return has_failed;
}

static void test_engine__every_allocation_may_fail(void)
{
    static const struct mr_job *const jobs[] = {&words_aggregated, &words_combined, &words_reduced,
                                                &lines_by_letter};
    static const uint64_t repeats[] = {1, FAULT_FOREVER};
    struct rng rng = rng_seed(unit_seed());
    given_random_words(60000, 4000, &rng);
    for (size_t j = 0; j < 2 * UNIT_COUNT(jobs); j++) {
        CU_ASSERT_EQUAL_FATAL(
            run(jobs[j / 2], buf_slice(&f.input), 30000, 2, TASK_MEMORY_BYTES_MIN, true), OK);
        buf_clear(&f.expected);
        CU_ASSERT_EQUAL_FATAL(buf_append_slice(&f.expected, buf_slice(&f.outputs[0])), OK);
        uint64_t nth = 1;
        while (run_without_memory(jobs[j / 2], nth, repeats[j % 2]))
            nth += nth < 100 ? 1 : 7;
        CU_ASSERT_TRUE(nth > 20);
    }
}

static const struct unit_test tests[] = {
    {"test_engine__every_allocation_may_fail",
     "Every allocation may fail: a sentence, or the same bytes.",                                                          test_engine__every_allocation_may_fail                             },
    {"test_engine__counts_words",                                           "Counts words.",                               test_engine__counts_words                                          },
    {"test_engine__records_of_a_reduce_are_counted_before_they_are_folded",
     "Records of a reduce are counted before they are folded.",                                                            test_engine__records_of_a_reduce_are_counted_before_they_are_folded},
    {"test_engine__empty_input_gives_empty_outputs",                        "Empty input gives empty outputs.",
     test_engine__empty_input_gives_empty_outputs                                                                                                                                             },
    {"test_engine__all_ways_of_counting_agree_whatever_memory_and_splits",
     "All ways of counting agree, whatever memory and splits.",                                                            test_engine__all_ways_of_counting_agree_whatever_memory_and_splits },
    {"test_engine__values_come_in_input_order_however_many_spills",
     "Values come in input order, however many spills.",                                                                   test_engine__values_come_in_input_order_however_many_spills        },
    {"test_engine__many_spills_are_merged_in_rounds",                       "Many spills are merged in rounds.",
     test_engine__many_spills_are_merged_in_rounds                                                                                                                                            },
    {"test_engine__own_partition_and_compare_decide",                       "The job's own partition and compare decide.",
     test_engine__own_partition_and_compare_decide                                                                                                                                            },
    {"test_engine__partition_out_of_range_fails_the_task",
     "A partition out of range fails the task.",                                                                           test_engine__partition_out_of_range_fails_the_task                 },
    {"test_engine__groups_may_be_wider_than_keys",                          "Groups may be wider than keys.",
     test_engine__groups_may_be_wider_than_keys                                                                                                                                               },
    {"test_engine__reduce_may_read_fewer_values_or_ask_for_more",
     "A reduce may read fewer values or ask for more.",                                                                    test_engine__reduce_may_read_fewer_values_or_ask_for_more          },
    {"test_engine__aggregators_know_signs_and_fractions",                   "Aggregators know signs and fractions.",
     test_engine__aggregators_know_signs_and_fractions                                                                                                                                        },
    {"test_engine__sums_of_fractions_are_the_same_bits_every_time",
     "Sums of fractions are the same bits every time.",                                                                    test_engine__sums_of_fractions_are_the_same_bits_every_time        },
    {"test_engine__count_ignores_the_values",                               "Count ignores the values.",
     test_engine__count_ignores_the_values                                                                                                                                                    },
    {"test_engine__without_reduces_maps_write_in_order",                    "Without reduces maps write in order.",
     test_engine__without_reduces_maps_write_in_order                                                                                                                                         },
    {"test_engine__fixed_records_are_sorted_as_they_are",                   "Fixed records are sorted as they are.",
     test_engine__fixed_records_are_sorted_as_they_are                                                                                                                                        },
    {"test_engine__map_split_gets_runs_of_whole_lines",                     "map_split gets runs of whole lines.",
     test_engine__map_split_gets_runs_of_whole_lines                                                                                                                                          },
    {"test_engine__cleanup_comes_after_combine_and_cannot_emit",
     "cleanup comes after combine and cannot emit.",                                                                       test_engine__cleanup_comes_after_combine_and_cannot_emit           },
    {"test_engine__setup_and_finish_may_emit_and_share_the_users_pointer",
     "setup and finish may emit and share the user's pointer.",                                                            test_engine__setup_and_finish_may_emit_and_share_the_users_pointer },
    {"test_engine__mr_fail_ends_the_task_with_place_and_sentence",
     "mr_fail ends the task with place and sentence.",                                                                     test_engine__mr_fail_ends_the_task_with_place_and_sentence         },
    {"test_engine__setup_refuses_the_whole_job",                            "setup refuses the whole job.",
     test_engine__setup_refuses_the_whole_job                                                                                                                                                 },
    {"test_engine__cleanup_comes_after_a_failure_too",                      "cleanup comes after a failure, too.",
     test_engine__cleanup_comes_after_a_failure_too                                                                                                                                           },
    {"test_engine__failing_reduce_names_itself",                            "A failing reduce names itself.",
     test_engine__failing_reduce_names_itself                                                                                                                                                 },
    {"test_engine__combine_must_stay_under_its_key",                        "Combine must stay under its key.",
     test_engine__combine_must_stay_under_its_key                                                                                                                                             },
    {"test_engine__wrong_kind_of_value_is_refused",                         "The wrong kind of value is refused.",
     test_engine__wrong_kind_of_value_is_refused                                                                                                                                              },
    {"test_engine__jobs_that_cannot_work_are_refused_before_they_run",
     "Jobs that cannot work are refused before they run.",                                                                 test_engine__jobs_that_cannot_work_are_refused_before_they_run     },
    {"test_engine__cancelled_attempt_stops_at_any_watch",                   "A cancelled attempt stops at any watch.",
     test_engine__cancelled_attempt_stops_at_any_watch                                                                                                                                        },
    {"test_engine__every_call_of_the_host_may_fail",                        "Every call of the host may fail.",
     test_engine__every_call_of_the_host_may_fail                                                                                                                                             },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/engine", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
