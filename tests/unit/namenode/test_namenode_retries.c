/*
 * test_namenode_retries.c - a repeated request is answered the same and done once, whatever it is:
 * at once, after a restart, in safe mode, and after others have changed the same files.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

enum {
    CASES_MAX = 16,
};

/* One mutation: ids are filled in by when_done_twice. */
struct mutation_case {
    enum method method;
    const void *request;
    size_t size;
};

static struct namenode_answer {
    const struct message_type *type;
    const void *message;
} first[CASES_MAX];

/* All requests of mutations begin with client_id and request_id. */
struct ids {
    uint64_t client_id;
    uint64_t request_id;
};

static void *with_ids(const struct mutation_case *one, uint64_t request_id)
{
    void *request = arena_new(f.answers, one->size);
    memcpy(request, one->request, one->size);
    const struct ids ids = {.client_id = f.client, .request_id = request_id};
    memcpy(request, &ids, sizeof(ids));
    return request;
}

/* Each once, then all again, expecting the same answers and no record. */
static void when_repeated(const struct mutation_case *cases,
                          size_t count,
                          uint64_t first_request_id)
{
    size_t records = f.record_count;
    for (size_t i = 0; i < count; i++) {
        const void *request = with_ids(&cases[i], first_request_id + i);
        enum status status = call(cases[i].method, request);
        if (status != OK || !message_equal(first[i].type, first[i].message, f.response)) {
            printf("%s again: %s %s\n", method_info(cases[i].method)->name, status_name(status),
                   f.text);
            CU_FAIL("a repetition is answered otherwise");
        }
    }
    CU_ASSERT_EQUAL(f.record_count, records);
}

static void test_retries__every_mutation_is_done_once(void)
{
    uint64_t file_id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    given_directory("/d");
    given_directory("/e");
    (void)given_file("/d/file", 1, 0);
    (void)given_file("/d/source", 1, 0);
    (void)given_file("/d/appended", 1, 0);
    CU_ASSERT_EQUAL(do_create("/d/open", false, 0, &file_id), OK);
    CU_ASSERT_EQUAL(do_write_block(file_id, 10, &block_id), OK);
    const struct slice sources[] = {text_of("/d/source")};
    const struct dfs_set_times_request times = {
        .path = text_of("/d/file"), .set_modified = true, .modified_ms = 5};
    const struct dfs_set_replication_request replication = {.path = text_of("/d/file"),
                                                            .replication = 2};
    const struct dfs_set_quota_request quota = {
        .path = text_of("/d"), .set_names = true, .names = 50};
    const struct dfs_concat_request concat = {
        .target = text_of("/d/file"), .sources = sources, .sources_count = 1};
    const struct dfs_append_request append = {.path = text_of("/d/appended")};
    const struct dfs_complete_request complete = {.file_id = file_id, .length = 10};
    const struct dfs_rename_request rename = {.source = text_of("/d/file"),
                                              .destination = text_of("/e/file")};
    const struct dfs_set_permission_request permission = {.path = text_of("/e/file"),
                                                          .permission = 0600};
    const struct dfs_set_owner_request owner = {.path = text_of("/e/file"),
                                                .owner = text_of("alice")};
    const struct dfs_mkdirs_request mkdirs = {.path = text_of("/e/dir")};
    const struct dfs_delete_request delete = {.path = text_of("/e"), .recursive = true};
    const struct mutation_case cases[] = {
        {METHOD_NAMENODE_SET_TIMES,       &times,       sizeof(times)      },
        {METHOD_NAMENODE_SET_REPLICATION, &replication, sizeof(replication)},
        {METHOD_NAMENODE_SET_QUOTA,       &quota,       sizeof(quota)      },
        {METHOD_NAMENODE_CONCAT,          &concat,      sizeof(concat)     },
        {METHOD_NAMENODE_APPEND,          &append,      sizeof(append)     },
        {METHOD_NAMENODE_COMPLETE,        &complete,    sizeof(complete)   },
        {METHOD_NAMENODE_RENAME,          &rename,      sizeof(rename)     },
        {METHOD_NAMENODE_SET_PERMISSION,  &permission,  sizeof(permission) },
        {METHOD_NAMENODE_SET_OWNER,       &owner,       sizeof(owner)      },
        {METHOD_NAMENODE_MKDIRS,          &mkdirs,      sizeof(mkdirs)     },
        {METHOD_NAMENODE_DELETE,          &delete,      sizeof(delete)     },
    };
    uint64_t request_id = f.next_request;
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        const void *request = with_ids(&cases[i], f.next_request++);
        if (call(cases[i].method, request) != OK) {
            printf("%s: %s\n", method_info(cases[i].method)->name, f.text);
            CU_FAIL_FATAL("refused");
        }
        first[i].type = method_info(cases[i].method)->response;
        first[i].message = f.response;
    }
    when_repeated(cases, UNIT_COUNT(cases), request_id);
    when_restarted();
    CU_ASSERT_TRUE(cluster().in_safe_mode);
    when_repeated(cases, UNIT_COUNT(cases), request_id);
}

static void test_retries__an_id_is_of_one_method(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct dfs_set_replication_request replication = {.client_id = f.client,
                                                      .request_id = f.next_request,
                                                      .path = text_of("/file"),
                                                      .replication = 2};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_REPLICATION, &replication), OK);
    struct dfs_append_request append = {
        .client_id = f.client, .request_id = f.next_request++, .path = text_of("/file")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_APPEND, &append), ERR_INVALID);
    append.request_id = 0;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_APPEND, &append), ERR_INVALID);
}

static void test_retries__a_late_append_does_not_open_the_file_again(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct dfs_append_request append = {
        .client_id = f.client, .request_id = f.next_request++, .path = text_of("/file")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_APPEND, &append), OK);
    uint64_t id = ((const struct dfs_append_response *)f.response)->file_id;
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_APPEND, &append), OK);
    CU_ASSERT_EQUAL(((const struct dfs_append_response *)f.response)->file_id, id);
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE), ERR_NOT_FOUND);
    f.client++; /* nobody holds the file */
    append.client_id = f.client;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_APPEND, &append), OK);
}

/* clang-format off */
static const struct unit_test tests[] = {
    {"test_retries__every_mutation_is_done_once",
     "Every mutation that is repeated is answered the same and done once, after a restart too.",
     test_retries__every_mutation_is_done_once},
    {"test_retries__an_id_is_of_one_method", "A request id is of one method, and never 0.",
     test_retries__an_id_is_of_one_method},
    {"test_retries__a_late_append_does_not_open_the_file_again",
     "An append repeated after its Complete opens nothing.",
     test_retries__a_late_append_does_not_open_the_file_again},
};

/* clang-format on */

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode retries", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
