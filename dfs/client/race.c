/*
 * race.c - bytes of a block from whichever replica delivers them first.
 * One replica is asked; when it fails, or has not delivered all of it in time, the next one is
 * asked as well. The first good answer wins and the other is cancelled. Bytes are verified as they
 * arrive; who delivers wrong ones is reported and not asked again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/client/internal.h"
#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/model/block.h"
#include "lib/net/http_client.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"

enum {
    RUNNERS = 2,      /* at a time */
    RUN_MS_MAX = 100, /* how late dfs_cancel is noticed */
    CRC_TEXT_BYTES = 8
};

/* One replica being asked. Verifies bytes as they arrive. */
struct runner {
    const struct endpoint *node; /* NULL: free */
    size_t replica;
    uint8_t *to;
    size_t length;
    size_t received;
    uint32_t crc32c;
    uint32_t announced;
    bool is_announced;
    bool is_over;
    enum status status;
    struct error error;
    struct http_fetch *fetch;
};

struct race {
    struct dfs *dfs;
    const struct dfs_range *range;
    struct dfs_reader_totals *totals;
    struct http_fetcher *fetcher;
    struct arena *arena;
    struct runner runners[RUNNERS];
    size_t running;
    uint8_t *scratch; /* where the second one delivers */
    bool was_asked[LIMIT_REPLICAS + 1];
    size_t corrupt;      /* replicas that are known to be bad */
    enum status refusal; /* not OK: the token is not good, and no other replica will take it */
    struct buf failures;
};

/* --- replicas that are bad ---------------------------------------------------------------------
 */

void dfs_report_corrupt(struct dfs *dfs,
                        uint64_t block_id,
                        struct dfs_bad_nodes *bad,
                        uint64_t node_id)
{
    struct dfs_report_corrupt_request request = {.block_id = block_id, .node_id = node_id};
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    /* Help for others; this reader goes on without that replica whether or not it is heard. */
    enum status status = dfs_call_once(dfs, METHOD_NAMENODE_REPORT_CORRUPT, &request, arena,
                                       dfs->call_timeout_ms, &response, NULL);
    (void)status;
    arena_close(arena);
    if (bad->count < LIMIT_REPLICAS)
        bad->ids[bad->count++] = node_id;
}

bool dfs_node_is_bad(const struct dfs_bad_nodes *bad, uint64_t node_id)
{
    for (size_t i = 0; i < bad->count; i++) {
        if (bad->ids[i] == node_id)
            return true;
    }
    return false;
}

/* --- fetchers, kept with their connections -----------------------------------------------------
 */

static enum status take_fetcher(struct dfs *dfs,
                                struct http_fetcher **ret_fetcher,
                                struct error *reterr_error)
{
    struct http_fetcher *fetcher = NULL;
    mutex_lock(dfs->mutex);
    if (dfs->fetchers_count > 0)
        fetcher = dfs->fetchers[--dfs->fetchers_count];
    mutex_unlock(dfs->mutex);
    if (fetcher == NULL)
        return http_fetcher_open(NULL, ret_fetcher, reterr_error);
    *ret_fetcher = fetcher;
    return OK;
}

static void give_fetcher_back(struct dfs *dfs, struct http_fetcher *fetcher)
{
    mutex_lock(dfs->mutex);
    if (dfs->fetchers_count < DFS_FETCHERS_MAX) {
        dfs->fetchers[dfs->fetchers_count++] = fetcher;
        fetcher = NULL;
    }
    mutex_unlock(dfs->mutex);
    http_fetcher_close(fetcher);
}

/* --- one replica -------------------------------------------------------------------------------
 */

static enum status take_data(void *user, struct slice data)
{
    struct runner *runner = user;
    if (data.length > runner->length - runner->received)
        return ERR_CORRUPT;
    memcpy(runner->to + runner->received, data.data, data.length);
    runner->crc32c = crc32c_update(runner->crc32c, data.data, data.length); /* while it is hot */
    runner->received += data.length;
    return OK;
}

