/*
 * glob.c - braces are written out first; what is left is matched name by name.
 */
#include "cli/glob.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

static bool is_special(uint8_t byte)
{
    return byte != 0 && strchr("*?[]{},^-\\", byte) != NULL;
}

/* True at a backslash that escapes the byte after it. */
static bool is_escape(struct slice text, size_t at)
{
    return text.data[at] == '\\' && at + 1 < text.length && is_special(text.data[at + 1]);
}

bool glob_is_pattern(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (is_escape(text, i))
            i++;
        else if (strchr("*?[{", text.data[i]) != NULL && text.data[i] != 0)
            return true;
    }
    return false;
}

struct slice glob_unescape(struct slice pattern, struct arena *arena)
{
    uint8_t *text = arena_new(arena, pattern.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < pattern.length; i++) {
        if (is_escape(pattern, i))
            i++;
        text[length++] = pattern.data[i];
    }
    return slice_make(text, length);
}

struct slice glob_escape(struct slice text, struct arena *arena)
{
    uint8_t *pattern = arena_new(arena, 2 * text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (is_special(text.data[i]))
            pattern[length++] = '\\';
        pattern[length++] = text.data[i];
    }
    return slice_make(pattern, length);
}

/* --- braces ------------------------------------------------------------------------------------
 */

struct expansion {
    struct arena *arena;
    struct slice *done;
    size_t count;
    size_t capacity;
    struct error *reterr_error;
};

/* The first brace that opens, or the length; what stands in [ ] is no brace. */
static size_t find_brace(struct slice text)
{
    bool is_class = false;
    for (size_t i = 0; i < text.length; i++) {
        if (is_escape(text, i))
            i++;
        else if (text.data[i] == '[')
            is_class = true;
        else if (text.data[i] == ']')
            is_class = false;
        else if (text.data[i] == '{' && !is_class)
            return i;
    }
    return text.length;
}

/* From the byte after an open brace: where its next comma, or its end, stands; the length if none.
 */
static size_t find_separator(struct slice text, size_t from)
{
    size_t depth = 0;
    bool is_class = false;
    for (size_t i = from; i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (is_escape(text, i)) {
            i++;
        } else if (is_class || byte == '[') {
            is_class = byte != ']';
        } else if (byte == '{') {
            depth++;
        } else if (depth == 0 && (byte == ',' || byte == '}')) {
            return i;
        } else if (byte == '}') {
            depth--;
        }
    }
    return text.length;
}

static enum status add_pattern(struct expansion *expansion, struct slice text)
{
    if (expansion->count == GLOB_ALTERNATIVES_MAX)
        return error_set(expansion->reterr_error, ERR_LIMIT,
                         "the braces stand for more than %d names", GLOB_ALTERNATIVES_MAX);
    expansion->done = mem_reserve(expansion->done, expansion->count, &expansion->capacity,
                                  sizeof(*expansion->done));
    expansion->done[expansion->count++] = arena_copy(expansion->arena, text);
    return OK;
}

/* Each call takes one brace away, so its depth is bounded by braces_left. */
static enum status expand_text(struct expansion *expansion, struct slice text, unsigned braces_left)
{
    size_t open = find_brace(text);
    if (open == text.length)
        return add_pattern(expansion, text);
    if (braces_left == 0)
        return error_set(expansion->reterr_error, ERR_LIMIT, "too many braces");
    size_t end = open;
    do {
        end = find_separator(text, end + 1);
    } while (end < text.length && text.data[end] == ',');
    if (end == text.length)
        return error_set(expansion->reterr_error, ERR_INVALID, "a { is not closed");
    enum status status = OK;
    for (size_t from = open + 1; from <= end && status == OK;) {
        size_t to = find_separator(text, from);
        struct buf one = {0};
        CHECK(buf_append(&one, text.data, open) == OK &&
              buf_append(&one, text.data + from, to - from) == OK &&
              buf_append(&one, text.data + end + 1, text.length - end - 1) == OK);
        status = expand_text(expansion, buf_slice(&one), braces_left - 1);
        buf_close(&one);
        from = to + 1;
    }
    return status;
}

