/*
 * test_datanode_power.c - every disk that a power cut may leave while blocks are received, sealed,
 * moved out of service and deleted: the store opens, has every block that was acknowledged, and
 * serves nothing torn.
 */
#include "dfs/datanode/daemon/volumes.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/power_loss.h"
#include "tests/support/unit.h"

enum {
    BLOCK_BYTES = 6000
};

/* What happens, in this order; a step is promised when the store has said OK. */
enum step {
    STEP_NONE,
    STEP_RECEIVE_1,
    STEP_RECEIVE_2,
    STEP_SIGN,
    STEP_DELETE_1,
    STEP_QUARANTINE_2
};

static struct fixture {
    struct arena *arena;
    const char *root;
    const char *scratch;
    struct power_loss *power;
    struct store *store;
    struct os_calls quick; /* without syncs: nobody cuts the power while disks are looked at */
    uint8_t data[BLOCK_BYTES];
    bool is_synced;
    size_t failures;
    struct error error;
} f;

static int sync_nothing(int descriptor)
{
    (void)descriptor;
    return 0;
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .is_synced = true};
    f.quick = *os_calls_posix();
    f.quick.fsync = sync_nothing;
    f.quick.fdatasync = sync_nothing;
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        f.data[i] = (uint8_t)(1 + i % 254); /* never zero: zeros are what is lost */
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-power-", f.arena, &f.root, &f.error), OK);
    /* Thousands of folders are made there and removed: in memory, where there is such a place. */
    if (directory_make_temporary("/dev/shm/millrace-power-", f.arena, &f.scratch, &f.error) != OK)
        CU_ASSERT_EQUAL_FATAL(
            directory_make_temporary("/tmp/millrace-power-", f.arena, &f.scratch, &f.error), OK);
}

static void teardown(void)
{
    (void)os_calls_set(NULL);
    store_close(f.store);
    power_loss_close(f.power);
    CU_ASSERT_EQUAL(directory_remove_tree(f.root, &f.error), OK);
    CU_ASSERT_EQUAL(directory_remove_tree(f.scratch, &f.error), OK);
    arena_close(f.arena);
}

static void open_store(void)
{
    struct store_settings settings = {.directory = path_join(f.arena, f.root, "data")};
    CU_ASSERT_EQUAL_FATAL(store_open(&settings, &f.store, &f.error), OK);
}

static void receive(uint64_t id)
{
    struct store_writer *writer = NULL;
    struct dfs_block_info block = {
        .block_id = id, .length = BLOCK_BYTES, .crc32c = crc32c_update(0, f.data, BLOCK_BYTES)};
    CU_ASSERT_EQUAL_FATAL(store_writer_open(f.store, &block, f.is_synced, &writer, &f.error), OK);
    CU_ASSERT_EQUAL(store_writer_push(writer, slice_make(f.data, BLOCK_BYTES), &f.error), OK);
    CU_ASSERT_EQUAL(store_writer_commit(writer, &f.error), OK);
    store_writer_close(writer);
}

static void live(void)
{
    struct store_identity identity = {.node_id = 7, .cluster_id = 5, .volume_id = 3};
    for (enum step step = STEP_RECEIVE_1; step <= STEP_QUARANTINE_2; step++) {
        power_loss_attempt(f.power, step);
        switch (step) {
        case STEP_RECEIVE_1:
            receive(1);
            break;
        case STEP_RECEIVE_2:
            receive(2);
            break;
        case STEP_SIGN:
            CU_ASSERT_EQUAL(store_identity_save(f.store, &identity, &f.error), OK);
            break;
        case STEP_DELETE_1:
            CU_ASSERT_EQUAL(store_delete(f.store, 1, &f.error), OK);
            break;
        case STEP_QUARANTINE_2:
            CU_ASSERT_EQUAL(store_quarantine(f.store, 2, &f.error), OK);
            break;
        case STEP_NONE:
        default:
            break;
        }
        power_loss_promise(f.power, step);
    }
}

/* --- the disks ---------------------------------------------------------------------------------
 */

static void complain(const char *what, uint64_t promised, uint64_t attempted)
{
    if (f.failures++ < 5)
        printf("%s\n  %s; %llu promised, %llu attempted: %s\n", power_loss_describe(f.power), what,
               (unsigned long long)promised, (unsigned long long)attempted, f.error.text);
}

static bool is_found(const struct store_scan *scan, uint64_t id)
{
    for (size_t i = 0; i < scan->blocks_count; i++) {
        if (scan->blocks[i].block_id == id)
            return true;
    }
    return false;
}

