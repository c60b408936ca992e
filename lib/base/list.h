/*
 * list.h - a doubly linked list of objects that embed a struct list_node.
 */
#ifndef MILLRACE_LIB_BASE_LIST_H
#define MILLRACE_LIB_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Embedded in the object. A zeroed node is in no list. */
struct list_node {
    struct list_node *previous;
    struct list_node *next;
    struct list *list; /* NULL while in no list */
    void *object;      /* the object this node sits in */
};

/* A zeroed struct list is empty. */
struct list {
    struct list_node *first; /* NULL when empty; follow ->next until NULL */
    struct list_node *last;
    size_t count;
};

/* node must be in no list, and must not move in memory until it has left. */
void list_append(struct list *list, struct list_node *node, void *object);
void list_prepend(struct list *list, struct list_node *node, void *object);
/* Takes node out of the list it is in; does nothing when it is in none. */
void list_remove(struct list_node *node);
/* Takes the first node out and returns its object, or NULL when the list is empty. */
void *list_pop(struct list *list);
bool list_node_is_listed(const struct list_node *node);

#endif
