/*
 * output.c - pairs to text, gathered into large pieces for the sink.
 */
#include "mr/core/output.h"

#include <inttypes.h>
#include <stdio.h>

void output_open(struct output *output, enum mr_output format, struct byte_sink sink)
{
    *output = (struct output){.sink = sink, .format = format};
}

enum status output_flush(struct output *output, struct error *reterr_error)
{
    enum status status = OK;
    if (output->pending.length > 0)
        status = output->sink.append(output->sink.user, buf_slice(&output->pending), reterr_error);
    buf_clear(&output->pending);
    return status;
}

static uint8_t *put(uint8_t *at, struct slice bytes)
{
    if (bytes.length > 0)
        memcpy(at, bytes.data, bytes.length);
    return at + bytes.length;
}

enum status output_add(struct output *output,
                       struct slice key,
                       struct slice value,
                       struct error *reterr_error)
{
    size_t before = output->pending.length;
    uint8_t *at;
    enum status status = buf_reserve(&output->pending, key.length + value.length + 3);

    if (status != OK)
        return error_set(reterr_error, status, "write output: %s", status_sentence(status));
    at = put(output->pending.data + before, key);
    if (output->format == MR_OUTPUT_TEXT && key.data != NULL && value.data != NULL)
        *at++ = '\t';
    at = put(at, value);
    if (output->format == MR_OUTPUT_TEXT)
        *at++ = '\n';
    *at = 0; /* what struct buf promises; the room is there */
    output->pending.length = (size_t)(at - output->pending.data);
    output->bytes += output->pending.length - before;
    output->records++;
    return output->pending.length >= OUTPUT_FLUSH_BYTES ? output_flush(output, reterr_error) : OK;
}

void output_close(struct output *output)
{
    buf_close(&output->pending);
}

static struct slice decimal(uint64_t number, bool is_negative, char *room)
{
    char *end = room + OUTPUT_NUMBER_BYTES;
    char *at = end;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (is_negative)
        *--at = '-';
    return slice_make(at, (size_t)(end - at));
}

struct slice output_number(enum mr_value_type type, uint64_t bits, char *room)
{
    double number;
    int length;

    if (type == MR_VALUE_I64)
        return decimal(bits >> 63 ? UINT64_C(0) - bits : bits, (bits >> 63) != 0, room);
    if (type != MR_VALUE_F64)
        return decimal(bits, false, room);
    memcpy(&number, &bits, sizeof(number));
    /* The shortest of the two that reads back as the same double. */
    length = snprintf(room, OUTPUT_NUMBER_BYTES, "%.15g", number);
    if (strtod(room, NULL) != number)
        length = snprintf(room, OUTPUT_NUMBER_BYTES, "%.17g", number);
    return slice_make(room, (size_t)length);
}
