/*
 * rank.h - who is served first, of those whose smallest wish fits: an ordered set (a treap) of
 * nodes embedded in queues and applications. Each node knows the smallest wish below it, so a
 * search for the first that fits passes over whole branches that do not.
 */
#ifndef MILLRACE_RM_CORE_RANK_H
#define MILLRACE_RM_CORE_RANK_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/model/messages.h"

/* Smaller is served first; order is unique in a set. */
struct rm_rank_key {
    uint64_t tier; /* what goes before any share: priority */
    double share;
    uint64_t order;
};

/* A zeroed node is in no set. */
struct rm_rank_node {
    struct rm_rank_key key;
    struct resource least;       /* fits wherever both fit: the smallest wishes of the object */
    struct resource least_below; /* of this node and all below */
    struct rm_rank_node *left;
    struct rm_rank_node *right;
    uint64_t weight;
    bool is_ranked;
    void *object;
};

/* A zeroed struct rm_rank is empty. */
struct rm_rank {
    struct rm_rank_node *root;
    size_t count;
    uint64_t puts;
};

/* Puts node in, or moves it to its new place. */
void rm_rank_put(struct rm_rank *rank,
                 struct rm_rank_node *node,
                 struct rm_rank_key key,
                 struct resource least,
                 void *object);
/* Does nothing when node is in no set. */
void rm_rank_remove(struct rm_rank *rank, struct rm_rank_node *node);
/* NULL when empty. */
struct rm_rank_node *rm_rank_first(const struct rm_rank *rank);
/* The first after `after` (NULL: of all) whose least fits into room, or NULL. */
struct rm_rank_node *rm_rank_next(const struct rm_rank *rank,
                                  const struct rm_rank_node *after,
                                  struct resource room);
/* The smallest memory and vcores in the set; zero when it is empty. */
struct resource rm_rank_least(const struct rm_rank *rank);

#endif
