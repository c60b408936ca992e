/*
 * test_journal.c - what is replayed, what is cut and what is refused: every length, every byte,
 * every call.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/journal/journal.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/unit.h"

enum {
    CONTENT_MAX = 1 << 16,
    HEADER_BYTES = 64,
    FRAME_BYTES = 36
};

struct fixture {
    struct arena *arena;
    const char *directory;
    const char *path; /* of the first segment */
    struct buf replayed;
    struct journal *journal;
    struct journal_report report;
    struct journal_options options;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.path = path_join(f.arena, f.directory, "rm.0000000001.journal");
    buf_open(&f.replayed, 0);
}

static void teardown(void)
{
    fault_disarm_all();
    journal_close(f.journal);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    buf_close(&f.replayed);
    arena_close(f.arena);
}

static enum status remember(void *user,
                            const struct journal_record *record,
                            struct error *reterr_error)
{
    (void)user;
    (void)reterr_error;
    return buf_append_format(&f.replayed, "%.*s=%.*s ", SLICE_ARGS(record->type),
                             SLICE_ARGS(record->bytes));
}

static enum status open_journal(void)
{
    journal_close(f.journal);
    f.journal = NULL;
    buf_clear(&f.replayed);
    f.error = (struct error){.status = OK};
    return journal_open(f.directory, "rm", &f.options, remember, NULL, &f.report, &f.journal,
                        &f.error);
}

static void expect_replay(const char *expected)
{
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.replayed), expected);
}

static enum status append(const char *type, const char *bytes)
{
    struct journal_record record = {slice_from_string(type), slice_from_string(bytes)};
    return journal_append(f.journal, &record, 1, &f.error);
}

static enum status append_two(const char *first, const char *second)
{
    struct journal_record records[] = {
        {slice_from_string("a"), slice_from_string(first) },
        {slice_from_string("b"), slice_from_string(second)},
    };
    return journal_append(f.journal, records, 2, &f.error);
}

