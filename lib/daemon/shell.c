/*
 * shell.c - the shell's life, and everything other threads may ask of it.
 */
#include "lib/daemon/shell.h"

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell_item.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"

enum {
    MAILBOX_CAPACITY = 65536
};

void shell_item_close(struct shell_item *item)
{
    if (item->data != NULL && item->release != NULL)
        item->release(item->data);
    group_list_release(item->groups);
    arena_close(item->arena);
    mem_free(item);
}

static void trace_to_log(void *user, const char *text)
{
    log_event(user, LOG_LEVEL_DEBUG, "trace", log_text("did", text));
}

enum status shell_open(const struct shell_settings *settings,
                       struct shell **ret_shell,
                       struct error *reterr_error)
{
    CHECK(settings->door != NULL);
    CHECK(settings->journal_directory == NULL || settings->journal_name != NULL);
    struct shell *shell = MEM_NEW(struct shell);
    shell->settings = *settings;
    const char *check = host_environment("MILLRACE_CHECK");
    if (check != NULL && strcmp(check, "1") == 0)
        shell->settings.check_every_step = true;
    shell->mailbox = mailbox_open(settings->mailbox_capacity > 0 ? settings->mailbox_capacity
                                                                 : MAILBOX_CAPACITY);
    shell->mutex = mutex_open();
    shell->changed = condition_open();
    shell->open_calls = map_u64_open();
    shell->packed = MEM_NEW(struct buf);
    buf_open(shell->packed, 0);
    actions_open(&shell->actions);
    if (settings->trace && log_is_on(settings->log, LOG_LEVEL_DEBUG)) {
        shell->trace = (struct trace){.sink = trace_to_log, .user = settings->log};
        shell->actions.trace = &shell->trace;
    }
    (void)reterr_error; /* nothing here can fail today; callers are ready for it */
    *ret_shell = shell;
    return OK;
}

enum status shell_attach(struct shell *shell, void *machine, struct error *reterr_error)
{
    CHECK(shell->machine == NULL);
    shell->machine = machine;
    enum status status = OK;
    if (shell->settings.journal_directory != NULL)
        status = shell_journal_open(shell, reterr_error);
    if (status != OK)
        shell->machine = NULL; /* stays the caller's */
    else if (shell->settings.check_every_step)
        shell->settings.door->check(machine);
    return status;
}

enum status shell_start(struct shell *shell, struct error *reterr_error)
{
    CHECK(shell->machine != NULL);
    mutex_lock(shell->mutex);
    CHECK(!shell->is_started);
    enum status status = thread_open("core", shell_run, shell, &shell->thread, reterr_error);
    shell->is_started = status == OK;
    mutex_unlock(shell->mutex);
    return status;
}

bool shell_is_started(struct shell *shell)
{
    mutex_lock(shell->mutex);
    bool is_started = shell->is_started;
    mutex_unlock(shell->mutex);
    return is_started;
}

bool shell_wait(struct shell *shell, int64_t deadline_ms, int *ret_exit_code)
{
    mutex_lock(shell->mutex);
    bool in_time = true;
    while (!shell->is_over && in_time)
        in_time = condition_wait_until(shell->changed, shell->mutex, deadline_ms);
    bool is_over = shell->is_over;
    if (is_over)
        *ret_exit_code = shell->exit_code;
    mutex_unlock(shell->mutex);
    return is_over;
}

static void drain(struct shell *shell)
{
    void *items[64];
    size_t count;
    mailbox_shut(shell->mailbox);
    while ((count = mailbox_take(shell->mailbox, items, 64, 0)) > 0) {
        for (size_t i = 0; i < count; i++)
            shell_item_close(items[i]); /* posted before the start: never a request */
    }
}

void shell_close(struct shell *shell)
{
    if (shell == NULL)
        return;
    if (shell->thread != NULL) {
        shell_exit(shell, EXIT_STOPPED);
        thread_join(shell->thread);
    }
    drain(shell);
    journal_close(shell->journal);
    if (shell->machine != NULL)
        shell->settings.door->close(shell->machine);
    actions_close(&shell->actions);
    mem_free(shell->steps);
    mem_free(shell->askers);
    buf_close(shell->packed);
    mem_free(shell->packed);
    map_u64_close(shell->open_calls);
    condition_close(shell->changed);
    mutex_close(shell->mutex);
    mailbox_close(shell->mailbox);
    mem_free(shell);
}

/* Posts what must not be lost; when nobody will take it any more it is dropped. */
static void post_owed(struct shell *shell, struct shell_item *item)
{
    if (mailbox_post_owed(shell->mailbox, item) != OK)
        shell_item_close(item);
}

void shell_stop(struct shell *shell)
{
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->event.kind = EVENT_STOP;
    post_owed(shell, item);
}

void shell_exit(struct shell *shell, int exit_code)
{
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->kind = SHELL_EXIT;
    item->exit_code = exit_code;
    post_owed(shell, item);
}

