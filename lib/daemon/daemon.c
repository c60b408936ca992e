/*
 * daemon.c - a daemon's life: every part opened in order, and closed in the opposite one.
 */
#include "lib/daemon/daemon.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "lib/daemon/caller.h"
#include "lib/daemon/daemon_private.h"
#include "lib/daemon/groups.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/serve.h"
#include "lib/daemon/workers.h"
#include "lib/journal/journal.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/launcher.h"
#include "lib/os/process.h"
#include "lib/os/signals.h"
#include "lib/os/thread.h"

enum {
    SERVE_GRACE_MS = 1000 /* every open call was answered by then; this is for the last bytes */
};

/* --- what the definition may use ------------------------------------------------------------- */

const struct settings *daemon_settings(const struct daemon *daemon)
{
    return daemon->settings;
}

struct log *daemon_log(const struct daemon *daemon)
{
    return daemon->log;
}

struct shell *daemon_shell(const struct daemon *daemon)
{
    return daemon->shell;
}

struct launcher *daemon_launcher(const struct daemon *daemon)
{
    return daemon->launcher;
}

struct workers *daemon_workers(const struct daemon *daemon)
{
    return daemon->workers;
}

struct rpc_client *daemon_rpc_client(const struct daemon *daemon)
{
    return daemon->client;
}

struct groups *daemon_groups(const struct daemon *daemon)
{
    return daemon->groups;
}

const char *daemon_directory(const struct daemon *daemon)
{
    return daemon->directory;
}

const char *daemon_cluster_directory(const struct daemon *daemon)
{
    return daemon->cluster_directory;
}

const char *daemon_rpc_address(const struct daemon *daemon)
{
    return daemon->addresses.rpc_address;
}

/* The port of "host:port"; 0 when there is none. */
static uint16_t port_of(const char *address)
{
    struct net_address parsed;
    if (address[0] == '\0' || net_address_parse(address, &parsed, NULL) != OK)
        return 0;
    return parsed.port;
}

uint16_t daemon_http_port(const struct daemon *daemon)
{
    uint64_t port = settings_u64(daemon->settings, "daemon.http_port");
    return port > 0 ? (uint16_t)port : port_of(daemon->last.http_address);
}

static const char *keep_string(struct daemon *daemon, const char *text)
{
    return (const char *)arena_copy(daemon->arena, slice_from_string(text)).data;
}

void daemon_set_http_address(struct daemon *daemon, const char *address)
{
    daemon->addresses.http_address = keep_string(daemon, address);
}

void daemon_set_fd_socket(struct daemon *daemon, const char *path)
{
    daemon->addresses.fd_socket = keep_string(daemon, path);
}

uint64_t daemon_node_id(const struct daemon *daemon)
{
    return daemon->node_id;
}

uint64_t daemon_incarnation(const struct daemon *daemon)
{
    return daemon->incarnation;
}

const char *daemon_host(const struct daemon *daemon)
{
    return daemon->host;
}

const char *daemon_rack(const struct daemon *daemon)
{
    return settings_string(daemon->settings, "daemon.rack");
}

const struct token_secret *daemon_secret(const struct daemon *daemon)
{
    return &daemon->secret;
}

enum status daemon_start_launcher(struct daemon *daemon,
                                  const struct launcher_host *host,
                                  struct error *reterr_error)
{
    CHECK(daemon->launcher != NULL);
    return launcher_start(daemon->launcher, host, reterr_error);
}

/* --- before any thread ----------------------------------------------------------------------- */

/* "point:nth:repeat" of the setting daemon.fault. */
static enum status arm_fault(const struct daemon *daemon, struct error *reterr_error)
{
    const char *text = settings_string(daemon->settings, "daemon.fault");
    if (text[0] == '\0')
        return OK;
    struct slice rest = slice_from_string(text);
    size_t name_length = slice_find(rest, ':');
    char name[64];
    (void)snprintf(name, sizeof(name), "%.*s", (int)name_length, text);
    enum fault_point point = FAULT_MEM;
    uint64_t nth = 0;
    uint64_t repeat = 0;
    if (name_length < rest.length && fault_from_name(name, &point) == OK) {
        rest = slice_sub(rest, name_length + 1, rest.length - name_length - 1);
        size_t nth_length = slice_find(rest, ':');
        if (nth_length < rest.length && slice_parse_u64(slice_sub(rest, 0, nth_length), &nth) &&
            slice_parse_u64(slice_sub(rest, nth_length + 1, rest.length - nth_length - 1),
                            &repeat) &&
            nth > 0) {
            fault_arm(point, nth, repeat);
            return OK;
        }
    }
    return error_set(reterr_error, ERR_INVALID,
                     "daemon.fault: \"%s\" is not point:nth:repeat, like file_sync:3:1", text);
}

