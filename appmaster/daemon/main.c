/*
 * main.c - mr-appmaster: the shell around one job's machine.
 * It runs in a container; its folder is the container's working folder.
 */
#include <string.h>

#include "appmaster/core/appmaster.h"
#include "appmaster/daemon/job.h"
#include "appmaster/daemon/journal.h"
#include "dfs/client/dfs.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/log.h"
#include "lib/daemon/settings.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/model/limits.h"
#include "lib/os/host.h"
#include "lib/wire/wire.h"

struct master {
    struct daemon *daemon;
    struct arena *arena; /* of what the machine's settings point to */
    struct appmaster_settings settings;
    struct dfs *dfs;
    struct master_journal journal; /* used by one worker at a time */
};

/* Something for a worker thread to write or read. */
struct file_work {
    struct master *master;
    struct shell *shell;
    uint64_t tag;
    struct buf bytes;
};

/* What a reading gave. */
struct journal_records {
    struct am_master_journal journal; /* first: the core is given this */
    struct arena *arena;
};

static const struct setting master_settings[] = {
    {"appmaster.worker_idle",     SETTING_MS, "1s",    "an idle container is given back after so long",     0,
     0                                                                                                          },
    {"appmaster.worker_start",    SETTING_MS, "30s",   "from a container's start to its first call",        0,
     0                                                                                                          },
    {"appmaster.report_interval", SETTING_MS, "1s",    "between the reports of a task",                     0, 0},
    {"appmaster.starve",          SETTING_MS, "2s",    "a map that waits so long takes a reduce's place",   0, 0},
    {"appmaster.give_up",         SETTING_MS, "10m",   "the namenode is silent for so long: the job fails", 0,
     0                                                                                                          },
    {"appmaster.journal_after",   SETTING_MS, "200ms",
     "a younger job writes no journal; the least pause between two writes",                                 0, 0},
};

MACHINE_DOOR(appmaster);

/* --- history
 * -------------------------------------------------------------------------------------- */
static void history_write(void *argument)
{
    struct file_work *work = argument;
    struct master *master = work->master;
    struct dfs_create_options options = {
        .permission = 0644, .overwrite = true, .create_parents = true};
    struct error error = {0};
    enum status status = dfs_write_file(master->dfs, master->settings.history_path,
                                        buf_slice(&work->bytes), &options, NULL, &error);
    if (status != OK)
        log_event(daemon_log(master->daemon), LOG_LEVEL_WARN, "history_not_written",
                  log_slice("path", master->settings.history_path), log_text("error", error.text));
    shell_effect_done(work->shell, work->tag, APPMASTER_WRITE_HISTORY, status,
                      slice_from_string(error.text), NULL, NULL);
    buf_close(&work->bytes);
    mem_free(work);
}

/* --- journal
 * -------------------------------------------------------------------------------------- */
static void journal_append(void *argument)
{
    struct file_work *work = argument;
    struct master *master = work->master;
    struct error error = {0};
    enum status status = master_journal_append(&master->journal, buf_slice(&work->bytes), &error);
    if (status != OK)
        log_event(daemon_log(master->daemon), LOG_LEVEL_WARN, "journal_not_written",
                  log_text("error", error.text));
    shell_effect_done(work->shell, work->tag, APPMASTER_APPEND_JOURNAL, status,
                      slice_from_string(error.text), NULL, NULL);
    buf_close(&work->bytes);
    mem_free(work);
}

static void records_free(void *data)
{
    struct journal_records *records = data;
    arena_close(records->arena);
    mem_free(records);
}

static void journal_read(void *argument)
{
    struct file_work *work = argument;
    struct master *master = work->master;
    struct error error = {0};
    struct journal_records *records = MEM_NEW(struct journal_records);
    records->arena = arena_open(0);
    enum status status =
        master_journal_read(&master->journal, records->arena, &records->journal, &error);
    if (status != OK)
        log_event(daemon_log(master->daemon), LOG_LEVEL_WARN, "journal_not_read",
                  log_text("error", error.text));
    shell_effect_done(work->shell, work->tag, APPMASTER_READ_JOURNAL, status,
                      slice_from_string(error.text), records, records_free);
    buf_close(&work->bytes);
    mem_free(work);
}

/* --- all of them
 * -------------------------------------------------------------------------------------- */
static void on_effect(void *state, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    static const struct {
        const struct message_type *type; /* of data; NULL: none */
        void (*perform)(void *work);
    } effects[APPMASTER_EFFECT_COUNT] = {
        [APPMASTER_WRITE_HISTORY] = {&am_job_history_type,    history_write },
        [APPMASTER_APPEND_JOURNAL] = {&am_master_journal_type, journal_append},
        [APPMASTER_READ_JOURNAL] = {NULL,                    journal_read  },
    };
    struct master *master = state;
    struct error error = {0};
    struct file_work *work = MEM_NEW(struct file_work);
    *work = (struct file_work){.master = master, .shell = shell, .tag = tag};
    buf_open(&work->bytes, LIMIT_MESSAGE_BYTES);
    enum status status = OK;
    if (effects[effect].type)
        status = wire_pack(effects[effect].type, data, &work->bytes, &error);
    if (status == OK) {
        workers_post(daemon_workers(master->daemon), effects[effect].perform, work);
        return;
    }
    shell_effect_done(shell, tag, effect, status, slice_from_string(error.text), NULL, NULL);
    buf_close(&work->bytes);
    mem_free(work);
}

