/*
 * mrfs_fsck.c - fsck: what the namenode knows of every block of every file below a path. Nothing is
 * read from datanodes: they verify by themselves and report.
 * CORRUPT: a block has no replica that can be read. Too few replicas, or all in one rack, is
 * healthy: the namenode is about to repair it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/mrfs.h"
#include "cli/table.h"
#include "lib/base/check.h"
#include "lib/model/message.h"

struct totals {
    uint64_t bytes;
    uint64_t files;
    uint64_t directories;
    uint64_t open_files;
    uint64_t blocks;
    uint64_t replicas;        /* good ones */
    uint64_t replicas_wanted; /* of all blocks */
    uint64_t corrupt_files;
    uint64_t missing_blocks;
    uint64_t corrupt_blocks; /* of those: a damaged replica is known */
    uint64_t under_replicated;
    uint64_t over_replicated;
    uint64_t misplaced;
    uint64_t deleted_files;
    uint32_t replication;
    uint32_t datanodes;
    uint32_t racks;
};

struct checking {
    struct mrfs *mrfs;
    struct totals totals;
    struct mrfs_json json; /* of files, inside an object */
    bool has_failed;       /* not all could be looked at */
};

/* --- one block ---------------------------------------------------------------------------------
 */

static const char *condition_text(enum dfs_replica_condition condition)
{
    static const char *const texts[DFS_REPLICA_CONDITION_COUNT] = {
        [CHECKED_GOOD] = "",
        [CHECKED_STALE] = " (stale)",
        [CHECKED_LOST] = " (lost)",
        [CHECKED_CORRUPT] = " (corrupt)",
        [CHECKED_DECOMMISSIONING] = " (decommissioning)",
        [CHECKED_DECOMMISSIONED] = " (decommissioned)",
        [CHECKED_MAINTENANCE] = " (maintenance)",
        [CHECKED_COPYING] = " (on its way)",
        [CHECKED_DELETING] = " (being deleted)",
    };
    const char *text = condition < DFS_REPLICA_CONDITION_COUNT ? texts[condition] : NULL;
    return text != NULL ? text : " (?)";
}

static void print_replicas(const struct mrfs *mrfs, const struct dfs_checked_block *block)
{
    bool has_racks = mrfs_has(mrfs, KEY_RACKS);
    if (!has_racks && !mrfs_has(mrfs, KEY_LOCATIONS))
        return;
    printf(" [");
    for (size_t i = 0; i < block->replicas_count; i++) {
        const struct dfs_checked_replica *replica = &block->replicas[i];
        printf("%s%.*s%s%.*s%s", i > 0 ? ", " : "", has_racks ? (int)replica->rack.length : 0,
               (const char *)replica->rack.data, has_racks ? "/" : "", SLICE_ARGS(replica->host),
               condition_text(replica->condition));
    }
    printf("]");
}

static const char *block_text(const struct dfs_checked_block *block)
{
    if (block->is_corrupt)
        return " CORRUPT";
    if (block->is_missing)
        return " MISSING";
    if (block->is_open)
        return " OPEN";
    if (block->is_under_replicated)
        return " UNDER REPLICATED";
    return block->is_misplaced ? " MISPLACED" : "";
}

static void print_block(const struct mrfs *mrfs,
                        size_t number,
                        const struct dfs_checked_block *block)
{
    printf("  %zu. block %016" PRIx64 " len=%" PRIu64 " replicas=%" PRIu32 " of %" PRIu32 "%s",
           number, block->block_id, block->length, block->good, block->wanted, block_text(block));
    print_replicas(mrfs, block);
    printf("\n");
}

/* --- one file ----------------------------------------------------------------------------------
 */

struct file_counts {
    uint64_t missing;
    uint64_t missing_bytes;
    uint64_t under;
    uint64_t misplaced;
};

static struct file_counts count_file(struct totals *totals, const struct dfs_checked_file *file)
{
    struct file_counts counts = {.missing = 0};
    totals->files++;
    totals->open_files += file->status.under_construction ? 1 : 0;
    for (size_t i = 0; i < file->blocks_count; i++) {
        const struct dfs_checked_block *block = &file->blocks[i];
        if (block->is_open)
            continue; /* it is the writer's until it is sealed */
        totals->blocks++;
        totals->bytes += block->length;
        totals->replicas += block->good;
        totals->replicas_wanted += block->wanted;
        totals->corrupt_blocks += block->is_corrupt ? 1 : 0;
        totals->over_replicated += block->good > block->wanted ? 1 : 0;
        counts.missing += block->is_missing ? 1 : 0;
        counts.missing_bytes += block->is_missing ? block->length : 0;
        counts.under += block->is_under_replicated && !block->is_missing ? 1 : 0;
        counts.misplaced += block->is_misplaced ? 1 : 0;
    }
    totals->missing_blocks += counts.missing;
    totals->under_replicated += counts.under;
    totals->misplaced += counts.misplaced;
    totals->corrupt_files += counts.missing > 0 ? 1 : 0;
    return counts;
}

