/*
 * message.h - what the model's messages have in common: descriptors, and what is done through them.
 *
 * Each message of proto/ is a plain C struct of lib/model/messages.h (generated): strings are
 * slices, a message inside a message is embedded by value (zeroed when absent), a repeated field x
 * is a pointer and x_count. A zeroed struct is the empty message. Structs borrow what they point
 * to; message_copy makes a copy that owns nothing outside its arena.
 */
#ifndef MILLRACE_LIB_MODEL_MESSAGE_H
#define MILLRACE_LIB_MODEL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"

struct arena;
struct buf;
struct message_type;

enum field_kind {
    FIELD_BOOL,
    FIELD_INT32,
    FIELD_INT64,
    FIELD_UINT32,
    FIELD_UINT64,
    FIELD_FLOAT,
    FIELD_DOUBLE,
    FIELD_ENUM,    /* enumeration says which */
    FIELD_STRING,  /* struct slice; UTF-8 without NUL once it came over the wire */
    FIELD_BYTES,   /* struct slice */
    FIELD_MESSAGE, /* subtype says which */
    FIELD_KIND_COUNT
};

struct message_enum {
    const char *name; /* "millrace.rm.AppState" */
    const char *const *value_names;
    uint32_t count; /* values are 0..count - 1 */
};

struct message_field {
    const char *name; /* as in the .proto and in the struct */
    uint32_t number;  /* as in the .proto */
    enum field_kind kind;
    bool is_repeated;
    size_t offset;                          /* of the value; repeated: of the pointer */
    size_t count_offset;                    /* repeated: of the size_t count */
    const struct message_type *subtype;     /* FIELD_MESSAGE */
    const struct message_enum *enumeration; /* FIELD_ENUM */
};

struct message_type {
    const char *name; /* "millrace.dfs.CreateRequest" */
    size_t index;     /* 0..MESSAGE_TYPE_COUNT - 1, its place in message_types */
    size_t size;      /* of the struct, bytes */
    const struct message_field *fields;
    size_t field_count;
};

struct method_info {
    const char *path;    /* "/millrace.dfs.Namenode/Create" */
    const char *service; /* "Namenode" */
    const char *name;    /* "Create" */
    const struct message_type *request;
    const struct message_type *response;
};

/* Size of one element of the field, bytes. */
size_t message_field_size(const struct message_field *field);

/*
 * Deep copy: the result and all it points to come from arena. Aborts when arena or memory is used
 * up; messages were bounded when they came in.
 */
void *message_copy(const struct message_type *type, const void *source, struct arena *arena);
/* The same into a struct of the caller's (type->size bytes, may be uninitialised). */
void message_copy_into(const struct message_type *type,
                       const void *source,
                       void *ret_target,
                       struct arena *arena);

/* Same values in every field, deep. NaN equals NaN; an empty slice equals a NULL one. */
bool message_equal(const struct message_type *type, const void *left, const void *right);
/* True when every field is zero or empty, which is how an absent message reads. */
bool message_is_zero(const struct message_type *type, const void *message);

/*
 * Appends the message as one line of JSON: every field under its .proto name, enums as their names,
 * 64-bit numbers as numbers, bytes as base64, bytes of a string that are not UTF-8 as U+FFFD.
 * Fails as buf_append does; then the buffer holds a part.
 */
MUST_USE enum status message_print_json(const struct message_type *type,
                                        const void *message,
                                        struct buf *buf);
/* Appends text as a JSON string with its quotes, as above. */
MUST_USE enum status message_print_json_string(struct slice text, struct buf *buf);

/* The value's name; "?" when out of range. */
const char *message_enum_name(const struct message_enum *enumeration, uint32_t value);
/* False when no value has this name. */
bool message_enum_from_name(const struct message_enum *enumeration,
                            struct slice name,
                            uint32_t *ret_value);

/* Searches types, which are sorted by name; NULL when none has it. For the generated code. */
const struct message_type *message_type_find(const struct message_type *const *types,
                                             size_t count,
                                             struct slice name);

#endif
