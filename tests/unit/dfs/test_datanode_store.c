/*
 * test_datanode_store.c - dfs/datanode/daemon/store.h on a real folder, every call of which is made
 * to fail once and for ever.
 */
#include "dfs/datanode/daemon/store.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/unit.h"

enum {
    BLOCK_BYTES = 2 * BLOCK_CHUNK_BYTES + 1000
};

static const uint64_t block_id = 0x12345678000000abu;

static struct fixture {
    struct arena *arena;
    const char *directory;
    struct store *store;
    uint8_t *data;
    uint8_t *read;
    struct dfs_block_info block;
    struct error error;
} f;

static const char *path_of(const char *name)
{
    return (const char *)arena_format(f.arena, "%s/%s", f.directory, name).data;
}

static enum status open_store(void)
{
    struct store_settings settings = {.directory = f.directory};
    return store_open(&settings, &f.store, &f.error);
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-store-", f.arena, &f.directory, &f.error), OK);
    f.data = mem_new(BLOCK_BYTES);
    f.read = mem_new(BLOCK_BYTES);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        f.data[i] = (uint8_t)(i * 7 + i / 251);
    f.block = (struct dfs_block_info){.block_id = block_id,
                                      .length = BLOCK_BYTES,
                                      .crc32c = crc32c_update(0, f.data, BLOCK_BYTES)};
    CU_ASSERT_EQUAL_FATAL(open_store(), OK);
}

static void teardown(void)
{
    fault_disarm_all();
    store_close(f.store);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    mem_free(f.data);
    mem_free(f.read);
    arena_close(f.arena);
}

/* In pieces that do not fit the chunks. */
static enum status receive(bool *ret_has_broken_volume)
{
    struct store_writer *writer;
    enum status status = store_writer_open(f.store, &f.block, true, &writer, &f.error);
    if (status != OK)
        return status;
    for (size_t at = 0; at < BLOCK_BYTES && status == OK; at += 10000) {
        size_t part = BLOCK_BYTES - at < 10000 ? BLOCK_BYTES - at : 10000;
        status = store_writer_push(writer, slice_make(f.data + at, part), &f.error);
    }
    if (status == OK)
        status = store_writer_commit(writer, &f.error);
    if (ret_has_broken_volume != NULL)
        *ret_has_broken_volume = store_writer_broke_volume(writer);
    store_writer_close(writer);
    return status;
}

static enum status read_all(void)
{
    struct store_reader *reader;
    enum status status = store_reader_open(f.store, block_id, &reader, &f.error);
    if (status != OK)
        return status;
    status = store_reader_read(reader, 0, f.read, BLOCK_BYTES, &f.error);
    store_reader_close(reader);
    return status;
}

static struct store_scan scan(void)
{
    struct store_scan result = {0};
    CU_ASSERT_EQUAL(store_scan(f.store, f.arena, &result, &f.error), OK);
    return result;
}

static void reopen(void)
{
    store_close(f.store);
    f.store = NULL;
    CU_ASSERT_EQUAL_FATAL(open_store(), OK);
}

static void change_byte(const char *name, uint64_t offset)
{
    struct file *file;
    uint8_t byte = 0;
    CU_ASSERT_EQUAL_FATAL(file_open(path_of(name), FILE_MODE_UPDATE, 0, &file, &f.error), OK);
    CU_ASSERT_EQUAL(file_read_exactly(file, offset, &byte, 1, &f.error), OK);
    byte ^= 4;
    CU_ASSERT_EQUAL(file_write_at(file, offset, slice_make(&byte, 1), &f.error), OK);
    file_close(file);
}

#define BLK "blocks/ab/12345678000000ab.blk"
#define CRC "blocks/ab/12345678000000ab.crc"

/* --- what comes is what is read ----------------------------------------------------------------
 */

static void test_store__received_block_is_read_back(void)
{
    CU_ASSERT_EQUAL(receive(NULL), OK);
    CU_ASSERT_EQUAL(read_all(), OK);
    CU_ASSERT_EQUAL(memcmp(f.read, f.data, BLOCK_BYTES), 0);
    CU_ASSERT_EQUAL(store_verify(f.store, block_id, NULL, &f.error), OK);
    reopen();
    struct store_scan found = scan();
    CU_ASSERT_EQUAL_FATAL(found.blocks_count, 1);
    CU_ASSERT_EQUAL(found.blocks[0].block_id, block_id);
    CU_ASSERT_EQUAL(found.blocks[0].length, BLOCK_BYTES);
    CU_ASSERT_EQUAL(found.blocks[0].crc32c, f.block.crc32c);
    CU_ASSERT_EQUAL(found.corrupt_count + found.stray_count, 0);
}

