noinst_LIBRARIES += mr/libmrcore.a
mr_libmrcore_a_SOURCES =
