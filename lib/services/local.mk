noinst_LIBRARIES += lib/libservices.a
lib_libservices_a_SOURCES =
