noinst_LIBRARIES += mr/libmrtask.a
mr_libmrtask_a_SOURCES =