static void take_header(void *user, struct slice name, struct slice value)
{
    struct runner *runner = user;
    if (!slice_equal_string(name, "x-millrace-crc32c") || value.length != CRC_TEXT_BYTES)
        return;
    char padded[BLOCK_NAME_BYTES];
    uint64_t crc = 0;
    (void)snprintf(padded, sizeof(padded), "00000000%.*s", SLICE_ARGS(value)); /* 16 digits */
    runner->is_announced =
        block_name_parse(slice_from_string(padded), &crc) || slice_equal_string(value, "00000000");
    runner->announced = (uint32_t)crc;
}

static void take_end(void *user,
                     enum status status,
                     const struct http_response *response,
                     const struct error *error)
{
    struct runner *runner = user;
    (void)response;
    runner->is_over = true;
    runner->fetch = NULL;
    runner->status = status;
    runner->error = *error;
}

static enum status start(struct race *race, size_t replica, struct runner *runner)
{
    const struct dfs_range *range = race->range;
    const struct dfs_located_block *block = range->block;
    const struct endpoint *node = &block->replicas[replica].node;
    char name[BLOCK_NAME_BYTES];
    char token[LIMIT_TOKEN_BYTES + 1];
    block_name_format(block->block_id, name);
    dfs_token(race->dfs, token);
    uint8_t *to = range->to;
    if (runner != &race->runners[0]) {
        if (race->scratch == NULL)
            race->scratch = mem_try_grow(NULL, range->length, 1);
        if (race->scratch == NULL)
            return ERR_NO_MEMORY;
        to = race->scratch;
    }
    *runner = (struct runner){.node = node, .replica = replica, .to = to, .length = range->length};
    const struct http_header header = {BLOCK_TOKEN_HEADER,
                                       (const char *)arena_copy(race->arena, block->token).data};
    struct http_request_options options = {
        .url = (const char *)arena_format(
                   race->arena, "http://%.*s/v1/block/%s?length=%" PRIu64 "&crc32c=%08" PRIx32,
                   SLICE_ARGS(node->http_address), name, block->length, block->crc32c)
                   .data,
        .headers = &header,
        .header_count = 1,
        .bearer = token,
        .offset = range->offset,
        .length = range->length,
        .data = take_data,
        .header = take_header,
        .user = runner,
    };
    enum status status =
        http_fetcher_add(race->fetcher, &options, take_end, &runner->fetch, &runner->error);
    if (status != OK) {
        runner->is_over = true;
        runner->status = status;
    }
    race->running++;
    return OK;
}

/* --- the race ----------------------------------------------------------------------------------
 */

/* The one that served last, then the others, nearest first; false: none is left. */
static bool next_replica(struct race *race, size_t *ret_replica)
{
    const struct dfs_range *range = race->range;
    size_t count = range->block->replicas_count;
    if (count > LIMIT_REPLICAS)
        count = LIMIT_REPLICAS;
    for (size_t i = 0; i <= count; i++) {
        size_t at = i == 0 ? *range->preferred : i - 1;
        if (at >= count || race->was_asked[at])
            continue;
        race->was_asked[at] = true;
        if (dfs_node_is_bad(range->bad, range->block->replicas[at].node.node_id)) {
            race->corrupt++;
            continue;
        }
        *ret_replica = at;
        return true;
    }
    return false;
}

/* Asks one more; false when there is none, or no room for its answer. */
static bool start_next(struct race *race)
{
    size_t replica = 0;
    struct runner *runner = &race->runners[0];
    if (runner->node != NULL)
        runner = &race->runners[1];
    return runner->node == NULL && race->refusal == OK && next_replica(race, &replica) &&
           start(race, replica, runner) == OK;
}

/* Adds "host: why" to the sentence about all replicas. */
static void note_failure(struct race *race, const struct runner *runner)
{
    race->totals->failovers++;
    if (runner->status == ERR_CORRUPT)
        race->corrupt++;
    if (runner->status == ERR_UNAUTHENTICATED || runner->status == ERR_DENIED)
        race->refusal = runner->status;
    enum status status =
        buf_append_format(&race->failures, "%s%.*s: %s", race->failures.length > 0 ? "; " : "",
                          SLICE_ARGS(runner->node->host), runner->error.text);
    (void)status; /* full: the first reasons are enough */
}