/* --- requests -------------------------------------------------------------------------------- */

uint64_t shell_next_call(struct shell *shell)
{
    return (uint64_t)atomic_fetch_add(&shell->last_call, 1) + 1;
}

static bool is_running(struct shell *shell)
{
    mutex_lock(shell->mutex);
    bool is_running = shell->is_started && !shell->is_over;
    mutex_unlock(shell->mutex);
    return is_running;
}

/* On the caller's thread, so that the core never waits for the host's user database. */
static void find_groups(struct shell *shell, struct shell_item *item)
{
    if (shell->settings.groups == NULL || slice_equal_string(item->event.user, "millrace"))
        return;
    item->groups = groups_find(shell->settings.groups, item->event.user);
    item->event.groups = group_list_names(item->groups, &item->event.groups_count);
}

static enum status post_request(struct shell *shell, struct shell_item *item)
{
    find_groups(shell, item);
    enum status status = is_running(shell) ? mailbox_post(shell->mailbox, item) : ERR_UNAVAILABLE;
    if (status != OK)
        shell_item_close(item);
    return status;
}

enum status shell_request_borrow(struct shell *shell,
                                 uint64_t call,
                                 enum method method,
                                 const void *message,
                                 struct slice user,
                                 struct slice peer,
                                 shell_answer_function *answer,
                                 void *answer_user)
{
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->event = (struct event){
        .kind = EVENT_REQUEST,
        .call = call,
        .method = method,
        .message = message,
        .user = user,
        .peer = peer,
    };
    item->answer = answer;
    item->answer_user = answer_user;
    return post_request(shell, item);
}

enum status shell_request(struct shell *shell,
                          enum method method,
                          const void *message,
                          struct slice user,
                          struct slice peer,
                          shell_answer_function *answer,
                          void *answer_user,
                          uint64_t *ret_call)
{
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->arena = arena_open(0);
    uint64_t call = shell_next_call(shell);
    item->event = (struct event){
        .kind = EVENT_REQUEST,
        .call = call,
        .method = method,
        .message = message_copy(method_info(method)->request, message, item->arena),
        .user = arena_copy(item->arena, user),
        .peer = arena_copy(item->arena, peer),
    };
    item->answer = answer;
    item->answer_user = answer_user;
    enum status status = post_request(shell, item);
    if (status == OK && ret_call != NULL)
        *ret_call = call;
    return status;
}

void shell_request_cancel(struct shell *shell, uint64_t call)
{
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->kind = SHELL_CANCEL;
    item->event.kind = EVENT_REQUEST_CANCELLED;
    item->event.call = call;
    post_owed(shell, item);
}

/* One caller of shell_ask and the answer; lives until both have let go, since either may be last.
 */
struct shell_question {
    struct mutex *mutex;
    struct condition *changed;
    unsigned holders;
    bool is_answered;
    enum status status;
    struct arena *arena; /* of text and message */
    struct slice text;
    void *message;
};

static struct shell_question *question_open(void)
{
    struct shell_question *question = MEM_NEW(struct shell_question);
    question->mutex = mutex_open();
    question->changed = condition_open();
    question->arena = arena_open(0);
    question->holders = 2;
    return question;
}

/* Called with the mutex held; the last holder frees. */
static void question_leave(struct shell_question *question)
{
    bool is_last = --question->holders == 0;
    mutex_unlock(question->mutex);
    if (!is_last)
        return;
    condition_close(question->changed);
    mutex_close(question->mutex);
    arena_close(question->arena);
    mem_free(question);
}

static void take_answer(void *user, const struct shell_answer *answer)
{
    struct shell_question *question = user;
    mutex_lock(question->mutex);
    question->is_answered = true;
    question->status = answer->status;
    question->text = arena_copy(question->arena, answer->text);
    if (answer->status == OK && answer->type != NULL)
        question->message = message_copy(answer->type, answer->message, question->arena);
    condition_broadcast(question->changed);
    question_leave(question);
}

/* Called with the mutex held: the answer's status, or ERR_DEADLINE. */
static enum status question_wait(struct shell_question *question,
                                 int64_t deadline_ms,
                                 struct error *reterr_error)
{
    bool in_time = true;
    while (!question->is_answered && in_time)
        in_time = condition_wait_until(question->changed, question->mutex, deadline_ms);
    if (!question->is_answered)
        return error_set(reterr_error, ERR_DEADLINE, "no answer in time");
    if (question->status != OK)
        return error_set(reterr_error, question->status, "%.*s", SLICE_ARGS(question->text));
    return OK;
}

