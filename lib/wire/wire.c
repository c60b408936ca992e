/*
 * wire.c - model structs to protobuf-c's structs and back, by the descriptors of both.
 *
 * Nothing here knows a message: each field is found in protobuf-c's descriptor by its number and
 * copied from offset to offset; protobuf-c writes and reads the bytes. Its structs live in a
 * scratch arena, freed at once. Message types do not nest in themselves, so recursion is bounded.
 */
#include "lib/wire/wire.h"

#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "lib/base/check.h"
#include "lib/model/limits.h"
#include "lib/model/messages.h"
#include "lib/model/text.h"
#include "lib/wire/wire_bindings.h"

/* Both sides of one field. */
struct wire_field {
    const struct message_field *model;
    const ProtobufCFieldDescriptor *foreign;
};

static struct wire_field wire_field_at(const struct message_type *type, size_t i)
{
    const ProtobufCMessageDescriptor *foreign = wire_bindings[type->index];
    const struct message_field *model = &type->fields[i];
    struct wire_field field = {
        .model = model,
        .foreign = protobuf_c_message_descriptor_get_field(foreign, model->number),
    };
    CHECK(field.foreign != NULL);
    CHECK(field.model->is_repeated == (field.foreign->label == PROTOBUF_C_LABEL_REPEATED));
    return field;
}

/* Size of one element in protobuf-c's struct. */
static size_t foreign_size(const struct message_field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return sizeof(protobuf_c_boolean);
    case FIELD_STRING:
        return sizeof(char *);
    case FIELD_BYTES:
        return sizeof(ProtobufCBinaryData);
    case FIELD_MESSAGE:
        return sizeof(ProtobufCMessage *);
    case FIELD_INT32:
    case FIELD_INT64:
    case FIELD_UINT32:
    case FIELD_UINT64:
    case FIELD_FLOAT:
    case FIELD_DOUBLE:
    case FIELD_ENUM:
    case FIELD_KIND_COUNT:
        break;
    }
    return message_field_size(field);
}

static enum status check_string(const struct message_field *field,
                                struct slice text,
                                struct error *reterr_error)
{
    if (text_is_clean(text))
        return OK;
    return error_set(reterr_error, ERR_INVALID, "%s: not UTF-8 text without NUL", field->name);
}

static enum status check_enum(const struct message_field *field,
                              uint32_t value,
                              struct error *reterr_error)
{
    if (value < field->enumeration->count)
        return OK;
    return error_set(reterr_error, ERR_INVALID, "%s: %s has no value %u", field->name,
                     field->enumeration->name, (unsigned)value);
}

static enum status check_count(const struct message_field *field,
                               size_t count,
                               struct error *reterr_error)
{
    if (count <= LIMIT_REPEATED_COUNT)
        return OK;
    return error_set(reterr_error, ERR_LIMIT, "%s: %zu elements, more than %d", field->name, count,
                     LIMIT_REPEATED_COUNT);
}

/* --- packing --------------------------------------------------------------------------------- */

static enum status export_message(const struct message_type *type,
                                  const uint8_t *message,
                                  struct arena *scratch,
                                  ProtobufCMessage **ret_foreign,
                                  struct error *reterr_error);

static enum status export_string(const struct message_field *field,
                                 const uint8_t *element,
                                 struct arena *scratch,
                                 uint8_t *target,
                                 struct error *reterr_error)
{
    struct slice text;
    memcpy(&text, element, sizeof(text));
    enum status status = check_string(field, text, reterr_error);
    if (status != OK)
        return status;
    if (text.length >= LIMIT_MESSAGE_BYTES)
        return error_set(reterr_error, ERR_LIMIT, "%s: too long", field->name);
    char *copy = arena_try(scratch, text.length + 1);
    if (copy == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "%s: out of memory", field->name);
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    memcpy(target, &copy, sizeof(copy));
    return OK;
}

