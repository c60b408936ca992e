/*
 * racks.c - which rack a datanode is in: what the table says of its address or host, else what the
 * script said of its host, else what the datanode says itself, else the default rack.
 * Owns namenode->rack_table, rack_answers and rack_asks. The shell reads the table's file and runs
 * the script; until the script has answered a datanode is where it says it is, so that a script
 * that hangs delays nobody. A rack that changes moves the datanode's replicas with it.
 */
#include <string.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/message.h"

enum {
    TABLE_ENTRIES_MAX = 4 * LIMIT_NODES,
};

static const char default_rack[] = "/default-rack";

struct rack_entry {
    struct slice rack;
    size_t line;
};

struct rack_table {
    struct arena *arena;
    struct map *entries; /* by host or address, to struct rack_entry */
};

/* --- the table ----------------------------------------------------------------------- */

bool namenode_rack_name_is_valid(struct slice rack)
{
    if (rack.length < 2 || rack.length > LIMIT_RACK_BYTES || rack.data[0] != '/' ||
        !slice_is_utf8(rack)) {
        return false;
    }
    for (size_t i = 0; i < rack.length; i++) {
        if (rack.data[i] <= ' ' || rack.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Takes the next word of *line; empty at the end or at a comment. */
static struct slice next_word(struct slice *line)
{
    size_t from = 0;
    while (from < line->length && is_blank(line->data[from])) {
        from++;
    }
    size_t to = from;
    while (to < line->length && !is_blank(line->data[to]) && line->data[to] != '#') {
        to++;
    }
    struct slice word = slice_sub(*line, from, to - from);
    *line = slice_sub(*line, to, line->length - to);
    return word;
}

static bool is_over(struct slice rest)
{
    struct slice word = next_word(&rest);
    return word.length == 0 && (rest.length == 0 || rest.data[0] == '#');
}

static enum status add_entry(struct rack_table *table,
                             struct slice place,
                             struct slice rack,
                             size_t line,
                             struct error *reterr_error)
{
    const struct rack_entry *known = map_get(table->entries, place);
    if (known != NULL && !slice_equal(known->rack, rack)) {
        return error_set(reterr_error, ERR_INVALID, "line %zu: %.*s is in %.*s already (line %zu)",
                         line, SLICE_ARGS(place), SLICE_ARGS(known->rack), known->line);
    }
    if (known == NULL && map_count(table->entries) >= TABLE_ENTRIES_MAX) {
        return error_set(reterr_error, ERR_LIMIT, "line %zu: a table has at most %d entries", line,
                         (int)TABLE_ENTRIES_MAX);
    }
    if (known == NULL) {
        struct rack_entry *entry = ARENA_NEW(table->arena, struct rack_entry);
        entry->rack = arena_copy(table->arena, rack);
        entry->line = line;
        (void)map_put(table->entries, place, entry); /* it was absent */
    }
    return OK;
}

static enum status parse_line(struct rack_table *table,
                              struct slice text,
                              size_t line,
                              struct error *reterr_error)
{
    struct slice place = next_word(&text);
    if (place.length == 0) {
        return OK;
    }
    if (place.length > LIMIT_ADDRESS_BYTES || !slice_is_utf8(place)) {
        return error_set(reterr_error, ERR_INVALID, "line %zu: this is no host name or address",
                         line);
    }
    struct slice rack = next_word(&text);
    if (rack.length == 0) {
        return error_set(reterr_error, ERR_INVALID, "line %zu: %.*s has no rack", line,
                         SLICE_ARGS(place));
    }
    if (!namenode_rack_name_is_valid(rack)) {
        return error_set(reterr_error, ERR_INVALID,
                         "line %zu: the rack of %.*s must be a name that begins with /", line,
                         SLICE_ARGS(place));
    }
    if (!is_over(text)) {
        return error_set(reterr_error, ERR_INVALID,
                         "line %zu: more than a host and a rack; a comment begins with #", line);
    }
    return add_entry(table, place, rack, line, reterr_error);
}

static void table_close(struct rack_table *table)
{
    if (table != NULL) {
        map_close(table->entries);
        arena_close(table->arena);
        mem_free(table);
    }
}

static enum status table_parse(struct slice text,
                               struct rack_table **ret_table,
                               struct error *reterr_error)
{
    struct rack_table *table = MEM_NEW(struct rack_table);
    enum status status = OK;
    table->arena = arena_open(0);
    table->entries = map_open();
    for (size_t line = 1; text.length > 0 && status == OK; line++) {
        size_t end = slice_find(text, '\n');
        status = parse_line(table, slice_sub(text, 0, end), line, reterr_error);
        size_t next = end < text.length ? end + 1 : end;
        text = slice_sub(text, next, text.length - next);
    }
    if (status != OK) {
        table_close(table);
        return status;
    }
    *ret_table = table;
    return OK;
}

/* --- where a datanode is ------------------------------------------------------------- */

struct slice namenode_rack_of(const struct namenode *nn,
                              const struct endpoint *endpoint,
                              struct slice said)
{
    if (nn->rack_table != NULL) {
        const struct rack_entry *entry = map_get(nn->rack_table->entries, endpoint->http_address);
        if (entry == NULL) {
            entry = map_get(nn->rack_table->entries, endpoint->host);
        }
        if (entry != NULL) {
            return entry->rack;
        }
    }
    const struct slice *answer = map_get(nn->rack_answers, endpoint->host);
    if (answer != NULL) {
        return *answer;
    }
    return said.length > 0 ? said : slice_from_string(default_rack);
}

/* Puts every datanode where it belongs now; returns how many moved. */
static size_t place_again(struct namenode *nn)
{
    size_t moved = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        moved += namenode_node_place(nn, value) ? 1 : 0;
    }
    return moved;
}

/* --- the script ---------------------------------------------------------------------- */

void namenode_rack_ask(struct namenode *nn, struct slice host)
{
    bool is_known = map_get(nn->rack_answers, host) != NULL;
    if (nn->settings.rack_script.length == 0 || is_known || map_get(nn->rack_asks, host) != NULL) {
        return;
    }
    struct namenode_rack_question *question =
        ARENA_NEW(nn->actions->arena, struct namenode_rack_question);
    question->host = arena_copy(nn->actions->arena, host);
    (void)map_put(nn->rack_asks, host, nn); /* it was absent; any value marks it */
    actions_effect(nn->actions, 0, NAMENODE_EFFECT_ASK_RACK, question);
}

static void keep_answer(struct namenode *nn, struct slice host, struct slice rack)
{
    struct slice *answer = map_get(nn->rack_answers, host);
    if (answer == NULL) {
        answer = MEM_NEW(struct slice);
        (void)map_put(nn->rack_answers, host, answer); /* it was absent */
    }
    *answer = namenode_intern(nn, rack);
}

/* A script that failed is asked again when the datanode registers again, or by RefreshNodes. */
static void take_answer(struct namenode *nn, const struct event *event)
{
    const struct namenode_rack_answer *answer = event->data;
    (void)map_remove(nn->rack_asks, answer->host);
    if (event->status != OK || !namenode_rack_name_is_valid(answer->rack)) {
        NAMENODE_TRACE(nn, "rack unknown host=%.*s", SLICE_ARGS(answer->host));
        return;
    }
    keep_answer(nn, answer->host, answer->rack);
    (void)place_again(nn); /* nobody waits for the number */
}

/* --- RefreshNodes -------------------------------------------------------------------- */

static void forget_answers(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_next(nn->rack_answers, &cursor, NULL, &value)) {
        mem_free(value);
    }
    map_clear(nn->rack_answers);
}

/* Until the script answers again the datanodes stay where they are. */
static size_t ask_again(struct namenode *nn)
{
    size_t asked = 0;
    size_t cursor = 0;
    void *value = NULL;
    if (nn->settings.rack_script.length == 0) {
        return 0;
    }
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        struct slice *answer = map_remove(nn->rack_answers, node->endpoint.host);
        size_t before = map_count(nn->rack_asks);
        namenode_rack_ask(nn, node->endpoint.host);
        asked += map_count(nn->rack_asks) - before;
        if (answer != NULL) {
            (void)map_put(nn->rack_answers, node->endpoint.host, answer); /* it was removed */
        }
    }
    return asked;
}

