/*
 * journal.c - what the next master would have to know, written behind the job's back: the plan, the
 * tasks that succeeded, the outputs that were lost. Nothing waits for a write: one append is out at
 * a time, and what comes meanwhile goes with the next.
 * Owns log, splits_durable, journal_* and recovered of struct appmaster.
 * Invariant: AM-8 of appmaster.h. Format: docs/formats/master-journal.md.
 * Called from appmaster_step only.
 */
#include "appmaster/core/appmaster_internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    BATCH_BYTES = 4 * 1024 * 1024, /* about; of one append */
    SPLIT_BYTES = 512,             /* what a split takes, roughly */
    SPLITS_IN_RECORD = 1000,
    COUNTER_BYTES = 64,
    AGE_SHARE = 100 /* an append a hundredth of the job's age: few files however long it lives */
};

void appmaster_journal_note(struct appmaster *am, struct appmaster_attempt *attempt, bool is_lost)
{
    am->log = mem_reserve(am->log, am->log_count, &am->log_capacity, sizeof *am->log);
    am->log[am->log_count++] = (struct appmaster_log_entry){.attempt = attempt, .is_lost = is_lost};
}

/* --- writing ------------------------------------------------------------------------------------
 */
struct batch {
    struct am_master_record *records;
    size_t count;
    size_t bytes;
};

static void add_plan(struct appmaster *am, struct arena *arena, struct batch *batch)
{
    while (am->splits_sent < am->maps_count && batch->bytes < BATCH_BYTES) {
        size_t rest = am->maps_count - am->splits_sent;
        size_t count = rest < SPLITS_IN_RECORD ? rest : SPLITS_IN_RECORD;
        struct am_input_split *splits = ARENA_ARRAY(arena, struct am_input_split, count);
        for (size_t i = 0; i < count; i++)
            splits[i] = am->maps[am->splits_sent + i].split;
        batch->records[batch->count++] = (struct am_master_record){
            .kind = MASTER_MAPS_PLANNED,
            .planned = {.maps_total = (uint32_t)am->maps_count,
                        .first = (uint32_t)am->splits_sent,
                        .splits = splits,
                        .splits_count = count},
        };
        batch->bytes += count * SPLIT_BYTES;
        am->splits_sent += count;
    }
}

static struct am_master_record record_of(const struct appmaster *am,
                                         const struct appmaster_log_entry *entry)
{
    const struct appmaster_attempt *attempt = entry->attempt;
    if (entry->is_lost)
        return (struct am_master_record){.kind = MASTER_OUTPUT_LOST, .lost = attempt->id};
    bool has_partitions = attempt->id.kind == TASK_MAP;
    return (struct am_master_record){
        .kind = MASTER_TASK_SUCCEEDED,
        .succeeded = {.attempt = attempt->id,
                      .container = attempt->container,
                      .node = attempt->node,
                      .counters = attempt->counters,
                      .counters_count = attempt->counters_count,
                      .partition_bytes = has_partitions ? attempt->partition_bytes : NULL,
                      .partition_bytes_count = has_partitions ? am->reduces_count : 0,
                      .output_path = attempt->output_path,
                      .output_file_id = attempt->output_file_id,
                      .output_length = attempt->output_length,
                      .started_ms = attempt->started_ms,
                      .finished_ms = attempt->finished_ms},
    };
}

static void add_log(struct appmaster *am, struct batch *batch)
{
    while (am->log_sent < am->log_count && batch->bytes < BATCH_BYTES) {
        const struct appmaster_log_entry *entry = &am->log[am->log_sent++];
        batch->records[batch->count++] = record_of(am, entry);
        batch->bytes += SPLIT_BYTES + am->reduces_count * sizeof(uint64_t) +
                        entry->attempt->counters_count * COUNTER_BYTES;
    }
}

static void append(struct appmaster *am, struct actions *actions)
{
    size_t room =
        (am->maps_count - am->splits_sent) / SPLITS_IN_RECORD + 1 + (am->log_count - am->log_sent);
    struct batch batch = {.records = ARENA_ARRAY(actions->arena, struct am_master_record, room)};
    add_plan(am, actions->arena, &batch);
    if (am->splits_sent == am->maps_count)
        add_log(am, &batch); /* results mean nothing without the plan */
    struct am_master_journal *journal = ARENA_NEW(actions->arena, struct am_master_journal);
    *journal = (struct am_master_journal){.records = batch.records, .records_count = batch.count};
    am->journal_out = true;
    actions_effect(actions, APPMASTER_TAG_JOURNAL, APPMASTER_APPEND_JOURNAL, journal);
}

static bool has_news(const struct appmaster *am)
{
    bool is_wanted = am->job == JOB_RUNNING || am->job == JOB_COMMITTING;
    return is_wanted && !am->journal_out &&
           (am->splits_sent < am->maps_count || am->log_sent < am->log_count);
}

void appmaster_journal_advance(struct appmaster *am, struct actions *actions)
{
    if (has_news(am) && am->now_ms >= am->journal_at_ms)
        append(am, actions);
}

int64_t appmaster_journal_deadline_ms(const struct appmaster *am)
{
    bool waits_to_read = am->job == JOB_SETUP && am->plan == PLAN_JOURNAL && !am->journal_out;
    return has_news(am) || waits_to_read ? am->journal_at_ms : INT64_MAX;
}

