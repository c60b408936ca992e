/*
 * fuzz_journal.c - any bytes as a journal's segment: the first 64 become a good header (so that the
 * fuzzer gets behind it), the rest are frames. Opening it cuts, refuses or replays, and what was
 * replayed once is replayed again after a reopen.
 *
 * In a build folder, after make:
 *     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -g -O1 -I. -I<source> \
 *         <source>/tests/fuzz/fuzz_journal.c <source>/lib/{journal,os,base}/[a-z]*.c \
 *         -lxxhash -lisal -lpthread -o fuzz_journal
 *     ./fuzz_journal -max_len=4096
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/journal/journal.h"
#include "lib/journal/segment.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status count_record(void *user,
                                const struct journal_record *record,
                                struct error *error)
{
    uint64_t *count = user;
    (void)error;
    CHECK(record->type.length > 0 && record->type.length <= JOURNAL_TYPE_BYTES_MAX);
    *count += 1 + record->bytes.length;
    return OK;
}

static enum status replay(const char *directory, uint64_t *ret_count)
{
    struct journal_options options = {.reserve_bytes = 0};
    struct journal *journal = NULL;
    struct error error = {.status = OK};
    *ret_count = 0;
    enum status status =
        journal_open(directory, "j", &options, count_record, ret_count, NULL, &journal, &error);
    CHECK(status == OK || status == ERR_CORRUPT);
    CHECK(status == OK || error.text[0] != '\0');
    journal_close(journal);
    return status;
}

/* Nothing here outlives the process, and a sync costs more than all the rest. */
static int skip_sync(int descriptor)
{
    (void)descriptor;
    return 0;
}

static void skip_syncs(void)
{
    static struct os_calls calls;
    calls = *os_calls_posix();
    calls.fsync = skip_sync;
    calls.fdatasync = skip_sync;
    (void)os_calls_set(&calls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    skip_syncs();
    if (size < 2)
        return 0;
    struct arena *arena = arena_open(0);
    const char *directory = NULL;
    CHECK(directory_make_temporary("/tmp/millrace-fuzz-", arena, &directory, NULL) == OK);
    struct segment_header header = {.generation = 1, .first_sequence = 1};
    header.snapshot_bytes = (uint64_t)data[0] * (data[1] & 1);
    uint8_t *content = arena_new(arena, SEGMENT_HEADER_BYTES + size);
    (void)segment_header_encode(&header, content);
    memcpy(content + SEGMENT_HEADER_BYTES, data + 2, size - 2);
    struct slice whole = slice_make(content, SEGMENT_HEADER_BYTES + size - 2);
    const char *path = path_join(arena, directory, "j.0000000001.journal");
    CHECK(file_replace(path, whole, FILE_PRIVATE, NULL) == OK);
    uint64_t first = 0;
    uint64_t second = 0;
    if (replay(directory, &first) == OK)
        CHECK(replay(directory, &second) == OK && first == second);
    CHECK(directory_remove_tree(directory, NULL) == OK);
    arena_close(arena);
    return 0;
}
