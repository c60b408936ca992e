UNIT_TESTS += \
	tests/unit/net/test_fd_pass \
	tests/unit/net/test_rpc \
	tests/unit/net/test_token
tests_unit_net_test_fd_pass_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_rpc_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_token_LDADD = $(UNIT_LIBS) $(NET_LIBS)
