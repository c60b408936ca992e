/*
 * heap.h - a binary min-heap of objects that embed a struct heap_node, for timers and ranking.
 * Equal keys leave in the order in which they came, so the order is total and repeatable.
 */
#ifndef MILLRACE_LIB_BASE_HEAP_H
#define MILLRACE_LIB_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in the object. A zeroed node is in no heap. */
struct heap_node {
    int64_t key;     /* for timers the due time in ms */
    void *object;    /* the object this node sits in, given at heap_push */
    uint64_t order;  /* the heap's: the how-manieth push */
    size_t position; /* the heap's: index + 1, 0 while in no heap */
};

/* <0, 0, >0; ties are broken by order of arrival. */
typedef int heap_compare(const struct heap_node *left, const struct heap_node *right);

/* A zeroed struct heap is an empty heap ordered by key. */
struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
    uint64_t pushes;
    heap_compare *compare; /* NULL: by key */
};

/* compare: NULL orders by key, smallest first. Nothing is allocated yet. */
void heap_open(struct heap *heap, heap_compare *compare);
void heap_close(struct heap *heap); /* takes all nodes out, frees no object */
size_t heap_count(const struct heap *heap);
/* node must be in no heap; it must not move in memory until it has left. mem_gone without it. */
void heap_push(struct heap *heap, struct heap_node *node, int64_t key, void *object);
/* The smallest node, or NULL when the heap is empty. */
struct heap_node *heap_peek(const struct heap *heap);
/* Takes the smallest node out and returns it, or NULL when the heap is empty. */
struct heap_node *heap_pop(struct heap *heap);
/* Takes node out; does nothing when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* Gives a node that is in the heap a new key (arrival order stays); for a changed compare, too. */
void heap_update(struct heap *heap, struct heap_node *node, int64_t key);
bool heap_node_is_queued(const struct heap_node *node);

#endif
