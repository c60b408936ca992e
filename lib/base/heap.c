/*
 * heap.c - sift up, sift down. Invariant: nodes[i]->position == i + 1, and no node is before its
 * parent, (i - 1) / 2.
 */
#include "lib/base/heap.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

static bool heap_is_before(const struct heap *heap,
                           const struct heap_node *left,
                           const struct heap_node *right)
{
    int order = heap->compare != NULL ? heap->compare(left, right)
                                      : (left->key > right->key) - (left->key < right->key);
    return order != 0 ? order < 0 : left->order < right->order;
}

static void heap_place(struct heap *heap, struct heap_node *node, size_t index)
{
    heap->nodes[index] = node;
    node->position = index + 1;
}

static void heap_sift_up(struct heap *heap, struct heap_node *node, size_t index)
{
    while (index > 0 && heap_is_before(heap, node, heap->nodes[(index - 1) / 2])) {
        heap_place(heap, heap->nodes[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    heap_place(heap, node, index);
}

static void heap_sift_down(struct heap *heap, struct heap_node *node, size_t index)
{
    for (;;) {
        size_t child = index * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap_is_before(heap, heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (!heap_is_before(heap, heap->nodes[child], node))
            break;
        heap_place(heap, heap->nodes[child], index);
        index = child;
    }
    heap_place(heap, node, index);
}

/* Moves the node at index to where it belongs. */
static void heap_settle(struct heap *heap, struct heap_node *node, size_t index)
{
    heap_sift_up(heap, node, index);
    heap_sift_down(heap, node, node->position - 1);
}

static size_t heap_index_of(const struct heap *heap, const struct heap_node *node)
{
    size_t index = node->position - 1;
    CHECK(index < heap->count);
    CHECK(heap->nodes[index] == node);
    return index;
}

void heap_open(struct heap *heap, heap_compare *compare)
{
    *heap = (struct heap){.compare = compare};
}

void heap_close(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->nodes[i]->position = 0;
    mem_free(heap->nodes);
    heap_open(heap, heap->compare);
}

size_t heap_count(const struct heap *heap)
{
    return heap->count;
}

void heap_push(struct heap *heap, struct heap_node *node, int64_t key, void *object)
{
    CHECK(!heap_node_is_queued(node));
    heap->nodes =
        mem_reserve(heap->nodes, heap->count, &heap->capacity, sizeof(struct heap_node *));
    node->key = key;
    node->object = object;
    node->order = heap->pushes++;
    heap->count++;
    heap_sift_up(heap, node, heap->count - 1);
}

struct heap_node *heap_peek(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}

struct heap_node *heap_pop(struct heap *heap)
{
    struct heap_node *node = heap_peek(heap);
    if (node != NULL)
        heap_remove(heap, node);
    return node;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_node_is_queued(node))
        return;
    size_t index = heap_index_of(heap, node);
    node->position = 0;
    heap->count--;
    if (index < heap->count)
        heap_settle(heap, heap->nodes[heap->count], index);
}

void heap_update(struct heap *heap, struct heap_node *node, int64_t key)
{
    size_t index = heap_index_of(heap, node);
    node->key = key;
    heap_settle(heap, node, index);
}

bool heap_node_is_queued(const struct heap_node *node)
{
    return node->position != 0;
}
