/*
 * trash.c - what people deleted is kept for a while: /user/<name>/.Trash/Current becomes a
 * checkpoint named by the time, and a checkpoint older than trash_keep_ms goes. Clients move things
 * into Current. A wall clock that jumps must not delete early, so a checkpoint has to be old twice:
 * by the time in its name, and by the monotonic time that this namenode has seen it for. The latter
 * is journaled in the checkpoint's InodePut now and then, so that restarts do not begin it anew.
 * Rules: docs/namespace.md.
 */
#include <stdio.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    NAME_DIGITS = 12,    /* yyMMddHHmmss, UTC */
    SAME_SECOND_MAX = 8, /* checkpoints: more are left for the next pass */
    PASSES_PER_KEEP = 16,
    PASS_MS_MIN = 1000,
    SECOND_MS = 1000,
    DAY_S = 86400,
    FIRST_YEAR = 2000,
};

struct civil {
    int64_t year;
    unsigned month; /* from 1 */
    unsigned day;   /* from 1 */
};

/* Days since 1970 in the Gregorian calendar, years counted from March so that leap days come last.
 */
static int64_t days_from_civil(struct civil civil)
{
    int64_t year = civil.month <= 2 ? civil.year - 1 : civil.year;
    int64_t era = year / 400; /* years here are never before 0 */
    int64_t year_of_era = year - era * 400;
    int64_t month = civil.month > 2 ? civil.month - 3 : civil.month + 9;
    int64_t day_of_year = (153 * month + 2) / 5 + civil.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    days += 719468;
    int64_t era = days / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct civil civil = {.year = year_of_era + era * 400,
                          .month = (unsigned)(month < 10 ? month + 3 : month - 9),
                          .day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1)};
    civil.year += civil.month <= 2 ? 1 : 0;
    return civil;
}

static struct slice checkpoint_name(struct namenode *nn, unsigned nth)
{
    uint64_t seconds = nn->wall_ms / SECOND_MS;
    unsigned rest = (unsigned)(seconds % DAY_S);
    struct civil civil = civil_from_days((int64_t)(seconds / DAY_S));
    struct slice name =
        arena_format(nn->actions->arena, "%02u%02u%02u%02u%02u%02u", (unsigned)(civil.year % 100),
                     civil.month, civil.day, rest / 3600, rest / 60 % 60, rest % 60);
    return nth == 0 ? name : arena_format(nn->actions->arena, "%.*s-%u", SLICE_ARGS(name), nth);
}

static unsigned two_digits(const uint8_t *digits)
{
    return (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
}

/* False: it is no checkpoint's name. */
static bool parse_name(struct slice name, uint64_t *ret_wall_ms)
{
    if (name.length < NAME_DIGITS || (name.length > NAME_DIGITS && name.data[NAME_DIGITS] != '-')) {
        return false;
    }
    for (size_t i = 0; i < NAME_DIGITS; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') {
            return false;
        }
    }
    struct civil civil = {.year = FIRST_YEAR + two_digits(name.data),
                          .month = two_digits(name.data + 2),
                          .day = two_digits(name.data + 4)};
    unsigned hour = two_digits(name.data + 6);
    unsigned minute = two_digits(name.data + 8);
    unsigned second = two_digits(name.data + 10);
    if (civil.month < 1 || civil.month > 12 || civil.day < 1 || civil.day > 31 || hour > 23 ||
        minute > 59 || second > 60) {
        return false;
    }
    int64_t seconds = days_from_civil(civil) * DAY_S + hour * 3600 + minute * 60 + second;
    *ret_wall_ms = (uint64_t)seconds * SECOND_MS;
    return true;
}

/* --- age ----------------------------------------------------------------------------- */

static struct directory_extra *extra_of(struct inode *directory)
{
    if (directory->extra == NULL) {
        directory->extra = MEM_NEW(struct directory_extra);
    }
    return directory->extra;
}

void namenode_trash_set_age(struct inode *directory, uint64_t age_ms)
{
    if (age_ms > 0 || directory->extra != NULL) {
        extra_of(directory)->trash_age_ms = age_ms;
    }
}

