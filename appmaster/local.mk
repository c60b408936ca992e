noinst_LIBRARIES += appmaster/libappmastercore.a
appmaster_libappmastercore_a_SOURCES =

noinst_LIBRARIES += appmaster/libappmasterdaemon.a
appmaster_libappmasterdaemon_a_SOURCES =
