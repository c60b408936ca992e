/*
 * test_datanode_latency.c - dfs/datanode/daemon/latency.h: percentiles of a sliding window.
 */
#include "dfs/datanode/daemon/latency.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/rng.h"
#include "tests/support/unit.h"

#define SECOND_US INT64_C(1000000)

static struct fixture {
    struct latencies *latencies;
    struct arena *arena;
    int64_t now_us;
} f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .now_us = 1000 * SECOND_US};
    f.latencies = latencies_open(2);
}

static void teardown(void)
{
    latencies_close(f.latencies);
    arena_close(f.arena);
}

static void test_latency__nothing_happened_is_all_zeros(void)
{
    struct dfs_latency_report report = latencies_of_node(f.latencies, f.now_us);
    CU_ASSERT_EQUAL(report.reads, 0);
    CU_ASSERT_EQUAL(report.read_p99_us, 0);
    CU_ASSERT_EQUAL(report.write_p50_us, 0);
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void test_latency__percentiles_are_at_most_an_eighth_too_high(void)
{
    enum {
        COUNT = 1000
    };

    static int64_t values[COUNT];
    struct rng rng = rng_seed(unit_seed());
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (int64_t)(rng_u64(&rng) >> (30 + rng_below(&rng, 34)));
        latencies_add_write(f.latencies, 0, f.now_us, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    struct dfs_latency_report report = latencies_of_volume(f.latencies, 0, f.now_us);
    uint64_t p50 = (uint64_t)values[COUNT / 2 - 1];
    uint64_t p99 = (uint64_t)values[COUNT * 99 / 100 - 1];
    CU_ASSERT_EQUAL(report.writes, COUNT);
    CU_ASSERT_TRUE(report.write_p50_us >= p50 && report.write_p50_us <= p50 + p50 / 8);
    CU_ASSERT_TRUE(report.write_p99_us >= p99 && report.write_p99_us <= p99 + p99 / 8);
}

static void test_latency__extremes_have_a_place(void)
{
    latencies_add_read(f.latencies, 0, f.now_us, -5);
    CU_ASSERT_EQUAL(latencies_of_volume(f.latencies, 0, f.now_us).read_p99_us, 0);
    latencies_add_read(f.latencies, 0, f.now_us, INT64_MAX);
    CU_ASSERT_TRUE(latencies_of_volume(f.latencies, 0, f.now_us).read_p99_us >= 1ULL << 35);
}

static void test_latency__volumes_are_told_apart_and_together(void)
{
    latencies_add_read(f.latencies, 0, f.now_us, 10);
    latencies_add_read(f.latencies, 1, f.now_us, 1000);
    CU_ASSERT_EQUAL(latencies_of_volume(f.latencies, 0, f.now_us).reads, 1);
    CU_ASSERT_TRUE(latencies_of_volume(f.latencies, 0, f.now_us).read_p99_us < 20);
    CU_ASSERT_TRUE(latencies_of_volume(f.latencies, 1, f.now_us).read_p50_us >= 1000);
    CU_ASSERT_EQUAL(latencies_of_node(f.latencies, f.now_us).reads, 2);
    CU_ASSERT_EQUAL(latencies_of_node(f.latencies, f.now_us).writes, 0);
}

static void test_latency__old_ones_are_forgotten(void)
{
    latencies_add_write(f.latencies, 0, f.now_us, 5000000);
    for (int i = 0; i < 12; i++) {
        f.now_us += 5 * SECOND_US;
        latencies_add_write(f.latencies, 0, f.now_us, 10);
        if (i == 7)
            CU_ASSERT_TRUE(latencies_of_volume(f.latencies, 0, f.now_us).write_p99_us > 4000000);
    }
    CU_ASSERT_TRUE(latencies_of_volume(f.latencies, 0, f.now_us).write_p99_us < 20);
    CU_ASSERT_EQUAL(latencies_of_volume(f.latencies, 0, f.now_us + 61 * SECOND_US).writes, 0);
}

static void test_latency__peers_are_bounded_and_the_silent_leave(void)
{
    char address[32];
    for (int i = 0; i <= LATENCY_PEERS_MAX; i++) {
        (void)snprintf(address, sizeof(address), "127.0.0.1:%d", i);
        latencies_add_peer(f.latencies, slice_from_string(address), f.now_us + i, 7);
    }
    size_t count = 0;
    const struct dfs_peer_latency *peers =
        latencies_of_peers(f.latencies, f.now_us, f.arena, &count);
    CU_ASSERT_EQUAL(count, LATENCY_PEERS_MAX);
    CU_ASSERT_TRUE(slice_equal_string(peers[0].http_address, "127.0.0.1:1"));
    CU_ASSERT_EQUAL(peers[0].latency.writes, 1);
    CU_ASSERT_EQUAL(peers[0].latency.write_p50_us, 7);
    (void)latencies_of_peers(f.latencies, f.now_us + 61 * SECOND_US, f.arena, &count);
    CU_ASSERT_EQUAL(count, 0);
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_latency__nothing_happened_is_all_zeros, "Where nothing happened all is zero."),
    TEST(test_latency__percentiles_are_at_most_an_eighth_too_high,
         "Percentiles are at most an eighth too high."),
    TEST(test_latency__extremes_have_a_place, "Extremes have a place."),
    TEST(test_latency__volumes_are_told_apart_and_together,
         "Volumes are told apart, and together."),
    TEST(test_latency__old_ones_are_forgotten, "Old ones are forgotten."),
    TEST(test_latency__peers_are_bounded_and_the_silent_leave,
         "Peers are bounded, and the silent leave."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_latency", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
