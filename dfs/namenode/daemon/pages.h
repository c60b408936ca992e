/*
 * pages.h - what mr-namenode serves over HTTP, and the state that needs: made in open_namenode,
 * closed with the daemon. Threads: one per connection; each asks the machine by way of the shell.
 */
#ifndef MILLRACE_DFS_NAMENODE_DAEMON_PAGES_H
#define MILLRACE_DFS_NAMENODE_DAEMON_PAGES_H

#include "lib/base/error.h"
#include "lib/base/status.h"

struct buf;
struct daemon;
struct metrics_page;
struct namenode_pages;

/* Starts to listen; the pages answer 503 until the daemon has started. */
MUST_USE enum status namenode_pages_open(struct daemon *daemon,
                                         struct namenode_pages **ret_pages,
                                         struct error *reterr_error);
/* Stops to listen and waits for the requests in progress. */
void namenode_pages_stop(void *pages);
void namenode_pages_close(void *pages); /* NULL is fine */

/* See struct daemon_definition. */
void namenode_pages_metrics(void *pages, struct metrics_page *page);
enum status namenode_pages_health(void *pages, struct buf *notes, struct error *reterr_error);

#endif
