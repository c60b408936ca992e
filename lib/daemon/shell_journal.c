/*
 * shell_journal.c - a machine's journal records to bytes and back, and when to compact.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell_item.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/wire/wire.h"

/* Replays one record into the machine: EVENT_REPLAY asks for nothing. */
static enum status replay_record(void *user,
                                 const struct journal_record *record,
                                 struct error *reterr_error)
{
    struct shell *shell = user;
    const struct message_type *type = message_type_by_name(record->type);
    if (type == NULL)
        return error_set(reterr_error, ERR_CORRUPT,
                         "a record of type %.*s is unknown to this program",
                         SLICE_ARGS(record->type));
    struct arena *arena = arena_open(0);
    void *message = NULL;
    enum status status = wire_unpack(type, record->bytes, arena, &message, reterr_error);
    if (status != OK) {
        arena_close(arena);
        return error_prefix(reterr_error, status, "a record of type %s", type->name);
    }
    struct event event = {
        .kind = EVENT_REPLAY,
        .now_ms = clock_monotonic_ms(),
        .wall_ms = clock_wall_ms(),
        .type = type,
        .message = message,
    };
    shell->settings.door->step(shell->machine, &event, &shell->actions);
    CHECK(shell->actions.count == 0);
    actions_reset(&shell->actions);
    arena_close(arena);
    return OK;
}

static void log_replay(const struct shell *shell, const struct journal_report *report)
{
    log_event(shell->settings.log, LOG_LEVEL_INFO, "journal_open",
              log_text("directory", shell->settings.journal_directory),
              log_unsigned("generation", report->generation),
              log_unsigned("batches", report->batches), log_unsigned("records", report->records),
              log_unsigned("bytes", report->bytes));
    if (report->cut_bytes > 0)
        log_event(shell->settings.log, LOG_LEVEL_WARN, "journal_tail_cut",
                  log_unsigned("offset", report->cut_offset),
                  log_unsigned("bytes", report->cut_bytes));
}

enum status shell_journal_open(struct shell *shell, struct error *reterr_error)
{
    struct journal_options options = {.reserve_bytes = shell->settings.journal_reserve_bytes};
    struct journal_report report;
    enum status status =
        journal_open(shell->settings.journal_directory, shell->settings.journal_name, &options,
                     replay_record, shell, &report, &shell->journal, reterr_error);
    if (status == OK)
        log_replay(shell, &report);
    return status;
}

/* Packs the journal records among actions [from, to); *ret_records from arena. */
static enum status pack_records(struct shell *shell,
                                const struct actions *actions,
                                size_t from,
                                size_t to,
                                struct arena *arena,
                                struct journal_record **ret_records,
                                size_t *ret_count,
                                struct error *reterr_error)
{
    struct journal_record *records = ARENA_ARRAY(arena, struct journal_record, to - from + 1);
    size_t *ends = ARENA_ARRAY(arena, size_t, to - from + 1);
    size_t count = 0;
    buf_clear(shell->packed);
    for (size_t i = from; i < to; i++) {
        const struct action *action = &actions->items[i];
        if (action->kind != ACTION_JOURNAL)
            continue;
        enum status status = wire_pack(action->type, action->message, shell->packed, reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "pack a %s", action->type->name);
        records[count].type = slice_from_string(action->type->name);
        ends[count++] = shell->packed->length;
    }
    for (size_t i = 0; i < count; i++) { /* only now: the buffer moves while it grows */
        size_t start = i > 0 ? ends[i - 1] : 0;
        records[i].bytes = slice_sub(buf_slice(shell->packed), start, ends[i] - start);
    }
    *ret_records = records;
    *ret_count = count;
    return OK;
}

enum status shell_journal_round(struct shell *shell, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    enum status status = OK;
    bool is_dirty = false;
    for (size_t i = 0; i < shell->step_count && status == OK; i++) {
        struct journal_record *records = NULL;
        size_t count = 0;
        status = pack_records(shell, &shell->actions, shell->steps[i].from, shell->steps[i].to,
                              arena, &records, &count, reterr_error);
        if (status != OK || count == 0)
            continue;
        CHECK(shell->journal != NULL);
        status = journal_append(shell->journal, records, count, reterr_error);
        is_dirty = true;
        atomic_fetch_add(&shell->journal_batches, 1);
        atomic_fetch_add(&shell->journal_bytes, shell->packed->length);
    }
    if (status == OK && is_dirty) {
        status = journal_sync(shell->journal, reterr_error);
        atomic_fetch_add(&shell->journal_syncs, 1);
    }
    arena_close(arena);
    return status;
}

static enum status compact_now(struct shell *shell, struct error *reterr_error)
{
    struct actions snapshot;
    actions_open(&snapshot);
    shell->settings.door->snapshot(shell->machine, &snapshot);
    for (size_t i = 0; i < snapshot.count; i++)
        CHECK(snapshot.items[i].kind == ACTION_JOURNAL);
    struct arena *arena = arena_open(0);
    struct journal_record *records = NULL;
    size_t count = 0;
    enum status status =
        pack_records(shell, &snapshot, 0, snapshot.count, arena, &records, &count, reterr_error);
    if (status == OK)
        status = journal_compact(shell->journal, records, count, reterr_error);
    arena_close(arena);
    actions_close(&snapshot);
    buf_close(shell->packed); /* a snapshot may be large; a step's records are not */
    return status;
}

enum status shell_journal_compact(struct shell *shell, struct error *reterr_error)
{
    uint64_t limit = shell->settings.journal_compact_bytes;
    if (shell->journal == NULL || limit == 0 || shell->settings.door->snapshot == NULL)
        return OK;
    struct journal_size size = journal_size_get(shell->journal);
    /* A large state is not written again for every few records. */
    uint64_t above = limit > size.snapshot_bytes ? limit : size.snapshot_bytes;
    if (size.log_bytes <= above || size.log_bytes <= shell->compact_above_bytes)
        return OK;
    int64_t before_ms = clock_monotonic_ms();
    struct error error = {.status = OK};
    enum status status = compact_now(shell, &error);
    if (status != OK && journal_has_failed(shell->journal))
        return error_set(reterr_error, status, "%s", error.text);
    if (status != OK) {
        /* The old segment goes on; a full disk may have room again when the log has grown. */
        shell->compact_above_bytes = size.log_bytes + limit;
        log_event(shell->settings.log, LOG_LEVEL_WARN, "journal_not_compacted",
                  log_status("status", status), log_text("reason", error.text));
        return OK;
    }
    shell->compact_above_bytes = 0;
    atomic_fetch_add(&shell->compactions, 1);
    log_event(shell->settings.log, LOG_LEVEL_INFO, "journal_compacted",
              log_unsigned("log_bytes", size.log_bytes),
              log_unsigned("snapshot_bytes", journal_size_get(shell->journal).snapshot_bytes),
              log_number("ms", clock_monotonic_ms() - before_ms));
    return OK;
}
