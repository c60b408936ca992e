/*
 * http_datanode.c - what a datanode serves over HTTP: blocks, with its store in a folder, and
 * WebHDFS, with a filesystem of files in memory. Its machine takes every block but the one that is
 * there at first, and must never hear of a corrupt one. The linker gives the handlers the functions
 * here in place of the daemon's (local.mk).
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dfs/datanode/daemon/access.h"
#include "dfs/datanode/daemon/node.h"
#include "dfs/webhdfs/request.h"
#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/daemon/block_token.h"
#include "lib/model/path.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/thread.h"
#include "tests/fuzz/http_daemon.h"
#include "tests/fuzz/http_side.h"
#include "tests/fuzz/memory_folder.h"

enum {
    BLOCK_ID = 0xb10c,
    OTHER_BLOCK_ID = 0xabc, /* is not there at first */
    DAY_MS = 24 * 3600 * 1000,
    BLOCK_BYTES = 70000, /* two chunks */
    FILE_BYTES_MAX = 1 << 20,
    RECEIVED_MAX = 64
};

struct dfs_reader {
    struct slice content;
};

struct dfs_writer {
    struct slice path;
    struct buf content;
    struct arena *arena;
    bool is_complete;
};

/* A file; its name is the map's. */
struct memory_file {
    struct buf content;
};

static struct {
    struct node node;
    struct datanode *machine;
    struct map *files;
    uint64_t received[RECEIVED_MAX];
    size_t received_count;
    bool is_changed;        /* files or blocks, since the setup */
    atomic_int held_count;  /* clients, readers and writers */
    atomic_int await_count; /* receives that were let in and have not ended */
} self;

/* --- files ------------------------------------------------------------------------------------ */

static void put_file(struct slice path, struct slice content)
{
    struct memory_file *file = MEM_NEW(struct memory_file);
    CHECK(buf_append_slice(&file->content, content) == OK);
    struct memory_file *old = map_put(self.files, path, file);
    if (old != NULL)
        buf_close(&old->content);
    mem_free(old);
}

static void forget_files(void)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_next(self.files, &cursor, NULL, &value)) {
        struct memory_file *file = value;
        buf_close(&file->content);
        mem_free(file);
    }
    map_clear(self.files);
}

static void make_files(void)
{
    struct buf content = {0};
    while (content.length < BLOCK_BYTES)
        CHECK(buf_append_format(&content, "line %zu\n", content.length) == OK);
    put_file(slice_from_string("/a/f"), buf_slice(&content));
    put_file(slice_from_string("/empty"), slice_make(NULL, 0));
    buf_close(&content);
}

enum status __wrap_web_clients_take(struct web_clients *clients,
                                    struct slice user,
                                    enum web_use use,
                                    struct web_client **ret_client,
                                    struct error *reterr_error)
{
    (void)clients;
    (void)use;
    (void)reterr_error;
    CHECK(user.length > 0);
    atomic_fetch_add(&self.held_count, 1);
    *ret_client = (struct web_client *)&self;
    return OK;
}

void __wrap_web_client_release(struct web_client *client, enum web_use use)
{
    (void)use;
    if (client != NULL)
        atomic_fetch_sub(&self.held_count, 1);
}

struct dfs *__wrap_web_client_dfs(struct web_client *client)
{
    CHECK(client != NULL);
    return NULL;
}

enum status __wrap_dfs_reader_open(struct dfs *dfs,
                                   struct slice path,
                                   uint64_t offset,
                                   uint64_t length,
                                   struct dfs_reader **ret_reader,
                                   struct error *reterr_error)
{
    (void)dfs;
    (void)offset;
    CHECK(length > 0 && path_check(path, NULL) == OK);
    const struct memory_file *file = map_get(self.files, path);
    if (file == NULL)
        return error_set(reterr_error, ERR_NOT_FOUND, "%.*s does not exist", SLICE_ARGS(path));
    struct dfs_reader *reader = MEM_NEW(struct dfs_reader);
    reader->content = buf_slice(&file->content);
    atomic_fetch_add(&self.held_count, 1);
    *ret_reader = reader;
    return OK;
}

uint64_t __wrap_dfs_reader_length(const struct dfs_reader *reader)
{
    return reader->content.length;
}

enum status __wrap_dfs_reader_pread(struct dfs_reader *reader,
                                    uint64_t offset,
                                    void *data,
                                    size_t length,
                                    size_t *ret_length,
                                    struct error *reterr_error)
{
    (void)reterr_error;
    struct slice content = reader->content;
    CHECK(length > 0 && offset < content.length);
    size_t left = content.length - (size_t)offset;
    *ret_length = length < left ? length : left;
    memcpy(data, content.data + offset, *ret_length);
    return OK;
}

void __wrap_dfs_reader_close(struct dfs_reader *reader)
{
    if (reader != NULL)
        atomic_fetch_sub(&self.held_count, 1);
    mem_free(reader);
}