/* Acknowledged, and nobody has begun to take it away. */
static bool must_be_there(uint64_t id, uint64_t promised, uint64_t attempted)
{
    if (id == 1)
        return promised >= STEP_RECEIVE_1 && attempted < STEP_DELETE_1;
    return promised >= STEP_RECEIVE_2 && attempted < STEP_QUARANTINE_2;
}

static bool may_be_there(uint64_t id, uint64_t attempted)
{
    return attempted >= (id == 1 ? STEP_RECEIVE_1 : STEP_RECEIVE_2);
}

static void check_blocks(struct store *store, uint64_t promised, uint64_t attempted)
{
    struct arena *arena = arena_open(0);
    struct store_scan scan = {0};
    if (store_scan(store, arena, &scan, &f.error) != OK)
        complain("the scan fails", promised, attempted);
    for (uint64_t id = 1; id <= 2; id++) {
        bool is_there = is_found(&scan, id);
        if (f.is_synced && must_be_there(id, promised, attempted) && !is_there)
            complain("an acknowledged block is lost", promised, attempted);
        if (is_there && !may_be_there(id, attempted))
            complain("a block is there that never came", promised, attempted);
        enum status status = is_there ? store_verify(store, id, NULL, &f.error) : OK;
        /* Without syncs a block may be torn: then it is known by its checksums. */
        if (status != OK && (f.is_synced || status != ERR_CORRUPT))
            complain("a block that is offered is torn", promised, attempted);
    }
    if (scan.stray_count != 0)
        complain("something is left over", promised, attempted);
    arena_close(arena);
}

static void check_disk(void *user, const char *directory, uint64_t promised, uint64_t attempted)
{
    (void)user;
    struct store *store = NULL;
    struct arena *arena = arena_open(0);
    struct store_settings settings = {.directory = path_join(arena, directory, "data")};
    struct store_identity identity = {0};
    f.error = (struct error){0};
    if (store_open(&settings, &store, &f.error) != OK) {
        complain("the store does not open", promised, attempted);
        arena_close(arena);
        return;
    }
    enum status status = store_identity_load(store, &identity, &f.error);
    bool is_signed = status == OK && identity.volume_id == 3 && identity.cluster_id == 5;
    if (promised >= STEP_SIGN ? !is_signed : status != OK && status != ERR_FENCED)
        complain("its VERSION is lost", promised, attempted);
    check_blocks(store, promised, attempted);
    store_close(store);
    arena_close(arena);
}

static void expect_all_disks(const struct power_loss_options *options,
                             power_loss_check *check,
                             size_t images_min)
{
    power_loss_stop(f.power);
    (void)os_calls_set(&f.quick);
    size_t images = power_loss_each(f.power, options, f.scratch, check, NULL);
    (void)os_calls_set(NULL);
    printf("%zu changes, %zu disks\n", power_loss_changes(f.power), images);
    CU_ASSERT_TRUE(images > images_min);
    CU_ASSERT_EQUAL(f.failures, 0);
}

static void expect_all_disks_sound(size_t random_images, size_t images_min)
{
    struct power_loss_options options = {
        .seed = unit_seed(), .pending_max = 2, .random_images = random_images};
    expect_all_disks(&options, check_disk, images_min);
}

static void test_power__no_acknowledged_block_is_lost_or_torn(void)
{
    open_store(); /* before: its folders are sure */
    f.power = power_loss_open(f.root);
    power_loss_start(f.power);
    live();
    expect_all_disks_sound(2, 50);
}

static void test_power__without_syncs_torn_blocks_are_known_by_their_checksums(void)
{
    f.is_synced = false;
    open_store();
    f.power = power_loss_open(f.root);
    power_loss_start(f.power);
    power_loss_attempt(f.power, STEP_RECEIVE_1);
    receive(1);
    power_loss_attempt(f.power, STEP_RECEIVE_2);
    receive(2);
    expect_all_disks_sound(2, 20);
}

/* --- the very first start ----------------------------------------------------------------------
 */

enum first_step {
    FIRST_NAMED = 1, /* the node's id, in a folder of its own */
    FIRST_OPENED,
    FIRST_SIGNED, /* the namenode has told the cluster's id */
    FIRST_BLOCK
};

/* As lib/daemon/daemon_identity.c has it; 0 when the file is not there. */
static uint64_t load_node_id(const char *root)
{
    struct buf content;
    uint64_t node_id = 0;
    buf_open(&content, 64);
    if (file_read_whole(path_join(f.arena, root, "node/datanode.node"), &content, &f.error) == OK)
        CU_ASSERT_TRUE(slice_parse_u64(buf_slice(&content), &node_id));
    buf_close(&content);
    return node_id;
}

