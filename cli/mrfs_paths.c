/*
 * mrfs_paths.c - from what was typed to paths of the filesystem: URIs, home, patterns, trees.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/glob.h"
#include "cli/mrfs.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"

/* --- one path ----------------------------------------------------------------------------------
 */

/* "hdfs://host:port/a" and "hdfs:/a" to "/a"; what is no such URI stays. */
static struct slice strip_scheme(struct slice text)
{
    static const char *const schemes[] = {"hdfs:", "millrace:", "webhdfs:"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct slice scheme = slice_from_string(schemes[i]);
        if (!slice_has_prefix(text, scheme))
            continue;
        struct slice rest = slice_sub(text, scheme.length, text.length - scheme.length);
        if (!slice_has_prefix(rest, slice_from_string("//")))
            return slice_has_prefix(rest, slice_from_string("/")) ? rest : text;
        rest = slice_sub(rest, 2, rest.length - 2);
        size_t slash = slice_find(rest, '/');
        return slash < rest.length ? slice_sub(rest, slash, rest.length - slash)
                                   : slice_from_string("/");
    }
    return text;
}

/* Absolute, but not yet checked. */
static struct slice make_absolute(struct mrfs *mrfs, const char *text)
{
    struct slice path = strip_scheme(slice_from_string(text));
    if (path.length == 0 || path.data[0] == '/')
        return path;
    while (slice_has_prefix(path, slice_from_string("./")))
        path = slice_sub(path, 2, path.length - 2);
    if (path.length == 0 || slice_equal_string(path, "."))
        return mrfs->home;
    struct buf whole = {0};
    struct slice made = {0};
    if (buf_append_slice(&whole, mrfs->home) == OK && buf_append(&whole, "/", 1) == OK &&
        buf_append_slice(&whole, path) == OK)
        made = arena_copy(mrfs->arena, buf_slice(&whole));
    buf_close(&whole);
    return made;
}

static bool normalise(struct mrfs *mrfs,
                      const char *text,
                      struct slice path,
                      struct slice *ret_path)
{
    struct error error = {OK, ""};
    enum status status = path_normalise(path, mrfs->arena, ret_path, &error);
    if (status != OK)
        mrfs_complain(mrfs, slice_from_string(text), status, error.text);
    return status == OK;
}

bool mrfs_path(struct mrfs *mrfs, const char *text, struct slice *ret_path)
{
    return normalise(mrfs, text, make_absolute(mrfs, text), ret_path);
}

bool mrfs_status(struct mrfs *mrfs, struct slice path, struct dfs_file_status *ret_found)
{
    struct error error = {OK, ""};
    enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, ret_found, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    return status == OK;
}

const char *mrfs_local_text(struct mrfs *mrfs, const char *text)
{
    (void)mrfs;
    if (strncmp(text, "file://", 7) == 0)
        return text + 7;
    if (strncmp(text, "file:/", 6) == 0)
        return text + 5;
    return text;
}

/* --- patterns ----------------------------------------------------------------------------------
 */

struct matches {
    struct mrfs *mrfs;
    const char *text; /* as typed */
    struct slice *paths;
    size_t count;
    size_t capacity;
    bool has_failed;
};

static void add_match(struct matches *matches, struct slice path)
{
    matches->paths =
        mem_reserve(matches->paths, matches->count, &matches->capacity, sizeof(*matches->paths));
    matches->paths[matches->count++] = arena_copy(matches->mrfs->arena, path);
}

static void match_failed(struct matches *matches, enum status status, const char *text)
{
    /* What is not there, or is no directory, or is gone meanwhile, just does not match. */
    if (status == OK || status == ERR_NOT_FOUND || status == ERR_NOT_DIRECTORY)
        return;
    matches->has_failed = true;
    mrfs_complain(matches->mrfs, slice_from_string(matches->text), status, text);
}

static void match_below(struct matches *matches, struct slice directory, struct slice rest);

/* All names in directory that match; the depth of the recursion is that of the pattern. */
static void match_listed(struct matches *matches,
                         struct slice directory,
                         struct slice pattern,
                         struct slice rest)
{
    struct error error = {OK, ""};
    struct arena *arena = arena_open(0);
    const struct dfs_file_status *entries = NULL;
    struct dfs_file_status found = {.kind = FILE_REGULAR};
    size_t count = 0;
    enum status status = dfs_get_status(matches->mrfs->dfs, directory, arena, &found, &error);
    if (status == OK && found.kind == FILE_DIRECTORY)
        status = dfs_list(matches->mrfs->dfs, directory, arena, &entries, &count, &error);
    match_failed(matches, status, error.text);
    for (size_t i = 0; i < count && status == OK; i++) {
        if (!glob_match(pattern, entries[i].path))
            continue;
        struct slice path = path_append(directory, entries[i].path, arena);
        if (rest.length == 0)
            add_match(matches, path);
        else if (entries[i].kind == FILE_DIRECTORY)
            match_below(matches, path, rest);
    }
    arena_close(arena);
}

/* rest: a pattern of names below directory, without a slash in front. */
static void match_below(struct matches *matches, struct slice directory, struct slice rest)
{
    struct error error = {OK, ""};
    struct arena *arena = arena_open(0);
    struct dfs_file_status found;
    enum status status = OK;
    while (rest.length > 0) {
        size_t slash = slice_find(rest, '/');
        struct slice name = slice_sub(rest, 0, slash);
        size_t taken = slash < rest.length ? slash + 1 : slash;
        rest = slice_sub(rest, taken, rest.length - taken);
        if (name.length == 0)
            continue;
        if (glob_is_pattern(name)) {
            status = glob_check(name, &error);
            match_failed(matches, status, error.text);
            if (status == OK)
                match_listed(matches, directory, name, rest);
            goto done;
        }
        name = glob_unescape(name, arena);
        directory = path_append(directory, name, arena);
        status = path_check(directory, &error);
        match_failed(matches, status, error.text);
        if (status != OK)
            goto done;
    }
    status = dfs_get_status(matches->mrfs->dfs, directory, arena, &found, &error);
    match_failed(matches, status, error.text);
    if (status == OK)
        add_match(matches, directory);
done:
    arena_close(arena);
}

