/*
 * test_dfs_fetch.c - dfs/client/race.c against two servers that play datanodes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/client/internal.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/model/block.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/net/net.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"

enum {
    NODES = 2,
    CHUNK = BLOCK_CHUNK_BYTES,
    DATA_BYTES = 4 * CHUNK + 1000,
    CHUNKS = 5
};

struct datanode {
    struct http_server *server;
    char address[32];
    bool tells_chunks;
    uint64_t wrong_at; /* bytes of the block; UINT64_MAX: never */
    uint64_t cut_at;
    uint64_t stall_at; /* until f.is_released */
    unsigned asked;
    uint64_t asked_from; /* last */
};

struct fixture {
    struct datanode nodes[NODES];
    struct mutex *mutex;
    struct condition *condition;
    bool is_released;
    uint8_t data[DATA_BYTES];
    uint8_t memory[DATA_BYTES];
    struct dfs *dfs;
    struct arena *arena;
    struct dfs_located_block block;
    struct dfs_bad_nodes bad;
    size_t preferred;
    struct dfs_reader_totals totals;
    struct dfs_fetch *fetch;
    struct error error;
};

static struct fixture f;

/* --- the datanodes ------------------------------------------------------------------------------
 */

struct answer {
    const struct datanode *node;
    uint64_t begin;
};

static void wait_for_release(void)
{
    mutex_lock(f.mutex);
    while (!f.is_released)
        condition_wait(f.condition, f.mutex);
    mutex_unlock(f.mutex);
}

/* A piece ends where something is to happen. */
static size_t piece_length(uint64_t at, size_t room, uint64_t event)
{
    return event > at && event - at < room ? (size_t)(event - at) : room;
}

static enum status read_answer(
    void *state, uint64_t offset, uint8_t *data, size_t room, size_t *ret_length)
{
    const struct answer *answer = state;
    const struct datanode *node = answer->node;
    uint64_t at = answer->begin + offset;
    if (at >= node->stall_at)
        wait_for_release();
    if (at >= node->cut_at)
        return ERR_IO;
    size_t length = room < DATA_BYTES - at ? room : (size_t)(DATA_BYTES - at);
    length = piece_length(at, length, node->stall_at);
    length = piece_length(at, length, node->cut_at);
    memcpy(data, f.data + at, length);
    if (node->wrong_at >= at && node->wrong_at - at < length)
        data[node->wrong_at - at] ^= 1;
    *ret_length = length;
    return OK;
}

static void close_answer(void *state)
{
    mem_free(state);
}

static void on_block(void *user, struct http_request *request)
{
    struct datanode *node = user;
    const char *range = http_request_header(request, "Range");
    uint64_t begin = 0;
    uint64_t last = 0;
    if (range == NULL || sscanf(range, "bytes=%" SCNu64 "-%" SCNu64, &begin, &last) != 2 ||
        last != DATA_BYTES - 1) {
        http_reply_error(request, ERR_INVALID, "not the range that was expected");
        return;
    }
    mutex_lock(f.mutex);
    node->asked++;
    node->asked_from = begin;
    mutex_unlock(f.mutex);
    char text[CHUNKS * 8 + 1] = "";
    (void)snprintf(text, sizeof(text), "%08" PRIx32,
                   crc32c_update(0, f.data + begin, DATA_BYTES - begin));
    http_reply_header(request, "X-Millrace-Crc32c", text);
    for (uint64_t at = begin, i = 0; at < DATA_BYTES; at += CHUNK, i++) {
        size_t length = DATA_BYTES - at < CHUNK ? (size_t)(DATA_BYTES - at) : CHUNK;
        (void)snprintf(text + 8 * i, sizeof(text) - 8 * i, "%08" PRIx32,
                       crc32c_update(0, f.data + at, length));
    }
    if (node->tells_chunks)
        http_reply_header(request, "X-Millrace-Chunks-Crc32c", text);
    struct answer *answer = MEM_NEW(struct answer);
    *answer = (struct answer){node, begin};
    struct http_stream stream = {read_answer, close_answer, answer};
    http_reply_stream(request, 206, "application/octet-stream", DATA_BYTES - begin, &stream);
}

static void release(void)
{
    mutex_lock(f.mutex);
    f.is_released = true;
    condition_broadcast(f.condition);
    mutex_unlock(f.mutex);
}

/* --- the fixture --------------------------------------------------------------------------------
 */

