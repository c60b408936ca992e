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

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Eight bytes of text, the first in the low bits. */
static uint64_t load_eight(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof(eight));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight;
}

static void store_eight(char *at, uint64_t eight)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    memcpy(at, &eight, sizeof(eight));
}

/* The high bit of each byte that is no letter. */
static uint64_t not_letters(uint64_t eight)
{
    uint64_t lower = (eight | EACH_BYTE(0x20)) & EACH_BYTE(0x7f);
    uint64_t from_a = lower + EACH_BYTE(0x80 - 'a');
    uint64_t beyond_z = lower + EACH_BYTE(0x7f - 'z');
    return (~from_a | beyond_z | eight) & EACH_BYTE(0x80);
}

/* How many bytes stand before the first one that is marked; 8 when none is. */
static size_t before_mark(uint64_t marks)
{
    return marks == 0 ? 8 : (size_t)__builtin_ctzll(marks) / 8;
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

/* The word that begins at `at`, eight letters at a time; returns where it ends. */
static const char *take_word(struct mr_context *context,
                             struct words *words,
                             const char *at,
                             const char *end,
                             size_t *ret_length)
{
    size_t length = 0;
    size_t taken;

    do {
        char last[8] = {0};
        const char *from = at;
        if (!make_room(context, words, length + 8))
            return end;
        if (end - at < 8) {
            memcpy(last, at, (size_t)(end - at)); /* zeros are no letters */
            from = last;
        }
        taken = before_mark(not_letters(load_eight(from)));
        store_eight(words->word + length, load_eight(from) & EACH_BYTE(0xdf));
        length += taken;
        at += taken;
    } while (taken == 8);
    *ret_length = length;
    return at;
}

/* Most words and what stands between them are told apart eight bytes at a time. */
static void count_letters(struct mr_context *context, struct words *words, struct mr_slice records)
{
    const char *at = records.data;
    const char *end = at + records.length;

    while (at < end) {
        size_t length = 0;
        uint64_t marks = end - at < 8 ? EACH_BYTE(0x80) : not_letters(load_eight(at));
        if (marks == EACH_BYTE(0x80) && end - at >= 8) {
            at += 8; /* no letter in sight */
            continue;
        }
        if (end - at >= 8 && (marks & 0x80) != 0) {
            at += before_mark(~marks & EACH_BYTE(0x80));
            continue;
        }
        at = take_word(context, words, at, end, &length);
        if (length > 0)
            mr_emit_u64(context, mr_slice_make(words->word, length), 1);
        at++; /* what ended the word is no letter */
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
