/*
 * fuzz_names.c - any bytes as what people type: paths, patterns, modes, times, command lines. Each
 * is understood or refused in a sentence, and what was understood holds what its header says.
 *
 * The input is split at NUL bytes: each piece is a word, the first also a pattern, the second a
 * name.
 *
 * In a build folder, after make:
 *     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -g -O1 -I. -I<source> \
 *         <source>/tests/fuzz/fuzz_names.c <source>/cli/{glob,words,file_mode,file_text}.c \
 *         <source>/lib/{os,model,base}/[a-z]*.c lib/model/messages.c \
 *         -lxxhash -lisal -lpthread -o fuzz_names
 *     ./fuzz_names -max_len=1000 <source>/tests/fuzz/corpus/names
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/file_mode.h"
#include "cli/file_text.h"
#include "cli/glob.h"
#include "cli/words.h"
#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/model/limits.h"
#include "lib/model/messages.h"
#include "lib/model/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    WORDS_MAX = 32,
    STEPS_MAX = 10000,
    ALTERNATIVES_TRIED = 50 /* of thousands: their number is not what makes matching hard */
};

static const struct words_option options[] = {
    {"r R recursive", 'r', NULL, "x" },
    {"f",             'f', NULL, "x" },
    {"skipTrash",     1,   NULL, "x" },
    {"c count",       'c', "N",  "x" },
    {"block-size",    2,   "N",  "x" },
    {NULL,            0,   NULL, NULL},
};

static void try_path(struct slice text, struct arena *arena)
{
    struct slice path;
    struct slice again;
    struct slice rest;
    struct slice name;
    struct error error = {OK, ""};
    if (path_normalise(text, arena, &path, &error) != OK) {
        CHECK(error.text[0] != 0);
        return;
    }
    CHECK(path_check(path, NULL) == OK && path.length <= LIMIT_PATH_BYTES);
    CHECK(path_normalise(path, arena, &again, NULL) == OK && slice_equal(path, again));
    CHECK(path_depth(path) <= LIMIT_PATH_DEPTH && path_is_within(path, path_directory(path)));
    rest = path;
    for (size_t i = 0; path_next_name(&rest, &name); i++)
        CHECK(i < path_depth(path) && path_check_name(name, NULL) == OK);
    if (!path_is_root(path))
        CHECK(slice_equal(path_append(path_directory(path), path_last_name(path), arena), path));
}

/* What a star may stand for is tried in full: slow, and not the code under test. */
static bool is_plainly_matched(struct slice pattern, struct slice name, unsigned *steps)
{
    if (++*steps > STEPS_MAX)
        return false;
    if (pattern.length == 0)
        return name.length == 0;
    struct slice rest = slice_sub(pattern, 1, pattern.length - 1);
    if (pattern.data[0] == '*') {
        for (size_t i = 0; i <= name.length; i++) {
            if (is_plainly_matched(rest, slice_sub(name, i, name.length - i), steps))
                return true;
        }
        return false;
    }
    return name.length > 0 && (pattern.data[0] == '?' || pattern.data[0] == name.data[0]) &&
           is_plainly_matched(rest, slice_sub(name, 1, name.length - 1), steps);
}

static bool is_simple(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] >= 0x80 || strchr("[\\", text.data[i]) != NULL)
            return false;
    }
    return true;
}

static void try_pattern(struct slice pattern, struct slice name, struct arena *arena)
{
    struct slice *patterns = NULL;
    size_t count = 0;
    unsigned steps = 0; /* of all patterns together: a thousand inputs a second, still */
    struct error error = {OK, ""};
    struct slice escaped = glob_escape(name, arena);
    CHECK(!glob_is_pattern(escaped) && slice_equal(glob_unescape(escaped, arena), name));
    CHECK(glob_check(escaped, NULL) == OK && glob_match(escaped, name));
    CHECK(glob_match(slice_from_string("*"), name));
    if (glob_expand(pattern, arena, &patterns, &count, &error) != OK) {
        CHECK(error.text[0] != 0);
        return;
    }
    CHECK(count >= 1 && count <= GLOB_ALTERNATIVES_MAX);
    for (size_t i = 0; i < count && i < ALTERNATIVES_TRIED; i++) {
        if (glob_check(patterns[i], &error) != OK)
            continue;
        bool is_match = glob_match(patterns[i], name);
        if (!is_simple(patterns[i]) || !is_simple(name))
            continue;
        bool is_plain_match = is_plainly_matched(patterns[i], name, &steps);
        CHECK(is_match == is_plain_match || steps > STEPS_MAX);
    }
}

static void try_mode_and_time(struct slice text)
{
    struct file_mode_change change;
    struct error error = {OK, ""};
    uint64_t wall_ms = 0;
    if (file_mode_parse(text, &change, &error) == OK) {
        for (uint32_t mode = 0; mode <= 01777; mode += 7)
            CHECK(file_mode_apply(&change, mode, (mode & 1) != 0) <= 01777);
    } else {
        CHECK(error.text[0] != 0);
    }
    if (!file_text_parse_time(text, &wall_ms))
        return;
    struct cli_word shown = file_text_time(wall_ms, true); /* 2026-01-31 10:00:00 */
    char back[16];
    (void)snprintf(back, sizeof(back), "%.4s%.2s%.2s:%.2s%.2s%.2s", shown.text, shown.text + 5,
                   shown.text + 8, shown.text + 11, shown.text + 14, shown.text + 17);
    CHECK(slice_equal_string(text, back));
}

static void try_words(const char *const *words, size_t count, struct arena *arena)
{
    const struct words_option *tables[] = {options, NULL};
    struct words found;
    struct error error = {OK, ""};
    if (words_parse(words, count, tables, WORDS_REFUSE, arena, &found, &error) != OK) {
        CHECK(error.text[0] != 0);
        CHECK(words_parse(words, count, tables, WORDS_ARGUMENT, arena, &found, NULL) == OK ||
              error.status == ERR_INVALID);
        return;
    }
    CHECK(found.count <= count && found.arguments[found.count] == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open(0);
    struct slice rest = arena_copy(arena, slice_make(data, size)); /* a NUL follows */
    const char *words[WORDS_MAX];
    size_t count = 0;
    while (count < WORDS_MAX) {
        size_t end = slice_find(rest, 0);
        words[count++] = (const char *)rest.data;
        if (end == rest.length)
            break;
        rest = slice_sub(rest, end + 1, rest.length - end - 1);
    }
    struct slice first = slice_from_string(words[0]);
    try_path(first, arena);
    try_mode_and_time(first);
    try_pattern(first, slice_from_string(words[count > 1 ? 1 : 0]), arena);
    try_words(words, count, arena);
    struct buf text = {0};
    const struct dfs_file_status file = {.length = 1};
    file_text_format(first, slice_from_string("/a/b"), &file, &text);
    buf_close(&text);
    arena_close(arena);
    return 0;
}