/* One element to where protobuf-c wants it; target is zeroed. */
static enum status export_element(const struct message_field *field,
                                  const uint8_t *element,
                                  struct arena *scratch,
                                  uint8_t *target,
                                  struct error *reterr_error)
{
    if (field->kind == FIELD_STRING)
        return export_string(field, element, scratch, target, reterr_error);
    if (field->kind == FIELD_MESSAGE) {
        /* In a list, an empty element is an element; elsewhere absent means zero. */
        if (!field->is_repeated && message_is_zero(field->subtype, element))
            return OK;
        ProtobufCMessage *inner = NULL;
        enum status status = export_message(field->subtype, element, scratch, &inner, reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "%s", field->name);
        memcpy(target, &inner, sizeof(inner));
        return OK;
    }
    if (field->kind == FIELD_BYTES) {
        struct slice bytes;
        memcpy(&bytes, element, sizeof(bytes));
        ProtobufCBinaryData data = {.len = bytes.length};
        /* protobuf-c only reads them, but its struct is not const. */
        memcpy(&data.data, &bytes.data, sizeof(data.data));
        memcpy(target, &data, sizeof(data));
        return OK;
    }
    if (field->kind == FIELD_BOOL) {
        protobuf_c_boolean value = *element != 0;
        memcpy(target, &value, sizeof(value));
        return OK;
    }
    size_t size = message_field_size(field);
    memcpy(target, element, size);
    if (field->kind != FIELD_ENUM)
        return OK;
    uint32_t value;
    memcpy(&value, element, sizeof(value));
    return check_enum(field, value, reterr_error);
}

static enum status export_repeated(struct wire_field field,
                                   const uint8_t *message,
                                   struct arena *scratch,
                                   uint8_t *foreign,
                                   struct error *reterr_error)
{
    size_t count;
    const uint8_t *elements;
    memcpy(&count, message + field.model->count_offset, sizeof(count));
    memcpy(&elements, message + field.model->offset, sizeof(elements));
    enum status status = check_count(field.model, count, reterr_error);
    if (status != OK || count == 0)
        return status;
    size_t size = foreign_size(field.model);
    uint8_t *targets = arena_try(scratch, count * size);
    if (targets == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "%s: out of memory", field.model->name);
    for (size_t i = 0; i < count && status == OK; i++)
        status = export_element(field.model, elements + i * message_field_size(field.model),
                                scratch, targets + i * size, reterr_error);
    memcpy(foreign + field.foreign->offset, &targets, sizeof(targets));
    memcpy(foreign + field.foreign->quantifier_offset, &count, sizeof(count));
    return status;
}

static enum status export_message(const struct message_type *type,
                                  const uint8_t *message,
                                  struct arena *scratch,
                                  ProtobufCMessage **ret_foreign,
                                  struct error *reterr_error)
{
    const ProtobufCMessageDescriptor *descriptor = wire_bindings[type->index];
    ProtobufCMessage *foreign = arena_try(scratch, descriptor->sizeof_message);
    if (foreign == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "%s: out of memory", type->name);
    protobuf_c_message_init(descriptor, foreign);
    uint8_t *base = (uint8_t *)foreign;
    enum status status = OK;
    for (size_t i = 0; i < type->field_count && status == OK; i++) {
        struct wire_field field = wire_field_at(type, i);
        if (field.model->is_repeated)
            status = export_repeated(field, message, scratch, base, reterr_error);
        else
            status = export_element(field.model, message + field.model->offset, scratch,
                                    base + field.foreign->offset, reterr_error);
    }
    *ret_foreign = foreign;
    return status;
}

static enum status append_packed(const ProtobufCMessage *foreign,
                                 struct buf *ret_bytes,
                                 struct error *reterr_error)
{
    size_t length = protobuf_c_message_get_packed_size(foreign);
    if (length > LIMIT_MESSAGE_BYTES)
        return error_set(reterr_error, ERR_LIMIT, "the message is %zu bytes long, more than %d",
                         length, LIMIT_MESSAGE_BYTES);
    if (length == 0)
        return OK;
    enum status status = buf_reserve(ret_bytes, length);
    if (status != OK)
        return error_set(reterr_error, status, "%s", status_sentence(status));
    size_t packed = protobuf_c_message_pack(foreign, ret_bytes->data + ret_bytes->length);
    CHECK(packed == length);
    ret_bytes->length += length;
    ret_bytes->data[ret_bytes->length] = '\0';
    return OK;
}

enum status wire_pack(const struct message_type *type,
                      const void *message,
                      struct buf *ret_bytes,
                      struct error *reterr_error)
{
    struct arena *scratch = arena_open(LIMIT_UNPACKED_BYTES);
    ProtobufCMessage *foreign = NULL;
    enum status status = export_message(type, message, scratch, &foreign, reterr_error);
    if (status == OK)
        status = append_packed(foreign, ret_bytes, reterr_error);
    if (status != OK)
        status = error_prefix(reterr_error, status, "pack %s", type->name);
    arena_close(scratch);
    return status;
}