static void print_file(const struct mrfs *mrfs,
                       const struct dfs_checked_file *file,
                       const struct file_counts *counts)
{
    const struct dfs_file_status *status = &file->status;
    bool has_problem = counts->missing + counts->under + counts->misplaced > 0;
    if (!has_problem && !mrfs_has(mrfs, KEY_FILES) &&
        !(mrfs_has(mrfs, KEY_OPEN) && status->under_construction))
        return;
    printf("%.*s %" PRIu64 " bytes, replication=%" PRIu32 ", %zu block(s): ",
           SLICE_ARGS(status->path), status->length, status->replication, file->blocks_count);
    if (status->under_construction)
        printf("OPENFORWRITE ");
    if (counts->missing > 0)
        printf("MISSING %" PRIu64 " blocks of %" PRIu64 " bytes", counts->missing,
               counts->missing_bytes);
    else if (counts->under > 0)
        printf("UNDER REPLICATED %" PRIu64 " blocks", counts->under);
    else if (counts->misplaced > 0)
        printf("MISPLACED %" PRIu64 " blocks", counts->misplaced);
    else
        printf("OK");
    printf("\n");
    if (!mrfs_has(mrfs, KEY_BLOCKS) && !mrfs_has(mrfs, KEY_LOCATIONS) && !mrfs_has(mrfs, KEY_RACKS))
        return;
    for (size_t i = 0; i < file->blocks_count; i++)
        print_block(mrfs, i, &file->blocks[i]);
}

static void list_corrupt(const struct dfs_checked_file *file)
{
    for (size_t i = 0; i < file->blocks_count; i++) {
        if (file->blocks[i].is_missing)
            printf("%016" PRIx64 "\t%.*s\n", file->blocks[i].block_id,
                   SLICE_ARGS(file->status.path));
    }
}

static void check_file(struct checking *checking, const struct dfs_checked_file *file)
{
    struct mrfs *mrfs = checking->mrfs;
    struct error error = {OK, ""};
    if (file->status.under_construction && !mrfs_has(mrfs, KEY_OPEN)) {
        checking->totals.open_files++;
        return; /* not counted, as in Hadoop: its blocks are still coming */
    }
    struct file_counts counts = count_file(&checking->totals, file);
    bool has_problem = counts.missing + counts.under + counts.misplaced > 0;
    if (mrfs_has(mrfs, KEY_LIST_CORRUPT) && !checking->json.is_wanted)
        list_corrupt(file);
    else if (!checking->json.is_wanted)
        print_file(mrfs, file, &counts);
    else if (mrfs_has(mrfs, KEY_LIST_CORRUPT) ? counts.missing > 0
                                              : has_problem || mrfs_has(mrfs, KEY_FILES))
        mrfs_json_add(&checking->json, &dfs_checked_file_type, file);
    if (counts.missing == 0 || !mrfs_has(mrfs, KEY_DELETE) || file->status.under_construction)
        return;
    enum status status = dfs_delete(mrfs->dfs, file->status.path, false, &error);
    if (status == OK)
        checking->totals.deleted_files++;
    else
        mrfs_complain(mrfs, file->status.path, status, error.text);
}

/* --- all of them -------------------------------------------------------------------------------
 */

static void show_checked(const struct checking *checking)
{
    if (checking->mrfs->is_terminal)
        fprintf(stderr, "\r\033[K%" PRIu64 " files checked", checking->totals.files);
}

