/*
 * records.c - what survives a restart: the journal's records, written elsewhere, read here.
 * Only applications and their attempts do; nodes and masters tell the rest (rm.h).
 */
#include "rm/core/state.h"

#include "lib/base/mem.h"

static bool replay_put(struct rm *rm, const struct journal_app_put *record)
{
    struct app_id id = record->report.app;
    if (id.cluster_timestamp != rm->cluster_timestamp || id.sequence == 0 ||
        rm_app_find(rm, id) != NULL)
        return false;
    struct rm_app *app = rm_app_new(rm, id);
    message_copy_into(&rm_app_report_type, &record->report, &app->report, app->arena);
    message_copy_into(&rm_submit_app_request_type, &record->submission, &app->submission,
                      app->arena);
    app->report.priority = app->submission.priority; /* older journals do not have it there */
    app->state = (int)record->report.state;
    rm_app_remember_request(rm, app);
    rm->live_count++;
    return true;
}

static bool replay_changed(struct rm *rm, const struct journal_app_state_changed *record)
{
    struct rm_app *app = rm_app_find(rm, record->report.app);
    if (app == NULL || rm_app_is_over(app))
        return false;
    message_copy_into(&rm_app_report_type, &record->report, &app->report, app->arena);
    app->report.priority = app->submission.priority;
    app->state = (int)record->report.state;
    app->master_failures = record->master_failures;
    app->is_master_launched = record->is_master_launched;
    app->is_kill_asked = record->is_kill_asked;
    if (rm_app_is_over(app)) {
        app->attempt.state = RM_ATTEMPT_OVER;
        rm->live_count--;
        list_append(&rm->finished, &app->finished_link, app);
    }
    return true;
}

static bool replay_moved(struct rm *rm, const struct journal_app_moved *record)
{
    struct rm_app *app = rm_app_find(rm, record->app);
    if (app == NULL || rm_app_is_over(app))
        return false;
    rm_app_take_place(app, record->queue, record->priority);
    return true;
}

bool rm_record_replay(struct rm *rm, const struct event *event)
{
    if (event->type == &journal_rm_format_type) {
        const struct journal_rm_format *record = event->message;
        if (rm->cluster_timestamp != 0 || record->cluster_timestamp == 0)
            return false;
        rm->cluster_timestamp = record->cluster_timestamp;
        return true;
    }
    if (event->type == &journal_rm_epoch_type) {
        const struct journal_rm_epoch *record = event->message;
        if (record->epoch <= rm->epoch)
            return false;
        rm->epoch = record->epoch;
        if (record->app_sequence > rm->app_sequence)
            rm->app_sequence = record->app_sequence;
        return true;
    }
    if (event->type == &journal_app_put_type)
        return replay_put(rm, event->message);
    if (event->type == &journal_app_state_changed_type)
        return replay_changed(rm, event->message);
    if (event->type == &journal_app_moved_type)
        return replay_moved(rm, event->message);
    if (event->type == &journal_app_remove_type) {
        const struct journal_app_remove *record = event->message;
        struct rm_app *app = rm_app_find(rm, record->app);
        if (app == NULL || !rm_app_is_over(app))
            return false;
        rm_app_free(rm, app);
        return true;
    }
    return false;
}

static void start_app(struct rm *rm, struct rm_app *app, bool *ret_is_launched)
{
    if (rm_app_is_over(app))
        return;
    /* Above all versions of earlier epochs, which were not all journaled. */
    uint64_t version = (uint64_t)rm->epoch << 32;
    if (app->report.version < version)
        app->report.version = version;
    rm_queue_join(rm, app, app->report.queue);
    if (app->is_master_launched) {
        rm_attempt_restore(rm, app);
        *ret_is_launched = true;
    } else {
        rm_scheduler_mark_app(rm, app);
    }
}

void rm_record_start(struct rm *rm)
{
    if (rm->cluster_timestamp == 0) {
        rm->cluster_timestamp = rm->wall_ms > 0 ? (uint64_t)rm->wall_ms : 1;
        struct journal_rm_format format = {.cluster_timestamp = rm->cluster_timestamp};
        actions_journal(rm->actions, &journal_rm_format_type, &format);
    }
    rm->epoch++;
    struct journal_rm_epoch epoch = {.epoch = rm->epoch, .app_sequence = rm->app_sequence};
    actions_journal(rm->actions, &journal_rm_epoch_type, &epoch);
    trace_emit(rm->actions->trace, "epoch %u", (unsigned)rm->epoch);
    bool is_launched = false;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value))
        start_app(rm, value, &is_launched);
    if (is_launched) {
        rm->recovering_until_ms = rm->now_ms + rm->settings.recovery_grace_ms;
        rm_timer_set(rm, &rm->recovery_timer, rm->recovering_until_ms);
    }
}

static void snapshot_changed(const struct rm_app *app, struct actions *ret_actions)
{
    struct journal_app_state_changed changed = {.report = app->report,
                                                .master_failures = app->master_failures,
                                                .is_master_launched = app->is_master_launched,
                                                .is_kill_asked = app->is_kill_asked};
    actions_journal(ret_actions, &journal_app_state_changed_type, &changed);
}

void rm_snapshot(const struct rm *rm, struct actions *ret_actions)
{
    struct journal_rm_format format = {.cluster_timestamp = rm->cluster_timestamp};
    actions_journal(ret_actions, &journal_rm_format_type, &format);
    struct journal_rm_epoch epoch = {.epoch = rm->epoch, .app_sequence = rm->app_sequence};
    actions_journal(ret_actions, &journal_rm_epoch_type, &epoch);
    /* Put in the order of their ids, ended in the order in which they ended. */
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        const struct rm_app *app = value;
        struct journal_app_put put = {.report = app->report,
                                      .submission = app->submission,
                                      .client_id = app->submission.client_id,
                                      .request_id = app->submission.request_id};
        put.report.state = APP_ACCEPTED;
        actions_journal(ret_actions, &journal_app_put_type, &put);
    }
    for (const struct list_node *link = rm->finished.first; link != NULL; link = link->next)
        snapshot_changed(link->object, ret_actions);
    cursor = 0;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        if (!rm_app_is_over(value))
            snapshot_changed(value, ret_actions);
    }
}

void rm_tally(const struct rm *rm, struct buf *text)
{
    /* The buffer has no limit: memory is all that can be wanting. */
    if (buf_append_format(text, "cluster=%llu epoch=%u apps=%zu live=%zu",
                          (unsigned long long)rm->cluster_timestamp, (unsigned)rm->epoch,
                          map_u64_count(rm->apps), rm->live_count) != OK)
        mem_gone(text->length);
}
