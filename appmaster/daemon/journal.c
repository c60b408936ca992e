/*
 * journal.c - the master's journal as files of the filesystem, whose appends are atomic and whose
 * bytes are checked, so that nothing is left to do here for a torn or a rotten record.
 */
#include "appmaster/daemon/journal.h"

#include "lib/model/limits.h"
#include "lib/wire/wire.h"

enum {
    FILE_BYTES_MAX = 16 * 1024 * 1024 /* then a new one; a reader unpacks one at a time */
};

static struct slice file_path(const struct master_journal *journal,
                              uint32_t app_attempt,
                              uint32_t file,
                              struct arena *arena)
{
    return arena_format(arena, "%.*s/journal.%u.%u", SLICE_ARGS(journal->staging), app_attempt,
                        file);
}

static enum status append_to(struct dfs *dfs,
                             struct slice path,
                             struct slice batch,
                             struct error *reterr_error)
{
    struct dfs_writer *writer;
    enum status status = dfs_append(dfs, path, DURABILITY_SYNCED, &writer, reterr_error);
    if (status != OK)
        return status;
    status = dfs_writer_write(writer, batch.data, batch.length, reterr_error);
    if (status == OK)
        status = dfs_writer_complete(writer, reterr_error);
    dfs_writer_close(writer);
    return status;
}

enum status master_journal_append(struct master_journal *journal,
                                  struct slice batch,
                                  struct error *reterr_error)
{
    /* Without parents: once the job's folder is removed, nothing may bring it back. */
    const struct dfs_create_options options = {.permission = 0600};
    struct arena *arena = arena_open(0);
    if (journal->file_bytes + batch.length > FILE_BYTES_MAX && journal->file_bytes > 0) {
        journal->file++;
        journal->file_bytes = 0;
    }
    struct slice path = file_path(journal, journal->app_attempt, journal->file, arena);
    enum status status = append_to(journal->dfs, path, batch, reterr_error);
    if (status == ERR_NOT_FOUND)
        status = dfs_write_file(journal->dfs, path, batch, &options, NULL, reterr_error);
    journal->file_bytes += batch.length; /* of a failure, too: it may be there */
    arena_close(arena);
    return status;
}

struct record_list {
    struct am_master_record *records;
    size_t count;
    size_t capacity;
};

static void take_records(struct record_list *list,
                         const struct am_master_journal *journal,
                         struct arena *arena)
{
    if (list->count + journal->records_count > list->capacity) {
        size_t capacity = (list->count + journal->records_count) * 2;
        struct am_master_record *records = ARENA_ARRAY(arena, struct am_master_record, capacity);
        for (size_t i = 0; i < list->count; i++)
            records[i] = list->records[i];
        list->records = records;
        list->capacity = capacity;
    }
    for (size_t i = 0; i < journal->records_count; i++)
        list->records[list->count++] = journal->records[i];
}

static enum status read_one(const struct master_journal *journal,
                            struct slice path,
                            struct record_list *list,
                            struct arena *arena,
                            struct error *reterr_error)
{
    struct buf bytes;
    void *message = NULL;
    buf_open(&bytes, LIMIT_MESSAGE_BYTES);
    enum status status = dfs_read_file(journal->dfs, path, &bytes, reterr_error);
    if (status == OK) {
        status =
            wire_unpack(&am_master_journal_type, buf_slice(&bytes), arena, &message, reterr_error);
        if (status != OK)
            status = error_prefix(reterr_error, ERR_CORRUPT, "journal %.*s", SLICE_ARGS(path));
        else
            take_records(list, message, arena);
    }
    buf_close(&bytes);
    return status;
}

enum status master_journal_read(const struct master_journal *journal,
                                struct arena *arena,
                                struct am_master_journal *ret_records,
                                struct error *reterr_error)
{
    struct record_list list = {0};
    for (uint32_t attempt = 1; attempt < journal->app_attempt; attempt++) {
        enum status status = OK;
        for (uint32_t file = 0; status == OK; file++)
            status = read_one(journal, file_path(journal, attempt, file, arena), &list, arena,
                              reterr_error);
        if (status != ERR_NOT_FOUND)
            return status;
    }
    *ret_records = (struct am_master_journal){.records = list.records, .records_count = list.count};
    return OK;
}
