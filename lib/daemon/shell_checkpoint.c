/*
 * shell_checkpoint.c - makes checkpoints beside the running machine (docs/checkpoint.md).
 *
 * The core thread only begins a new segment of the journal. A thread of low priority then feeds a
 * second machine, the twin, with all that came before, compares its tally with what the live
 * machine's was at that moment, and writes the twin's snapshot. The live machine never waits.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell_item.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/wire/wire.h"

enum {
    DRAIN_BYTES = 1 << 20, /* of records held at a time while the snapshot is written */
    RETRY_MS = 60000       /* after a failure, unless the log grows as much as for a new one */
};

/* One being made. The thread has it from its start to its post; before and after, the core has. */
struct shell_checkpoint {
    struct shell *shell;
    struct thread *thread;
    struct journal_checkpoint *journal;
    void *twin;
    struct buf tally; /* the live machine's, when it began */
    atomic_bool is_cancelled;
    int64_t begun_ms;
    uint64_t batches; /* unsaved ones that it holds */
    enum status status;
    struct error error;
    struct journal_checkpoint_result result;
};

/* --- on its own thread ------------------------------------------------------------------------ */

/* Takes the snapshot's records as they come. */
struct snapshot_sink {
    struct shell_checkpoint *checkpoint;
    struct arena *arena;
    struct buf packed;
    enum status status;
    struct error *error;
};

static void drain(void *user, struct actions *actions)
{
    struct snapshot_sink *sink = user;
    for (size_t i = 0; i < actions->count; i++)
        CHECK(actions->items[i].kind == ACTION_JOURNAL);
    if (sink->status == OK && atomic_load(&sink->checkpoint->is_cancelled))
        sink->status = error_set(sink->error, ERR_CANCELLED, "the daemon is stopping");
    struct journal_record *records = NULL;
    size_t count = 0;
    if (sink->status == OK) {
        arena_reset(sink->arena);
        sink->status = shell_pack_records(actions, 0, actions->count, &sink->packed, sink->arena,
                                          &records, &count, sink->error);
    }
    if (sink->status == OK && count > 0)
        sink->status =
            journal_checkpoint_write(sink->checkpoint->journal, records, count, sink->error);
    actions_reset(actions); /* after a failure the rest is only walked over */
}

static enum status write_snapshot(struct shell_checkpoint *self)
{
    struct snapshot_sink sink = {.checkpoint = self, .arena = arena_open(0), .error = &self->error};
    struct actions actions;
    actions_open(&actions);
    actions.drain = drain;
    actions.drain_user = &sink;
    actions.drain_bytes = DRAIN_BYTES;
    self->shell->settings.door->snapshot(self->twin, &actions);
    drain(&sink, &actions);
    actions_close(&actions);
    arena_close(sink.arena);
    buf_close(&sink.packed);
    return sink.status;
}

/* The twin must be what the live machine was; a checkpoint of anything else would be believed. */
static enum status compare_twin(struct shell_checkpoint *self)
{
    const struct machine_door *door = self->shell->settings.door;
    if (door->tally == NULL || buf_slice(&self->tally).length == 0)
        return OK;
    struct buf tally;
    buf_open(&tally, 0);
    door->tally(self->twin, &tally);
    enum status status = OK;
    if (!slice_equal(buf_slice(&tally), buf_slice(&self->tally)))
        status = error_set(&self->error, ERR_CORRUPT,
                           "the journal does not say what this daemon knows: replayed \"%s\", but "
                           "it is \"%s\"; nothing was removed; do not restart it before the cause "
                           "is known",
                           buf_string(&tally), buf_string(&self->tally));
    buf_close(&tally);
    return status;
}

static enum status make(struct shell_checkpoint *self)
{
    struct shell_replay replay;
    shell_replay_open(&replay, self->shell, self->twin);
    replay.is_cancelled = &self->is_cancelled;
    enum status status =
        journal_checkpoint_replay(self->journal, shell_replay_record, &replay, &self->error);
    shell_replay_close(&replay);
    if (status == OK)
        status = compare_twin(self);
    if (status == OK && self->shell->settings.check_every_step)
        self->shell->settings.door->check(self->twin);
    if (status == OK)
        status = write_snapshot(self);
    if (status == OK)
        status = journal_checkpoint_install(self->journal, &self->result, &self->error);
    return status;
}

static void run_checkpoint(void *argument)
{
    struct shell_checkpoint *self = argument;
    thread_lower_priority();
    self->status = make(self);
    self->shell->settings.door->close(self->twin); /* takes a while, too */
    self->twin = NULL;
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->kind = SHELL_CHECKPOINT;
    if (mailbox_post_owed(self->shell->mailbox, item) != OK)
        shell_item_close(item); /* the shell is ending and waits for this thread */
}

