/*
 * rpc_common.c - tags, channel arguments, slices and codes for both sides of
 * rpc.h.
 */
#include "lib/net/rpc_common.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

struct code_row {
    enum status status;
    enum rpc_code code;
};

/* One row per status, in the order of status.h. */
static const struct code_row code_table[] = {
    {OK,                  RPC_OK                 },
    {ERR_INVALID,         RPC_INVALID_ARGUMENT   },
    {ERR_NOT_FOUND,       RPC_NOT_FOUND          },
    {ERR_EXISTS,          RPC_ALREADY_EXISTS     },
    {ERR_NOT_DIRECTORY,   RPC_FAILED_PRECONDITION},
    {ERR_IS_DIRECTORY,    RPC_FAILED_PRECONDITION},
    {ERR_NOT_EMPTY,       RPC_FAILED_PRECONDITION},
    {ERR_DENIED,          RPC_PERMISSION_DENIED  },
    {ERR_UNAUTHENTICATED, RPC_UNAUTHENTICATED    },
    {ERR_NO_MEMORY,       RPC_RESOURCE_EXHAUSTED },
    {ERR_LIMIT,           RPC_RESOURCE_EXHAUSTED },
    {ERR_NO_SPACE,        RPC_RESOURCE_EXHAUSTED },
    {ERR_NO_NODES,        RPC_RESOURCE_EXHAUSTED },
    {ERR_IO,              RPC_INTERNAL           },
    {ERR_CORRUPT,         RPC_DATA_LOSS          },
    {ERR_UNAVAILABLE,     RPC_UNAVAILABLE        },
    {ERR_DEADLINE,        RPC_DEADLINE_EXCEEDED  },
    {ERR_CANCELLED,       RPC_CANCELLED          },
    {ERR_STALE,           RPC_ABORTED            },
    {ERR_FENCED,          RPC_ABORTED            },
    {ERR_BAD_TRANSITION,  RPC_FAILED_PRECONDITION},
    {ERR_SAFE_MODE,       RPC_UNAVAILABLE        },
    {ERR_BUSY,            RPC_RESOURCE_EXHAUSTED },
    {ERR_UNSUPPORTED,     RPC_UNIMPLEMENTED      },
    {ERR_QUOTA,           RPC_RESOURCE_EXHAUSTED },
    {ERR_INTERNAL,        RPC_INTERNAL           },
};

_Static_assert(sizeof(code_table) / sizeof(code_table[0]) == STATUS_COUNT, "one row per status");

enum rpc_code rpc_code_from_status(enum status status)
{
    CHECK((unsigned)status < STATUS_COUNT);
    CHECK(code_table[status].status == status);
    return code_table[status].code;
}

enum status rpc_code_status(enum rpc_code code)
{
    switch (code) {
    case RPC_OK:
        return OK;
    case RPC_CANCELLED:
        return ERR_CANCELLED;
    case RPC_INVALID_ARGUMENT:
    case RPC_OUT_OF_RANGE:
        return ERR_INVALID;
    case RPC_DEADLINE_EXCEEDED:
        return ERR_DEADLINE;
    case RPC_NOT_FOUND:
        return ERR_NOT_FOUND;
    case RPC_ALREADY_EXISTS:
        return ERR_EXISTS;
    case RPC_PERMISSION_DENIED:
        return ERR_DENIED;
    case RPC_RESOURCE_EXHAUSTED:
        return ERR_LIMIT;
    case RPC_FAILED_PRECONDITION:
        return ERR_BAD_TRANSITION;
    case RPC_ABORTED:
        return ERR_STALE;
    case RPC_UNIMPLEMENTED:
        return ERR_UNSUPPORTED;
    case RPC_UNAVAILABLE:
        return ERR_UNAVAILABLE;
    case RPC_DATA_LOSS:
        return ERR_CORRUPT;
    case RPC_UNAUTHENTICATED:
        return ERR_UNAUTHENTICATED;
    case RPC_UNKNOWN:
    case RPC_INTERNAL:
    default: /* a code of a later gRPC */
        return ERR_INTERNAL;
    }
}

enum {
    TAG_ORDERS = 256
};

/*
 * Written before a tag is handed over and read when it returns. The library orders the two anyway,
 * but a thread checker that cannot look inside it must see it. Not a field of the tag: its object
 * may be so new that reading the field is itself what the checker takes for a race.
 */
static atomic_uint tag_orders[TAG_ORDERS];

static atomic_uint *tag_order(const void *tag)
{
    return &tag_orders[((uintptr_t)tag >> 4) % TAG_ORDERS];
}

void rpc_tag_open(struct rpc_tag *tag, void (*run)(void *owner, bool is_ok), void *owner)
{
    tag->run = run;
    tag->owner = owner;
}

void *rpc_tag_hand(struct rpc_tag *tag)
{
    (void)atomic_fetch_add_explicit(tag_order(tag), 1, memory_order_release);
    return tag;
}

void rpc_queue_run(grpc_completion_queue *queue)
{
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return;
        CHECK(event.type == GRPC_OP_COMPLETE);
        struct rpc_tag *tag = event.tag;
        (void)atomic_fetch_add_explicit(tag_order(event.tag), 1, memory_order_acquire);
        tag->run(tag->owner, event.success != 0);
    }
}

void rpc_arguments_add(struct rpc_arguments *arguments, const char *key, int value)
{
    CHECK(arguments->count < RPC_ARGUMENTS_MAX);
    grpc_arg *item = &arguments->items[arguments->count++];
    memset(item, 0, sizeof(*item));
    item->type = GRPC_ARG_INTEGER;

    /* The library does not write to keys; its struct only forgot to say so. */
    union {
        const char *in;
        char *out;
    } name = {.in = key};

    item->key = name.out;
    item->value.integer = value;
}

grpc_channel_args rpc_arguments_get(struct rpc_arguments *arguments)
{
    return (grpc_channel_args){.num_args = arguments->count, .args = arguments->items};
}

int rpc_argument_bytes(size_t bytes)
{
    return bytes > INT_MAX ? INT_MAX : (int)bytes;
}

grpc_slice rpc_slice_copy(struct slice slice)
{
    if (slice.length == 0)
        return grpc_empty_slice();
    return grpc_slice_from_copied_buffer((const char *)slice.data, slice.length);
}

struct slice rpc_slice_borrow(const grpc_slice *slice)
{
    return slice_make(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

grpc_byte_buffer *rpc_buffer_make(struct slice body)
{
    grpc_slice slice = rpc_slice_copy(body);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

bool rpc_buffer_take(grpc_byte_buffer *buffer, grpc_slice *ret_slice)
{
    grpc_byte_buffer_reader reader;
    bool is_ok = grpc_byte_buffer_reader_init(&reader, buffer) != 0;
    if (is_ok) {
        *ret_slice = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(buffer);
    return is_ok;
}

bool rpc_metadata_find(const grpc_metadata_array *metadata,
                       const char *key,
                       struct slice *ret_value)
{
    for (size_t i = 0; i < metadata->count; i++) {
        if (grpc_slice_str_cmp(metadata->metadata[i].key, key) == 0) {
            *ret_value = rpc_slice_borrow(&metadata->metadata[i].value);
            return true;
        }
    }
    return false;
}

char *rpc_string_copy(struct slice slice)
{
    char *copy = mem_try_array(slice.length + 1, 1);
    if (copy != NULL && slice.length > 0)
        memcpy(copy, slice.data, slice.length);
    return copy;
}
