/*
 * shuffle.c - one thread moves all fetches; the rpc client's thread only leaves answers and wakes
 * it.
 */
#include "mr/task/shuffle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/base/heap.h"
#include "lib/base/mem.h"
#include "lib/model/ids.h"
#include "lib/net/http_client.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"
#include "lib/os/process.h"
#include "lib/os/thread.h"
#include "mr/core/run.h"
#include "mr/task/reporter.h"
#include "mr/task/umbilical.h"

enum {
    LOOK_MS = 500, /* how often the loop looks whether it is to stop */
    ASK_AGAIN_MS = 200,
    ROWS_LIMIT = 1000,
    URL_BYTES = 512
};

enum segment_state {
    SEGMENT_UNKNOWN,  /* no output to be had now */
    SEGMENT_FETCHING, /* waits for its turn or comes */
    SEGMENT_PAUSED,   /* waits for its next try */
    SEGMENT_UNFIT,    /* to be reported */
    SEGMENT_HERE,
    SEGMENT_STATE_COUNT
};

struct segment {
    struct shuffle *shuffle;
    struct heap_node pause;
    enum segment_state state;
    struct am_map_output row; /* the newest; its address lives in the shuffle's arena */
    struct http_fetch *fetch;
    bool is_void; /* the fetch in progress is of an output that is lost */
    unsigned tries;
    uint64_t received;
    uint8_t *memory; /* NULL: in the file, or nothing came yet */
    bool is_in_file;
    uint64_t file_offset;
};

struct shuffle {
    struct shuffle_settings settings;
    struct arena *arena;
    struct http_fetcher *fetcher;
    struct segment *segments;
    struct reduce_segment *result;
    struct heap pauses;
    uint32_t here;
    uint32_t unfit;
    uint64_t memory_used;
    struct file *file;
    uint64_t file_used;
    uint64_t bytes;
    uint64_t sequence; /* of the last row seen */
    int64_t ask_at_ms;
    enum status status; /* of something here, that no other node can mend */
    struct error error;

    struct mutex *mutex; /* guards the answer */
    struct condition *answered;
    bool is_asking;
    struct rpc_call *call;
    struct arena *answer_arena;
    const struct am_get_map_outputs_response *answer;
    enum status answer_status;
};

/* --- bytes ------------------------------------------------------------------------------------ */

static void fail_here(struct shuffle *shuffle, enum status status, const struct error *error)
{
    if (shuffle->status != OK)
        return;
    shuffle->status = status;
    shuffle->error = *error;
}

static enum status open_file(struct shuffle *shuffle, struct error *reterr_error)
{
    char path[4096];
    enum status status;
    int length = snprintf(path, sizeof(path), "%s/shuffle.%" PRId64 ".%p",
                          shuffle->settings.directory, process_self(), (void *)shuffle);
    if (shuffle->file != NULL)
        return OK;
    if (length < 0 || (size_t)length >= sizeof(path))
        return error_set(reterr_error, ERR_LIMIT, "the path of the shuffle file is too long");
    status = file_open(path, FILE_MODE_CREATE_NEW, FILE_PRIVATE, &shuffle->file, reterr_error);
    /* It has no name, so that a crash leaves nothing behind. */
    return status == OK ? file_remove(path, reterr_error) : status;
}

/* Finds a place for the segment when its first bytes come; kept over tries of the same size. */
static enum status place(struct segment *segment, struct error *reterr_error)
{
    struct shuffle *shuffle = segment->shuffle;
    uint64_t bytes = segment->row.bytes;
    enum status status;

    if (segment->memory != NULL || segment->is_in_file)
        return OK;
    if (bytes <= shuffle->settings.memory_bytes - shuffle->memory_used && bytes <= SIZE_MAX) {
        segment->memory = mem_try_array((size_t)bytes, 1);
        if (segment->memory != NULL) {
            shuffle->memory_used += bytes;
            return OK;
        }
    }
    status = open_file(shuffle, reterr_error);
    if (status != OK)
        return status;
    segment->is_in_file = true;
    segment->file_offset = shuffle->file_used;
    shuffle->file_used += bytes;
    return OK;
}

static void unplace(struct segment *segment)
{
    if (segment->memory != NULL)
        segment->shuffle->memory_used -= segment->row.bytes;
    mem_free(segment->memory);
    segment->memory = NULL;
    segment->is_in_file = false;
    segment->received = 0;
}

static enum status on_data(void *user, struct slice data)
{
    struct segment *segment = user;
    struct error error = {0};
    enum status status;

