# UNIT_TESTS += tests/unit/daemon/test_<unit>
# tests_unit_daemon_test_<unit>_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)

UNIT_TESTS += tests/unit/daemon/test_grant
tests_unit_daemon_test_grant_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
