/*
 * http_namenode.c - a namenode's WebHDFS with its machine, stepped where the shell would be asked.
 * What it journals is packed and unpacked: a record that cannot be would stop the daemon. The
 * linker gives the handlers the functions here in place of the daemon's (local.mk).
 */
#include "dfs/client/dfs.h"
#include "dfs/namenode/core/namenode.h"
#include "dfs/namenode/daemon/pages_private.h"
#include "dfs/webhdfs/request.h"
#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/daemon/groups.h"
#include "lib/model/message.h"
#include "lib/wire/wire.h"
#include "tests/fuzz/http_daemon.h"
#include "tests/fuzz/http_side.h"

enum {
    WALL_MS = 1700000000,
    CLIENT = 7,
    NODE = 5,
    FILE_BYTES = 70000
};

static struct {
    struct namenode_pages pages;
    struct namenode *machine;
    struct actions actions;
    struct arena *answers; /* to what the setup asks */
    uint64_t call;
    uint64_t request;
    uint64_t session;
    bool is_changed; /* since the setup */
} self;

/* --- the machine ------------------------------------------------------------------------------ */

static void check_record(const struct action *action)
{
    struct arena *arena = arena_open(0);
    struct buf bytes = {0};
    void *again = NULL;
    CHECK(wire_pack(action->type, action->message, &bytes, NULL) == OK);
    CHECK(wire_unpack(action->type, buf_slice(&bytes), arena, &again, NULL) == OK);
    CHECK(message_equal(action->type, action->message, again));
    buf_close(&bytes);
    arena_close(arena);
}

/* Steps a request; ERR_DEADLINE when it is held. */
static enum status step(enum method method,
                        const void *message,
                        struct slice user,
                        struct arena *arena,
                        void **ret_message,
                        struct error *reterr_error)
{
    enum status status = ERR_DEADLINE;
    struct event event = {
        .kind = EVENT_REQUEST,
        .now_ms = 1000,
        .wall_ms = WALL_MS,
        .call = ++self.call,
        .method = method,
        .message = message,
        .user = user,
    };
    actions_reset(&self.actions);
    namenode_step(self.machine, &event, &self.actions);
    for (size_t i = 0; i < self.actions.count; i++) {
        const struct action *action = &self.actions.items[i];
        if (action->kind == ACTION_JOURNAL)
            check_record(action);
        self.is_changed = self.is_changed || action->kind == ACTION_JOURNAL;
        if (action->kind == ACTION_REPLY && action->call == event.call) {
            *ret_message = message_copy(action->type, action->message, arena);
            status = OK;
        }
        if (action->kind == ACTION_FAIL && action->call == event.call)
            status = error_set(reterr_error, action->status, "%.*s", SLICE_ARGS(action->text));
    }
    namenode_check(self.machine);
    return status;
}

enum status __wrap_shell_ask(struct shell *shell,
                             enum method method,
                             const void *message,
                             struct slice user,
                             struct slice peer,
                             int64_t deadline_ms,
                             struct arena *arena,
                             void **ret_message,
                             struct error *reterr_error)
{
    (void)shell;
    (void)peer;
    (void)deadline_ms;
    return step(method, message, user, arena, ret_message, reterr_error);
}

/* --- what is there at first ------------------------------------------------------------------- */

static void *ask(enum method method, const void *message)
{
    void *answer = NULL;
    CHECK(step(method, message, slice_from_string("millrace"), self.answers, &answer, NULL) == OK);
    return answer;
}

static void make_datanode(void)
{
    struct dfs_register_datanode_request node = {
        .node = {.node_id = NODE,
                 .host = slice_from_string("h1"),
                 .http_address = slice_from_string("127.0.0.1:50075")},
        .incarnation = 1,
        .capacity_bytes = 1 << 30,
    };
    const struct dfs_register_datanode_response *registered =
        ask(METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &node);
    struct dfs_block_report_request report = {
        .node_id = NODE, .session = registered->session, .serial = 1, .is_last = true};
    (void)ask(METHOD_DATANODE_TRACKER_BLOCK_REPORT, &report);
    struct dfs_datanode_heartbeat_request beat = {
        .node_id = NODE,
        .session = registered->session,
        .capacity_bytes = 1 << 30,
        .free_bytes = 1 << 30,
    };
    void *answer = NULL;
    (void)step(METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT, &beat, slice_from_string("millrace"),
               self.answers, &answer, NULL); /* held */
}

static void make_directory(const char *path, uint32_t permission)
{
    struct dfs_mkdirs_request make = {
        .client_id = CLIENT,
        .request_id = ++self.request,
        .path = slice_from_string(path),
        .permission = permission,
        .create_parents = true,
    };
    (void)ask(METHOD_NAMENODE_MKDIRS, &make);
}