static enum status judge(struct race *race, struct runner *runner)
{
    if (runner->status != OK)
        return runner->status;
    if (runner->received != runner->length)
        return error_set(&runner->error, ERR_UNAVAILABLE, "%zu of %zu bytes came", runner->received,
                         runner->length);
    if (runner->is_announced && runner->announced == runner->crc32c)
        return OK;
    dfs_report_corrupt(race->dfs, race->range->block->block_id, race->range->bad,
                       runner->node->node_id);
    return error_set(&runner->error, ERR_CORRUPT, "the bytes do not match their checksum");
}

/* The runner that is over and good; those that are over and not are cleared away. */
static struct runner *find_winner(struct race *race)
{
    struct runner *winner = NULL;
    for (size_t i = 0; i < RUNNERS; i++) {
        struct runner *runner = &race->runners[i];
        if (runner->node == NULL || !runner->is_over || winner != NULL)
            continue;
        runner->status = judge(race, runner);
        if (runner->status == OK) {
            winner = runner;
            continue;
        }
        note_failure(race, runner);
        runner->node = NULL;
        race->running--;
    }
    return winner;
}

/* Nobody writes into the buffers any more when it returns. */
static void stop_runners(struct race *race)
{
    for (size_t i = 0; i < RUNNERS; i++) {
        if (race->runners[i].node != NULL && race->runners[i].fetch != NULL)
            http_fetch_cancel(race->runners[i].fetch);
    }
    while (http_fetcher_run(race->fetcher, 0) > 0) {
    }
}

static enum status run(struct race *race, struct error *reterr_error)
{
    const struct dfs *dfs = race->dfs;
    int64_t hedge_ms = clock_monotonic_ms() + dfs->hedged_read_ms;
    bool is_hedged = dfs->hedged_read_ms < 0;
    struct runner *winner = NULL;
    while (winner == NULL) {
        if (race->running == 0) {
            if (dfs_is_cancelled(race->dfs) || !start_next(race))
                return ERR_UNAVAILABLE;
            hedge_ms = clock_monotonic_ms() + dfs->hedged_read_ms;
        }
        int64_t wait_ms = is_hedged ? RUN_MS_MAX : hedge_ms - clock_monotonic_ms();
        if (wait_ms > RUN_MS_MAX)
            wait_ms = RUN_MS_MAX;
        (void)http_fetcher_run(race->fetcher, wait_ms > 0 ? wait_ms : 0);
        winner = find_winner(race);
        if (dfs_is_cancelled(race->dfs))
            return error_set(reterr_error, ERR_CANCELLED, "cancelled");
        if (winner != NULL || is_hedged || clock_monotonic_ms() < hedge_ms || race->running == 0)
            continue;
        is_hedged = true;
        if (start_next(race))
            race->totals->hedges++;
    }
    stop_runners(race);
    if (winner->to != race->range->to) {
        memcpy(race->range->to, winner->to, winner->length);
        race->totals->hedge_wins++;
    }
    *race->range->preferred = winner->replica;
    race->totals->remote_bytes += winner->length;
    return OK;
}

static enum status failed(struct race *race, enum status status, struct error *reterr_error)
{
    const struct dfs_located_block *block = race->range->block;
    if (status == ERR_CANCELLED)
        return status;
    if (race->refusal != OK)
        status = race->refusal;
    else if (block->is_corrupt || (race->corrupt > 0 && race->corrupt >= block->replicas_count))
        status = ERR_CORRUPT;
    else
        status = ERR_UNAVAILABLE;
    return error_set(reterr_error, status, "no replica of block %016" PRIx64 " can be read%s%s",
                     block->block_id, race->failures.length > 0 ? ": " : "",
                     buf_string(&race->failures));
}

enum status dfs_fetch_range(struct dfs *dfs,
                            const struct dfs_range *range,
                            struct dfs_reader_totals *totals,
                            struct error *reterr_error)
{
    struct race race = {.dfs = dfs, .range = range, .totals = totals};
    enum status status = take_fetcher(dfs, &race.fetcher, reterr_error);
    if (status != OK)
        return status;
    race.arena = arena_open(0);
    buf_open(&race.failures, ERROR_TEXT_BYTES / 2);
    status = run(&race, reterr_error);
    if (status != OK) {
        stop_runners(&race);
        status = failed(&race, status, reterr_error);
    }
    give_fetcher_back(dfs, race.fetcher);
    mem_free(race.scratch);
    buf_close(&race.failures);
    arena_close(race.arena);
    return status;
}
