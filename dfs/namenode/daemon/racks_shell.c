/*
 * racks_shell.c - see racks_shell.h. The script is started with the host as its one argument; the
 * first word of its output is the rack. It has SCRIPT_MS; one that takes longer is killed with its
 * group.
 */
#include "dfs/namenode/daemon/racks_shell.h"

#include "dfs/namenode/core/namenode.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/log.h"
#include "lib/daemon/settings.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"
#include "lib/os/process.h"

enum {
    TABLE_BYTES_MAX = 64 * 1024 * 1024,
    OUTPUT_BYTES_MAX = 64 * 1024,
    SCRIPT_MS = 10000,
    POLL_MS = 5,
};

/* One effect. It begins with its answer: the machine gets a pointer to both. */
struct question {
    union {
        struct namenode_rack_text text;
        struct namenode_rack_answer answer;
    };
    struct daemon *daemon;
    struct shell *shell;
    struct arena *arena;
    uint64_t tag;
    int effect;
    struct slice host;
    struct buf output;
};

static void question_close(void *data)
{
    struct question *question = data;
    buf_close(&question->output);
    arena_close(question->arena);
    mem_free(question);
}

enum status racks_shell_load(const struct daemon *daemon,
                             struct namenode *namenode,
                             struct error *reterr_error)
{
    const char *path = settings_string(daemon_settings(daemon), "dfs.rack_table");
    if (path[0] == '\0') {
        return OK;
    }
    struct buf text;
    buf_open(&text, TABLE_BYTES_MAX);
    enum status status = file_read_whole(path, &text, reterr_error);
    if (status == OK) {
        status = namenode_load_racks(namenode, buf_slice(&text), reterr_error);
        if (status != OK) {
            status = error_prefix(reterr_error, status, "rack table %s", path);
        }
    }
    buf_close(&text);
    return status;
}

static enum status read_table(struct question *question, struct error *reterr_error)
{
    const char *path = settings_string(daemon_settings(question->daemon), "dfs.rack_table");
    buf_open(&question->output, TABLE_BYTES_MAX);
    enum status status = file_read_whole(path, &question->output, reterr_error);
    question->text.text = buf_slice(&question->output);
    return status;
}

/* --- the script ---------------------------------------------------------------------- */

static enum status wait_for_script(int64_t pid, struct error *reterr_error)
{
    int64_t end_ms = clock_monotonic_ms() + SCRIPT_MS;
    struct process_exit ended = {0};
    bool has_ended = false;
    while (!has_ended) {
        enum status status = process_poll(pid, &has_ended, &ended, reterr_error);
        if (status != OK) {
            return status;
        }
        if (!has_ended && clock_monotonic_ms() >= end_ms) {
            /* Gone in between is fine; process_wait reaps it either way. */
            status_ignore(process_signal_group(pid, PROCESS_KILL));
            status_ignore(process_wait(pid, &ended, NULL));
            return error_set(reterr_error, ERR_DEADLINE, "killed after %d ms", (int)SCRIPT_MS);
        }
        if (!has_ended) {
            clock_sleep_until_ms(clock_monotonic_ms() + POLL_MS);
        }
    }
    if (ended.by_signal || ended.code != 0) {
        return error_set(reterr_error, ERR_IO, "ended with exit code %d", process_exit_code(ended));
    }
    return OK;
}

static struct slice first_word(struct slice text)
{
    size_t from = 0;
    while (from < text.length && (text.data[from] == ' ' || text.data[from] == '\n')) {
        from++;
    }
    size_t to = from;
    while (to < text.length && text.data[to] > ' ') {
        to++;
    }
    return slice_sub(text, from, to - from);
}

static enum status run_script(struct question *question,
                              const char *script,
                              const char *output,
                              struct error *reterr_error)
{
    const char *host = (const char *)arena_copy(question->arena, question->host).data;
    const char *const arguments[] = {script, host, NULL};
    const struct process_spec spec = {
        .arguments = arguments, .stdout_path = output, .own_group = true};
    int64_t pid = 0;
    enum status status = process_spawn(&spec, &pid, reterr_error);
    if (status == OK) {
        status = wait_for_script(pid, reterr_error);
    }
    buf_open(&question->output, OUTPUT_BYTES_MAX);
    if (status == OK) {
        status = file_read_whole(output, &question->output, reterr_error);
    }
    return status;
}

static enum status ask_script(struct question *question, struct error *reterr_error)
{
    const char *script = settings_string(daemon_settings(question->daemon), "dfs.rack_script");
    /* No two questions alive have one address. */
    struct slice output = arena_format(question->arena, "%s/rack.%p.out",
                                       daemon_directory(question->daemon), (void *)question);
    const char *path = (const char *)output.data;
    enum status status = run_script(question, script, path, reterr_error);
    status_ignore(file_remove(path, NULL)); /* it may not have come to be */
    question->answer.rack = first_word(buf_slice(&question->output));
    if (status == OK && question->answer.rack.length == 0) {
        status = error_set(reterr_error, ERR_INVALID, "it printed no rack");
    }
    if (status != OK) {
        status = error_prefix(reterr_error, status, "%s %.*s", script, SLICE_ARGS(question->host));
    }
    return status;
}

/* --- effects ------------------------------------------------------------------------- */

static void answer_question(void *argument)
{
    struct question *question = argument;
    struct shell *shell = question->shell;
    struct error error = {0};
    bool is_table = question->effect == NAMENODE_EFFECT_READ_RACKS;
    enum status status = is_table ? read_table(question, &error) : ask_script(question, &error);
    if (status != OK) {
        struct log_field why = log_text("why", error.text);
        log_write(daemon_log(question->daemon), LOG_LEVEL_WARN, "racks_unknown", &why, 1);
    }
    shell_effect_done(shell, question->tag, question->effect, status, slice_from_string(error.text),
                      question, question_close);
}

void racks_shell_effect(
    struct daemon *daemon, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    struct question *question = MEM_NEW(struct question);
    question->daemon = daemon;
    question->shell = shell;
    question->arena = arena_open(0);
    question->tag = tag;
    question->effect = effect;
    if (effect == NAMENODE_EFFECT_ASK_RACK) {
        const struct namenode_rack_question *asked = data;
        question->host = arena_copy(question->arena, asked->host);
        question->answer.host = question->host;
    }
    workers_post(daemon_workers(daemon), answer_question, question);
}
