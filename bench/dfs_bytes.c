/*
 * dfs_bytes.c - moves the bytes of one file through the filesystem's client, or without it.
 * usage: dfs_bytes NAMENODE TOKEN read PATH      through dfs_reader_map, a replica on this host
 * mapped dfs_bytes NAMENODE TOKEN fetch PATH     the same, but over HTTP dfs_bytes NAMENODE TOKEN
 * put FILE PATH [REPLICATION [replicated]] dfs_bytes - - sum FILE...               mmap of plain
 * files Reading adds up all 64-bit words in pieces of 256 KiB, so that every byte is looked at
 * once. Prints JSON with the sum, seconds, and this process's CPU seconds and peak of memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "dfs/client/dfs.h"
#include "lib/net/net.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

enum {
    PIECE_BYTES = 256 * 1024
};

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const struct error *error)
{
    fprintf(stderr, "dfs_bytes: %s\n", error->text);
    exit(1);
}

/* Files end at a multiple of 8 bytes here, and so does every block. */
static uint64_t add_up(struct slice bytes)
{
    uint64_t sums[4] = {0};
    for (size_t i = 0; i + 32 <= bytes.length; i += 32) {
        uint64_t words[4];
        memcpy(words, bytes.data + i, sizeof(words));
        for (size_t j = 0; j < 4; j++)
            sums[j] += words[j];
    }
    return sums[0] + sums[1] + sums[2] + sums[3];
}

static uint64_t read_file(struct dfs *dfs, const char *path, uint64_t *ret_bytes)
{
    struct error error = {0};
    struct dfs_reader *reader = NULL;
    uint64_t sum = 0;
    uint64_t offset = 0;
    if (dfs_reader_open(dfs, slice_from_string(path), 0, 0, &reader, &error) != OK)
        fail(&error);
    while (offset < dfs_reader_length(reader)) {
        struct slice part;
        dfs_reader_forget(reader, offset);
        if (dfs_reader_map(reader, offset, PIECE_BYTES, &part, &error) != OK)
            fail(&error);
        sum += add_up(part);
        offset += part.length;
    }
    *ret_bytes = offset;
    dfs_reader_close(reader);
    return sum;
}

static uint64_t put_file(struct dfs *dfs, char **arguments, int count, uint64_t *ret_bytes)
{
    struct error error = {0};
    struct dfs_create_options options = {.overwrite = true};
    struct dfs_writer *writer = NULL;
    struct file *file = NULL;
    struct file_map map = {0};
    if (count > 2)
        options.replication = (uint32_t)strtoul(arguments[2], NULL, 10);
    if (count > 3 && strcmp(arguments[3], "replicated") == 0)
        options.durability = DURABILITY_REPLICATED;
    if (file_open(arguments[0], FILE_MODE_READ, 0, &file, &error) != OK ||
        file_length(file, ret_bytes, &error) != OK ||
        file_map_open(file, 0, *ret_bytes, &map, &error) != OK ||
        dfs_create(dfs, slice_from_string(arguments[1]), &options, &writer, &error) != OK)
        fail(&error);
    for (uint64_t at = 0; at < map.bytes.length; at += PIECE_BYTES) {
        uint64_t left = map.bytes.length - at;
        if (dfs_writer_write(writer, map.bytes.data + at, left < PIECE_BYTES ? left : PIECE_BYTES,
                             &error) != OK)
            fail(&error);
    }
    if (dfs_writer_complete(writer, &error) != OK)
        fail(&error);
    dfs_writer_close(writer);
    file_map_close(&map);
    file_close(file);
    return 0;
}

static uint64_t sum_files(char **names, int count, uint64_t *ret_bytes)
{
    struct error error = {0};
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        struct file *file = NULL;
        struct file_map map = {0};
        uint64_t length = 0;
        if (file_open(names[i], FILE_MODE_READ, 0, &file, &error) != OK ||
            file_length(file, &length, &error) != OK ||
            file_map_open(file, 0, length, &map, &error) != OK)
            fail(&error);
        for (uint64_t at = 0; at < length; at += PIECE_BYTES) {
            uint64_t left = length - at;
            sum += add_up(slice_sub(map.bytes, at, left < PIECE_BYTES ? left : PIECE_BYTES));
        }
        *ret_bytes += length;
        file_map_close(&map);
        file_close(file);
    }
    return sum;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    struct error error = {0};
    struct dfs *dfs = NULL;
    struct dfs_settings settings = {.namenode_address = argv[1],
                                    .token = argv[2],
                                    .host = host_environment("MILLRACE_HOST"),
                                    .no_local_files = strcmp(argv[3], "fetch") == 0};
    bool is_plain = strcmp(argv[3], "sum") == 0;
    if (!is_plain && (net_open(NULL, &error) != OK || dfs_open(&settings, &dfs, &error) != OK))
        fail(&error);
    uint64_t bytes = 0;
    uint64_t sum = 0;
    double begun = seconds_of(CLOCK_MONOTONIC);
    double begun_cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    if (is_plain)
        sum = sum_files(argv + 4, argc - 4, &bytes);
    else if (strcmp(argv[3], "put") == 0)
        sum = put_file(dfs, argv + 4, argc - 4, &bytes);
    else
        sum = read_file(dfs, argv[4], &bytes);
    double seconds = seconds_of(CLOCK_MONOTONIC) - begun;
    double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("{\"bytes\": %" PRIu64 ", \"sum\": %" PRIu64
           ", \"seconds\": %.6f, \"cpu\": %.6f, \"peak_bytes\": %ld}\n",
           bytes, sum, seconds, cpu, usage.ru_maxrss * 1024L);
    dfs_close(dfs);
    if (!is_plain)
        net_close();
    return 0;
}