static void test_store__any_range_is_read(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    struct store_reader *reader;
    CU_ASSERT_EQUAL_FATAL(store_reader_open(f.store, block_id, &reader, &f.error), OK);
    static const uint64_t edges[] = {0,
                                     1,
                                     BLOCK_CHUNK_BYTES - 1,
                                     BLOCK_CHUNK_BYTES,
                                     BLOCK_CHUNK_BYTES + 1,
                                     2 * BLOCK_CHUNK_BYTES,
                                     BLOCK_BYTES - 1,
                                     BLOCK_BYTES};
    size_t count = sizeof(edges) / sizeof(edges[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i; j < count; j++) {
            size_t length = (size_t)(edges[j] - edges[i]);
            CU_ASSERT_EQUAL(store_reader_read(reader, edges[i], f.read, length, &f.error), OK);
            CU_ASSERT_EQUAL(memcmp(f.read, f.data + edges[i], length), 0);
        }
    }
    store_reader_close(reader);
}

static void test_store__empty_block_is_a_block(void)
{
    f.block.length = 0;
    f.block.crc32c = 0;
    struct store_writer *writer;
    CU_ASSERT_EQUAL_FATAL(store_writer_open(f.store, &f.block, true, &writer, &f.error), OK);
    CU_ASSERT_EQUAL(store_writer_commit(writer, &f.error), OK);
    store_writer_close(writer);
    CU_ASSERT_EQUAL(store_verify(f.store, block_id, NULL, &f.error), OK);
    CU_ASSERT_EQUAL(scan().blocks_count, 1);
}

