/*
 * file_text.h - files in words: sizes and times as Hadoop's shell prints them, and the formats of
 * "stat".
 */
#ifndef MILLRACE_CLI_FILE_TEXT_H
#define MILLRACE_CLI_FILE_TEXT_H

#include "cli/table.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct dfs_file_status;

/* "999", "1 K", "1.5 K", "20.3 G": as du -h and ls -h print. */
struct cli_word file_text_size(uint64_t bytes);
/* "2026-01-31 10:00:00" (UTC); cut to "2026-01-31 10:00" unless has_seconds. */
struct cli_word file_text_time(uint64_t wall_ms, bool has_seconds);
/*
 * A time as touch -t takes it: "20260131:100000", UTC. False when it is none.
 */
bool file_text_parse_time(struct slice text, uint64_t *ret_wall_ms);
/*
 * Appends format with each %x replaced: %a octal permission, %A as ls prints it, %b bytes, %F kind,
 * %g group, %n name, %o block size, %r replication, %u owner, %x and %X time of access, %y and %Y
 * of change (small: text, capital: ms since 1970), %% a percent sign. Anything else stays as it is.
 */
void file_text_format(struct slice format,
                      struct slice path,
                      const struct dfs_file_status *file,
                      struct buf *buf);

#endif