/* --- on the core thread: askers --------------------------------------------------------------- */

static void fail_call(struct shell *shell, uint64_t call, enum status status, const char *text)
{
    struct shell_answer answer = {.status = status, .text = slice_from_string(text)};
    shell_answer_call(shell, call, &answer);
}

bool shell_checkpoint_take(struct shell *shell, const struct shell_item *item)
{
    const struct shell_checkpoints *settings = &shell->settings.checkpoints;
    if (!settings->has_method || item->event.method != settings->method)
        return false;
    shell_open_request(shell, item);
    if (settings->may_ask != NULL &&
        !settings->may_ask(shell->settings.host.user, shell->machine, &item->event)) {
        fail_call(shell, item->event.call, ERR_DENIED, "only a superuser may ask for a checkpoint");
        return true;
    }
    shell->askers = mem_reserve(shell->askers, shell->asker_count, &shell->asker_capacity,
                                sizeof(shell->askers[0]));
    shell->askers[shell->asker_count++] = (struct shell_checkpoint_asker){
        .call = item->event.call,
        .is_next = shell->checkpoint != NULL,
    };
    return true;
}

bool shell_checkpoint_holds(const struct shell *shell, uint64_t call)
{
    for (size_t i = 0; i < shell->asker_count; i++) {
        if (shell->askers[i].call == call)
            return true;
    }
    return false;
}

/* Answers those whose checkpoint this was; the others' is the next. */
static void answer_askers(struct shell *shell,
                          enum status status,
                          const char *text,
                          const struct dfs_save_checkpoint_response *response)
{
    size_t kept = 0;
    for (size_t i = 0; i < shell->asker_count; i++) {
        struct shell_checkpoint_asker asker = shell->askers[i];
        if (asker.is_next) {
            asker.is_next = false;
            shell->askers[kept++] = asker;
            continue;
        }
        struct shell_answer answer = {.status = status, .text = slice_from_string(text)};
        if (status == OK) {
            answer.type = &dfs_save_checkpoint_response_type;
            answer.message = response;
        }
        shell_answer_call(shell, asker.call, &answer);
    }
    shell->asker_count = kept;
}

/* --- on the core thread: begin and end -------------------------------------------------------- */

static void close_checkpoint(struct shell *shell, struct shell_checkpoint *self)
{
    journal_checkpoint_close(self->journal);
    if (self->twin != NULL)
        shell->settings.door->close(self->twin);
    buf_close(&self->tally);
    mem_free(self);
}

static void tell_failure(struct shell *shell, enum status status, const char *text)
{
    const struct shell_checkpoints *settings = &shell->settings.checkpoints;
    shell->checkpoint_above_bytes =
        journal_size_get(shell->journal).log_bytes + settings->log_bytes;
    shell->checkpoint_due_ms = clock_monotonic_ms() + RETRY_MS;
    atomic_fetch_add(&shell->checkpoint_failures, 1);
    log_event(shell->settings.log, status == ERR_CORRUPT ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
              "checkpoint_not_made", log_status("status", status), log_text("reason", text));
    answer_askers(shell, status, text, NULL);
}

/* Writes down what the state sums up to, as the first thing of the new segment. */
static enum status append_tally(struct shell *shell,
                                const struct buf *tally,
                                struct error *reterr_error)
{
    struct journal_state_tally message = {.text = buf_slice(tally)};
    buf_clear(shell->packed);
    enum status status =
        wire_pack(&journal_state_tally_type, &message, shell->packed, reterr_error);
    if (status != OK)
        return status;
    struct journal_record record = {
        .type = slice_from_string(journal_state_tally_type.name),
        .bytes = buf_slice(shell->packed),
    };
    status = journal_append(shell->journal, &record, 1, reterr_error);
    return status == OK ? journal_sync(shell->journal, reterr_error) : status;
}

/* Fails with the journal, or with something that leaves it as it was. */
static enum status begin(struct shell *shell, struct error *reterr_error)
{
    const struct shell_settings *settings = &shell->settings;
    struct shell_checkpoint *self = MEM_NEW(struct shell_checkpoint);
    self->shell = shell;
    self->begun_ms = clock_monotonic_ms();
    self->batches = shell->unsaved_batches;
    buf_open(&self->tally, 0);
    enum status status = journal_checkpoint_begin(shell->journal, &self->journal, reterr_error);
    if (status == OK && settings->door->tally != NULL) {
        settings->door->tally(shell->machine, &self->tally);
        if (buf_slice(&self->tally).length > 0)
            status = append_tally(shell, &self->tally, reterr_error);
    }
    if (status == OK)
        status = settings->checkpoints.open_twin(settings->host.user, &self->twin, reterr_error);
    if (status == OK)
        status = thread_open("checkpoint", run_checkpoint, self, &self->thread, reterr_error);
    if (status != OK) {
        close_checkpoint(shell, self);
        return status;
    }
    shell->unsaved_batches = 0;
    shell->checkpoint = self;
    return OK;
}

