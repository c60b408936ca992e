/*
 * apps.c - the applications that have folders on this node, and those that are over.
 * Owns the tables apps and forgotten of struct nodemgr; nobody else writes them.
 * Invariants: NM-4, NM-6 of nodemgr.h.
 * Called from nodemgr_step only.
 */
#include "nodemgr/core/nodemgr_internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/ids.h"

static bool is_forgotten(const struct nodemgr *nodemgr, const struct app_id *id)
{
    struct id_key key = app_id_key(*id);
    return map_get(nodemgr->forgotten, id_key_slice(&key)) != NULL;
}

struct nodemgr_app *nodemgr_app_add(struct nodemgr *nodemgr, const struct app_id *id)
{
    struct id_key key = app_id_key(*id);
    struct nodemgr_app *app = map_get(nodemgr->apps, id_key_slice(&key));
    if (app)
        return app;
    app = MEM_NEW(struct nodemgr_app);
    app->id = *id;
    app->started = map_open();
    CHECK(map_put(nodemgr->apps, id_key_slice(&key), app) == NULL);
    return app;
}

static void app_free(struct nodemgr_app *app)
{
    map_close(app->started);
    mem_free(app);
}

enum status nodemgr_app_refuses(const struct nodemgr *nodemgr,
                                const struct container_id *id,
                                const char **ret_text)
{
    if (is_forgotten(nodemgr, &id->app)) {
        *ret_text = "the application is over";
        return ERR_STALE;
    }
    struct id_key app_key = app_id_key(id->app);
    struct id_key key = container_id_key(*id);
    const struct nodemgr_app *app = map_get(nodemgr->apps, id_key_slice(&app_key));
    if (app && map_get(app->started, id_key_slice(&key))) {
        *ret_text = "the container has already run, or was killed before it could";
        return ERR_STALE;
    }
    return OK;
}

void nodemgr_app_refuse_later(struct nodemgr *nodemgr, const struct container_id *id)
{
    static char marker;
    if (is_forgotten(nodemgr, &id->app))
        return; /* all its containers are refused */
    struct id_key key = container_id_key(*id);
    struct nodemgr_app *app = nodemgr_app_add(nodemgr, &id->app);
    (void)map_put(app->started, id_key_slice(&key), &marker); /* the marker may be there already */
}

void nodemgr_app_container_started(struct nodemgr *nodemgr, struct nodemgr_container *container)
{
    container->app = nodemgr_app_add(nodemgr, &container->id.app);
    container->app->live++;
    nodemgr_app_refuse_later(nodemgr, &container->id);
}

static void clean_when_idle(const struct nodemgr_app *app, struct actions *actions)
{
    if (!app->is_forgotten || app->live > 0)
        return;
    struct nodemgr_forget *forget = ARENA_NEW(actions->arena, struct nodemgr_forget);
    forget->app = app->id;
    actions_effect(actions, app->forget_tag, NODEMGR_FORGET, forget);
}

void nodemgr_app_container_completed(struct nodemgr_app *app, struct actions *actions)
{
    CHECK(app->live > 0);
    app->live--;
    clean_when_idle(app, actions);
}

/* Remembers that the application is over, so that a late start is refused (NM-4); bounded. */
static void forgotten_add(struct nodemgr *nodemgr, const struct app_id *id)
{
    static char marker;
    struct id_key key = app_id_key(*id);
    (void)map_put(nodemgr->forgotten, id_key_slice(&key), &marker); /* or it is there already */
    if (map_count(nodemgr->forgotten) <= NODEMGR_FORGOTTEN_MAX)
        return;
    size_t cursor = 0;
    struct slice oldest;
    CHECK(map_next(nodemgr->forgotten, &cursor, &oldest, NULL));
    (void)map_remove(nodemgr->forgotten, oldest);
}

void nodemgr_app_forget(struct nodemgr *nodemgr, const struct app_id *id, struct actions *actions)
{
    struct nodemgr_app *app = nodemgr_app_add(nodemgr, id);
    if (app->is_forgotten)
        return; /* the command is repeated in every session until the folders are gone */
    forgotten_add(nodemgr, id);
    app->is_forgotten = true;
    app->forget_tag = nodemgr->next_tag++;
    nodemgr_container_kill_all(nodemgr, app, NODEMGR_EXIT_BY_RM, "the application is over",
                               actions);
    clean_when_idle(app, actions);
}

void nodemgr_app_forget_done(struct nodemgr *nodemgr,
                             const struct event *event,
                             struct actions *actions)
{
    size_t cursor = 0;
    void *value;
    struct nodemgr_app *app = NULL;
    while (map_next(nodemgr->apps, &cursor, NULL, &value)) {
        app = value;
        if (app->is_forgotten && app->forget_tag == event->tag)
            break;
        app = NULL;
    }
    CHECK(app != NULL);
    if (event->status != OK) /* the folder is found again at the next start, and told */
        trace_emit(actions->trace, "nm %llu cannot remove app %u: %.*s",
                   (unsigned long long)nodemgr->settings.self.node_id, app->id.sequence,
                   SLICE_ARGS(event->text));
    /* Containers that completed but are not yet acknowledged still point here. */
    cursor = 0;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->app == app)
            container->app = NULL;
    }
    struct id_key key = app_id_key(app->id);
    CHECK(map_remove(nodemgr->apps, id_key_slice(&key)) == app);
    app_free(app);
}

void nodemgr_apps_check(const struct nodemgr *nodemgr)
{
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->apps, &cursor, NULL, &value)) {
        const struct nodemgr_app *app = value;
        size_t live = 0;
        size_t containers_cursor = 0;
        while (map_next(nodemgr->containers, &containers_cursor, NULL, &value)) {
            const struct nodemgr_container *container = value;
            if (container->app != app)
                continue;
            struct id_key key = container_id_key(container->id);
            CHECK(map_get(app->started, id_key_slice(&key)) != NULL); /* NM-6 */
            live += container->state != NC_COMPLETED;
            /* NM-4: what a forgotten application still runs is on its way out. */
            CHECK(!app->is_forgotten || container->has_cause || container->state == NC_COMPLETED);
        }
        CHECK(live == app->live);
    }
}

void nodemgr_apps_free(struct nodemgr *nodemgr)
{
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->apps, &cursor, NULL, &value))
        app_free(value);
}
