/*
 * text.c - cleaning, cutting and quoting text of unknown origin.
 */
#include "lib/model/text.h"

#include <string.h>

#include "lib/base/arena.h"

/* U+FFFD in UTF-8. */
static const uint8_t replacement[3] = {0xef, 0xbf, 0xbd};

/* Length of the good character at the front of text (not empty), 0 when its first byte is bad. */
static size_t good_length(struct slice text)
{
    if (text.data[0] == '\0')
        return 0;
    size_t room = text.length < 4 ? text.length : 4;
    for (size_t length = 1; length <= room; length++) {
        if (slice_is_utf8(slice_sub(text, 0, length)))
            return length;
    }
    return 0;
}

bool text_is_clean(struct slice text)
{
    return slice_is_utf8(text) && slice_find(text, '\0') == text.length;
}

struct slice text_clean(struct slice text, struct arena *arena)
{
    if (text_is_clean(text))
        return text;
    uint8_t *clean = arena_new(arena, text.length * sizeof(replacement));
    size_t length = 0;
    size_t at = 0;
    while (at < text.length) {
        struct slice rest = slice_sub(text, at, text.length - at);
        size_t good = good_length(rest);
        const uint8_t *from = good > 0 ? rest.data : replacement;
        size_t count = good > 0 ? good : sizeof(replacement);
        memcpy(clean + length, from, count);
        length += count;
        at += good > 0 ? good : 1;
    }
    return slice_make(clean, length);
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

struct slice text_cut(struct slice text, size_t bytes_max)
{
    if (text.length <= bytes_max)
        return text;
    size_t length = bytes_max;
    while (length > 0 && is_continuation(text.data[length]))
        length--;
    return slice_sub(text, 0, length);
}

struct slice text_cut_front(struct slice text, size_t bytes_max)
{
    if (text.length <= bytes_max)
        return text;
    size_t from = text.length - bytes_max;
    while (from < text.length && is_continuation(text.data[from]))
        from++;
    return slice_sub(text, from, text.length - from);
}

struct text_quote text_quote(struct slice text)
{
    struct text_quote quote = {.text = "\""};
    static const char ending[] = "...\"";
    size_t room = sizeof(quote.text) - sizeof(ending);
    size_t length = 1;
    size_t at = 0;
    while (at < text.length) {
        struct slice rest = slice_sub(text, at, text.length - at);
        size_t good = good_length(rest);
        size_t count = good > 0 ? good : 1;
        if (length + count > room)
            break;
        if (good == 0 || rest.data[0] < 0x20 || rest.data[0] == 0x7f)
            quote.text[length] = '?';
        else
            memcpy(quote.text + length, rest.data, count);
        length += count;
        at += count;
    }
    const char *tail = at < text.length ? ending : "\"";
    memcpy(quote.text + length, tail, strlen(tail) + 1);
    return quote;
}
