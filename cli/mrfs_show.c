/*
 * mrfs_show.c - commands that show what there is: ls, du, stat. For programs with --json.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/mrfs.h"
#include "lib/base/check.h"
#include "lib/model/path.h"
#include "lib/os/clock.h"

/* One element of the array that --json prints, one a line. */
static void print_json(bool *is_first, const struct message_type *type, const void *message)
{
    struct buf text = {0};
    CHECK(message_print_json(type, message, &text) == OK);
    printf("%s%s", *is_first ? "[\n" : ",\n", buf_string(&text));
    *is_first = false;
    buf_close(&text);
}

static void end_json(bool is_first)
{
    printf("%s", is_first ? "[]\n" : "\n]\n");
}

static void print_mode(const struct dfs_file_status *file)
{
    static const char letters[] = "rwxrwxrwx";
    char text[11] = "-";
    if (file->kind == FILE_DIRECTORY)
        text[0] = 'd';
    for (unsigned i = 0; i < 9; i++)
        text[i + 1] = (char)((file->permission >> (8 - i)) & 1 ? letters[i] : '-');
    if ((file->permission & 01000) != 0)
        text[9] = (char)((file->permission & 1) != 0 ? 't' : 'T');
    text[10] = 0;
    fputs(text, stdout);
}

static void print_time(uint64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];
    clock_format_wall((int64_t)wall_ms, text);
    text[10] = ' ';
    printf("%.16s", text);
}

static void print_line(const struct dfs_file_status *file)
{
    print_mode(file);
    if (file->kind == FILE_DIRECTORY)
        printf("  -");
    else
        printf(" %2" PRIu32, file->replication);
    printf(" %-10.*s %-10.*s %12" PRIu64 " ", SLICE_ARGS(file->owner), SLICE_ARGS(file->group),
           file->length);
    print_time(file->modified_ms);
    printf(" %.*s%s\n", SLICE_ARGS(file->path), file->under_construction ? " (being written)" : "");
}

/* --- ls ----------------------------------------------------------------------------------------
 */

struct listing {
    struct mrfs *mrfs;
    bool is_first;
};

static void show_file(struct listing *listing, const struct dfs_file_status *file)
{
    if (listing->mrfs->flags[KEY_JSON])
        print_json(&listing->is_first, &dfs_file_status_type, file);
    else
        print_line(file);
}

/* Page by page, so that a large directory is not held in memory as a whole. */
static void show_directory(struct listing *listing, struct slice path)
{
    struct mrfs *mrfs = listing->mrfs;
    struct slice start_after = {0};
    struct arena *last = arena_open(0); /* holds start_after */
    struct dfs_list_status_response page = {.has_more = true};
    while (page.has_more) {
        struct error error = {0};
        struct arena *arena = arena_open(0);
        enum status status = dfs_list_page(mrfs->dfs, path, start_after, arena, &page, &error);
        if (status != OK) {
            mrfs_complain(mrfs, (const char *)arena_copy(arena, path).data, status, error.text);
            page.has_more = false;
            page.entries_count = 0;
        }
        for (size_t i = 0; i < page.entries_count; i++) {
            struct dfs_file_status entry = page.entries[i];
            entry.path = path_append(path, entry.path, arena);
            show_file(listing, &entry);
            if (mrfs->flags['R'] && entry.kind == FILE_DIRECTORY)
                show_directory(listing, entry.path);
        }
        if (page.entries_count == 0)
            page.has_more = false;
        else
            start_after = arena_copy(last, page.entries[page.entries_count - 1].path);
        arena_close(arena);
    }
    arena_close(last);
}

static char root[] = "/";

/* "mrfs ls" alone is "mrfs ls /". */
static void default_to_root(struct mrfs *mrfs)
{
    if (mrfs->paths_count == 0)
        mrfs->paths[mrfs->paths_count++] = root;
}

void mrfs_ls(struct mrfs *mrfs)
{
    struct listing listing = {.mrfs = mrfs, .is_first = true};
    default_to_root(mrfs);
    for (size_t i = 0; i < mrfs->paths_count; i++) {
        struct slice path;
        struct error error = {0};
        struct dfs_file_status found;
        if (!mrfs_path(mrfs, mrfs->paths[i], &path))
            continue;
        enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
        if (status != OK)
            mrfs_complain(mrfs, mrfs->paths[i], status, error.text);
        else if (found.kind == FILE_DIRECTORY && !mrfs->flags['d'])
            show_directory(&listing, path);
        else
            show_file(&listing, &found);
    }
    if (mrfs->flags[KEY_JSON])
        end_json(listing.is_first);
}

/* --- du ----------------------------------------------------------------------------------------
 */

