/*
 * test_machine.c - the action list of lib/model/machine.h.
 */
#include "lib/model/machine.h"

#include <string.h>

#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "tests/support/unit.h"

static struct fixture {
    struct actions actions;
} f;

static void setup(void)
{
    actions_open(&f.actions);
}

static void teardown(void)
{
    actions_close(&f.actions);
}

static void test_machine__actions_keep_their_order_and_content(void)
{
    struct journal_rm_epoch epoch = {.epoch = 3};
    struct rm_kill_app_response killed = {.was_running = true};
    struct nm_stop_container_request stop = {.diagnostics = slice_from_string("why")};
    actions_journal(&f.actions, &journal_rm_epoch_type, &epoch);
    actions_reply(&f.actions, 7, &rm_kill_app_response_type, &killed);
    actions_fail(&f.actions, 8, ERR_NOT_FOUND, "no application %d", 5);
    actions_call(&f.actions, 9, slice_from_string("h:1"), METHOD_NODE_MANAGER_STOP_CONTAINER, &stop,
                 100);
    actions_cancel(&f.actions, 10);
    actions_effect(&f.actions, 11, 12, &killed);
    actions_exit(&f.actions, 13);
    CU_ASSERT_EQUAL_FATAL(f.actions.count, 7);
    const struct action *action = f.actions.items;
    CU_ASSERT_EQUAL(action[0].kind, ACTION_JOURNAL);
    CU_ASSERT_PTR_EQUAL(action[0].type, &journal_rm_epoch_type);
    CU_ASSERT_TRUE(message_equal(action[0].type, action[0].message, &epoch));
    CU_ASSERT_EQUAL(action[1].kind, ACTION_REPLY);
    CU_ASSERT_EQUAL(action[1].call, 7);
    CU_ASSERT_TRUE(message_equal(action[1].type, action[1].message, &killed));
    CU_ASSERT_EQUAL(action[2].kind, ACTION_FAIL);
    CU_ASSERT_EQUAL(action[2].call, 8);
    CU_ASSERT_EQUAL(action[2].status, ERR_NOT_FOUND);
    CU_ASSERT_TRUE(slice_equal_string(action[2].text, "no application 5"));
    CU_ASSERT_EQUAL(action[3].kind, ACTION_CALL);
    CU_ASSERT_EQUAL(action[3].tag, 9);
    CU_ASSERT_TRUE(slice_equal_string(action[3].address, "h:1"));
    CU_ASSERT_EQUAL(action[3].method, METHOD_NODE_MANAGER_STOP_CONTAINER);
    CU_ASSERT_PTR_EQUAL(action[3].type, &nm_stop_container_request_type);
    CU_ASSERT_EQUAL(action[3].timeout_ms, 100);
    CU_ASSERT_EQUAL(action[4].kind, ACTION_CANCEL);
    CU_ASSERT_EQUAL(action[4].tag, 10);
    CU_ASSERT_EQUAL(action[5].kind, ACTION_EFFECT);
    CU_ASSERT_EQUAL(action[5].tag, 11);
    CU_ASSERT_EQUAL(action[5].effect, 12);
    CU_ASSERT_PTR_EQUAL(action[5].data, &killed);
    CU_ASSERT_EQUAL(action[6].kind, ACTION_EXIT);
    CU_ASSERT_EQUAL(action[6].exit_code, 13);
}

static void test_machine__message_is_copied_deep(void)
{
    char name[] = "before";
    struct dfs_file_status entry = {.path = slice_from_string(name)};
    struct dfs_list_status_response response = {.entries = &entry, .entries_count = 1};
    actions_reply(&f.actions, 1, &dfs_list_status_response_type, &response);
    memcpy(name, "after!", sizeof(name));
    entry.file_id = 9;
    const struct dfs_list_status_response *copy = f.actions.items[0].message;
    CU_ASSERT_TRUE(slice_equal_string(copy->entries[0].path, "before"));
    CU_ASSERT_EQUAL(copy->entries[0].file_id, 0);
}

static void test_machine__failure_text_is_clean_and_bounded(void)
{
    char text[4 * LIMIT_STATUS_TEXT_BYTES];
    for (size_t i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    actions_fail(&f.actions, 1, ERR_INVALID, "x%s", text);
    actions_fail(&f.actions, 2, ERR_INVALID, "bad \xff byte");
    CU_ASSERT_TRUE(text_is_clean(f.actions.items[0].text));
    CU_ASSERT_TRUE(f.actions.items[0].text.length <= LIMIT_STATUS_TEXT_BYTES);
    CU_ASSERT_TRUE(slice_equal_string(f.actions.items[1].text, "bad \xef\xbf\xbd byte"));
}

static void test_machine__reset_list_is_empty_and_usable(void)
{
    struct app_id id = {.sequence = 1};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            actions_journal(&f.actions, &app_id_type, &id);
        CU_ASSERT_EQUAL(f.actions.count, 100);
        actions_reset(&f.actions);
        CU_ASSERT_EQUAL(f.actions.count, 0);
    }
}

static void fail_with_ok(void)
{
    actions_fail(&f.actions, 1, OK, "all is well");
}

static void test_machine__failing_with_ok_is_our_bug(void)
{
    CU_ASSERT_TRUE(unit_aborts(fail_with_ok));
}

static const struct unit_test tests[] = {
    {"test_machine__actions_keep_their_order_and_content", "Actions keep their order and content.",
     test_machine__actions_keep_their_order_and_content},
    {"test_machine__message_is_copied_deep",               "Message is copied deep.",
     test_machine__message_is_copied_deep              },
    {"test_machine__failure_text_is_clean_and_bounded",    "Failure text is clean and bounded.",
     test_machine__failure_text_is_clean_and_bounded   },
    {"test_machine__reset_list_is_empty_and_usable",       "Reset list is empty and usable.",
     test_machine__reset_list_is_empty_and_usable      },
    {"test_machine__failing_with_ok_is_our_bug",           "Failing with ok is our bug.",
     test_machine__failing_with_ok_is_our_bug          },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "model/machine", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
