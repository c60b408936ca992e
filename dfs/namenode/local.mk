noinst_LIBRARIES += dfs/libnamenodecore.a
dfs_libnamenodecore_a_SOURCES =

noinst_LIBRARIES += dfs/libnamenodedaemon.a
dfs_libnamenodedaemon_a_SOURCES =