static void show_usage(struct listing *listing, struct slice path)
{
    struct mrfs *mrfs = listing->mrfs;
    struct error error = {0};
    struct dfs_content_summary_response summary;
    enum status status = dfs_content_summary(mrfs->dfs, path, &summary, &error);
    if (status != OK) {
        mrfs_complain(mrfs, (const char *)arena_copy(mrfs->arena, path).data, status, error.text);
        return;
    }
    if (mrfs->flags[KEY_JSON]) {
        struct buf name = {0};
        CHECK(message_print_json_string(path, &name) == OK);
        printf("%s{\"path\": %s, \"length\": %" PRIu64 ", \"space_consumed\": %" PRIu64
               ", \"file_count\": %" PRIu64 ", \"directory_count\": %" PRIu64 "}",
               listing->is_first ? "[\n" : ",\n", buf_string(&name), summary.length,
               summary.space_consumed, summary.file_count, summary.directory_count);
        listing->is_first = false;
        buf_close(&name);
    } else if (mrfs->flags['h']) {
        printf("%12s %12s  %.*s\n", mrfs_bytes_text(summary.length, 0),
               mrfs_bytes_text(summary.space_consumed, 1), SLICE_ARGS(path));
    } else {
        printf("%12" PRIu64 " %12" PRIu64 "  %.*s\n", summary.length, summary.space_consumed,
               SLICE_ARGS(path));
    }
}

void mrfs_du(struct mrfs *mrfs)
{
    struct listing listing = {.mrfs = mrfs, .is_first = true};
    default_to_root(mrfs);
    for (size_t i = 0; i < mrfs->paths_count; i++) {
        struct slice path;
        struct error error = {0};
        struct dfs_file_status found;
        const struct dfs_file_status *entries = NULL;
        size_t count = 0;
        if (!mrfs_path(mrfs, mrfs->paths[i], &path))
            continue;
        enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
        bool is_one = mrfs->flags['s'] || (status == OK && found.kind != FILE_DIRECTORY);
        if (status == OK && !is_one)
            status = dfs_list(mrfs->dfs, path, mrfs->arena, &entries, &count, &error);
        if (status != OK)
            mrfs_complain(mrfs, mrfs->paths[i], status, error.text);
        else if (is_one)
            show_usage(&listing, path);
        for (size_t j = 0; j < count; j++)
            show_usage(&listing, path_append(path, entries[j].path, mrfs->arena));
    }
    if (mrfs->flags[KEY_JSON])
        end_json(listing.is_first);
}

/* --- stat --------------------------------------------------------------------------------------
 */

static void show_replica(const struct dfs_block_replica *replica)
{
    printf("      %s  host %.*s  rack %.*s  node %016" PRIx64 "  %.*s\n",
           replica->is_stale ? "stale" : "live ", SLICE_ARGS(replica->node.host),
           SLICE_ARGS(replica->node.rack), replica->node.node_id,
           SLICE_ARGS(replica->node.http_address));
}

static void show_stat(const struct dfs_get_blocks_response *found, bool has_blocks)
{
    const struct dfs_file_status *file = &found->status;
    char time[CLOCK_TEXT_BYTES];
    printf("%.*s\n  kind         %s%s\n  id           %" PRIu64 "\n", SLICE_ARGS(file->path),
           file->kind == FILE_DIRECTORY ? "directory" : "file",
           file->under_construction ? ", being written" : "", file->file_id);
    if (file->kind == FILE_DIRECTORY)
        printf("  entries      %" PRIu32 "\n", file->child_count);
    else
        printf("  length       %" PRIu64 " (%s)\n  replication  %" PRIu32
               "\n  block size   %" PRIu64 "\n  blocks       %zu\n",
               file->length, mrfs_bytes_text(file->length, 0), file->replication, file->block_size,
               found->blocks_count);
    clock_format_wall((int64_t)file->modified_ms, time);
    printf("  permission   %04" PRIo32 "  owner %.*s  group %.*s\n  modified     %s\n",
           file->permission, SLICE_ARGS(file->owner), SLICE_ARGS(file->group), time);
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

void mrfs_stat(struct mrfs *mrfs)
{
    bool is_first = true;
    for (size_t i = 0; i < mrfs->paths_count; i++) {
        struct slice path;
        struct error error = {0};
        struct dfs_get_blocks_response found = {0};
        if (!mrfs_path(mrfs, mrfs->paths[i], &path))
            continue;
        enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found.status, &error);
        if (status == OK && found.status.kind == FILE_REGULAR)
            status = dfs_get_blocks(mrfs->dfs, path, 0, 0, mrfs->arena, &found, &error);
        if (status != OK) {
            mrfs_complain(mrfs, mrfs->paths[i], status, error.text);
            continue;
        }
        found.status.path = path;
        if (!mrfs->flags[KEY_JSON])
            show_stat(&found, mrfs->flags[KEY_BLOCKS]);
        else if (mrfs->flags[KEY_BLOCKS])
            print_json(&is_first, &dfs_get_blocks_response_type, &found);
        else
            print_json(&is_first, &dfs_file_status_type, &found.status);
    }
    if (mrfs->flags[KEY_JSON])
        end_json(is_first);
}
