/*
 * journal.c - the interface: passes each call on to the implementation.
 */
#include "lib/journal/journal.h"

#include "lib/base/check.h"

enum status journal_append(struct journal *journal,
                           const struct journal_record *records,
                           size_t count,
                           struct error *reterr_error)
{
    CHECK(count > 0);
    return journal->methods->append(journal, records, count, reterr_error);
}

enum status journal_sync(struct journal *journal, struct error *reterr_error)
{
    return journal->methods->sync(journal, reterr_error);
}

struct journal_size journal_size_get(const struct journal *journal)
{
    return journal->methods->size(journal);
}

bool journal_has_failed(const struct journal *journal)
{
    return journal->methods->has_failed(journal);
}

bool journal_is_short_of_room(struct journal *journal)
{
    return journal->methods->is_short_of_room(journal);
}

void journal_close(struct journal *journal)
{
    if (journal != NULL)
        journal->methods->close(journal);
}

enum status journal_checkpoint_begin(struct journal *journal,
                                     struct journal_checkpoint **ret_checkpoint,
                                     struct error *reterr_error)
{
    return journal->methods->checkpoint_begin(journal, ret_checkpoint, reterr_error);
}

enum status journal_checkpoint_replay(struct journal_checkpoint *checkpoint,
                                      journal_replay *replay,
                                      void *user,
                                      struct error *reterr_error)
{
    return checkpoint->methods->replay(checkpoint, replay, user, reterr_error);
}

enum status journal_checkpoint_write(struct journal_checkpoint *checkpoint,
                                     const struct journal_record *records,
                                     size_t count,
                                     struct error *reterr_error)
{
    return checkpoint->methods->write(checkpoint, records, count, reterr_error);
}

enum status journal_checkpoint_install(struct journal_checkpoint *checkpoint,
                                       struct journal_checkpoint_result *ret_result,
                                       struct error *reterr_error)
{
    return checkpoint->methods->install(checkpoint, ret_result, reterr_error);
}

void journal_checkpoint_close(struct journal_checkpoint *checkpoint)
{
    if (checkpoint != NULL)
        checkpoint->methods->close(checkpoint);
}

void journal_checkpoint_done(struct journal *journal,
                             const struct journal_checkpoint_result *result)
{
    journal->methods->checkpoint_done(journal, result);
}
