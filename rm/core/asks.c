/*
 * asks.c - an application's ask table, in the accounting that rm.h describes.
 * Owns rm_app.groups and asks_arena. Rows live in the arena, which is emptied with every new table.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "rm/core/state.h"

enum {
    /* Different (priority, resource) of one application; they are searched one by one. */
    ASK_GROUPS_MAX = 100
};

static const char *too_large_text(const struct rm *rm, struct resource wanted)
{
    struct resource max = rm->settings.container_max;
    struct slice text = arena_format(
        rm->actions->arena,
        "an ask for %llu MiB and %u vcores is above the largest container, %llu MiB and %u vcores",
        (unsigned long long)(wanted.memory_bytes >> 20), (unsigned)wanted.vcores,
        (unsigned long long)(max.memory_bytes >> 20), (unsigned)max.vcores);
    return (const char *)text.data;
}

enum status rm_asks_check(const struct rm *rm,
                          const struct rm_allocate_request *request,
                          const char **reterr_text)
{
    if (request->asks_count > LIMIT_ASKS || request->release_count > LIMIT_RELEASES) {
        *reterr_text = "too many asks or releases";
        return ERR_LIMIT;
    }

    struct {
        uint32_t priority;
        struct resource resource;
    } groups[ASK_GROUPS_MAX];

    size_t group_count = 0;
    for (size_t i = 0; i < request->asks_count; i++) {
        const struct rm_ask *ask = &request->asks[i];
        *reterr_text = "an ask without place, memory or vcores";
        if (ask->place.length == 0 || ask->resource.memory_bytes == 0 || ask->resource.vcores == 0)
            return ERR_INVALID;
        if (!resource_is_zero(rm->settings.container_max) &&
            !resource_fits(ask->resource, rm->settings.container_max)) {
            *reterr_text = too_large_text(rm, ask->resource);
            return ERR_INVALID;
        }
        *reterr_text = "an ask with too long a place, too high a priority or too many containers";
        if (ask->place.length > LIMIT_HOST_BYTES || ask->priority > LIMIT_PRIORITY ||
            ask->want > LIMIT_ASK_WANT)
            return ERR_LIMIT;
        size_t group = 0;
        while (group < group_count && (groups[group].priority != ask->priority ||
                                       !resource_equal(groups[group].resource, ask->resource)))
            group++;
        if (group < group_count)
            continue;
        *reterr_text = "asks of too many priorities and sizes";
        if (group_count == ASK_GROUPS_MAX)
            return ERR_LIMIT;
        groups[group_count].priority = ask->priority;
        groups[group_count++].resource = ask->resource;
    }
    return OK;
}

static struct rm_group *group_find(const struct rm_app *app,
                                   uint32_t priority,
                                   struct resource resource)
{
    for (struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        struct rm_group *group = link->object;
        if (group->priority == priority && resource_equal(group->resource, resource))
            return group;
    }
    return NULL;
}

static struct rm_group *group_new(struct rm_app *app, uint32_t priority, struct resource resource)
{
    struct rm_group *group = MEM_NEW(struct rm_group);
    group->app = app;
    group->priority = priority;
    group->resource = resource;
    group->hosts = map_open();
    group->racks = map_open();
    group->skipped_ms = -1;
    rm_timer_open(&group->timer, rm_scheduler_group_due, group);
    rm_reserve_open(&group->reserve, app, group);
    /* In front of the first of a higher number: take those off, append, put them back. */
    struct list later = {0};
    while (app->groups.last != NULL) {
        struct list_node *last = app->groups.last;
        struct rm_group *other = last->object;
        if (other->priority <= priority)
            break;
        list_remove(last);
        list_prepend(&later, last, other);
    }
    list_append(&app->groups, &group->link, group);
    while (later.first != NULL) {
        struct rm_group *other = list_pop(&later);
        list_append(&app->groups, &other->link, other);
    }
    return group;
}

static void group_free(struct rm *rm, struct rm_group *group)
{
    rm_timer_clear(rm, &group->timer);
    rm_reserve_clear(rm, &group->reserve);
    list_remove(&group->link);
    map_close(group->hosts);
    map_close(group->racks);
    mem_free(group);
}

void rm_asks_clear(struct rm *rm, struct rm_app *app)
{
    while (app->groups.first != NULL)
        group_free(rm, app->groups.first->object);
    if (app->asks_arena != NULL)
        arena_reset(app->asks_arena);
    /* What was taken off a table that is gone cannot be put back. */
    for (struct list_node *link = app->attempt.granted.first; link != NULL; link = link->next) {
        struct rm_allocation *allocation = link->object;
        allocation->took_any = false;
        allocation->took_host = false;
        allocation->took_rack = false;
    }
}

static void group_add(struct rm_app *app, struct rm_group *group, const struct rm_ask *ask)
{
    if (slice_equal_string(ask->place, "*")) {
        group->any = ask->want;
        group->relax_any = ask->relax_locality;
        return;
    }
    struct map *rows = ask->place.data[0] == '/' ? group->racks : group->hosts;
    struct rm_want *row = map_get(rows, ask->place);
    if (row == NULL) {
        row = ARENA_NEW(app->asks_arena, struct rm_want);
        (void)map_put(rows, ask->place, row);
    }
    row->count = ask->want;
    row->relax_locality = ask->relax_locality;
}

