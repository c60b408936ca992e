/*
 * fuzz_settings.c - any bytes as a settings file: an error that says why, or settings that print.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/daemon/settings.h"
#include "lib/os/calls.h"
#include "lib/os/file.h"
#include "lib/os/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct setting rows[] = {
    {"rm.a_ms", SETTING_MS,     "30s", "a time", 1000, 3600000},
    {"rm.b",    SETTING_STRING, "x",   "a text", 0,    0      },
    {"log.c",   SETTING_BYTES,  "64m", "a size", 0,    0      },
};

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
    char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/millrace-fuzz-%lld.conf", (long long)process_self());
    CHECK(file_replace(path, slice_make(data, size), FILE_PRIVATE, NULL) == OK);
    struct settings *settings = settings_open();
    settings_add(settings, rows, sizeof(rows) / sizeof(rows[0]));
    struct error error = {.status = OK};
    enum status status = settings_load_file(settings, path, true, &error);
    CHECK(status == OK || error.text[0] != '\0');
    struct buf text;
    buf_open(&text, 0);
    CHECK(settings_print(settings, &text) == OK && settings_print_json(settings, &text) == OK);
    buf_close(&text);
    settings_close(settings);
    CHECK(file_remove(path, NULL) == OK);
    return 0;
}
