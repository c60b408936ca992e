/*
 * test_namenode_random.c - random calls against a plain list of paths, while datanodes die and come
 * back and the namenode restarts. In the end every block has its replicas and no disk holds
 * another.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/model/path.h"
#include "tests/unit/namenode/fixture.h"

enum {
    ENTRIES_MAX = 512,
    PATH_BYTES = 128,
    OPERATIONS = 3000,
    NODES = 6,
};

struct entry {
    char path[PATH_BYTES];
    bool is_directory;
    uint64_t length;
};

/* What should be there. */
static struct model {
    struct entry entries[ENTRIES_MAX];
    size_t count;
    struct rng rng;
    uint64_t resting; /* node out of service; 0: none */
} m;

/* --- the plain list ------------------------------------------------------------------ */

static struct entry *find(const char *path)
{
    for (size_t i = 0; i < m.count; i++) {
        if (strcmp(m.entries[i].path, path) == 0) {
            return &m.entries[i];
        }
    }
    return NULL;
}

static bool is_within(const char *path, const char *top)
{
    return path_is_within(slice_from_string(path), slice_from_string(top));
}

static bool is_root(const char *path)
{
    return strcmp(path, "/") == 0;
}

static void put(const char *path, bool is_directory, uint64_t length)
{
    struct entry *entry = find(path);
    if (entry == NULL) {
        if (m.count == ENTRIES_MAX) {
            abort(); /* more than the names there are */
        }
        entry = &m.entries[m.count++];
    }
    snprintf(entry->path, sizeof(entry->path), "%s", path);
    entry->is_directory = is_directory;
    entry->length = length;
}

static void drop(const char *top)
{
    size_t kept = 0;
    for (size_t i = 0; i < m.count; i++) {
        if (!is_within(m.entries[i].path, top)) {
            m.entries[kept++] = m.entries[i];
        }
    }
    m.count = kept;
}

static bool has_children(const char *top)
{
    for (size_t i = 0; i < m.count; i++) {
        if (is_within(m.entries[i].path, top) && strcmp(m.entries[i].path, top) != 0) {
            return true;
        }
    }
    return false;
}

/* The n-th ancestor's path, n from 1; false: path has no such one. */
static bool ancestor(const char *path, size_t nth, char *ret_path)
{
    size_t seen = 0;
    snprintf(ret_path, PATH_BYTES, "%s", path);
    for (size_t i = 1; path[i] != '\0'; i++) {
        if (path[i] == '/' && ++seen == nth) {
            ret_path[i] = '\0';
            return true;
        }
    }
    return false;
}

static enum status check_parents(const char *path, bool may_miss)
{
    char above[PATH_BYTES];
    for (size_t i = 1; ancestor(path, i, above); i++) {
        const struct entry *entry = find(above);
        if (entry == NULL) {
            return may_miss ? OK : ERR_NOT_FOUND;
        }
        if (!entry->is_directory) {
            return ERR_NOT_DIRECTORY;
        }
    }
    return OK;
}

/* --- expectations -------------------------------------------------------------------- */

static enum status model_mkdirs(const char *path, bool parents)
{
    enum status status = check_parents(path, parents);
    if (status != OK) {
        return status;
    }
    const struct entry *there = find(path);
    if (there != NULL || is_root(path)) {
        bool is_directory = there == NULL || there->is_directory;
        return is_directory && parents ? OK : ERR_EXISTS;
    }
    char above[PATH_BYTES];
    for (size_t i = 1; ancestor(path, i, above); i++) {
        put(above, true, 0);
    }
    put(path, true, 0);
    return OK;
}

static enum status model_delete(const char *path, bool recursive)
{
    enum status status = check_parents(path, false);
    if (status != OK) {
        return status;
    }
    if (is_root(path)) {
        return ERR_INVALID;
    }
    if (find(path) == NULL) {
        return ERR_NOT_FOUND;
    }
    if (!recursive && has_children(path)) {
        return ERR_NOT_EMPTY;
    }
    drop(path);
    return OK;
}