static void check_pages(struct checking *checking, struct slice path)
{
    struct mrfs *mrfs = checking->mrfs;
    struct arena *last = arena_open(0); /* holds start_after */
    struct dfs_check_files_request request = {.path = path};
    struct dfs_check_files_response page = {.has_more = true};
    while (page.has_more && !checking->has_failed) {
        struct error error = {OK, ""};
        struct arena *arena = arena_open(0);
        enum status status = dfs_check_files(mrfs->dfs, &request, arena, &page, &error);
        if (status != OK) {
            mrfs_complain(mrfs, path, status, error.text);
            checking->has_failed = true;
            page = (struct dfs_check_files_response){.has_more = false};
        } else {
            checking->totals.directories += page.directory_count;
            checking->totals.racks = page.rack_count;
            checking->totals.datanodes = page.datanode_count;
            checking->totals.replication = page.replication;
        }
        for (size_t i = 0; i < page.files_count; i++)
            check_file(checking, &page.files[i]);
        show_checked(checking);
        arena_reset(last);
        request.start_after = arena_copy(last, page.next_after);
        arena_close(arena);
    }
    if (mrfs->is_terminal)
        fprintf(stderr, "\r\033[K");
    arena_close(last);
}

static void print_row(const char *name, uint64_t value)
{
    printf(" %-28s %" PRIu64 "\n", name, value);
}

static void print_totals(const struct totals *totals, const char *verdict)
{
    printf("\n");
    print_row("Datanodes:", totals->datanodes);
    print_row("Racks:", totals->racks);
    print_row("Directories:", totals->directories);
    print_row("Files:", totals->files);
    print_row("Open files:", totals->open_files);
    printf(" %-28s %" PRIu64 " (%s)\n", "Bytes:", totals->bytes, cli_bytes(totals->bytes).text);
    print_row("Blocks:", totals->blocks);
    printf(" %-28s %.2f\n", "Average block replication:",
           totals->blocks > 0 ? (double)totals->replicas / (double)totals->blocks : 0.0);
    print_row("Default replication:", totals->replication);
    print_row("Under-replicated blocks:", totals->under_replicated);
    print_row("Over-replicated blocks:", totals->over_replicated);
    print_row("Mis-replicated blocks:", totals->misplaced);
    print_row("Missing blocks:", totals->missing_blocks);
    print_row("Corrupt blocks:", totals->corrupt_blocks);
    print_row("Files with missing blocks:", totals->corrupt_files);
    if (totals->deleted_files > 0)
        print_row("Files deleted:", totals->deleted_files);
    printf("Status: %s\n", verdict);
}

static void print_totals_json(const struct totals *totals, const char *verdict)
{
    printf("\"summary\": {\"datanodes\": %" PRIu32 ", \"racks\": %" PRIu32
           ", \"directories\": %" PRIu64 ", \"files\": %" PRIu64 ", \"open_files\": %" PRIu64
           ", \"bytes\": %" PRIu64 ", \"blocks\": %" PRIu64 ", \"replicas\": %" PRIu64
           ", \"replicas_wanted\": %" PRIu64 ", \"under_replicated\": %" PRIu64
           ", \"over_replicated\": %" PRIu64 ", \"misplaced\": %" PRIu64 ", \"missing\": %" PRIu64
           ", \"corrupt\": %" PRIu64 ", \"corrupt_files\": %" PRIu64 ", \"deleted_files\": %" PRIu64
           "}, \"status\": \"%s\"}\n",
           totals->datanodes, totals->racks, totals->directories, totals->files, totals->open_files,
           totals->bytes, totals->blocks, totals->replicas, totals->replicas_wanted,
           totals->under_replicated, totals->over_replicated, totals->misplaced,
           totals->missing_blocks, totals->corrupt_blocks, totals->corrupt_files,
           totals->deleted_files, verdict);
}

void mrfs_fsck(struct mrfs *mrfs)
{
    struct checking checking = {.mrfs = mrfs, .json = mrfs_json_open(mrfs)};
    struct slice path = slice_from_string("/");
    if (mrfs->words.count > 0 && !mrfs_path(mrfs, mrfs->words.arguments[0], &path))
        return;
    if (checking.json.is_wanted)
        printf("{\"files\": ");
    check_pages(&checking, path);
    mrfs_json_close(&checking.json);
    bool is_corrupt = checking.totals.missing_blocks > 0;
    const char *verdict = checking.has_failed ? "UNKNOWN" : is_corrupt ? "CORRUPT" : "HEALTHY";
    mrfs->is_false = is_corrupt;
    if (checking.json.is_wanted) {
        printf(", ");
        print_totals_json(&checking.totals, verdict);
    } else if (checking.has_failed) {
        return; /* the sentence on stderr says why; half a verdict is none */
    } else if (mrfs_has(mrfs, KEY_LIST_CORRUPT)) {
        printf("%" PRIu64 " files below %.*s have lost blocks\nStatus: %s\n",
               checking.totals.corrupt_files, SLICE_ARGS(path), verdict);
    } else {
        print_totals(&checking.totals, verdict);
    }
}
