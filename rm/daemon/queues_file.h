/*
 * queues_file.h - reads the operator's queues (docs/scheduler.md) from an ini file.
 */
#ifndef MILLRACE_RM_DAEMON_QUEUES_FILE_H
#define MILLRACE_RM_DAEMON_QUEUES_FILE_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/model/messages.h"

/*
 * Reads and checks the file at path; what it holds is taken from arena. An absent file is no
 * queues at all: root.default alone. Anything else that is wrong is said in one sentence that names
 * file, line, queue, reason and way out.
 */
MUST_USE enum status rm_queues_file_read(const char *path,
                                         struct arena *arena,
                                         struct rm_queue_specs *ret_specs,
                                         struct error *reterr_error);

/* The same of a text; path is for what is said. */
MUST_USE enum status rm_queues_file_parse(const char *path,
                                          struct slice text,
                                          struct arena *arena,
                                          struct rm_queue_specs *ret_specs,
                                          struct error *reterr_error);

#endif
