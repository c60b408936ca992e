/*
 * random_message.h - a message of any type with random fields, for round trips.
 */
#ifndef MILLRACE_TESTS_SUPPORT_RANDOM_MESSAGE_H
#define MILLRACE_TESTS_SUPPORT_RANDOM_MESSAGE_H

#include "lib/base/arena.h"
#include "lib/base/rng.h"
#include "lib/model/message.h"

/*
 * Fills a struct of type from arena: about every fourth field stays zero, the others have valid
 * values (UTF-8 strings, known enums, lists of 0..3 elements).
 */
void *random_message(const struct message_type *type, struct rng *rng, struct arena *arena);

#endif
