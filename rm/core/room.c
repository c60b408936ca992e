/*
 * room.c - the tree of free resources. Slot 1 is the root, slots i * 2 and i * 2 + 1 are below slot
 * i, the leaves are slots [leaves, 2 * leaves).
 * Invariant: an inner slot holds the larger memory and the larger vcores of the two below it.
 */
#include "rm/core/room.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    ROOM_LEAVES_MIN = 16
};

struct rm_room {
    size_t leaves; /* a power of two */
    struct resource *slots;
};

static struct resource larger_of(struct resource left, struct resource right)
{
    return (struct resource){.memory_bytes = left.memory_bytes > right.memory_bytes
                                                 ? left.memory_bytes
                                                 : right.memory_bytes,
                             .vcores = left.vcores > right.vcores ? left.vcores : right.vcores};
}

static bool holds(struct resource slot, struct resource wanted)
{
    return slot.memory_bytes >= wanted.memory_bytes && slot.vcores >= wanted.vcores;
}

struct rm_room *rm_room_open(void)
{
    struct rm_room *room = MEM_NEW(struct rm_room);
    room->leaves = ROOM_LEAVES_MIN;
    room->slots = mem_new(2 * room->leaves * sizeof(room->slots[0]));
    return room;
}

void rm_room_close(struct rm_room *room)
{
    if (room == NULL)
        return;
    mem_free(room->slots);
    mem_free(room);
}

static void grow(struct rm_room *room, size_t index)
{
    size_t leaves = room->leaves;
    while (leaves <= index)
        leaves *= 2;
    struct resource *slots = mem_new(2 * leaves * sizeof(slots[0]));
    for (size_t i = 0; i < room->leaves; i++)
        slots[leaves + i] = room->slots[room->leaves + i];
    for (size_t i = leaves - 1; i >= 1; i--)
        slots[i] = larger_of(slots[2 * i], slots[2 * i + 1]);
    mem_free(room->slots);
    room->slots = slots;
    room->leaves = leaves;
}

void rm_room_set(struct rm_room *room, size_t index, struct resource free)
{
    if (index >= room->leaves)
        grow(room, index);
    size_t slot = room->leaves + index;
    room->slots[slot] = free;
    for (slot /= 2; slot >= 1; slot /= 2)
        room->slots[slot] = larger_of(room->slots[2 * slot], room->slots[2 * slot + 1]);
}

struct resource rm_room_get(const struct rm_room *room, size_t index)
{
    if (index >= room->leaves)
        return (struct resource){0};
    return room->slots[room->leaves + index];
}

struct resource rm_room_largest(const struct rm_room *room)
{
    return room->slots[1];
}

/*
 * The first leaf in [from, leaves) that holds wanted, or leaves. A slot that holds wanted in its
 * maxima may still have no such leaf below; then the search goes on to its right.
 */
static size_t find_from(const struct rm_room *room, struct resource wanted, size_t from)
{
    size_t slot = room->leaves + from;
    for (;;) {
        if (holds(room->slots[slot], wanted)) {
            if (slot >= room->leaves)
                return slot - room->leaves;
            slot = 2 * slot;
            continue;
        }
        /* To the next slot on the right: up while this is a right child, then one over. */
        while (slot % 2 == 1) {
            slot /= 2;
            if (slot <= 1)
                return room->leaves;
        }
        slot++;
    }
}

bool rm_room_find(const struct rm_room *room,
                  struct resource wanted,
                  size_t from,
                  size_t *ret_index)
{
    CHECK(wanted.memory_bytes > 0 || wanted.vcores > 0);
    if (from >= room->leaves)
        from = 0;
    size_t found = find_from(room, wanted, from);
    if (found == room->leaves && from > 0) {
        found = find_from(room, wanted, 0);
        if (found >= from)
            return false; /* it went past where it began: nothing before `from` fits */
    }
    if (found == room->leaves)
        return false;
    *ret_index = found;
    return true;
}