/* Four batches in three syncs. */
static void given_batches(void)
{
    CU_ASSERT_EQUAL_FATAL(open_journal(), OK);
    CU_ASSERT_EQUAL(append_two("one", "two"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    CU_ASSERT_EQUAL(append("c", "three"), OK);
    CU_ASSERT_EQUAL(append("d", "four"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    CU_ASSERT_EQUAL(append("e", "five"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
}

static const char all_batches[] = "a=one b=two c=three d=four e=five ";
/* What is left when the last 0, 1, .. 4 batches are gone, and where those begin. */
static const char *const prefixes[] = {"", "a=one b=two ", "a=one b=two c=three ",
                                       "a=one b=two c=three d=four ", all_batches};

static const size_t ends[] = {
    HEADER_BYTES,
    HEADER_BYTES + FRAME_BYTES + 12,
    HEADER_BYTES + FRAME_BYTES + 12 + FRAME_BYTES + 8,
    HEADER_BYTES + FRAME_BYTES + 12 + FRAME_BYTES + 8 + FRAME_BYTES + 7,
    HEADER_BYTES + FRAME_BYTES + 12 + FRAME_BYTES + 8 + FRAME_BYTES + 7 + FRAME_BYTES + 7,
};

static size_t read_segment(uint8_t *content)
{
    struct buf buf;
    buf_open(&buf, CONTENT_MAX);
    CU_ASSERT_EQUAL_FATAL(file_read_whole(f.path, &buf, &f.error), OK);
    size_t length = buf.length;
    memcpy(content, buf.data, length);
    buf_close(&buf);
    return length;
}

static void write_segment(const uint8_t *content, size_t length)
{
    CU_ASSERT_EQUAL_FATAL(file_replace(f.path, slice_make(content, length), FILE_PUBLIC, &f.error),
                          OK);
}

static void expect_corrupt_at(size_t offset)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "offset %zu:", offset);
    CU_ASSERT_EQUAL(open_journal(), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, text));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, f.path));
}

static void test_journal__synced_batches_are_replayed_in_order(void)
{
    given_batches();
    CU_ASSERT_TRUE(f.report.was_created);
    expect_replay(all_batches);
    CU_ASSERT_FALSE(f.report.was_created);
    CU_ASSERT_EQUAL(f.report.batches, 4);
    CU_ASSERT_EQUAL(f.report.records, 5);
    CU_ASSERT_EQUAL(f.report.cut_bytes, 0);
    CU_ASSERT_EQUAL(f.report.bytes, ends[4]);
    CU_ASSERT_EQUAL(append("f", "six"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    expect_replay("a=one b=two c=three d=four e=five f=six ");
}

static void test_journal__unsynced_batches_are_not_written(void)
{
    given_batches();
    CU_ASSERT_EQUAL(append("f", "six"), OK);
    expect_replay(all_batches);
}

static void test_journal__limits_leave_it_usable(void)
{
    given_batches();
    char *large = mem_new(JOURNAL_BATCH_BYTES_MAX + 1);
    memset(large, 'x', JOURNAL_BATCH_BYTES_MAX);
    CU_ASSERT_EQUAL(append("f", large), ERR_LIMIT);
    mem_free(large);
    CU_ASSERT_EQUAL(append("", "nameless"), ERR_INVALID);
    CU_ASSERT_EQUAL(append("f", ""), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    expect_replay("a=one b=two c=three d=four e=five f= ");
}

/* A file cut at any length loses the batches that are not whole, and only those. */
static void test_journal__truncation_at_every_length(void)
{
    uint8_t content[CONTENT_MAX];
    given_batches();
    size_t length = read_segment(content);
    CU_ASSERT_EQUAL_FATAL(length, ends[4]);
    for (size_t cut = 0; cut < length; cut++) {
        write_segment(content, cut);
        if (cut < HEADER_BYTES) {
            expect_corrupt_at(cut);
            continue;
        }
        size_t whole = 0;
        while (ends[whole + 1] <= cut)
            whole++;
        expect_replay(prefixes[whole]);
        CU_ASSERT_EQUAL(f.report.cut_bytes, cut - ends[whole]);
        CU_ASSERT_FALSE(f.report.was_room);
        CU_ASSERT_EQUAL(append("n", "new"), OK);
        CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
        char expected[128];
        (void)snprintf(expected, sizeof(expected), "%sn=new ", prefixes[whole]);
        expect_replay(expected);
    }
}

/* A changed bit anywhere is found, and opening changes nothing. */
static void test_journal__bit_flip_at_every_byte(void)
{
    uint8_t content[CONTENT_MAX];
    uint8_t after[CONTENT_MAX];
    given_batches();
    size_t length = read_segment(content);
    for (size_t at = 0; at < length; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            content[at] ^= (uint8_t)(1u << bit);
            write_segment(content, length);
            size_t batch = 0;
            while (at >= HEADER_BYTES && ends[batch + 1] <= at)
                batch++;
            expect_corrupt_at(at < HEADER_BYTES ? 0 : ends[batch]);
            CU_ASSERT_EQUAL(read_segment(after), length);
            CU_ASSERT_EQUAL(memcmp(content, after, length), 0);
            content[at] ^= (uint8_t)(1u << bit);
        }
    }
}

static void test_journal__zero_tail_is_cut(void)
{
    uint8_t content[CONTENT_MAX] = {0};
    given_batches();
    size_t length = read_segment(content);
    for (size_t zeros = 1; zeros < 5000; zeros += 499) {
        write_segment(content, length + zeros);
        expect_replay(all_batches);
        CU_ASSERT_EQUAL(f.report.cut_bytes, zeros);
        CU_ASSERT_TRUE(f.report.was_room);
    }
}

/* A long batch of which whole sectors never arrived is torn; with other damage it is not. */
static void test_journal__missing_sectors_are_a_torn_write(void)
{
    static uint8_t content[CONTENT_MAX];
    static uint8_t damaged[CONTENT_MAX];
    char large[5001];
    memset(large, 'x', 5000);
    large[5000] = '\0';
    given_batches();
    CU_ASSERT_EQUAL(append("f", large), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    size_t length = read_segment(content);
    for (size_t sector = 512; sector + 512 <= length; sector += 512) {
        memcpy(damaged, content, length);
        memset(damaged + sector, 0, 512);
        write_segment(damaged, length);
        expect_replay(all_batches);
        CU_ASSERT_EQUAL(f.report.cut_offset, ends[4]);
        memcpy(damaged, content, length);
        memset(damaged + sector, 0, 511);
        write_segment(damaged, length);
        expect_corrupt_at(ends[4]);
    }
}

/* The same damage in a batch that a later one vouches for stops the open. */
static void test_journal__missing_sectors_before_a_later_sync_are_damage(void)
{
    static uint8_t content[CONTENT_MAX];
    char large[5001];
    memset(large, 'x', 5000);
    large[5000] = '\0';
    given_batches();
    CU_ASSERT_EQUAL(append("f", large), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    CU_ASSERT_EQUAL(append("g", "after"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    size_t length = read_segment(content);
    memset(content + 1024, 0, 512);
    write_segment(content, length);
    expect_corrupt_at(ends[4]);
}

/* In one group the sectors arrive in any order: a later batch of the same sync proves nothing. */
static void test_journal__torn_group_is_cut_though_a_later_batch_is_whole(void)
{
    static uint8_t content[CONTENT_MAX];
    char large[5001];
    memset(large, 'x', 5000);
    large[5000] = '\0';
    given_batches();
    CU_ASSERT_EQUAL(append("f", large), OK);
    CU_ASSERT_EQUAL(append("g", "after"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    size_t length = read_segment(content);
    memset(content + 1024, 0, 512);
    write_segment(content, length);
    expect_replay(all_batches);
    CU_ASSERT_EQUAL(f.report.cut_offset, ends[4]);
}

static void copy_batch(uint8_t *target, const uint8_t *content, size_t batch)
{
    memcpy(target, content + ends[batch], ends[batch + 1] - ends[batch]);
}

/* Batches 2 and 3 of the fixture ("four", "five") have one length, so they can change places. */
static void test_journal__chain_finds_moved_batches(void)
{
    uint8_t content[CONTENT_MAX];
    uint8_t moved[CONTENT_MAX];
    given_batches();
    size_t length = read_segment(content);
    memcpy(moved, content, length);
    copy_batch(moved + ends[2], content, 3);
    copy_batch(moved + ends[3], content, 2);
    write_segment(moved, length);
    expect_corrupt_at(ends[2]);
    memcpy(moved, content, length);
    copy_batch(moved + ends[4], content, 3);
    write_segment(moved, length + ends[4] - ends[3]);
    expect_corrupt_at(ends[4]);
    memcpy(moved, content, length);
    memmove(moved + ends[1], content + ends[2], length - ends[2]);
    write_segment(moved, length - (ends[2] - ends[1]));
    expect_corrupt_at(ends[1]);
}

static void test_journal__batches_of_another_journal_are_none(void)
{
    uint8_t first[CONTENT_MAX];
    uint8_t second[CONTENT_MAX];
    given_batches();
    size_t length = read_segment(first);
    journal_close(f.journal);
    f.journal = NULL;
    CU_ASSERT_EQUAL(file_remove(f.path, &f.error), OK);
    given_batches();
    CU_ASSERT_EQUAL(read_segment(second), length);
    copy_batch(second + ends[3], first, 3);
    write_segment(second, length);
    expect_corrupt_at(ends[3]);
}

/* The disk lost a write and shows what was there before: whole, in sequence, and yet wrong. */
static void test_journal__chain_finds_a_lost_write(void)
{
    uint8_t content[CONTENT_MAX];
    uint8_t before[CONTENT_MAX];
    given_batches();
    (void)read_segment(before);
    write_segment(before, ends[3]);
    expect_replay(prefixes[3]);
    CU_ASSERT_EQUAL(append("e", "FIVE"), OK);
    CU_ASSERT_EQUAL(append("f", "six"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    size_t length = read_segment(content);
    copy_batch(content + ends[3], before, 3);
    write_segment(content, length);
    expect_corrupt_at(ends[4]);
}

static uint32_t crc_of(const uint8_t *bytes, size_t length)
{
    uint32_t checksum = 0xFFFFFFFFu;
    for (size_t i = 0; i < length; i++) {
        checksum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            checksum = (checksum >> 1) ^ ((checksum & 1) != 0 ? 0x82F63B78u : 0);
    }
    return checksum ^ 0xFFFFFFFFu;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static void test_journal__newer_version_is_refused(void)
{
    /* The header of an empty journal with version 3, made by hand from docs/formats/journal.md. */
    uint8_t content[HEADER_BYTES] = {0};
    memcpy(content, "MRJRNL1", 8);
    content[8] = 3;
    content[32] = 1;
    content[40] = 1;
    put_u32(content + 60, crc_of(content, 60));
    write_segment(content, HEADER_BYTES);
    CU_ASSERT_EQUAL(open_journal(), ERR_UNSUPPORTED);
}

/* A segment of version 1, by hand: generation 7, a snapshot "s=state", then the batch "a=one". */
static void test_journal__older_version_is_read_and_continued(void)
{
    uint8_t content[HEADER_BYTES + 2 * FRAME_BYTES + 8 + 6] = {0};
    uint8_t *frame = content + HEADER_BYTES;
    static const char *const payloads[] = {"\001s\005state", "\001a\003one"};
    memcpy(content, "MRJRNL1", 8);
    content[8] = 1;
    content[32] = 7;
    content[40] = 41;
    content[48] = FRAME_BYTES + 8;
    uint32_t chain = crc_of(content, 60);
    put_u32(content + 60, chain);
    for (size_t i = 0; i < 2; i++) {
        uint8_t checked[16 + 32] = {0};
        size_t length = strlen(payloads[i]);
        memcpy(frame, "MRF1", 4);
        frame[4] = (uint8_t)length;
        frame[8] = (uint8_t)(41 + i);
        frame[16] = (uint8_t)(40 + i);
        put_u32(frame + 24, chain);
        put_u32(frame + 28, crc_of((const uint8_t *)payloads[i], length));
        memcpy(checked + 16, frame, 32);
        chain = crc_of(checked, sizeof(checked));
        put_u32(frame + 32, chain);
        memcpy(frame + FRAME_BYTES, payloads[i], length);
        frame += FRAME_BYTES + length;
    }
    f.path = path_join(f.arena, f.directory, "rm.0000000007.journal");
    write_segment(content, sizeof(content));
    expect_replay("s=state a=one ");
    CU_ASSERT_EQUAL(append("b", "two"), OK);
    CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), OK);
    expect_replay("s=state a=one b=two ");
    CU_ASSERT_EQUAL(f.report.sequence, 43);
}

static void test_journal__failed_replay_stops_open(void)
{
    given_batches();
    journal_close(f.journal);
    f.journal = NULL;
    buf_close(&f.replayed);
    buf_open(&f.replayed, 10); /* remember runs into its limit */
    CU_ASSERT_EQUAL(open_journal(), ERR_LIMIT);
}

/* Whichever call fails, everything after is refused, and what was acknowledged comes back. */
static void fail_syncs(enum fault_point point)
{
    for (uint64_t nth = 1; nth <= 2; nth++) {
        given_batches();
        CU_ASSERT_EQUAL(append("f", "six"), OK);
        fault_arm(point, 1, 1);
        CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), ERR_IO);
        CU_ASSERT_EQUAL(fault_failures(point), 1);
        fault_disarm_all();
        CU_ASSERT_TRUE(journal_has_failed(f.journal));
        CU_ASSERT_EQUAL(journal_sync(f.journal, &f.error), ERR_IO);
        CU_ASSERT_EQUAL(append("g", "seven"), ERR_IO);
        struct journal_checkpoint *checkpoint = NULL;
        CU_ASSERT_EQUAL(journal_checkpoint_begin(f.journal, &checkpoint, &f.error), ERR_IO);
        CU_ASSERT_EQUAL(open_journal(), OK);
        const char *replayed = buf_string(&f.replayed);
        CU_ASSERT_EQUAL(strncmp(replayed, all_batches, strlen(all_batches)), 0);
        journal_close(f.journal);
        f.journal = NULL;
        CU_ASSERT_EQUAL(file_remove(f.path, &f.error), OK);
    }
}

static void test_journal__one_failure_refuses_everything_after(void)
{
    fail_syncs(FAULT_FILE_WRITE);
    fail_syncs(FAULT_FILE_SYNC);
}

/* Fails the n-th call of one point while the journal is opened, for all n. */
static void fail_opens(enum fault_point point, bool is_new)
{
    for (uint64_t nth = 1;; nth++) {
        CU_ASSERT_TRUE_FATAL(nth < 30);
        if (is_new) {
            journal_close(f.journal);
            f.journal = NULL;
            CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
            CU_ASSERT_EQUAL(directory_make(f.directory, 0700, &f.error), OK);
        }
        fault_arm(point, nth, 1);
        enum status status = open_journal();
        bool was_hit = fault_failures(point) > 0;
        fault_disarm_all();
        CU_ASSERT_EQUAL(status, was_hit ? ERR_IO : OK);
        expect_replay(is_new ? "" : all_batches);
        if (!was_hit)
            break;
    }
}

static void test_journal__open_survives_every_failure(void)
{
    const enum fault_point points[] = {FAULT_FILE_OPEN, FAULT_FILE_READ, FAULT_FILE_WRITE,
                                       FAULT_FILE_SYNC, FAULT_FILE_RENAME};

    for (size_t i = 0; i < UNIT_COUNT(points); i++)
        fail_opens(points[i], true);
    given_batches();
    for (size_t i = 0; i < UNIT_COUNT(points); i++)
        fail_opens(points[i], false);
}

static void test_journal__reserved_room_changes_nothing(void)
{
    uint8_t content[CONTENT_MAX];
    f.options.reserve_bytes = 8192;
    given_batches();
    size_t length = read_segment(content);
    CU_ASSERT_TRUE(length > ends[4]);
    expect_replay(all_batches);
    CU_ASSERT_EQUAL(f.report.cut_bytes, length - ends[4]);
    /* A power cut inside the reserved room leaves zeros where sectors did not arrive. */
    memset(content + ends[3], 0, ends[4] - ends[3]);
    write_segment(content, length);
    expect_replay(prefixes[3]);
    f.options.reserve_bytes = 0;
}

/* Random bytes behind good ones are never replayed, and never crash the reader. */
static void test_journal__random_damage_never_invents_records(void)
{
    uint8_t content[CONTENT_MAX];
    uint8_t damaged[CONTENT_MAX];
    struct rng rng = rng_seed(unit_seed());
    given_batches();
    size_t length = read_segment(content);
    for (int round = 0; round < 3000; round++) {
        memcpy(damaged, content, length);
        size_t from = rng_below(&rng, length);
        size_t bytes = 1 + rng_below(&rng, 100);
        size_t total = length;
        for (size_t i = from; i < from + bytes; i++)
            damaged[i] = (uint8_t)rng_below(&rng, 256);
        if (from + bytes > total)
            total = from + bytes;
        write_segment(damaged, total - rng_below(&rng, total - from));
        if (open_journal() != OK)
            continue;
        size_t replayed = f.replayed.length;
        CU_ASSERT_TRUE_FATAL(replayed <= strlen(all_batches));
        CU_ASSERT_EQUAL_FATAL(memcmp(buf_string(&f.replayed), all_batches, replayed), 0);
    }
}

static const struct unit_test tests[] = {
    {"test_journal__synced_batches_are_replayed_in_order",            "Synced batches are replayed in order.",
     test_journal__synced_batches_are_replayed_in_order                                                                                                                                 },
    {"test_journal__unsynced_batches_are_not_written",                "Nothing is written before the sync.",
     test_journal__unsynced_batches_are_not_written                                                                                                                                     },
    {"test_journal__limits_leave_it_usable",                          "A refused batch leaves the journal usable.",
     test_journal__limits_leave_it_usable                                                                                                                                               },
    {"test_journal__truncation_at_every_length",
     "Cut at any length, the journal loses only batches that are not whole, and goes on.",                                 test_journal__truncation_at_every_length                     },
    {"test_journal__bit_flip_at_every_byte",
     "A changed bit anywhere stops the open at the right offset and changes nothing.",                                     test_journal__bit_flip_at_every_byte                         },
    {"test_journal__zero_tail_is_cut",                                "A tail of zeros is the end.",
     test_journal__zero_tail_is_cut                                                                                                                                                     },
    {"test_journal__missing_sectors_are_a_torn_write",
     "Sectors that never arrived are a torn write; anything else is damage.",                                              test_journal__missing_sectors_are_a_torn_write               },
    {"test_journal__missing_sectors_before_a_later_sync_are_damage",
     "Missing sectors in a batch that a later sync vouches for are damage.",                                               test_journal__missing_sectors_before_a_later_sync_are_damage },
    {"test_journal__torn_group_is_cut_though_a_later_batch_is_whole",
     "A torn group is cut although a later batch of it is whole.",                                                         test_journal__torn_group_is_cut_though_a_later_batch_is_whole},
    {"test_journal__chain_finds_moved_batches",
     "Exchanged, repeated and missing batches break the chain.",                                                           test_journal__chain_finds_moved_batches                      },
    {"test_journal__batches_of_another_journal_are_none",             "A batch of another journal is damage.",
     test_journal__batches_of_another_journal_are_none                                                                                                                                  },
    {"test_journal__chain_finds_a_lost_write",                        "A batch that lost a later write breaks the chain.",
     test_journal__chain_finds_a_lost_write                                                                                                                                             },
    {"test_journal__newer_version_is_refused",                        "A newer format is refused, not guessed.",
     test_journal__newer_version_is_refused                                                                                                                                             },
    {"test_journal__older_version_is_read_and_continued",
     "A segment of version 1 is read and continued.",                                                                      test_journal__older_version_is_read_and_continued            },
    {"test_journal__failed_replay_stops_open",                        "A record that cannot be replayed stops the open.",
     test_journal__failed_replay_stops_open                                                                                                                                             },
    {"test_journal__one_failure_refuses_everything_after",
     "After one failed write or sync everything is refused until the next open.",                                          test_journal__one_failure_refuses_everything_after           },
    {"test_journal__open_survives_every_failure",
     "Whichever call of an open fails, the next open finds everything.",                                                   test_journal__open_survives_every_failure                    },
    {"test_journal__reserved_room_changes_nothing",                   "Reserved room changes nothing but the size.",
     test_journal__reserved_room_changes_nothing                                                                                                                                        },
    {"test_journal__random_damage_never_invents_records",
     "Random damage never invents, repeats or reorders records.",                                                          test_journal__random_damage_never_invents_records            },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "journal/journal", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
