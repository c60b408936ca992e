/*
 * list.c - links. Invariant: node->list is the list whose chain from first to last holds the node.
 */
#include "lib/base/list.h"

#include "lib/base/check.h"

/* Puts node between two neighbours of list, NULL standing for its ends. */
static void list_link(struct list *list,
                      struct list_node *previous,
                      struct list_node *node,
                      struct list_node *next)
{
    node->list = list;
    node->previous = previous;
    node->next = next;
    if (previous != NULL)
        previous->next = node;
    else
        list->first = node;
    if (next != NULL)
        next->previous = node;
    else
        list->last = node;
    list->count++;
}

void list_append(struct list *list, struct list_node *node, void *object)
{
    CHECK(node->list == NULL);
    node->object = object;
    list_link(list, list->last, node, NULL);
}

void list_prepend(struct list *list, struct list_node *node, void *object)
{
    CHECK(node->list == NULL);
    node->object = object;
    list_link(list, NULL, node, list->first);
}

void list_remove(struct list_node *node)
{
    struct list *list = node->list;
    if (list == NULL)
        return;
    if (node->previous != NULL)
        node->previous->next = node->next;
    else
        list->first = node->next;
    if (node->next != NULL)
        node->next->previous = node->previous;
    else
        list->last = node->previous;
    list->count--;
    node->list = NULL;
    node->previous = NULL;
    node->next = NULL;
}

void *list_pop(struct list *list)
{
    struct list_node *node = list->first;
    if (node == NULL)
        return NULL;
    list_remove(node);
    return node->object;
}

bool list_node_is_listed(const struct list_node *node)
{
    return node->list != NULL;
}
