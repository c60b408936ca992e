/*
 * wordcount.c - how often does each word occur? Output: word TAB count, by word.
 *
 *     mrsubmit wordcount.so -i TEXT -o COUNTS -r 4 [-D wordcount.tokens=letters]
 *
 * wordcount.tokens=space (default): words are what stands between spaces, tabs, form feeds and line
 * ends. wordcount.tokens=letters: words are the longest runs of A-Z and a-z, counted in upper case;
 * everything else separates.
 */
#include "mr/mr.h"

struct words {
    bool is_letters;
    char *word; /* upper case of the word at hand */
    size_t capacity;
};

static void setup(struct mr_context *context)
{
    const char *tokens = mr_parameter_string(context, "wordcount.tokens", "space");
    struct words *words;

    if (strcmp(tokens, "space") != 0 && strcmp(tokens, "letters") != 0) {
        mr_fail(context, "parameter wordcount.tokens=%s is neither space nor letters", tokens);
        return;
    }
    words = (struct words *)calloc(1, sizeof(*words));
    context->user = words;
    if (words == NULL) {
        mr_fail(context, "out of memory");
        return;
    }
    words->is_letters = strcmp(tokens, "letters") == 0;
    words->capacity = 256;
    words->word = (char *)malloc(words->capacity);
    if (words->word == NULL)
        mr_fail(context, "out of memory");
}

static void cleanup(struct mr_context *context)
{
    struct words *words = (struct words *)context->user;
    if (words == NULL)
        return;
    free(words->word);
    free(words);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static void count_between_spaces(struct mr_context *context, struct mr_slice records)
{
    const char *at = records.data;
    const char *end = at + records.length;

    while (at < end) {
        const char *begin;
        while (at < end && is_space(*at))
            at++;
        begin = at;
        while (at < end && !is_space(*at))
            at++;
        if (at > begin)
            mr_emit_u64(context, mr_slice_make(begin, (size_t)(at - begin)), 1);
    }
}

static bool is_letter(char c)
{
    return (unsigned)((c | 0x20) - 'a') < 26;
}

static bool make_room(struct mr_context *context, struct words *words, size_t length)
{
    char *word;
    if (length <= words->capacity)
        return true;
    word = (char *)realloc(words->word, length * 2);
    if (word == NULL) {
        mr_fail(context, "out of memory for a word of %zu letters", length);
        return false;
    }
    words->word = word;
    words->capacity = length * 2;
    return true;
}

static void count_letters(struct mr_context *context, struct words *words, struct mr_slice records)
{
    const char *at = records.data;
    const char *end = at + records.length;

    while (at < end) {
        size_t length = 0;
        while (at < end && !is_letter(*at))
            at++;
        while (at < end && is_letter(*at)) {
            if (length == words->capacity && !make_room(context, words, length + 1))
                return;
            words->word[length++] = (char)(*at++ & ~0x20);
        }
        if (length > 0)
            mr_emit_u64(context, mr_slice_make(words->word, length), 1);
    }
}

/* No word goes over a line end, so runs of whole lines can be taken as they come. */
static void map_split(struct mr_context *context, struct mr_slice records)
{
    struct words *words = (struct words *)context->user;
    if (words->is_letters)
        count_letters(context, words, records);
    else
        count_between_spaces(context, records);
}

static const struct mr_job job = {
    MR_JOB_HEADER,
    .name = "wordcount",
    .setup = setup,
    .cleanup = cleanup,
    .map_split = map_split,
    .value_type = MR_VALUE_U64,
    .aggregator = MR_AGGREGATE_SUM,
};

MR_JOB_EXPORT(job);