static void reply_refreshed(struct namenode *nn, uint64_t call, size_t moved)
{
    struct dfs_refresh_nodes_response response = {
        .table_entries = nn->rack_table == NULL ? 0 : (uint32_t)map_count(nn->rack_table->entries),
        .datanodes_moved = (uint32_t)moved,
        .hosts_asked = (uint32_t)ask_again(nn),
    };
    actions_reply(nn->actions, call, &dfs_refresh_nodes_response_type, &response);
}

void namenode_refresh_nodes(struct namenode *nn)
{
    if (!namenode_is_superuser(nn, nn->event->user)) {
        namenode_fail(nn, ERR_DENIED, "only the superuser may have the racks read again");
        return;
    }
    if (nn->settings.rack_table.length == 0) {
        reply_refreshed(nn, nn->event->call, 0);
        return;
    }
    if (nn->refresh_call != 0) {
        namenode_fail(nn, ERR_BUSY, "the rack table is being read");
        return;
    }
    nn->refresh_call = nn->event->call;
    actions_effect(nn->actions, 0, NAMENODE_EFFECT_READ_RACKS, NULL);
}

static void take_table(struct namenode *nn, const struct event *event)
{
    uint64_t call = nn->refresh_call;
    nn->refresh_call = 0;
    CHECK(call != 0);
    if (event->status != OK) {
        actions_fail(nn->actions, call, event->status, "%.*s", SLICE_ARGS(event->text));
        return;
    }
    const struct namenode_rack_text *text = event->data;
    struct error error = {0};
    struct rack_table *table = NULL;
    enum status status = table_parse(text->text, &table, &error);
    if (status != OK) { /* the older table stays */
        actions_fail(nn->actions, call, status, "rack table %.*s: %s",
                     SLICE_ARGS(nn->settings.rack_table), error.text);
        return;
    }
    table_close(nn->rack_table);
    nn->rack_table = table;
    NAMENODE_TRACE(nn, "racks read entries=%zu", map_count(table->entries));
    reply_refreshed(nn, call, place_again(nn));
}

void namenode_racks_effect_done(struct namenode *nn, const struct event *event)
{
    switch ((enum namenode_effect)event->effect) {
    case NAMENODE_EFFECT_READ_RACKS:
        take_table(nn, event);
        return;
    case NAMENODE_EFFECT_ASK_RACK:
        take_answer(nn, event);
        return;
    }
}

void namenode_racks_stop(struct namenode *nn)
{
    if (nn->refresh_call != 0) {
        actions_fail(nn->actions, nn->refresh_call, ERR_UNAVAILABLE, "the namenode is stopping");
        nn->refresh_call = 0;
    }
}

enum status namenode_load_racks(struct namenode *nn, struct slice text, struct error *reterr_error)
{
    struct rack_table *table = NULL;
    enum status status = table_parse(text, &table, reterr_error);
    if (status == OK) {
        table_close(nn->rack_table);
        nn->rack_table = table;
    }
    return status;
}

void namenode_racks_open(struct namenode *nn)
{
    nn->rack_answers = map_open();
    nn->rack_asks = map_open();
}

void namenode_racks_close(struct namenode *nn)
{
    forget_answers(nn);
    map_close(nn->rack_answers);
    map_close(nn->rack_asks);
    table_close(nn->rack_table);
}
