noinst_LIBRARIES += lib/libdaemon.a
lib_libdaemon_a_SOURCES =
