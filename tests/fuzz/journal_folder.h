/*
 * journal_folder.h - what the fuzz targets of the journal share: writing files, and opening what
 * was put there.
 */
#ifndef MILLRACE_TESTS_FUZZ_JOURNAL_FOLDER_H
#define MILLRACE_TESTS_FUZZ_JOURNAL_FOLDER_H

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/journal/journal.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/fuzz/memory_folder.h"

static enum status folder_count(void *user,
                                const struct journal_record *record,
                                struct error *error)
{
    uint64_t *count = user;
    (void)error;
    CHECK(record->type.length > 0 && record->type.length <= JOURNAL_TYPE_BYTES_MAX);
    *count += 1 + record->bytes.length;
    return OK;
}

/* Opens the journal "j", appends a record when that is possible, and says what was replayed. */
static enum status folder_open(const char *directory, uint64_t *ret_count)
{
    struct journal_options options = {.reserve_bytes = 0};
    struct journal *journal = NULL;
    struct error error = {.status = OK};
    *ret_count = 0;
    enum status status =
        journal_open(directory, "j", &options, folder_count, ret_count, NULL, &journal, &error);
    CHECK(status == OK || status == ERR_CORRUPT);
    CHECK(status == OK || error.text[0] != '\0');
    if (status == OK) {
        struct journal_record record = {slice_from_string("n"), slice_from_string("ew")};
        CHECK(journal_append(journal, &record, 1, &error) == OK);
        CHECK(journal_sync(journal, &error) == OK);
    }
    journal_close(journal);
    return status;
}

/* What was replayed once, and what was appended then, is replayed again. */
static void folder_check(const char *directory)
{
    uint64_t first = 0;
    uint64_t second = 0;
    if (folder_open(directory, &first) == OK)
        CHECK(folder_open(directory, &second) == OK && second == first + 3);
}

static void folder_write(struct arena *arena,
                         const char *directory,
                         const char *name,
                         struct slice content)
{
    struct file *file = NULL;
    CHECK(file_open(path_join(arena, directory, name), FILE_MODE_TRUNCATE, FILE_PRIVATE, &file,
                    NULL) == OK);
    CHECK(file_write_at(file, 0, content, NULL) == OK);
    file_close(file);
}

#endif
