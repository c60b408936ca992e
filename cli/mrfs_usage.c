/*
 * mrfs_usage.c - how much there is: du, df, count.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/file_text.h"
#include "cli/mrfs.h"
#include "lib/base/check.h"
#include "lib/model/message.h"
#include "lib/model/path.h"

static struct cli_word number_text(const struct mrfs *mrfs, uint64_t bytes)
{
    struct cli_word word;
    if (mrfs_has(mrfs, 'h'))
        return file_text_size(bytes);
    (void)snprintf(word.text, sizeof(word.text), "%" PRIu64, bytes);
    return word;
}

static bool summarise(struct mrfs *mrfs,
                      struct slice path,
                      struct dfs_content_summary_response *ret_summary)
{
    struct error error = {OK, ""};
    enum status status = dfs_content_summary(mrfs->dfs, path, ret_summary, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    return status == OK;
}

static void add_summary_json(struct mrfs_json *json,
                             struct slice path,
                             const struct dfs_content_summary_response *summary)
{
    struct buf text = {0};
    CHECK(buf_append_format(&text, "{\"path\": ") == OK &&
          message_print_json_string(path, &text) == OK &&
          buf_append_format(&text,
                            ", \"length\": %" PRIu64 ", \"space_consumed\": %" PRIu64
                            ", \"file_count\": %" PRIu64 ", \"directory_count\": %" PRIu64
                            ", \"name_quota\": %" PRIu64 ", \"space_quota\": %" PRIu64 "}",
                            summary->length, summary->space_consumed, summary->file_count,
                            summary->directory_count, summary->name_quota,
                            summary->space_quota) == OK);
    mrfs_json_add_text(json, buf_string(&text));
    buf_close(&text);
}

/* --- du ----------------------------------------------------------------------------------------
 */

static void show_used(struct mrfs *mrfs,
                      struct mrfs_json *json,
                      struct slice path,
                      const struct dfs_content_summary_response *summary)
{
    if (json->is_wanted)
        add_summary_json(json, path, summary);
    else
        printf("%-12s %-12s %.*s\n", number_text(mrfs, summary->length).text,
               number_text(mrfs, summary->space_consumed).text, SLICE_ARGS(path));
}

/* A file's numbers are in the listing; only directories are asked for. */
static void show_used_entry(struct mrfs *mrfs,
                            struct mrfs_json *json,
                            struct slice path,
                            const struct dfs_file_status *entry)
{
    struct dfs_content_summary_response summary = {
        .length = entry->length,
        .space_consumed = entry->length * entry->replication,
        .file_count = 1,
    };
    if (entry->kind == FILE_REGULAR || summarise(mrfs, path, &summary))
        show_used(mrfs, json, path, &summary);
}

