/*
 * main.c - mr-namenode: reads the machine's settings and hands it to lib/daemon. Beside the machine
 * there are the pages over HTTP, and the racks that it asks for.
 */
#include "dfs/namenode/core/namenode.h"
#include "dfs/namenode/daemon/namenode_settings.h"
#include "dfs/namenode/daemon/pages.h"
#include "dfs/namenode/daemon/racks_shell.h"
#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/daemon/block_token.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/settings.h"
#include "lib/os/host.h"

MACHINE_DOOR_JOURNALED(namenode);

struct parts {
    struct daemon *daemon;
    struct namenode_pages *pages;
    struct block_keys *block_keys;
};

static void get_metrics(void *state, struct metrics_page *page)
{
    namenode_pages_metrics(((struct parts *)state)->pages, page);
}

static enum status get_health(void *state, struct buf *notes, struct error *reterr_error)
{
    return namenode_pages_health(((struct parts *)state)->pages, notes, reterr_error);
}

static void perform_effect(
    void *state, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    racks_shell_effect(((struct parts *)state)->daemon, shell, tag, effect, data);
}

static void stop_parts(void *state)
{
    namenode_pages_stop(((struct parts *)state)->pages);
}

static void close_parts(void *state)
{
    struct parts *parts = state;
    namenode_pages_close(parts->pages);
    block_keys_close(parts->block_keys);
    mem_free(parts);
}

static enum status make_namenode(const struct daemon *daemon,
                                 struct namenode **ret_namenode,
                                 struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct namenode_settings settings;
    namenode_settings_read(daemon_settings(daemon), arena, &settings);
    const char *complaint = namenode_settings_complaint(&settings);
    enum status status = namenode_open(&settings, host_random_u64(), ret_namenode);
    arena_close(arena);
    if (status == OK)
        return OK;
    return error_set(reterr_error, status, "%s",
                     complaint != NULL ? complaint : "a setting dfs.* is out of its range");
}

static enum status open_twin(struct daemon *daemon,
                             void *state,
                             void **ret_machine,
                             struct error *reterr_error)
{
    struct namenode *namenode = NULL;
    (void)state;
    enum status status = make_namenode(daemon, &namenode, reterr_error);
    if (status == OK)
        *ret_machine = namenode;
    return status;
}

static bool may_checkpoint(void *state, const void *machine, const struct event *event)
{
    (void)state;
    return namenode_may_administer(machine, event);
}

/* All that is not known to leave the namespace as it is. */
static bool needs_room(void *state, enum method method)
{
    (void)state;
    switch ((int)method) {
    case METHOD_NAMENODE_GET_BLOCKS:
    case METHOD_NAMENODE_GET_STATUS:
    case METHOD_NAMENODE_LIST_STATUS:
    case METHOD_NAMENODE_CONTENT_SUMMARY:
    case METHOD_NAMENODE_CLUSTER_STATUS:
    case METHOD_NAMENODE_GET_SERVER_DEFAULTS:
    case METHOD_NAMENODE_CHECK_FILES:
    case METHOD_NAMENODE_SET_SAFE_MODE:
    case METHOD_NAMENODE_RENEW_LEASE:
    case METHOD_NAMENODE_REPORT_CORRUPT:
    case METHOD_NAMENODE_SAVE_CHECKPOINT:
    case METHOD_DATANODE_TRACKER_REGISTER_DATANODE:
    case METHOD_DATANODE_TRACKER_BLOCK_REPORT:
    case METHOD_DATANODE_TRACKER_BLOCK_CHANGES:
    case METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT:
        return false;
    default:
        return true;
    }
}

/* On the core thread. A user whose name no token holds gets none, and is refused. */
static struct slice sign_grant(void *user, const struct block_grant *grant, struct arena *arena)
{
    char token[BLOCK_TOKEN_BYTES];
    if (grant->user.length == 0 || grant->user.length > TOKEN_NAME_BYTES)
        return slice_make(NULL, 0);
    return arena_copy(arena, slice_make(token, block_token_sign(user, grant, token)));
}

static enum status open_namenode(struct daemon *daemon,
                                 void **ret_state,
                                 void **ret_machine,
                                 struct error *reterr_error)
{
    struct namenode *namenode = NULL;
    enum status status = make_namenode(daemon, &namenode, reterr_error);
    if (status != OK)
        return status;
    struct namenode_pages *pages = NULL;
    status = racks_shell_load(daemon, namenode, reterr_error);
    if (status == OK) {
        status = namenode_pages_open(daemon, &pages, reterr_error);
    }
    if (status != OK) {
        namenode_close(namenode);
        return status;
    }
    struct parts *parts = MEM_NEW(struct parts);
    parts->daemon = daemon;
    parts->pages = pages;
    parts->block_keys = block_keys_open(daemon_secret(daemon));
    const struct namenode_signer signer = {.sign = sign_grant, .user = parts->block_keys};
    namenode_set_signer(namenode, &signer);
    *ret_state = parts;
    *ret_machine = namenode;
    return OK;
}

int main(int argc, char **argv)
{
    static const char *const services[] = {"Namenode", "DatanodeTracker", NULL};
    const struct daemon_definition definition = {
        .name = "namenode",
        .purpose = "keeps the names of the Millrace filesystem and places its blocks",
        .door = &namenode_door,
        .settings = namenode_setting_rows,
        .settings_count = namenode_setting_count,
        .services = services,
        .issues_tokens = true,
        .open = open_namenode,
        .open_twin = open_twin,
        .has_checkpoint_method = true,
        .checkpoint_method = METHOD_NAMENODE_SAVE_CHECKPOINT,
        .may_checkpoint = may_checkpoint,
        .needs_room = needs_room,
        .effect = perform_effect,
        .metrics = get_metrics,
        .health = get_health,
        .stop = stop_parts,
        .close = close_parts,
    };
    return daemon_main(argc, argv, &definition);
}
