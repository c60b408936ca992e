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

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

enum {
    BLOCK_BYTES = 64
};

/* Eight bytes of text, the first in the low bits. */
static inline uint64_t load_eight(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof(eight));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight;
}

static inline void store_eight(char *at, uint64_t eight)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    memcpy(at, &eight, sizeof(eight));
}

/* The high bit of each byte that is a letter. */
static inline uint64_t letters(uint64_t eight)
{
    uint64_t lower = (eight | EACH_BYTE(0x20)) & EACH_BYTE(0x7f);
    uint64_t from_a = lower + EACH_BYTE(0x80 - 'a');
    uint64_t beyond_z = lower + EACH_BYTE(0x7f - 'z');
    return from_a & ~beyond_z & ~eight & EACH_BYTE(0x80);
}

/* The high bit of each byte that is none of space, \t, \n, \f and \r. */
static inline uint64_t not_spaces(uint64_t eight)
{
    uint64_t low = eight & EACH_BYTE(0x7f);
    uint64_t from_tab = low + EACH_BYTE(0x80 - '\t');
    uint64_t beyond_return = low + EACH_BYTE(0x7f - '\r');
    uint64_t not_vertical = (low ^ EACH_BYTE('\v')) + EACH_BYTE(0x7f);
    uint64_t not_blank = (low ^ EACH_BYTE(' ')) + EACH_BYTE(0x7f);
    uint64_t is_control = from_tab & ~beyond_return & not_vertical;
    return ((not_blank & ~is_control) | eight) & EACH_BYTE(0x80);
}

/* Gathers the eight high bits; the first byte's becomes the lowest. */
static inline uint64_t gather(uint64_t marks)
{
    return (marks >> 7) * UINT64_C(0x0102040810204080) >> 56;
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

/* readable: bytes of text from word on; more than the word's length, most of the time. */
static inline void emit_letters(struct mr_context *context,
                                const char *word,
                                size_t length,
                                size_t readable)
{
    struct words *words = (struct words *)context->user;
    if (length <= 16 && readable >= 16) {
        store_eight(words->word, load_eight(word) & EACH_BYTE(0xdf));
        store_eight(words->word + 8, load_eight(word + 8) & EACH_BYTE(0xdf));
    } else {
        if (!make_room(context, words, length))
            return;
        for (size_t i = 0; i < length; i++)
            words->word[i] = (char)(word[i] & 0xdf);
    }
    mr_emit_u64(context, mr_slice_make(words->word, length), 1);
}

static inline void emit_word(struct mr_context *context,
                             const char *word,
                             const char *word_end,
                             const char *end)
{
    const struct words *words = (const struct words *)context->user;
    if (words->is_letters)
        emit_letters(context, word, (size_t)(word_end - word), (size_t)(end - word));
    else
        mr_emit_u64(context, mr_slice_make(word, (size_t)(word_end - word)), 1);
}

/* One bit for each byte of a block; 1: it belongs to a word. */
static inline uint64_t words_in_block(const char *at, bool is_letters)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < BLOCK_BYTES / 8; i++) {
        uint64_t eight = load_eight(at + 8 * i);
        bits |= gather(is_letters ? letters(eight) : not_spaces(eight)) << (8 * i);
    }
    return bits;
}

/*
 * Finds words a block at a time: where the bits of neighbours differ, a word begins or ends. A test
 * of each byte would be mispredicted at each of these.
 */
static inline void count_words(struct mr_context *context,
                               const char *at,
                               const char *end,
                               bool is_letters)
{
    const char *word = NULL; /* begins there and has not ended yet */

    while (at < end) {
        char last[BLOCK_BYTES] = {0};
        const char *block = at;
        size_t bytes = (size_t)(end - at) < BLOCK_BYTES ? (size_t)(end - at) : BLOCK_BYTES;
        uint64_t bits;
        uint64_t edges;

        if (bytes < BLOCK_BYTES) {
            memset(last, ' ', sizeof(last)); /* no part of a word in either way */
            memcpy(last, at, bytes);
            block = last;
        }
        bits = words_in_block(block, is_letters);
        edges = bits ^ (bits << 1 | (word != NULL));
        if (word != NULL && edges != 0) {
            emit_word(context, word, at + __builtin_ctzll(edges), end);
            edges &= edges - 1;
            word = NULL;
        }
        while (edges != 0) {
            word = at + __builtin_ctzll(edges);
            edges &= edges - 1;
            if (edges == 0)
                break;
            emit_word(context, word, at + __builtin_ctzll(edges), end);
            edges &= edges - 1;
            word = NULL;
        }
        at += bytes;
    }
    if (word != NULL)
        emit_word(context, word, end, end);
}

/* No word goes over a line end, so runs of whole lines can be taken as they come. */
static void map_split(struct mr_context *context, struct mr_slice records)
{
    const struct words *words = (const struct words *)context->user;
    const char *end = records.data + records.length;
    if (words->is_letters)
        count_words(context, records.data, end, true);
    else
        count_words(context, records.data, end, false);
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
