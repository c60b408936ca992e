/*
 * power_loss_play.c - builds the disks that a power cut may leave: see power_loss.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/os/directory.h"
#include "tests/support/power_loss_private.h"

static const char *const change_names[] = {"create",     "rename",  "link",    "unlink",
                                           "write",      "length",  "reserve", "sync",
                                           "sync names", "attempt", "promise"};

/* --- disks after a cut ------------------------------------------------------------------------ */

/* What became of a change that is not sure. */
enum fate {
    FATE_GONE,
    FATE_THERE,
    FATE_FRONT_SECTORS, /* of a write: up to a border near its middle */
    FATE_BACK_SECTORS,  /* ... from it on */
    FATE_FRONT_PAGES,
    FATE_BACK_PAGES,
    FATE_ZEROS, /* its length without its bytes */
    FATE_COUNT
};

struct player {
    struct power_loss *power;
    const struct power_loss_options *options;
    const char *scratch;
    power_loss_check *check;
    void *user;
    struct rng rng;
    struct map_u64 *seen;
    size_t images;
    size_t cut;      /* changes before it were made */
    uint8_t *fates;  /* of each change */
    size_t *pending; /* changes that are not sure */
    size_t pending_count;
    struct content *files;
    struct names names;
    uint64_t promised;
    uint64_t attempted;
};

static bool is_data(const struct change *change)
{
    return change->kind == CHANGE_WRITE || change->kind == CHANGE_LENGTH ||
           change->kind == CHANGE_RESERVE;
}

static bool is_names(const struct change *change)
{
    return change->kind == CHANGE_CREATE || change->kind == CHANGE_RENAME ||
           change->kind == CHANGE_LINK || change->kind == CHANGE_UNLINK;
}

/* True when a sync before the cut makes this change sure. */
static bool is_sure(const struct player *player, size_t index)
{
    const struct change *change = &player->power->changes[index];
    bool needs_path = is_names(change) && change->kind != CHANGE_LINK;
    bool needs_to = change->to != NULL;
    for (size_t i = index + 1; i < player->cut; i++) {
        const struct change *later = &player->power->changes[i];
        if (is_data(change) && later->kind == CHANGE_SYNC && later->file == change->file)
            return true;
        if (!is_names(change) || later->kind != CHANGE_SYNC_NAMES)
            continue;
        if (needs_path && power_loss_is_in_directory(change->path, later->path))
            needs_path = false;
        if (needs_to && power_loss_is_in_directory(change->to, later->path))
            needs_to = false;
        if (!needs_path && !needs_to)
            return true;
    }
    return false;
}

/* The border near the middle of a write; 0 when none lies within. */
static uint64_t border(const struct change *change, uint64_t unit)
{
    uint64_t end = change->offset + change->data.length;
    uint64_t middle = (change->offset + end) / 2 / unit * unit;
    if (middle <= change->offset)
        middle += unit;
    return middle < end ? middle : 0;
}

static bool has_fate(const struct change *change, enum fate fate)
{
    switch (fate) {
    case FATE_GONE:
    case FATE_THERE:
        return true;
    case FATE_FRONT_SECTORS:
    case FATE_BACK_SECTORS:
        return change->kind == CHANGE_WRITE && border(change, SECTOR_BYTES) != 0;
    case FATE_FRONT_PAGES:
    case FATE_BACK_PAGES:
        return change->kind == CHANGE_WRITE && border(change, PAGE_BYTES) != 0;
    case FATE_ZEROS:
        return change->kind == CHANGE_WRITE;
    case FATE_COUNT:
        break;
    }
    return false;
}

static void apply_write(struct content *content, const struct change *change, enum fate fate)
{
    uint64_t from = change->offset;
    uint64_t to = change->offset + change->data.length;
    bool is_sectors = fate == FATE_FRONT_SECTORS || fate == FATE_BACK_SECTORS;
    uint64_t middle = border(change, is_sectors ? SECTOR_BYTES : PAGE_BYTES);
    if (fate == FATE_FRONT_SECTORS || fate == FATE_FRONT_PAGES)
        to = middle;
    if (fate == FATE_BACK_SECTORS || fate == FATE_BACK_PAGES)
        from = middle;
    power_loss_grow(content, to);
    if (fate != FATE_ZEROS)
        memcpy(content->data + from, change->data.data + (from - change->offset),
               (size_t)(to - from));
}

