/*
 * test_wire.c - lib/wire/wire.h: every message type there and back, and bytes that are none.
 */
#include "lib/wire/wire.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/model/limits.h"
#include "lib/model/messages.h"
#include "tests/support/random_message.h"
#include "tests/support/unit.h"

enum {
    ROUNDS = 40,
    GARBAGE_ROUNDS = 400
};

static struct fixture {
    struct rng rng;
    struct arena *arena;
    struct buf bytes;
    struct error error;
} f;

static void setup(void)
{
    f = (struct fixture){.rng = rng_seed(unit_seed()), .arena = arena_open(0)};
}

static void teardown(void)
{
    buf_close(&f.bytes);
    arena_close(f.arena);
}

/* A copy of exactly this size, so that a sanitizer sees a read beyond its end. */
static struct slice exact_copy(struct slice bytes)
{
    if (bytes.length == 0)
        return bytes;
    uint8_t *copy = mem_new(bytes.length);
    memcpy(copy, bytes.data, bytes.length);
    return slice_make(copy, bytes.length);
}

static void free_copy(struct slice copy)
{
    if (copy.length == 0)
        return;
    void *data;
    memcpy(&data, &copy.data, sizeof(data));
    mem_free(data);
}

static enum status unpack_exact(const struct message_type *type,
                                struct slice bytes,
                                void **ret_message)
{
    struct slice copy = exact_copy(bytes);
    enum status status = wire_unpack(type, copy, f.arena, ret_message, &f.error);
    free_copy(copy);
    return status;
}

static void test_wire__every_message_comes_back_equal(void)
{
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        const struct message_type *type = message_types[i];
        for (int round = 0; round < ROUNDS; round++) {
            const void *sent = random_message(type, &f.rng, f.arena);
            void *received = NULL;
            buf_clear(&f.bytes);
            CU_ASSERT_EQUAL_FATAL(wire_pack(type, sent, &f.bytes, &f.error), OK);
            CU_ASSERT_EQUAL_FATAL(unpack_exact(type, buf_slice(&f.bytes), &received), OK);
            CU_ASSERT_TRUE_FATAL(message_equal(type, sent, received));
        }
        arena_reset(f.arena);
    }
}

static void test_wire__zero_message_is_no_bytes(void)
{
    struct rm_app_report zero = {0};
    CU_ASSERT_EQUAL(wire_pack(&rm_app_report_type, &zero, &f.bytes, &f.error), OK);
    CU_ASSERT_EQUAL(f.bytes.length, 0);
    void *received = NULL;
    CU_ASSERT_EQUAL_FATAL(unpack_exact(&rm_app_report_type, slice_make(NULL, 0), &received), OK);
    CU_ASSERT_TRUE(message_is_zero(&rm_app_report_type, received));
}

static void test_wire__bytes_are_protobufs(void)
{
    struct app_id id = {.cluster_timestamp = 300, .sequence = 7};
    CU_ASSERT_EQUAL(wire_pack(&app_id_type, &id, &f.bytes, &f.error), OK);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&f.bytes), slice_make("\x08\xac\x02\x10\x07", 5)));
}

static void test_wire__pack_appends(void)
{
    struct app_id id = {.sequence = 7};
    CU_ASSERT_EQUAL(buf_append(&f.bytes, "ab", 2), OK);
    CU_ASSERT_EQUAL(wire_pack(&app_id_type, &id, &f.bytes, &f.error), OK);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&f.bytes), slice_make("ab\x10\x07", 4)));
}

/* Cut anywhere: refused, or read as the fields that were whole. */
static void test_wire__every_truncation_is_survived(void)
{
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        const struct message_type *type = message_types[i];
        const void *sent = random_message(type, &f.rng, f.arena);
        buf_clear(&f.bytes);
        CU_ASSERT_EQUAL_FATAL(wire_pack(type, sent, &f.bytes, &f.error), OK);
        for (size_t length = 0; length < f.bytes.length; length++) {
            void *received = NULL;
            enum status status =
                unpack_exact(type, slice_sub(buf_slice(&f.bytes), 0, length), &received);
            CU_ASSERT_TRUE_FATAL(status == OK || status == ERR_INVALID);
            CU_ASSERT_FALSE_FATAL(status == OK && message_equal(type, sent, received));
        }
        arena_reset(f.arena);
    }
}