static enum status open_volumes(const char *root, uint64_t node_id, struct volumes **ret_volumes)
{
    const struct slice directories[] = {
        slice_from_string(path_join(f.arena, root, "disk/data")),
        slice_from_string(path_join(f.arena, root, "node/data")),
    };
    struct volumes_settings settings = {
        .directories = directories, .count = UNIT_COUNT(directories), .node_id = node_id};
    return volumes_open(&settings, ret_volumes, &f.error);
}

static void live_first_start(void)
{
    struct volumes *volumes = NULL;
    power_loss_attempt(f.power, FIRST_NAMED);
    CU_ASSERT_EQUAL_FATAL(
        directory_make_durable(path_join(f.arena, f.root, "node"), 0755, &f.error), OK);
    CU_ASSERT_EQUAL(file_replace(path_join(f.arena, f.root, "node/datanode.node"),
                                 slice_from_string("7"), 0644, &f.error),
                    OK);
    power_loss_promise(f.power, FIRST_NAMED);
    power_loss_attempt(f.power, FIRST_OPENED);
    CU_ASSERT_EQUAL_FATAL(open_volumes(f.root, 7, &volumes), OK);
    power_loss_promise(f.power, FIRST_OPENED);
    power_loss_attempt(f.power, FIRST_SIGNED);
    for (size_t i = 0; i < volumes_count(volumes); i++)
        CU_ASSERT_EQUAL(volumes_sign(volumes, i, 5, &f.error), OK);
    power_loss_promise(f.power, FIRST_SIGNED);
    power_loss_attempt(f.power, FIRST_BLOCK);
    CU_ASSERT_EQUAL_FATAL(volumes_store(volumes, 0, &f.store, &f.error), OK);
    receive(1);
    power_loss_promise(f.power, FIRST_BLOCK);
    f.store = NULL; /* the volumes' own */
    volumes_close(volumes);
}

static void check_first_blocks(struct volumes *volumes, uint64_t promised, uint64_t attempted)
{
    for (size_t i = 0; i < volumes_count(volumes); i++) {
        struct arena *arena = arena_open(0);
        struct store_scan scan = {0};
        struct store *store = NULL;
        if (volumes_store(volumes, i, &store, &f.error) != OK ||
            store_scan(store, arena, &scan, &f.error) != OK)
            complain("a folder cannot be used", promised, attempted);
        bool is_there = is_found(&scan, 1);
        if (i == 0 && promised >= FIRST_BLOCK && !is_there)
            complain("an acknowledged block is lost", promised, attempted);
        if (is_there &&
            (i != 0 || attempted < FIRST_BLOCK || store_verify(store, 1, NULL, &f.error) != OK))
            complain("what is no whole block counts as one", promised, attempted);
        if (scan.stray_count != 0)
            complain("something is left over", promised, attempted);
        arena_close(arena);
    }
}

/* The next start: with the id that is found, or, when none is, a new one. */
static void check_first_start(void *user,
                              const char *directory,
                              uint64_t promised,
                              uint64_t attempted)
{
    struct volumes *volumes = NULL;
    uint64_t node_id = load_node_id(directory);
    (void)user;
    f.error = (struct error){0};
    if (node_id != 7 && (promised >= FIRST_NAMED || node_id != 0))
        complain("the node's id is lost", promised, attempted);
    if (open_volumes(directory, node_id == 0 ? 8 : node_id, &volumes) != OK) {
        complain("it does not start", promised, attempted);
        return;
    }
    if (promised >= FIRST_SIGNED && volumes_cluster_id(volumes) != 5)
        complain("the cluster's id is lost", promised, attempted);
    check_first_blocks(volumes, promised, attempted);
    volumes_close(volumes);
}

static void test_power__first_start_can_be_repeated(void)
{
    CU_ASSERT_EQUAL_FATAL(directory_make(path_join(f.arena, f.root, "disk"), 0755, &f.error), OK);
    f.power = power_loss_open(f.root);
    power_loss_start(f.power);
    live_first_start();
    struct power_loss_options options = {
        .seed = unit_seed(), .pending_max = 2, .random_images = 2, .directory_step = 32};
    expect_all_disks(&options, check_first_start, 60);
}

static const struct unit_test tests[] = {
    {"test_power__first_start_can_be_repeated",
     "A first start that the power ends leaves what the next one goes on with.", test_power__first_start_can_be_repeated                           },
    {"test_power__no_acknowledged_block_is_lost_or_torn",
     "No acknowledged block is lost or torn by a power cut.",                    test_power__no_acknowledged_block_is_lost_or_torn                 },
    {"test_power__without_syncs_torn_blocks_are_known_by_their_checksums",
     "Without syncs, torn blocks are known by their checksums.",                 test_power__without_syncs_torn_blocks_are_known_by_their_checksums},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_power", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
