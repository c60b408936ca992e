/*
 * fuzz_webhdfs.c - any bytes as a WebHDFS request: its words are understood or refused in a
 * sentence, and whatever it names comes out as JSON that can be read again.
 *
 * The input is "<verb> <path>?<name>=<value>&<name>=<value>...", already percent-decoded, as the
 * HTTP library hands it on.
 *
 * In a build folder, after make:
 *     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -g -O1 -I. -I<source> \
 *         <source>/tests/fuzz/fuzz_webhdfs.c <source>/dfs/webhdfs/{request,answer}.c \
 *         <source>/lib/{model,base}/[a-z]*.c lib/model/messages.c \
 *         -ljansson -lxxhash -lisal -o fuzz_webhdfs
 *     ./fuzz_webhdfs -max_len=2000 <source>/tests/fuzz/corpus/webhdfs
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "dfs/webhdfs/answer.h"
#include "lib/base/check.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PARAMETERS_MAX = 32
};

/* The request taken apart; each text ends with a NUL. */
struct parts {
    struct arena *arena;
    const char *verb;
    const char *rest;
    const char *names[PARAMETERS_MAX];
    const char *values[PARAMETERS_MAX];
    size_t count;
};

/* Takes what is before the first stop off the front; a NUL ends it as it does over HTTP. */
static const char *take(struct slice *input, uint8_t stop, struct arena *arena)
{
    size_t end = slice_find(*input, stop);
    const char *text = (const char *)arena_copy(arena, slice_sub(*input, 0, end)).data;
    size_t skip = end < input->length ? end + 1 : end;
    *input = slice_sub(*input, skip, input->length - skip);
    return text;
}

static void take_apart(struct slice input, struct parts *parts)
{
    parts->verb = take(&input, ' ', parts->arena);
    parts->rest = take(&input, '?', parts->arena);
    while (input.length > 0 && parts->count < PARAMETERS_MAX) {
        const char *pair = take(&input, '&', parts->arena);
        struct slice left = slice_from_string(pair);
        parts->names[parts->count] = take(&left, '=', parts->arena);
        parts->values[parts->count++] = take(&left, '\0', parts->arena);
    }
}

static const char *get(const void *user, const char *name)
{
    const struct parts *parts = user;
    for (size_t i = 0; i < parts->count; i++) {
        if (strcmp(parts->names[i], name) == 0)
            return parts->values[i];
    }
    return NULL;
}

/* A refusal says why, on one line. */
static bool took(enum status status, struct error *error)
{
    if (status == OK)
        return true;
    CHECK(error->text[0] != '\0' && strchr(error->text, '\n') == NULL);
    error->text[0] = '\0';
    return false;
}

static void read_numbers(const struct webhdfs_parameters *from, struct error *error)
{
    uint64_t number = 0;
    uint32_t bits = 0;
    bool is_given = false;
    bool is_none = false;
    struct slice text;
    if (took(webhdfs_number(from, "offset", 0, INT64_MAX, &number, error), error))
        CHECK(number <= INT64_MAX);
    if (took(webhdfs_number(from, "replication", 3, LIMIT_REPLICAS, &number, error), error))
        CHECK(number <= LIMIT_REPLICAS);
    if (took(webhdfs_number_or_none(from, "accesstime", &is_given, &is_none, &number, error),
             error))
        CHECK(number <= INT64_MAX && (!is_none || number == 0));
    if (took(webhdfs_permission(from, "permission", 0644, &bits, error), error))
        CHECK(bits <= LIMIT_PERMISSION);
    if (took(webhdfs_action(from, "fsaction", &bits, error), error))
        CHECK(bits <= 7);
    if (took(webhdfs_text(from, "owner", &text, error), error))
        CHECK(slice_is_utf8(text));
    (void)took(webhdfs_boolean(from, "overwrite", true, &is_given, error), error);
}

static void read_paths(const struct webhdfs_parameters *from,
                       struct arena *arena,
                       struct error *error)
{
    struct slice path;
    const struct slice *paths = NULL;
    size_t count = 0;
    if (took(webhdfs_path(from, "destination", arena, &path, error), error))
        CHECK(path_check(path, NULL) == OK);
    if (!took(webhdfs_path_list(from, "sources", arena, &paths, &count, error), error))
        return;
    CHECK(count > 0);
    for (size_t i = 0; i < count; i++)
        CHECK(path_check(paths[i], NULL) == OK);
}

/* name in any field: what is written can be read again, and holds it when it is UTF-8. */
static void write_and_read(struct slice name)
{
    struct dfs_file_status file = {.path = name, .owner = name, .group = name, .permission = 01777};
    struct buf page;
    buf_open(&page, 0);
    CHECK(webhdfs_write_list(&file, 1, &page) == OK);
    json_t *read = json_loadb(buf_string(&page), page.length, JSON_ALLOW_NUL, NULL);
    CHECK(read != NULL);
    const json_t *list = json_object_get(json_object_get(read, "FileStatuses"), "FileStatus");
    const json_t *suffix = json_object_get(json_array_get(list, 0), "pathSuffix");
    if (slice_is_utf8(name))
        CHECK(slice_equal(slice_make(json_string_value(suffix), json_string_length(suffix)), name));
    json_decref(read);
    buf_close(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parts parts = {.arena = arena_open(0)};
    struct error error = {.status = OK};
    enum webhdfs_op op = WEBHDFS_OP_COUNT;
    struct slice path;
    take_apart(slice_make(data, size), &parts);
    const struct webhdfs_parameters from = {.get = get, .user = &parts};
    if (took(webhdfs_op_parse(parts.verb, get(&parts, "op"), &op, &error), &error))
        CHECK(op < WEBHDFS_OP_COUNT);
    if (took(webhdfs_path_parse(parts.rest, parts.arena, &path, &error), &error))
        CHECK(path_check(path, NULL) == OK);
    read_numbers(&from, &error);
    read_paths(&from, parts.arena, &error);
    write_and_read(slice_make(data, size));
    arena_close(parts.arena);
    return 0;
}