static void given_node(struct datanode *node)
{
    static const struct http_route routes[] = {
        {.method = "GET", .prefix = "/v1/block/", .handle = on_block}
    };
    *node = (struct datanode){
        .tells_chunks = true, .wrong_at = UINT64_MAX, .cut_at = UINT64_MAX, .stall_at = UINT64_MAX};
    struct http_server_options options = {.address = "127.0.0.1:0",
                                          .threading = HTTP_THREAD_EACH,
                                          .routes = routes,
                                          .route_count = 1,
                                          .user = node};
    CU_ASSERT_EQUAL_FATAL(http_server_open(&options, &node->server, &f.error), OK);
    (void)snprintf(node->address, sizeof(node->address), "127.0.0.1:%u",
                   (unsigned)http_server_port(node->server));
}

static void setup(void)
{
    f = (struct fixture){.mutex = mutex_open(), .condition = condition_open()};
    struct rng rng = rng_seed(unit_seed());
    for (size_t i = 0; i < DATA_BYTES; i++)
        f.data[i] = (uint8_t)rng_u64(&rng);
    f.arena = arena_open(0);
    struct dfs_block_replica *replicas = ARENA_ARRAY(f.arena, struct dfs_block_replica, NODES);
    for (size_t i = 0; i < NODES; i++) {
        given_node(&f.nodes[i]);
        replicas[i].node.node_id = i + 1;
        replicas[i].node.host = slice_from_string("there");
        replicas[i].node.http_address = slice_from_string(f.nodes[i].address);
    }
    f.block = (struct dfs_located_block){.block_id = 7,
                                         .length = DATA_BYTES,
                                         .crc32c = crc32c_update(0, f.data, DATA_BYTES),
                                         .token = slice_from_string("token"),
                                         .replicas = replicas,
                                         .replicas_count = NODES};
}

/* hedged_read_ms below 0: never. Nobody listens at the namenode's address. */
static void given_fetch(int64_t hedged_read_ms)
{
    struct dfs_settings settings = {.namenode_address = "127.0.0.1:1",
                                    .token = "token",
                                    .call_timeout_ms = 20,
                                    .hedged_read_ms = hedged_read_ms};
    CU_ASSERT_EQUAL_FATAL(dfs_open(&settings, &f.dfs, &f.error), OK);
    struct dfs_range range = {.block = &f.block,
                              .length = DATA_BYTES,
                              .to = f.memory,
                              .bad = &f.bad,
                              .preferred = &f.preferred};
    CU_ASSERT_EQUAL_FATAL(dfs_fetch_open(f.dfs, &range, &f.fetch, &f.error), OK);
}

static void expect_bytes(size_t length)
{
    CU_ASSERT_EQUAL_FATAL(dfs_fetch_need(f.fetch, length, &f.totals, &f.error), OK);
    CU_ASSERT_EQUAL(memcmp(f.memory, f.data, length), 0);
    CU_ASSERT_EQUAL(f.totals.remote_bytes, length);
}