static void model_move(const char *source, const char *destination)
{
    for (size_t i = 0; i < m.count; i++) {
        if (is_within(m.entries[i].path, source)) {
            char moved[2 * PATH_BYTES];
            snprintf(moved, sizeof(moved), "%s%s", destination, m.entries[i].path + strlen(source));
            memcpy(m.entries[i].path, moved, PATH_BYTES);
        }
    }
}

static enum status model_rename(const char *source, const char *destination)
{
    enum status status = check_parents(source, false);
    if (status != OK) {
        return status;
    }
    if (is_root(source)) {
        return ERR_INVALID;
    }
    if (find(source) == NULL) {
        return ERR_NOT_FOUND;
    }
    status = check_parents(destination, false);
    if (status != OK) {
        return status;
    }
    char into[PATH_BYTES];
    const struct entry *there = find(destination);
    bool is_directory = is_root(destination) || (there != NULL && there->is_directory);
    if (is_directory) {
        snprintf(into, sizeof(into), "%s%s", is_root(destination) ? "" : destination,
                 strrchr(source, '/'));
    } else {
        snprintf(into, sizeof(into), "%s", destination);
    }
    char parent[PATH_BYTES];
    snprintf(parent, sizeof(parent), "%s", into);
    *strrchr(parent, '/') = '\0';
    if (parent[0] != '\0' && is_within(parent, source)) {
        return ERR_INVALID;
    }
    if (find(into) != NULL) {
        return ERR_EXISTS;
    }
    model_move(source, into);
    return OK;
}

static enum status model_create(const char *path, bool overwrite)
{
    enum status status = check_parents(path, false);
    if (status != OK) {
        return status;
    }
    const struct entry *entry = find(path);
    if (is_root(path) || (entry != NULL && entry->is_directory)) {
        return ERR_IS_DIRECTORY;
    }
    return entry != NULL && !overwrite ? ERR_EXISTS : OK;
}

static struct entry *file_at(const char *path)
{
    struct entry *entry = find(path);
    if (entry == NULL) {
        abort(); /* model_file was asked before */
    }
    return entry;
}

/* What there is at path; OK when it is a file. */
static enum status model_file(const char *path)
{
    enum status status = check_parents(path, false);
    if (status != OK) {
        return status;
    }
    const struct entry *entry = find(path);
    if (is_root(path) || (entry != NULL && entry->is_directory)) {
        return ERR_IS_DIRECTORY;
    }
    return entry == NULL ? ERR_NOT_FOUND : OK;
}

/* --- random calls -------------------------------------------------------------------- */

static uint64_t below(uint64_t bound)
{
    return rng_below(&m.rng, bound);
}

static void random_path(char *ret_path)
{
    size_t depth = below(4);
    size_t length = 0;
    snprintf(ret_path, PATH_BYTES, "/");
    for (size_t i = 0; i < depth; i++) {
        ret_path[length++] = '/';
        ret_path[length++] = (char)('a' + below(4));
        ret_path[length] = '\0';
    }
}

static void expect_status(enum status got, enum status expected, const char *what, const char *path)
{
    if (got != expected) {
        printf("%s %s: %s, expected %s\n", what, path, status_name(got), status_name(expected));
        CU_FAIL_FATAL("the namenode and the list disagree");
    }
}

/* One block, on those of its targets that are alive. */
static uint64_t write_block(uint64_t file_id)
{
    struct dfs_add_block_response block;
    struct dfs_seal_block_request request = {
        .client_id = f.client,
        .file_id = file_id,
        .length = 1 + below(below(2) == 0 ? BLOCK_SIZE : BLOCK_SIZE / 10)};
    uint64_t node_ids[NODES];
    struct dfs_add_block_request add = {
        .client_id = f.client, .file_id = file_id, .client_host = text_of("h1")};
    for (;;) {
        add.request_id = f.next_request++;
        expect_status(call(METHOD_NAMENODE_ADD_BLOCK, &add), OK, "add block", "");
        block = *(const struct dfs_add_block_response *)f.response;
        add.abandoned_block_id = block.block_id;
        request.node_ids_count = 0;
        for (size_t i = 0; i < block.targets_count; i++) {
            struct test_node *node = node_by_id(block.targets[i].node_id);
            struct dfs_block_info info = {
                .block_id = block.block_id, .length = request.length, .crc32c = 3};
            if (node->is_alive) {
                node_received(node, &info);
                node_ids[request.node_ids_count++] = node->id;
            }
        }
        if (request.node_ids_count >= 2) {
            break;
        }
        when_ms_pass(1000); /* until the dead one is known to be silent */
    }
    request.request_id = f.next_request++;
    request.block_id = block.block_id;
    request.crc32c = 3;
    request.node_ids = node_ids;
    expect_status(call(METHOD_NAMENODE_SEAL_BLOCK, &request), OK, "seal", "");
    return request.length;
}

