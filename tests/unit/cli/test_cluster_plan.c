/*
 * test_cluster_plan.c - which daemons a cluster on one host has, and what they are told.
 */
#include <string.h>

#include "cli/cluster_plan.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    struct error error;
    struct cluster_plan_input input;
    struct cluster_plan plan;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){
        .arena = arena_open(0),
        .input =
            {
                    .nodes = 3,
                    .racks = 2,
                    .cpus = 16,
                    .memory_bytes = UINT64_C(64) << 30,
                    },
    };
}

static void teardown(void)
{
    arena_close(f.arena);
}

static void when_planned(void)
{
    CU_ASSERT_EQUAL_FATAL(cluster_plan_make(&f.input, f.arena, &f.plan, &f.error), OK);
}

static const struct cluster_plan_daemon *find(const char *name)
{
    const struct cluster_plan_daemon *daemon = cluster_plan_find(&f.plan, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(daemon);
    return daemon;
}

static void expect_place(const char *name, const char *host, const char *rack)
{
    CU_ASSERT_STRING_EQUAL(find(name)->host, host);
    CU_ASSERT_STRING_EQUAL(find(name)->rack, rack);
}

static void expect_settings(const char *part)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(f.plan.settings, part));
}

static void test_cluster_plan__who_is_asked_comes_first(void)
{
    static const char *const names[] = {"namenode",   "rm",        "datanode-1", "datanode-2",
                                        "datanode-3", "nodemgr-1", "nodemgr-2",  "nodemgr-3"};
    when_planned();
    CU_ASSERT_EQUAL_FATAL(f.plan.count, 8);
    for (size_t i = 0; i < f.plan.count; i++)
        CU_ASSERT_STRING_EQUAL(f.plan.daemons[i].name, names[i]);
    CU_ASSERT_STRING_EQUAL(find("nodemgr-2")->role, "nodemgr");
    CU_ASSERT_PTR_NULL(find("rm")->host);
    CU_ASSERT_PTR_NULL(cluster_plan_find(&f.plan, "nodemgr-4"));
}

static void test_cluster_plan__node_is_one_host_in_one_rack(void)
{
    when_planned();
    expect_place("datanode-1", "node1", "/rack0");
    expect_place("datanode-2", "node2", "/rack1");
    expect_place("datanode-3", "node3", "/rack0");
    expect_place("nodemgr-1", "node1", "/rack0");
    expect_place("nodemgr-2", "node2", "/rack1");
    expect_place("nodemgr-3", "node3", "/rack0");
    expect_settings("[up]\nnodes = 3\nracks = 2\n");
}

static void test_cluster_plan__nodes_share_the_machine(void)
{
    when_planned();
    expect_settings("[nodemgr]\nmemory = 16384m\nvcores = 5\n");
}

static void test_cluster_plan__small_machine_still_runs_jobs(void)
{
    f.input.cpus = 2;
    f.input.memory_bytes = UINT64_C(2) << 30;
    when_planned();
    expect_settings("[nodemgr]\nmemory = 2048m\nvcores = 2\n");
}

static void test_cluster_plan__copies_need_nodes(void)
{
    f.input.nodes = f.input.racks = 1;
    when_planned();
    expect_settings("[dfs]\nreplication = 1\n");
    f.input.nodes = 5;
    when_planned();
    expect_settings("[dfs]\nreplication = 3\n");
}

static void expect_refused(uint64_t nodes, uint64_t racks, const char *sentence)
{
    f.input.nodes = nodes;
    f.input.racks = racks;
    CU_ASSERT_EQUAL(cluster_plan_make(&f.input, f.arena, &f.plan, &f.error), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, sentence);
}

static void test_cluster_plan__impossible_numbers_are_refused(void)
{
    expect_refused(0, 1, "a cluster on one host has 1 to 64 nodes, not 0");
    expect_refused(65, 1, "a cluster on one host has 1 to 64 nodes, not 65");
    expect_refused(3, 0, "3 nodes can stand in 1 to 3 racks, not in 0");
    expect_refused(3, 4, "3 nodes can stand in 1 to 3 racks, not in 4");
}

static const struct unit_test tests[] = {
    {"test_cluster_plan__who_is_asked_comes_first",
     "The namenode and the resource manager come before those who ask them.",                    test_cluster_plan__who_is_asked_comes_first      },
    {"test_cluster_plan__node_is_one_host_in_one_rack",
     "The datanode and the node manager of a node share a host and a rack; racks are balanced.", test_cluster_plan__node_is_one_host_in_one_rack  },
    {"test_cluster_plan__nodes_share_the_machine",
     "The machine's processors and three quarters of its memory are split between the nodes.",   test_cluster_plan__nodes_share_the_machine       },
    {"test_cluster_plan__small_machine_still_runs_jobs",
     "On a small machine each node is still big enough for a job.",                              test_cluster_plan__small_machine_still_runs_jobs },
    {"test_cluster_plan__copies_need_nodes",
     "Blocks have three copies, or as many as there are nodes.",                                 test_cluster_plan__copies_need_nodes             },
    {"test_cluster_plan__impossible_numbers_are_refused",
     "Numbers of nodes and racks that cannot be are refused in a sentence.",                     test_cluster_plan__impossible_numbers_are_refused},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "cli/cluster_plan", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