    if (segment->is_void)
        return ERR_CANCELLED;
    if (data.length > segment->row.bytes - segment->received)
        return ERR_CORRUPT; /* longer than the map said */
    status = place(segment, &error);
    if (status == OK && segment->memory != NULL)
        memcpy(segment->memory + segment->received, data.data, data.length);
    else if (status == OK)
        status = file_write_at(segment->shuffle->file, segment->file_offset + segment->received,
                               data, &error);
    if (status != OK)
        fail_here(segment->shuffle, status, &error);
    else
        segment->received += data.length;
    return status;
}

static enum status read_file(
    void *user, uint64_t offset, uint8_t *data, size_t length, struct error *reterr_error)
{
    return file_read_exactly(user, offset, data, length, reterr_error);
}

static struct reduce_segment as_result(const struct segment *segment)
{
    struct reduce_segment result = {.bytes = segment->row.bytes};
    if (segment->memory != NULL) {
        result.store.memory = slice_make(segment->memory, (size_t)segment->row.bytes);
    } else if (segment->row.bytes > 0) {
        result.store.user = segment->shuffle->file;
        result.store.read = read_file;
        result.offset = segment->file_offset;
    }
    return result;
}

/* --- one segment ------------------------------------------------------------------------------ */

static void start_fetch(struct segment *segment);

static void accept_segment(struct segment *segment)
{
    segment->state = SEGMENT_HERE;
    segment->shuffle->here++;
    segment->shuffle->bytes += segment->row.bytes;
}

static void try_again(struct segment *segment)
{
    struct shuffle *shuffle = segment->shuffle;
    int64_t pause_ms = (int64_t)SHUFFLE_RETRY_MS << segment->tries;

    segment->tries++;
    segment->received = 0;
    if (segment->tries == SHUFFLE_TRIES) {
        segment->state = SEGMENT_UNFIT;
        shuffle->unfit++;
        return;
    }
    segment->state = SEGMENT_PAUSED;
    heap_push(&shuffle->pauses, &segment->pause, clock_monotonic_ms() + pause_ms, segment);
}

static void on_done(void *user,
                    enum status status,
                    const struct http_response *response,
                    const struct error *error)
{
    struct segment *segment = user;
    struct error unread;

    (void)response; /* its code is in status */
    (void)error;    /* the next try or the master's log says more */
    segment->fetch = NULL;
    if (segment->is_void) {
        segment->is_void = false;
        unplace(segment);
        segment->state = SEGMENT_UNKNOWN;
        if (!segment->row.is_lost)
            start_fetch(segment);
        return;
    }
    if (status == OK && segment->received == segment->row.bytes) {
        struct reduce_segment here = as_result(segment);
        status = run_store_verify(here.store, here.offset, here.bytes, &unread);
        if (status == OK) {
            accept_segment(segment);
            return;
        }
    }
    try_again(segment);
}

