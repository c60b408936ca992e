/*
 * safemode.c - when the namenode only reads: after its start until enough blocks have been found,
 * and while an operator wants it.
 * Owns namenode->mode, safe_total, safe_seen and is_safe_manual. A mode entered by hand is not
 * journaled: after a restart the blocks decide again.
 * Invariants: NN-8. States: docs/states/namenode_mode.dot.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

enum {
    ABSENT_NAMES_MAX = 5, /* datanodes named in the reason */
    PPM = 1000000,
};

struct found_blocks {
    uint64_t total;
    uint64_t found;
    uint64_t needed;
};

/* Smallest count of found blocks of which found * PPM >= total * ppm. */
static uint64_t count_needed(const struct namenode *nn, uint64_t total)
{
    return (total * nn->settings.safe_mode_ppm + PPM - 1) / PPM;
}

static struct found_blocks count_blocks(const struct namenode *nn)
{
    struct found_blocks blocks = {.total = nn->sealed_count};
    blocks.found = nn->sealed_count - nn->health_counts[HEALTH_MISSING];
    blocks.needed = count_needed(nn, blocks.total);
    return blocks;
}

static void open_mode(struct namenode *nn, enum namenode_mode_event event)
{
    nn->mode = namenode_transition(&namenode_mode_table, nn->mode, (int)event);
    nn->is_safe_manual = false;
    nn->open_ms = nn->now_ms;
    struct found_blocks blocks = count_blocks(nn);
    NAMENODE_TRACE(nn, "safe mode off seen=%llu of=%llu", (unsigned long long)blocks.found,
                   (unsigned long long)blocks.total);
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        namenode_node_wake(nn, value); /* deletions may have waited */
    }
}

/* Every block that was found counts, even if its last replica has gone again since. */
void namenode_review_safe_mode(struct namenode *nn)
{
    if (nn->mode == MODE_SAFE && !nn->is_safe_manual &&
        nn->safe_seen >= count_needed(nn, nn->safe_total)) {
        open_mode(nn, MODE_BLOCKS_FOUND);
    }
}

/* --- why ----------------------------------------------------------------------------- */

static size_t count_usable(const struct namenode *nn)
{
    size_t count = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        count += namenode_node_is_usable(value) ? 1 : 0;
    }
    return count;
}

/* ": h1, h2 and 3 more" */
static struct slice name_absent(const struct namenode *nn)
{
    struct arena *arena = nn->actions->arena;
    struct slice names = slice_from_string("");
    size_t named = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (named < ABSENT_NAMES_MAX && map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        if (!namenode_node_is_usable(node)) {
            names = arena_format(arena, "%.*s%s%.*s", SLICE_ARGS(names), named == 0 ? ": " : ", ",
                                 SLICE_ARGS(node->endpoint.host));
            named++;
        }
    }
    size_t absent = map_u64_count(nn->nodes) - count_usable(nn);
    if (absent > named) {
        names = arena_format(arena, "%.*s and %zu more", SLICE_ARGS(names), absent - named);
    }
    return names;
}

struct slice namenode_safe_mode_reason(const struct namenode *nn)
{
    struct arena *arena = nn->actions->arena;
    if (nn->mode == MODE_OPEN) {
        return slice_from_string("");
    }
    if (nn->is_safe_manual) {
        return slice_from_string("it was entered by hand and lasts until it is left by hand");
    }
    size_t known = map_u64_count(nn->nodes);
    size_t usable = count_usable(nn);
    struct slice nodes;
    if (known == 0) {
        nodes = slice_from_string("no datanode has registered yet");
    } else if (usable == known) {
        nodes = arena_format(arena, "all %zu datanodes known are here", known);
    } else {
        nodes = arena_format(arena, "%zu of %zu datanodes known are absent%.*s", known - usable,
                             known, SLICE_ARGS(name_absent(nn)));
    }
    return arena_format(arena, "%llu of %llu blocks have been found, %llu are needed; %.*s",
                        (unsigned long long)nn->safe_seen, (unsigned long long)nn->safe_total,
                        (unsigned long long)count_needed(nn, nn->safe_total), SLICE_ARGS(nodes));
}

/* --- the call ------------------------------------------------------------------------ */

static void enter(struct namenode *nn)
{
    nn->is_safe_manual = true;
    if (nn->mode == MODE_OPEN) {
        nn->mode = namenode_transition(&namenode_mode_table, nn->mode, MODE_ENTERED);
        namenode_repair_stop(nn);
    }
    NAMENODE_TRACE(nn, "safe mode on user=%.*s", SLICE_ARGS(nn->event->user));
}

void namenode_set_safe_mode(struct namenode *nn, const struct dfs_set_safe_mode_request *request)
{
    bool is_change = request->action != SAFE_MODE_GET;
    if (is_change && !namenode_is_superuser(nn, nn->event->user)) {
        namenode_fail(nn, ERR_DENIED, "only the superuser may enter or leave safe mode");
        return;
    }
    switch ((int)request->action) {
    case SAFE_MODE_GET:
        break;
    case SAFE_MODE_ENTER:
        enter(nn);
        break;
    case SAFE_MODE_LEAVE:
        if (nn->mode == MODE_SAFE) {
            open_mode(nn, MODE_LEFT);
        }
        break;
    default:
        namenode_fail(nn, ERR_INVALID, "no action %d of safe mode", (int)request->action);
        return;
    }
    struct found_blocks blocks = count_blocks(nn);
    if (nn->mode == MODE_SAFE && !nn->is_safe_manual) {
        blocks = (struct found_blocks){.total = nn->safe_total,
                                       .found = nn->safe_seen,
                                       .needed = count_needed(nn, nn->safe_total)};
    }
    struct dfs_set_safe_mode_response response = {
        .in_safe_mode = nn->mode != MODE_OPEN,
        .is_manual = nn->is_safe_manual,
        .reason = namenode_safe_mode_reason(nn),
        .blocks_total = blocks.total,
        .blocks_found = blocks.found,
        .blocks_needed = blocks.needed,
        .datanodes_live = (uint32_t)count_usable(nn),
        .datanodes_known = (uint32_t)map_u64_count(nn->nodes),
    };
    namenode_reply(nn, &response);
}
