/*
 * folders.h - what a node manager keeps on disk, below its own folder:
 *
 *     apps/<application>/containers/<container>/   working folder, and tmp/ in it; while it lives
 *     apps/<application>/resources/<file>          files of the filesystem that containers asked
 * for apps/<application>/output/<map>_<attempt>.run  map outputs, served until the application is
 * over logs/<application>/owner                     the user's name
 *     logs/<application>/<container>/{stdout,stderr}  kept after the application, see the trimming
 *
 * Ids are in their one text form (lib/model/ids.h), so no name from outside becomes a path as it
 * is. Nothing here is synced: after a loss of power, working folders and resources are removed at
 * the start, map outputs carry checksums. Any thread may call, but one at a time for one container.
 */
#ifndef MILLRACE_NODEMGR_DAEMON_FOLDERS_H
#define MILLRACE_NODEMGR_DAEMON_FOLDERS_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/model/messages.h"

struct file;

struct nodemgr_folders {
    const char *root; /* absolute; outlives all use */
};

/* Paths, from arena; nothing is made. */
const char *nodemgr_folders_app(const struct nodemgr_folders *folders,
                                struct arena *arena,
                                struct app_id app);
const char *nodemgr_folders_output(const struct nodemgr_folders *folders,
                                   struct arena *arena,
                                   struct app_id app);
const char *nodemgr_folders_resources(const struct nodemgr_folders *folders,
                                      struct arena *arena,
                                      struct app_id app);
const char *nodemgr_folders_work(const struct nodemgr_folders *folders,
                                 struct arena *arena,
                                 struct container_id container);
const char *nodemgr_folders_app_logs(const struct nodemgr_folders *folders,
                                     struct arena *arena,
                                     struct app_id app);
const char *nodemgr_folders_logs(const struct nodemgr_folders *folders,
                                 struct arena *arena,
                                 struct container_id container);

/*
 * At the start: removes what containers of an earlier life left (working folders, resources) and
 * lists the applications that still have a folder.
 */
MUST_USE enum status nodemgr_folders_recover(const struct nodemgr_folders *folders,
                                             struct arena *arena,
                                             struct app_id **ret_apps,
                                             size_t *ret_count,
                                             struct error *reterr_error);
/* Makes everything that a container of user needs. ERR_DENIED when the application is another's. */
MUST_USE enum status nodemgr_folders_prepare(const struct nodemgr_folders *folders,
                                             struct container_id container,
                                             struct slice user,
                                             struct error *reterr_error);
/* Whose application it is, from arena; ERR_NOT_FOUND when it never had a container here. */
MUST_USE enum status nodemgr_folders_owner(const struct nodemgr_folders *folders,
                                           struct arena *arena,
                                           struct app_id app,
                                           struct slice *ret_user,
                                           struct error *reterr_error);
/* Removes a container's working folder; its logs stay. */
MUST_USE enum status nodemgr_folders_clean(const struct nodemgr_folders *folders,
                                           struct container_id container,
                                           struct error *reterr_error);
/* Removes an application's folder; its logs stay. */
MUST_USE enum status nodemgr_folders_forget(const struct nodemgr_folders *folders,
                                            struct app_id app,
                                            struct error *reterr_error);
/*
 * Removes the logs of applications that have no folder any more: all but the apps_max newest of
 * them, and those last written before oldest_wall_ms.
 */
MUST_USE enum status nodemgr_folders_trim_logs(const struct nodemgr_folders *folders,
                                               size_t apps_max,
                                               int64_t oldest_wall_ms,
                                               struct error *reterr_error);
/*
 * The last lines of a container's stderr, from arena: at most bytes_max, whole lines where there is
 * one, as they are. Empty when there is nothing to read.
 */
struct slice nodemgr_folders_stderr_tail(const struct nodemgr_folders *folders,
                                         struct arena *arena,
                                         struct container_id container,
                                         size_t bytes_max);
/*
 * Opens an output of a map for serving one partition of it: ret_file, its bytes [ret_offset,
 * ret_offset + ret_bytes) and the records in them. ERR_NOT_FOUND: no such output or partition;
 * ERR_CORRUPT: it is damaged.
 */
MUST_USE enum status nodemgr_folders_open_segment(const struct nodemgr_folders *folders,
                                                  struct app_id app,
                                                  uint32_t map,
                                                  uint32_t attempt,
                                                  uint32_t partition,
                                                  struct file **ret_file,
                                                  uint64_t *ret_offset,
                                                  uint64_t *ret_bytes,
                                                  uint64_t *ret_records,
                                                  struct error *reterr_error);

#endif
