noinst_LIBRARIES += dfs/libdatanodecore.a
dfs_libdatanodecore_a_SOURCES =

noinst_LIBRARIES += dfs/libdatanodedaemon.a
dfs_libdatanodedaemon_a_SOURCES =
