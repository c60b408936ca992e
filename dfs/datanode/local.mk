noinst_LIBRARIES += dfs/libdatanodecore.a
dfs_libdatanodecore_a_SOURCES = \
	dfs/datanode/core/changes.c \
	dfs/datanode/core/datanode.c \
	dfs/datanode/core/datanode.h \
	dfs/datanode/core/internal.h \
	dfs/datanode/core/replicas.c \
	dfs/datanode/core/session.c \
	dfs/datanode/core/scrub.c \
	dfs/datanode/core/verify.c \
	dfs/datanode/core/volumes.c \
	dfs/datanode/core/work.c

noinst_LIBRARIES += dfs/libdatanodedaemon.a
dfs_libdatanodedaemon_a_SOURCES = \
	dfs/datanode/daemon/access.c \
	dfs/datanode/daemon/access.h \
	dfs/datanode/daemon/copy.c \
	dfs/datanode/daemon/job.h \
	dfs/datanode/daemon/latency.c \
	dfs/datanode/daemon/latency.h \
	dfs/datanode/daemon/node.c \
	dfs/datanode/daemon/node.h \
	dfs/datanode/daemon/rate.c \
	dfs/datanode/daemon/rate.h \
	dfs/datanode/daemon/receive.c \
	dfs/datanode/daemon/serve.c \
	dfs/datanode/daemon/store.c \
	dfs/datanode/daemon/store.h \
	dfs/datanode/daemon/store_internal.h \
	dfs/datanode/daemon/store_read.c \
	dfs/datanode/daemon/store_position.c \
	dfs/datanode/daemon/store_scan.c \
	dfs/datanode/daemon/watch.c \
	dfs/datanode/daemon/volumes.c \
	dfs/datanode/daemon/volumes.h \
	dfs/datanode/daemon/web_clients.c \
	dfs/datanode/daemon/web_clients.h \
	dfs/datanode/daemon/webhdfs.c \
	dfs/datanode/daemon/work.c

bin_PROGRAMS += bin/mr-datanode
bin_mr_datanode_SOURCES = dfs/datanode/daemon/main.c
bin_mr_datanode_LDADD = $(DATANODE_DAEMON_LIBS)
