/*
 * conf_text.c - walks the lines of an ini text.
 */
#include "cli/conf_text.h"

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct slice trim(struct slice text)
{
    while (text.length > 0 && is_blank(text.data[0]))
        text = slice_sub(text, 1, text.length - 1);
    while (text.length > 0 && is_blank(text.data[text.length - 1]))
        text.length--;
    return text;
}

/* Takes one line, without its end, off the front of rest. */
static bool next_line(struct slice *rest, struct slice *ret_line)
{
    if (rest->length == 0)
        return false;
    size_t end = slice_find(*rest, '\n');
    *ret_line = slice_sub(*rest, 0, end);
    size_t skip = end < rest->length ? end + 1 : end;
    *rest = slice_sub(*rest, skip, rest->length - skip);
    return true;
}

enum status conf_text_split(const char *assignment,
                            struct slice *ret_name,
                            struct slice *ret_value,
                            struct error *reterr_error)
{
    struct slice whole = slice_from_string(assignment);
    size_t equals = slice_find(whole, '=');
    struct slice name = trim(slice_sub(whole, 0, equals));
    size_t dot = slice_find(name, '.');
    if (equals == whole.length || dot == 0 || dot + 1 >= name.length)
        return error_set(reterr_error, ERR_INVALID,
                         "\"%s\" is not section.name=value, like rm.node_lost_ms=10s", assignment);
    for (size_t i = 0; i < whole.length; i++) {
        if (whole.data[i] < 0x20 && !is_blank(whole.data[i]))
            return error_set(reterr_error, ERR_INVALID,
                             "a setting's value is one line, that of %.*s is not",
                             SLICE_ARGS(name));
    }
    *ret_name = name;
    *ret_value = trim(slice_sub(whole, equals + 1, whole.length - equals - 1));
    return OK;
}

/* Where a name's row is, and where one would go. */
struct place {
    bool is_found;
    bool has_section;
    struct slice value;
    struct slice line;  /* of the row */
    size_t section_end; /* offset behind the section's last row that is not blank */
};

static struct place find_place(struct slice text, struct slice name)
{
    struct place place = {.is_found = false};
    size_t dot = slice_find(name, '.');
    struct slice section = slice_sub(name, 0, dot);
    struct slice key = slice_sub(name, dot + 1, name.length - dot - 1);
    struct slice rest = text;
    struct slice line;
    bool is_inside = false;
    while (next_line(&rest, &line)) {
        struct slice row = trim(line);
        if (row.length == 0 || row.data[0] == ';' || row.data[0] == '#')
            continue;
        if (row.data[0] == '[') {
            size_t end = slice_find(row, ']');
            is_inside = slice_equal(slice_sub(row, 1, end - 1), section);
        }
        if (!is_inside)
            continue;
        place.has_section = true;
        place.section_end = text.length - rest.length;
        size_t equals = slice_find(row, '=');
        if (equals == row.length || !slice_equal(trim(slice_sub(row, 0, equals)), key))
            continue;
        place.is_found = true;
        place.line = line;
        place.value = trim(slice_sub(row, equals + 1, row.length - equals - 1));
        return place;
    }
    return place;
}

bool conf_text_get(struct slice text, struct slice name, struct slice *ret_value)
{
    struct place place = find_place(text, name);
    if (place.is_found)
        *ret_value = place.value;
    return place.is_found;
}

/* Ends the text with a newline, so that a row may follow. */
static enum status append_lines(struct buf *buf, struct slice text)
{
    enum status status = buf_append_slice(buf, text);
    if (status == OK && text.length > 0 && text.data[text.length - 1] != '\n')
        status = buf_append(buf, "\n", 1);
    return status;
}

enum status conf_text_set(struct slice text,
                          struct slice name,
                          struct slice value,
                          struct buf *ret_text)
{
    struct place place = find_place(text, name);
    size_t dot = slice_find(name, '.');
    struct slice key = slice_sub(name, dot + 1, name.length - dot - 1);
    size_t head = text.length; /* what stays before the row, and where the rest begins */
    size_t tail = text.length;
    if (place.is_found) {
        head = (size_t)(place.line.data - text.data);
        tail = head + place.line.length;
        tail += tail < text.length; /* its line end */
    } else if (place.has_section) {
        head = tail = place.section_end;
    }
    enum status status = append_lines(ret_text, slice_sub(text, 0, head));
    if (status == OK && !place.has_section)
        status = buf_append_format(ret_text, "%s[%.*s]\n", text.length > 0 ? "\n" : "", (int)dot,
                                   (const char *)name.data);
    if (status == OK)
        status = buf_append_format(ret_text, "%.*s = %.*s\n", SLICE_ARGS(key), SLICE_ARGS(value));
    if (status == OK)
        status = buf_append_slice(ret_text, slice_sub(text, tail, text.length - tail));
    return status;
}
