/*
 * shell_journal.c - a machine's journal records to bytes and back.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell_item.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/wire/wire.h"

/* --- replay ----------------------------------------------------------------------------------- */

void shell_replay_open(struct shell_replay *replay, const struct shell *shell, void *machine)
{
    *replay = (struct shell_replay){.shell = shell, .machine = machine, .arena = arena_open(0)};
    actions_open(&replay->actions);
    buf_open(&replay->tally, 0);
}

void shell_replay_close(struct shell_replay *replay)
{
    actions_close(&replay->actions);
    arena_close(replay->arena);
    buf_close(&replay->tally);
}

static const struct message_type *type_of(struct shell_replay *replay, struct slice name)
{
    if (replay->last_type == NULL || !slice_equal_string(name, replay->last_type->name))
        replay->last_type = message_type_by_name(name);
    return replay->last_type;
}

/*
 * The machine that wrote the tally and the one that has replayed all before it must be alike;
 * otherwise the journal does not say what the machine did (etcd 3.5, 2022).
 */
static enum status compare_tally(struct shell_replay *replay,
                                 const struct journal_state_tally *record,
                                 struct error *reterr_error)
{
    const struct machine_door *door = replay->shell->settings.door;
    if (door->tally == NULL)
        return OK;
    buf_clear(&replay->tally);
    door->tally(replay->machine, &replay->tally);
    if (record->text.length == 0 || slice_equal(buf_slice(&replay->tally), record->text))
        return OK;
    if (!replay->shell->settings.is_tally_ignored)
        return error_set(reterr_error, ERR_CORRUPT,
                         "the state is not the one that was: replayed \"%s\", then it was "
                         "\"%.*s\"; the setting journal.check_tally=false goes on all the same",
                         buf_string(&replay->tally), SLICE_ARGS(record->text));
    log_event(replay->shell->settings.log, LOG_LEVEL_ERROR, "tally_differs",
              log_text("replayed", buf_string(&replay->tally)), log_slice("was", record->text));
    return OK;
}

/* EVENT_REPLAY asks for nothing. */
enum status shell_replay_record(void *user,
                                const struct journal_record *record,
                                struct error *reterr_error)
{
    struct shell_replay *replay = user;
    const struct message_type *type = type_of(replay, record->type);
    if (type == NULL)
        return error_set(reterr_error, ERR_CORRUPT,
                         "a record of type %.*s is unknown to this program",
                         SLICE_ARGS(record->type));
    if (replay->is_cancelled != NULL && atomic_load(replay->is_cancelled))
        return error_set(reterr_error, ERR_CANCELLED, "the daemon is stopping");
    void *message = NULL;
    arena_reset(replay->arena);
    enum status status = wire_unpack(type, record->bytes, replay->arena, &message, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "a record of type %s", type->name);
    if (type == &journal_state_tally_type)
        return compare_tally(replay, message, reterr_error);
    struct event event = {
        .kind = EVENT_REPLAY,
        .now_ms = clock_monotonic_ms(),
        .wall_ms = clock_wall_ms(),
        .type = type,
        .message = message,
    };
    replay->shell->settings.door->step(replay->machine, &event, &replay->actions);
    CHECK(replay->actions.count == 0);
    actions_reset(&replay->actions);
    return OK;
}

/* --- open ------------------------------------------------------------------------------------- */

static void log_replay(const struct shell *shell,
                       const struct journal_report *report,
                       int64_t took_ms)
{
    log_event(shell->settings.log, LOG_LEVEL_INFO, "journal_open",
              log_text("directory", shell->settings.journal_directory),
              log_unsigned("generation", report->generation),
              log_unsigned("batches", report->batches), log_unsigned("records", report->records),
              log_unsigned("checkpoint", report->checkpoint),
              log_unsigned("sequence", report->sequence), log_unsigned("bytes", report->bytes),
              log_number("ms", took_ms));
    if (report->cut_bytes > 0 && !report->was_room)
        log_event(shell->settings.log, LOG_LEVEL_WARN, "journal_tail_cut",
                  log_unsigned("offset", report->cut_offset),
                  log_unsigned("bytes", report->cut_bytes));
}

static const char *const notice_names[] = {
    [JOURNAL_CHECKPOINT_DAMAGED] = "checkpoint_damaged",
    [JOURNAL_DIRECTORY_DAMAGED] = "journal_directory_damaged",
    [JOURNAL_DIRECTORY_FAILED] = "journal_directory_failed",
    [JOURNAL_DIRECTORY_RESTORED] = "journal_directory_restored",
};

