/*
 * test_namenode_settings.c - the settings dfs.* and the machine's defaults agree.
 */
#include "dfs/namenode/daemon/namenode_settings.h"

#include <stdio.h>
#include <string.h>

#include "lib/daemon/settings.h"
#include "tests/support/unit.h"

static struct fixture {
    struct settings *settings;
    struct arena *arena;
    struct namenode_settings got;
} f;

/* Every field but the two names. */
enum {
    NUMBERS = 47
};

static void list_numbers(const struct namenode_settings *s, uint64_t *ret_numbers)
{
    const uint64_t numbers[NUMBERS] = {
        (uint64_t)s->replication,
        (uint64_t)s->replication_max,
        (uint64_t)s->min_replicas,
        (uint64_t)s->block_size,
        (uint64_t)s->block_size_min,
        (uint64_t)s->block_size_max,
        (uint64_t)s->blocks_per_file_max,
        (uint64_t)s->inodes_max,
        (uint64_t)s->release_max,
        (uint64_t)s->list_limit,
        (uint64_t)s->ids_reserved,
        (uint64_t)s->access_time_precision_ms,
        (uint64_t)s->trash_keep_ms,
        (uint64_t)s->trash_checkpoint_ms,
        (uint64_t)s->compact_runs,
        (uint64_t)s->compact_bytes_per_second,
        (uint64_t)s->lease_ms,
        (uint64_t)s->lease_hard_ms,
        (uint64_t)s->mutation_keep_ms,
        (uint64_t)s->mutations_max,
        (uint64_t)s->fences_max,
        (uint64_t)s->heartbeat_interval_ms,
        (uint64_t)s->stale_ms,
        (uint64_t)s->lost_ms,
        (uint64_t)s->rereplicate_ms,
        (uint64_t)s->report_wait_ms,
        (uint64_t)s->report_interval_ms,
        (uint64_t)s->safe_mode_ppm,
        (uint64_t)s->repair_start_ms,
        (uint64_t)s->repair_retry_ms,
        (uint64_t)s->maintenance_min_replicas,
        (uint64_t)s->repair_bytes_per_second,
        (uint64_t)s->repair_node_bytes_per_second,
        (uint64_t)s->slow_factor,
        (uint64_t)s->slow_floor_us,
        (uint64_t)s->slow_samples_min,
        (uint64_t)s->slow_keep_ms,
        (uint64_t)s->block_token_ms,
        s->balance ? 1 : 0,
        (uint64_t)s->balance_threshold_ppm,
        (uint64_t)s->balance_bytes_per_second,
        (uint64_t)s->copies_per_node,
        (uint64_t)s->copy_timeout_ms,
        (uint64_t)s->pipeline_wait_ms,
        (uint64_t)s->unknown_grace_ms,
        (uint64_t)s->delete_retry_ms,
        (uint64_t)s->deletes_per_heartbeat,
    };
    memcpy(ret_numbers, numbers, sizeof(numbers));
}

static bool are_equal(const struct namenode_settings *left, const struct namenode_settings *right)
{
    uint64_t left_numbers[NUMBERS];
    uint64_t right_numbers[NUMBERS];
    list_numbers(left, left_numbers);
    list_numbers(right, right_numbers);
    return memcmp(left_numbers, right_numbers, sizeof(left_numbers)) == 0 &&
           slice_equal(left->superuser, right->superuser) &&
           slice_equal(left->supergroup, right->supergroup) &&
           slice_equal(left->rack_table, right->rack_table) &&
           slice_equal(left->rack_script, right->rack_script);
}

static void setup(void)
{
    f.settings = settings_open();
    f.arena = arena_open(0);
    settings_add(f.settings, namenode_setting_rows, namenode_setting_count);
}

static void teardown(void)
{
    settings_close(f.settings);
    arena_close(f.arena);
}

static void test_settings__defaults_are_the_machines(void)
{
    struct namenode_settings expected;
    namenode_settings_default(&expected);
    namenode_settings_read(f.settings, f.arena, &f.got);
    CU_ASSERT_TRUE(slice_equal(f.got.supergroup, expected.supergroup));
    CU_ASSERT_TRUE(f.got.superuser.length > 0);
    expected.superuser = f.got.superuser;
    CU_ASSERT_TRUE(are_equal(&f.got, &expected));
    struct namenode *namenode = NULL;
    CU_ASSERT_EQUAL(namenode_open(&f.got, 1, &namenode), OK);
    namenode_close(namenode);
}

/* settings_set frees the old ones. */
static void keep_strings(struct namenode_settings *settings)
{
    settings->superuser = arena_copy(f.arena, settings->superuser);
    settings->supergroup = arena_copy(f.arena, settings->supergroup);
    settings->rack_table = arena_copy(f.arena, settings->rack_table);
    settings->rack_script = arena_copy(f.arena, settings->rack_script);
}

static void test_settings__each_one_is_read(void)
{
    struct namenode_settings before;
    namenode_settings_read(f.settings, f.arena, &before);
    keep_strings(&before);
    for (size_t i = 0; i < namenode_setting_count; i++) {
        const struct setting *row = &namenode_setting_rows[i];
        if (strcmp(row->name, "dfs.webhdfs_token_lifetime") == 0)
            continue; /* not the machine's: webhdfs_redirect.c reads it */
        char assignment[128];
        /* 7 is within the bounds of every number and no number's default; switches are on. */
        snprintf(assignment, sizeof(assignment), "%s=%s", row->name,
                 row->type == SETTING_BOOL ? "false" : "7");
        CU_ASSERT_EQUAL(settings_set(f.settings, assignment, "test", NULL), OK);
        namenode_settings_read(f.settings, f.arena, &f.got);
        if (are_equal(&before, &f.got)) {
            printf("%s changes nothing\n", row->name);
            CU_FAIL("a setting is not read");
        }
        before = f.got;
        keep_strings(&before);
    }
}

static const struct unit_test tests[] = {
    {"test_settings__defaults_are_the_machines", "The defaults of the settings are the machine's.",
     test_settings__defaults_are_the_machines},
    {"test_settings__each_one_is_read",          "Each setting changes the machine's settings.",
     test_settings__each_one_is_read         },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode settings", tests, UNIT_COUNT(tests),
                     setup, teardown);
}