/* Takes one container on host and rack off the group's rows. */
static void group_take(struct rm_group *group,
                       const struct endpoint *node,
                       bool *ret_any,
                       bool *ret_host,
                       bool *ret_rack)
{
    struct rm_want *host = map_get(group->hosts, node->host);
    struct rm_want *rack = map_get(group->racks, node->rack);
    *ret_any = group->any > 0;
    *ret_host = host != NULL && host->count > 0;
    *ret_rack = rack != NULL && rack->count > 0;
    if (*ret_any)
        group->any--;
    if (*ret_host && --host->count == 0 && host->is_live) {
        host->is_live = false;
        group->live_hosts--;
    }
    if (*ret_rack && --rack->count == 0 && rack->is_live) {
        rack->is_live = false;
        group->live_racks--;
    }
}

void rm_asks_replace(struct rm *rm, struct rm_app *app, const struct rm_allocate_request *request)
{
    if (app->asks_arena == NULL)
        app->asks_arena = arena_open(0);
    for (struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        struct rm_group *group = link->object;
        group->is_in_table = false;
        group->any = 0;
        group->places_version = 0;
        group->live_hosts = 0;
        group->live_racks = 0;
        map_clear(group->hosts);
        map_clear(group->racks);
    }
    arena_reset(app->asks_arena);
    for (size_t i = 0; i < request->asks_count; i++) {
        const struct rm_ask *ask = &request->asks[i];
        if (ask->want == 0)
            continue;
        struct rm_group *group = group_find(app, ask->priority, ask->resource);
        if (group == NULL)
            group = group_new(app, ask->priority, ask->resource);
        group->is_in_table = true;
        group_add(app, group, ask);
    }
    struct list_node *next;
    for (struct list_node *link = app->groups.first; link != NULL; link = next) {
        next = link->next;
        struct rm_group *group = link->object;
        if (!group->is_in_table)
            group_free(rm, group);
    }
    const struct rm_allocate_response *answer = &app->attempt.answer; /* empty once acknowledged */
    for (size_t i = 0; i < answer->grants_count; i++) {
        const struct rm_grant *grant = &answer->grants[i];
        struct rm_group *group = group_find(app, grant->priority, grant->resource);
        bool took_any;
        bool took_host;
        bool took_rack;
        if (group != NULL)
            group_take(group, &grant->node, &took_any, &took_host, &took_rack);
    }
    for (struct list_node *link = app->attempt.granted.first; link != NULL; link = link->next)
        rm_asks_take(rm, link->object);
    rm_scheduler_mark_app(rm, app);
}

void rm_asks_take(struct rm *rm, struct rm_allocation *allocation)
{
    (void)rm;
    allocation->took_any = false;
    allocation->took_host = false;
    allocation->took_rack = false;
    struct rm_group *group =
        group_find(allocation->app, allocation->priority, allocation->resource);
    if (group != NULL)
        group_take(group, &allocation->node->endpoint, &allocation->took_any,
                   &allocation->took_host, &allocation->took_rack);
}

void rm_asks_put_back(struct rm *rm, struct rm_allocation *allocation)
{
    struct rm_group *group =
        group_find(allocation->app, allocation->priority, allocation->resource);
    if (group == NULL)
        return;
    const struct endpoint *node = &allocation->node->endpoint;
    struct rm_want *host = map_get(group->hosts, node->host);
    struct rm_want *rack = map_get(group->racks, node->rack);
    if (allocation->took_any)
        group->any++;
    if (allocation->took_host && host != NULL)
        host->count++;
    if (allocation->took_rack && rack != NULL)
        rack->count++;
    group->places_version = 0; /* rows may have come to life again */
    rm_scheduler_mark_app(rm, allocation->app);
}

static size_t count_live(struct map *rows, const struct map *places)
{
    size_t count = 0;
    size_t cursor = 0;
    struct slice name;
    void *value;
    while (map_next(rows, &cursor, &name, &value)) {
        struct rm_want *row = value;
        const struct rm_place *place = map_get(places, name);
        row->is_live = row->count > 0 && place != NULL && place->nodes.count > 0;
        count += row->is_live;
    }
    return count;
}

void rm_group_refresh(struct rm *rm, struct rm_group *group)
{
    if (group->places_version == rm->places_version)
        return;
    group->places_version = rm->places_version;
    group->live_hosts = count_live(group->hosts, rm->hosts);
    group->live_racks = count_live(group->racks, rm->racks);
}

int64_t rm_group_host_wait_ms(const struct rm *rm, const struct rm_group *group)
{
    return group->live_hosts > 0 ? rm->settings.node_delay_ms : 0;
}

int64_t rm_group_rack_wait_ms(const struct rm *rm, const struct rm_group *group)
{
    return group->live_racks > 0 ? rm->settings.rack_delay_ms : 0;
}
