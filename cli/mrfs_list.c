/*
 * mrfs_list.c - ls. Directories are shown page by page, so that a large one is not held in memory
 * as a whole, unless it has to be sorted by something other than names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file_mode.h"
#include "cli/file_text.h"
#include "cli/mrfs.h"
#include "lib/model/path.h"

struct listing {
    struct mrfs *mrfs;
    struct mrfs_json json;
    int owner_width;
    int group_width;
    int length_width;
    bool is_recursive;
};

/* --- one line ----------------------------------------------------------------------------------
 */

static void print_length(const struct listing *listing, uint64_t length)
{
    if (mrfs_has(listing->mrfs, 'h'))
        printf("%*s ", listing->length_width, file_text_size(length).text);
    else
        printf("%*" PRIu64 " ", listing->length_width, length);
}

/* Control and direction characters, which a terminal might act on, as '?'. */
static void print_safely(struct slice path)
{
    for (size_t i = 0; i < path.length; i++) {
        const uint8_t *at = path.data + i;
        size_t left = path.length - i;
        bool is_c1 = left >= 2 && at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        bool is_mark = left >= 3 && at[0] == 0xe2 &&
                       ((at[1] == 0x80 &&
                         ((at[2] >= 0x8b && at[2] <= 0x8f) || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
                        (at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf));
        if (is_c1 || is_mark) {
            putchar('?');
            i += is_mark ? 2 : 1;
        } else {
            putchar(at[0] < 0x20 || at[0] == 0x7f ? '?' : at[0]);
        }
    }
}

static void print_path(const struct listing *listing, struct slice path)
{
    if (mrfs_has(listing->mrfs, 'q'))
        print_safely(path);
    else
        printf("%.*s", SLICE_ARGS(path));
    putchar('\n');
}

/* "-rw-r--r--   3 user group       3276 2010-01-13 14:00 /path" */
static void print_line(const struct listing *listing, const struct dfs_file_status *file)
{
    char mode[FILE_MODE_TEXT_BYTES];
    bool is_directory = file->kind == FILE_DIRECTORY;
    if (mrfs_has(listing->mrfs, 'C')) {
        print_path(listing, file->path);
        return;
    }
    file_mode_format(file->permission, is_directory, mode);
    if (is_directory)
        printf("%s %3s ", mode, "-");
    else
        printf("%s %3" PRIu32 " ", mode, file->replication);
    printf("%-*.*s %-*.*s ", listing->owner_width, SLICE_ARGS(file->owner), listing->group_width,
           SLICE_ARGS(file->group));
    print_length(listing, is_directory ? 0 : file->length);
    uint64_t time = mrfs_has(listing->mrfs, 'u') ? file->accessed_ms : file->modified_ms;
    printf("%s ", file_text_time(time, false).text);
    print_path(listing, file->path);
}

static void show_file(struct listing *listing, const struct dfs_file_status *file)
{
    if (listing->json.is_wanted)
        mrfs_json_add(&listing->json, &dfs_file_status_type, file);
    else
        print_line(listing, file);
}

static void find_widths(struct listing *listing,
                        const struct dfs_file_status *entries,
                        size_t count)
{
    listing->owner_width = 0;
    listing->group_width = 0;
    listing->length_width = 10;
    for (size_t i = 0; i < count; i++) {
        if ((int)entries[i].owner.length > listing->owner_width)
            listing->owner_width = (int)entries[i].owner.length;
        if ((int)entries[i].group.length > listing->group_width)
            listing->group_width = (int)entries[i].group.length;
        int digits = 1;
        for (uint64_t rest = entries[i].length; rest >= 10; rest /= 10)
            digits++;
        if (digits > listing->length_width && !mrfs_has(listing->mrfs, 'h'))
            listing->length_width = digits;
    }
}

/* --- order -------------------------------------------------------------------------------------
 */

static int compare_names(const struct dfs_file_status *left, const struct dfs_file_status *right)
{
    return slice_compare(left->path, right->path);
}

static int compare_numbers(uint64_t left, uint64_t right)
{
    return left < right ? 1 : left > right ? -1 : 0; /* the largest first */
}

static int by_name_down(const void *left, const void *right)
{
    return compare_names(right, left);
}

static int by_changed(const void *left, const void *right)
{
    const struct dfs_file_status *first = left;
    const struct dfs_file_status *second = right;
    int order = compare_numbers(first->modified_ms, second->modified_ms);
    return order != 0 ? order : compare_names(first, second);
}

static int by_changed_up(const void *left, const void *right)
{
    return -by_changed(left, right);
}

static int by_accessed(const void *left, const void *right)
{
    const struct dfs_file_status *first = left;
    const struct dfs_file_status *second = right;
    int order = compare_numbers(first->accessed_ms, second->accessed_ms);
    return order != 0 ? order : compare_names(first, second);
}

static int by_accessed_up(const void *left, const void *right)
{
    return -by_accessed(left, right);
}

static int by_length(const void *left, const void *right)
{
    const struct dfs_file_status *first = left;
    const struct dfs_file_status *second = right;
    int order = compare_numbers(first->length, second->length);
    return order != 0 ? order : compare_names(first, second);
}

static int by_length_up(const void *left, const void *right)
{
    return -by_length(left, right);
}

/* NULL: by name, as they come. -t is stronger than -S, as in Hadoop. */
static int (*order_of(const struct mrfs *mrfs))(const void *, const void *)
{
    bool is_up = mrfs_has(mrfs, 'r');
    if (mrfs_has(mrfs, 't') && mrfs_has(mrfs, 'u'))
        return is_up ? by_accessed_up : by_accessed;
    if (mrfs_has(mrfs, 't'))
        return is_up ? by_changed_up : by_changed;
    if (mrfs_has(mrfs, 'S'))
        return is_up ? by_length_up : by_length;
    return is_up ? by_name_down : NULL;
}

/* --- directories -------------------------------------------------------------------------------
 */

static void show_directory(struct listing *listing, struct slice path, uint64_t children);

static void show_entries(struct listing *listing,
                         struct slice path,
                         const struct dfs_file_status *entries,
                         size_t count,
                         struct arena *arena)
{
    find_widths(listing, entries, count);
    for (size_t i = 0; i < count; i++) {
        struct dfs_file_status entry = entries[i];
        entry.path = path_append(path, entry.path, arena);
        show_file(listing, &entry);
        if (listing->is_recursive && entry.kind == FILE_DIRECTORY) {
            show_directory(listing, entry.path, entry.child_count);
            find_widths(listing, entries, count);
        }
    }
}

static void show_header(const struct listing *listing, uint64_t count)
{
    if (count > 0 && !listing->is_recursive && !listing->json.is_wanted &&
        !mrfs_has(listing->mrfs, 'C'))
        printf("Found %" PRIu64 " items\n", count);
}

static void show_sorted(struct listing *listing, struct slice path)
{
    struct mrfs *mrfs = listing->mrfs;
    struct error error = {OK, ""};
    struct arena *arena = arena_open(0);
    const struct dfs_file_status *entries = NULL;
    size_t count = 0;
    enum status status = dfs_list(mrfs->dfs, path, arena, &entries, &count, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    if (count > 0) {
        struct dfs_file_status *sorted = ARENA_ARRAY(arena, struct dfs_file_status, count);
        memcpy(sorted, entries, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), order_of(mrfs));
        show_header(listing, count);
        show_entries(listing, path, sorted, count, arena);
    }
    arena_close(arena);
}

static void show_pages(struct listing *listing, struct slice path, uint64_t children)
{
    struct mrfs *mrfs = listing->mrfs;
    struct slice start_after = {0};
    struct arena *last = arena_open(0); /* holds start_after */
    struct dfs_list_status_response page = {.has_more = true};
    for (bool is_first = true; page.has_more; is_first = false) {
        struct error error = {OK, ""};
        struct arena *arena = arena_open(0);
        enum status status = dfs_list_page(mrfs->dfs, path, start_after, arena, &page, &error);
        if (status != OK) {
            mrfs_complain(mrfs, path, status, error.text);
            page = (struct dfs_list_status_response){.has_more = false};
        }
        if (is_first)
            show_header(listing, page.has_more ? children : page.entries_count);
        show_entries(listing, path, page.entries, page.entries_count, arena);
        arena_reset(last);
        if (page.entries_count == 0)
            page.has_more = false;
        else
            start_after = arena_copy(last, page.entries[page.entries_count - 1].path);
        arena_close(arena);
    }
    arena_close(last);
}

static void show_directory(struct listing *listing, struct slice path, uint64_t children)
{
    if (order_of(listing->mrfs) == NULL)
        show_pages(listing, path, children);
    else
        show_sorted(listing, path);
}

static void show_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct listing *listing = user;
    struct dfs_file_status found;
    if (!mrfs_status(mrfs, path, &found))
        return;
    if (found.kind == FILE_DIRECTORY && !mrfs_has(mrfs, 'd')) {
        show_directory(listing, path, found.child_count);
    } else {
        found.path = path;
        find_widths(listing, &found, 1);
        show_file(listing, &found);
    }
}

static void list_all(struct mrfs *mrfs, bool is_recursive)
{
    struct listing listing = {
        .mrfs = mrfs,
        .json = mrfs_json_open(mrfs),
        .is_recursive = is_recursive,
    };
    if (mrfs->words.count == 0)
        show_path(mrfs, mrfs->home, &listing);
    mrfs_each(mrfs, 0, mrfs->words.count, show_path, &listing);
    mrfs_json_close(&listing.json);
}

void mrfs_ls(struct mrfs *mrfs)
{
    list_all(mrfs, mrfs_has(mrfs, 'R'));
}

void mrfs_lsr(struct mrfs *mrfs)
{
    list_all(mrfs, true);
}
