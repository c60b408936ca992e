UNIT_TESTS += tests/unit/webhdfs/test_request
tests_unit_webhdfs_test_request_LDADD = $(UNIT_LIBS) dfs/libwebhdfs.a $(DAEMON_LIBS)
