/*
 * inode.c - the tree of files and directories.
 * Owns namenode->inodes and the order of each directory's children: a treap per directory, whose
 * priorities are hashes of the ids and therefore the same on every host. Finding a child by name is
 * children.c's.
 * Invariants: NN-1, NN-3.
 */
#include <string.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

struct slice namenode_intern(struct namenode *nn, struct slice name)
{
    struct slice *known = map_get(nn->interned_names, name);
    if (known == NULL) {
        known = ARENA_NEW(nn->interned, struct slice);
        *known = arena_copy(nn->interned, name);
        (void)map_put(nn->interned_names, name, known); /* it was absent */
    }
    return *known;
}

/* --- children in order --------------------------------------------------------------- */

static int compare_place(struct slice name, bool is_writing, const struct inode *inode)
{
    int order = slice_compare(name, inode->name);
    if (order != 0) {
        return order;
    }
    return (int)is_writing - (int)(inode->state == INODE_WRITING);
}

static int compare_inodes(const struct inode *left, const struct inode *right)
{
    return compare_place(left->name, left->state == INODE_WRITING, right);
}

static struct inode *rotate_right(struct inode *top)
{
    struct inode *left = top->left;
    top->left = left->right;
    left->right = top;
    return left;
}

static struct inode *rotate_left(struct inode *top)
{
    struct inode *right = top->right;
    top->right = right->left;
    right->left = top;
    return right;
}

/* The depth of recursion is a treap's: about 2 log2 of the number of children. */
static struct inode *treap_insert(struct inode *top, struct inode *inode)
{
    if (top == NULL) {
        return inode;
    }
    int order = compare_inodes(inode, top);
    CHECK(order != 0);
    if (order < 0) {
        top->left = treap_insert(top->left, inode);
        return top->left->priority > top->priority ? rotate_right(top) : top;
    }
    top->right = treap_insert(top->right, inode);
    return top->right->priority > top->priority ? rotate_left(top) : top;
}

static struct inode *treap_join(struct inode *left, struct inode *right)
{
    if (left == NULL) {
        return right;
    }
    if (right == NULL) {
        return left;
    }
    if (left->priority > right->priority) {
        left->right = treap_join(left->right, right);
        return left;
    }
    right->left = treap_join(left, right->left);
    return right;
}

static void treap_remove(struct inode *parent, struct inode *inode)
{
    struct inode **link = &parent->children;
    while (*link != inode) {
        CHECK(*link != NULL);
        link = compare_inodes(inode, *link) < 0 ? &(*link)->left : &(*link)->right;
    }
    *link = treap_join(inode->left, inode->right);
    inode->left = NULL;
    inode->right = NULL;
}

struct inode *namenode_inode_next_child(const struct inode *parent,
                                        struct slice name,
                                        bool is_writing)
{
    struct inode *best = NULL;
    struct inode *inode = parent->children;
    while (inode != NULL) {
        if (compare_place(name, is_writing, inode) < 0) {
            best = inode;
            inode = inode->left;
        } else {
            inode = inode->right;
        }
    }
    return best;
}

struct inode *namenode_inode_walk(const struct inode *top, const struct inode *inode)
{
    /* No name is empty, so everything comes after ("", false). */
    struct inode *next = namenode_inode_next_child(inode, slice_make(NULL, 0), false);
    return next != NULL ? next : namenode_inode_walk_past(top, inode);
}

struct inode *namenode_inode_walk_past(const struct inode *top, const struct inode *inode)
{
    struct inode *next = NULL;
    while (next == NULL && inode != top) {
        next = namenode_inode_next_child(inode->parent, inode->name, inode->state == INODE_WRITING);
        inode = inode->parent;
    }
    return next;
}

/* --- lookup -------------------------------------------------------------------------- */

static struct children *children_of(struct namenode *nn, const struct inode *inode)
{
    return inode->state == INODE_WRITING ? &nn->writing : &nn->installed;
}

struct inode *namenode_inode_installed(const struct namenode *nn,
                                       const struct inode *parent,
                                       struct slice name)
{
    return namenode_children_get(&nn->installed, parent, name);
}

struct inode *namenode_inode_writing(const struct namenode *nn,
                                     const struct inode *parent,
                                     struct slice name)
{
    return namenode_children_get(&nn->writing, parent, name);
}

