/*
 * journal.h - the master's journal in the job's staging folder (docs/formats/master-journal.md).
 * One thread at a time; calls block on the filesystem.
 */
#ifndef MILLRACE_APPMASTER_DAEMON_JOURNAL_H
#define MILLRACE_APPMASTER_DAEMON_JOURNAL_H

#include "dfs/client/dfs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"

struct master_journal {
    struct dfs *dfs;      /* borrowed */
    struct slice staging; /* folder; borrowed */
    uint32_t app_attempt; /* whose files are written */
    uint32_t file;        /* the one that is written now */
    uint64_t file_bytes;
};

/* Appends one packed am.MasterJournal, all or nothing; after a failure it may be there all the
 * same. */
MUST_USE enum status master_journal_append(struct master_journal *journal,
                                           struct slice batch,
                                           struct error *reterr_error);
/*
 * All records of the attempts before app_attempt, in order, in arena; none when none was written.
 * ERR_CORRUPT when a file is not such messages.
 */
MUST_USE enum status master_journal_read(const struct master_journal *journal,
                                         struct arena *arena,
                                         struct am_master_journal *ret_records,
                                         struct error *reterr_error);

#endif