/* Cut inside its last field, a message is refused. */
static void test_wire__message_cut_inside_a_field_is_refused(void)
{
    struct key_value pair = {.key = slice_from_string("key"), .value = slice_from_string("value")};
    CU_ASSERT_EQUAL_FATAL(wire_pack(&key_value_type, &pair, &f.bytes, &f.error), OK);
    struct slice whole = buf_slice(&f.bytes);
    void *received = NULL;
    CU_ASSERT_EQUAL(unpack_exact(&key_value_type, slice_sub(whole, 0, whole.length - 1), &received),
                    ERR_INVALID);
    CU_ASSERT_PTR_NULL(received);
    CU_ASSERT_STRING_EQUAL(f.error.text,
                           "unpack millrace.common.KeyValue: 11 bytes are no such message");
}

/* Whatever is accepted is a message like any other: it packs again and comes back equal. */
static void expect_accepted_is_sound(const struct message_type *type, const void *message)
{
    void *again = NULL;
    buf_clear(&f.bytes);
    CU_ASSERT_EQUAL_FATAL(wire_pack(type, message, &f.bytes, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(unpack_exact(type, buf_slice(&f.bytes), &again), OK);
    CU_ASSERT_TRUE_FATAL(message_equal(type, message, again));
}

static void test_wire__random_bytes_are_survived(void)
{
    uint8_t garbage[64];
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        for (int round = 0; round < GARBAGE_ROUNDS; round++) {
            size_t length = (size_t)rng_below(&f.rng, sizeof(garbage) + 1);
            for (size_t j = 0; j < length; j++)
                garbage[j] = (uint8_t)rng_below(&f.rng, rng_chance(&f.rng, 500000) ? 32 : 256);
            void *received = NULL;
            enum status status =
                unpack_exact(message_types[i], slice_make(garbage, length), &received);
            CU_ASSERT_TRUE_FATAL(status == OK || status == ERR_INVALID);
            if (status == OK)
                expect_accepted_is_sound(message_types[i], received);
        }
        arena_reset(f.arena);
    }
}

static void test_wire__flipped_bits_are_survived(void)
{
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        const struct message_type *type = message_types[i];
        for (int round = 0; round < ROUNDS; round++) {
            const void *sent = random_message(type, &f.rng, f.arena);
            buf_clear(&f.bytes);
            CU_ASSERT_EQUAL_FATAL(wire_pack(type, sent, &f.bytes, &f.error), OK);
            if (f.bytes.length == 0)
                continue;
            f.bytes.data[rng_below(&f.rng, f.bytes.length)] ^=
                (uint8_t)(1u << rng_below(&f.rng, 8));
            void *received = NULL;
            enum status status = unpack_exact(type, buf_slice(&f.bytes), &received);
            CU_ASSERT_TRUE_FATAL(status == OK || status == ERR_INVALID);
            if (status == OK)
                expect_accepted_is_sound(type, received);
        }
        arena_reset(f.arena);
    }
}

static void expect_pair_refused(struct slice bytes)
{
    void *received = NULL;
    CU_ASSERT_EQUAL(unpack_exact(&key_value_type, bytes, &received), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text,
                           "unpack millrace.common.KeyValue: value: not UTF-8 text without NUL");
}

static void test_wire__received_string_is_utf8_without_nul(void)
{
    expect_pair_refused(slice_make("\x12\x03"
                                   "a\0b",
                                   5));
    expect_pair_refused(slice_make("\x12\x02"
                                   "a\0",
                                   4));
    expect_pair_refused(slice_make("\x12\x01\0", 3));
    expect_pair_refused(slice_make("\x12\x02\xc3(", 4));
}

static void test_wire__empty_string_on_the_wire_is_accepted(void)
{
    void *received = NULL;
    CU_ASSERT_EQUAL_FATAL(unpack_exact(&key_value_type, slice_make("\x12\x00", 2), &received), OK);
    CU_ASSERT_TRUE(message_is_zero(&key_value_type, received));
}