/* --- unpacking ------------------------------------------------------------------------------- */

/*
 * protobuf-c gives strings as C strings, so a NUL inside would cut them silently. It allocates each
 * with one byte more than its length; the length of each allocation is kept in front of it.
 */
enum {
    BLOCK_HEADER_BYTES = 16 /* keeps the alignment */
};

struct scratch {
    struct arena *arena;
    size_t refused_bytes; /* the allocation that failed; 0: none did */
};

static void *scratch_alloc(void *allocator_data, size_t size)
{
    struct scratch *scratch = allocator_data;
    uint8_t *block = NULL;
    if (size <= LIMIT_UNPACKED_BYTES)
        block = arena_try(scratch->arena, size + BLOCK_HEADER_BYTES);
    if (block == NULL) {
        scratch->refused_bytes = size + 1;
        return NULL;
    }
    memcpy(block, &size, sizeof(size));
    return block + BLOCK_HEADER_BYTES;
}

static void scratch_free(void *allocator_data, void *pointer)
{
    /* All of it goes with the arena. */
    (void)allocator_data;
    (void)pointer;
}

static enum status import_message(const struct message_type *type,
                                  const ProtobufCMessage *foreign,
                                  struct arena *arena,
                                  uint8_t *message,
                                  struct error *reterr_error);

/* What arena_try did not give: the receiver's limit, or no memory. */
static enum status why_not_taken(const struct arena *arena,
                                 size_t bytes,
                                 const char *what,
                                 struct error *reterr_error)
{
    if (arena_is_at_limit(arena, bytes))
        return error_set(reterr_error, ERR_LIMIT, "%s: too much memory", what);
    return error_set(reterr_error, ERR_NO_MEMORY, "%s: out of memory", what);
}

static enum status copy_bytes(const struct message_field *field,
                              const void *data,
                              size_t length,
                              struct arena *arena,
                              uint8_t *target,
                              struct error *reterr_error)
{
    struct slice slice = {0};
    if (length > 0) {
        uint8_t *copy = arena_try(arena, length + 1);
        if (copy == NULL)
            return why_not_taken(arena, length + 1, field->name, reterr_error);
        memcpy(copy, data, length);
        slice = slice_make(copy, length);
    }
    memcpy(target, &slice, sizeof(slice));
    return OK;
}

static enum status import_string(struct wire_field field,
                                 const uint8_t *element,
                                 struct arena *arena,
                                 uint8_t *target,
                                 struct error *reterr_error)
{
    const char *string;
    memcpy(&string, element, sizeof(string));
    if (string == NULL || string == field.foreign->default_value ||
        string == protobuf_c_empty_string)
        return OK;
    size_t block_bytes;
    memcpy(&block_bytes, string - BLOCK_HEADER_BYTES, sizeof(block_bytes));
    CHECK(block_bytes > 0);
    struct slice text = slice_make(string, block_bytes - 1);
    enum status status = check_string(field.model, text, reterr_error);
    if (status != OK)
        return status;
    return copy_bytes(field.model, text.data, text.length, arena, target, reterr_error);
}

/* One element from protobuf-c's struct to ours; target is zeroed. */
static enum status import_element(struct wire_field field,
                                  const uint8_t *element,
                                  struct arena *arena,
                                  uint8_t *target,
                                  struct error *reterr_error)
{
    if (field.model->kind == FIELD_STRING)
        return import_string(field, element, arena, target, reterr_error);
    if (field.model->kind == FIELD_MESSAGE) {
        const ProtobufCMessage *inner;
        memcpy(&inner, element, sizeof(inner));
        if (inner == NULL)
            return OK;
        enum status status =
            import_message(field.model->subtype, inner, arena, target, reterr_error);
        return status == OK ? OK : error_prefix(reterr_error, status, "%s", field.model->name);
    }
    if (field.model->kind == FIELD_BYTES) {
        ProtobufCBinaryData data;
        memcpy(&data, element, sizeof(data));
        return copy_bytes(field.model, data.data, data.len, arena, target, reterr_error);
    }
    if (field.model->kind == FIELD_BOOL) {
        protobuf_c_boolean wide;
        memcpy(&wide, element, sizeof(wide));
        bool value = wide != 0;
        memcpy(target, &value, sizeof(value));
        return OK;
    }
    memcpy(target, element, message_field_size(field.model));
    if (field.model->kind != FIELD_ENUM)
        return OK;
    uint32_t value;
    memcpy(&value, element, sizeof(value));
    return check_enum(field.model, value, reterr_error);
}

