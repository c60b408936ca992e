/*
 * fuzz_checkpoint.c - any bytes as a checkpoint (see frames.h; the first byte may damage its
 * header) beside the segments that say the same: it is loaded when it is whole, else the segments
 * are, and never is the open refused.
 */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/frames.h"
#include "tests/fuzz/journal_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_log(struct arena *arena,
                      const char *directory,
                      const char *name,
                      const struct segment_header *header,
                      uint64_t batches,
                      struct segment_end *ret_end)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct buf file = {0};
    *ret_end = segment_start(header, segment_header_encode(header, bytes));
    CHECK(buf_append(&file, bytes, sizeof(bytes)) == OK);
    for (uint64_t i = 0; i < batches; i++)
        frames_append_one(&file, header, ret_end, FRAMES_IS_RECORD, slice_from_string("batch"));
    folder_write(arena, directory, name, buf_slice(&file));
    buf_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct arena *arena = arena_open(0);
    const char *directory = folder_make(arena);
    struct segment_header header = {.generation = 1, .first_sequence = 1};
    struct segment_end end;
    write_log(arena, directory, "j.0000000001.journal", &header, 3, &end);
    header.generation = 2;
    header.first_sequence = end.sequence + 1;
    header.previous = end.chain;
    struct segment_header checkpoint = header;
    write_log(arena, directory, "j.0000000002.journal", &header, 2, &end);
    uint8_t bytes[SEGMENT_HEADER_BYTES] = {0};
    struct buf file = {0};
    checkpoint.kind = SEGMENT_CHECKPOINT;
    struct segment_end frames = segment_start(&checkpoint, 0);
    CHECK(buf_append(&file, bytes, sizeof(bytes)) == OK);
    frames_append(&file, &checkpoint, &frames, slice_make(data + 2, size - 2));
    checkpoint.content_bytes = file.length - SEGMENT_HEADER_BYTES + (data[0] == 255 ? 1 : 0);
    (void)segment_header_encode(&checkpoint, bytes);
    if (data[0] >= 64 && data[0] < 128)
        bytes[data[0] - 64] ^= data[1];
    memcpy(file.data, bytes, sizeof(bytes));
    folder_write(arena, directory, "j.0000000002.checkpoint", buf_slice(&file));
    uint64_t count = 0;
    CHECK(folder_open(directory, &count) == OK);
    folder_check(directory);
    buf_close(&file);
    CHECK(directory_remove_tree(directory, NULL) == OK);
    arena_close(arena);
    return 0;
}
