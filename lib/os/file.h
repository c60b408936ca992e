/*
 * file.h - files: open, read, write, sync, map, lock, replace.
 * A struct file remembers its path, so that every error names it. Positioned reads and writes may
 * be made from several threads at once; everything else on one file is for one thread at a time.
 * Interrupted calls (EINTR) are repeated; short reads and writes are continued. A failed sync is
 * never repeated: what was written since the last good one must be taken as lost.
 */
#ifndef MILLRACE_LIB_OS_FILE_H
#define MILLRACE_LIB_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct file;

enum file_mode {
    FILE_MODE_READ,       /* must exist; ERR_NOT_FOUND otherwise */
    FILE_MODE_UPDATE,     /* read and write; must exist */
    FILE_MODE_CREATE,     /* read and write; created when absent */
    FILE_MODE_CREATE_NEW, /* read and write; ERR_EXISTS when present */
    FILE_MODE_TRUNCATE,   /* read and write; created when absent, emptied when present */
    FILE_MODE_APPEND      /* write at the end; created when absent */
};

/* New files get permission 0644, less the umask; with FILE_PRIVATE 0600. */
#define FILE_PUBLIC  0644u
#define FILE_PRIVATE 0600u

/* Close-on-exec. The caller closes *ret_file. */
MUST_USE enum status file_open(const char *path,
                               enum file_mode mode,
                               unsigned permission,
                               struct file **ret_file,
                               struct error *reterr_error);
/*
 * Closes without sync; NULL is fine. What was written and not synced may be lost, and an error that
 * close reports comes too late to help, so nothing is returned: sync first where it matters.
 */
void file_close(struct file *file);
const char *file_path(const struct file *file);
/* The descriptor, for passing it on or for sendfile; stays the file's. */
int file_descriptor(const struct file *file);
/* Gives up file but not its descriptor, which is the caller's from now on (and is not closed). */
int file_release(struct file *file);
/* Takes a descriptor that came from elsewhere; name is what errors call it. The caller closes it.
 */
struct file *file_adopt(int descriptor, const char *name);

/* Reads up to bytes at offset; *ret_bytes is less only at the end of the file. */
MUST_USE enum status file_read_at(struct file *file,
                                  uint64_t offset,
                                  void *data,
                                  size_t bytes,
                                  size_t *ret_bytes,
                                  struct error *reterr_error);
/* Reads exactly bytes at offset; ERR_CORRUPT when the file ends before. */
MUST_USE enum status file_read_exactly(
    struct file *file, uint64_t offset, void *data, size_t bytes, struct error *reterr_error);
/*
 * Reads 1 to bytes bytes from the descriptor's position (a pipe, a terminal); *ret_bytes is 0 at
 * the end only.
 */
MUST_USE enum status file_read_next(
    struct file *file, void *data, size_t bytes, size_t *ret_bytes, struct error *reterr_error);
/* Writes all of data at offset. On failure any prefix of it may have been written. */
MUST_USE enum status file_write_at(struct file *file,
                                   uint64_t offset,
                                   struct slice data,
                                   struct error *reterr_error);
/* Writes all of data at the end (FILE_MODE_APPEND) or at the descriptor's position. */
MUST_USE enum status file_append(struct file *file, struct slice data, struct error *reterr_error);
/* fsync: data and metadata are on the disk when it returns OK. */
MUST_USE enum status file_sync(struct file *file, struct error *reterr_error);
/* fdatasync: data, and the metadata needed to read it back. */
MUST_USE enum status file_sync_data(struct file *file, struct error *reterr_error);
MUST_USE enum status file_truncate(struct file *file, uint64_t length, struct error *reterr_error);
/* Reserves room for [offset, offset + bytes), growing the file with zeros; ERR_UNSUPPORTED where
 * the filesystem cannot. */
MUST_USE enum status file_reserve(struct file *file,
                                  uint64_t offset,
                                  uint64_t bytes,
                                  struct error *reterr_error);
MUST_USE enum status file_length(struct file *file,
                                 uint64_t *ret_bytes,
                                 struct error *reterr_error);
/*
 * Has the kernel begin to write the range to the disk, so that a sync later finds less to do. It
 * promises nothing: what fails is what that sync reports.
 */
void file_start_writing(struct file *file, uint64_t offset, uint64_t bytes);
/* Tells the kernel that the range is not needed in its cache any more; failure changes nothing. */
void file_forget_cached(struct file *file, uint64_t offset, uint64_t bytes);

/* --- whole files and names ------------------------------------------------------------------- */