static void random_write(void)
{
    char path[PATH_BYTES];
    uint64_t file_id = 0;
    uint64_t length = 0;
    random_path(path);
    bool overwrite = below(2) == 0;
    enum status expected = model_create(path, overwrite);
    expect_status(do_create(path, overwrite, 2 + (uint32_t)below(2), &file_id), expected, "create",
                  path);
    if (expected != OK) {
        return;
    }
    for (size_t i = below(3); i > 0; i--) {
        length += write_block(file_id);
    }
    if (below(5) == 0) {
        struct dfs_abandon_request request = {
            .client_id = f.client, .request_id = f.next_request++, .file_id = file_id};
        expect_status(call(METHOD_NAMENODE_ABANDON, &request), OK, "abandon", path);
        return;
    }
    expect_status(do_complete(file_id, length + 1), ERR_INVALID, "complete", path);
    expect_status(do_complete(file_id, length), OK, "complete", path);
    put(path, false, length);
}

static void random_append(void)
{
    char path[PATH_BYTES];
    random_path(path);
    bool is_cut = below(4) == 0;
    enum status expected = model_file(path);
    struct dfs_append_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .path = text_of(path),
                                         .has_keep_length = is_cut};
    expect_status(call(METHOD_NAMENODE_APPEND, &request), expected, "append", path);
    if (expected != OK) {
        return;
    }
    uint64_t file_id = ((const struct dfs_append_response *)f.response)->file_id;
    uint64_t length = is_cut ? 0 : file_at(path)->length;
    for (size_t i = below(4); i > 0; i--) {
        length += write_block(file_id);
    }
    if (below(5) == 0) {
        struct dfs_abandon_request abandon = {
            .client_id = f.client, .request_id = f.next_request++, .file_id = file_id};
        expect_status(call(METHOD_NAMENODE_ABANDON, &abandon), OK, "abandon", path);
        return;
    }
    expect_status(do_complete(file_id, length), OK, "complete", path);
    file_at(path)->length = length;
}

static void random_concat(void)
{
    char target[PATH_BYTES];
    char source[PATH_BYTES];
    random_path(target);
    random_path(source);
    enum status expected = model_file(target);
    expected = expected == OK ? model_file(source) : expected;
    if (expected == OK && strcmp(target, source) == 0) {
        expected = ERR_INVALID;
    }
    const struct slice sources[] = {text_of(source)};
    struct dfs_concat_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .target = text_of(target),
                                         .sources = sources,
                                         .sources_count = 1};
    expect_status(call(METHOD_NAMENODE_CONCAT, &request), expected, "concat", target);
    if (expected == OK) {
        file_at(target)->length += file_at(source)->length;
        drop(source);
    }
}

/* Of a file: its replication. Of a directory: a quota that nothing reaches, so that it counts. */
static void random_attributes(void)
{
    char path[PATH_BYTES];
    random_path(path);
    enum status expected = model_file(path);
    struct dfs_set_replication_request replication = {.client_id = f.client,
                                                      .request_id = f.next_request++,
                                                      .path = text_of(path),
                                                      .replication = 2 + (uint32_t)below(2)};
    expect_status(call(METHOD_NAMENODE_SET_REPLICATION, &replication), expected, "setrep", path);
    if (expected != ERR_IS_DIRECTORY) {
        return;
    }
    struct dfs_set_quota_request quota = {.client_id = f.client,
                                          .request_id = f.next_request++,
                                          .path = text_of(path),
                                          .set_names = below(2) == 0,
                                          .names = below(3) == 0 ? 0 : 1000000,
                                          .set_bytes = below(2) == 0,
                                          .bytes = below(3) == 0 ? 0 : (uint64_t)1 << 40};
    expect_status(call(METHOD_NAMENODE_SET_QUOTA, &quota), OK, "quota", path);
}

