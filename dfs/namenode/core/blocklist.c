/*
 * blocklist.c - blocks that change their place: from one file to another, or out of the middle.
 * A file's list otherwise only grows and shrinks at its end (block.c).
 * Invariants: NN-3, NN-21.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

static void append_sealed(struct inode *file, struct block *block)
{
    CHECK(file->sealed_count == file->block_count);
    file->blocks = mem_reserve_tight(file->blocks, file->block_count, &file->block_capacity,
                                     sizeof(struct block *));
    block->file = file;
    block->index = (uint32_t)file->block_count;
    file->blocks[file->block_count++] = block;
    file->sealed_count++;
    file->length += block->length;
}

void namenode_blocklist_join(struct namenode *nn, struct inode *file, struct inode *source)
{
    CHECK(source->sealed_count == source->block_count);
    uint64_t bytes = source->length;
    namenode_quota_grown(nn, source, -(int64_t)namenode_inode_space(source));
    for (size_t i = 0; i < source->block_count; i++) {
        append_sealed(file, source->blocks[i]);
    }
    source->block_count = 0;
    source->sealed_count = 0;
    source->length = 0;
    namenode_quota_grown(nn, file, (int64_t)(bytes * file->replication));
}

/* Its replicas are of no file from now on, which deletes them when readers had time to notice. */
static void forget_gently(struct namenode *nn, struct block *block)
{
    struct dfs_block_info info = {
        .block_id = block->id, .length = block->length, .crc32c = block->crc32c};
    struct tracked *nodes[LIMIT_REPLICAS];
    size_t count = 0;
    while (block->replica_count > 0) {
        struct replica *replica = block->replicas[block->replica_count - 1];
        bool is_there = replica->state == REPLICA_STORED || replica->state == REPLICA_CORRUPT;
        if (is_there && count < LIMIT_REPLICAS) { /* more are found by the next full report */
            nodes[count++] = replica->node;
        }
        namenode_replica_drop(nn, replica);
    }
    nn->sealed_count--;
    nn->digest ^= namenode_tally_of_block(block);
    namenode_block_forget(nn, block);
    for (size_t i = 0; i < count; i++) {
        namenode_unknown_add(nn, nodes[i], &info);
    }
}

void namenode_blocklist_replace(struct namenode *nn, struct inode *file, size_t first, size_t count)
{
    size_t last = file->block_count - 1;
    CHECK(file->sealed_count == file->block_count);
    CHECK(first + count <= last);
    struct block *merged = file->blocks[last];
    for (size_t i = first; i < first + count; i++) {
        struct block *block = file->blocks[i];
        file->length -= block->length;
        namenode_quota_grown(nn, file, -(int64_t)(block->length * file->replication));
        forget_gently(nn, block);
    }
    size_t to = first;
    file->blocks[to++] = merged;
    for (size_t from = first + count; from < last; from++) {
        file->blocks[to++] = file->blocks[from];
    }
    file->block_count = to;
    file->sealed_count = to;
    for (size_t i = first; i < to; i++) {
        file->blocks[i]->index = (uint32_t)i;
    }
}

/* --- replay -------------------------------------------------------------------------- */

/* Leaves a hole; close_holes follows. */
static void take_from_other(struct namenode *nn, struct block *block)
{
    struct inode *other = block->file;
    CHECK(other->blocks[block->index] == block);
    other->blocks[block->index] = NULL;
    other->length -= block->length;
    other->sealed_count--;
    namenode_quota_grown(nn, other, -(int64_t)(block->length * other->replication));
}

static void close_holes(struct inode *file)
{
    size_t kept = 0;
    for (size_t i = 0; i < file->block_count; i++) {
        if (file->blocks[i] != NULL) {
            file->blocks[kept] = file->blocks[i];
            file->blocks[kept]->index = (uint32_t)kept;
            kept++;
        }
    }
    file->block_count = kept;
}

static void put_back(struct namenode *nn,
                     struct inode *file,
                     const struct dfs_block_info *info,
                     struct inode **donor)
{
    struct block *block = map_u64_get(nn->blocks, info->block_id);
    if (block == NULL) {
        block = namenode_block_new(nn, file, info->block_id, info->length);
        namenode_block_seal(nn, block, info->length, info->crc32c);
        return;
    }
    CHECK(block->state == BLOCK_SEALED);
    if (block->file != file) {
        if (*donor != NULL && *donor != block->file) {
            close_holes(*donor);
        }
        *donor = block->file;
        take_from_other(nn, block);
    }
    append_sealed(file, block);
    namenode_quota_grown(nn, file, (int64_t)(block->length * file->replication));
}

void namenode_blocklist_set(struct namenode *nn,
                            struct inode *file,
                            const struct dfs_block_info *infos,
                            size_t count)
{
    CHECK(file->sealed_count == file->block_count); /* pending ones are not replayed */
    size_t same = 0;
    while (same < count && same < file->block_count &&
           file->blocks[same]->id == infos[same].block_id) {
        same++;
    }
    size_t loose_count = file->block_count - same;
    struct block **loose = NULL;
    size_t loose_capacity = 0;
    for (size_t i = 0; i < loose_count; i++) {
        struct block *block = file->blocks[same + i];
        loose = mem_reserve(loose, i, &loose_capacity, sizeof(struct block *));
        loose[i] = block;
        file->length -= block->length;
        namenode_quota_grown(nn, file, -(int64_t)(block->length * file->replication));
    }
    file->block_count = same;
    file->sealed_count = same;
    struct inode *donor = NULL;
    for (size_t i = same; i < count; i++) {
        put_back(nn, file, &infos[i], &donor);
    }
    if (donor != NULL) {
        close_holes(donor);
    }
    for (size_t i = 0; i < loose_count; i++) {
        bool is_back = loose[i]->file == file && loose[i]->index < file->block_count &&
                       file->blocks[loose[i]->index] == loose[i];
        if (!is_back) {
            nn->sealed_count--;
            nn->digest ^= namenode_tally_of_block(loose[i]);
            namenode_block_forget(nn, loose[i]);
        }
    }
    mem_free(loose);
}
