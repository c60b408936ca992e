/*
 * store.c - a block's way onto the disk and off it (docs/formats/block.md).
 * Owns the names in the data folder. The rename of a .blk file is the commit point of a block: the
 * sidecar is in place before it, and is removed after it.
 */
#include "dfs/datanode/daemon/store.h"

#include <stdatomic.h>

#include "dfs/datanode/daemon/rate.h"
#include "dfs/datanode/daemon/store_internal.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

enum {
    IDENTITY_BYTES_MAX = 4096,
    VERIFY_BYTES = 1024 * 1024,
    WRITE_OUT_BYTES = 4 * 1024 * 1024 /* on their way to the disk at a time, while more comes */
};

struct store_writer {
    struct store *store;
    struct dfs_block_info block;
    bool is_synced;
    struct block_summer summer; /* of all that is written */
    uint64_t on_its_way_bytes;  /* of that, what the disk was given already */
    struct file *data;
    struct file *sidecar;
    struct arena *arena;
    const char *data_path; /* in incoming/; NULL when nothing is there any more */
    const char *sidecar_path;
    bool has_broken_volume;
    bool has_failed;
};

const char *store_path(const struct store *store,
                       struct arena *arena,
                       enum store_place place,
                       uint64_t block_id,
                       const char *suffix)
{
    char name[BLOCK_NAME_BYTES];
    block_name_format(block_id, name);
    struct slice path;
    if (place == STORE_BLOCKS)
        path = arena_format(arena, "%s/blocks/%s/%s%s", store->directory, name + 14, name, suffix);
    else
        path = arena_format(arena, "%s/corrupt/%s%s", store->directory, name, suffix);
    return (const char *)path.data;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static enum status make_folders(struct store *store, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *incoming = (const char *)arena_format(arena, "%s/incoming", store->directory).data;
    const char *corrupt = (const char *)arena_format(arena, "%s/corrupt", store->directory).data;
    const char *blocks = (const char *)arena_format(arena, "%s/blocks", store->directory).data;
    enum status status = directory_make_durable(store->directory, 0700, reterr_error);
    if (status == OK)
        status = directory_remove_tree(incoming, reterr_error);
    if (status == OK)
        status = directory_make_all(incoming, 0700, reterr_error);
    if (status == OK)
        status = directory_make_all(corrupt, 0700, reterr_error);
    for (unsigned i = 0; i < STORE_FOLDERS && status == OK; i++) {
        const char *path = (const char *)arena_format(arena, "%s/%02x", blocks, i).data;
        status = directory_make_all(path, 0700, reterr_error);
    }
    if (status == OK)
        status = directory_sync(blocks, reterr_error);
    if (status == OK)
        status = directory_sync(store->directory, reterr_error);
    arena_close(arena);
    return status;
}

enum status store_open(const struct store_settings *settings,
                       struct store **ret_store,
                       struct error *reterr_error)
{
    struct store *store = MEM_NEW(struct store);
    store->arena = arena_open(0);
    store->directory =
        (const char *)arena_copy(store->arena, slice_from_string(settings->directory)).data;
    enum status status = make_folders(store, reterr_error);
    if (status != OK) {
        store_close(store);
        return status;
    }
    *ret_store = store;
    return OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    arena_close(store->arena);
    mem_free(store);
}

enum status store_space_get(struct store *store,
                            struct store_space *ret_space,
                            struct error *reterr_error)
{
    struct directory_space space;
    enum status status = directory_space_get(store->directory, &space, reterr_error);
    if (status == OK)
        *ret_space = (struct store_space){space.capacity_bytes, space.free_bytes};
    return status;
}

/* For what is of no use any more: if it cannot be removed now, the next start does it. */
static void try_remove(const char *path)
{
    enum status status = file_remove(path, NULL);
    (void)status;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

enum status store_writer_open(struct store *store,
                              const struct dfs_block_info *block,
                              bool is_synced,
                              struct store_writer **ret_writer,
                              struct error *reterr_error)
{
    struct store_writer *writer = MEM_NEW(struct store_writer);
    writer->store = store;
    writer->block = *block;
    writer->is_synced = is_synced;
    writer->arena = arena_open(0);
    unsigned long number = atomic_fetch_add(&store->incoming_count, 1);
    const char *path =
        (const char *)arena_format(writer->arena, "%s/incoming/%lu", store->directory, number).data;
    const char *data_path = (const char *)arena_format(writer->arena, "%s.blk", path).data;
    enum status status =
        file_open(data_path, FILE_MODE_CREATE_NEW, FILE_PRIVATE, &writer->data, reterr_error);
    if (status != OK) {
        store_writer_close(writer);
        return status;
    }
    writer->data_path = data_path;
    writer->sidecar_path = (const char *)arena_format(writer->arena, "%s.crc", path).data;
    *ret_writer = writer;
    return OK;
}

/* ERR_DENIED: the kernel has made the file system read-only; ERR_NOT_FOUND: incoming/ is gone. */
bool store_is_broken_by(enum status status)
{
    return status == ERR_IO || status == ERR_DENIED || status == ERR_NOT_FOUND ||
           status == ERR_NOT_DIRECTORY;
}

static enum status writer_failed(struct store_writer *writer, enum status status)
{
    writer->has_failed = true;
    writer->has_broken_volume = store_is_broken_by(status);
    return status;
}

/* Whatever a sync says, it has failed for good; only one that was never made is no failure. */
static enum status sync_failed(struct store_writer *writer, enum status status)
{
    writer->has_failed = true;
    writer->has_broken_volume = status != ERR_LIMIT && status != ERR_NO_MEMORY;
    return status;
}

/* The disk works while the rest of the block comes, and the sync finds little left to do. */
static void write_out(struct store_writer *writer)
{
    uint64_t waiting = writer->summer.length - writer->on_its_way_bytes;
    if (!writer->is_synced || waiting < WRITE_OUT_BYTES)
        return;
    file_start_writing(writer->data, writer->on_its_way_bytes, waiting);
    writer->on_its_way_bytes = writer->summer.length;
}

enum status store_writer_push(struct store_writer *writer,
                              struct slice data,
                              struct error *reterr_error)
{
    CHECK(!writer->has_failed);
    if (data.length > writer->block.length - writer->summer.length) {
        writer->has_failed = true;
        return error_set(reterr_error, ERR_LIMIT, "the block is longer than it was said to be");
    }
    enum status status = file_write_at(writer->data, writer->summer.length, data, reterr_error);
    if (status != OK)
        return writer_failed(writer, status);
    status = block_summer_add(&writer->summer, data);
    if (status != OK) {
        writer->has_failed = true;
        return error_set(reterr_error, status, "the sidecar of the block");
    }
    write_out(writer);
    return OK;
}

static enum status write_sidecar(struct store_writer *writer, struct error *reterr_error)
{
    struct buf bytes;
    buf_open(&bytes, 0);
    enum status status = block_summer_finish(&writer->summer, writer->block.block_id, &bytes);
    if (status != OK) {
        buf_close(&bytes);
        return error_set(reterr_error, status, "the sidecar of the block");
    }
    status = file_open(writer->sidecar_path, FILE_MODE_CREATE_NEW, FILE_PRIVATE, &writer->sidecar,
                       reterr_error);
    if (status == OK)
        status = file_write_at(writer->sidecar, 0, buf_slice(&bytes), reterr_error);
    buf_close(&bytes);
    return status;
}

static enum status move_into_place(struct store_writer *writer, struct error *reterr_error)
{
    struct store *store = writer->store;
    uint64_t block_id = writer->block.block_id;
    const char *crc = store_path(store, writer->arena, STORE_BLOCKS, block_id, ".crc");
    const char *blk = store_path(store, writer->arena, STORE_BLOCKS, block_id, ".blk");
    enum status status = file_rename(writer->sidecar_path, crc, reterr_error);
    if (status != OK)
        return writer_failed(writer, status);
    status = file_rename(writer->data_path, blk, reterr_error);
    if (status != OK) {
        try_remove(crc);
        return writer_failed(writer, status);
    }
    writer->data_path = NULL;
    if (!writer->is_synced)
        return OK;
    /* A name that moved is only sure when both folders say so. */
    status = directory_sync_parent(blk, reterr_error);
    if (status == OK)
        status = directory_sync_parent(writer->sidecar_path, reterr_error);
    if (status == OK)
        return OK;
    /* It may be found at the next start; then it is whole, and the namenode says what to do. */
    try_remove(blk);
    try_remove(crc);
    return sync_failed(writer, status);
}

enum status store_writer_commit(struct store_writer *writer, struct error *reterr_error)
{
    CHECK(!writer->has_failed);
    CHECK(writer->data_path != NULL);
    if (writer->summer.length != writer->block.length ||
        block_summer_crc(&writer->summer) != writer->block.crc32c) {
        writer->has_failed = true;
        return error_set(reterr_error, ERR_CORRUPT,
                         "%llu bytes with checksum %08x came; %llu with %08x were announced",
                         (unsigned long long)writer->summer.length,
                         (unsigned)block_summer_crc(&writer->summer),
                         (unsigned long long)writer->block.length, (unsigned)writer->block.crc32c);
    }
    enum status status = write_sidecar(writer, reterr_error);
    if (status != OK)
        return writer_failed(writer, status);
    if (writer->is_synced) {
        status = file_sync_data(writer->data, reterr_error);
        if (status == OK)
            status = file_sync_data(writer->sidecar, reterr_error);
        if (status != OK)
            return sync_failed(writer, status);
    }
    return move_into_place(writer, reterr_error);
}

bool store_writer_broke_volume(const struct store_writer *writer)
{
    return writer->has_broken_volume;
}

void store_writer_close(struct store_writer *writer)
{
    if (writer == NULL)
        return;
    file_close(writer->data);
    file_close(writer->sidecar);
    if (writer->data_path != NULL) {
        try_remove(writer->data_path);
        try_remove(writer->sidecar_path);
    }
    block_summer_close(&writer->summer);
    arena_close(writer->arena);
    mem_free(writer);
}

/* --- care --------------------------------------------------------------------------------------
 */

enum status store_verify(struct store *store,
                         uint64_t block_id,
                         struct rate *rate,
                         struct error *reterr_error)
{
    struct store_reader *reader;
    enum status status = store_reader_open(store, block_id, &reader, reterr_error);
    if (status != OK)
        return status;
    uint64_t length = store_reader_block(reader).length;
    uint8_t *piece = mem_try_array(VERIFY_BYTES, 1);
    if (piece == NULL)
        status = error_set(reterr_error, ERR_NO_MEMORY, "a buffer to verify blocks with");
    store_reader_forget_cached(reader);
    for (uint64_t at = 0; at < length && status == OK; at += VERIFY_BYTES) {
        size_t part = length - at < VERIFY_BYTES ? (size_t)(length - at) : VERIFY_BYTES;
        if (!rate_take(rate, part))
            status = error_set(reterr_error, ERR_CANCELLED, "verification was stopped");
        else
            status = store_reader_read(reader, at, piece, part, reterr_error);
    }
    store_reader_forget_cached(reader);
    mem_free(piece);
    store_reader_close(reader);
    return status;
}

static enum status move_if_there(const char *source,
                                 const char *destination,
                                 struct error *reterr_error)
{
    enum status status = file_rename(source, destination, reterr_error);
    return status == ERR_NOT_FOUND ? OK : status;
}

enum status store_quarantine(struct store *store, uint64_t block_id, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    enum status status =
        move_if_there(store_path(store, arena, STORE_BLOCKS, block_id, ".blk"),
                      store_path(store, arena, STORE_CORRUPT, block_id, ".blk"), reterr_error);
    if (status == OK)
        status =
            move_if_there(store_path(store, arena, STORE_BLOCKS, block_id, ".crc"),
                          store_path(store, arena, STORE_CORRUPT, block_id, ".crc"), reterr_error);
    arena_close(arena);
    return status;
}

static enum status remove_if_there(const char *path, struct error *reterr_error)
{
    enum status status = file_remove(path, reterr_error);
    return status == ERR_NOT_FOUND ? OK : status;
}

enum status store_delete(struct store *store, uint64_t block_id, struct error *reterr_error)
{
    static const enum store_place places[] = {STORE_BLOCKS, STORE_CORRUPT};
    struct arena *arena = arena_open(0);
    enum status status = OK;
    for (size_t i = 0; i < 2 && status == OK; i++) {
        status =
            remove_if_there(store_path(store, arena, places[i], block_id, ".blk"), reterr_error);
        if (status == OK)
            status = remove_if_there(store_path(store, arena, places[i], block_id, ".crc"),
                                     reterr_error);
    }
    arena_close(arena);
    return status;
}

/* --- identity ----------------------------------------------------------------------------------
 */

static const char *identity_path(const struct store *store, struct arena *arena)
{
    return (const char *)arena_format(arena, "%s/VERSION", store->directory).data;
}

/* Takes "key=value\n" with the value as 16 digits off the front; false when it is not there. */
static bool take_identity_line(struct slice *rest, const char *key, uint64_t *ret_value)
{
    struct slice line = slice_sub(*rest, 0, slice_find(*rest, '\n'));
    if (line.length == rest->length)
        return false;
    *rest = slice_sub(*rest, line.length + 1, rest->length - line.length - 1);
    struct slice prefix = slice_from_string(key);
    if (!slice_has_prefix(line, prefix))
        return false;
    struct slice value = slice_sub(line, prefix.length, line.length - prefix.length);
    if (slice_equal_string(value, "0000000000000000")) {
        *ret_value = 0;
        return true;
    }
    return block_name_parse(value, ret_value);
}

static enum status parse_identity(struct slice rest,
                                  const char *path,
                                  struct store_identity *ret_identity,
                                  struct error *reterr_error)
{
    struct slice format = slice_from_string("format=2\n");
    bool has_volume = slice_has_prefix(rest, format);
    if (!has_volume && !slice_has_prefix(rest, slice_from_string("format=1\n")))
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "%s begins with neither \"format=1\" nor \"format=2\": another program "
                         "wrote it",
                         path);
    rest = slice_sub(rest, format.length, rest.length - format.length);
    if (!take_identity_line(&rest, "node_id=", &ret_identity->node_id) ||
        !take_identity_line(&rest, "cluster_id=", &ret_identity->cluster_id) ||
        (has_volume && !take_identity_line(&rest, "volume_id=", &ret_identity->volume_id)))
        return error_set(reterr_error, ERR_CORRUPT, "%s is damaged", path);
    return OK;
}

/* A crash leaves no blocks without a VERSION, so somebody has put them here or has removed it. */
static enum status check_is_empty(const struct store *store,
                                  struct arena *arena,
                                  struct error *reterr_error)
{
    for (unsigned i = 0; i < STORE_FOLDERS; i++) {
        struct slice *names = NULL;
        size_t count = 0;
        const char *path =
            (const char *)arena_format(arena, "%s/blocks/%02x", store->directory, i).data;
        enum status status = directory_list(path, arena, &names, &count, reterr_error);
        if (status != OK)
            return status;
        if (count > 0)
            return error_set(reterr_error, ERR_FENCED,
                             "%s holds blocks but no VERSION file says whose: restore it, or move "
                             "the folder away",
                             store->directory);
    }
    return OK;
}

enum status store_identity_load(struct store *store,
                                struct store_identity *ret_identity,
                                struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct buf text;
    buf_open(&text, IDENTITY_BYTES_MAX);
    struct store_identity identity = {0};
    enum status status = file_read_whole(identity_path(store, arena), &text, reterr_error);
    if (status == ERR_NOT_FOUND)
        status = check_is_empty(store, arena, reterr_error);
    else if (status == OK)
        status =
            parse_identity(buf_slice(&text), identity_path(store, arena), &identity, reterr_error);
    if (status == OK)
        *ret_identity = identity;
    buf_close(&text);
    arena_close(arena);
    return status;
}

enum status store_identity_save(struct store *store,
                                const struct store_identity *identity,
                                struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    char node[BLOCK_NAME_BYTES];
    char cluster[BLOCK_NAME_BYTES];
    block_name_format(identity->node_id, node);
    block_name_format(identity->cluster_id, cluster);
    char volume[BLOCK_NAME_BYTES];
    block_name_format(identity->volume_id, volume);
    struct slice text = arena_format(arena, "format=2\nnode_id=%s\ncluster_id=%s\nvolume_id=%s\n",
                                     node, cluster, volume);
    enum status status =
        file_replace(identity_path(store, arena), text, FILE_PRIVATE, reterr_error);
    arena_close(arena);
    return status;
}