static void random_stat(void)
{
    char path[PATH_BYTES];
    struct dfs_file_status status = {0};
    random_path(path);
    enum status expected = check_parents(path, false);
    const struct entry *entry = find(path);
    if (expected == OK && entry == NULL && !is_root(path)) {
        expected = ERR_NOT_FOUND;
    }
    expect_status(do_status(path, &status), expected, "stat", path);
    if (expected == OK && entry != NULL) {
        CU_ASSERT_EQUAL(status.kind == FILE_DIRECTORY, entry->is_directory);
        CU_ASSERT_EQUAL(status.length, entry->length);
    }
}

static void random_call(void)
{
    char path[PATH_BYTES];
    char other[PATH_BYTES];
    random_path(path);
    random_path(other);
    bool flag = below(2) == 0;
    switch (below(10)) {
    case 6:
    case 7:
        random_append();
        return;
    case 8:
        random_concat();
        return;
    case 9:
        random_attributes();
        return;
    case 0:
    case 1:
        expect_status(do_mkdirs(path, 0, flag), model_mkdirs(path, flag), "mkdirs", path);
        return;
    case 2:
        if (below(3) == 0) { /* so that the tree fills */
            expect_status(do_delete(path, flag), model_delete(path, flag), "delete", path);
        }
        return;
    case 3:
        expect_status(do_rename(path, other), model_rename(path, other), "rename", path);
        return;
    case 4:
        random_write();
        return;
    default:
        random_stat();
        return;
    }
}

/* --- random trouble ------------------------------------------------------------------ */

static void revive(struct test_node *node)
{
    node->is_alive = true;
    node->incarnation++;
    node_register(node);
    node_report(node);
    node_beat(node);
}

static struct test_node *dead_node(void)
{
    for (size_t i = 0; i < f.node_count; i++) {
        if (!f.nodes[i].is_alive) {
            return &f.nodes[i];
        }
    }
    return NULL;
}

static void restart_namenode(void)
{
    when_restarted();
    for (size_t i = 0; i < f.node_count; i++) {
        if (f.nodes[i].is_alive) {
            node_register(&f.nodes[i]);
            node_report(&f.nodes[i]);
            node_beat(&f.nodes[i]);
        }
    }
}

static void set_service(uint64_t node_id, enum dfs_datanode_admin_action action)
{
    struct dfs_set_datanode_admin_request request = {.node_id = node_id, .action = action};
    expect_status(call(METHOD_NAMENODE_SET_DATANODE_ADMIN, &request), OK, "set service", "");
}

/* At most one node is out of service: the others can take all replicas. */
static void random_service(void)
{
    if (m.resting != 0 && below(2) == 0) {
        set_service(m.resting, DATANODE_SERVE);
        m.resting = 0;
        return;
    }
    m.resting = m.resting == 0 ? 1 + below(NODES) : m.resting;
    set_service(m.resting, below(2) == 0 ? DATANODE_DECOMMISSION : DATANODE_MAINTENANCE);
}

static void random_safe_mode(void)
{
    struct dfs_set_safe_mode_request request = {.action = SAFE_MODE_ENTER};
    expect_status(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK, "enter safe mode", "");
    when_ms_pass((int64_t)below(60000));
    request.action = SAFE_MODE_LEAVE;
    expect_status(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK, "leave safe mode", "");
}

/* A threshold of one to twenty blocks: something is always to be moved. */
static void random_balance(void)
{
    struct dfs_set_balancer_request request = {
        .action = below(4) == 0 ? BALANCER_OFF : BALANCER_ON,
        .threshold_ppm = 1000 + below(20000),
        .bytes_per_second = BLOCK_SIZE + below(100 * BLOCK_SIZE),
    };
    expect_status(call(METHOD_NAMENODE_SET_BALANCER, &request), OK, "set balancer", "");
}

