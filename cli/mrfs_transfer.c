/*
 * mrfs_transfer.c - the workers and the progress line.
 */
#include "cli/mrfs_transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/table.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/settings.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"

enum {
    PROGRESS_MS = 100,
    QUEUE_LENGTH = 256
};

struct transfer_progress {
    struct transfers *transfers;
};

struct item {
    struct item *next;
    struct arena *arena; /* holds the strings */
    struct transfer transfer;
};

struct transfers {
    struct mrfs *mrfs;
    struct transfer_settings settings;
    struct transfer_progress progress;
    struct thread *threads[TRANSFER_THREADS_MAX];
    unsigned threads_count;

    struct mutex *mutex;         /* of everything below */
    struct condition *condition; /* anything changed */
    struct item *first;
    struct item **last;
    size_t queued;
    bool is_complete; /* no more will be added */
    bool has_failed;
    struct slice name; /* of the only file */
    uint64_t files_added;
    uint64_t files_done;
    uint64_t bytes_added;
    uint64_t bytes_done;
    int64_t begun_ms;
    int64_t next_ms;
    bool is_shown;
};

/* --- progress ----------------------------------------------------------------------------------
 */

/* Under the mutex. "name  1.0 MiB of 2.0 MiB  50 %  20.0 MiB/s" or "12 of 300 files  ...". */
static void show_progress(struct transfers *transfers)
{
    int64_t now = clock_monotonic_ms();
    if (!transfers->mrfs->is_terminal || now < transfers->next_ms)
        return;
    transfers->next_ms = now + PROGRESS_MS;
    transfers->is_shown = true;
    mutex_lock(transfers->mrfs->mutex);
    if (transfers->files_added == 1)
        fprintf(stderr, "\r\033[K%s", text_quote(text_cut(transfers->name, 40)).text);
    else
        fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 "%s files", transfers->files_done,
                transfers->files_added, transfers->is_complete ? "" : "+");
    fprintf(stderr, "  %s", cli_bytes(transfers->bytes_done).text);
    if (transfers->bytes_added > 0 && transfers->bytes_done <= transfers->bytes_added)
        fprintf(stderr, " of %s  %" PRIu64 " %%", cli_bytes(transfers->bytes_added).text,
                (uint64_t)((double)transfers->bytes_done * 100 / (double)transfers->bytes_added));
    if (now > transfers->begun_ms)
        fprintf(stderr, "  %s/s",
                cli_bytes((uint64_t)((double)transfers->bytes_done * 1000 /
                                     (double)(now - transfers->begun_ms)))
                    .text);
    fflush(stderr);
    mutex_unlock(transfers->mrfs->mutex);
}

void transfer_progress_add(struct transfer_progress *progress, uint64_t bytes)
{
    if (progress == NULL)
        return;
    struct transfers *transfers = progress->transfers;
    mutex_lock(transfers->mutex);
    transfers->bytes_done += bytes;
    show_progress(transfers);
    mutex_unlock(transfers->mutex);
}

/* --- workers -----------------------------------------------------------------------------------
 */

/* The next item, or NULL when all is done. */
static struct item *take_item(struct transfers *transfers)
{
    mutex_lock(transfers->mutex);
    while (transfers->first == NULL && !transfers->is_complete)
        condition_wait(transfers->condition, transfers->mutex);
    struct item *item = transfers->first;
    if (item != NULL) {
        transfers->first = item->next;
        if (transfers->first == NULL)
            transfers->last = &transfers->first;
        transfers->queued--;
        condition_broadcast(transfers->condition);
    }
    mutex_unlock(transfers->mutex);
    return item;
}

static void copy_files(void *argument)
{
    struct transfers *transfers = argument;
    struct item *item;
    while ((item = take_item(transfers)) != NULL) {
        struct error error = {OK, ""};
        enum status status = OK;
        if (mrfs_was_interrupted()) /* it was not begun; that is told once, by the exit code */
            status = ERR_CANCELLED;
        else
            status = transfer_one(transfers->mrfs, &transfers->settings, &item->transfer,
                                  &transfers->progress, item->arena, &error);
        if (status != OK && error.text[0] != 0)
            mrfs_complain(transfers->mrfs, item->transfer.source, status, error.text);
        mutex_lock(transfers->mutex);
        transfers->has_failed = transfers->has_failed || status != OK;
        transfers->files_done++;
        show_progress(transfers);
        mutex_unlock(transfers->mutex);
        arena_close(item->arena);
        mem_free(item);
    }
}

/* --- door --------------------------------------------------------------------------------------
 */

bool transfer_durability(struct mrfs *mrfs, enum dfs_durability *ret_durability)
{
    const char *text = mrfs->words.values[KEY_DURABILITY];
    *ret_durability = DURABILITY_SYNCED;
    if (!mrfs_has(mrfs, KEY_DURABILITY) || strcmp(text, "synced") == 0)
        return true;
    if (strcmp(text, "replicated") == 0) {
        *ret_durability = DURABILITY_REPLICATED;
        return true;
    }
    mrfs_complain(mrfs, slice_from_string(text), ERR_INVALID, "durability is synced or replicated");
    return false;
}