/* --- open and close
 * --------------------------------------------------------------------------------- */
static void master_close(void *state)
{
    struct master *master = state;
    if (!master)
        return;
    dfs_close(master->dfs);
    arena_close(master->arena);
    mem_free(master);
}

static enum status dfs_start(struct master *master, struct error *reterr_error)
{
    struct dfs_settings settings = {
        .namenode_address = (const char *)master->settings.namenode_address.data,
        .token = (const char *)master->settings.credential.data,
        .host = daemon_host(master->daemon),
    };
    return dfs_open(&settings, &master->dfs, reterr_error);
}

static void settings_take(struct master *master)
{
    const struct settings *from = daemon_settings(master->daemon);
    struct appmaster_settings *to = &master->settings;
    to->self_address = slice_from_string(daemon_rpc_address(master->daemon));
    to->worker_idle_ms = settings_ms(from, "appmaster.worker_idle");
    to->worker_start_ms = settings_ms(from, "appmaster.worker_start");
    to->report_interval_ms = settings_ms(from, "appmaster.report_interval");
    to->starve_ms = settings_ms(from, "appmaster.starve");
    to->give_up_ms = settings_ms(from, "appmaster.give_up");
    to->journal_after_ms = settings_ms(from, "appmaster.journal_after");
}

static enum status on_open(struct daemon *daemon,
                           void **ret_state,
                           void **ret_machine,
                           struct error *reterr_error)
{
    struct master *master = MEM_NEW(struct master);
    struct appmaster *machine = NULL;
    master->daemon = daemon;
    master->arena = arena_open(0);
    enum status status =
        job_read(daemon_directory(daemon), master->arena, &master->settings, reterr_error);
    if (status == OK)
        status = dfs_start(master, reterr_error);
    if (status == OK) {
        settings_take(master);
        master->journal = (struct master_journal){.dfs = master->dfs,
                                                  .staging = master->settings.job.staging,
                                                  .app_attempt = master->settings.app_attempt};
        status = appmaster_open(&master->settings, host_random_u64(), &machine);
        if (status != OK)
            status =
                error_set(reterr_error, status,
                          "the job's description is not complete: it needs an input, an output "
                          "and at most 100000 reduces");
    }
    if (status != OK) {
        master_close(master);
        return status;
    }
    *ret_state = master;
    *ret_machine = machine;
    return OK;
}

/* The job's calls are its user's: what the user may not read or write, the job may not, either. */
static struct slice on_call_token(void *state, struct arena *arena)
{
    const struct master *master = state;
    (void)arena;
    return master->settings.credential;
}

/*
 * A container is started with the program's name alone: its folder, the cluster's and its place
 * come from the environment of the container.
 */
static int container_arguments(struct arena *arena, char **argv, char **ret_argv, int room)
{
    static char names[][2][24] = {
        {"MILLRACE_WORK_DIR", "daemon.dir=" },
        {"MILLRACE_DIR",      "cluster.dir="},
        {"MILLRACE_HOST",     "daemon.host="},
        {"MILLRACE_RACK",     "daemon.rack="},
    };
    static char set[] = "--set";
    int count = 0;
    ret_argv[count++] = argv[0];
    for (size_t i = 0; i < sizeof names / sizeof names[0] && count + 2 < room; i++) {
        const char *value = host_environment(names[i][0]);
        if (!value)
            continue;
        size_t prefix = strlen(names[i][1]);
        char *assignment = arena_new(arena, prefix + strlen(value) + 1);
        memcpy(assignment, names[i][1], prefix);
        memcpy(assignment + prefix, value, strlen(value));
        ret_argv[count++] = set;
        ret_argv[count++] = assignment;
    }
    ret_argv[count] = NULL;
    return count;
}

int main(int argc, char **argv)
{
    static const char *const services[] = {"Umbilical", "Job", NULL};
    static const struct daemon_definition definition = {
        .name = "appmaster",
        .purpose = "runs one job: its tasks, their attempts, and the commit of its output",
        .door = &appmaster_door,
        .is_transient = true,
        .settings = master_settings,
        .settings_count = sizeof master_settings / sizeof master_settings[0],
        .services = services,
        .open = on_open,
        .effect = on_effect,
        .call_token = on_call_token,
        .close = master_close,
    };

    enum {
        ARGUMENTS_MAX = 16
    };

    char *arguments[ARGUMENTS_MAX];
    struct arena *arena = arena_open(0);
    bool is_container = argc == 1;
    if (is_container)
        argc = container_arguments(arena, argv, arguments, ARGUMENTS_MAX);
    int exit_code = daemon_main(argc, is_container ? arguments : argv, &definition);
    arena_close(arena);
    return exit_code;
}
