/*
 * store_scan.c - what is on the disk when the datanode starts.
 * A crash leaves at most a .crc without its .blk, which is removed. Everything else that is not
 * whole (a .blk without .crc, wrong sizes, a damaged header) is out of service from here on; but
 * what the disk could not read stays where it is: another start may read it.
 */
#include "dfs/datanode/daemon/store_internal.h"
#include "lib/base/mem.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

struct block_list {
    struct dfs_block_info *items;
    size_t count;
    size_t capacity;
};

struct scan {
    struct store *store;
    struct block_list good;
    struct block_list corrupt;
    size_t unreadable_count;
    size_t stray_count;
};

static void add_block(struct block_list *list, struct dfs_block_info block)
{
    list->items = mem_reserve(list->items, list->count, &list->capacity, sizeof(*list->items));
    list->items[list->count++] = block;
}

static bool has_suffix(struct slice name, const char *suffix, uint64_t *ret_block_id)
{
    struct slice tail = slice_from_string(suffix);
    if (name.length < tail.length)
        return false;
    size_t length = name.length - tail.length;
    return slice_equal(slice_sub(name, length, tail.length), tail) &&
           block_name_parse(slice_sub(name, 0, length), ret_block_id);
}

/* OK with *ret_is_whole false: something about it is wrong. ERR_IO: it cannot be read. Other
 * failures: nothing is known. */
static enum status examine(struct store *store,
                           uint64_t block_id,
                           struct dfs_block_info *ret_block,
                           bool *ret_is_whole,
                           struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct file *file = NULL;
    struct file_info data = {0};
    struct file_info crc = {0};
    struct block_sidecar sidecar = {0};
    uint8_t header[BLOCK_SIDECAR_HEADER_BYTES];
    const char *crc_path = store_path(store, arena, STORE_BLOCKS, block_id, ".crc");
    enum status status = file_info_get(store_path(store, arena, STORE_BLOCKS, block_id, ".blk"),
                                       false, &data, reterr_error);
    if (status == OK)
        status = file_info_get(crc_path, false, &crc, reterr_error);
    if (status == OK)
        status = file_open(crc_path, FILE_MODE_READ, 0, &file, reterr_error);
    if (status == OK)
        status = file_read_exactly(file, 0, header, sizeof(header), reterr_error);
    if (status == OK)
        status =
            block_sidecar_decode_header(slice_make(header, sizeof(header)), &sidecar, reterr_error);
    file_close(file);
    arena_close(arena);
    *ret_block = (struct dfs_block_info){
        .block_id = block_id, .length = data.bytes, .crc32c = sidecar.crc32c};
    *ret_is_whole = status == OK && sidecar.block_id == block_id && sidecar.length == data.bytes &&
                    crc.bytes == block_sidecar_bytes(data.bytes) && data.is_regular;
    /* A sidecar of a later version is not damage: stop before anything is moved. */
    if (status == ERR_CORRUPT || status == ERR_NOT_FOUND)
        return OK;
    return status;
}

static enum status scan_block(struct scan *scan, uint64_t block_id, struct error *reterr_error)
{
    struct dfs_block_info block;
    bool is_whole = false;
    enum status status = examine(scan->store, block_id, &block, &is_whole, reterr_error);
    if (status == ERR_IO) {
        scan->unreadable_count++;
        add_block(&scan->corrupt, block);
        return OK;
    }
    if (status != OK)
        return status;
    if (is_whole) {
        add_block(&scan->good, block);
        return OK;
    }
    status = store_quarantine(scan->store, block_id, reterr_error);
    if (status == OK)
        add_block(&scan->corrupt, block);
    return status;
}

static enum status drop_lone_sidecar(struct scan *scan,
                                     struct arena *arena,
                                     uint64_t block_id,
                                     struct error *error)
{
    struct file_info info;
    const char *blk = store_path(scan->store, arena, STORE_BLOCKS, block_id, ".blk");
    if (file_info_get(blk, false, &info, error) != ERR_NOT_FOUND)
        return OK; /* it belongs to a block, or the block's own turn tells what is wrong */
    enum status status =
        file_remove(store_path(scan->store, arena, STORE_BLOCKS, block_id, ".crc"), error);
    return status == ERR_NOT_FOUND ? OK : status; /* gone with its block, out of service */
}

static enum status scan_folder(struct scan *scan, unsigned folder, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    const char *path =
        (const char *)arena_format(arena, "%s/blocks/%02x", scan->store->directory, folder).data;
    enum status status = directory_list(path, arena, &names, &count, reterr_error);
    for (size_t i = 0; i < count && status == OK; i++) {
        uint64_t block_id = 0;
        if (has_suffix(names[i], ".blk", &block_id) && block_id % STORE_FOLDERS == folder)
            status = scan_block(scan, block_id, reterr_error);
        else if (has_suffix(names[i], ".crc", &block_id) && block_id % STORE_FOLDERS == folder)
            status = drop_lone_sidecar(scan, arena, block_id, reterr_error);
        else
            scan->stray_count++;
    }
    arena_close(arena);
    return status;
}

/* What was taken out of service earlier, by its size: its sidecar is not to be believed. */
static enum status scan_corrupt(struct scan *scan, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    const char *path = (const char *)arena_format(arena, "%s/corrupt", scan->store->directory).data;
    enum status status = directory_list(path, arena, &names, &count, reterr_error);
    for (size_t i = 0; i < count && status == OK; i++) {
        uint64_t block_id = 0;
        if (!has_suffix(names[i], ".blk", &block_id))
            continue;
        struct file_info info;
        status = file_info_get(store_path(scan->store, arena, STORE_CORRUPT, block_id, ".blk"),
                               false, &info, reterr_error);
        if (status == OK)
            add_block(&scan->corrupt,
                      (struct dfs_block_info){.block_id = block_id, .length = info.bytes});
    }
    arena_close(arena);
    return status;
}

static struct dfs_block_info *keep(struct arena *arena, const struct block_list *list)
{
    struct dfs_block_info *items = ARENA_ARRAY(arena, struct dfs_block_info, list->count);
    for (size_t i = 0; i < list->count; i++)
        items[i] = list->items[i];
    return items;
}

enum status store_scan(struct store *store,
                       struct arena *arena,
                       struct store_scan *ret_scan,
                       struct error *reterr_error)
{
    struct scan scan = {.store = store};
    enum status status = scan_corrupt(&scan, reterr_error);
    for (unsigned folder = 0; folder < STORE_FOLDERS && status == OK; folder++)
        status = scan_folder(&scan, folder, reterr_error);
    if (status == OK)
        *ret_scan = (struct store_scan){
            .blocks = keep(arena, &scan.good),
            .blocks_count = scan.good.count,
            .corrupt = keep(arena, &scan.corrupt),
            .corrupt_count = scan.corrupt.count,
            .unreadable_count = scan.unreadable_count,
            .stray_count = scan.stray_count,
        };
    mem_free(scan.good.items);
    mem_free(scan.corrupt.items);
    return status;
}
