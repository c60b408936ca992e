/*
 * wire.h - messages as bytes (protobuf) and back.
 *
 * What comes out of wire_unpack is safe to use: every string is UTF-8 without NUL, every enum has a
 * known value, every repeated field has at most LIMIT_REPEATED_COUNT elements, and the memory taken
 * is bounded. wire_pack refuses what wire_unpack would refuse, so a bad string is found by its
 * sender (lib/model/text.h cleans it). A message inside a message that is zero in all its fields is
 * not sent. Fields of a newer sender are skipped.
 */
#ifndef MILLRACE_LIB_WIRE_WIRE_H
#define MILLRACE_LIB_WIRE_WIRE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/model/message.h"

/*
 * Appends message to ret_bytes (open; on failure as it was). ERR_INVALID: a string, enum or count
 * that wire_unpack would refuse; the error names the field. ERR_LIMIT: more than
 * LIMIT_MESSAGE_BYTES, or than ret_bytes may hold. ERR_NO_MEMORY.
 */
MUST_USE enum status wire_pack(const struct message_type *type,
                               const void *message,
                               struct buf *ret_bytes,
                               struct error *reterr_error);
/*
 * Unpacks bytes into a struct of type; it and all it points to come from arena, nothing borrows
 * bytes. ERR_INVALID: not such a message; the error names the field where one is to blame.
 * ERR_LIMIT: too long, too many elements, or more memory than LIMIT_UNPACKED_BYTES or arena has.
 * After a failure arena may hold parts.
 */
MUST_USE enum status wire_unpack(const struct message_type *type,
                                 struct slice bytes,
                                 struct arena *arena,
                                 void **ret_message,
                                 struct error *reterr_error);

#endif
