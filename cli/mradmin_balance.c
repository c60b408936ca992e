/*
 * mradmin_balance.c - the balancer, which runs by itself in the namenode: how it stands, on and
 * off, how far it goes and how fast.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/mradmin.h"
#include "cli/table.h"
#include "lib/daemon/settings.h"
#include "lib/services/calls.h"

enum {
    PPM_PER_PERCENT = 10000
};

static enum status ask_balancer(struct mradmin *mradmin,
                                const struct dfs_set_balancer_request *request,
                                struct arena *arena,
                                const struct dfs_set_balancer_response **ret_found,
                                struct error *reterr_error)
{
    struct service_target target = mradmin->namenode;
    target.arena = arena;
    return services_namenode_set_balancer(&target, request, ret_found, reterr_error);
}

static void show_balancer(const struct mradmin *mradmin,
                          const struct dfs_set_balancer_response *found)
{
    if (mradmin->is_json) {
        mradmin_print_json(&dfs_set_balancer_response_type, found);
        return;
    }
    printf("The balancer is %s, and %s%s%.*s\n", found->is_enabled ? "ON" : "OFF",
           found->is_running ? "moves blocks" : "does nothing",
           found->reason.length > 0 ? ": " : "", SLICE_ARGS(found->reason));
    printf("  use of datanodes: mean %.1f %%, most %.1f %%, least %.1f %%; threshold %.1f %%\n",
           (double)found->mean_ppm / PPM_PER_PERCENT, (double)found->most_ppm / PPM_PER_PERCENT,
           (double)found->least_ppm / PPM_PER_PERCENT,
           (double)found->threshold_ppm / PPM_PER_PERCENT);
    printf("  left to move %s; moved %s in %" PRIu64 " blocks since the namenode started; %" PRIu32
           " blocks under way; at most %s/s\n",
           cli_bytes(found->left_bytes).text, cli_bytes(found->moved_bytes).text,
           found->moved_blocks, found->moving_blocks, cli_bytes(found->bytes_per_second).text);
}

/* Until nothing is beyond the threshold any more. */
static enum status wait_balanced(struct mradmin *mradmin, struct error *reterr_error)
{
    struct dfs_set_balancer_request request = {.action = BALANCER_GET};
    bool is_done = false;
    enum status status = OK;
    while (status == OK && !is_done) {
        const struct dfs_set_balancer_response *found = NULL;
        struct arena *arena = arena_open(0);
        status = ask_balancer(mradmin, &request, arena, &found, reterr_error);
        if (status == OK && !found->is_enabled)
            status = error_set(reterr_error, ERR_BAD_TRANSITION, "the balancer is off");
        is_done = status == OK && found->left_bytes == 0 && found->moving_blocks == 0;
        if (status == OK && mradmin->is_terminal)
            fprintf(stderr, "\r\033[K%s to move, %s moved", cli_bytes(found->left_bytes).text,
                    cli_bytes(found->moved_bytes).text);
        if (is_done && mradmin->is_terminal)
            fprintf(stderr, "\r\033[K");
        if (is_done)
            show_balancer(mradmin, found);
        arena_close(arena);
        if (status == OK && !is_done)
            status = mradmin_pause(mradmin, reterr_error);
    }
    return status;
}

/* "10" and "0.5" percent, in ppm. */
static bool parse_percent(struct slice text, uint64_t *ret_ppm)
{
    size_t point = slice_find(text, '.');
    uint64_t whole = 0;
    uint64_t rest = 0;
    uint64_t scale = PPM_PER_PERCENT;
    if (!slice_parse_u64(slice_sub(text, 0, point), &whole) || whole > 100)
        return false;
    if (point < text.length) {
        struct slice digits = slice_sub(text, point + 1, text.length - point - 1);
        if (digits.length > 4 || !slice_parse_u64(digits, &rest))
            return false;
        for (size_t i = 0; i < digits.length; i++)
            scale /= 10;
    }
    *ret_ppm = whole * PPM_PER_PERCENT + rest * scale;
    return *ret_ppm > 0 && *ret_ppm <= 100 * PPM_PER_PERCENT;
}

static enum status parse_rate(const char *text, uint64_t *ret_bytes, struct error *reterr_error)
{
    enum status status =
        setting_parse(SETTING_BYTES, slice_from_string(text), ret_bytes, reterr_error);
    if (status != OK || *ret_bytes == 0)
        return error_set(reterr_error, ERR_INVALID, "a rate is bytes per second, like 20m");
    return OK;
}

enum status mradmin_balance(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    static const char *const names[] = {"status", "on", "off"};

    static const enum dfs_balancer_action actions[] = {BALANCER_GET, BALANCER_ON, BALANCER_OFF};

    const char *word = mradmin->words.count > 0 ? mradmin->words.arguments[0] : "status";
    struct dfs_set_balancer_request request = {.action = BALANCER_GET};
    const struct dfs_set_balancer_response *found = NULL;
    enum status status = OK;
    (void)ret_code;
    if (mradmin_has(mradmin, ADMIN_KEY_THRESHOLD) &&
        !parse_percent(slice_from_string(mradmin->words.values[ADMIN_KEY_THRESHOLD]),
                       &request.threshold_ppm))
        return error_set(reterr_error, ERR_INVALID, "-threshold is percent, like 10 or 0.5");
    if (mradmin_has(mradmin, ADMIN_KEY_RATE))
        status = parse_rate(mradmin->words.values[ADMIN_KEY_RATE], &request.bytes_per_second,
                            reterr_error);
    if (status != OK)
        return status;
    if (strcmp(word, "wait") == 0)
        return wait_balanced(mradmin, reterr_error);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(word, names[i]) != 0)
            continue;
        request.action = actions[i];
        status = ask_balancer(mradmin, &request, mradmin->arena, &found, reterr_error);
        if (status == OK)
            show_balancer(mradmin, found);
        return status;
    }
    return error_set(reterr_error, ERR_INVALID, "expected status, on, off or wait");
}

enum status mradmin_balance_rate(struct mradmin *mradmin, int *ret_code, struct error *reterr_error)
{
    struct dfs_set_balancer_request request = {.action = BALANCER_GET};
    const struct dfs_set_balancer_response *found = NULL;
    (void)ret_code;
    enum status status =
        parse_rate(mradmin->words.arguments[0], &request.bytes_per_second, reterr_error);
    if (status == OK)
        status = ask_balancer(mradmin, &request, mradmin->arena, &found, reterr_error);
    if (status == OK)
        show_balancer(mradmin, found);
    return status;
}