static void test_wire__last_of_two_values_counts(void)
{
    void *received = NULL;
    struct slice bytes = slice_make("\x12\x01"
                                    "a\x12\x02"
                                    "bc",
                                    7);
    CU_ASSERT_EQUAL_FATAL(unpack_exact(&key_value_type, bytes, &received), OK);
    const struct key_value *pair = received;
    CU_ASSERT_TRUE(slice_equal_string(pair->value, "bc"));
}

static void test_wire__sent_string_is_checked_too(void)
{
    struct rm_launch_spec spec = {0};
    struct key_value pair = {.key = slice_from_string("k"), .value = slice_make("\xff", 1)};
    spec.environment = &pair;
    spec.environment_count = 1;
    CU_ASSERT_EQUAL(wire_pack(&rm_launch_spec_type, &spec, &f.bytes, &f.error), ERR_INVALID);
    CU_ASSERT_EQUAL(f.bytes.length, 0);
    CU_ASSERT_STRING_EQUAL(
        f.error.text,
        "pack millrace.rm.LaunchSpec: environment: value: not UTF-8 text without NUL");
    pair.value = slice_make("a\0b", 3);
    CU_ASSERT_EQUAL(wire_pack(&rm_launch_spec_type, &spec, &f.bytes, &f.error), ERR_INVALID);
}