static enum status open_log(struct daemon *daemon, struct error *reterr_error)
{
    enum log_level level = LOG_LEVEL_INFO;
    enum status status =
        log_level_from_name(settings_string(daemon->settings, "log.level"), &level, reterr_error);
    if (status != OK)
        return status;
    const char *path = settings_string(daemon->settings, "log.file");
    return log_open(path[0] != '\0' ? path_join(daemon->arena, daemon->directory, path) : NULL,
                    daemon->definition->name, level, &daemon->log, reterr_error);
}

/* Folder, lock, log, launcher, identity, secret: while there is one thread. */
static enum status open_ground(struct daemon *daemon, struct error *reterr_error)
{
    /* What is promised on the files in them is worth no more than the names that lead there. */
    enum status status = daemon->definition->is_transient
                             ? directory_make_all(daemon->directory, 0755, reterr_error)
                             : directory_make_durable(daemon->directory, 0755, reterr_error);
    if (status == OK)
        status = directory_make_all(daemon->cluster_directory, 0755, reterr_error);
    if (status == OK)
        status =
            file_lock_open((const char *)arena_format(daemon->arena, "%s/%s.lock",
                                                      daemon->directory, daemon->definition->name)
                               .data,
                           &daemon->lock, reterr_error);
    if (status == OK)
        status = open_log(daemon, reterr_error);
    if (status == OK && daemon->definition->has_launcher)
        status = launcher_open(&daemon->launcher, reterr_error);
    if (status == OK)
        status = daemon_identify(daemon, reterr_error);
    if (status == OK)
        status = token_secret_load_or_create(
            cluster_secret_path(daemon->arena, daemon->cluster_directory), &daemon->secret,
            reterr_error);
    /* After the ground: a drill is about what a running daemon does. */
    if (status == OK)
        status = arm_fault(daemon, reterr_error);
    return status;
}

/* --- the net --------------------------------------------------------------------------------- */

static void write_net_log(void *user, enum net_log_level level, const char *text)
{
    log_event(user, level == NET_LOG_ERROR ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "net",
              log_text("text", text));
}

static struct slice take_token(void *user, struct arena *arena)
{
    struct daemon *daemon = user;
    if (daemon->definition->call_token)
        return daemon->definition->call_token(daemon->state, arena);
    return daemon_token(daemon, arena);
}

static void perform_effect(
    void *user, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    struct daemon *daemon = user;
    CHECK(daemon->definition->effect != NULL);
    daemon->definition->effect(daemon->state, shell, tag, effect, data);
}

static void perform_call(void *user,
                         struct shell *shell,
                         uint64_t tag,
                         struct slice address,
                         enum method method,
                         const void *message,
                         int64_t timeout_ms)
{
    struct daemon *daemon = user;
    struct arena *arena = arena_open(0);
    struct error error = {.status = OK};
    enum status status = OK;
    if (slice_equal_string(address, "rm") || slice_equal_string(address, "namenode")) {
        /* A role is found anew at each call: it may come back elsewhere. */
        const char *found = NULL;
        status = daemon_find(daemon, (const char *)arena_copy(arena, address).data, arena, &found,
                             &error);
        address = slice_from_string(found);
    }
    if (status == OK)
        caller_call(daemon->caller, shell, tag, address, method, message, timeout_ms);
    else
        shell_response(shell, tag, method, status, slice_from_string(error.text), NULL);
    arena_close(arena);
}

static void perform_cancel(void *user, struct shell *shell, uint64_t tag)
{
    struct daemon *daemon = user;
    (void)shell;
    caller_cancel(daemon->caller, tag);
}

static enum status open_twin(void *user, void **ret_machine, struct error *reterr_error)
{
    struct daemon *daemon = user;
    return daemon->definition->open_twin(daemon, daemon->state, ret_machine, reterr_error);
}

static bool may_checkpoint(void *user, const void *machine, const struct event *event)
{
    struct daemon *daemon = user;
    return daemon->definition->may_checkpoint(daemon->state, machine, event);
}

static bool needs_room(void *user, enum method method)
{
    struct daemon *daemon = user;
    return daemon->definition->needs_room(daemon->state, method);
}