static void start_fetch(struct segment *segment)
{
    const struct shuffle *shuffle = segment->shuffle;
    char url[URL_BYTES];
    struct http_request_options options = {
        .url = url,
        .bearer = shuffle->settings.token,
        .data = on_data,
        .user = segment,
    };
    struct error error;
    enum status status;

    segment->received = 0;
    if (segment->row.bytes == 0) {
        accept_segment(segment);
        return;
    }
    (void)snprintf(url, sizeof(url), "http://%.*s/v1/shuffle/%s/%" PRIu32 "_%" PRIu32 "/%" PRIu32,
                   SLICE_ARGS(segment->row.node.http_address), app_id_text(segment->row.app).text,
                   segment->row.map, segment->row.attempt, shuffle->settings.attempt.task);
    segment->state = SEGMENT_FETCHING;
    status = http_fetcher_add(shuffle->fetcher, &options, on_done, &segment->fetch, &error);
    if (status != OK)
        try_again(segment);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void take_row(struct shuffle *shuffle, const struct am_map_output *row)
{
    struct segment *segment;

    if (row->sequence > shuffle->sequence)
        shuffle->sequence = row->sequence;
    if (row->map >= shuffle->settings.map_count)
        return;
    segment = &shuffle->segments[row->map];
    /* What is here stays good: every attempt of a map yields the same bytes. */
    if (segment->state == SEGMENT_HERE || row->sequence <= segment->row.sequence)
        return;
    if (segment->state == SEGMENT_PAUSED)
        heap_remove(&shuffle->pauses, &segment->pause);
    if (segment->state == SEGMENT_UNFIT)
        shuffle->unfit--;
    if (segment->state != SEGMENT_FETCHING)
        unplace(segment);
    if (segment->state == SEGMENT_FETCHING && !segment->is_void) {
        /* Its place is sized by the old row: on_done gives it back before the new one counts. */
        unplace(segment);
        segment->is_void = true;
        http_fetch_cancel(segment->fetch);
    }
    segment->row = *row;
    segment->row.node =
        (struct endpoint){.http_address = arena_copy(shuffle->arena, row->node.http_address)};
    segment->tries = 0;
    if (segment->state == SEGMENT_FETCHING)
        return;
    segment->state = SEGMENT_UNKNOWN;
    if (!row->is_lost)
        start_fetch(segment);
}

/* On the rpc client's thread. */
static void on_answer(void *user, const struct service_result *result)
{
    struct shuffle *shuffle = user;
    mutex_lock(shuffle->mutex);
    shuffle->is_asking = false;
    shuffle->answer_status = result->status;
    shuffle->answer = result->response;
    shuffle->answer_arena = result->arena;
    condition_broadcast(shuffle->answered);
    http_fetcher_wake(shuffle->fetcher);
    mutex_unlock(shuffle->mutex);
}

static enum status ask(struct shuffle *shuffle, struct error *reterr_error)
{
    struct am_get_map_outputs_request request = {
        .attempt = shuffle->settings.attempt,
        .after_sequence = shuffle->sequence,
        .limit = ROWS_LIMIT,
        .wait_ms = UMBILICAL_WAIT_MS,
    };
    enum status status;

    rpc_call_close(shuffle->call);
    shuffle->call = NULL;
    mutex_lock(shuffle->mutex);
    shuffle->is_asking = true;
    mutex_unlock(shuffle->mutex);
    status = umbilical_ask_map_outputs(shuffle->settings.umbilical, &request, on_answer, shuffle,
                                       &shuffle->call, reterr_error);
    if (status != OK) {
        mutex_lock(shuffle->mutex);
        shuffle->is_asking = false;
        mutex_unlock(shuffle->mutex);
    }
    return status;
}

/* Takes an answer, if there is one, and asks again. */
static enum status converse(struct shuffle *shuffle, struct error *reterr_error)
{
    const struct am_get_map_outputs_response *answer;
    struct arena *arena;
    enum status status;
    bool is_asking;

    mutex_lock(shuffle->mutex);
    is_asking = shuffle->is_asking;
    answer = shuffle->answer;
    arena = shuffle->answer_arena;
    status = shuffle->answer_status;
    shuffle->answer = NULL;
    shuffle->answer_arena = NULL;
    shuffle->answer_status = OK;
    mutex_unlock(shuffle->mutex);
    if (is_asking)
        return OK;
    if (answer != NULL) {
        bool must_stop = answer->must_stop;
        umbilical_heard(shuffle->settings.umbilical);
        for (size_t i = 0; i < answer->outputs_count; i++)
            take_row(shuffle, &answer->outputs[i]);
        arena_close(arena);
        if (must_stop)
            return error_set(reterr_error, ERR_CANCELLED, "the attempt was told to stop");
    }
    if (status != OK && !umbilical_is_passing(status))
        return error_set(reterr_error, status, "ask for map outputs: %s", status_sentence(status));
    if (status != OK) {
        shuffle->ask_at_ms = clock_monotonic_ms() + ASK_AGAIN_MS;
        status = umbilical_check(shuffle->settings.umbilical, reterr_error);
        if (status != OK)
            return status;
    }
    return clock_monotonic_ms() < shuffle->ask_at_ms ? OK : ask(shuffle, reterr_error);
}

/* --- the loop --------------------------------------------------------------------------------- */

static enum status report_unfit(struct shuffle *shuffle, struct error *reterr_error)
{
    for (uint32_t i = 0; i < shuffle->settings.map_count && shuffle->unfit > 0; i++) {
        struct segment *segment = &shuffle->segments[i];
        char text[URL_BYTES];
        struct am_fetch_failed_request request = {
            .attempt = shuffle->settings.attempt,
            .map = i,
            .map_attempt = segment->row.attempt,
        };
        enum status status;
        if (segment->state != SEGMENT_UNFIT)
            continue;
        (void)snprintf(text, sizeof(text),
                       "no whole output of map %" PRIu32 " from %.*s after %d tries", i,
                       SLICE_ARGS(segment->row.node.http_address), SHUFFLE_TRIES);
        request.diagnostics = slice_from_string(text);
        status = umbilical_fetch_failed(shuffle->settings.umbilical, &request, reterr_error);
        if (status != OK)
            return status;
        unplace(segment);
        segment->state = SEGMENT_UNKNOWN;
        shuffle->unfit--;
    }
    return OK;
}

static void resume_paused(struct shuffle *shuffle)
{
    int64_t now_ms = clock_monotonic_ms();
    const struct heap_node *first;
    while ((first = heap_peek(&shuffle->pauses)) != NULL && first->key <= now_ms) {
        struct heap_node *node = heap_pop(&shuffle->pauses);
        start_fetch(node->object);
    }
}

static int64_t wait_ms(const struct shuffle *shuffle)
{
    const struct heap_node *first = heap_peek(&shuffle->pauses);
    int64_t now_ms = clock_monotonic_ms();
    int64_t until_ms = now_ms + LOOK_MS;
    if (first != NULL && first->key < until_ms)
        until_ms = first->key;
    if (shuffle->ask_at_ms > now_ms && shuffle->ask_at_ms < until_ms)
        until_ms = shuffle->ask_at_ms;
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

static void tell(struct shuffle *shuffle)
{
    char text[100];
    (void)snprintf(text, sizeof(text), "%" PRIu32 " of %" PRIu32 " map outputs", shuffle->here,
                   shuffle->settings.map_count);
    reporter_tell(shuffle->settings.reporter,
                  (float)shuffle->here / (float)shuffle->settings.map_count / 3, text);
}

enum status shuffle_run(struct shuffle *shuffle, struct error *reterr_error)
{
    uint32_t told = 0;
    while (shuffle->here < shuffle->settings.map_count) {
        enum status status = converse(shuffle, reterr_error);
        resume_paused(shuffle);
        if (status == OK && shuffle->unfit > 0)
            status = report_unfit(shuffle, reterr_error);
        if (status != OK)
            return status;
        if (shuffle->here == shuffle->settings.map_count)
            break;
        (void)http_fetcher_run(shuffle->fetcher, wait_ms(shuffle));
        if (shuffle->status != OK) {
            *reterr_error = shuffle->error;
            return error_prefix(reterr_error, shuffle->status, "store a map output");
        }
        if (reporter_must_stop(shuffle->settings.reporter))
            return error_set(reterr_error, ERR_CANCELLED, "the attempt was told to stop");
        if (told != shuffle->here)
            tell(shuffle);
        told = shuffle->here;
    }
    for (uint32_t i = 0; i < shuffle->settings.map_count; i++)
        shuffle->result[i] = as_result(&shuffle->segments[i]);
    return OK;
}

enum status shuffle_open(const struct shuffle_settings *settings,
                         struct shuffle **ret_shuffle,
                         struct error *reterr_error)
{
    struct shuffle *shuffle = MEM_NEW(struct shuffle);
    enum status status = OK;

    shuffle->settings = *settings;
    shuffle->arena = arena_open(0);
    shuffle->mutex = mutex_open();
    shuffle->answered = condition_open();
    heap_open(&shuffle->pauses, NULL);
    shuffle->segments = mem_try_array(settings->map_count + (size_t)1, sizeof(struct segment));
    shuffle->result = mem_try_array(settings->map_count + (size_t)1, sizeof(struct reduce_segment));
    if (shuffle->segments == NULL || shuffle->result == NULL)
        status = error_set(reterr_error, ERR_NO_MEMORY, "%u map outputs", settings->map_count);
    if (status == OK)
        status = http_fetcher_open(NULL, &shuffle->fetcher, reterr_error);
    if (status != OK) {
        shuffle_close(shuffle);
        return status;
    }
    for (uint32_t i = 0; i < settings->map_count; i++)
        shuffle->segments[i].shuffle = shuffle;
    *ret_shuffle = shuffle;
    return OK;
}

const struct reduce_segment *shuffle_segments(const struct shuffle *shuffle)
{
    return shuffle->result;
}

uint64_t shuffle_bytes(const struct shuffle *shuffle)
{
    return shuffle->bytes;
}

void shuffle_close(struct shuffle *shuffle)
{
    if (shuffle == NULL)
        return;
    if (shuffle->call != NULL)
        rpc_call_cancel(shuffle->call);
    mutex_lock(shuffle->mutex);
    while (shuffle->is_asking)
        condition_wait(shuffle->answered, shuffle->mutex);
    mutex_unlock(shuffle->mutex);
    rpc_call_close(shuffle->call);
    arena_close(shuffle->answer_arena);
    http_fetcher_close(shuffle->fetcher);
    for (uint32_t i = 0; shuffle->segments != NULL && i < shuffle->settings.map_count; i++)
        mem_free(shuffle->segments[i].memory);
    heap_close(&shuffle->pauses);
    mem_free(shuffle->segments);
    mem_free(shuffle->result);
    file_close(shuffle->file);
    condition_close(shuffle->answered);
    mutex_close(shuffle->mutex);
    arena_close(shuffle->arena);
    mem_free(shuffle);
}
