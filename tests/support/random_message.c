/*
 * random_message.c - random but valid values by descriptor.
 */
#include "tests/support/random_message.h"

#include <string.h>

enum {
    ELEMENTS_MAX = 3,
    CHARACTERS_MAX = 12
};

/* One character of each length that UTF-8 has, and what quoting and escaping trip over. */
static const char *const characters[] = {
    "a", "Z",    "/",    "\"",       "\\",           "\n",
    " ", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

static struct slice random_text(struct rng *rng, struct arena *arena)
{
    size_t count = (size_t)rng_below(rng, CHARACTERS_MAX + 1);
    uint8_t *text = arena_new(arena, count * 4 + 1);
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        const char *character =
            characters[rng_below(rng, sizeof(characters) / sizeof(characters[0]))];
        memcpy(text + length, character, strlen(character));
        length += strlen(character);
    }
    return slice_make(text, length);
}

/* Small numbers, full ones and the largest. */
static uint64_t random_number(struct rng *rng)
{
    switch (rng_below(rng, 3)) {
    case 0:
        return rng_below(rng, 300);
    case 1:
        return rng_u64(rng);
    default:
        return UINT64_MAX;
    }
}

static void fill_message(const struct message_type *type,
                         struct rng *rng,
                         struct arena *arena,
                         uint8_t *message);

static void fill_element(const struct message_field *field,
                         struct rng *rng,
                         struct arena *arena,
                         uint8_t *element)
{
    uint64_t number = random_number(rng);
    uint32_t small = (uint32_t)number;
    bool truth = (number & 1) != 0;
    double real = (double)number / 7 - 1000;
    float small_real = (float)real;
    struct slice text;
    switch (field->kind) {
    case FIELD_BOOL:
        memcpy(element, &truth, sizeof(truth));
        break;
    case FIELD_ENUM:
        small %= field->enumeration->count;
        memcpy(element, &small, sizeof(small));
        break;
    case FIELD_INT32:
    case FIELD_UINT32:
        memcpy(element, &small, sizeof(small));
        break;
    case FIELD_INT64:
    case FIELD_UINT64:
        memcpy(element, &number, sizeof(number));
        break;
    case FIELD_FLOAT:
        memcpy(element, &small_real, sizeof(small_real));
        break;
    case FIELD_DOUBLE:
        memcpy(element, &real, sizeof(real));
        break;
    case FIELD_STRING:
    case FIELD_BYTES:
        text = random_text(rng, arena);
        memcpy(element, &text, sizeof(text));
        break;
    case FIELD_MESSAGE:
        fill_message(field->subtype, rng, arena, element);
        break;
    case FIELD_KIND_COUNT:
        break;
    }
}

static void fill_message(const struct message_type *type,
                         struct rng *rng,
                         struct arena *arena,
                         uint8_t *message)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct message_field *field = &type->fields[i];
        if (rng_below(rng, 4) == 0)
            continue;
        if (!field->is_repeated) {
            fill_element(field, rng, arena, message + field->offset);
            continue;
        }
        size_t count = (size_t)rng_below(rng, ELEMENTS_MAX + 1);
        size_t size = message_field_size(field);
        uint8_t *elements = arena_new(arena, count * size + 1);
        for (size_t j = 0; j < count; j++)
            fill_element(field, rng, arena, elements + j * size);
        memcpy(message + field->offset, &elements, sizeof(elements));
        memcpy(message + field->count_offset, &count, sizeof(count));
    }
}

void *random_message(const struct message_type *type, struct rng *rng, struct arena *arena)
{
    void *message = arena_new(arena, type->size);
    fill_message(type, rng, arena, message);
    return message;
}
