/*
 * room.h - where is room: finds a node whose free memory and vcores both suffice.
 * A complete binary tree over node indexes; each inner slot holds the maxima below it, so a search
 * follows only branches that may hold an answer.
 */
#ifndef MILLRACE_RM_CORE_ROOM_H
#define MILLRACE_RM_CORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/model/messages.h"

struct rm_room;

struct rm_room *rm_room_open(void);
void rm_room_close(struct rm_room *room); /* NULL is fine */
/* Sets what is free at index; grows as needed. Zero: no room. */
void rm_room_set(struct rm_room *room, size_t index, struct resource free);
/* Zero beyond what was ever set. */
struct resource rm_room_get(const struct rm_room *room, size_t index);
/* The largest memory and the largest vcores that are free on some node, maybe not the same one. */
struct resource rm_room_largest(const struct rm_room *room);
/*
 * Finds the first index from `from` on, going round once, with room for wanted (not zero in both).
 * False when there is none.
 */
bool rm_room_find(const struct rm_room *room,
                  struct resource wanted,
                  size_t from,
                  size_t *ret_index);

#endif
