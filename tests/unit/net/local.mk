UNIT_TESTS += \
	tests/unit/net/test_fd_pass \
	tests/unit/net/test_http \
	tests/unit/net/test_http_bulk \
	tests/unit/net/test_mac \
	tests/unit/net/test_net \
	tests/unit/net/test_peer \
	tests/unit/net/test_rpc \
	tests/unit/net/test_rpc_tls \
	tests/unit/net/test_token
tests_unit_net_test_fd_pass_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_http_SOURCES = tests/unit/net/test_http.c \
	tests/unit/net/http_fixture.c tests/unit/net/http_fixture.h
tests_unit_net_test_http_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_http_bulk_SOURCES = tests/unit/net/test_http_bulk.c \
	tests/unit/net/http_fixture.c tests/unit/net/http_fixture.h
tests_unit_net_test_http_bulk_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_mac_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_net_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_peer_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_rpc_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_rpc_tls_LDADD = $(UNIT_LIBS) $(NET_LIBS)
tests_unit_net_test_token_LDADD = $(UNIT_LIBS) $(NET_LIBS)