static void apply(struct player *player, const struct change *change, enum fate fate)
{
    struct content *content = &player->files[change->file];
    struct name *name;
    switch (change->kind) {
    case CHANGE_CREATE:
        power_loss_set_name(&player->names, change->path, change->file, change->offset != 0);
        break;
    case CHANGE_RENAME:
        name = power_loss_find_name(&player->names, change->path);
        if (name != NULL && name->is_directory) {
            power_loss_move_below(&player->names, player->power->arena, change->path, change->to);
            power_loss_set_name(&player->names, change->to, change->file, true);
        } else {
            power_loss_set_name(&player->names, change->to, change->file, false);
        }
        power_loss_drop_name(&player->names, change->path);
        break;
    case CHANGE_LINK:
        power_loss_set_name(&player->names, change->to, change->file, false);
        break;
    case CHANGE_UNLINK:
        power_loss_drop_name(&player->names, change->path);
        break;
    case CHANGE_WRITE:
        apply_write(content, change, fate);
        break;
    case CHANGE_LENGTH:
        power_loss_grow(content, change->offset);
        content->length = change->offset;
        break;
    case CHANGE_RESERVE:
        power_loss_grow(content, change->offset);
        break;
    case CHANGE_SYNC:
    case CHANGE_SYNC_NAMES:
    case CHANGE_ATTEMPT:
    case CHANGE_PROMISE:
        break;
    }
}

static void play(struct player *player)
{
    struct power_loss *power = player->power;
    power_loss_copy_names(&player->names, &power->first);
    for (size_t i = 0; i < power->file_count; i++) {
        player->files[i].length = 0;
        if (i >= power->file_capacity || power->files[i].length == 0)
            continue;
        power_loss_grow(&player->files[i], power->files[i].length);
        memcpy(player->files[i].data, power->files[i].data, (size_t)power->files[i].length);
    }
    for (size_t i = 0; i < player->cut; i++) {
        if (player->fates[i] != FATE_GONE)
            apply(player, &power->changes[i], (enum fate)player->fates[i]);
    }
}

/* A name is on the disk only with all directories above it. */
static bool is_reachable(const struct names *names, const char *path)
{
    char part[PATH_BYTES];
    CHECK(strlen(path) < sizeof(part));
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        const struct name *above = power_loss_find_name(names, part);
        if (above == NULL || !above->is_directory)
            return false;
    }
    return true;
}

static uint64_t hash_image(const struct player *player)
{
    uint64_t sum = player->promised * 31 + player->attempted;
    for (size_t i = 0; i < player->names.count; i++) {
        const struct name *name = &player->names.items[i];
        const struct content *content = &player->files[name->file];
        uint64_t hash = slice_hash(slice_from_string(name->path), 7);
        if (!name->is_directory)
            hash = slice_hash(slice_make(content->data, (size_t)content->length), hash);
        sum ^= hash; /* whatever the order */
    }
    return sum;
}

static void write_file(const char *path, const struct content *content)
{
    int descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(descriptor >= 0);
    for (uint64_t done = 0; done < content->length;) {
        ssize_t put = write(descriptor, content->data + done, (size_t)(content->length - done));
        CHECK(put > 0);
        done += (uint64_t)put;
    }
    (void)close(descriptor);
}

static void write_image(const struct player *player, struct arena *arena)
{
    CHECK(directory_remove_tree(player->scratch, NULL) == OK);
    CHECK(directory_make(player->scratch, 0700, NULL) == OK);
    for (size_t i = 0; i < player->names.count; i++) { /* all directories first */
        const struct name *name = &player->names.items[i];
        if (name->is_directory && is_reachable(&player->names, name->path))
            CHECK(directory_make_all(path_join(arena, player->scratch, name->path), 0700, NULL) ==
                  OK);
    }
    for (size_t i = 0; i < player->names.count; i++) {
        const struct name *name = &player->names.items[i];
        if (!name->is_directory && is_reachable(&player->names, name->path))
            write_file(path_join(arena, player->scratch, name->path), &player->files[name->file]);
    }
}

static void describe(struct player *player)
{
    struct power_loss *power = player->power;
    int at = snprintf(power->description, DESCRIPTION_BYTES,
                      "cut after change %zu of %zu; not sure:", player->cut, power->change_count);
    static const char *const fates[] = {
        "gone", "there", "front sectors", "back sectors", "front pages", "back pages", "zeros"};
    for (size_t i = 0; i < player->pending_count && at < DESCRIPTION_BYTES - 100; i++) {
        const struct change *change = &power->changes[player->pending[i]];
        const char *path = change->path != NULL ? change->path : "";
        at += snprintf(power->description + at, (size_t)(DESCRIPTION_BYTES - at),
                       " %zu %s %.60s %s,", player->pending[i], change_names[change->kind], path,
                       fates[player->fates[player->pending[i]]]);
    }
}

