# UNIT_TESTS += tests/unit/net/test_<unit>
# tests_unit_net_test_<unit>_LDADD = $(UNIT_LIBS) $(NET_LIBS)