static void teardown(void)
{
    dfs_fetch_close(f.fetch);
    release();
    dfs_close(f.dfs);
    for (size_t i = 0; i < NODES; i++)
        http_server_close(f.nodes[i].server);
    arena_close(f.arena);
    condition_close(f.condition);
    mutex_close(f.mutex);
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void test_dfs_fetch__first_chunks_come_before_the_rest(void)
{
    f.nodes[0].stall_at = 2 * CHUNK;
    given_fetch(-1);
    expect_bytes(CHUNK);
    expect_bytes(2 * CHUNK);
    release();
    expect_bytes(DATA_BYTES);
    CU_ASSERT_EQUAL(f.nodes[0].asked, 1);
    CU_ASSERT_EQUAL(f.nodes[1].asked, 0);
}

static void test_dfs_fetch__unread_rest_is_given_up(void)
{
    f.nodes[0].stall_at = 2 * CHUNK;
    given_fetch(-1);
    expect_bytes(CHUNK);
    dfs_fetch_close(f.fetch);
    f.fetch = NULL;
    memset(f.memory, 0, sizeof(f.memory));
    release();
    http_server_close(f.nodes[0].server); /* whatever was under way is over */
    f.nodes[0].server = NULL;
    for (size_t i = 0; i < DATA_BYTES; i++)
        CU_ASSERT_EQUAL_FATAL(f.memory[i], 0);
}

static void test_dfs_fetch__wrong_chunk_is_never_shown(void)
{
    f.nodes[0].wrong_at = 3 * CHUNK + 5;
    given_fetch(-1);
    expect_bytes(2 * CHUNK);
    expect_bytes(DATA_BYTES);
    CU_ASSERT_TRUE(dfs_node_is_bad(&f.bad, 1));
    CU_ASSERT_FALSE(dfs_node_is_bad(&f.bad, 2));
    CU_ASSERT_EQUAL(f.totals.failovers, 1);
    CU_ASSERT_EQUAL(f.nodes[1].asked_from, 2 * CHUNK); /* what was shown stays */
    CU_ASSERT_EQUAL(f.preferred, 1);
}

static void test_dfs_fetch__wrong_bytes_without_chunks_are_never_shown(void)
{
    f.nodes[0].tells_chunks = false;
    f.nodes[1].tells_chunks = false;
    f.nodes[0].wrong_at = 3 * CHUNK;
    given_fetch(-1);
    expect_bytes(CHUNK);
    CU_ASSERT_TRUE(dfs_node_is_bad(&f.bad, 1));
    expect_bytes(DATA_BYTES);
    CU_ASSERT_EQUAL(f.nodes[1].asked, 1);
}

static void test_dfs_fetch__broken_answer_is_continued_elsewhere(void)
{
    f.nodes[0].cut_at = CHUNK + 100;
    given_fetch(-1);
    expect_bytes(CHUNK);
    expect_bytes(DATA_BYTES);
    CU_ASSERT_FALSE(dfs_node_is_bad(&f.bad, 1));
    CU_ASSERT_EQUAL(f.totals.failovers, 1);
    CU_ASSERT_EQUAL(f.nodes[1].asked_from, CHUNK);
}

static void test_dfs_fetch__rival_wins_in_the_middle(void)
{
    f.nodes[0].stall_at = CHUNK + 100;
    given_fetch(10);
    expect_bytes(CHUNK);
    expect_bytes(3 * CHUNK);
    CU_ASSERT_EQUAL(f.totals.hedges, 1);
    CU_ASSERT_EQUAL(f.totals.hedge_wins, 1);
    CU_ASSERT_EQUAL(f.preferred, 1);
    expect_bytes(DATA_BYTES);
    CU_ASSERT_EQUAL(f.nodes[1].asked, 1); /* the winner goes on */
}

static void test_dfs_fetch__no_good_replica_is_corrupt(void)
{
    f.nodes[0].wrong_at = 10;
    f.nodes[1].wrong_at = CHUNK;
    given_fetch(-1);
    CU_ASSERT_EQUAL(dfs_fetch_need(f.fetch, 2 * CHUNK, &f.totals, &f.error), ERR_CORRUPT);
    CU_ASSERT_EQUAL(f.totals.remote_bytes, 0);
}

static const struct unit_test tests[] = {
    {"test_dfs_fetch__first_chunks_come_before_the_rest",          "The first chunks come before the rest.",
     test_dfs_fetch__first_chunks_come_before_the_rest                                                                                                                 },
    {"test_dfs_fetch__unread_rest_is_given_up",                    "A rest that is not read is given up.",
     test_dfs_fetch__unread_rest_is_given_up                                                                                                                           },
    {"test_dfs_fetch__wrong_chunk_is_never_shown",                 "A wrong chunk is never shown.",
     test_dfs_fetch__wrong_chunk_is_never_shown                                                                                                                        },
    {"test_dfs_fetch__wrong_bytes_without_chunks_are_never_shown",
     "Without checksums of chunks nothing is shown before the whole range is right.",                        test_dfs_fetch__wrong_bytes_without_chunks_are_never_shown},
    {"test_dfs_fetch__broken_answer_is_continued_elsewhere",
     "A broken answer is continued by another replica.",                                                     test_dfs_fetch__broken_answer_is_continued_elsewhere      },
    {"test_dfs_fetch__rival_wins_in_the_middle",
     "A rival of a slow replica wins in the middle of a range.",                                             test_dfs_fetch__rival_wins_in_the_middle                  },
    {"test_dfs_fetch__no_good_replica_is_corrupt",
     "A range of which no replica is good is corrupt.",                                                      test_dfs_fetch__no_good_replica_is_corrupt                },
};

int main(int argument_count, char **arguments)
{
    struct error error = {0};
    if (net_open(NULL, &error) != OK)
        return 1;
    int code = unit_main(argument_count, arguments, "dfs/fetch", tests, UNIT_COUNT(tests), setup,
                         teardown);
    net_close();
    return code;
}
