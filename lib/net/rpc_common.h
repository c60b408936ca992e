/* rpc_common.h - what the two sides of rpc.h share; for nobody else. */
#ifndef MILLRACE_LIB_NET_RPC_COMMON_H
#define MILLRACE_LIB_NET_RPC_COMMON_H

#include <grpc/grpc.h>

#include "lib/net/net.h"
#include "lib/net/rpc.h"

/* What a completion queue gives back. */
struct rpc_tag {
    void (*run)(void *owner, bool is_ok);
    void *owner;
};

void rpc_tag_open(struct rpc_tag *tag, void (*run)(void *owner, bool is_ok), void *owner);
/* To be called right before the tag is handed to the library; returns it. */
void *rpc_tag_hand(struct rpc_tag *tag);
/* Runs tags until the queue is shut down. */
void rpc_queue_run(grpc_completion_queue *queue);

enum {
    RPC_ARGUMENTS_MAX = 16
};

/* Channel arguments being collected; keys are literals. */
struct rpc_arguments {
    grpc_arg items[RPC_ARGUMENTS_MAX];
    size_t count;
};

void rpc_arguments_add(struct rpc_arguments *arguments, const char *key, int value);
grpc_channel_args rpc_arguments_get(struct rpc_arguments *arguments);
/* A size as an argument's int. */
int rpc_argument_bytes(size_t bytes);

grpc_slice rpc_slice_copy(struct slice slice);
/* Borrows; the struct it points to must stay where it is. */
struct slice rpc_slice_borrow(const grpc_slice *slice);
/* A byte buffer with a copy of body. */
grpc_byte_buffer *rpc_buffer_make(struct slice body);
/* Moves the content of buffer (destroyed) into a new slice; false when it cannot be read. */
bool rpc_buffer_take(grpc_byte_buffer *buffer, grpc_slice *ret_slice);
/* The first value under key. */
bool rpc_metadata_find(const grpc_metadata_array *metadata,
                       const char *key,
                       struct slice *ret_value);

/* PEM texts as the library wants them; NULL when memory is gone. Free with mem_free. */
char *rpc_string_copy(struct slice slice);

#endif