/* What has gone by since the last look is added; the first look of a process only begins. */
static void grow_older(struct namenode *nn, struct inode *checkpoint)
{
    struct directory_extra *extra = extra_of(checkpoint);
    if (extra->trash_seen_ms != 0 && nn->now_ms > extra->trash_seen_ms) {
        extra->trash_age_ms += (uint64_t)(nn->now_ms - extra->trash_seen_ms);
        namenode_record_inode(nn, checkpoint);
    }
    extra->trash_seen_ms = nn->now_ms;
}

static bool is_expired(const struct namenode *nn, const struct inode *checkpoint, uint64_t named_ms)
{
    uint64_t keep_ms = (uint64_t)nn->settings.trash_keep_ms;
    return nn->wall_ms >= named_ms && nn->wall_ms - named_ms >= keep_ms &&
           checkpoint->extra->trash_age_ms >= keep_ms;
}

static void expire(struct namenode *nn, struct inode *trash)
{
    struct inode *next = namenode_inode_next_child(trash, slice_make(NULL, 0), false);
    while (next != NULL) {
        struct inode *checkpoint = next;
        next = namenode_inode_next_child(trash, next->name, true);
        uint64_t named_ms = 0;
        if (!namenode_inode_is_directory(checkpoint) || !parse_name(checkpoint->name, &named_ms)) {
            continue;
        }
        grow_older(nn, checkpoint);
        if (is_expired(nn, checkpoint, named_ms)) {
            NAMENODE_TRACE(nn, "trash expired id=%llu name=%.*s",
                           (unsigned long long)checkpoint->id, SLICE_ARGS(checkpoint->name));
            namenode_remove_journaled(nn, checkpoint);
            namenode_inode_touch(nn, trash);
        }
    }
}

/* --- rolling ------------------------------------------------------------------------- */

static void roll(struct namenode *nn, struct inode *trash)
{
    struct inode *current = namenode_inode_installed(nn, trash, slice_from_string("Current"));
    if (current == NULL || !namenode_inode_is_directory(current) || current->child_count == 0) {
        return;
    }
    for (unsigned nth = 0; nth < SAME_SECOND_MAX; nth++) {
        struct slice name = checkpoint_name(nn, nth);
        if (namenode_inode_installed(nn, trash, name) != NULL ||
            namenode_inode_writing(nn, trash, name) != NULL) {
            continue;
        }
        NAMENODE_TRACE(nn, "trash rolled id=%llu name=%.*s", (unsigned long long)current->id,
                       SLICE_ARGS(name));
        namenode_quota_begin_move(nn, current, trash);
        namenode_inode_detach(nn, current);
        namenode_inode_set_name(current, name);
        namenode_inode_attach(nn, current, trash);
        namenode_quota_end_move(nn);
        extra_of(current)->trash_age_ms = 0;
        current->extra->trash_seen_ms = nn->now_ms;
        namenode_record_inode(nn, current);
        namenode_inode_touch(nn, trash);
        return;
    }
}

static int64_t pass_ms(const struct namenode *nn)
{
    int64_t interval_ms = nn->settings.trash_keep_ms / PASSES_PER_KEEP;
    return interval_ms < PASS_MS_MIN ? PASS_MS_MIN : interval_ms;
}

void namenode_trash_run(struct namenode *nn)
{
    const struct namenode_settings *settings = &nn->settings;
    if (settings->trash_keep_ms == 0 || nn->mode != MODE_OPEN) {
        return;
    }
    bool is_rolling = nn->now_ms >= nn->trash_roll_ms;
    if (!is_rolling && nn->now_ms < nn->trash_pass_ms) {
        return;
    }
    nn->trash_pass_ms = nn->now_ms + pass_ms(nn);
    if (is_rolling) {
        int64_t interval_ms = settings->trash_checkpoint_ms;
        nn->trash_roll_ms = nn->now_ms + (interval_ms > 0 ? interval_ms : settings->trash_keep_ms);
    }
    struct inode *users = namenode_inode_installed(nn, nn->root, slice_from_string("user"));
    if (users == NULL) {
        return;
    }
    const struct inode *user = namenode_inode_next_child(users, slice_make(NULL, 0), false);
    for (; user != NULL; user = namenode_inode_next_child(users, user->name, true)) {
        struct inode *trash = namenode_inode_installed(nn, user, slice_from_string(".Trash"));
        if (trash == NULL || !namenode_inode_is_directory(trash)) {
            continue;
        }
        expire(nn, trash);
        if (is_rolling) {
            roll(nn, trash);
        }
    }
}
