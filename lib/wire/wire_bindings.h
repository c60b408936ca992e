/*
 * wire_bindings.h - the protobuf-c descriptor of each message type. Private to lib/wire;
 * wire_bindings.c is generated.
 */
#ifndef MILLRACE_LIB_WIRE_WIRE_BINDINGS_H
#define MILLRACE_LIB_WIRE_WIRE_BINDINGS_H

#include <protobuf-c/protobuf-c.h>

/* By message_type.index. */
extern const ProtobufCMessageDescriptor *const wire_bindings[];

#endif
