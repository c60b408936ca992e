noinst_LIBRARIES += dfs/libnamenodecore.a
dfs_libnamenodecore_a_SOURCES = \
	dfs/namenode/core/append.c \
	dfs/namenode/core/attributes.c \
	dfs/namenode/core/balance.c \
	dfs/namenode/core/block.c \
	dfs/namenode/core/blocklist.c \
	dfs/namenode/core/bucket.c \
	dfs/namenode/core/bucket.h \
	dfs/namenode/core/care.h \
	dfs/namenode/core/check.c \
	dfs/namenode/core/children.c \
	dfs/namenode/core/compact.c \
	dfs/namenode/core/concat.c \
	dfs/namenode/core/extend.h \
	dfs/namenode/core/failures.c \
	dfs/namenode/core/fsck.c \
	dfs/namenode/core/grants.c \
	dfs/namenode/core/identity.c \
	dfs/namenode/core/inode.c \
	dfs/namenode/core/lease.c \
	dfs/namenode/core/mutation.c \
	dfs/namenode/core/namenode.c \
	dfs/namenode/core/namenode.h \
	dfs/namenode/core/nodes.c \
	dfs/namenode/core/path.c \
	dfs/namenode/core/placement.c \
	dfs/namenode/core/publish.c \
	dfs/namenode/core/quota.c \
	dfs/namenode/core/racks.c \
	dfs/namenode/core/read.c \
	dfs/namenode/core/record.c \
	dfs/namenode/core/repair.c \
	dfs/namenode/core/report.c \
	dfs/namenode/core/safemode.c \
	dfs/namenode/core/service.c \
	dfs/namenode/core/settings.c \
	dfs/namenode/core/slow.c \
	dfs/namenode/core/state.h \
	dfs/namenode/core/states.c \
	dfs/namenode/core/suspect.c \
	dfs/namenode/core/tally.c \
	dfs/namenode/core/trash.c \
	dfs/namenode/core/tree.c \
	dfs/namenode/core/write.c

noinst_LIBRARIES += dfs/libnamenodedaemon.a
dfs_libnamenodedaemon_a_SOURCES = \
	dfs/namenode/daemon/namenode_settings.c \
	dfs/namenode/daemon/namenode_settings.h \
	dfs/namenode/daemon/pages.c \
	dfs/namenode/daemon/pages.h \
	dfs/namenode/daemon/pages_private.h \
	dfs/namenode/daemon/racks_shell.c \
	dfs/namenode/daemon/racks_shell.h \
	dfs/namenode/daemon/visit.h \
	dfs/namenode/daemon/webhdfs.c \
	dfs/namenode/daemon/webhdfs_read.c \
	dfs/namenode/daemon/webhdfs_redirect.c \
	dfs/namenode/daemon/webhdfs_write.c

bin_PROGRAMS += bin/mr-namenode
bin_mr_namenode_SOURCES = dfs/namenode/daemon/main.c
bin_mr_namenode_LDADD = $(NAMENODE_DAEMON_LIBS)
