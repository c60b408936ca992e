/*
 * race.c - bytes of a block from whichever replica delivers them first.
 * One replica is asked; when it fails, or has not delivered what is needed in time, the next one is
 * asked as well. The first good answer wins and the other is cancelled. Chunks are verified as they
 * arrive, by the checksums the datanode announced, and shown while the rest is still on its way;
 * who delivers wrong ones is reported and not asked again.
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
    CRC_TEXT_BYTES = 8,
    IDLE_MS_MAX = 10 * 1000 /* one who waits longer for its bytes to be taken may have gone */
};

/* One replica being asked. Verifies bytes as they arrive. */
struct runner {
    const struct endpoint *node; /* NULL: free */
    struct dfs_fetch *race;
    size_t replica;
    uint8_t *to;     /* where the range's first byte belongs */
    size_t begin;    /* what it was asked for, in the range */
    size_t received; /* up to here, in the range */
    size_t verified; /* up to here */
    uint32_t crc32c; /* of the chunk that comes, or of everything when no chunks are announced */
    uint32_t announced;
    uint32_t *chunks; /* announced, NULL when they were not */
    bool is_announced;
    bool is_wrong;
    bool is_over;
    enum status status;
    struct error error;
    struct http_fetch *fetch;
};

struct dfs_fetch {
    struct dfs *dfs;
    struct dfs_range range;
    size_t needed; /* so much of the range is waited for */
    size_t done;   /* so much of it is there and verified */
    int64_t idle_since_ms;
    struct dfs_reader_totals *totals; /* of the need in progress */
    struct http_fetcher *fetcher;
    struct arena *arena;
    struct runner runners[RUNNERS];
    struct runner *direct; /* the one that delivers into the range's memory */
    size_t running;
    uint8_t *scratch; /* where another one delivers */
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

static size_t range_chunk_count(const struct dfs_range *range)
{
    return block_chunk_count(range->length);
}

/* Takes the checksum of bytes that belong to one chunk, while they are hot. */
static bool verify_part(struct runner *runner, struct slice data)
{
    size_t at = runner->received;
    size_t end = at + data.length;
    runner->crc32c = crc32c_update(runner->crc32c, data.data, data.length);
    runner->received = end;
    if (runner->chunks == NULL ||
        (end % BLOCK_CHUNK_BYTES != 0 && end != runner->race->range.length))
        return true;
    if (runner->crc32c != runner->chunks[(end - 1) / BLOCK_CHUNK_BYTES])
        return false;
    runner->crc32c = 0;
    runner->verified = end;
    return true;
}

static enum status take_data(void *user, struct slice data)
{
    struct runner *runner = user;
    struct dfs_fetch *race = runner->race;
    if (data.length > race->range.length - runner->received)
        return ERR_CORRUPT;
    memcpy(runner->to + runner->received, data.data, data.length);
    while (data.length > 0) {
        size_t part = BLOCK_CHUNK_BYTES - runner->received % BLOCK_CHUNK_BYTES;
        if (part > data.length)
            part = data.length;
        if (!verify_part(runner, slice_sub(data, 0, part))) {
            runner->is_wrong = true;
            return ERR_CORRUPT;
        }
        data = slice_sub(data, part, data.length - part);
    }
    if (runner->verified >= race->needed)
        http_fetcher_stop(race->fetcher);
    return OK;
}

/* Eight hexadecimal digits. */
static bool parse_crc(struct slice text, uint32_t *ret_crc)
{
    char padded[BLOCK_NAME_BYTES];
    uint64_t crc = 0;
    (void)snprintf(padded, sizeof(padded), "00000000%.*s", SLICE_ARGS(text)); /* 16 digits */
    if (!block_name_parse(slice_from_string(padded), &crc) && !slice_equal_string(text, "00000000"))
        return false;
    *ret_crc = (uint32_t)crc;
    return true;
}

/* Those of the chunks that were asked for. One that is not understood is no announcement. */
static void take_chunks(struct runner *runner, struct slice text)
{
    size_t first = runner->begin / BLOCK_CHUNK_BYTES;
    size_t count = range_chunk_count(&runner->race->range);
    if (runner->chunks != NULL || text.length != (count - first) * CRC_TEXT_BYTES)
        return;
    uint32_t *chunks = mem_try_array(count, sizeof(*chunks));
    bool is_good = chunks != NULL;
    for (size_t i = first; i < count && is_good; i++)
        is_good =
            parse_crc(slice_sub(text, (i - first) * CRC_TEXT_BYTES, CRC_TEXT_BYTES), &chunks[i]);
    if (is_good)
        runner->chunks = chunks;
    else
        mem_free(chunks);
}

static void take_header(void *user, struct slice name, struct slice value)
{
    struct runner *runner = user;
    if (slice_equal_string(name, "x-millrace-crc32c") && value.length == CRC_TEXT_BYTES)
        runner->is_announced = parse_crc(value, &runner->announced);
    else if (slice_equal_string(name, "x-millrace-chunks-crc32c"))
        take_chunks(runner, value);
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

/* It is not in the fetcher any more. */
static void forget_runner(struct dfs_fetch *race, struct runner *runner)
{
    mem_free(runner->chunks);
    if (race->direct == runner)
        race->direct = NULL;
    *runner = (struct runner){.node = NULL};
    race->running--;
}

static enum status start(struct dfs_fetch *race, size_t replica, struct runner *runner)
{
    const struct dfs_range *range = &race->range;
    const struct dfs_located_block *block = range->block;
    const struct endpoint *node = &block->replicas[replica].node;
    char name[BLOCK_NAME_BYTES];
    char token[LIMIT_TOKEN_BYTES + 1];
    block_name_format(block->block_id, name);
    dfs_token(race->dfs, token);
    uint8_t *to = range->to;
    if (race->direct != NULL) {
        if (race->scratch == NULL)
            race->scratch = mem_try_grow(NULL, range->length, 1);
        if (race->scratch == NULL)
            return ERR_NO_MEMORY;
        to = race->scratch;
    } else {
        race->direct = runner;
    }
    *runner = (struct runner){.node = node,
                              .race = race,
                              .replica = replica,
                              .to = to,
                              .begin = race->done,
                              .received = race->done,
                              .verified = race->done};
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
        .offset = range->offset + race->done,
        .length = range->length - race->done,
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
static bool next_replica(struct dfs_fetch *race, size_t *ret_replica)
{
    const struct dfs_range *range = &race->range;
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
static bool start_next(struct dfs_fetch *race)
{
    size_t replica = 0;
    struct runner *runner = &race->runners[0];
    if (runner->node != NULL)
        runner = &race->runners[1];
    return runner->node == NULL && race->refusal == OK && next_replica(race, &replica) &&
           start(race, replica, runner) == OK;
}

/* Adds "host: why" to the sentence about all replicas. */
static void note_failure(struct dfs_fetch *race, const struct runner *runner)
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

/* Of one that is over. */
static enum status judge(struct dfs_fetch *race, struct runner *runner)
{
    if (runner->status != OK && !runner->is_wrong)
        return runner->status;
    if (!runner->is_wrong && runner->received != race->range.length)
        return error_set(&runner->error, ERR_UNAVAILABLE, "%zu of %zu bytes came",
                         runner->received - runner->begin, race->range.length - runner->begin);
    bool is_good = runner->chunks != NULL
                       ? !runner->is_wrong
                       : runner->is_announced && runner->announced == runner->crc32c;
    if (is_good) {
        runner->verified = runner->received;
        return OK;
    }
    dfs_report_corrupt(race->dfs, race->range.block->block_id, race->range.bad,
                       runner->node->node_id);
    return error_set(&runner->error, ERR_CORRUPT, "the bytes do not match their checksum");
}

/* The runner that has what is needed; those that are over and have not are cleared away. */
static struct runner *find_winner(struct dfs_fetch *race)
{
    for (size_t i = 0; i < RUNNERS; i++) {
        struct runner *runner = &race->runners[i];
        if (runner->node != NULL && runner->verified >= race->needed)
            return runner;
        if (runner->node == NULL || !runner->is_over)
            continue;
        runner->status = judge(race, runner);
        if (runner->status == OK)
            return runner;
        note_failure(race, runner);
        forget_runner(race, runner);
    }
    return NULL;
}

/* Nobody but keep (NULL: nobody at all) writes into the buffers any more when it returns. */
static void stop_runners(struct dfs_fetch *race, const struct runner *keep)
{
    for (size_t i = 0; i < RUNNERS; i++) {
        struct runner *runner = &race->runners[i];
        if (runner->node == NULL || runner == keep)
            continue;
        if (runner->fetch != NULL)
            http_fetch_cancel(runner->fetch);
        while (!runner->is_over)
            (void)http_fetcher_run(race->fetcher, 0);
        forget_runner(race, runner);
    }
}

static enum status run(struct dfs_fetch *race,
                       struct runner **ret_winner,
                       struct error *reterr_error)
{
    const struct dfs *dfs = race->dfs;
    int64_t hedge_ms = clock_monotonic_ms() + dfs->hedged_read_ms;
    bool is_hedged = dfs->hedged_read_ms < 0;
    while ((*ret_winner = find_winner(race)) == NULL) {
        if (dfs_is_cancelled(race->dfs))
            return error_set(reterr_error, ERR_CANCELLED, "cancelled");
        if (race->running == 0) {
            if (!start_next(race))
                return ERR_UNAVAILABLE;
            hedge_ms = clock_monotonic_ms() + dfs->hedged_read_ms;
        } else if (!is_hedged && clock_monotonic_ms() >= hedge_ms) {
            is_hedged = true;
            if (start_next(race))
                race->totals->hedges++;
        }
        int64_t wait_ms = is_hedged ? RUN_MS_MAX : hedge_ms - clock_monotonic_ms();
        if (wait_ms > RUN_MS_MAX)
            wait_ms = RUN_MS_MAX;
        (void)http_fetcher_run(race->fetcher, wait_ms > 0 ? wait_ms : 0);
    }
    return OK;
}

/* What the winner has delivered counts; it goes on alone. */
static void take_winner(struct dfs_fetch *race, struct runner *winner)
{
    stop_runners(race, winner);
    if (race->direct != winner) {
        memcpy(race->range.to + race->done, winner->to + race->done, winner->received - race->done);
        winner->to = race->range.to;
        race->direct = winner;
        race->totals->hedge_wins++;
    }
    *race->range.preferred = winner->replica;
    race->totals->remote_bytes += race->needed - race->done;
    race->done = race->needed;
}

static enum status failed(struct dfs_fetch *race, enum status status, struct error *reterr_error)
{
    const struct dfs_located_block *block = race->range.block;
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

enum status dfs_fetch_open(struct dfs *dfs,
                           const struct dfs_range *range,
                           struct dfs_fetch **ret_fetch,
                           struct error *reterr_error)
{
    struct http_fetcher *fetcher = NULL;
    enum status status = take_fetcher(dfs, &fetcher, reterr_error);
    if (status != OK)
        return status;
    struct dfs_fetch *race = MEM_NEW(struct dfs_fetch);
    race->dfs = dfs;
    race->range = *range;
    race->fetcher = fetcher;
    race->arena = arena_open(0);
    race->idle_since_ms = clock_monotonic_ms();
    buf_open(&race->failures, ERROR_TEXT_BYTES / 2);
    *ret_fetch = race;
    return OK;
}

enum status dfs_fetch_need(struct dfs_fetch *race,
                           size_t length,
                           struct dfs_reader_totals *totals,
                           struct error *reterr_error)
{
    CHECK(length <= race->range.length);
    if (length <= race->done)
        return OK;
    race->needed = length;
    race->totals = totals;
    /* The datanode gives up those who do not read on; it is not to blame, nor is it bad. */
    if (clock_monotonic_ms() - race->idle_since_ms > IDLE_MS_MAX) {
        stop_runners(race, NULL);
        memset(race->was_asked, 0, sizeof(race->was_asked));
    }
    struct runner *winner = NULL;
    enum status status = run(race, &winner, reterr_error);
    if (status == OK)
        take_winner(race, winner);
    else
        status = failed(race, status, reterr_error);
    race->idle_since_ms = clock_monotonic_ms();
    race->totals = NULL;
    return status;
}

void dfs_fetch_close(struct dfs_fetch *race)
{
    if (race == NULL)
        return;
    stop_runners(race, NULL);
    give_fetcher_back(race->dfs, race->fetcher);
    mem_free(race->scratch);
    buf_close(&race->failures);
    arena_close(race->arena);
    mem_free(race);
}

enum status dfs_fetch_range(struct dfs *dfs,
                            const struct dfs_range *range,
                            struct dfs_reader_totals *totals,
                            struct error *reterr_error)
{
    struct dfs_fetch *race = NULL;
    enum status status = dfs_fetch_open(dfs, range, &race, reterr_error);
    if (status != OK)
        return status;
    status = dfs_fetch_need(race, range->length, totals, reterr_error);
    dfs_fetch_close(race);
    return status;
}