/* The folders of the setting journal.dirs, made where they are missing; count 0: none is given. */
static enum status journal_directories(struct daemon *daemon,
                                       const char **directories,
                                       size_t *ret_count,
                                       struct error *reterr_error)
{
    struct slice rest = slice_from_string(settings_string(daemon->settings, "journal.dirs"));
    size_t count = 0;
    while (rest.length > 0) {
        size_t length = slice_find(rest, ',');
        struct slice part = slice_sub(rest, 0, length);
        size_t taken = length < rest.length ? length + 1 : length;
        rest = slice_sub(rest, taken, rest.length - taken);
        if (part.length == 0 || count == JOURNAL_DIRECTORIES_MAX)
            return error_set(reterr_error, ERR_INVALID,
                             "journal.dirs: from 1 to %d folders, a comma between",
                             (int)JOURNAL_DIRECTORIES_MAX);
        const char *path = (const char *)arena_copy(daemon->arena, part).data;
        enum status status = path_absolute(daemon->arena, path, &path, reterr_error);
        if (status != OK)
            return status;
        /* One that cannot be made is a failing one, which the journal tells and goes on without. */
        status_ignore(directory_make_durable(path, 0700, NULL));
        directories[count++] = path;
    }
    *ret_count = count;
    return OK;
}

static enum status open_shell(struct daemon *daemon, struct error *reterr_error)
{
    const struct settings *settings = daemon->settings;
    struct groups_options groups = {.keep_ms = settings_ms(settings, "daemon.groups_keep")};
    daemon->groups = groups_open(&groups);
    const struct daemon_definition *definition = daemon->definition;
    bool has_journal = definition->door->snapshot != NULL;
    const char **folders = ARENA_ARRAY(daemon->arena, const char *, JOURNAL_DIRECTORIES_MAX);
    size_t folder_count = 0;
    enum status status = journal_directories(daemon, folders, &folder_count, reterr_error);
    if (status != OK)
        return status;
    if (folder_count == 0)
        folders[folder_count++] = daemon->directory;
    struct shell_settings shell_settings = {
        .door = daemon->definition->door,
        .host = {.user = daemon,
                 .effect = perform_effect,
                 .call = perform_call,
                 .cancel = perform_cancel                                             },
        .log = daemon->log,
        .groups = daemon->groups,
        .journal_directory = has_journal ? folders[0] : NULL,
        .journal_name = daemon->definition->name,
        .journal_reserve_bytes = settings_bytes(settings, "journal.reserve_bytes"),
        .journal_mirrors = folders + 1,
        .journal_mirror_count = folder_count - 1,
        .is_tally_ignored = !settings_bool(settings, "journal.check_tally"),
        .checkpoints = { .log_bytes = settings_bytes(settings, "journal.checkpoint_bytes"),
                 .interval_ms = settings_ms(settings, "journal.checkpoint_interval"),
                 .open_twin = definition->open_twin != NULL ? open_twin : NULL,
                 .has_method = definition->has_checkpoint_method,
                 .method = definition->checkpoint_method,
                 .may_ask = definition->may_checkpoint != NULL ? may_checkpoint : NULL},
        .needs_room = definition->needs_room != NULL ? needs_room : NULL,
        .check_every_step = settings_bool(settings, "daemon.check"),
        .trace = settings_bool(settings, "daemon.trace"),
    };
    return shell_open(&shell_settings, &daemon->shell, reterr_error);
}

static bool may_call(void *user, enum method method, struct slice caller)
{
    struct daemon *daemon = user;
    return daemon->definition->may_call == NULL ||
           daemon->definition->may_call(daemon->state, method, caller);
}

/* Listens on port, or on any when it is only a wish and somebody else has it now. */
static enum status open_serve(struct daemon *daemon, struct error *reterr_error)
{
    uint64_t fixed = settings_u64(daemon->settings, "daemon.rpc_port");
    uint16_t port = fixed > 0 ? (uint16_t)fixed : port_of(daemon->last.rpc_address);
    struct serve_options options = {
        .threads = (unsigned)settings_u64(daemon->settings, "daemon.rpc_threads"),
        .services = daemon->definition->services,
        .secret = &daemon->secret,
        .shell = daemon->shell,
        .log = daemon->log,
        .calls = daemon->calls,
        .may_call = may_call,
        .user = daemon,
    };
    options.address = (const char *)arena_format(daemon->arena, "127.0.0.1:%u", port).data;
    enum status status = serve_open(&options, &daemon->serve, reterr_error);
    if (status == ERR_BUSY && fixed == 0 && port != 0) {
        options.address = "127.0.0.1:0";
        status = serve_open(&options, &daemon->serve, reterr_error);
    }
    if (status == OK)
        daemon->addresses.rpc_address =
            (const char *)arena_format(daemon->arena, "127.0.0.1:%u", serve_port(daemon->serve))
                .data;
    return status;
}