static struct dfs_writer *writer_open(struct slice path)
{
    struct dfs_writer *writer = MEM_NEW(struct dfs_writer);
    CHECK(path_check(path, NULL) == OK);
    writer->arena = arena_open(0);
    writer->path = arena_copy(writer->arena, path);
    buf_open(&writer->content, FILE_BYTES_MAX);
    atomic_fetch_add(&self.held_count, 1);
    return writer;
}

enum status __wrap_dfs_create(struct dfs *dfs,
                              struct slice path,
                              const struct dfs_create_options *options,
                              struct dfs_writer **ret_writer,
                              struct error *reterr_error)
{
    (void)dfs;
    CHECK(options->permission <= LIMIT_PERMISSION && options->block_size <= INT64_MAX);
    if (!options->overwrite && map_get(self.files, path) != NULL)
        return error_set(reterr_error, ERR_EXISTS, "%.*s exists", SLICE_ARGS(path));
    *ret_writer = writer_open(path);
    return OK;
}

enum status __wrap_dfs_append(struct dfs *dfs,
                              struct slice path,
                              enum dfs_durability durability,
                              struct dfs_writer **ret_writer,
                              struct error *reterr_error)
{
    (void)dfs;
    CHECK(durability == DURABILITY_SYNCED);
    const struct memory_file *file = map_get(self.files, path);
    if (file == NULL)
        return error_set(reterr_error, ERR_NOT_FOUND, "%.*s does not exist", SLICE_ARGS(path));
    *ret_writer = writer_open(path);
    CHECK(buf_append_slice(&(*ret_writer)->content, buf_slice(&file->content)) == OK);
    return OK;
}

enum status __wrap_dfs_writer_write(struct dfs_writer *writer,
                                    const void *data,
                                    size_t length,
                                    struct error *reterr_error)
{
    CHECK(!writer->is_complete);
    enum status status = buf_append(&writer->content, data, length);
    return status == OK ? OK : error_set(reterr_error, status, "the file is too long");
}

enum status __wrap_dfs_writer_complete(struct dfs_writer *writer, struct error *reterr_error)
{
    (void)reterr_error;
    CHECK(!writer->is_complete);
    writer->is_complete = true;
    put_file(writer->path, buf_slice(&writer->content));
    self.is_changed = true;
    return OK;
}

void __wrap_dfs_writer_close(struct dfs_writer *writer)
{
    if (writer == NULL)
        return;
    buf_close(&writer->content);
    arena_close(writer->arena);
    mem_free(writer);
    atomic_fetch_sub(&self.held_count, 1);
}

/* --- blocks ----------------------------------------------------------------------------------- */

static struct store *the_store(void)
{
    struct store *store = NULL;
    CHECK(volumes_store(self.node.volumes, 0, &store, NULL) == OK);
    return store;
}

static void make_block(void)
{
    static uint8_t bytes[BLOCK_BYTES];
    memset(bytes, 'b', sizeof(bytes));
    struct dfs_block_info block = {.block_id = BLOCK_ID,
                                   .length = BLOCK_BYTES,
                                   .crc32c = crc32c_update(0, bytes, BLOCK_BYTES)};
    struct store_writer *writer = NULL;
    CHECK(store_writer_open(the_store(), &block, false, &writer, NULL) == OK);
    CHECK(store_writer_push(writer, slice_make(bytes, BLOCK_BYTES), NULL) == OK);
    CHECK(store_writer_commit(writer, NULL) == OK);
    store_writer_close(writer);
}

static void answer_asked(const struct datanode_receive *asked)
{
    struct datanode_answer answer = {.transfer = asked->transfer};
    if (asked->block.block_id == BLOCK_ID || self.received_count == RECEIVED_MAX) {
        answer.status = ERR_EXISTS;
        answer.text = slice_from_string("the block is here already");
    } else {
        atomic_fetch_add(&self.await_count, 1);
    }
    node_receive_answer(&self.node, &answer);
}

static void answer_done(const struct datanode_received *done)
{
    struct datanode_answer answer = {.transfer = done->transfer, .status = done->status};
    CHECK(!done->is_volume_failed);
    if (done->status == OK) {
        self.received[self.received_count++] = done->block_id;
        self.is_changed = true;
    } else {
        answer.text = done->text;
    }
    node_receive_answer(&self.node, &answer);
    CHECK(atomic_fetch_sub(&self.await_count, 1) > 0);
}

void __wrap_shell_local(struct shell *shell, int effect, void *data, shell_release *release)
{
    (void)shell;
    CHECK(effect == DATANODE_LOCAL_RECEIVE_ASKED || effect == DATANODE_LOCAL_RECEIVE_DONE);
    if (effect == DATANODE_LOCAL_RECEIVE_ASKED)
        answer_asked(data);
    else
        answer_done(data);
    release(data);
}

enum status __wrap_shell_inspect(struct shell *shell,
                                 void (*function)(void *user, const void *machine),
                                 void *user)
{
    (void)shell;
    function(user, self.machine);
    return OK;
}

