/*
 * fuzz_journal.c - any bytes as the frames of a journal's only segment (see frames.h): opening it
 * cuts, refuses or replays, and what was replayed once is replayed again after a reopen.
 */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/frames.h"
#include "tests/fuzz/journal_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open(0);
    const char *directory = folder_make(arena);
    struct segment_header header = {.generation = 1, .first_sequence = 1};
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct buf file = {0};
    struct segment_end end = segment_start(&header, segment_header_encode(&header, bytes));
    CHECK(buf_append(&file, bytes, sizeof(bytes)) == OK);
    frames_append(&file, &header, &end, slice_make(data, size));
    folder_write(arena, directory, "j.0000000001.journal", buf_slice(&file));
    folder_check(directory);
    buf_close(&file);
    CHECK(directory_remove_tree(directory, NULL) == OK);
    arena_close(arena);
    return 0;
}
