/*
 * rack.h - how far apart two places are, as locality sees it.
 */
#ifndef MILLRACE_LIB_MODEL_RACK_H
#define MILLRACE_LIB_MODEL_RACK_H

#include "lib/model/messages.h"

/* Nearest first, so distances compare as numbers. */
enum rack_distance {
    RACK_SAME_HOST,
    RACK_SAME_RACK,
    RACK_ELSEWHERE,
    RACK_DISTANCE_COUNT
};

/* An empty host or rack is an unknown one: it equals nothing, not even another unknown one. */
static inline enum rack_distance rack_distance_between(struct slice left_host,
                                                       struct slice left_rack,
                                                       struct slice right_host,
                                                       struct slice right_rack)
{
    if (left_host.length > 0 && slice_equal(left_host, right_host))
        return RACK_SAME_HOST;
    if (left_rack.length > 0 && slice_equal(left_rack, right_rack))
        return RACK_SAME_RACK;
    return RACK_ELSEWHERE;
}

static inline enum rack_distance rack_distance(const struct endpoint *left,
                                               const struct endpoint *right)
{
    return rack_distance_between(left->host, left->rack, right->host, right->rack);
}

#endif
