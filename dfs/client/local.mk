noinst_LIBRARIES += dfs/libdfsclient.a
dfs_libdfsclient_a_SOURCES = \
	dfs/client/dfs.h
