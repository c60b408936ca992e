# UNIT_TESTS += tests/unit/daemon/test_<unit>
# tests_unit_daemon_test_<unit>_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
