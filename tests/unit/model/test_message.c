/*
 * test_message.c - lib/model/message.h and the generated descriptors of lib/model/messages.h.
 */
#include "lib/model/message.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/rng.h"
#include "lib/model/messages.h"
#include "tests/support/random_message.h"
#include "tests/support/unit.h"

static struct fixture {
    struct rng rng;
    struct arena *arena;
    struct buf text;
} f;

static void setup(void)
{
    f = (struct fixture){.rng = rng_seed(unit_seed()), .arena = arena_open(0)};
}

static void teardown(void)
{
    buf_close(&f.text);
    arena_close(f.arena);
}

static void test_message__copy_is_equal_and_outlives_its_source(void)
{
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        const struct message_type *type = message_types[i];
        struct arena *source = arena_open(0);
        struct rng again = f.rng;
        const void *message = random_message(type, &f.rng, source);
        const void *copy = message_copy(type, message, f.arena);
        CU_ASSERT_TRUE(message_equal(type, message, copy));
        arena_close(source);
        /* The source is gone: a sanitizer sees it when the copy points into it. */
        CU_ASSERT_TRUE(message_equal(type, copy, random_message(type, &again, f.arena)));
    }
}

/* Writes one changed byte into each field's value or count and looks whether it is noticed. */
static void test_message__each_field_makes_a_difference(void)
{
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        const struct message_type *type = message_types[i];
        const void *zero = arena_new(f.arena, type->size);
        for (size_t j = 0; j < type->field_count; j++) {
            const struct message_field *field = &type->fields[j];
            if (field->kind == FIELD_MESSAGE)
                continue;
            uint8_t *other = arena_new(f.arena, type->size);
            struct slice text = slice_from_string("x");
            size_t count = 1;
            const void *element = &text;
            if (field->is_repeated) {
                memcpy(other + field->offset, &element, sizeof(element));
                memcpy(other + field->count_offset, &count, sizeof(count));
            } else if (field->kind == FIELD_STRING) {
                memcpy(other + field->offset, &text, sizeof(text));
            } else {
                other[field->offset] = 1;
            }
            CU_ASSERT_FALSE(message_equal(type, zero, other));
            CU_ASSERT_FALSE(message_is_zero(type, other));
        }
        CU_ASSERT_TRUE(message_is_zero(type, zero));
    }
}

static void test_message__difference_inside_a_list_is_seen(void)
{
    struct endpoint left_target = {.node_id = 1, .host = slice_from_string("a")};
    struct endpoint right_target = {.node_id = 1, .host = slice_from_string("b")};
    struct dfs_add_block_response left = {.targets = &left_target, .targets_count = 1};
    struct dfs_add_block_response right = {.targets = &right_target, .targets_count = 1};
    CU_ASSERT_FALSE(message_equal(&dfs_add_block_response_type, &left, &right));
    right_target.host = slice_from_string("a");
    CU_ASSERT_TRUE(message_equal(&dfs_add_block_response_type, &left, &right));
}

static void test_message__nan_equals_nan_and_minus_zero_is_zero(void)
{
    struct rm_app_report left = {.progress = NAN};
    struct rm_app_report right = {.progress = NAN};
    CU_ASSERT_TRUE(message_equal(&rm_app_report_type, &left, &right));
    left.progress = -0.0F;
    CU_ASSERT_TRUE(message_is_zero(&rm_app_report_type, &left));
}

static void test_message__empty_list_equals_no_list(void)
{
    struct endpoint nobody = {0};
    struct dfs_add_block_response left = {.targets = &nobody, .targets_count = 0};
    struct dfs_add_block_response right = {0};
    CU_ASSERT_TRUE(message_equal(&dfs_add_block_response_type, &left, &right));
    const struct dfs_add_block_response *copy =
        message_copy(&dfs_add_block_response_type, &left, f.arena);
    CU_ASSERT_PTR_NULL(copy->targets);
}

static void test_message__prints_as_one_line_of_json(void)
{
    struct slice argument = slice_from_string("tab\there");
    struct key_value pair = {.key = slice_from_string("quote\""), .value = slice_make("\xff\\", 2)};
    struct rm_node_command command = {
        .kind = NODE_LAUNCH_MASTER,
        .container = {.app = {.cluster_timestamp = UINT64_MAX}, .sequence = 2},
        .launch = { .arguments = &argument,
                      .arguments_count = 1,
                      .environment = &pair,
                      .environment_count = 1},
        .user = slice_from_string("\xc3\xa9"),
    };
    CU_ASSERT_EQUAL(message_print_json(&rm_node_command_type, &command, &f.text), OK);
    CU_ASSERT_STRING_EQUAL(
        buf_string(&f.text),
        "{\"kind\":\"NODE_LAUNCH_MASTER\",\"container\":{\"app\":{\"cluster_timestamp\":"
        "18446744073709551615,\"sequence\":0},\"app_attempt\":0,\"epoch\":0,\"sequence\":2},"
        "\"launch\":{\"arguments\":[\"tab\\u0009here\"],\"environment\":[{\"key\":\"quote\\\"\","
        "\"value\":\"\\ufffd\\\\\"}],\"resources\":[]},\"resource\":{\"memory_bytes\":0,"
        "\"vcores\":0},\"user\":\"\xc3\xa9\",\"app\":{\"cluster_timestamp\":0,\"sequence\":0},"
        "\"sequence\":0}");
}

static void test_message__json_has_no_nan(void)
{
    struct am_task_report_request report = {.progress = NAN};
    CU_ASSERT_EQUAL(message_print_json(&am_task_report_request_type, &report, &f.text), OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&f.text), "\"progress\":null,"));
}

