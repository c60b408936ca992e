/*
 * test_groups.c - the groups of callers: looked up once, kept for a while, told to the machine.
 */
#include <stdio.h>
#include <string.h>

#include "lib/daemon/groups.h"
#include "lib/daemon/shell.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"
#include "tests/unit/daemon/echo.h"

enum {
    KEEP_MS = 1000
};

struct fixture {
    struct arena *arena;
    struct groups *groups;
    int64_t now_ms;
    unsigned lookups;
    bool asks_inside; /* the lookup itself asks again, as another thread would meanwhile */
    struct error error;
};

static struct fixture f;

/* "alice" is in "staff" and in "round-<n>", where n counts the lookups; nobody else is known. */
static void look_up(void *user,
                    struct slice name,
                    struct arena *arena,
                    const struct slice **ret_groups,
                    size_t *ret_count)
{
    (void)user;
    f.lookups++;
    if (f.asks_inside) {
        f.asks_inside = false;
        struct group_list *old = groups_find(f.groups, name);
        size_t count = 0;
        CU_ASSERT_TRUE(slice_equal_string(group_list_names(old, &count)[1], "round-1"));
        group_list_release(old);
    }
    if (!slice_equal_string(name, "alice"))
        return;
    struct slice *names = ARENA_ARRAY(arena, struct slice, 2);
    names[0] = slice_from_string("staff");
    names[1] = arena_format(arena, "round-%u", f.lookups);
    *ret_groups = names;
    *ret_count = 2;
}

static int64_t now_ms(void *user)
{
    (void)user;
    return f.now_ms;
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .now_ms = 5};
    struct groups_options options = {.keep_ms = KEEP_MS, .lookup = look_up, .now_ms = now_ms};
    f.groups = groups_open(&options);
}

static void teardown(void)
{
    groups_close(f.groups);
    arena_close(f.arena);
}

/* "a,b": the groups of name. */
static const char *groups_of(const char *name)
{
    struct group_list *list = groups_find(f.groups, slice_from_string(name));
    size_t count = 0;
    const struct slice *names = group_list_names(list, &count);
    struct slice text = arena_format(f.arena, "%s", "");
    for (size_t i = 0; i < count; i++)
        text = arena_format(f.arena, "%.*s%s%.*s", SLICE_ARGS(text), i == 0 ? "" : ",",
                            SLICE_ARGS(names[i]));
    group_list_release(list);
    return (const char *)text.data;
}

static void test_groups__answer_is_kept_and_expires(void)
{
    CU_ASSERT_STRING_EQUAL(groups_of("alice"), "staff,round-1");
    f.now_ms += KEEP_MS - 1;
    CU_ASSERT_STRING_EQUAL(groups_of("alice"), "staff,round-1");
    f.now_ms += 1;
    CU_ASSERT_STRING_EQUAL(groups_of("alice"), "staff,round-2");
    CU_ASSERT_EQUAL(f.lookups, 2);
}

static void test_groups__unknown_user_has_none_and_is_kept_too(void)
{
    CU_ASSERT_STRING_EQUAL(groups_of("mallory"), "");
    CU_ASSERT_STRING_EQUAL(groups_of("mallory"), "");
    CU_ASSERT_EQUAL(f.lookups, 1);
}

static void test_groups__old_answer_serves_while_one_asks(void)
{
    CU_ASSERT_STRING_EQUAL(groups_of("alice"), "staff,round-1");
    f.now_ms += KEEP_MS;
    f.asks_inside = true;
    CU_ASSERT_STRING_EQUAL(groups_of("alice"), "staff,round-2");
    CU_ASSERT_EQUAL(f.lookups, 2);
}