bool transfer_options(struct mrfs *mrfs, struct transfer_settings *ret_settings)
{
    enum dfs_durability durability = DURABILITY_SYNCED;
    uint64_t replication = 0;
    uint64_t threads = 0;
    uint64_t block_size = 0;
    struct error error = {OK, ""};
    if (!transfer_durability(mrfs, &durability) ||
        !mrfs_number(mrfs, KEY_REPLICATION, 0, LIMIT_REPLICAS, &replication) ||
        !mrfs_number(mrfs, 't', TRANSFER_THREADS, TRANSFER_THREADS_MAX, &threads))
        return false;
    if (mrfs_has(mrfs, KEY_BLOCK_SIZE)) {
        struct slice text = slice_from_string(mrfs->words.values[KEY_BLOCK_SIZE]);
        enum status status = setting_parse(SETTING_BYTES, text, &block_size, &error);
        if (status != OK || block_size < LIMIT_BLOCK_BYTES_MIN || block_size > LIMIT_BLOCK_BYTES) {
            mrfs_complain(mrfs, text, ERR_INVALID, "--block-size is from 1k to 1g");
            return false;
        }
    }
    *ret_settings = (struct transfer_settings){
        .create = {.replication = (uint32_t)replication,
                   .block_size = block_size,
                   .durability = durability,
                   .create_parents = mrfs_has(mrfs, KEY_PARENTS)},
        .threads = (unsigned)threads,
        .is_forced = mrfs_has(mrfs, 'f'),
        .is_direct = mrfs_has(mrfs, 'd'),
        .is_preserving = mrfs_has(mrfs, 'p'),
    };
    if (mrfs_has(mrfs, 'l') && replication == 0)
        ret_settings->create.replication = 1;
    return true;
}

struct transfers *transfers_open(struct mrfs *mrfs, const struct transfer_settings *settings)
{
    struct transfers *transfers = MEM_NEW(struct transfers);
    CHECK(settings->threads >= 1 && settings->threads <= TRANSFER_THREADS_MAX);
    transfers->mrfs = mrfs;
    transfers->settings = *settings;
    transfers->progress.transfers = transfers;
    transfers->mutex = mutex_open();
    transfers->condition = condition_open();
    transfers->last = &transfers->first;
    transfers->begun_ms = clock_monotonic_ms();
    return transfers;
}

/* One thread more while there is more to do than there are threads. */
static void add_thread(struct transfers *transfers)
{
    unsigned count = transfers->threads_count;
    if (count == transfers->settings.threads || count >= transfers->files_added)
        return;
    enum status status =
        thread_open("transfer", copy_files, transfers, &transfers->threads[count], NULL);
    if (status == OK)
        transfers->threads_count++;
    else
        transfers->settings.threads =
            count; /* with those there are; none: the main thread copies */
}

void transfers_add(struct transfers *transfers, const struct transfer *transfer)
{
    struct item *item = MEM_NEW(struct item);
    item->arena = arena_open(0);
    item->transfer = *transfer;
    item->transfer.source = arena_copy(item->arena, transfer->source);
    item->transfer.target = arena_copy(item->arena, transfer->target);
    item->transfer.owner = arena_copy(item->arena, transfer->owner);
    item->transfer.group = arena_copy(item->arena, transfer->group);
    mutex_lock(transfers->mutex);
    while (transfers->queued >= QUEUE_LENGTH && transfers->threads_count > 0)
        condition_wait(transfers->condition, transfers->mutex);
    if (transfers->files_added == 0)
        transfers->name = arena_copy(transfers->mrfs->arena, transfer->source);
    *transfers->last = item;
    transfers->last = &item->next;
    transfers->queued++;
    transfers->files_added++;
    transfers->bytes_added += transfer->length;
    condition_broadcast(transfers->condition);
    mutex_unlock(transfers->mutex);
    add_thread(transfers);
}

bool transfers_close(struct transfers *transfers)
{
    mutex_lock(transfers->mutex);
    transfers->is_complete = true;
    condition_broadcast(transfers->condition);
    mutex_unlock(transfers->mutex);
    if (transfers->threads_count == 0)
        copy_files(transfers); /* no thread could be started: here, then */
    for (unsigned i = 0; i < transfers->threads_count; i++)
        thread_join(transfers->threads[i]);
    if (transfers->is_shown)
        fprintf(stderr, "\r\033[K");
    bool is_done = !transfers->has_failed && !mrfs_was_interrupted();
    condition_close(transfers->condition);
    mutex_close(transfers->mutex);
    mem_free(transfers);
    return is_done;
}
