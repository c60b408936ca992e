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

enum status journal_compact(struct journal *journal,
                            const struct journal_record *records,
                            size_t count,
                            struct error *reterr_error)
{
    return journal->methods->compact(journal, records, count, reterr_error);
}

struct journal_size journal_size_get(const struct journal *journal)
{
    return journal->methods->size(journal);
}

bool journal_has_failed(const struct journal *journal)
{
    return journal->methods->has_failed(journal);
}

void journal_close(struct journal *journal)
{
    if (journal != NULL)
        journal->methods->close(journal);
}