static int compare_paths(const void *left, const void *right)
{
    const struct slice *first = left;
    const struct slice *second = right;
    return slice_compare(*first, *second);
}

/* Sorted, each once. */
static void tidy_matches(struct matches *matches)
{
    if (matches->count == 0)
        return;
    qsort(matches->paths, matches->count, sizeof(*matches->paths), compare_paths);
    size_t kept = 1;
    for (size_t i = 1; i < matches->count; i++) {
        if (!slice_equal(matches->paths[i], matches->paths[kept - 1]))
            matches->paths[kept++] = matches->paths[i];
    }
    matches->count = kept;
}

static void expand_pattern(struct mrfs *mrfs,
                           const char *text,
                           struct slice pattern,
                           struct matches *matches)
{
    struct error error = {OK, ""};
    struct slice *patterns = NULL;
    size_t count = 0;
    enum status status = OK;
    struct slice slash = slice_from_string("/");
    if (!slice_is_utf8(pattern))
        status = error_set(&error, ERR_INVALID, "is not UTF-8");
    else if (pattern.length > LIMIT_PATH_BYTES)
        status = error_set(&error, ERR_LIMIT, "is longer than %d bytes", LIMIT_PATH_BYTES);
    if (status == OK)
        status = glob_expand(pattern, mrfs->arena, &patterns, &count, &error);
    if (status != OK) {
        matches->has_failed = true;
        mrfs_complain(mrfs, slice_from_string(text), status, error.text);
    }
    for (size_t i = 0; i < count && !matches->has_failed; i++)
        match_below(matches, slash, patterns[i]);
    tidy_matches(matches);
    if (matches->count == 0 && !matches->has_failed && !mrfs->is_nothing_fine)
        mrfs_complain(mrfs, slice_from_string(text), ERR_NOT_FOUND, "no file has such a name");
}

void mrfs_expand(struct mrfs *mrfs, const char *text, struct slice **ret_paths, size_t *ret_count)
{
    struct slice pattern = make_absolute(mrfs, text);
    struct matches matches = {.mrfs = mrfs, .text = text};
    struct slice path;
    bool is_literal = mrfs_has(mrfs, KEY_LITERAL);
    *ret_paths = NULL;
    *ret_count = 0;
    if (!is_literal && glob_is_pattern(pattern))
        expand_pattern(mrfs, text, pattern, &matches);
    else if (normalise(mrfs, text, is_literal ? pattern : glob_unescape(pattern, mrfs->arena),
                       &path))
        add_match(&matches, path);
    if (matches.count > 0) {
        *ret_paths = ARENA_ARRAY(mrfs->arena, struct slice, matches.count);
        memcpy(*ret_paths, matches.paths, matches.count * sizeof(struct slice));
        *ret_count = matches.count;
    }
    mem_free(matches.paths);
}

void mrfs_each(struct mrfs *mrfs,
               size_t from,
               size_t to,
               void (*visit)(struct mrfs *mrfs, struct slice path, void *user),
               void *user)
{
    for (size_t i = from; i < to && !mrfs_was_interrupted(); i++) {
        struct slice *paths = NULL;
        size_t count = 0;
        mrfs_expand(mrfs, mrfs->words.arguments[i], &paths, &count);
        for (size_t j = 0; j < count && !mrfs_was_interrupted(); j++)
            visit(mrfs, paths[j], user);
    }
}

/* --- trees -------------------------------------------------------------------------------------
 */

static void walk_entries(
    struct mrfs *mrfs, struct slice path, enum mrfs_order order, mrfs_visit *visit, void *user)
{
    struct slice start_after = {0};
    struct arena *last = arena_open(0); /* holds start_after */
    struct dfs_list_status_response page = {.has_more = true};
    while (page.has_more && !mrfs_was_interrupted()) {
        struct error error = {OK, ""};
        struct arena *arena = arena_open(0);
        enum status status = dfs_list_page(mrfs->dfs, path, start_after, arena, &page, &error);
        if (status != OK) {
            mrfs_complain(mrfs, path, status, error.text);
            page = (struct dfs_list_status_response){.has_more = false};
        }
        for (size_t i = 0; i < page.entries_count && !mrfs_was_interrupted(); i++)
            mrfs_walk(mrfs, path_append(path, page.entries[i].path, arena), &page.entries[i], order,
                      visit, user);
        arena_reset(last);
        if (page.entries_count == 0)
            page.has_more = false;
        else
            start_after = arena_copy(last, page.entries[page.entries_count - 1].path);
        arena_close(arena);
    }
    arena_close(last);
}

/* The depth of a path is limited (LIMIT_PATH_DEPTH), and so is this recursion. */
void mrfs_walk(struct mrfs *mrfs,
               struct slice path,
               const struct dfs_file_status *found,
               enum mrfs_order order,
               mrfs_visit *visit,
               void *user)
{
    bool is_below_wanted = true;
    if (order == PARENTS_FIRST)
        is_below_wanted = visit(mrfs, path, found, user);
    if (is_below_wanted && found->kind == FILE_DIRECTORY)
        walk_entries(mrfs, path, order, visit, user);
    if (order == CHILDREN_FIRST && !mrfs_was_interrupted())
        (void)visit(mrfs, path, found, user); /* nothing is left below */
}
