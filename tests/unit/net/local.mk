UNIT_TESTS += \
	tests/unit/net/test_rpc
tests_unit_net_test_rpc_LDADD = $(UNIT_LIBS) $(NET_LIBS)
