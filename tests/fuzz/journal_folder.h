/*
 * journal_folder.h - what the fuzz targets of the journal share: a folder of its own for each
 * input, syncs that cost nothing, and opening what was put there.
 */
#ifndef MILLRACE_TESTS_FUZZ_JOURNAL_FOLDER_H
#define MILLRACE_TESTS_FUZZ_JOURNAL_FOLDER_H

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/journal/journal.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

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

static int folder_skip_sync(int descriptor)
{
    (void)descriptor;
    return 0;
}

/* Memory where the host has it as a folder: of a folder on a disk a fuzzer sees few. */
static const char *folder_prefix(void)
{
    struct file_info info;
    bool has_memory = file_info_get("/dev/shm", true, &info, NULL) == OK && info.is_directory;
    return has_memory ? "/dev/shm/millrace-fuzz-" : "/tmp/millrace-fuzz-";
}

/* An empty folder; nothing in it outlives the process, so nothing is synced. */
static const char *folder_make(struct arena *arena)
{
    static struct os_calls calls;
    const char *directory = NULL;
    calls = *os_calls_posix();
    calls.fsync = folder_skip_sync;
    calls.fdatasync = folder_skip_sync;
    (void)os_calls_set(&calls);
    CHECK(directory_make_temporary(folder_prefix(), arena, &directory, NULL) == OK);
    return directory;
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
