/*
 * store_position.c - how far the scrubber has come on this disk (docs/formats/block.md).
 * Nothing depends on it but where the next start goes on verifying, so it is not synced: what a cut
 * of the power leaves is an older position, or a file that its checksum gives away, and costs a
 * repetition.
 */
#include <inttypes.h>

#include "dfs/datanode/daemon/store_internal.h"
#include "lib/base/crc32c.h"
#include "lib/os/file.h"

enum {
    POSITION_BYTES_MAX = 256 /* a file that is longer is no position */
};

static struct slice position_path(const struct store *store,
                                  struct arena *arena,
                                  const char *suffix)
{
    return arena_format(arena, "%s/SCRUB%s", store->directory, suffix);
}

static struct slice encode_position(struct arena *arena, uint64_t block_id)
{
    char name[BLOCK_NAME_BYTES];
    block_name_format(block_id, name);
    struct slice lines = arena_format(arena, "format=1\nblock_id=%s\n", name);
    return arena_format(arena, "%.*scrc32c=%08" PRIx32 "\n", SLICE_ARGS(lines),
                        crc32c_update(0, lines.data, lines.length));
}

/* There is one way to write a position, so the file is right when it is what would be written. */
static bool decode_position(struct slice text, struct arena *arena, uint64_t *ret_block_id)
{
    struct slice head = slice_from_string("format=1\nblock_id=");
    uint64_t block_id;
    if (text.length < head.length + BLOCK_NAME_BYTES - 1 ||
        !block_name_parse(slice_sub(text, head.length, BLOCK_NAME_BYTES - 1), &block_id) ||
        !slice_equal(text, encode_position(arena, block_id)))
        return false;
    *ret_block_id = block_id;
    return true;
}

enum status store_position_load(struct store *store,
                                uint64_t *ret_block_id,
                                struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct buf text;
    buf_open(&text, POSITION_BYTES_MAX);
    const char *path = (const char *)position_path(store, arena, "").data;
    enum status status = file_read_whole(path, &text, reterr_error);
    if (status == ERR_LIMIT ||
        (status == OK && !decode_position(buf_slice(&text), arena, ret_block_id)))
        status = error_set(reterr_error, ERR_CORRUPT, "%s is damaged, or another program wrote it",
                           path);
    buf_close(&text);
    arena_close(arena);
    return status;
}

static enum status write_position(const char *path, struct slice text, struct error *reterr_error)
{
    struct file *file;
    enum status status = file_open(path, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, reterr_error);
    if (status != OK)
        return status;
    status = file_write_at(file, 0, text, reterr_error);
    file_close(file);
    return status;
}

enum status store_position_save(struct store *store, uint64_t block_id, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *path = (const char *)position_path(store, arena, "").data;
    const char *temporary = (const char *)position_path(store, arena, ".tmp").data;
    enum status status = write_position(temporary, encode_position(arena, block_id), reterr_error);
    if (status == OK)
        status = file_rename(temporary, path, reterr_error);
    arena_close(arena);
    return status;
}
