/*
 * file_map.c - files as memory.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/os/calls.h"
#include "lib/os/file.h"

static enum status map_open(int descriptor,
                            uint64_t offset,
                            uint64_t bytes,
                            int protection,
                            int sharing,
                            struct file_map *ret_map,
                            struct error *reterr_error)
{
    if (bytes == 0) {
        *ret_map = (struct file_map){.base = NULL};
        return OK;
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t before = offset % page; /* mmap starts at a page */
    if (bytes > SIZE_MAX - before)
        return error_set(reterr_error, ERR_LIMIT, "map a file: the range is too long");
    size_t mapped = (size_t)(before + bytes);
    void *base = os_mmap(NULL, mapped, protection, sharing, descriptor, (off_t)(offset - before));
    if (base == MAP_FAILED)
        return error_set_errno(reterr_error, errno, "map a file");
    *ret_map = (struct file_map){
        .bytes = slice_make((const uint8_t *)base + before, (size_t)bytes),
        .base = base,
        .mapped = mapped,
    };
    return OK;
}

enum status file_map_open_descriptor(int descriptor,
                                     uint64_t offset,
                                     uint64_t bytes,
                                     struct file_map *ret_map,
                                     struct error *reterr_error)
{
    return map_open(descriptor, offset, bytes, PROT_READ, MAP_SHARED, ret_map, reterr_error);
}

enum status file_map_open_private(int descriptor,
                                  uint64_t offset,
                                  uint64_t bytes,
                                  struct file_map *ret_map,
                                  struct error *reterr_error)
{
    return map_open(descriptor, offset, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, ret_map,
                    reterr_error);
}

uint8_t *file_map_data(const struct file_map *map)
{
    return map->base == NULL ? NULL : (uint8_t *)map->base + (map->mapped - map->bytes.length);
}

enum status file_map_open(struct file *file,
                          uint64_t offset,
                          uint64_t bytes,
                          struct file_map *ret_map,
                          struct error *reterr_error)
{
    enum status status =
        file_map_open_descriptor(file_descriptor(file), offset, bytes, ret_map, reterr_error);
    return status == OK ? OK : error_prefix(reterr_error, status, "%s", file_path(file));
}

void file_map_will_stream(const struct file_map *map)
{
    /* Advice only: a kernel that refuses it maps the file all the same. */
    if (map->base != NULL)
        (void)madvise(map->base, map->mapped, MADV_SEQUENTIAL);
}

void file_map_close(struct file_map *map)
{
    if (map->base != NULL)
        (void)munmap(map->base, map->mapped); /* fails only for a range that is not mapped */
    *map = (struct file_map){.base = NULL};
}