static void test_wire__unknown_enum_value_is_refused(void)
{
    void *received = NULL;
    CU_ASSERT_EQUAL(unpack_exact(&attempt_id_type, slice_make("\x10\x02", 2), &received),
                    ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(
        f.error.text,
        "unpack millrace.common.AttemptId: kind: millrace.common.TaskKind has no value 2");
    struct attempt_id id = {.kind = TASK_KIND_COUNT};
    CU_ASSERT_EQUAL(wire_pack(&attempt_id_type, &id, &f.bytes, &f.error), ERR_INVALID);
}

static void test_wire__field_of_another_wire_type_is_refused(void)
{
    void *received = NULL;
    /* Field 1 of AppId is a varint; here it is four fixed bytes. */
    CU_ASSERT_EQUAL(unpack_exact(&app_id_type, slice_make("\x0d\1\2\3\4", 5), &received),
                    ERR_INVALID);
}

static void test_wire__fields_of_a_newer_sender_are_skipped(void)
{
    void *received = NULL;
    /* Field 15, then sequence. */
    CU_ASSERT_EQUAL_FATAL(
        unpack_exact(&app_id_type, slice_make("\x7a\x02zz\x10\x07", 6), &received), OK);
    const struct app_id *id = received;
    CU_ASSERT_EQUAL(id->sequence, 7);
}

static void test_wire__too_many_elements_are_refused(void)
{
    size_t count = LIMIT_REPEATED_COUNT + 1;
    uint64_t *ids = mem_try_array(count, sizeof(*ids));
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    struct dfs_add_block_request request = {.excluded_node_ids = ids,
                                            .excluded_node_ids_count = count};
    CU_ASSERT_EQUAL(wire_pack(&dfs_add_block_request_type, &request, &f.bytes, &f.error),
                    ERR_LIMIT);
    mem_free(ids);
    /* Field 5, packed: count zeros. */
    uint8_t head[] = {0x2a, 0x81, 0x80, 0x40};
    CU_ASSERT_EQUAL(buf_append(&f.bytes, head, sizeof(head)), OK);
    CU_ASSERT_EQUAL_FATAL(buf_reserve(&f.bytes, count), OK);
    memset(f.bytes.data + f.bytes.length, 0, count);
    f.bytes.length += count;
    void *received = NULL;
    CU_ASSERT_EQUAL(unpack_exact(&dfs_add_block_request_type, buf_slice(&f.bytes), &received),
                    ERR_LIMIT);
}

/* Two bytes an element become a struct of a hundred: memory is what must be bounded. */
static void test_wire__message_that_swells_is_refused(void)
{
    size_t count = 8 * 1024 * 1024;
    CU_ASSERT_EQUAL_FATAL(buf_reserve(&f.bytes, 2 * count), OK);
    for (size_t i = 0; i < count; i++) {
        f.bytes.data[2 * i] = 0x0a;
        f.bytes.data[2 * i + 1] = 0x00;
    }
    f.bytes.length = 2 * count;
    void *received = NULL;
    CU_ASSERT_EQUAL(
        wire_unpack(&rm_list_apps_response_type, buf_slice(&f.bytes), f.arena, &received, &f.error),
        ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(f.error.text,
                           "unpack millrace.rm.ListAppsResponse: 16777216 bytes are too much "
                           "memory when unpacked");
}

static void test_wire__receivers_arena_bounds_the_message(void)
{
    struct key_value pair = {.key = slice_from_string("0123456789012345678901234567890123456789")};
    CU_ASSERT_EQUAL_FATAL(wire_pack(&key_value_type, &pair, &f.bytes, &f.error), OK);
    struct arena *small = arena_open(64);
    void *received = NULL;
    CU_ASSERT_EQUAL(wire_unpack(&key_value_type, buf_slice(&f.bytes), small, &received, &f.error),
                    ERR_LIMIT);
    CU_ASSERT_PTR_NULL(received);
    arena_close(small);
}

/* Each allocation in turn: never taken for damaged bytes, and never half a message. */
static void test_wire__without_memory_it_says_so(void)
{
    struct key_value pair = {.key = slice_from_string("key"), .value = slice_from_string("value")};
    CU_ASSERT_EQUAL_FATAL(wire_pack(&key_value_type, &pair, &f.bytes, &f.error), OK);
    uint64_t failures = 0;
    for (uint64_t nth = 1;; nth++) {
        struct arena *arena = arena_open(0);
        void *received = NULL;
        fault_arm(FAULT_MEM, nth, FAULT_FOREVER);
        enum status status =
            wire_unpack(&key_value_type, buf_slice(&f.bytes), arena, &received, &f.error);
        bool has_failed = fault_failures(FAULT_MEM) > 0;
        fault_disarm(FAULT_MEM);
        CU_ASSERT_EQUAL(status == OK, !has_failed);
        CU_ASSERT_EQUAL(received != NULL, status == OK);
        CU_ASSERT_TRUE(status == OK || status == ERR_NO_MEMORY || status == ERR_LIMIT);
        arena_close(arena);
        if (!has_failed)
            break;
        failures++;
    }
    CU_ASSERT_TRUE(failures > 0);
}

/* One round of each allocation that fails, alone or with all after it; true when one did. */
static bool without_memory(const struct message_type *type,
                           const void *sent,
                           uint64_t nth,
                           uint64_t repeat)
{
    struct arena *arena = arena_open(0);
    struct buf packed;
    void *received = NULL;
    buf_open(&packed, 0);
    CU_ASSERT_EQUAL(buf_append(&packed, "x", 1), OK);
    fault_arm(FAULT_MEM, nth, repeat);
    enum status status = wire_pack(type, sent, &packed, &f.error);
    if (status == OK)
        status = wire_unpack(type, slice_sub(buf_slice(&packed), 1, packed.length - 1), arena,
                             &received, &f.error);
    else
        CU_ASSERT_TRUE(slice_equal_string(buf_slice(&packed), "x"));
    bool has_failed = fault_failures(FAULT_MEM) > 0;
    fault_disarm(FAULT_MEM);
    CU_ASSERT_EQUAL_FATAL(status, has_failed ? ERR_NO_MEMORY : OK);
    CU_ASSERT_EQUAL(received != NULL, status == OK);
    if (status == OK)
        CU_ASSERT_TRUE(message_equal(type, sent, received));
    buf_close(&packed);
    arena_close(arena);
    return has_failed;
}

/* Each allocation of each message, there and back. */
static void test_wire__every_message_without_memory_is_refused(void)
{
    const uint64_t repeats[] = {1, FAULT_FOREVER};
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        const void *sent = random_message(message_types[i], &f.rng, f.arena);
        for (size_t r = 0; r < UNIT_COUNT(repeats); r++) {
            uint64_t nth = 1;
            while (without_memory(message_types[i], sent, nth, repeats[r]))
                nth++;
            CU_ASSERT_TRUE(nth > 1);
        }
        arena_reset(f.arena);
    }
}

static void test_wire__full_buffer_is_left_as_it_was(void)
{
    struct buf small;
    buf_open(&small, 4);
    CU_ASSERT_EQUAL(buf_append(&small, "abc", 3), OK);
    struct app_id id = {.cluster_timestamp = 1, .sequence = 2};
    CU_ASSERT_EQUAL(wire_pack(&app_id_type, &id, &small, &f.error), ERR_LIMIT);
    CU_ASSERT_TRUE(slice_equal_string(buf_slice(&small), "abc"));
    buf_close(&small);
}

static const struct unit_test tests[] = {
    {"test_wire__every_message_without_memory_is_refused",
     "Whichever allocation fails, a message comes back whole or not at all.",                        test_wire__every_message_without_memory_is_refused},
    {"test_wire__without_memory_it_says_so",
     "Without memory it says so, and does not blame the bytes.",                                     test_wire__without_memory_it_says_so              },
    {"test_wire__every_message_comes_back_equal",          "Every message comes back equal.",
     test_wire__every_message_comes_back_equal                                                                                                         },
    {"test_wire__zero_message_is_no_bytes",                "Zero message is no bytes.",
     test_wire__zero_message_is_no_bytes                                                                                                               },
    {"test_wire__bytes_are_protobufs",                     "Bytes are protobufs.",                   test_wire__bytes_are_protobufs                    },
    {"test_wire__pack_appends",                            "Pack appends.",                          test_wire__pack_appends                           },
    {"test_wire__every_truncation_is_survived",            "Every truncation is survived.",
     test_wire__every_truncation_is_survived                                                                                                           },
    {"test_wire__message_cut_inside_a_field_is_refused",   "Message cut inside a field is refused.",
     test_wire__message_cut_inside_a_field_is_refused                                                                                                  },
    {"test_wire__random_bytes_are_survived",               "Random bytes are survived.",
     test_wire__random_bytes_are_survived                                                                                                              },
    {"test_wire__flipped_bits_are_survived",               "Flipped bits are survived.",
     test_wire__flipped_bits_are_survived                                                                                                              },
    {"test_wire__received_string_is_utf8_without_nul",     "Received string is UTF-8 without NUL.",
     test_wire__received_string_is_utf8_without_nul                                                                                                    },
    {"test_wire__empty_string_on_the_wire_is_accepted",    "Empty string on the wire is accepted.",
     test_wire__empty_string_on_the_wire_is_accepted                                                                                                   },
    {"test_wire__last_of_two_values_counts",               "Last of two values counts.",
     test_wire__last_of_two_values_counts                                                                                                              },
    {"test_wire__sent_string_is_checked_too",              "Sent string is checked too.",
     test_wire__sent_string_is_checked_too                                                                                                             },
    {"test_wire__unknown_enum_value_is_refused",           "Unknown enum value is refused.",
     test_wire__unknown_enum_value_is_refused                                                                                                          },
    {"test_wire__field_of_another_wire_type_is_refused",   "Field of another wire type is refused.",
     test_wire__field_of_another_wire_type_is_refused                                                                                                  },
    {"test_wire__fields_of_a_newer_sender_are_skipped",    "Fields of a newer sender are skipped.",
     test_wire__fields_of_a_newer_sender_are_skipped                                                                                                   },
    {"test_wire__too_many_elements_are_refused",           "Too many elements are refused.",
     test_wire__too_many_elements_are_refused                                                                                                          },
    {"test_wire__message_that_swells_is_refused",          "Message that swells is refused.",
     test_wire__message_that_swells_is_refused                                                                                                         },
    {"test_wire__receivers_arena_bounds_the_message",      "Receivers arena bounds the message.",
     test_wire__receivers_arena_bounds_the_message                                                                                                     },
    {"test_wire__full_buffer_is_left_as_it_was",           "Full buffer is left as it was.",
     test_wire__full_buffer_is_left_as_it_was                                                                                                          },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "wire/wire", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