static bool is_time(const struct shell *shell)
{
    const struct shell_checkpoints *settings = &shell->settings.checkpoints;
    if (shell->asker_count > 0)
        return true;
    if (settings->interval_ms > 0 && shell->unsaved_batches > 0 &&
        clock_monotonic_ms() >= shell->checkpoint_due_ms)
        return true;
    if (settings->log_bytes == 0)
        return false;
    struct journal_size size = journal_size_get(shell->journal);
    /* A large state is not written again for every few records. */
    uint64_t above =
        settings->log_bytes > size.checkpoint_bytes ? settings->log_bytes : size.checkpoint_bytes;
    return size.log_bytes > above && size.log_bytes > shell->checkpoint_above_bytes;
}

enum status shell_checkpoint_review(struct shell *shell, struct error *reterr_error)
{
    if (shell->checkpoint != NULL || shell->must_exit)
        return OK;
    if (shell->journal == NULL || shell->settings.checkpoints.open_twin == NULL) {
        answer_askers(shell, ERR_UNSUPPORTED, "this daemon makes no checkpoints", NULL);
        return OK;
    }
    if (!is_time(shell))
        return OK;
    struct error error = {.status = OK};
    enum status status = begin(shell, &error);
    if (status != OK && journal_has_failed(shell->journal))
        return error_set(reterr_error, status, "%s", error.text);
    if (status != OK)
        tell_failure(shell, status, error.text);
    return OK;
}

int64_t shell_checkpoint_deadline_ms(const struct shell *shell)
{
    const struct shell_checkpoints *settings = &shell->settings.checkpoints;
    bool is_wanted = shell->journal != NULL && settings->open_twin != NULL &&
                     settings->interval_ms > 0 && shell->unsaved_batches > 0 &&
                     shell->checkpoint == NULL;
    return is_wanted ? shell->checkpoint_due_ms : INT64_MAX;
}

static void take_over(struct shell *shell, const struct shell_checkpoint *self)
{
    int64_t took_ms = clock_monotonic_ms() - self->begun_ms;
    const struct journal_checkpoint_result *result = &self->result;
    journal_checkpoint_done(shell->journal, result);
    shell->checkpoint_above_bytes = 0;
    shell->checkpoint_due_ms = clock_monotonic_ms() + shell->settings.checkpoints.interval_ms;
    atomic_fetch_add(&shell->checkpoints, 1);
    atomic_store(&shell->checkpoint_sequence, result->sequence);
    atomic_store(&shell->checkpoint_bytes, result->bytes);
    atomic_store(&shell->checkpoint_ms, (uint64_t)took_ms);
    log_event(shell->settings.log, LOG_LEVEL_INFO, "checkpoint_made",
              log_unsigned("generation", result->generation),
              log_unsigned("sequence", result->sequence), log_unsigned("bytes", result->bytes),
              log_unsigned("directories", result->directories), log_number("ms", took_ms));
    if (self->error.status != OK)
        log_event(shell->settings.log, LOG_LEVEL_WARN, "checkpoint_missing_in_a_directory",
                  log_text("reason", self->error.text));
    struct dfs_save_checkpoint_response response = {
        .sequence = result->sequence,
        .bytes = result->bytes,
        .duration_ms = (uint64_t)took_ms,
        .directories = (uint32_t)result->directories,
    };
    answer_askers(shell, OK, "", &response);
}

void shell_checkpoint_end(struct shell *shell)
{
    struct shell_checkpoint *self = shell->checkpoint;
    CHECK(self != NULL);
    thread_join(self->thread);
    shell->checkpoint = NULL;
    if (self->status == OK) {
        take_over(shell, self);
    } else {
        shell->unsaved_batches += self->batches;
        tell_failure(shell, self->status, self->error.text);
    }
    close_checkpoint(shell, self);
}

void shell_checkpoint_cancel(struct shell *shell)
{
    struct shell_checkpoint *self = shell->checkpoint;
    if (self == NULL)
        return;
    atomic_store(&self->is_cancelled, true);
    thread_join(self->thread);
    shell->checkpoint = NULL;
    close_checkpoint(shell, self);
}
