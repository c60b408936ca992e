/*
 * answer.c - JSON as HDFS writes it.
 */
#include "dfs/webhdfs/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "lib/base/crc32c.h"

/* --- values ---------------------------------------------------------------------------------- */

/* JSON's numbers are signed here; what we count stays far below. */
static json_int_t number(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

/* HDFS says -1 for "no quota". */
static json_int_t quota(uint64_t value)
{
    return value == 0 ? -1 : number(value);
}

/* Names are UTF-8; an owner that is not becomes a question mark rather than broken JSON. */
static json_t *text(struct slice slice)
{
    json_t *string = json_stringn(slice.length == 0 ? "" : (const char *)slice.data, slice.length);
    return string != NULL ? string : json_string("?");
}

/* Appends json (taken; NULL when memory was short). */
static enum status append(json_t *json, struct buf *page)
{
    char *dumped = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    enum status status =
        dumped == NULL ? ERR_NO_MEMORY : buf_append_slice(page, slice_from_string(dumped));
    free(dumped); /* from jansson, hence not mem_free */
    json_decref(json);
    return status;
}

enum status webhdfs_write_boolean(bool value, struct buf *page)
{
    return append(json_pack("{s:b}", "boolean", value), page);
}

enum status webhdfs_write_path(struct slice path, struct buf *page)
{
    return append(json_pack("{s:o}", "Path", text(path)), page);
}

enum status webhdfs_write_token(struct slice token, struct buf *page)
{
    return append(json_pack("{s:{s:o}}", "Token", "urlString", text(token)), page);
}

/* --- files ----------------------------------------------------------------------------------- */

static json_t *permission_of(const struct dfs_file_status *file)
{
    char octal[16];
    (void)snprintf(octal, sizeof(octal), "%" PRIo32, file->permission);
    return json_string(octal);
}

static json_t *file_status(const struct dfs_file_status *file, struct slice suffix)
{
    bool is_directory = file->kind == FILE_DIRECTORY;
    return json_pack("{s:I,s:I,s:I,s:I,s:o,s:I,s:I,s:o,s:o,s:o,s:I,s:i,s:s}", "accessTime",
                     number(file->accessed_ms), "blockSize",
                     is_directory ? 0 : number(file->block_size), "childrenNum",
                     number(file->child_count), "fileId", number(file->file_id), "group",
                     text(file->group), "length", is_directory ? 0 : number(file->length),
                     "modificationTime", number(file->modified_ms), "owner", text(file->owner),
                     "pathSuffix", text(suffix), "permission", permission_of(file), "replication",
                     is_directory ? (json_int_t)0 : (json_int_t)file->replication, "storagePolicy",
                     0, "type", is_directory ? "DIRECTORY" : "FILE");
}

enum status webhdfs_write_file_status(const struct dfs_file_status *file, struct buf *page)
{
    return append(json_pack("{s:o}", "FileStatus", file_status(file, slice_make(NULL, 0))), page);
}

/* One at a time, so that a large directory is not in memory three times. */
static enum status append_files(const struct dfs_file_status *files, size_t count, struct buf *page)
{
    enum status status = buf_append_format(page, "{\"FileStatuses\":{\"FileStatus\":[");
    for (size_t i = 0; i < count && status == OK; i++) {
        if (i > 0)
            status = buf_append(page, ",", 1);
        if (status == OK)
            status = append(file_status(&files[i], files[i].path), page);
    }
    return status == OK ? buf_append_format(page, "]}}") : status;
}

enum status webhdfs_write_list(const struct dfs_file_status *files, size_t count, struct buf *page)
{
    return append_files(files, count, page);
}

enum status webhdfs_write_batch(const struct dfs_file_status *files,
                                size_t count,
                                uint64_t remaining,
                                struct buf *page)
{
    enum status status = buf_append_format(page, "{\"DirectoryListing\":{\"partialListing\":");
    if (status == OK)
        status = append_files(files, count, page);
    if (status == OK)
        status = buf_append_format(page, ",\"remainingEntries\":%" PRIu64 "}}", remaining);
    return status;
}

enum status webhdfs_write_summary(const struct dfs_content_summary_response *summary,
                                  struct buf *page)
{
    return append(json_pack("{s:{s:I,s:I,s:I,s:I,s:I,s:I,s:{}}}", "ContentSummary",
                            "directoryCount", number(summary->directory_count), "fileCount",
                            number(summary->file_count), "length", number(summary->length), "quota",
                            quota(summary->name_quota), "spaceConsumed",
                            number(summary->space_consumed), "spaceQuota",
                            quota(summary->space_quota), "typeQuota"),
                  page);
}

enum status webhdfs_write_quota(const struct dfs_content_summary_response *summary,
                                struct buf *page)
{
    return append(json_pack("{s:{s:I,s:I,s:I,s:I,s:{}}}", "QuotaUsage", "fileAndDirectoryCount",
                            number(summary->file_count + summary->directory_count), "quota",
                            quota(summary->name_quota), "spaceConsumed",
                            number(summary->space_consumed), "spaceQuota",
                            quota(summary->space_quota), "typeQuota"),
                  page);
}

enum status webhdfs_write_acl(const struct dfs_file_status *file, struct buf *page)
{
    char octal[16];
    (void)snprintf(octal, sizeof(octal), "%" PRIo32, file->permission & 0777);
    return append(json_pack("{s:{s:[],s:o,s:o,s:s,s:b}}", "AclStatus", "entries", "group",
                            text(file->group), "owner", text(file->owner), "permission", octal,
                            "stickyBit", (file->permission & 01000) != 0),
                  page);
}

/* --- the filesystem -------------------------------------------------------------------------- */

enum status webhdfs_write_fs_status(const struct dfs_cluster_status_response *cluster,
                                    struct buf *page)
{
    uint64_t capacity = 0;
    uint64_t used = 0;
    uint64_t remaining = 0;
    for (size_t i = 0; i < cluster->datanodes_count; i++) {
        if (cluster->datanodes[i].state == DATANODE_LOST)
            continue;
        capacity += cluster->datanodes[i].capacity_bytes;
        used += cluster->datanodes[i].used_bytes;
        remaining += cluster->datanodes[i].free_bytes;
    }
    return append(json_pack("{s:{s:I,s:I,s:I}}", "FsStatus", "used", number(used), "remaining",
                            number(remaining), "capacity", number(capacity)),
                  page);
}

enum status webhdfs_write_defaults(const struct dfs_get_server_defaults_response *defaults,
                                   struct buf *page)
{
    enum {
        PACKET_BYTES = 65536,
        BUFFER_BYTES = 4096,
        CHUNK_BYTES = 65536, /* what one checksum covers */
        CRC32C = 2,          /* HDFS's DataChecksum.Type */
        HOT = 7,             /* the id of HDFS's storage policy without a policy */
        MS_PER_MINUTE = 60 * 1000
    };

    return append(json_pack("{s:{s:I,s:i,s:i,s:I,s:i,s:b,s:I,s:i,s:i,s:s}}", "FsServerDefaults",
                            "blockSize", number(defaults->block_size), "bytesPerChecksum",
                            CHUNK_BYTES, "writePacketSize", PACKET_BYTES, "replication",
                            (json_int_t)defaults->replication, "fileBufferSize", BUFFER_BYTES,
                            "encryptDataTransfer", 0, "trashInterval",
                            number(defaults->trash_keep_ms / MS_PER_MINUTE), "checksumType", CRC32C,
                            "defaultStoragePolicyId", HOT, "keyProviderUri", ""),
                  page);
}

/* --- blocks ---------------------------------------------------------------------------------- */

enum status webhdfs_write_checksum(const struct dfs_get_blocks_response *blocks, struct buf *page)
{
    uint32_t crc = 0;
    char hex[16];
    for (size_t i = 0; i < blocks->blocks_count; i++)
        crc = i == 0 ? blocks->blocks[i].crc32c
                     : crc32c_combine(crc, blocks->blocks[i].crc32c, blocks->blocks[i].length);
    (void)snprintf(hex, sizeof(hex), "%08" PRIx32, crc);
    return append(json_pack("{s:{s:s,s:s,s:i}}", "FileChecksum", "algorithm", "COMPOSITE-CRC32C",
                            "bytes", hex, "length", 4),
                  page);
}

static json_t *location_of(const struct dfs_located_block *block)
{
    json_t *hosts = json_array();
    json_t *names = json_array();
    json_t *paths = json_array();
    json_t *types = json_array();
    for (size_t i = 0; i < block->replicas_count; i++) {
        const struct endpoint *node = &block->replicas[i].node;
        char path[1024];
        (void)snprintf(path, sizeof(path), "%.*s/%.*s", SLICE_ARGS(node->rack),
                       SLICE_ARGS(node->http_address)); /* both are limited */
        json_array_append_new(hosts, text(node->host));
        json_array_append_new(names, text(node->http_address));
        json_array_append_new(paths, text(slice_from_string(path)));
        json_array_append_new(types, json_string("DISK"));
    }
    return json_pack("{s:[],s:b,s:o,s:I,s:o,s:I,s:o,s:o}", "cachedHosts", "corrupt",
                     block->is_corrupt, "hosts", hosts, "length", number(block->length), "names",
                     names, "offset", number(block->offset), "storageTypes", types, "topologyPaths",
                     paths);
}

enum status webhdfs_write_locations(const struct dfs_get_blocks_response *blocks,
                                    uint64_t offset,
                                    uint64_t length,
                                    struct buf *page)
{
    bool is_first = true;
    enum status status = buf_append_format(page, "{\"BlockLocations\":{\"BlockLocation\":[");
    for (size_t i = 0; i < blocks->blocks_count && status == OK; i++) {
        const struct dfs_located_block *block = &blocks->blocks[i];
        bool is_before = block->offset + block->length <= offset;
        bool is_behind = block->offset > offset && block->offset - offset >= length;
        if (is_before || is_behind)
            continue;
        if (!is_first)
            status = buf_append(page, ",", 1);
        is_first = false;
        if (status == OK)
            status = append(location_of(block), page);
    }
    return status == OK ? buf_append_format(page, "]}}") : status;
}
