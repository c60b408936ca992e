/*
 * rank.c - a treap: a search tree by key and a heap by weight. Weights are a hash of a count, so
 * that the tree is flat in all likelihood and the same on every machine.
 * Invariant: least_below of a node is the smaller memory and the smaller vcores of its own least
 * and of what is below it.
 */
#include "rm/core/rank.h"

static struct resource smaller_of(struct resource left, struct resource right)
{
    return (struct resource){.memory_bytes = left.memory_bytes < right.memory_bytes
                                                 ? left.memory_bytes
                                                 : right.memory_bytes,
                             .vcores = left.vcores < right.vcores ? left.vcores : right.vcores};
}

static bool fits(struct resource wanted, struct resource room)
{
    return wanted.memory_bytes <= room.memory_bytes && wanted.vcores <= room.vcores;
}

static bool is_before(const struct rm_rank_key *left, const struct rm_rank_key *right)
{
    if (left->tier != right->tier)
        return left->tier < right->tier;
    if (left->share < right->share || left->share > right->share)
        return left->share < right->share;
    return left->order < right->order;
}

static void sum_up(struct rm_rank_node *node)
{
    node->least_below = node->least;
    if (node->left != NULL)
        node->least_below = smaller_of(node->least_below, node->left->least_below);
    if (node->right != NULL)
        node->least_below = smaller_of(node->least_below, node->right->least_below);
}

static struct rm_rank_node *join(struct rm_rank_node *left, struct rm_rank_node *right)
{
    if (left == NULL || right == NULL)
        return left == NULL ? right : left;
    struct rm_rank_node *top = left->weight > right->weight ? left : right;
    if (top == left)
        left->right = join(left->right, right);
    else
        right->left = join(left, right->left);
    sum_up(top);
    return top;
}

static void split(struct rm_rank_node *tree,
                  const struct rm_rank_key *key,
                  struct rm_rank_node **ret_before,
                  struct rm_rank_node **ret_after)
{
    if (tree == NULL) {
        *ret_before = NULL;
        *ret_after = NULL;
        return;
    }
    if (is_before(&tree->key, key)) {
        split(tree->right, key, &tree->right, ret_after);
        *ret_before = tree;
    } else {
        split(tree->left, key, ret_before, &tree->left);
        *ret_after = tree;
    }
    sum_up(tree);
}

static struct rm_rank_node *insert(struct rm_rank_node *tree, struct rm_rank_node *node)
{
    if (tree == NULL || node->weight > tree->weight) {
        split(tree, &node->key, &node->left, &node->right);
        sum_up(node);
        return node;
    }
    if (is_before(&node->key, &tree->key))
        tree->left = insert(tree->left, node);
    else
        tree->right = insert(tree->right, node);
    sum_up(tree);
    return tree;
}

static struct rm_rank_node *take_out(struct rm_rank_node *tree, struct rm_rank_node *node)
{
    if (tree == node)
        return join(node->left, node->right);
    if (is_before(&node->key, &tree->key))
        tree->left = take_out(tree->left, node);
    else
        tree->right = take_out(tree->right, node);
    sum_up(tree);
    return tree;
}

static uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

void rm_rank_put(struct rm_rank *rank,
                 struct rm_rank_node *node,
                 struct rm_rank_key key,
                 struct resource least,
                 void *object)
{
    bool is_same = node->is_ranked && !is_before(&node->key, &key) && !is_before(&key, &node->key);
    if (is_same && node->least.memory_bytes == least.memory_bytes &&
        node->least.vcores == least.vcores)
        return;
    rm_rank_remove(rank, node);
    *node = (struct rm_rank_node){.key = key,
                                  .least = least,
                                  .weight = mix(rank->puts++),
                                  .is_ranked = true,
                                  .object = object};
    rank->root = insert(rank->root, node);
    rank->count++;
}

void rm_rank_remove(struct rm_rank *rank, struct rm_rank_node *node)
{
    if (!node->is_ranked)
        return;
    rank->root = take_out(rank->root, node);
    rank->count--;
    *node = (struct rm_rank_node){0};
}

struct rm_rank_node *rm_rank_first(const struct rm_rank *rank)
{
    struct rm_rank_node *node = rank->root;
    while (node != NULL && node->left != NULL)
        node = node->left;
    return node;
}

static struct rm_rank_node *find(struct rm_rank_node *tree,
                                 const struct rm_rank_node *after,
                                 struct resource room)
{
    while (tree != NULL && fits(tree->least_below, room)) {
        bool is_passed = after != NULL && !is_before(&after->key, &tree->key);
        if (!is_passed) {
            struct rm_rank_node *found = find(tree->left, after, room);
            if (found != NULL)
                return found;
            if (fits(tree->least, room))
                return tree;
            after = NULL; /* all on the right are behind it */
        }
        tree = tree->right;
    }
    return NULL;
}

struct rm_rank_node *rm_rank_next(const struct rm_rank *rank,
                                  const struct rm_rank_node *after,
                                  struct resource room)
{
    return find(rank->root, after, room);
}

struct resource rm_rank_least(const struct rm_rank *rank)
{
    return rank->root == NULL ? (struct resource){0} : rank->root->least_below;
}
