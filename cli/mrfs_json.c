/*
 * mrfs_json.c - one array, one element a line.
 */
#include <stdio.h>

#include "cli/mrfs.h"
#include "lib/base/check.h"
#include "lib/model/message.h"

struct mrfs_json mrfs_json_open(const struct mrfs *mrfs)
{
    return (struct mrfs_json){.is_wanted = mrfs_has(mrfs, KEY_JSON)};
}

void mrfs_json_add_text(struct mrfs_json *json, const char *text)
{
    printf("%s%s", json->has_begun ? ",\n" : "[\n", text);
    json->has_begun = true;
}

void mrfs_json_add(struct mrfs_json *json, const struct message_type *type, const void *message)
{
    struct buf text = {0};
    CHECK(message_print_json(type, message, &text) == OK);
    mrfs_json_add_text(json, buf_string(&text));
    buf_close(&text);
}

void mrfs_json_close(struct mrfs_json *json)
{
    if (json->is_wanted)
        fputs(json->has_begun ? "\n]\n" : "[]\n", stdout);
}