/* --- making and unmaking ------------------------------------------------------------- */

struct inode *namenode_inode_new(struct namenode *nn, uint64_t id, enum dfs_file_kind kind)
{
    struct inode *inode = MEM_NEW(struct inode);
    inode->id = id;
    inode->kind = kind;
    inode->state = INODE_WRITING;
    inode->priority = slice_hash(slice_make(&id, sizeof(id)), 0);
    CHECK(map_u64_put(nn->inodes, id, inode) == NULL);
    return inode;
}

void namenode_inode_set_name(struct inode *inode, struct slice name)
{
    uint8_t *copy = mem_new(name.length + 1);
    if (name.length > 0) {
        memcpy(copy, name.data, name.length);
    }
    mem_free((void *)(uintptr_t)inode->name.data);
    inode->name = slice_make(copy, name.length);
}

static void count_inode(struct namenode *nn, const struct inode *inode, bool is_added)
{
    uint64_t *count = namenode_inode_is_directory(inode) ? &nn->directory_count : &nn->file_count;
    *count = is_added ? *count + 1 : *count - 1;
}

void namenode_inode_attach(struct namenode *nn, struct inode *inode, struct inode *parent)
{
    CHECK(inode->parent == NULL);
    inode->parent = parent;
    namenode_children_add(children_of(nn, inode), inode);
    nn->digest ^= namenode_tally_of_inode(inode);
    parent->children = treap_insert(parent->children, inode);
    parent->child_count++;
    parent->directory_count += namenode_inode_is_directory(inode) ? 1 : 0;
    count_inode(nn, inode, true);
    namenode_quota_moved(nn, inode, true);
}

void namenode_inode_detach(struct namenode *nn, struct inode *inode)
{
    CHECK(inode->parent != NULL);
    namenode_quota_moved(nn, inode, false);
    nn->digest ^= namenode_tally_of_inode(inode);
    namenode_children_remove(children_of(nn, inode), inode);
    treap_remove(inode->parent, inode);
    inode->parent->child_count--;
    inode->parent->directory_count -= namenode_inode_is_directory(inode) ? 1 : 0;
    inode->parent = NULL;
    count_inode(nn, inode, false);
}

static void free_one(struct namenode *nn, struct inode *inode)
{
    CHECK(inode->children == NULL);
    if (inode->parent != NULL) {
        namenode_inode_detach(nn, inode);
    }
    while (inode->block_count > 0) {
        namenode_block_remove(nn, inode->blocks[inode->block_count - 1]);
    }
    if (inode->lease != NULL) {
        namenode_lease_remove(nn, inode);
    }
    inode->state =
        namenode_transition(&namenode_inode_table, inode->state,
                            inode->state == INODE_WRITING ? INODE_ABANDON : INODE_REMOVE);
    CHECK(map_u64_remove(nn->inodes, inode->id) == inode);
    if (inode->extra != NULL) {
        namenode_quota_set(nn, inode, 0, 0);
        mem_free(inode->extra);
    }
    mem_free(inode->blocks);
    mem_free((void *)(uintptr_t)inode->name.data);
    mem_free(inode);
}

/* Leaves first, without recursion: a tree may be as deep as a path is long. */
static void free_below(struct namenode *nn, struct inode *top)
{
    struct inode *inode = top;
    while (inode != NULL) {
        if (inode->children != NULL) {
            inode = inode->children;
            continue;
        }
        struct inode *parent = inode == top ? NULL : inode->parent;
        free_one(nn, inode);
        inode = parent;
    }
}

void namenode_inode_remove(struct namenode *nn, struct inode *top)
{
    bool is_end = top->parent == NULL; /* the root */
    if (is_end) {
        count_inode(nn, top, false);
    } else {
        namenode_inode_detach(nn, top);
    }
    if (is_end || nn->mode != MODE_OPEN || top->children == NULL) {
        free_below(nn, top); /* one inode, or nobody waits */
        return;
    }
    nn->doomed = mem_reserve_tight(nn->doomed, nn->doomed_count, &nn->doomed_capacity,
                                   sizeof(struct inode *));
    nn->doomed[nn->doomed_count++] = top;
    namenode_release_run(nn);
}

/* --- releasing what was taken off the tree ------------------------------------------- */

