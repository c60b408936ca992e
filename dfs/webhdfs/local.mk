noinst_LIBRARIES += dfs/libwebhdfs.a
dfs_libwebhdfs_a_SOURCES = \
	dfs/webhdfs/answer.c \
	dfs/webhdfs/answer.h \
	dfs/webhdfs/failure.c \
	dfs/webhdfs/request.c \
	dfs/webhdfs/request.h
