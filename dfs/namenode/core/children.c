/*
 * children.c - hash tables from (directory, name) to inode, the heart of every path walk.
 * Open addressing with linear probing; a slot keeps the whole hash beside the inode, so a probe
 * touches the inode itself only when it is the one. lib/base/map.h would copy every key and cost
 * two more cache misses a component. Never iterated, so its order does not matter.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    CAPACITY_FIRST = 64,
};

struct child_slot {
    uint64_t hash;
    struct inode *inode; /* NULL: free */
};

static uint64_t hash_child(const struct inode *parent, struct slice name)
{
    return slice_hash(name, parent->id);
}

/* The slot of the child, or the free one where it belongs. */
static size_t find_slot(const struct children *children,
                        uint64_t hash,
                        const struct inode *parent,
                        struct slice name)
{
    size_t mask = children->capacity - 1;
    size_t at = (size_t)hash & mask;
    for (; children->slots[at].inode != NULL; at = (at + 1) & mask) {
        const struct child_slot *slot = &children->slots[at];
        if (slot->hash == hash && slot->inode->parent == parent &&
            slice_equal(slot->inode->name, name)) {
            break;
        }
    }
    return at;
}

static void grow(struct children *children)
{
    size_t old_capacity = children->capacity;
    struct child_slot *old_slots = children->slots;
    children->capacity = old_capacity == 0 ? CAPACITY_FIRST : 2 * old_capacity;
    /* Bounded by settings.inodes_max. */
    children->slots = mem_new(children->capacity * sizeof(struct child_slot));
    size_t mask = children->capacity - 1;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old_slots[i].inode == NULL) {
            continue;
        }
        size_t at = (size_t)old_slots[i].hash & mask;
        while (children->slots[at].inode != NULL) {
            at = (at + 1) & mask;
        }
        children->slots[at] = old_slots[i];
    }
    mem_free(old_slots);
}

struct inode *namenode_children_get(const struct children *children,
                                    const struct inode *parent,
                                    struct slice name)
{
    if (children->count == 0) {
        return NULL;
    }
    size_t at = find_slot(children, hash_child(parent, name), parent, name);
    return children->slots[at].inode;
}

void namenode_children_add(struct children *children, struct inode *inode)
{
    if (4 * (children->count + 1) > 3 * children->capacity) {
        grow(children);
    }
    uint64_t hash = hash_child(inode->parent, inode->name);
    size_t at = find_slot(children, hash, inode->parent, inode->name);
    CHECK(children->slots[at].inode == NULL);
    children->slots[at] = (struct child_slot){.hash = hash, .inode = inode};
    children->count++;
}

void namenode_children_remove(struct children *children, const struct inode *inode)
{
    CHECK(children->count > 0);
    uint64_t hash = hash_child(inode->parent, inode->name);
    size_t mask = children->capacity - 1;
    size_t hole = find_slot(children, hash, inode->parent, inode->name);
    CHECK(children->slots[hole].inode == inode);
    children->count--;
    /* Pulls back each follower that the hole would cut off from its place. */
    for (size_t at = (hole + 1) & mask; children->slots[at].inode != NULL; at = (at + 1) & mask) {
        size_t home = (size_t)children->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            children->slots[hole] = children->slots[at];
            hole = at;
        }
    }
    children->slots[hole].inode = NULL;
}

void namenode_children_close(struct children *children)
{
    mem_free(children->slots);
    *children = (struct children){0};
}