static void make_file(const char *path)
{
    struct dfs_create_request create = {
        .client_id = CLIENT,
        .request_id = ++self.request,
        .path = slice_from_string(path),
        .replication = 1,
    };
    const struct dfs_create_response *file = ask(METHOD_NAMENODE_CREATE, &create);
    struct dfs_add_block_request add = {
        .client_id = CLIENT, .request_id = ++self.request, .file_id = file->file_id};
    const struct dfs_add_block_response *block = ask(METHOD_NAMENODE_ADD_BLOCK, &add);
    static const uint64_t node = NODE;
    struct dfs_seal_block_request seal = {
        .client_id = CLIENT,
        .request_id = ++self.request,
        .file_id = file->file_id,
        .block_id = block->block_id,
        .length = FILE_BYTES,
        .crc32c = 99,
        .node_ids = &node,
        .node_ids_count = 1,
    };
    (void)ask(METHOD_NAMENODE_SEAL_BLOCK, &seal);
    struct dfs_complete_request complete = {
        .client_id = CLIENT,
        .request_id = ++self.request,
        .file_id = file->file_id,
        .length = FILE_BYTES,
    };
    (void)ask(METHOD_NAMENODE_COMPLETE, &complete);
}

static void open_machine(void)
{
    struct namenode_settings settings;
    struct event start = {.kind = EVENT_START, .now_ms = 1000, .wall_ms = WALL_MS};
    namenode_settings_default(&settings);
    settings.superuser = slice_from_string("root");
    settings.min_replicas = 1;
    settings.list_limit = 3;
    self.request = 0;
    CHECK(namenode_open(&settings, 1, &self.machine) == OK);
    actions_reset(&self.actions);
    namenode_step(self.machine, &start, &self.actions);
    make_datanode();
    make_directory("/tmp", 01777);
    make_directory("/user/alice", 0777);
    make_directory("/a/b/c", 0700);
    make_file("/a/f");
    make_file("/tmp/g");
    arena_close(self.answers);
    self.answers = arena_open(0);
    self.is_changed = false;
}

/* --- the rest of the daemon ------------------------------------------------------------------- */

/* The kernel says so only of a client that has not yet said that it sends no more. */
enum status __wrap_http_request_peer_uid(const struct http_request *request,
                                         uint32_t *ret_uid,
                                         struct error *reterr_error)
{
    (void)request;
    (void)reterr_error;
    *ret_uid = 0;
    return OK;
}

/* Nobody is in a group. */
static void find_no_groups(void *user,
                           struct slice name,
                           struct arena *arena,
                           const struct slice **ret_groups,
                           size_t *ret_count)
{
    (void)user;
    (void)name;
    (void)arena;
    *ret_groups = NULL;
    *ret_count = 0;
}

struct groups *__wrap_daemon_groups(const struct daemon *daemon)
{
    static struct groups *groups;
    (void)daemon;
    struct groups_options options = {.keep_ms = 3600 * 1000, .lookup = find_no_groups};
    if (groups == NULL)
        groups = groups_open(&options);
    return groups;
}

const char *__wrap_daemon_rpc_address(const struct daemon *daemon)
{
    (void)daemon;
    return "127.0.0.1:8020";
}

const struct settings *__wrap_daemon_settings(const struct daemon *daemon)
{
    (void)daemon;
    return NULL; /* only for the next */
}

int64_t __wrap_settings_ms(const struct settings *settings, const char *name)
{
    (void)settings;
    (void)name;
    return 60000;
}

/* TRUNCATE is a client's work: what is looked at here is how it comes so far. */
enum status __wrap_dfs_open(const struct dfs_settings *settings,
                            struct dfs **ret_dfs,
                            struct error *reterr_error)
{
    CHECK(settings->token != NULL && settings->deadline_ms > 0);
    *ret_dfs = NULL;
    return error_set(reterr_error, ERR_UNAVAILABLE, "no client can be had");
}

/* --- the side --------------------------------------------------------------------------------- */

static bool is_idle(void)
{
    return true; /* handlers hold nothing */
}

static void reset(void)
{
    if (!self.is_changed)
        return;
    namenode_close(self.machine);
    open_machine();
}

/* clang-format off */
static const struct http_route routes[] = {
    {.method = "GET", .prefix = WEBHDFS_PREFIX, .handle = namenode_webhdfs_handle},
    {.method = "DELETE", .prefix = WEBHDFS_PREFIX, .begin = namenode_webhdfs_begin,
     .chunk = namenode_webhdfs_chunk, .handle = namenode_webhdfs_handle},
    {.method = "POST", .prefix = WEBHDFS_PREFIX, .begin = namenode_webhdfs_begin,
     .chunk = namenode_webhdfs_chunk, .handle = namenode_webhdfs_handle},
    {.method = "PUT", .prefix = WEBHDFS_PREFIX, .begin = namenode_webhdfs_begin,
     .chunk = namenode_webhdfs_chunk, .handle = namenode_webhdfs_handle},
};

/* clang-format on */

const struct http_side *http_side_namenode(void)
{
    static const struct http_side side = {
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .user = &self.pages,
        .is_idle = is_idle,
        .reset = reset,
    };
    if (self.machine == NULL) {
        self.pages.superuser = "root";
        self.pages.supergroup = "supergroup";
        self.pages.client_id = CLIENT + 1;
        self.answers = arena_open(0);
        actions_open(&self.actions);
        open_machine();
    }
    return &side;
}
