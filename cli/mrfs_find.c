/*
 * mrfs_find.c - find PATH... [-name P | -iname P] [-print | -print0]. All expressions must hold.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/glob.h"
#include "cli/mrfs.h"
#include "lib/model/path.h"

enum {
    FIND_PATTERNS_MAX = 64
};

struct find_pattern {
    struct slice *alternatives; /* braces written out */
    size_t count;
    bool is_any_case;
};

struct find {
    size_t paths_count; /* the first arguments */
    struct find_pattern patterns[FIND_PATTERNS_MAX];
    size_t patterns_count;
    char end; /* of each line */
};

/* ASCII letters only; others match exactly. */
static struct slice lower(struct slice text, struct arena *arena)
{
    struct slice copy = arena_copy(arena, text);
    char *bytes = arena_new(arena, text.length + 1);
    for (size_t i = 0; i < copy.length; i++)
        bytes[i] = copy.data[i] < 0x80 ? (char)tolower(copy.data[i]) : (char)copy.data[i];
    return slice_make(bytes, text.length);
}

static enum status add_pattern(struct mrfs *mrfs,
                               struct find *find,
                               const char *text,
                               bool is_any_case,
                               struct error *reterr_error)
{
    struct slice pattern = slice_from_string(text != NULL ? text : "");
    struct find_pattern *made = &find->patterns[find->patterns_count];
    if (pattern.length == 0)
        return error_set(reterr_error, ERR_INVALID, "-name and -iname need a pattern");
    if (find->patterns_count == FIND_PATTERNS_MAX)
        return error_set(reterr_error, ERR_LIMIT, "too many patterns");
    if (!slice_is_utf8(pattern))
        return error_set(reterr_error, ERR_INVALID, "the pattern is not UTF-8");
    made->is_any_case = is_any_case;
    if (is_any_case)
        pattern = lower(pattern, mrfs->arena);
    enum status status =
        glob_expand(pattern, mrfs->arena, &made->alternatives, &made->count, reterr_error);
    for (size_t i = 0; i < made->count && status == OK; i++)
        status = glob_check(made->alternatives[i], reterr_error);
    if (status == OK)
        find->patterns_count++;
    return status;
}

static enum status parse_find(struct mrfs *mrfs, struct find *find, struct error *reterr_error)
{
    const char **arguments = mrfs->words.arguments;
    size_t count = mrfs->words.count;
    enum status status = OK;
    find->end = '\n';
    while (find->paths_count < count && arguments[find->paths_count][0] != '-')
        find->paths_count++;
    for (size_t i = find->paths_count; i < count && status == OK; i++) {
        const char *word = arguments[i];
        if (strcmp(word, "-name") == 0 || strcmp(word, "-iname") == 0) {
            const char *pattern = i + 1 < count ? arguments[i + 1] : NULL;
            status = add_pattern(mrfs, find, pattern, word[1] == 'i', reterr_error);
            i++;
        } else if (strcmp(word, "-print0") == 0) {
            find->end = 0;
        } else if (strcmp(word, "-print") != 0 && strcmp(word, "-a") != 0 &&
                   strcmp(word, "-and") != 0) {
            status = error_set(reterr_error, ERR_INVALID, "there is no expression \"%s\"", word);
        }
    }
    return status;
}

static bool matches(const struct find_pattern *pattern, struct slice name, struct arena *arena)
{
    if (pattern->is_any_case)
        name = lower(name, arena);
    for (size_t i = 0; i < pattern->count; i++) {
        if (glob_match(pattern->alternatives[i], name))
            return true;
    }
    return false;
}

static bool show_found(struct mrfs *mrfs,
                       struct slice path,
                       const struct dfs_file_status *file,
                       void *user)
{
    const struct find *find = user;
    struct arena *arena = arena_open(0);
    bool is_wanted = true;
    (void)mrfs;
    (void)file;
    for (size_t i = 0; i < find->patterns_count && is_wanted; i++)
        is_wanted = matches(&find->patterns[i], path_last_name(path), arena);
    if (is_wanted)
        printf("%.*s%c", SLICE_ARGS(path), find->end);
    arena_close(arena);
    return true;
}

static void find_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct dfs_file_status found;
    if (mrfs_status(mrfs, path, &found))
        mrfs_walk(mrfs, path, &found, PARENTS_FIRST, show_found, user);
}

void mrfs_find(struct mrfs *mrfs)
{
    struct find find = {.paths_count = 0};
    struct error error = {OK, ""};
    enum status status = parse_find(mrfs, &find, &error);
    if (status != OK)
        mrfs_complain(mrfs, slice_from_string("expression"), status, error.text);
    else if (find.paths_count == 0)
        find_path(mrfs, mrfs->home, &find);
    else
        mrfs_each(mrfs, 0, find.paths_count, find_path, &find);
}
