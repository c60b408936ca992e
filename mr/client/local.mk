noinst_LIBRARIES += mr/libmrclient.a
mr_libmrclient_a_SOURCES =