/* A fuzzer's addresses are not called. */
enum status __wrap_http_put_begin(struct http_client *client,
                                  const struct http_request_options *options,
                                  uint64_t length,
                                  struct http_put **ret_put,
                                  struct error *reterr_error)
{
    (void)client;
    (void)length;
    (void)ret_put;
    return error_set(reterr_error, ERR_UNAVAILABLE, "%s does not answer", options->url);
}

/* --- the daemon ------------------------------------------------------------------------------- */

struct shell *__wrap_daemon_shell(const struct daemon *daemon)
{
    (void)daemon;
    return NULL;
}

struct log *__wrap_daemon_log(const struct daemon *daemon)
{
    (void)daemon;
    return NULL; /* nobody reads it */
}

const char *__wrap_daemon_host(const struct daemon *daemon)
{
    (void)daemon;
    return "h1";
}

const struct token_secret *__wrap_daemon_secret(const struct daemon *daemon)
{
    (void)daemon;
    return &http_side_secret;
}

const char *__wrap_daemon_cluster_directory(const struct daemon *daemon)
{
    (void)daemon;
    return "/nowhere";
}

const char *http_side_block_token(bool is_other)
{
    static char tokens[2][BLOCK_TOKEN_BYTES];
    if (tokens[is_other][0] != '\0')
        return tokens[is_other];
    struct block_keys *keys = block_keys_open(&http_side_secret);
    struct block_grant grant = {
        .block_id = is_other ? OTHER_BLOCK_ID : BLOCK_ID,
        .mode = BLOCK_COPY,
        .user = slice_from_string("alice"),
        .expires_wall_ms = clock_wall_ms() + DAY_MS,
    };
    CHECK(block_token_sign(keys, &grant, tokens[is_other]) > 0);
    block_keys_close(keys);
    return tokens[is_other];
}

/* --- the side --------------------------------------------------------------------------------- */

static bool is_idle(void)
{
    return atomic_load(&self.held_count) == 0;
}

static void reset(void)
{
    CHECK(atomic_load(&self.await_count) == 0);
    CHECK(map_u64_count(self.node.receives) == 0);
    if (!self.is_changed)
        return;
    for (size_t i = 0; i < self.received_count; i++) {
        CHECK(store_verify(the_store(), self.received[i], NULL, NULL) == OK);
        CHECK(store_delete(the_store(), self.received[i], NULL) == OK);
    }
    self.received_count = 0;
    forget_files();
    make_files();
    self.is_changed = false;
}

/* clang-format off */
static const struct http_route routes[] = {
    {.method = "PUT", .prefix = "/v1/block/", .begin = node_receive_begin, .chunk = node_receive_chunk,
     .handle = node_receive_handle, .end = node_receive_end},
    {.method = "GET", .prefix = "/v1/block/", .handle = node_serve_block},
    {.method = "GET", .prefix = "/v1/status", .handle = node_serve_status},
    {.method = "GET", .prefix = WEBHDFS_PREFIX, .handle = node_webhdfs_get},
    {.method = "PUT", .prefix = WEBHDFS_PREFIX, .begin = node_webhdfs_begin, .chunk = node_webhdfs_chunk,
     .handle = node_webhdfs_handle, .end = node_webhdfs_end},
    {.method = "POST", .prefix = WEBHDFS_PREFIX, .begin = node_webhdfs_begin, .chunk = node_webhdfs_chunk,
     .handle = node_webhdfs_handle, .end = node_webhdfs_end},
};
/* clang-format on */

static const char *folder; /* of the store; the process takes it with it */

static void remove_folder(void)
{
    status_ignore(directory_remove_tree(folder, NULL));
}

static void open_machine(void)
{
    struct datanode_settings settings;
    datanode_settings_default(&settings);
    settings.node.node_id = 1;
    settings.node.host = slice_from_string("h1");
    settings.node.http_address = slice_from_string("127.0.0.1:50075");
    settings.namenode_address = slice_from_string("127.0.0.1:8020");
    settings.incarnation = 1;
    settings.cluster_id = 1;
    CHECK(datanode_open(&settings, 1, &self.machine) == OK);
}

static void open_node(void)
{
    static struct arena *arena;
    arena = arena_open(0);
    folder = folder_make(arena);
    (void)atexit(remove_folder);
    struct slice directory = arena_format(arena, "%s/data", folder);
    struct volumes_settings volumes = {.directories = &directory, .count = 1, .node_id = 1};
    CHECK(volumes_open(&volumes, &self.node.volumes, NULL) == OK);
    self.node.node_id = 1;
    self.node.secret = http_side_secret;
    self.node.access = node_access_open(&http_side_secret, NULL);
    self.node.latencies = latencies_open(1);
    self.node.mutex = mutex_open();
    self.node.condition = condition_open();
    self.node.receives = map_u64_open();
    self.node.pipeline_rate_min = 1;
    self.files = map_open();
    make_block();
    make_files();
}

const struct http_side *http_side_datanode(void)
{
    static const struct http_side side = {
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .user = &self.node,
        .is_idle = is_idle,
        .reset = reset,
    };
    if (self.machine == NULL) {
        open_machine();
        open_node();
    }
    return &side;
}
