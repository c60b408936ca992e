/*
 * ids.h - the typed ids as text (YARN's spelling), as keys of maps, and in order.
 *
 *     application_1700000000000_0001                 app_id
 *     appattempt_1700000000000_0001_000001           app_id + attempt
 *     job_1700000000000_0001                         app_id
 *     container_e03_1700000000000_0001_01_000002     container_id
 *     task_1700000000000_0001_m_000007               attempt_id without its attempt
 *     attempt_1700000000000_0001_m_000007_0          attempt_id
 *
 * Numbers are padded to the width shown and may be longer. Each id has exactly one text: parsing
 * refuses every other spelling.
 */
#ifndef MILLRACE_LIB_MODEL_IDS_H
#define MILLRACE_LIB_MODEL_IDS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/model/messages.h"

enum {
    ID_TEXT_BYTES = 96, /* the longest, with its NUL, is below */
    ID_KEY_BYTES = 32
};

struct id_text {
    char text[ID_TEXT_BYTES]; /* NUL-terminated */
};

/* Fixed-length bytes of an id whose byte order is the ids' order. */
struct id_key {
    uint8_t data[ID_KEY_BYTES];
    size_t length;
};

/* Use as app_id_text(id).text within one expression, or keep the struct. */
struct id_text app_id_text(struct app_id id);
struct id_text app_id_job_text(struct app_id id);
struct id_text app_attempt_text(struct app_id id, uint32_t app_attempt);
struct id_text container_id_text(struct container_id id);
struct id_text attempt_id_text(struct attempt_id id);
struct id_text attempt_id_task_text(struct attempt_id id);

/* False, with the result untouched, unless the whole text is such an id. */
bool app_id_parse(struct slice text, struct app_id *ret_id);
/* The same for "job_..."; people use both. */
bool app_id_parse_job(struct slice text, struct app_id *ret_id);
bool app_attempt_parse(struct slice text, struct app_id *ret_id, uint32_t *ret_app_attempt);
bool container_id_parse(struct slice text, struct container_id *ret_id);
bool attempt_id_parse(struct slice text, struct attempt_id *ret_id);
/* "task_..."; the result's attempt is 0. */
bool attempt_id_parse_task(struct slice text, struct attempt_id *ret_id);

/* <0, 0, >0, field by field in the order of the struct. */
int app_id_compare(struct app_id left, struct app_id right);
int container_id_compare(struct container_id left, struct container_id right);
int attempt_id_compare(struct attempt_id left, struct attempt_id right);
bool app_id_equal(struct app_id left, struct app_id right);
bool container_id_equal(struct container_id left, struct container_id right);
bool attempt_id_equal(struct attempt_id left, struct attempt_id right);

/* The zero id names nothing. */
bool app_id_is_none(struct app_id id);
bool container_id_is_none(struct container_id id);

/* Keys for lib/base/map.h: map_get(map, id_key_slice(&key)). */
struct id_key app_id_key(struct app_id id);
struct id_key container_id_key(struct container_id id);
struct id_key attempt_id_key(struct attempt_id id);
/* The task's key: the same for all its attempts. */
struct id_key attempt_id_task_key(struct attempt_id id);
/* Borrows key. */
struct slice id_key_slice(const struct id_key *key);

#endif