static enum status open_net(struct daemon *daemon, struct error *reterr_error)
{
    struct net_log net_log = {.write = write_net_log, .user = daemon->log};
    enum status status = net_open(&net_log, reterr_error);
    daemon->is_net_open = status == OK;
    if (status == OK)
        status = rpc_client_open(NULL, &daemon->client, reterr_error);
    if (status != OK)
        return status;
    daemon->caller = caller_open(daemon->client, take_token, daemon);
    status =
        workers_open(daemon->definition->name, settings_u64(daemon->settings, "daemon.workers"),
                     &daemon->workers, reterr_error);
    if (status == OK)
        status = open_shell(daemon, reterr_error);
    if (status == OK)
        status = open_serve(daemon, reterr_error);
    return status;
}

/* --- the machine ----------------------------------------------------------------------------- */

static enum status open_machine(struct daemon *daemon, struct error *reterr_error)
{
    const struct daemon_definition *definition = daemon->definition;
    void *machine = NULL;
    enum status status = definition->open(daemon, &daemon->state, &machine, reterr_error);
    if (status != OK)
        return status;
    daemon->has_state = true;
    status = shell_attach(daemon->shell, machine, reterr_error);
    if (status != OK) {
        definition->door->close(machine);
        return status;
    }
    if (definition->start != NULL)
        status = definition->start(daemon->state, reterr_error);
    if (status == OK)
        status = shell_start(daemon->shell, reterr_error);
    return status;
}

static enum status open_credentials(struct daemon *daemon, struct error *reterr_error)
{
    if (!daemon->definition->issues_tokens)
        return OK;
    const char *path = NULL;
    enum status status =
        daemon_socket_path(daemon, "credential", daemon->arena, &path, reterr_error);
    if (status != OK)
        return status;
    struct credential_server_options options = {
        .path = path,
        .secret = &daemon->secret,
        .audience = CLUSTER_AUDIENCE,
        .lifetime_ms = settings_ms(daemon->settings, "daemon.token_lifetime"),
    };
    status = credential_server_open(&options, &daemon->credentials, reterr_error);
    if (status == OK)
        daemon->addresses.credential_socket = path;
    return status;
}

static enum status announce(struct daemon *daemon, struct error *reterr_error)
{
    enum status status = OK;
    if (!daemon->definition->is_transient)
        status = cluster_address_save(daemon->directory, &daemon->addresses, reterr_error);
    if (status == OK)
        log_event(
            daemon->log, LOG_LEVEL_INFO, "serving", log_text("rpc", daemon->addresses.rpc_address),
            log_text("http", daemon->addresses.http_address),
            log_text("directory", daemon->directory), log_unsigned("node_id", daemon->node_id),
            log_unsigned("incarnation", daemon->incarnation), log_number("pid", process_self()));
    return status;
}

/* --- running and ending ---------------------------------------------------------------------- */

static void log_counters(struct daemon *daemon)
{
    struct shell_counters counters = shell_counters_get(daemon->shell);
    log_event(daemon->log, LOG_LEVEL_INFO, "counters", log_unsigned("events", counters.events),
              log_unsigned("requests", counters.requests),
              log_unsigned("requests_open", counters.requests_open),
              log_unsigned("rounds", counters.rounds),
              log_unsigned("journal_batches", counters.journal_batches),
              log_unsigned("journal_syncs", counters.journal_syncs),
              log_unsigned("checkpoints", counters.checkpoints),
              log_unsigned("mailbox", counters.mailbox_count),
              log_unsigned("step_us_max", counters.step_us_max));
}

/* On the signals' own thread, so it may wait for the machine's end. */
static void take_signal(void *user, enum signal_kind kind)
{
    struct daemon *daemon = user;
    int exit_code = 0;
    int64_t deadline_ms = clock_monotonic_ms() + settings_ms(daemon->settings, "daemon.stop_ms");
    switch (kind) {
    case SIGNAL_STOP:
        log_write(daemon->log, LOG_LEVEL_INFO, "stopping", NULL, 0);
        shell_stop(daemon->shell);
        if (!shell_wait(daemon->shell, deadline_ms, &exit_code))
            shell_exit(daemon->shell, EXIT_STOP_TIMEOUT);
        break;
    case SIGNAL_RELOAD:
        if (log_reopen(daemon->log, NULL) != OK)
            log_write(daemon->log, LOG_LEVEL_WARN, "log_not_reopened", NULL, 0);
        break;
    case SIGNAL_REPORT:
        log_counters(daemon);
        break;
    }
}