static void random_trouble(void)
{
    struct test_node *dead = dead_node();
    switch (below(9)) {
    case 6:
        random_service();
        return;
    case 7:
        random_safe_mode();
        return;
    case 8:
        random_balance();
        return;
    case 0:
        if (dead == NULL) {
            node_die(&f.nodes[below(NODES)]);
        }
        return;
    case 1:
        if (dead != NULL) {
            revive(dead);
        }
        return;
    case 2:
        if (cluster().under_replicated_count == 0 && dead == NULL) {
            restart_namenode(); /* every block has two replicas at least: safe mode ends */
        }
        return;
    case 3:
        if (cluster().under_replicated_count == 0 && dead == NULL) {
            struct test_node *node = &f.nodes[below(NODES)];
            if (node->disk_count > 0) {
                node_says_corrupt(node, node->disk[below(node->disk_count)].block_id);
            }
        }
        return;
    default:
        when_ms_pass((int64_t)below(60000));
        return;
    }
}

/* --- the end ------------------------------------------------------------------------- */

static void expect_same_tree(void)
{
    uint64_t files = 0;
    when_ms_pass(2000); /* what was removed is freed in parts, and counts until then */
    for (size_t i = 0; i < m.count; i++) {
        struct dfs_file_status status = {0};
        expect_status(do_status(m.entries[i].path, &status), OK, "stat", m.entries[i].path);
        CU_ASSERT_EQUAL(status.length, m.entries[i].length);
        files += m.entries[i].is_directory ? 0 : 1;
    }
    CU_ASSERT_EQUAL(cluster().file_count, files);
    CU_ASSERT_EQUAL(cluster().directory_count, m.count - files + 1);
}

static size_t expect_all_replicas(void)
{
    size_t replicas = 0;
    for (size_t i = 0; i < m.count; i++) {
        struct dfs_get_blocks_response blocks = {0};
        if (m.entries[i].is_directory) {
            continue;
        }
        expect_status(do_blocks(m.entries[i].path, "", &blocks), OK, "blocks", m.entries[i].path);
        for (size_t b = 0; b < blocks.blocks_count; b++) {
            CU_ASSERT_EQUAL(blocks.blocks[b].replicas_count, blocks.status.replication);
            CU_ASSERT_EQUAL(count_on_disk(blocks.blocks[b].block_id), blocks.status.replication);
            replicas += blocks.blocks[b].replicas_count;
        }
    }
    return replicas;
}

static void test_random__calls_and_trouble_end_as_the_list_says(void)
{
    m.count = 0;
    m.resting = 0;
    m.rng = rng_seed(unit_seed());
    f.replay_every = 25;
    f.settings.compact_runs = 3;
    f.settings.release_max = 2;
    given_nodes(NODES);
    for (size_t i = 0; i < OPERATIONS; i++) {
        random_call();
        if (below(20) == 0) {
            random_trouble();
        }
        if (i % 100 == 0) {
            arena_reset(f.answers);
            forget_traced();
            expect_same_tree();
        }
    }
    struct test_node *dead = dead_node();
    if (dead != NULL) {
        revive(dead);
    }
    if (m.resting != 0) {
        set_service(m.resting, DATANODE_SERVE);
    }
    when_ms_pass(600000);
    expect_same_tree();
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    CU_ASSERT_EQUAL(cluster().missing_count, 0);
    size_t stored = 0;
    for (size_t i = 0; i < f.node_count; i++) {
        stored += f.nodes[i].disk_count;
    }
    CU_ASSERT_EQUAL(expect_all_replicas(), stored);
    EXPECT_REPLAY_EQUAL();
}

static const struct unit_test tests[] = {
    {"test_random__calls_and_trouble_end_as_the_list_says",
     "Random calls under random trouble end as a plain list says, with all replicas and no others.", test_random__calls_and_trouble_end_as_the_list_says},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode random", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
