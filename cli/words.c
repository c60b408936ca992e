/*
 * words.c - see words.h.
 */
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/base/slice.h"
#include "lib/model/text.h"

static bool has_name(const struct words_option *option, struct slice name)
{
    struct slice names = slice_from_string(option->names);
    while (names.length > 0) {
        size_t space = slice_find(names, ' ');
        if (slice_equal(slice_sub(names, 0, space), name))
            return true;
        size_t taken = space < names.length ? space + 1 : space;
        names = slice_sub(names, taken, names.length - taken);
    }
    return false;
}

static const struct words_option *find_option(const struct words_option *const *tables,
                                              struct slice name)
{
    for (; *tables != NULL; tables++) {
        for (const struct words_option *option = *tables; option->names != NULL; option++) {
            if (name.length > 0 && has_name(option, name))
                return option;
        }
    }
    return NULL;
}

struct parser {
    const char *const *next;
    const char *const *end;
    const struct words_option *const *tables;
    struct words *words;
    struct error *reterr_error;
};

static enum status take_option(struct parser *parser,
                               const struct words_option *option,
                               struct slice name,
                               const char *value)
{
    struct words *words = parser->words;
    CHECK(option->key > 0 && option->key < WORDS_KEYS);
    if (option->argument == NULL && value != NULL)
        return error_set(parser->reterr_error, ERR_INVALID, "the option %s takes no argument",
                         text_quote(name).text);
    if (option->argument != NULL && value == NULL) {
        if (parser->next == parser->end)
            return error_set(parser->reterr_error, ERR_INVALID,
                             "the option %s needs an argument: %s", text_quote(name).text,
                             option->argument);
        value = *parser->next++;
    }
    words->flags[option->key] = true;
    words->values[option->key] = value;
    return OK;
}

/* "-Rh": true when each letter is an option without an argument; then they are taken. */
static bool take_letters(struct parser *parser, struct slice letters)
{
    for (size_t i = 0; i < letters.length; i++) {
        const struct words_option *option = find_option(parser->tables, slice_sub(letters, i, 1));
        if (option == NULL || option->argument != NULL)
            return false;
    }
    for (size_t i = 0; i < letters.length; i++)
        parser->words->flags[find_option(parser->tables, slice_sub(letters, i, 1))->key] = true;
    return letters.length > 0;
}

static enum status take_word(struct parser *parser, const char *word, enum words_unknown unknown)
{
    bool is_long = word[1] == '-';
    const char *text = word + (is_long ? 2 : 1);
    struct slice name = slice_from_string(text);
    const struct words_option *option = find_option(parser->tables, name);
    if (option != NULL)
        return take_option(parser, option, slice_from_string(word), NULL);
    size_t equals = slice_find(name, '=');
    if (equals < name.length) {
        option = find_option(parser->tables, slice_sub(name, 0, equals));
        if (option != NULL)
            return take_option(parser, option, slice_make(word, equals + (is_long ? 2 : 1)),
                               text + equals + 1);
    }
    if (!is_long && take_letters(parser, name))
        return OK;
    if (unknown == WORDS_ARGUMENT) {
        parser->words->arguments[parser->words->count++] = word;
        return OK;
    }
    return error_set(parser->reterr_error, ERR_INVALID, "there is no option %s",
                     text_quote(slice_from_string(word)).text);
}

enum status words_parse(const char *const *arguments,
                        size_t count,
                        const struct words_option *const *tables,
                        enum words_unknown unknown,
                        struct arena *arena,
                        struct words *ret_words,
                        struct error *reterr_error)
{
    struct words words = {.arguments = ARENA_ARRAY(arena, const char *, count + 1)};
    struct parser parser = {
        .next = arguments,
        .end = arguments + count,
        .tables = tables,
        .words = &words,
        .reterr_error = reterr_error,
    };
    bool is_over = false;
    enum status status = OK;
    while (parser.next < parser.end && status == OK) {
        const char *word = *parser.next++;
        if (!is_over && strcmp(word, "--") == 0)
            is_over = true;
        else if (is_over || word[0] != '-' || word[1] == 0)
            words.arguments[words.count++] = word;
        else
            status = take_word(&parser, word, unknown);
    }
    if (status == OK)
        *ret_words = words;
    return status;
}

void words_print_options(const struct words_option *options)
{
    for (; options->names != NULL; options++) {
        struct error left = {OK, ""};
        size_t used = 0;
        char text[80] = "";
        for (const char *name = options->names; *name != 0 && used < sizeof(text);) {
            size_t length = strcspn(name, " ");
            int wrote = snprintf(text + used, sizeof(text) - used, "%s-%.*s", used > 0 ? ", " : "",
                                 (int)length, name);
            used += wrote > 0 ? (size_t)wrote : 0;
            name += length + (name[length] == ' ' ? 1 : 0);
        }
        status_ignore(error_set(&left, OK, "%s%s%s", text, options->argument != NULL ? " " : "",
                                options->argument != NULL ? options->argument : ""));
        printf("  %-28s %s\n", left.text, options->purpose);
    }
}
