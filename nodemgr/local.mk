noinst_LIBRARIES += nodemgr/libnodemgrcore.a
nodemgr_libnodemgrcore_a_SOURCES =

noinst_LIBRARIES += nodemgr/libnodemgrdaemon.a
nodemgr_libnodemgrdaemon_a_SOURCES =
