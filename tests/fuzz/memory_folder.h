/*
 * memory_folder.h - a folder for the files of a fuzz target: in memory, with syncs that cost
 * nothing.
 */
#ifndef MILLRACE_TESTS_FUZZ_MEMORY_FOLDER_H
#define MILLRACE_TESTS_FUZZ_MEMORY_FOLDER_H

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

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

#endif
