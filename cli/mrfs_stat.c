/*
 * mrfs_stat.c - what is known of a file: stat, test.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/file_text.h"
#include "cli/mrfs.h"
#include "lib/base/check.h"
#include "lib/os/host.h"

/* --- stat --------------------------------------------------------------------------------------
 */

static void show_replica(const struct dfs_block_replica *replica)
{
    printf("      %s  host %.*s  rack %.*s  node %016" PRIx64 "  %.*s\n",
           replica->is_stale ? "stale" : "live ", SLICE_ARGS(replica->node.host),
           SLICE_ARGS(replica->node.rack), replica->node.node_id,
           SLICE_ARGS(replica->node.http_address));
}

static void show_description(const struct dfs_get_blocks_response *found, bool has_blocks)
{
    const struct dfs_file_status *file = &found->status;
    printf("%.*s\n  kind         %s%s\n  id           %" PRIu64 "\n", SLICE_ARGS(file->path),
           file->kind == FILE_DIRECTORY ? "directory" : "file",
           file->under_construction ? ", being written" : "", file->file_id);
    if (file->kind == FILE_DIRECTORY)
        printf("  entries      %" PRIu32 "\n", file->child_count);
    else
        printf("  length       %" PRIu64 " (%s)\n  replication  %" PRIu32
               "\n  block size   %" PRIu64 "\n  blocks       %zu\n",
               file->length, cli_bytes(file->length).text, file->replication, file->block_size,
               found->blocks_count);
    printf("  permission   %04" PRIo32 "  owner %.*s  group %.*s\n  modified     %s\n",
           file->permission, SLICE_ARGS(file->owner), SLICE_ARGS(file->group),
           file_text_time(file->modified_ms, true).text);
    for (size_t i = 0; i < found->blocks_count && has_blocks; i++) {
        const struct dfs_located_block *block = &found->blocks[i];
        printf("    block %016" PRIx64 "  offset %" PRIu64 "  length %" PRIu64 "  crc32c %08" PRIx32
               "%s\n",
               block->block_id, block->offset, block->length, block->crc32c,
               block->is_corrupt ? "  NO GOOD REPLICA" : "");
        for (size_t j = 0; j < block->replicas_count; j++)
            show_replica(&block->replicas[j]);
    }
}

struct describing {
    struct mrfs_json json;
    struct slice format; /* "%n %b"; empty: as people read it */
};

/* What lets the caller read is nothing to show: it might end in somebody's log. */
static void hide_tokens(struct dfs_get_blocks_response *found, struct arena *arena)
{
    struct dfs_located_block *blocks =
        ARENA_ARRAY(arena, struct dfs_located_block, found->blocks_count);
    for (size_t i = 0; i < found->blocks_count; i++) {
        blocks[i] = found->blocks[i];
        blocks[i].token = slice_make(NULL, 0);
    }
    found->blocks = blocks;
}

static void describe(struct mrfs *mrfs, struct slice path, void *user)
{
    struct describing *describing = user;
    struct error error = {OK, ""};
    struct dfs_get_blocks_response found = {.blocks_count = 0};
    bool has_blocks = mrfs_has(mrfs, KEY_BLOCKS) || describing->format.length == 0;
    if (!mrfs_status(mrfs, path, &found.status))
        return;
    if (found.status.kind == FILE_REGULAR && has_blocks) {
        enum status status = dfs_get_blocks(mrfs->dfs, path, 0, 0, mrfs->arena, &found, &error);
        if (status != OK) {
            mrfs_complain(mrfs, path, status, error.text);
            return;
        }
    }
    found.status.path = path;
    hide_tokens(&found, mrfs->arena);
    if (describing->format.length > 0) {
        struct buf text = {0};
        file_text_format(describing->format, path, &found.status, &text);
        printf("%s\n", buf_string(&text));
        buf_close(&text);
    } else if (!describing->json.is_wanted) {
        show_description(&found, mrfs_has(mrfs, KEY_BLOCKS));
    } else if (mrfs_has(mrfs, KEY_BLOCKS)) {
        mrfs_json_add(&describing->json, &dfs_get_blocks_response_type, &found);
    } else {
        mrfs_json_add(&describing->json, &dfs_file_status_type, &found.status);
    }
}

void mrfs_stat(struct mrfs *mrfs)
{
    struct describing describing = {.json = mrfs_json_open(mrfs)};
    size_t first = 0;
    if (mrfs->words.count > 1 && strchr(mrfs->words.arguments[0], '%') != NULL)
        describing.format = slice_from_string(mrfs->words.arguments[first++]);
    mrfs_each(mrfs, first, mrfs->words.count, describe, &describing);
    mrfs_json_close(&describing.json);
}

/* --- test --------------------------------------------------------------------------------------
 */

/*
 * bits: 4 read, 2 write. By the rule of the namenode: superusers may everything, else the first
 * class that fits decides.
 */
static bool may_access(struct mrfs *mrfs, const struct dfs_file_status *file, uint32_t bits)
{
    struct error error = {OK, ""};
    struct dfs_get_server_defaults_response defaults;
    const struct slice *groups = NULL;
    size_t count = 0;
    enum status status = dfs_server_defaults(mrfs->dfs, mrfs->arena, &defaults, &error);
    if (status != OK) {
        mrfs_complain(mrfs, slice_from_string("/"), status, error.text);
        return false;
    }
    host_user_groups(mrfs->arena, mrfs->user, &groups, &count);
    bool is_super = slice_equal(mrfs->user, defaults.superuser);
    bool is_member = false;
    for (size_t i = 0; i < count; i++) {
        is_super = is_super || slice_equal(groups[i], defaults.supergroup);
        is_member = is_member || slice_equal(groups[i], file->group);
    }
    unsigned shift = slice_equal(file->owner, mrfs->user) ? 6 : is_member ? 3 : 0;
    return is_super || (file->permission >> shift & bits) == bits;
}

/* Of several questions all must be answered with yes. */
void mrfs_test(struct mrfs *mrfs)
{
    struct error error = {OK, ""};
    struct dfs_file_status found;
    struct slice *paths = NULL;
    size_t count = 0;
    mrfs_expand(mrfs, mrfs->words.arguments[0], &paths, &count);
    if (count != 1) {
        mrfs->is_false = true;
        return;
    }
    enum status status = dfs_get_status(mrfs->dfs, paths[0], mrfs->arena, &found, &error);
    if (status != OK && status != ERR_NOT_FOUND && status != ERR_NOT_DIRECTORY)
        mrfs_complain(mrfs, paths[0], status, error.text);
    bool is_true = status == OK;
    if (is_true && mrfs_has(mrfs, 'd'))
        is_true = found.kind == FILE_DIRECTORY;
    if (is_true && mrfs_has(mrfs, 'f'))
        is_true = found.kind == FILE_REGULAR;
    if (is_true && mrfs_has(mrfs, 's'))
        is_true = found.kind == FILE_DIRECTORY ? found.child_count > 0 : found.length > 0;
    if (is_true && mrfs_has(mrfs, 'z'))
        is_true = found.kind == FILE_REGULAR && found.length == 0;
    if (is_true && mrfs_has(mrfs, 'r'))
        is_true = may_access(mrfs, &found, 4);
    if (is_true && mrfs_has(mrfs, 'w'))
        is_true = may_access(mrfs, &found, 2);
    mrfs->is_false = !is_true;
}
