noinst_LIBRARIES += dfs/libdfsclient.a
dfs_libdfsclient_a_SOURCES = \
	dfs/client/admin.c \
	dfs/client/client.c \
	dfs/client/dfs.h \
	dfs/client/internal.h \
	dfs/client/lease.c \
	dfs/client/namespace.c \
	dfs/client/race.c \
	dfs/client/reader.c \
	dfs/client/source.c \
	dfs/client/writer.c
