noinst_LIBRARIES += rm/librmcore.a
rm_librmcore_a_SOURCES =

noinst_LIBRARIES += rm/librmdaemon.a
rm_librmdaemon_a_SOURCES =