enum status shell_pulse(struct shell *shell, int64_t deadline_ms, struct error *reterr_error)
{
    struct shell_question *question = question_open();
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->kind = SHELL_PULSE;
    item->answer = take_answer;
    item->answer_user = question;
    /* Owed: also when the mailbox is full it says whether the core gets through it. */
    enum status status =
        is_running(shell) ? mailbox_post_owed(shell->mailbox, item) : ERR_UNAVAILABLE;
    mutex_lock(question->mutex);
    if (status != OK) {
        shell_item_close(item);
        question->holders--; /* no answer will come */
        status = error_set(reterr_error, ERR_UNAVAILABLE, "the core does not run");
    } else {
        status = question_wait(question, deadline_ms, reterr_error);
    }
    question_leave(question);
    return status;
}

enum status shell_ask(struct shell *shell,
                      enum method method,
                      const void *message,
                      struct slice user,
                      struct slice peer,
                      int64_t deadline_ms,
                      struct arena *arena,
                      void **ret_message,
                      struct error *reterr_error)
{
    struct shell_question *question = question_open();
    uint64_t call = 0;
    enum status status =
        shell_request(shell, method, message, user, peer, take_answer, question, &call);
    mutex_lock(question->mutex);
    if (status != OK) {
        question->holders--; /* no answer will come */
        question_leave(question);
        return error_set(reterr_error, status, "%s", status_sentence(status));
    }
    status = question_wait(question, deadline_ms, reterr_error);
    if (!question->is_answered)
        shell_request_cancel(shell, call);
    else if (status == OK)
        *ret_message = message_copy(method_info(method)->response, question->message, arena);
    question_leave(question);
    return status;
}

/* --- what comes back ------------------------------------------------------------------------- */

void shell_effect_done(struct shell *shell,
                       uint64_t tag,
                       int effect,
                       enum status status,
                       struct slice text,
                       void *data,
                       shell_release *release)
{
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->arena = arena_open(0);
    item->event = (struct event){
        .kind = EVENT_EFFECT_DONE,
        .tag = tag,
        .effect = effect,
        .status = status,
        .text = arena_copy(item->arena, text),
        .data = data,
    };
    item->data = data;
    item->release = release;
    post_owed(shell, item);
}

void shell_local(struct shell *shell, int effect, void *data, shell_release *release)
{
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->event = (struct event){.kind = EVENT_LOCAL, .effect = effect, .data = data};
    item->data = data;
    item->release = release;
    post_owed(shell, item);
}

void shell_response(struct shell *shell,
                    uint64_t tag,
                    enum method method,
                    enum status status,
                    struct slice text,
                    const void *message)
{
    CHECK((status == OK) == (message != NULL));
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->arena = arena_open(0);
    item->event = (struct event){
        .kind = EVENT_RESPONSE,
        .tag = tag,
        .method = method,
        .status = status,
        .text = arena_copy(item->arena, text),
    };
    if (message != NULL)
        item->event.message = message_copy(method_info(method)->response, message, item->arena);
    post_owed(shell, item);
}

enum status shell_inspect(struct shell *shell,
                          void (*function)(void *user, const void *machine),
                          void *user)
{
    if (!is_running(shell))
        return ERR_UNAVAILABLE;
    struct shell_inspection inspection = {.function = function, .user = user};
    inspection.mutex = mutex_open();
    inspection.changed = condition_open();
    struct shell_item *item = MEM_NEW(struct shell_item);
    item->kind = SHELL_INSPECT;
    item->inspection = &inspection;
    enum status status = mailbox_post(shell->mailbox, item);
    if (status == OK) {
        mutex_lock(inspection.mutex);
        while (!inspection.is_over)
            condition_wait(inspection.changed, inspection.mutex);
        mutex_unlock(inspection.mutex);
        status = inspection.was_run ? OK : ERR_UNAVAILABLE;
    } else {
        shell_item_close(item);
    }
    condition_close(inspection.changed);
    mutex_close(inspection.mutex);
    return status;
}

struct shell_counters shell_counters_get(struct shell *shell)
{
    return (struct shell_counters){
        .events = atomic_load(&shell->events),
        .requests = atomic_load(&shell->requests),
        .rounds = atomic_load(&shell->rounds),
        .journal_batches = atomic_load(&shell->journal_batches),
        .journal_syncs = atomic_load(&shell->journal_syncs),
        .journal_bytes = atomic_load(&shell->journal_bytes),
        .checkpoints = atomic_load(&shell->checkpoints),
        .checkpoint_failures = atomic_load(&shell->checkpoint_failures),
        .checkpoint_sequence = atomic_load(&shell->checkpoint_sequence),
        .checkpoint_bytes = atomic_load(&shell->checkpoint_bytes),
        .checkpoint_ms = atomic_load(&shell->checkpoint_ms),
        .journal_directories = atomic_load(&shell->journal_directories),
        .is_read_only = atomic_load(&shell->shows_read_only),
        .requests_open = atomic_load(&shell->requests_open),
        .mailbox_count = mailbox_count(shell->mailbox),
        .step_us_max = atomic_load(&shell->step_us_max),
    };
}
