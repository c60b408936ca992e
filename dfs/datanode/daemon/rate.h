/*
 * rate.h - so many bytes per second, shared by whoever asks. Any thread.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_RATE_H
#define MILLRACE_DFS_DATANODE_DAEMON_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate;

/* bytes_per_second 0: no limit. */
struct rate *rate_open(uint64_t bytes_per_second);
void rate_close(struct rate *rate); /* NULL is fine; nobody waits */
/*
 * Waits until so many bytes are due. At most a second's worth is saved up while nobody asks. False:
 * rate_stop was called. rate NULL: no limit.
 */
bool rate_take(struct rate *rate, size_t bytes);
/* Sends away everybody who waits or asks from now on. */
void rate_stop(struct rate *rate);

#endif
