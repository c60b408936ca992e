/*
 * status.c - names and sentences of the status list.
 */
#include "lib/base/status.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/check.h"

static const char *const status_names[] = {
#define STATUS_NAME(name, sentence) #name,
    STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const status_sentences[] = {
#define STATUS_SENTENCE(name, sentence) sentence,
    STATUS_LIST(STATUS_SENTENCE)
#undef STATUS_SENTENCE
};

static_assert(sizeof(status_names) / sizeof(status_names[0]) == STATUS_COUNT, "one name a status");

const char *status_name(enum status status)
{
    CHECK((unsigned)status < STATUS_COUNT);
    return status_names[status];
}

const char *status_sentence(enum status status)
{
    CHECK((unsigned)status < STATUS_COUNT);
    return status_sentences[status];
}

enum status status_from_name(const char *name)
{
    for (unsigned i = 0; name != NULL && i < STATUS_COUNT; i++) {
        if (strcmp(status_names[i], name) == 0)
            return (enum status)i;
    }
    return ERR_INTERNAL;
}
