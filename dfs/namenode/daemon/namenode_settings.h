/*
 * namenode_settings.h - the settings dfs.* of mr-namenode, and the machine's settings from them.
 */
#ifndef MILLRACE_DFS_NAMENODE_DAEMON_NAMENODE_SETTINGS_H
#define MILLRACE_DFS_NAMENODE_DAEMON_NAMENODE_SETTINGS_H

#include <stddef.h>

#include "dfs/namenode/core/namenode.h"
#include "lib/base/arena.h"
#include "lib/daemon/settings.h"

/* "dfs.<field>" for each field of struct namenode_settings, and what the pages read themselves. */
extern const struct setting namenode_setting_rows[];
extern const size_t namenode_setting_count;

/*
 * Reads all rows. Strings are borrowed from from and arena. An empty dfs.superuser is the user who
 * runs this process. That the values fit together is namenode_open's to say.
 */
void namenode_settings_read(const struct settings *from,
                            struct arena *arena,
                            struct namenode_settings *ret_settings);

#endif
