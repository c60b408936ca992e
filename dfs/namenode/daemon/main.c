/*
 * main.c - mr-namenode: reads the machine's settings and hands it to lib/daemon. The machine has no
 * effects and makes no calls, so beside it there are only the pages over HTTP.
 */
#include "dfs/namenode/core/namenode.h"
#include "dfs/namenode/daemon/namenode_settings.h"
#include "dfs/namenode/daemon/pages.h"
#include "lib/base/arena.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/settings.h"
#include "lib/os/host.h"

MACHINE_DOOR_JOURNALED(namenode);

static enum status open_namenode(struct daemon *daemon,
                                 void **ret_state,
                                 void **ret_machine,
                                 struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct namenode_settings settings;
    struct namenode *namenode = NULL;
    namenode_settings_read(daemon_settings(daemon), arena, &settings);
    const char *complaint = namenode_settings_complaint(&settings);
    enum status status = namenode_open(&settings, host_random_u64(), &namenode);
    arena_close(arena);
    if (status != OK) {
        return error_set(reterr_error, status, "%s",
                         complaint != NULL ? complaint : "a setting dfs.* is out of its range");
    }
    struct namenode_pages *pages = NULL;
    status = namenode_pages_open(daemon, &pages, reterr_error);
    if (status != OK) {
        namenode_close(namenode);
        return status;
    }
    *ret_state = pages;
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
        .metrics = namenode_pages_metrics,
        .health = namenode_pages_health,
        .stop = namenode_pages_stop,
        .close = namenode_pages_close,
    };
    return daemon_main(argc, argv, &definition);
}