/* Nothing here outlives the test, and a sync would cost more than all the rest. */
static int skip_sync(int descriptor)
{
    (void)descriptor;
    return 0;
}

static void show(struct player *player)
{
    play(player);
    uint64_t hash = hash_image(player);
    if (map_u64_get(player->seen, hash) != NULL)
        return;
    (void)map_u64_put(player->seen, hash, player);
    struct arena *arena = arena_open(0);
    write_image(player, arena);
    arena_close(arena);
    describe(player);
    player->images++;
    player->check(player->user, player->scratch, player->promised, player->attempted);
}

/* Every combination of what became of the changes from pending number at on. */
static void show_all(struct player *player, size_t at)
{
    if (at == player->pending_count) {
        show(player);
        return;
    }
    size_t index = player->pending[at];
    for (int fate = 0; fate < FATE_COUNT; fate++) {
        if (!has_fate(&player->power->changes[index], (enum fate)fate))
            continue;
        player->fates[index] = (uint8_t)fate;
        show_all(player, at + 1);
    }
}

static void show_same(struct player *player, enum fate fate)
{
    for (size_t i = 0; i < player->pending_count; i++)
        player->fates[player->pending[i]] = (uint8_t)fate;
    show(player);
}

static void show_random(struct player *player)
{
    for (size_t i = 0; i < player->pending_count; i++) {
        size_t index = player->pending[i];
        enum fate fate;
        do
            fate = (enum fate)rng_below(&player->rng, FATE_COUNT);
        while (!has_fate(&player->power->changes[index], fate));
        player->fates[index] = (uint8_t)fate;
    }
    show(player);
}

static void cut_after(struct player *player, size_t cut)
{
    size_t pending_max =
        player->options->pending_max > 0 ? player->options->pending_max : PENDING_MAX;
    size_t images =
        player->options->random_images > 0 ? player->options->random_images : RANDOM_IMAGES;
    player->cut = cut;
    player->pending_count = 0;
    player->promised = 0;
    player->attempted = 0;
    for (size_t i = 0; i < cut; i++) {
        const struct change *change = &player->power->changes[i];
        player->fates[i] = FATE_THERE;
        if (change->kind == CHANGE_PROMISE)
            player->promised = change->offset;
        if (change->kind == CHANGE_ATTEMPT)
            player->attempted = change->offset;
        if ((is_data(change) || is_names(change)) && !is_sure(player, i))
            player->pending[player->pending_count++] = i;
    }
    if (player->pending_count <= pending_max) {
        show_all(player, 0);
        return;
    }
    show_same(player, FATE_GONE);
    show_same(player, FATE_THERE);
    for (size_t i = 0; i < images; i++)
        show_random(player);
}

static bool makes_directory(const struct change *change)
{
    return change->kind == CHANGE_CREATE && change->offset != 0;
}

static bool is_in_run_of_directories(const struct power_loss *power, size_t cut)
{
    return cut > 0 && cut < power->change_count && makes_directory(&power->changes[cut - 1]) &&
           makes_directory(&power->changes[cut]);
}

size_t power_loss_each(struct power_loss *power,
                       const struct power_loss_options *options,
                       const char *scratch,
                       power_loss_check *check,
                       void *user)
{
    struct player player = {
        .power = power,
        .options = options,
        .scratch = scratch,
        .check = check,
        .user = user,
        .rng = rng_seed(options->seed),
        .seen = map_u64_open(),
        .fates = mem_new(power->change_count + 1),
        .pending = mem_new((power->change_count + 1) * sizeof(size_t)),
        .files = mem_new((power->file_count + 1) * sizeof(struct content)),
    };
    struct os_calls calls = *os_calls_posix();
    calls.fsync = skip_sync;
    calls.fdatasync = skip_sync;
    (void)os_calls_set(&calls);
    for (size_t cut = 0; cut <= power->change_count; cut++) {
        if (!is_in_run_of_directories(power, cut) || options->directory_step == 0 ||
            cut % options->directory_step == 0)
            cut_after(&player, cut);
    }
    (void)os_calls_set(NULL);
    for (size_t i = 0; i < power->file_count; i++)
        mem_free(player.files[i].data);
    mem_free(player.files);
    mem_free(player.names.items);
    mem_free(player.pending);
    mem_free(player.fates);
    map_u64_close(player.seen);
    return player.images;
}