enum status glob_expand(struct slice pattern,
                        struct arena *arena,
                        struct slice **ret_patterns,
                        size_t *ret_count,
                        struct error *reterr_error)
{
    enum {
        BRACES_MAX = 64
    };
    struct expansion expansion = {.arena = arena, .reterr_error = reterr_error};
    enum status status = expand_text(&expansion, pattern, BRACES_MAX);
    if (status == OK) {
        *ret_patterns = ARENA_ARRAY(arena, struct slice, expansion.count);
        memcpy(*ret_patterns, expansion.done, expansion.count * sizeof(struct slice));
        *ret_count = expansion.count;
    }
    mem_free(expansion.done);
    return status;
}

/* --- one name ----------------------------------------------------------------------------------
 */

/* Takes one character off the front; a byte that begins none counts as one. */
static uint32_t next_character(struct slice text, size_t *at)
{
    uint8_t first = text.data[(*at)++];
    if (first < 0xc0)
        return first;
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    uint32_t character = first & (0x3fu >> more);
    while (more > 0 && *at < text.length && (text.data[*at] & 0xc0) == 0x80) {
        character = character << 6 | (text.data[(*at)++] & 0x3fu);
        more--;
    }
    return character;
}

static uint32_t next_literal(struct slice pattern, size_t *at)
{
    if (is_escape(pattern, *at))
        (*at)++;
    return next_character(pattern, at);
}

/*
 * Reads the class that begins behind a [ at *at and moves *at behind its ]. ERR_INVALID when it is
 * not closed or a range runs backwards.
 */
static enum status read_class(struct slice pattern,
                              size_t *at,
                              uint32_t character,
                              bool *ret_matches)
{
    bool is_negated = false;
    bool has_matched = false;
    bool is_first = true;
    if (*at < pattern.length && (pattern.data[*at] == '^' || pattern.data[*at] == '!')) {
        is_negated = true;
        (*at)++;
    }
    while (*at < pattern.length && (is_first || pattern.data[*at] != ']')) {
        is_first = false;
        uint32_t from = next_literal(pattern, at);
        uint32_t to = from;
        if (*at + 1 < pattern.length && pattern.data[*at] == '-' && pattern.data[*at + 1] != ']') {
            (*at)++;
            to = next_literal(pattern, at);
        }
        if (to < from)
            return ERR_INVALID;
        has_matched = has_matched || (character >= from && character <= to);
    }
    if (*at >= pattern.length)
        return ERR_INVALID;
    (*at)++;
    *ret_matches = has_matched != is_negated;
    return OK;
}

enum status glob_check(struct slice pattern, struct error *reterr_error)
{
    for (size_t at = 0; at < pattern.length;) {
        bool ignored;
        if (pattern.data[at] == '[') {
            at++;
            if (read_class(pattern, &at, 0, &ignored) != OK)
                return error_set(reterr_error, ERR_INVALID,
                                 "a [ is not closed, or has a range that runs backwards");
        } else {
            (void)next_literal(pattern, &at); /* only *at matters */
        }
    }
    return OK;
}

/* Matches one character of name against one element of pattern that is no star. */
static bool match_one(struct slice pattern, size_t *at, struct slice name, size_t *name_at)
{
    uint32_t character = next_character(name, name_at);
    if (pattern.data[*at] == '?') {
        (*at)++;
        return true;
    }
    if (pattern.data[*at] != '[')
        return next_literal(pattern, at) == character;
    (*at)++;
    bool matches = false;
    return read_class(pattern, at, character, &matches) == OK && matches;
}

/* On a mismatch only the last star takes one more character: pattern x name steps at most. */
bool glob_match(struct slice pattern, struct slice name)
{
    size_t at = 0;
    size_t name_at = 0;
    bool has_star = false;
    size_t behind_star = 0;
    size_t star_name = 0;
    while (name_at < name.length || at < pattern.length) {
        if (at < pattern.length && pattern.data[at] == '*') {
            has_star = true;
            behind_star = ++at;
            star_name = name_at;
            continue;
        }
        if (at < pattern.length && name_at < name.length && match_one(pattern, &at, name, &name_at))
            continue;
        if (!has_star || star_name >= name.length)
            return false;
        (void)next_character(name, &star_name); /* the star takes it */
        at = behind_star;
        name_at = star_name;
    }
    return true;
}