static void show_du(struct mrfs *mrfs, struct slice path, void *user)
{
    struct mrfs_json *json = user;
    struct dfs_file_status found;
    const struct dfs_file_status *entries = NULL;
    struct error error = {OK, ""};
    size_t count = 0;
    if (!mrfs_status(mrfs, path, &found))
        return;
    if (mrfs_has(mrfs, 's') || found.kind != FILE_DIRECTORY) {
        show_used_entry(mrfs, json, path, &found);
        return;
    }
    enum status status = dfs_list(mrfs->dfs, path, mrfs->arena, &entries, &count, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    for (size_t i = 0; i < count; i++)
        show_used_entry(mrfs, json, path_append(path, entries[i].path, mrfs->arena), &entries[i]);
}

void mrfs_du(struct mrfs *mrfs)
{
    struct mrfs_json json = mrfs_json_open(mrfs);
    if (mrfs_has(mrfs, 'v') && !json.is_wanted)
        printf("%-12s %-12s %s\n", "SIZE", "ALL_COPIES", "PATH");
    if (mrfs->words.count == 0)
        show_du(mrfs, mrfs->home, &json);
    mrfs_each(mrfs, 0, mrfs->words.count, show_du, &json);
    mrfs_json_close(&json);
}

/* --- df ----------------------------------------------------------------------------------------
 */

void mrfs_df(struct mrfs *mrfs)
{
    struct error error = {OK, ""};
    struct dfs_cluster_status_response found;
    struct mrfs_json json = mrfs_json_open(mrfs);
    uint64_t capacity = 0;
    uint64_t used = 0;
    uint64_t free_bytes = 0;
    enum status status = dfs_cluster_status(mrfs->dfs, mrfs->arena, &found, &error);
    if (status != OK) {
        mrfs_complain(mrfs, slice_from_string("/"), status, error.text);
        return;
    }
    for (size_t i = 0; i < found.datanodes_count; i++) {
        if (found.datanodes[i].state == DATANODE_LOST)
            continue;
        capacity += found.datanodes[i].capacity_bytes;
        used += found.datanodes[i].used_bytes;
        free_bytes += found.datanodes[i].free_bytes;
    }
    unsigned percent = capacity > 0 ? (unsigned)((double)used * 100 / (double)capacity + 0.5) : 0;
    if (json.is_wanted) {
        struct buf text = {0};
        CHECK(buf_append_format(&text,
                                "{\"filesystem\": \"millrace:///\", \"size\": %" PRIu64
                                ", \"used\": %" PRIu64 ", \"available\": %" PRIu64 "}",
                                capacity, used, free_bytes) == OK);
        mrfs_json_add_text(&json, buf_string(&text));
        buf_close(&text);
    } else {
        printf("%-14s %16s %16s %16s %5s\n", "Filesystem", "Size", "Used", "Available", "Use%");
        printf("%-14s %16s %16s %16s %4u%%\n", "millrace:///", number_text(mrfs, capacity).text,
               number_text(mrfs, used).text, number_text(mrfs, free_bytes).text, percent);
    }
    mrfs_json_close(&json);
}

/* --- count -------------------------------------------------------------------------------------
 */

/* "none" and "inf" where there is no limit; less than nothing is left beyond it. */
static void print_quota(uint64_t quota, uint64_t used, int width, int rest_width, bool is_human)
{
    struct cli_word limit = {"none"};
    struct cli_word left = {"inf"};
    if (quota > 0) {
        bool is_over = used > quota;
        uint64_t rest = is_over ? used - quota : quota - used;
        struct cli_word rest_text;
        (void)snprintf(limit.text, sizeof(limit.text), "%" PRIu64, quota);
        (void)snprintf(rest_text.text, sizeof(rest_text.text), "%" PRIu64, rest);
        if (is_human) {
            limit = file_text_size(quota);
            rest_text = file_text_size(rest);
        }
        (void)snprintf(left.text, sizeof(left.text), "%s%.30s", is_over ? "-" : "", rest_text.text);
    }
    printf("%*s %*s ", width, limit.text, rest_width, left.text);
}

static void show_count(struct mrfs *mrfs, struct slice path, void *user)
{
    struct mrfs_json *json = user;
    struct dfs_content_summary_response summary;
    bool has_quotas = mrfs_has(mrfs, 'q') || mrfs_has(mrfs, 'u');
    if (!summarise(mrfs, path, &summary))
        return;
    if (json->is_wanted) {
        add_summary_json(json, path, &summary);
        return;
    }
    if (has_quotas) {
        uint64_t names = summary.file_count + summary.directory_count;
        print_quota(summary.name_quota, names, 12, 15, mrfs_has(mrfs, 'h'));
        print_quota(summary.space_quota, summary.space_consumed, 15, 15, mrfs_has(mrfs, 'h'));
    }
    if (!mrfs_has(mrfs, 'u'))
        printf("%12s %12s %18s ", number_text(mrfs, summary.directory_count).text,
               number_text(mrfs, summary.file_count).text, number_text(mrfs, summary.length).text);
    printf("%.*s\n", SLICE_ARGS(path));
}

void mrfs_count(struct mrfs *mrfs)
{
    struct mrfs_json json = mrfs_json_open(mrfs);
    if (mrfs_has(mrfs, 'v') && !json.is_wanted) {
        if (mrfs_has(mrfs, 'q') || mrfs_has(mrfs, 'u'))
            printf("%12s %15s %15s %15s ", "QUOTA", "REM_QUOTA", "SPACE_QUOTA", "REM_SPACE_QUOTA");
        if (!mrfs_has(mrfs, 'u'))
            printf("%12s %12s %18s ", "DIR_COUNT", "FILE_COUNT", "CONTENT_SIZE");
        printf("PATHNAME\n");
    }
    mrfs_each(mrfs, 0, mrfs->words.count, show_count, &json);
    mrfs_json_close(&json);
}