static void log_notice(void *user, enum journal_notice notice, const char *text)
{
    const struct shell *shell = user;
    enum log_level level = notice == JOURNAL_DIRECTORY_RESTORED ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR;
    log_event(shell->settings.log, level, notice_names[notice], log_text("what", text));
}

enum status shell_journal_open(struct shell *shell, struct error *reterr_error)
{
    const struct shell_settings *settings = &shell->settings;
    struct journal_options options = {
        .reserve_bytes = settings->journal_reserve_bytes,
        .mirrors = settings->journal_mirrors,
        .mirror_count = settings->journal_mirror_count,
        .notice = log_notice,
        .notice_user = shell,
    };
    struct journal_report report;
    struct shell_replay replay;
    struct error why = {.status = OK};
    shell_replay_open(&replay, shell, shell->machine);
    int64_t before_ms = clock_monotonic_ms();
    enum status status = journal_open(settings->journal_directory, settings->journal_name, &options,
                                      shell_replay_record, &replay, &report, &shell->journal, &why);
    shell_replay_close(&replay);
    if (status == ERR_CORRUPT)
        return error_set(
            reterr_error, status,
            "%s; what to do: \"Damage\" in docs/checkpoint.md; mradmin journal %s shows "
            "what is there",
            why.text, settings->journal_directory);
    if (status != OK)
        return error_set(reterr_error, status, "%s", why.text);
    log_replay(shell, &report, clock_monotonic_ms() - before_ms);
    struct journal_size size = journal_size_get(shell->journal);
    shell->unsaved_batches = size.log_bytes > 0 ? 1 : 0;
    shell->checkpoint_due_ms = clock_monotonic_ms() + settings->checkpoints.interval_ms;
    atomic_store(&shell->journal_directories, size.directories);
    return OK;
}

void shell_journal_look_at_room(struct shell *shell)
{
    if (shell->journal == NULL || shell->settings.needs_room == NULL)
        return;
    bool is_short = journal_is_short_of_room(shell->journal);
    if (is_short == shell->is_read_only)
        return;
    shell->is_read_only = is_short;
    atomic_store(&shell->shows_read_only, is_short);
    log_write(shell->settings.log, is_short ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
              is_short ? "journal_disk_full" : "journal_disk_has_room", NULL, 0);
}

/* --- records ---------------------------------------------------------------------------------- */

enum status shell_pack_records(const struct actions *actions,
                               size_t from,
                               size_t to,
                               struct buf *packed,
                               struct arena *arena,
                               struct journal_record **ret_records,
                               size_t *ret_count,
                               struct error *reterr_error)
{
    struct journal_record *records = ARENA_ARRAY(arena, struct journal_record, to - from + 1);
    size_t *ends = ARENA_ARRAY(arena, size_t, to - from + 1);
    size_t count = 0;
    buf_clear(packed);
    for (size_t i = from; i < to; i++) {
        const struct action *action = &actions->items[i];
        if (action->kind != ACTION_JOURNAL)
            continue;
        enum status status = wire_pack(action->type, action->message, packed, reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "pack a %s", action->type->name);
        records[count].type = slice_from_string(action->type->name);
        ends[count++] = packed->length;
    }
    for (size_t i = 0; i < count; i++) { /* only now: the buffer moves while it grows */
        size_t start = i > 0 ? ends[i - 1] : 0;
        records[i].bytes = slice_sub(buf_slice(packed), start, ends[i] - start);
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
        status = shell_pack_records(&shell->actions, shell->steps[i].from, shell->steps[i].to,
                                    shell->packed, arena, &records, &count, reterr_error);
        if (status != OK || count == 0)
            continue;
        CHECK(shell->journal != NULL);
        status = journal_append(shell->journal, records, count, reterr_error);
        is_dirty = true;
        shell->unsaved_batches++;
        atomic_fetch_add(&shell->journal_batches, 1);
        atomic_fetch_add(&shell->journal_bytes, shell->packed->length);
    }
    if (status == OK && is_dirty) {
        status = journal_sync(shell->journal, reterr_error);
        atomic_fetch_add(&shell->journal_syncs, 1);
        atomic_store(&shell->journal_directories, journal_size_get(shell->journal).directories);
    }
    arena_close(arena);
    return status;
}