static void test_store__wrong_claim_keeps_nothing(void)
{
    bool has_broken_volume = true;
    f.block.crc32c ^= 1;
    CU_ASSERT_EQUAL(receive(&has_broken_volume), ERR_CORRUPT);
    CU_ASSERT_FALSE(has_broken_volume);
    f.block.crc32c ^= 1;
    f.block.length = BLOCK_BYTES - 1;
    CU_ASSERT_EQUAL(receive(NULL), ERR_LIMIT);
    f.block.length = BLOCK_BYTES + 1;
    CU_ASSERT_EQUAL(receive(NULL), ERR_CORRUPT);
    CU_ASSERT_EQUAL(scan().blocks_count, 0);
    struct slice *names;
    size_t count = 1;
    CU_ASSERT_EQUAL(directory_list(path_of("incoming"), f.arena, &names, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 0);
}

static void test_store__unfinished_receive_is_gone_after_a_start(void)
{
    struct store_writer *writer;
    CU_ASSERT_EQUAL_FATAL(store_writer_open(f.store, &f.block, true, &writer, &f.error), OK);
    CU_ASSERT_EQUAL(store_writer_push(writer, slice_make(f.data, 100), &f.error), OK);
    struct store *crashed = f.store;
    CU_ASSERT_EQUAL_FATAL(open_store(), OK);
    struct slice *names;
    size_t count = 1;
    CU_ASSERT_EQUAL(directory_list(path_of("incoming"), f.arena, &names, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 0);
    store_writer_close(writer);
    store_close(crashed);
}

/* --- what is not whole is not served -----------------------------------------------------------
 */

static void test_store__flipped_bit_in_the_data_is_never_read(void)
{
    static const uint64_t places[] = {0, BLOCK_CHUNK_BYTES - 1, BLOCK_CHUNK_BYTES, BLOCK_BYTES - 1};
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        change_byte(BLK, places[i]);
        CU_ASSERT_EQUAL(read_all(), ERR_CORRUPT);
        CU_ASSERT_EQUAL(store_verify(f.store, block_id, NULL, &f.error), ERR_CORRUPT);
        change_byte(BLK, places[i]);
        CU_ASSERT_EQUAL(read_all(), OK);
    }
}

static void test_store__bad_chunk_spares_the_others(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    change_byte(BLK, BLOCK_CHUNK_BYTES + 5);
    struct store_reader *reader;
    CU_ASSERT_EQUAL_FATAL(store_reader_open(f.store, block_id, &reader, &f.error), OK);
    CU_ASSERT_EQUAL(store_reader_read(reader, 10, f.read, 100, &f.error), OK);
    CU_ASSERT_EQUAL(store_reader_read(reader, BLOCK_CHUNK_BYTES + 9, f.read, 1, &f.error),
                    ERR_CORRUPT);
    store_reader_close(reader);
}

static void test_store__flipped_bit_in_the_sidecar_is_noticed(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    for (uint64_t at = 0; at < block_sidecar_bytes(BLOCK_BYTES); at++) {
        change_byte(CRC, at);
        CU_ASSERT_EQUAL(read_all(), ERR_CORRUPT);
        change_byte(CRC, at);
    }
}

static void test_store__cut_block_is_out_of_service_after_a_start(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    struct file *file;
    CU_ASSERT_EQUAL_FATAL(file_open(path_of(BLK), FILE_MODE_UPDATE, 0, &file, &f.error), OK);
    CU_ASSERT_EQUAL(file_truncate(file, BLOCK_BYTES - 1, &f.error), OK);
    file_close(file);
    CU_ASSERT_EQUAL(read_all(), ERR_CORRUPT);
    reopen();
    struct store_scan found = scan();
    CU_ASSERT_EQUAL(found.blocks_count, 0);
    CU_ASSERT_EQUAL_FATAL(found.corrupt_count, 1);
    CU_ASSERT_EQUAL(found.corrupt[0].block_id, block_id);
    CU_ASSERT_EQUAL(read_all(), ERR_NOT_FOUND);
    reopen();
    CU_ASSERT_EQUAL(scan().corrupt_count, 1);
    CU_ASSERT_EQUAL(store_delete(f.store, block_id, &f.error), OK);
    CU_ASSERT_EQUAL(scan().corrupt_count, 0);
}

static void test_store__block_without_sidecar_is_out_of_service(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    CU_ASSERT_EQUAL(file_remove(path_of(CRC), &f.error), OK);
    CU_ASSERT_EQUAL(read_all(), ERR_CORRUPT);
    CU_ASSERT_EQUAL(scan().corrupt_count, 1);
}

static void test_store__sidecar_without_block_is_removed(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    CU_ASSERT_EQUAL(file_remove(path_of(BLK), &f.error), OK);
    struct store_scan found = scan();
    CU_ASSERT_EQUAL(found.blocks_count + found.corrupt_count, 0);
    struct file_info info;
    CU_ASSERT_EQUAL(file_info_get(path_of(CRC), false, &info, &f.error), ERR_NOT_FOUND);
}

static void test_store__foreign_names_are_left_alone(void)
{
    struct slice text = slice_from_string("mine");
    CU_ASSERT_EQUAL(file_replace(path_of("blocks/ab/notes.txt"), text, 0600, &f.error), OK);
    CU_ASSERT_EQUAL(file_replace(path_of("blocks/ab/12345678000000ac.blk"), text, 0600, &f.error),
                    OK);
    struct store_scan found = scan();
    CU_ASSERT_EQUAL(found.stray_count, 2);
    CU_ASSERT_EQUAL(found.blocks_count + found.corrupt_count, 0);
}

static void test_store__deleted_block_is_gone_and_may_be_deleted_again(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    CU_ASSERT_EQUAL(store_delete(f.store, block_id, &f.error), OK);
    CU_ASSERT_EQUAL(store_delete(f.store, block_id, &f.error), OK);
    CU_ASSERT_EQUAL(read_all(), ERR_NOT_FOUND);
}

static void test_store__quarantined_block_is_not_served(void)
{
    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    CU_ASSERT_EQUAL(store_quarantine(f.store, block_id, &f.error), OK);
    CU_ASSERT_EQUAL(store_quarantine(f.store, block_id, &f.error), OK);
    CU_ASSERT_EQUAL(read_all(), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(scan().corrupt_count, 1);
}

/* --- identity ----------------------------------------------------------------------------------
 */

static void test_store__identity_is_kept(void)
{
    struct store_identity identity = {.node_id = 1};
    CU_ASSERT_EQUAL(store_identity_load(f.store, &identity, &f.error), OK);
    CU_ASSERT_EQUAL(identity.node_id, 0);
    identity = (struct store_identity){.node_id = 0x1234, .cluster_id = 0};
    CU_ASSERT_EQUAL(store_identity_save(f.store, &identity, &f.error), OK);
    identity.cluster_id = 0xfeed;
    CU_ASSERT_EQUAL(store_identity_save(f.store, &identity, &f.error), OK);
    identity = (struct store_identity){0};
    CU_ASSERT_EQUAL(store_identity_load(f.store, &identity, &f.error), OK);
    CU_ASSERT_EQUAL(identity.node_id, 0x1234);
    CU_ASSERT_EQUAL(identity.cluster_id, 0xfeed);
}

static void test_store__damaged_identity_is_refused(void)
{
    struct store_identity identity = {.node_id = 1, .cluster_id = 2};
    CU_ASSERT_EQUAL_FATAL(store_identity_save(f.store, &identity, &f.error), OK);
    struct buf whole;
    buf_open(&whole, 0);
    CU_ASSERT_EQUAL_FATAL(file_read_whole(path_of("VERSION"), &whole, &f.error), OK);
    for (size_t length = 0; length < whole.length; length++) {
        struct slice cut = slice_make(whole.data, length);
        CU_ASSERT_EQUAL(file_replace(path_of("VERSION"), cut, 0600, &f.error), OK);
        CU_ASSERT_NOT_EQUAL(store_identity_load(f.store, &identity, &f.error), OK);
    }
    buf_close(&whole);
}

/* --- the scrubber's position -------------------------------------------------------------------
 */

static void test_store__position_is_kept(void)
{
    uint64_t position = 0;
    CU_ASSERT_EQUAL(store_position_load(f.store, &position, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(store_position_save(f.store, 7, &f.error), OK);
    CU_ASSERT_EQUAL(store_position_save(f.store, block_id, &f.error), OK);
    reopen();
    CU_ASSERT_EQUAL(store_position_load(f.store, &position, &f.error), OK);
    CU_ASSERT_EQUAL(position, block_id);
}

static void expect_no_position(struct slice text)
{
    uint64_t position = 5;
    CU_ASSERT_EQUAL(file_replace(path_of("SCRUB"), text, 0600, &f.error), OK);
    CU_ASSERT_EQUAL(store_position_load(f.store, &position, &f.error), ERR_CORRUPT);
    CU_ASSERT_EQUAL(position, 5);
}

static void test_store__damaged_position_is_none(void)
{
    CU_ASSERT_EQUAL_FATAL(store_position_save(f.store, block_id, &f.error), OK);
    struct buf whole;
    buf_open(&whole, 0);
    CU_ASSERT_EQUAL_FATAL(file_read_whole(path_of("SCRUB"), &whole, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&whole),
                           "format=1\nblock_id=12345678000000ab\ncrc32c=c9f0b838\n");
    for (size_t length = 0; length < whole.length; length++)
        expect_no_position(slice_make(whole.data, length));
    for (size_t bit = 0; bit < whole.length * 8; bit++) {
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_no_position(buf_slice(&whole));
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CU_ASSERT_EQUAL(buf_append_format(&whole, "more=1\n"), OK);
    expect_no_position(buf_slice(&whole));
    for (size_t i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(buf_append_format(&whole, "a text that is no position at all\n"), OK);
    expect_no_position(buf_slice(&whole));
    buf_close(&whole);
    CU_ASSERT_EQUAL(store_position_save(f.store, block_id, &f.error), OK); /* over it */
}

/* Whichever call fails, once: the old position or the new one, and the next write is good. */
static void test_store__failed_write_of_the_position_leaves_the_old_one(void)
{
    static const enum fault_point points[] = {FAULT_FILE_OPEN, FAULT_FILE_WRITE, FAULT_FILE_RENAME};

    CU_ASSERT_EQUAL_FATAL(store_position_save(f.store, 7, &f.error), OK);
    for (size_t i = 0; i < UNIT_COUNT(points); i++) {
        uint64_t position = 0;
        fault_arm(points[i], 1, 1);
        CU_ASSERT_NOT_EQUAL(store_position_save(f.store, 8, &f.error), OK);
        CU_ASSERT_EQUAL(fault_failures(points[i]), 1);
        fault_disarm_all();
        CU_ASSERT_EQUAL(store_position_load(f.store, &position, &f.error), OK);
        CU_ASSERT_EQUAL(position, 7);
    }
    uint64_t position = 0;
    CU_ASSERT_EQUAL(store_position_save(f.store, 8, &f.error), OK);
    CU_ASSERT_EQUAL(store_position_load(f.store, &position, &f.error), OK);
    CU_ASSERT_EQUAL(position, 8);
}

/* --- every call fails --------------------------------------------------------------------------
 */

static const enum fault_point file_points[] = {
    FAULT_FILE_OPEN,   FAULT_FILE_READ,   FAULT_FILE_WRITE, FAULT_FILE_SYNC,
    FAULT_FILE_RENAME, FAULT_FILE_REMOVE, FAULT_MEM};

/* After the failure and a start: the block is whole, or there is nothing of it. */
static void expect_whole_or_nothing(enum status received)
{
    fault_disarm_all();
    reopen();
    struct store_scan found = scan();
    CU_ASSERT_EQUAL(found.corrupt_count, 0);
    if (received == OK)
        CU_ASSERT_EQUAL(found.blocks_count, 1);
    if (found.blocks_count == 1)
        CU_ASSERT_EQUAL(store_verify(f.store, block_id, NULL, &f.error), OK);
    CU_ASSERT_EQUAL(store_delete(f.store, block_id, &f.error), OK);
}

static void fail_every_call_of(enum fault_point point, uint64_t repeat)
{
    for (uint64_t nth = 1; nth < 1000; nth++) {
        bool has_broken_volume = false;
        fault_arm(point, nth, repeat);
        enum status status = receive(&has_broken_volume);
        bool has_failed = fault_failures(point) > 0;
        if (point == FAULT_FILE_SYNC && has_failed) {
            CU_ASSERT_EQUAL(status, ERR_IO);
            CU_ASSERT_TRUE(has_broken_volume);
        }
        if (point == FAULT_MEM && has_failed) {
            CU_ASSERT_EQUAL(status, ERR_NO_MEMORY);
            CU_ASSERT_FALSE(has_broken_volume);
        }
        if (status != OK)
            CU_ASSERT_TRUE(has_failed);
        expect_whole_or_nothing(status);
        if (!has_failed)
            return;
    }
    CU_FAIL("the scenario never ran without a failure");
}

static void test_store__failed_receive_leaves_a_whole_block_or_nothing(void)
{
    for (size_t i = 0; i < sizeof(file_points) / sizeof(file_points[0]); i++) {
        fail_every_call_of(file_points[i], 1);
        fail_every_call_of(file_points[i], FAULT_FOREVER);
    }
}

static void test_store__failed_read_is_an_error_and_never_a_wrong_byte(void)
{
    static const enum fault_point points[] = {FAULT_FILE_OPEN, FAULT_FILE_READ};

    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    for (size_t i = 0; i < 2; i++) {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            CU_ASSERT_TRUE_FATAL(nth < 1000);
            memset(f.read, 0, BLOCK_BYTES);
            fault_arm(points[i], nth, 1);
            enum status status = read_all();
            has_failed = fault_failures(points[i]) > 0;
            CU_ASSERT_EQUAL(status == OK, !has_failed);
            if (status == OK)
                CU_ASSERT_EQUAL(memcmp(f.read, f.data, BLOCK_BYTES), 0);
            fault_disarm_all();
        }
    }
}

static enum status verify(void)
{
    return store_verify(f.store, block_id, NULL, &f.error);
}

static enum status scan_again(void)
{
    struct arena *arena = arena_open(0);
    struct store_scan found = {0};
    enum status status = store_scan(f.store, arena, &found, &f.error);
    if (status == OK)
        CU_ASSERT_EQUAL(found.blocks_count, 1);
    arena_close(arena);
    return status;
}

static enum status load_identity(void)
{
    struct store_identity identity;
    return store_identity_load(f.store, &identity, &f.error);
}

static enum status save_identity(void)
{
    struct store_identity identity = {.node_id = 1, .cluster_id = 2, .volume_id = 3};
    return store_identity_save(f.store, &identity, &f.error);
}

/* A good block is not taken for a bad one because memory was short while it was looked at. */
static void test_store__want_of_memory_is_said_and_harms_no_block(void)
{
    enum status (*const calls[])(void) = {read_all, verify, scan_again, save_identity,
                                          load_identity};

    const uint64_t repeats[] = {1, FAULT_FOREVER};
    uint64_t failures = 0;

    CU_ASSERT_EQUAL_FATAL(receive(NULL), OK);
    for (size_t i = 0; i < 2 * UNIT_COUNT(calls); i++) {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            CU_ASSERT_TRUE_FATAL(nth < 1000);
            fault_arm(FAULT_MEM, nth, repeats[i % 2]);
            enum status status = calls[i / 2]();
            has_failed = fault_failures(FAULT_MEM) > 0;
            fault_disarm_all();
            CU_ASSERT_EQUAL(status, has_failed ? ERR_NO_MEMORY : OK);
            CU_ASSERT_EQUAL(scan_again(), OK);
            CU_ASSERT_EQUAL(verify(), OK);
            failures += has_failed;
        }
    }
    CU_ASSERT_TRUE(failures > 4);
}

static void test_store__failed_open_may_be_repeated(void)
{
    static const enum fault_point points[] = {FAULT_DIRECTORY, FAULT_FILE_SYNC, FAULT_FILE_OPEN,
                                              FAULT_MEM};

    store_close(f.store);
    f.store = NULL;
    for (size_t i = 0; i < UNIT_COUNT(points); i++) {
        for (uint64_t nth = 1; nth < 600; nth++) {
            fault_arm(points[i], nth, 1);
            enum status status = open_store();
            bool has_failed = fault_failures(points[i]) > 0;
            fault_disarm_all();
            if (status == OK) {
                store_close(f.store);
                f.store = NULL;
            }
            if (!has_failed) {
                CU_ASSERT_EQUAL(status, OK);
                break;
            }
        }
    }
    CU_ASSERT_EQUAL(open_store(), OK);
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_store__received_block_is_read_back, "A received block is read back."),
    TEST(test_store__any_range_is_read, "Any range is read."),
    TEST(test_store__empty_block_is_a_block, "An empty block is a block."),
    TEST(test_store__wrong_claim_keeps_nothing, "A wrong claim keeps nothing."),
    TEST(test_store__unfinished_receive_is_gone_after_a_start,
         "An unfinished receive is gone after a start."),
    TEST(test_store__flipped_bit_in_the_data_is_never_read, "A flipped data bit is never read."),
    TEST(test_store__bad_chunk_spares_the_others, "A bad chunk spares the others."),
    TEST(test_store__flipped_bit_in_the_sidecar_is_noticed, "A flipped sidecar bit is noticed."),
    TEST(test_store__cut_block_is_out_of_service_after_a_start,
         "A cut block is out of service after a start."),
    TEST(test_store__block_without_sidecar_is_out_of_service,
         "A block without sidecar is out of service."),
    TEST(test_store__sidecar_without_block_is_removed, "A sidecar without block is removed."),
    TEST(test_store__foreign_names_are_left_alone, "Foreign names are left alone."),
    TEST(test_store__deleted_block_is_gone_and_may_be_deleted_again,
         "A deleted block is gone and may be deleted again."),
    TEST(test_store__quarantined_block_is_not_served, "A quarantined block is not served."),
    TEST(test_store__identity_is_kept, "The identity is kept."),
    TEST(test_store__damaged_identity_is_refused, "A damaged identity is refused."),
    TEST(test_store__position_is_kept, "The scrubber's position is kept."),
    TEST(test_store__damaged_position_is_none, "A damaged position is none."),
    TEST(test_store__failed_write_of_the_position_leaves_the_old_one,
         "A failed write of the position leaves the old one."),
    TEST(test_store__failed_receive_leaves_a_whole_block_or_nothing,
         "A failed receive leaves a whole block or nothing."),
    TEST(test_store__failed_read_is_an_error_and_never_a_wrong_byte,
         "A failed read is an error and never a wrong byte."),
    TEST(test_store__want_of_memory_is_said_and_harms_no_block,
         "Want of memory is said, and harms no block."),
    TEST(test_store__failed_open_may_be_repeated, "A failed open may be repeated."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_store", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