static enum status import_repeated(struct wire_field field,
                                   const uint8_t *foreign,
                                   struct arena *arena,
                                   uint8_t *message,
                                   struct error *reterr_error)
{
    size_t count;
    const uint8_t *elements;
    memcpy(&count, foreign + field.foreign->quantifier_offset, sizeof(count));
    memcpy(&elements, foreign + field.foreign->offset, sizeof(elements));
    enum status status = check_count(field.model, count, reterr_error);
    if (status != OK || count == 0)
        return status;
    size_t size = message_field_size(field.model);
    uint8_t *targets = arena_try(arena, count * size);
    if (targets == NULL)
        return why_not_taken(arena, count * size, field.model->name, reterr_error);
    for (size_t i = 0; i < count && status == OK; i++)
        status = import_element(field, elements + i * foreign_size(field.model), arena,
                                targets + i * size, reterr_error);
    memcpy(message + field.model->offset, &targets, sizeof(targets));
    memcpy(message + field.model->count_offset, &count, sizeof(count));
    return status;
}

static enum status import_message(const struct message_type *type,
                                  const ProtobufCMessage *foreign,
                                  struct arena *arena,
                                  uint8_t *message,
                                  struct error *reterr_error)
{
    const uint8_t *base = (const uint8_t *)foreign;
    enum status status = OK;
    for (size_t i = 0; i < type->field_count && status == OK; i++) {
        struct wire_field field = wire_field_at(type, i);
        if (field.model->is_repeated)
            status = import_repeated(field, base, arena, message, reterr_error);
        else
            status = import_element(field, base + field.foreign->offset, arena,
                                    message + field.model->offset, reterr_error);
    }
    return status;
}

/* protobuf-c does not say why it gave up: bytes that are no message, or an allocation refused. */
static enum status why_not_unpacked(const struct scratch *scratch,
                                    size_t bytes,
                                    struct error *reterr_error)
{
    if (scratch->refused_bytes == 0)
        return error_set(reterr_error, ERR_INVALID, "%zu bytes are no such message", bytes);
    if (scratch->refused_bytes > LIMIT_UNPACKED_BYTES - arena_bytes(scratch->arena))
        return error_set(reterr_error, ERR_LIMIT, "%zu bytes are too much memory when unpacked",
                         bytes);
    return error_set(reterr_error, ERR_NO_MEMORY, "no memory for %zu bytes", bytes);
}

static enum status unpack_in(const struct message_type *type,
                             struct slice bytes,
                             struct scratch *scratch,
                             struct arena *arena,
                             void **ret_message,
                             struct error *reterr_error)
{
    ProtobufCAllocator allocator = {
        .alloc = scratch_alloc, .free = scratch_free, .allocator_data = scratch};
    const ProtobufCMessage *foreign =
        protobuf_c_message_unpack(wire_bindings[type->index], &allocator, bytes.length, bytes.data);
    if (foreign == NULL)
        return why_not_unpacked(scratch, bytes.length, reterr_error);
    void *message = arena_try(arena, type->size);
    if (message == NULL)
        return why_not_taken(arena, type->size, type->name, reterr_error);
    enum status status = import_message(type, foreign, arena, message, reterr_error);
    if (status == OK)
        *ret_message = message;
    return status;
}

enum status wire_unpack(const struct message_type *type,
                        struct slice bytes,
                        struct arena *arena,
                        void **ret_message,
                        struct error *reterr_error)
{
    if (bytes.length > LIMIT_MESSAGE_BYTES)
        return error_set(reterr_error, ERR_LIMIT, "unpack %s: %zu bytes, more than %d", type->name,
                         bytes.length, LIMIT_MESSAGE_BYTES);
    struct scratch scratch = {.arena = arena_open(LIMIT_UNPACKED_BYTES)};
    enum status status = unpack_in(type, bytes, &scratch, arena, ret_message, reterr_error);
    if (status != OK)
        status = error_prefix(reterr_error, status, "unpack %s", type->name);
    arena_close(scratch.arena);
    return status;
}
