noinst_LIBRARIES += lib/libos.a
lib_libos_a_SOURCES =