static void appended(struct appmaster *am, const struct event *event, struct actions *actions)
{
    if (event->status != OK) {
        /* It may have been written. To say it twice does no harm. */
        trace_emit(actions->trace, "journal was not written: %.*s", SLICE_ARGS(event->text));
        am->log_sent = am->log_durable;
        am->splits_sent = am->splits_durable;
        am->journal_at_ms = am->now_ms + appmaster_backoff(am, &am->journal_backoff_ms);
        return;
    }
    for (size_t i = am->log_durable; i < am->log_sent; i++)
        am->log[i].attempt->is_durable = true;
    am->log_durable = am->log_sent;
    am->splits_durable = am->splits_sent;
    int64_t share_ms = (am->now_ms - am->begun_ms) / AGE_SHARE;
    int64_t least_ms = am->settings.journal_after_ms;
    am->journal_at_ms = am->now_ms + (share_ms > least_ms ? share_ms : least_ms);
    am->journal_backoff_ms = am->settings.retry_min_ms;
    am->version++;
}

/* --- reading ------------------------------------------------------------------------------------
 */
void appmaster_journal_read(struct appmaster *am, struct actions *actions)
{
    if (am->journal_out || am->now_ms < am->journal_at_ms)
        return;
    am->journal_out = true;
    actions_effect(actions, APPMASTER_TAG_JOURNAL, APPMASTER_READ_JOURNAL, NULL);
}

/* The records from the last plan on; NULL when it is not whole: then nothing was finished. */
static const struct am_master_record *last_plan(const struct am_master_journal *journal,
                                                size_t *ret_maps)
{
    const struct am_master_record *from = NULL;
    size_t planned = 0;
    size_t total = 0;
    for (size_t i = 0; i < journal->records_count; i++) {
        const struct am_master_record *record = &journal->records[i];
        if (record->kind != MASTER_MAPS_PLANNED)
            continue;
        if (record->planned.first == 0) {
            from = record;
            planned = 0;
            total = record->planned.maps_total;
        }
        if (record->planned.first == planned) /* else it was said twice */
            planned += record->planned.splits_count;
    }
    *ret_maps = total;
    return planned == total && total > 0 ? from : NULL;
}

static void take_plan(struct appmaster *am, const struct am_master_journal *journal)
{
    size_t maps = 0;
    const struct am_master_record *record = last_plan(journal, &maps);
    if (!record) {
        am->plan = PLAN_STATUS; /* the first master did not come far */
        return;
    }
    const struct am_master_record *end = journal->records + journal->records_count;
    for (; record < end && am->maps_count < maps; record++) {
        bool is_next =
            record->kind == MASTER_MAPS_PLANNED && record->planned.first == am->maps_count;
        for (size_t i = 0; is_next && i < record->planned.splits_count; i++)
            appmaster_map_add(am, &record->planned.splits[i]);
    }
    CHECK(am->maps_count == maps);
    am->splits_sent = maps;
    am->splits_durable = maps;
    am->recovered = journal;
    am->plan = PLAN_DONE;
}

static void was_read(struct appmaster *am, const struct event *event, struct actions *actions)
{
    bool is_passing = event->status == ERR_UNAVAILABLE || event->status == ERR_DEADLINE ||
                      event->status == ERR_SAFE_MODE || event->status == ERR_BUSY;
    if (am->job != JOB_SETUP)
        return;
    if (is_passing && am->now_ms - am->begun_ms < am->settings.give_up_ms) {
        am->journal_at_ms = am->now_ms + appmaster_backoff(am, &am->journal_backoff_ms);
        return;
    }
    am->journal_at_ms = am->now_ms + am->settings.journal_after_ms;
    am->journal_backoff_ms = am->settings.retry_min_ms;
    if (event->status != OK) {
        trace_emit(actions->trace, "journal was not read, the job runs again: %.*s",
                   SLICE_ARGS(event->text));
        am->plan = PLAN_STATUS;
        return;
    }
    take_plan(am, message_copy(&am_master_journal_type, event->data, am->arena));
}

void appmaster_journal_recover(struct appmaster *am, struct actions *actions)
{
    if (!am->recovered)
        return;
    size_t maps = 0;
    const struct am_master_record *record = last_plan(am->recovered, &maps);
    const struct am_master_record *end = am->recovered->records + am->recovered->records_count;
    for (; record < end; record++) {
        if (record->kind == MASTER_TASK_SUCCEEDED) {
            (void)appmaster_attempt_recover(am, &record->succeeded, actions); /* said twice */
        } else if (record->kind == MASTER_OUTPUT_LOST) {
            struct appmaster_attempt *attempt = appmaster_attempt_find(am, &record->lost);
            if (attempt && attempt->id.kind == TASK_MAP && attempt->task->winner == attempt)
                appmaster_map_output_lost(am, attempt->task, "its output was lost earlier",
                                          actions);
        }
    }
    /* What this repeated is written already. */
    am->log_sent = am->log_count;
    for (; am->log_durable < am->log_count; am->log_durable++)
        am->log[am->log_durable].attempt->is_durable = true;
    am->recovered = NULL;
    trace_emit(actions->trace, "recovered %zu maps and %zu reduces", am->maps_done,
               am->reduces_done);
}

void appmaster_journal_answered(struct appmaster *am,
                                const struct event *event,
                                struct actions *actions)
{
    am->journal_out = false;
    if (event->effect == APPMASTER_READ_JOURNAL)
        was_read(am, event, actions);
    else
        appended(am, event, actions);
}