/* All that was opened, also after a failure half-way. */
static void close_all(struct daemon *daemon)
{
    const struct daemon_definition *definition = daemon->definition;
    int exit_code = 0;
    signal_watcher_close(daemon->signals);
    if (daemon->shell != NULL && daemon->has_state) {
        /* After a failed start the core thread may still run; nothing below may meet it. */
        shell_exit(daemon->shell, EXIT_FAILED);
        if (shell_is_started(daemon->shell))
            (void)shell_wait(daemon->shell, INT64_MAX, &exit_code);
        if (definition->stop != NULL)
            definition->stop(daemon->state);
    }
    credential_server_close(daemon->credentials);
    serve_close(daemon->serve, SERVE_GRACE_MS);
    rpc_client_close(daemon->client);
    caller_close(daemon->caller);
    workers_close(daemon->workers);
    launcher_close(daemon->launcher);
    shell_close(daemon->shell);
    groups_close(daemon->groups);
    metrics_calls_close(daemon->calls);
    if (daemon->has_state && definition->close != NULL)
        definition->close(daemon->state);
    if (daemon->is_net_open)
        net_close();
    token_secret_close(&daemon->secret);
    mutex_close(daemon->token_mutex);
    settings_close(daemon->settings);
    log_close(daemon->log);
    file_lock_close(daemon->lock);
    arena_close(daemon->arena);
    mem_free(daemon);
}

static int exit_code_of(enum status status)
{
    if (status == ERR_INVALID) /* a value that only its user could judge */
        return EXIT_USAGE;
    if (status == ERR_BUSY)
        return EXIT_BUSY;
    if (status == ERR_CORRUPT || status == ERR_UNSUPPORTED)
        return EXIT_CORRUPT;
    return EXIT_FAILED;
}

static int print_settings(const struct daemon *daemon, enum daemon_request request)
{
    struct buf text;
    buf_open(&text, 0);
    enum status status = request == DAEMON_PRINT_SETTINGS
                             ? settings_print(daemon->settings, &text)
                             : settings_print_json(daemon->settings, &text);
    bool is_written = status == OK && fputs(buf_string(&text), stdout) >= 0 && fflush(stdout) == 0;
    buf_close(&text);
    return is_written ? EXIT_STOPPED : EXIT_FAILED;
}

static int run(struct daemon *daemon)
{
    struct error error = {.status = OK};
    enum status status = open_ground(daemon, &error);
    if (status == OK)
        status = open_net(daemon, &error);
    if (status == OK)
        status = open_machine(daemon, &error);
    if (status == OK)
        status = open_credentials(daemon, &error);
    if (status == OK)
        status = announce(daemon, &error);
    if (status == OK)
        status = signal_watcher_open(take_signal, daemon, &daemon->signals, &error);
    int exit_code = EXIT_FAILED;
    if (status == OK) {
        CHECK(shell_wait(daemon->shell, INT64_MAX, &exit_code));
        log_event(daemon->log, exit_code == EXIT_STOPPED ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
                  "stopped", log_number("exit_code", exit_code));
        return exit_code;
    }
    exit_code = exit_code_of(status);
    log_event(daemon->log, LOG_LEVEL_ERROR, "start_failed", log_status("status", status),
              log_number("exit_code", exit_code), log_text("reason", error.text));
    (void)fprintf(stderr, "mr-%s: %s\n", daemon->definition->name, error.text);
    return exit_code;
}

int daemon_main(int argc, char **argv, const struct daemon_definition *definition)
{
    signals_block();
    struct daemon *daemon = MEM_NEW(struct daemon);
    daemon->definition = definition;
    daemon->arena = arena_open(0);
    daemon->token_mutex = mutex_open();
    daemon->started_wall_ms = clock_wall_ms();
    daemon->calls = metrics_calls_open();
    struct error error = {.status = OK};
    enum daemon_request request = DAEMON_RUN;
    enum status status = daemon_configure(daemon, argc, argv, &request, &error);
    int exit_code = EXIT_USAGE;
    if (status != OK) {
        (void)fprintf(stderr, "mr-%s: %s\n", definition->name, error.text);
    } else if (request != DAEMON_RUN) {
        exit_code = print_settings(daemon, request);
    } else {
        const char *name = settings_string(daemon->settings, "daemon.name");
        daemon->addresses = (struct cluster_daemon){
            .name = name[0] != '\0' ? name : definition->name,
            .role = definition->name,
            .directory = daemon->directory,
            .rpc_address = "",
            .http_address = "",
            .credential_socket = "",
            .fd_socket = "",
            .pid = process_self(),
        };
        exit_code = run(daemon);
    }
    close_all(daemon);
    return exit_code;
}
