/*
 * file_mode.c - octal modes are one clause that sets everything.
 */
#include "cli/file_mode.h"

#include <string.h>

static enum status bad_mode(struct error *reterr_error)
{
    return error_set(reterr_error, ERR_INVALID,
                     "a mode is an octal number from 0 to 1777, or like u=rwx,g+w,o-rwx,+t");
}

static bool parse_octal(struct slice text, uint32_t *ret_mode)
{
    uint32_t mode = 0;
    if (text.length < 1 || text.length > 5)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '7')
            return false;
        mode = mode * 8 + (uint32_t)(text.data[i] - '0');
    }
    *ret_mode = mode;
    return mode <= 01777;
}

static bool parse_who(struct slice text, size_t *at, uint32_t *ret_who)
{
    uint32_t who = 0;
    for (; *at < text.length; (*at)++) {
        uint8_t byte = text.data[*at];
        if (byte == 'u')
            who |= 0700;
        else if (byte == 'g')
            who |= 0070;
        else if (byte == 'o')
            who |= 0007;
        else if (byte == 'a')
            who |= 0777;
        else
            break;
    }
    *ret_who = who != 0 ? who : 0777;
    return *at < text.length;
}

/* "u=rwx"; one who may have several operations: "u+r-w". */
static bool parse_clauses(struct slice text, struct file_mode_change *change)
{
    size_t at = 0;
    uint32_t who = 0;
    if (!parse_who(text, &at, &who))
        return false;
    while (at < text.length) {
        if (change->count == FILE_MODE_CLAUSES_MAX || strchr("+-=", text.data[at]) == NULL)
            return false;
        struct file_mode_clause *clause = &change->clauses[change->count++];
        *clause = (struct file_mode_clause){.operation = (char)text.data[at++], .who = who};
        for (; at < text.length && strchr("+-=", text.data[at]) == NULL; at++) {
            switch (text.data[at]) {
            case 'r':
                clause->bits |= 0444;
                break;
            case 'w':
                clause->bits |= 0222;
                break;
            case 'x':
                clause->bits |= 0111;
                break;
            case 'X':
                clause->is_x_folder = true;
                break;
            case 't':
                clause->bits |= 01000;
                break;
            default:
                return false;
            }
        }
    }
    return true;
}

enum status file_mode_parse(struct slice text,
                            struct file_mode_change *ret_change,
                            struct error *reterr_error)
{
    struct file_mode_change change = {.count = 0};
    uint32_t mode = 0;
    if (parse_octal(text, &mode)) {
        change.count = 1;
        change.clauses[0] = (struct file_mode_clause){.operation = '=', .who = 01777, .bits = mode};
        *ret_change = change;
        return OK;
    }
    if (text.length == 0 || memchr(text.data, 0, text.length) != NULL)
        return bad_mode(reterr_error);
    while (text.length > 0) {
        size_t comma = slice_find(text, ',');
        if (!parse_clauses(slice_sub(text, 0, comma), &change))
            return bad_mode(reterr_error);
        if (comma + 1 == text.length)
            return bad_mode(reterr_error);
        text = comma < text.length ? slice_sub(text, comma + 1, text.length - comma - 1)
                                   : (struct slice){0};
    }
    *ret_change = change;
    return OK;
}

uint32_t file_mode_apply(const struct file_mode_change *change, uint32_t mode, bool is_directory)
{
    uint32_t old = mode;
    for (size_t i = 0; i < change->count; i++) {
        const struct file_mode_clause *clause = &change->clauses[i];
        uint32_t bits = clause->bits;
        if (clause->is_x_folder && (is_directory || (old & 0111) != 0))
            bits |= 0111;
        /* The sticky bit is everybody's: "+t" and "o+t" set it, "u=rwx" leaves it. */
        uint32_t reach = clause->who | (bits & 01000);
        bits &= reach;
        if (clause->operation == '+')
            mode |= bits;
        else if (clause->operation == '-')
            mode &= ~bits;
        else
            mode = (mode & ~reach) | bits;
    }
    return mode;
}

void file_mode_format(uint32_t mode, bool is_directory, char ret_text[FILE_MODE_TEXT_BYTES])
{
    static const char letters[] = "rwxrwxrwx";
    ret_text[0] = is_directory ? 'd' : '-';
    for (unsigned i = 0; i < 9; i++)
        ret_text[i + 1] = (char)((mode >> (8 - i)) & 1 ? letters[i] : '-');
    if ((mode & 01000) != 0)
        ret_text[9] = (char)((mode & 1) != 0 ? 't' : 'T');
    ret_text[10] = 0;
}
