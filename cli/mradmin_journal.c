/*
 * mradmin_journal.c - "mradmin journal FILE|DIR...": what segments and checkpoints of a journal
 * hold, a line of JSON for each file, record and end. Needs no daemon; damaged files are shown as
 * far as they are good.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/mradmin.h"
#include "lib/journal/journal_view.h"
#include "lib/model/message.h"
#include "lib/os/file.h"
#include "lib/wire/wire.h"

struct journal_printer {
    struct buf line;
    struct arena *arena; /* of one record */
};

static enum status print_line(struct journal_printer *printer,
                              enum status status,
                              struct error *reterr_error)
{
    if (status == OK &&
        fwrite(printer->line.data, 1, printer->line.length, stdout) != printer->line.length)
        return error_set(reterr_error, ERR_IO, "standard output could not be written");
    if (status != OK)
        return error_set(reterr_error, status, "a line of JSON: %s", status_sentence(status));
    return OK;
}

static enum status print_begin(void *user,
                               const struct journal_view_file *file,
                               struct error *reterr_error)
{
    struct journal_printer *printer = user;
    struct buf *line = &printer->line;
    buf_clear(line);
    enum status status = buf_append_format(line, "{\"file\": ");
    if (status == OK)
        status = message_print_json_string(slice_from_string(file->path), line);
    if (status == OK)
        status = buf_append_format(
            line,
            ", \"kind\": \"%s\", \"version\": %" PRIu32 ", \"journal\": \"%s\", "
            "\"generation\": %" PRIu64 ", \"first_sequence\": %" PRIu64 ", \"bytes\": %" PRIu64
            "}\n",
            file->is_checkpoint ? "checkpoint" : "segment", file->version, file->journal_id,
            file->generation, file->first_sequence, file->bytes);
    return print_line(printer, status, reterr_error);
}

/* The message's fields; of a type that is not known or does not unpack, the reason. */
static enum status append_fields(struct journal_printer *printer,
                                 const struct journal_view_record *record)
{
    const struct message_type *type = message_type_by_name(record->type);
    struct error error = {.status = OK};
    void *message = NULL;
    enum status status = ERR_NOT_FOUND;
    arena_reset(printer->arena);
    if (type != NULL)
        status = wire_unpack(type, record->bytes, printer->arena, &message, &error);
    else
        status_ignore(error_set(&error, status, "this program does not know the type"));
    if (status == OK) {
        status = buf_append_format(&printer->line, ", \"fields\": ");
        return status == OK ? message_print_json(type, message, &printer->line) : status;
    }
    status = buf_append_format(&printer->line, ", \"unreadable\": ");
    return status == OK ? message_print_json_string(slice_from_string(error.text), &printer->line)
                        : status;
}

static enum status print_record(void *user,
                                const struct journal_view_record *record,
                                struct error *reterr_error)
{
    struct journal_printer *printer = user;
    struct buf *line = &printer->line;
    buf_clear(line);
    enum status status = buf_append_format(line,
                                           "{\"batch\": %" PRIu64 ", \"offset\": %" PRIu64
                                           ", \"index\": %" PRIu64 ", \"type\": ",
                                           record->sequence, record->offset, record->index);
    if (status == OK)
        status = message_print_json_string(record->type, line);
    if (status == OK)
        status = append_fields(printer, record);
    if (status == OK)
        status = buf_append_format(line, "}\n");
    return print_line(printer, status, reterr_error);
}

static enum status print_end(void *user,
                             const struct journal_view_file *file,
                             struct error *reterr_error)
{
    struct journal_printer *printer = user;
    struct buf *line = &printer->line;
    buf_clear(line);
    enum status status = buf_append_format(line, "{\"end\": ");
    if (status == OK)
        status = message_print_json_string(slice_from_string(file->path), line);
    if (status == OK)
        status = buf_append_format(line,
                                   ", \"offset\": %" PRIu64 ", \"last_batch\": %" PRIu64
                                   ", \"batches\": %" PRIu64 ", \"records\": %" PRIu64
                                   ", \"bytes_behind\": %" PRIu64 ", \"damage\": ",
                                   file->end, file->last_sequence, file->batches, file->records,
                                   file->bytes > file->end ? file->bytes - file->end : 0);
    if (status == OK && file->damage == NULL)
        status = buf_append_format(line, "null");
    else if (status == OK)
        status = message_print_json_string(slice_from_string(file->damage), line);
    if (status == OK)
        status = buf_append_format(line, "}\n");
    return print_line(printer, status, reterr_error);
}

static enum status show(const struct journal_view *view,
                        const char *path,
                        int *ret_code,
                        struct error *reterr_error)
{
    bool is_damaged = false;
    enum status status = journal_view_file(path, view, &is_damaged, reterr_error);
    if (status == OK && is_damaged)
        *ret_code = CLI_FAILED;
    return status;
}

static enum status show_all(const struct journal_view *view,
                            const char *path,
                            struct arena *arena,
                            int *ret_code,
                            struct error *reterr_error)
{
    struct file_info info;
    const char **paths = NULL;
    size_t count = 0;
    enum status status = file_info_get(path, true, &info, reterr_error);
    if (status != OK)
        return status;
    if (!info.is_directory)
        return show(view, path, ret_code, reterr_error);
    status = journal_view_list(path, arena, &paths, &count, reterr_error);
    if (status == OK && count == 0)
        status = error_set(reterr_error, ERR_NOT_FOUND, "%s holds no journal", path);
    for (size_t i = 0; i < count && status == OK; i++)
        status = show(view, paths[i], ret_code, reterr_error);
    return status;
}

enum status mradmin_journal(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    struct journal_printer printer = {.arena = arena_open(0)};
    struct journal_view view = {
        .user = &printer, .begin = print_begin, .record = print_record, .end = print_end};
    enum status status = OK;
    for (size_t i = 0; i < mradmin->words.count && status == OK; i++)
        status =
            show_all(&view, mradmin->words.arguments[i], mradmin->arena, ret_code, reterr_error);
    buf_close(&printer.line);
    arena_close(printer.arena);
    return status;
}