/* The generator's bytes field is in no message yet, so a type is made here. */
static void test_message__bytes_print_as_base64(void)
{
    struct blob {
        struct slice data;
    };

    const struct message_field field = {
        .name = "data", .number = 1, .kind = FIELD_BYTES, .offset = offsetof(struct blob, data)};
    const struct message_type type = {
        .name = "blob", .size = sizeof(struct blob), .fields = &field, .field_count = 1};
    const char *const texts[] = {"", "f", "fo", "foo", "foob"};
    const char *const expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="};
    for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
        struct blob blob = {.data = slice_from_string(texts[i])};
        buf_clear(&f.text);
        CU_ASSERT_EQUAL(message_print_json(&type, &blob, &f.text), OK);
        struct slice wanted = arena_format(f.arena, "{\"data\":\"%s\"}", expected[i]);
        CU_ASSERT_TRUE(slice_equal(buf_slice(&f.text), wanted));
    }
}

static void test_message__full_buffer_stops_printing(void)
{
    struct rm_app_report report = {.name = slice_from_string("a name")};
    CU_ASSERT_EQUAL(message_print_json(&rm_app_report_type, &report, &f.text), OK);
    size_t whole = f.text.length;
    for (size_t room = 1; room < whole; room++) {
        struct buf small;
        buf_open(&small, room);
        CU_ASSERT_EQUAL(message_print_json(&rm_app_report_type, &report, &small), ERR_LIMIT);
        buf_close(&small);
    }
}

static void test_message__types_are_found_by_name(void)
{
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        CU_ASSERT_EQUAL(message_types[i]->index, i);
        CU_ASSERT_PTR_EQUAL(message_type_by_name(slice_from_string(message_types[i]->name)),
                            message_types[i]);
    }
    CU_ASSERT_PTR_EQUAL(message_type_by_name(slice_from_string("millrace.journal.InodePut")),
                        &journal_inode_put_type);
    CU_ASSERT_PTR_NULL(message_type_by_name(slice_from_string("millrace.journal.InodePu")));
    CU_ASSERT_PTR_NULL(message_type_by_name(slice_from_string("")));
}

static void test_message__methods_are_found_by_path(void)
{
    for (unsigned i = 0; i < METHOD_COUNT; i++) {
        const struct method_info *info = method_info((enum method)i);
        enum method found = METHOD_COUNT;
        CU_ASSERT_TRUE(method_from_path(slice_from_string(info->path), &found));
        CU_ASSERT_EQUAL((unsigned)found, i);
    }
    const struct method_info *info = method_info(METHOD_NAMENODE_ADD_BLOCK);
    CU_ASSERT_STRING_EQUAL(info->path, "/millrace.dfs.Namenode/AddBlock");
    CU_ASSERT_STRING_EQUAL(info->service, "Namenode");
    CU_ASSERT_STRING_EQUAL(info->name, "AddBlock");
    CU_ASSERT_PTR_EQUAL(info->request, &dfs_add_block_request_type);
    CU_ASSERT_PTR_EQUAL(info->response, &dfs_add_block_response_type);
    enum method untouched = METHOD_JOB_GET_JOB;
    CU_ASSERT_FALSE(
        method_from_path(slice_from_string("/millrace.dfs.Namenode/Addblock"), &untouched));
    CU_ASSERT_EQUAL(untouched, METHOD_JOB_GET_JOB);
}

static void test_message__enum_values_have_names(void)
{
    CU_ASSERT_STRING_EQUAL(rm_app_state_name(APP_RUNNING), "APP_RUNNING");
    CU_ASSERT_STRING_EQUAL(task_kind_name(TASK_KIND_COUNT), "?");
    uint32_t value = 99;
    CU_ASSERT_TRUE(
        message_enum_from_name(&rm_app_state_enum, slice_from_string("APP_KILLED"), &value));
    CU_ASSERT_EQUAL(value, APP_KILLED);
    CU_ASSERT_FALSE(message_enum_from_name(&rm_app_state_enum, slice_from_string("APP_"), &value));
}

static const struct unit_test tests[] = {
    {"test_message__copy_is_equal_and_outlives_its_source",
     "Copy is equal and outlives its source.",                                                   test_message__copy_is_equal_and_outlives_its_source},
    {"test_message__each_field_makes_a_difference",         "Each field makes a difference.",
     test_message__each_field_makes_a_difference                                                                                                    },
    {"test_message__difference_inside_a_list_is_seen",      "Difference inside a list is seen.",
     test_message__difference_inside_a_list_is_seen                                                                                                 },
    {"test_message__nan_equals_nan_and_minus_zero_is_zero",
     "Nan equals nan and minus zero is zero.",                                                   test_message__nan_equals_nan_and_minus_zero_is_zero},
    {"test_message__empty_list_equals_no_list",             "Empty list equals no list.",
     test_message__empty_list_equals_no_list                                                                                                        },
    {"test_message__prints_as_one_line_of_json",            "Prints as one line of JSON.",
     test_message__prints_as_one_line_of_json                                                                                                       },
    {"test_message__json_has_no_nan",                       "JSON has no nan.",                  test_message__json_has_no_nan                      },
    {"test_message__bytes_print_as_base64",                 "Bytes print as base64.",
     test_message__bytes_print_as_base64                                                                                                            },
    {"test_message__full_buffer_stops_printing",            "Full buffer stops printing.",
     test_message__full_buffer_stops_printing                                                                                                       },
    {"test_message__types_are_found_by_name",               "Types are found by name.",
     test_message__types_are_found_by_name                                                                                                          },
    {"test_message__methods_are_found_by_path",             "Methods are found by path.",
     test_message__methods_are_found_by_path                                                                                                        },
    {"test_message__enum_values_have_names",                "Enum values have names.",
     test_message__enum_values_have_names                                                                                                           },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "model/message", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