/* False: the budget is used up, and something is left of inode. */
static bool release_one(struct namenode *nn, struct inode *inode)
{
    while (inode->block_count > 0 && nn->release_left > 0) {
        namenode_block_remove(nn, inode->blocks[inode->block_count - 1]);
        nn->release_left--;
    }
    if (nn->release_left == 0) {
        return false;
    }
    free_one(nn, inode);
    nn->release_left--;
    return true;
}

static void release_below(struct namenode *nn, struct inode *top)
{
    struct inode *inode = top;
    while (inode != NULL) {
        if (inode->children != NULL) {
            inode = inode->children;
            continue;
        }
        struct inode *parent = inode == top ? NULL : inode->parent;
        if (!release_one(nn, inode)) {
            return;
        }
        inode = parent;
    }
    nn->doomed_count--; /* top is the last one */
}

void namenode_release_run(struct namenode *nn)
{
    while (nn->mode == MODE_OPEN && nn->doomed_count > 0 && nn->release_left > 0) {
        release_below(nn, nn->doomed[nn->doomed_count - 1]);
    }
    if (nn->mode == MODE_OPEN && nn->doomed_count > 0) {
        namenode_timer_set(nn, &nn->release_timer, nn->now_ms + 1);
    }
}

void namenode_release_all(struct namenode *nn)
{
    while (nn->doomed_count > 0) {
        free_below(nn, nn->doomed[--nn->doomed_count]);
    }
    mem_free(nn->doomed);
    nn->doomed = NULL;
}

bool namenode_inode_is_doomed(const struct namenode *nn, const struct inode *inode)
{
    if (nn->doomed_count == 0) {
        return false;
    }
    while (inode->parent != NULL) {
        inode = inode->parent;
    }
    return inode != nn->root;
}

struct inode *namenode_inode_by_id(const struct namenode *nn, uint64_t id)
{
    struct inode *inode = map_u64_get(nn->inodes, id);
    return inode == NULL || namenode_inode_is_doomed(nn, inode) ? NULL : inode;
}

void namenode_inode_install(struct namenode *nn, struct inode *inode)
{
    struct inode *parent = inode->parent;
    CHECK(inode->sealed_count == inode->block_count);
    CHECK(!inode->is_append);
    namenode_inode_detach(nn, inode);
    namenode_lease_remove(nn, inode);
    inode->state = namenode_transition(&namenode_inode_table, inode->state, INODE_INSTALL);
    inode->overwrite = false;
    inode->durability = DURABILITY_SYNCED;
    namenode_inode_attach(nn, inode, parent);
}

/* --- questions ----------------------------------------------------------------------- */

bool namenode_inode_is_directory(const struct inode *inode)
{
    return inode->kind == FILE_DIRECTORY;
}

bool namenode_inode_is_below(const struct inode *inode, const struct inode *top)
{
    while (inode != NULL && inode != top) {
        inode = inode->parent;
    }
    return inode == top;
}

struct slice namenode_inode_path(const struct inode *inode, struct arena *arena)
{
    size_t length = 0;
    for (const struct inode *at = inode; at->parent != NULL; at = at->parent) {
        length += 1 + at->name.length;
    }
    if (length == 0) {
        return slice_from_string("/");
    }
    uint8_t *bytes = arena_new(arena, length);
    size_t end = length;
    for (const struct inode *at = inode; at->parent != NULL; at = at->parent) {
        end -= at->name.length;
        memcpy(bytes + end, at->name.data, at->name.length);
        bytes[--end] = '/';
    }
    return slice_make(bytes, length);
}

void namenode_inode_status(const struct inode *inode,
                           struct slice path,
                           struct dfs_file_status *ret_status)
{
    *ret_status = (struct dfs_file_status){
        .path = path,
        .file_id = inode->id,
        .kind = inode->kind,
        .length = inode->length,
        .replication = inode->replication,
        .block_size = inode->block_size,
        .permission = inode->permission,
        .owner = inode->owner,
        .group = inode->group,
        .modified_ms = inode->modified_ms,
        .accessed_ms = inode->accessed_ms,
        .child_count = inode->child_count,
        .under_construction = inode->state == INODE_WRITING,
        .cut_count = inode->cut_count,
    };
}

void namenode_inode_touch(struct namenode *nn, struct inode *directory)
{
    directory->modified_ms = nn->wall_ms;
    namenode_record_inode(nn, directory);
}
