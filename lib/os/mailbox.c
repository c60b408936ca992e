/*
 * mailbox.c - a ring of pointers behind one mutex. It grows, because items that are owed may exceed
 * the capacity; the capacity only refuses those that are not.
 */
#include "lib/os/mailbox.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/thread.h"

struct mailbox {
    struct mutex *mutex;
    struct condition *filled;
    void **ring;
    size_t ring_size;
    size_t first;
    size_t count;
    size_t capacity;
    bool is_woken;
    bool is_shut;
};

enum {
    RING_SIZE_FIRST = 64
};

struct mailbox *mailbox_open(size_t capacity)
{
    CHECK(capacity > 0);
    struct mailbox *mailbox = MEM_NEW(struct mailbox);
    mailbox->mutex = mutex_open();
    mailbox->filled = condition_open();
    mailbox->capacity = capacity;
    mailbox->ring_size = RING_SIZE_FIRST;
    mailbox->ring = mem_new(RING_SIZE_FIRST * sizeof(*mailbox->ring));
    return mailbox;
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    condition_close(mailbox->filled);
    mutex_close(mailbox->mutex);
    mem_free(mailbox->ring);
    mem_free(mailbox);
}

static void grow(struct mailbox *mailbox)
{
    void **ring = mem_new(mailbox->ring_size * 2 * sizeof(*ring));
    for (size_t i = 0; i < mailbox->count; i++)
        ring[i] = mailbox->ring[(mailbox->first + i) % mailbox->ring_size];
    mem_free(mailbox->ring);
    mailbox->ring = ring;
    mailbox->ring_size *= 2;
    mailbox->first = 0;
}

static enum status post(struct mailbox *mailbox, void *item, size_t capacity)
{
    mutex_lock(mailbox->mutex);
    enum status status = OK;
    if (mailbox->is_shut) {
        status = ERR_UNAVAILABLE;
    } else if (mailbox->count >= capacity) {
        status = ERR_BUSY;
    } else {
        if (mailbox->count == mailbox->ring_size)
            grow(mailbox);
        mailbox->ring[(mailbox->first + mailbox->count) % mailbox->ring_size] = item;
        mailbox->count++;
        if (mailbox->count == 1) /* the taker sleeps only when there is nothing */
            condition_signal(mailbox->filled);
    }
    mutex_unlock(mailbox->mutex);
    return status;
}

enum status mailbox_post(struct mailbox *mailbox, void *item)
{
    return post(mailbox, item, mailbox->capacity);
}

enum status mailbox_post_owed(struct mailbox *mailbox, void *item)
{
    return post(mailbox, item, SIZE_MAX);
}

size_t mailbox_take(struct mailbox *mailbox, void **items, size_t items_max, int64_t deadline_ms)
{
    mutex_lock(mailbox->mutex);
    bool in_time = true;
    while (mailbox->count == 0 && !mailbox->is_woken && !mailbox->is_shut && in_time)
        in_time = condition_wait_until(mailbox->filled, mailbox->mutex, deadline_ms);
    mailbox->is_woken = false;
    size_t taken = 0;
    while (taken < items_max && mailbox->count > 0) {
        items[taken++] = mailbox->ring[mailbox->first];
        mailbox->first = (mailbox->first + 1) % mailbox->ring_size;
        mailbox->count--;
    }
    mutex_unlock(mailbox->mutex);
    return taken;
}

void mailbox_wake(struct mailbox *mailbox)
{
    mutex_lock(mailbox->mutex);
    mailbox->is_woken = true;
    condition_signal(mailbox->filled);
    mutex_unlock(mailbox->mutex);
}

void mailbox_shut(struct mailbox *mailbox)
{
    mutex_lock(mailbox->mutex);
    mailbox->is_shut = true;
    condition_signal(mailbox->filled);
    mutex_unlock(mailbox->mutex);
}

bool mailbox_is_shut(struct mailbox *mailbox)
{
    mutex_lock(mailbox->mutex);
    bool is_shut = mailbox->is_shut;
    mutex_unlock(mailbox->mutex);
    return is_shut;
}

size_t mailbox_count(struct mailbox *mailbox)
{
    mutex_lock(mailbox->mutex);
    size_t count = mailbox->count;
    mutex_unlock(mailbox->mutex);
    return count;
}