struct file_info {
    uint64_t bytes;
    int64_t modified_ms; /* wall clock, ms since 1970 */
    int64_t accessed_ms;
    uint64_t device;
    uint64_t inode;
    uint32_t uid;
    unsigned permission; /* 0..07777 */
    bool is_directory;
    bool is_regular;
    bool is_symlink; /* only from file_info_get with follow false */
};

/* ERR_NOT_FOUND when path names nothing. */
MUST_USE enum status file_info_get(const char *path,
                                   bool follow_symlink,
                                   struct file_info *ret_info,
                                   struct error *reterr_error);
/* Appends the whole file to buf; ERR_LIMIT when it does not fit buf's maximum. */
MUST_USE enum status file_read_whole(const char *path, struct buf *buf, struct error *reterr_error);
/*
 * Replaces path atomically and durably: writes path.tmp, syncs it, renames it over path and syncs
 * the directory. A crash leaves the old content or the new. One writer at a time per path.
 */
MUST_USE enum status file_replace(const char *path,
                                  struct slice content,
                                  unsigned permission,
                                  struct error *reterr_error);
/* Like file_replace, but ERR_EXISTS when path exists already: exactly one of several wins. */
MUST_USE enum status file_create_whole(const char *path,
                                       struct slice content,
                                       unsigned permission,
                                       struct error *reterr_error);
/* rename(2). Durable only after directory_sync of the directory (both, when they differ). */
MUST_USE enum status file_rename(const char *source,
                                 const char *destination,
                                 struct error *reterr_error);
/* A second name for the same file; ERR_EXISTS when destination is taken. */
MUST_USE enum status file_link(const char *source,
                               const char *destination,
                               struct error *reterr_error);
/* symlink(2): link_path points at target (not checked). */
MUST_USE enum status file_symlink(const char *target,
                                  const char *link_path,
                                  struct error *reterr_error);
/* unlink(2); ERR_NOT_FOUND when absent. */
MUST_USE enum status file_remove(const char *path, struct error *reterr_error);
/* chmod(2). */
MUST_USE enum status file_set_permission(const char *path,
                                         unsigned permission,
                                         struct error *reterr_error);
/* utimensat(2): when path was read and written last, ms since 1970. */
MUST_USE enum status file_set_times(const char *path,
                                    int64_t accessed_ms,
                                    int64_t modified_ms,
                                    struct error *reterr_error);
/* Copies a whole file, created or emptied with permission; not synced. */
MUST_USE enum status file_copy(const char *source,
                               const char *destination,
                               unsigned permission,
                               struct error *reterr_error);

/* --- maps ------------------------------------------------------------------------------------ */

struct file_map {
    struct slice bytes; /* read-only; empty when the range is */
    void *base;         /* the map's own */
    size_t mapped;
};

/* Maps [offset, offset + bytes) of file, which may be closed afterwards. Release with close. */
MUST_USE enum status file_map_open(struct file *file,
                                   uint64_t offset,
                                   uint64_t bytes,
                                   struct file_map *ret_map,
                                   struct error *reterr_error);
/* The same over a descriptor received from elsewhere; the descriptor stays the caller's. */
MUST_USE enum status file_map_open_descriptor(int descriptor,
                                              uint64_t offset,
                                              uint64_t bytes,
                                              struct file_map *ret_map,
                                              struct error *reterr_error);
/*
 * The same, but the memory may be written, by way of file_map_data; what is written is the map's
 * own and never reaches the file.
 */
MUST_USE enum status file_map_open_private(int descriptor,
                                           uint64_t offset,
                                           uint64_t bytes,
                                           struct file_map *ret_map,
                                           struct error *reterr_error);
/* The bytes of a map of file_map_open_private; NULL when the range is empty. */
uint8_t *file_map_data(const struct file_map *map);
/* Tells the kernel that the map will be read once from front to back. */
void file_map_will_stream(const struct file_map *map);
void file_map_close(struct file_map *map); /* a zeroed map is fine */

/* --- locks ----------------------------------------------------------------------------------- */

struct file_lock;

/*
 * Takes path (created when absent) exclusively for this process, writes its pid into it, and keeps
 * it until file_lock_close or the end of the process, however it ends. ERR_BUSY, naming the
 * holder's pid, when another process has it.
 */
MUST_USE enum status file_lock_open(const char *path,
                                    struct file_lock **ret_lock,
                                    struct error *reterr_error);
void file_lock_close(struct file_lock *lock); /* NULL is fine */
/* The pid written by the process that holds path now; 0 when nobody does. */
MUST_USE enum status file_lock_holder(const char *path,
                                      int64_t *ret_pid,
                                      struct error *reterr_error);

#endif
