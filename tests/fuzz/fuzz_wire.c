/*
 * fuzz_wire.c - any bytes as any message: the first byte chooses the type, the rest is unpacked;
 * what is accepted must pack again and come back equal.
 */
#include <stddef.h>
#include <stdint.h>

#include "lib/base/check.h"
#include "lib/model/messages.h"
#include "lib/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct message_type *type = message_types[data[0] % MESSAGE_TYPE_COUNT];
    struct arena *arena = arena_open(0);
    struct buf bytes = {0};
    void *message = NULL;
    void *again = NULL;
    if (wire_unpack(type, slice_make(data + 1, size - 1), arena, &message, NULL) == OK) {
        CHECK(wire_pack(type, message, &bytes, NULL) == OK);
        CHECK(wire_unpack(type, buf_slice(&bytes), arena, &again, NULL) == OK);
        CHECK(message_equal(type, message, again));
    }
    buf_close(&bytes);
    arena_close(arena);
    return 0;
}
