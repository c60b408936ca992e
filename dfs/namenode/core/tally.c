/*
 * tally.c - what the namespace sums up to, so that a copy of it made from the journal can be told
 * from one that went astray (docs/checkpoint.md).
 * Owns namenode->digest: the exclusive or of one hash per inode (but the root) and one per sealed
 * block, so that each is added and taken away by the same step.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/mem.h"

uint64_t namenode_tally_of_inode(const struct inode *inode)
{
    uint64_t numbers[3] = {inode->id, inode->parent->id, (uint64_t)inode->state};
    return slice_hash(inode->name, slice_hash(slice_make(numbers, sizeof(numbers)), 1));
}

uint64_t namenode_tally_of_block(const struct block *block)
{
    uint64_t numbers[3] = {block->id, block->length, block->crc32c};
    return slice_hash(slice_make(numbers, sizeof(numbers)), 2);
}

void namenode_tally(const struct namenode *nn, struct buf *text)
{
    if (nn->doomed_count > 0) {
        return;
    }
    /* The buffer has no limit: memory is all that can be wanting. */
    if (buf_append_format(
            text,
            "cluster=%llu ids=%llu directories=%llu files=%llu blocks=%llu fences=%llu "
            "digest=%016llx",
            (unsigned long long)nn->cluster_id, (unsigned long long)nn->reserved_up_to,
            (unsigned long long)nn->directory_count, (unsigned long long)nn->file_count,
            (unsigned long long)nn->sealed_count, (unsigned long long)map_count(nn->fences),
            (unsigned long long)nn->digest) != OK)
        mem_gone(text->length);
}

bool namenode_may_administer(const struct namenode *nn, const struct event *event)
{
    for (size_t i = 0; i < event->groups_count; i++) {
        if (slice_equal(event->groups[i], nn->settings.supergroup))
            return true;
    }
    return slice_equal(event->user, nn->settings.superuser) ||
           slice_equal_string(event->user, "millrace") ||
           (event->groups_count == 0 && slice_equal(event->user, nn->settings.supergroup));
}
