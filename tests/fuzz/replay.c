/*
 * replay.c - runs a fuzz target over its corpus without a fuzzer: replay_<name>, in ./check.
 *
 * Each file of tests/fuzz/corpus/<name> is given as it is, cut at each length, and with each of its
 * bytes changed in a few ways: what a fuzzer would try first. A target that does not like what it
 * sees aborts. An input that once did belongs into the corpus.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef REPLAY_POSITIONS /* fewer for a target that takes its time */
# define REPLAY_POSITIONS 2000
#endif

enum {
    INPUT_BYTES = 1 << 20,
    CHANGED_BYTES = REPLAY_POSITIONS, /* of longer inputs only as many are cut and changed */
};

static const uint8_t changes[] = {0x01, 0x20, 0x80, 0xff}; /* exclusive or */

/* Exactly as many bytes as there are, so that a sanitizer sees a read behind them. */
static void run(const struct buf *input, size_t length, size_t position, uint8_t change)
{
    struct buf copy;
    buf_open(&copy, 0);
    if (buf_append(&copy, input->data, length) == OK) {
        if (position < length)
            copy.data[position] ^= change;
        (void)LLVMFuzzerTestOneInput(copy.data, length);
    }
    buf_close(&copy);
}

static void replay(const struct buf *input)
{
    size_t step = 1 + input->length / CHANGED_BYTES;
    run(input, input->length, SIZE_MAX, 0);
    for (size_t at = 0; at < input->length; at += step) {
        run(input, at, SIZE_MAX, 0);
        for (size_t i = 0; i < sizeof(changes); i++)
            run(input, input->length, at, changes[i]);
    }
}

/* "webhdfs" of ".../replay_webhdfs". */
static const char *target_of(const char *program)
{
    const char *name = strstr(program, "replay_");
    return name == NULL ? "" : name + strlen("replay_");
}

int main(int argument_count, char **arguments)
{
    (void)argument_count;
    struct arena *arena = arena_open(0);
    struct error error = {.status = OK};
    const char *source = host_environment("MILLRACE_SOURCE_DIR");
    const char *target = target_of(arguments[0]);
    const char *folder = (const char *)arena_format(arena, "%s/tests/fuzz/corpus/%s",
                                                    source == NULL ? "." : source, target)
                             .data;
    struct slice *names = NULL;
    size_t count = 0;
    size_t passed = 0;
    enum status status = directory_list(folder, arena, &names, &count, &error);
    for (size_t i = 0; i < count && status == OK; i++) {
        struct buf input;
        buf_open(&input, INPUT_BYTES);
        status =
            file_read_whole(path_join(arena, folder, (const char *)names[i].data), &input, &error);
        if (status == OK) {
            replay(&input);
            passed++;
        }
        buf_close(&input);
    }
    if (status != OK)
        printf("%s\n", error.text);
    printf("fuzz: %s: %zu passed, %d failed\n", target, passed, status != OK || passed == 0);
    arena_close(arena);
    return status == OK && passed > 0 ? 0 : 1;
}