static void test_groups__list_outlives_table(void)
{
    struct group_list *list = groups_find(f.groups, slice_from_string("alice"));
    for (unsigned i = 0; i <= GROUPS_USERS_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "user%u", i);
        (void)groups_of(name);
    }
    CU_ASSERT_STRING_EQUAL(groups_of("alice"), "staff,round-10003"); /* it was forgotten */
    groups_close(f.groups);
    f.groups = NULL;
    size_t count = 0;
    CU_ASSERT_TRUE(slice_equal_string(group_list_names(list, &count)[0], "staff"));
    group_list_release(list);
}

static void test_groups__host_knows_its_own_user(void)
{
    const struct slice *names = NULL;
    size_t count = 0;
    const char *own = host_user_name(f.arena, host_uid());
    host_user_groups(f.arena, slice_from_string(own), &names, &count);
    CU_ASSERT_TRUE_FATAL(count > 0);
    CU_ASSERT_TRUE(slice_equal_string(names[0], host_group_name(f.arena, host_uid())));
    host_user_groups(f.arena, slice_from_string("no-such-user-here"), &names, &count);
    CU_ASSERT_EQUAL(count, 0);
    host_user_groups(f.arena, slice_make("root\0x", 6), &names, &count);
    CU_ASSERT_EQUAL(count, 0);
}

/* What the echo machine saw as groups of a caller. */
static const char *seen_by_machine(struct shell *shell, const char *user)
{
    struct rm_submit_app_request raise = {.name = slice_from_string("count")};
    struct rm_get_app_request ask = {.after_version = 0};
    void *message = NULL;
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    CU_ASSERT_EQUAL_FATAL(shell_ask(shell, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &raise,
                                    slice_from_string(user), slice_make(NULL, 0), deadline_ms,
                                    f.arena, &message, &f.error),
                          OK);
    CU_ASSERT_EQUAL_FATAL(shell_ask(shell, METHOD_RESOURCE_MANAGER_GET_APP, &ask,
                                    slice_from_string(user), slice_make(NULL, 0), deadline_ms,
                                    f.arena, &message, &f.error),
                          OK);
    struct slice groups = ((const struct rm_get_app_response *)message)->report.diagnostics;
    return (const char *)arena_format(f.arena, "%.*s", SLICE_ARGS(groups)).data;
}

static void test_groups__machine_sees_those_of_its_caller(void)
{
    const char *directory = NULL;
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &directory, &f.error), OK);
    struct shell_settings settings = {.door = &echo_door_row,
                                      .groups = f.groups,
                                      .journal_directory = directory,
                                      .journal_name = "echo"};
    struct shell *shell = NULL;
    CU_ASSERT_EQUAL_FATAL(shell_open(&settings, &shell, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(shell_attach(shell, echo_open(), &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(shell_start(shell, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(seen_by_machine(shell, "alice"), "staff,round-1");
    CU_ASSERT_STRING_EQUAL(seen_by_machine(shell, "mallory"), "");
    f.lookups = 0;
    CU_ASSERT_STRING_EQUAL(seen_by_machine(shell, "millrace"), "");
    CU_ASSERT_EQUAL(f.lookups, 0); /* a daemon is not asked for */
    shell_close(shell);
    CU_ASSERT_EQUAL(directory_remove_tree(directory, &f.error), OK);
}

static const struct unit_test tests[] = {
    {"test_groups__answer_is_kept_and_expires",            "An answer is kept and expires.",
     test_groups__answer_is_kept_and_expires           },
    {"test_groups__unknown_user_has_none_and_is_kept_too", "An unknown user has no groups.",
     test_groups__unknown_user_has_none_and_is_kept_too},
    {"test_groups__old_answer_serves_while_one_asks",      "An old answer serves while one asks.",
     test_groups__old_answer_serves_while_one_asks     },
    {"test_groups__list_outlives_table",                   "A list outlives the table.",
     test_groups__list_outlives_table                  },
    {"test_groups__host_knows_its_own_user",               "The host knows its own user.",
     test_groups__host_knows_its_own_user              },
    {"test_groups__machine_sees_those_of_its_caller",      "A machine sees its caller's groups.",
     test_groups__machine_sees_those_of_its_caller     },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "daemon/groups", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
