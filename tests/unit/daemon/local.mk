# UNIT_TESTS += tests/unit/daemon/test_<unit>
# tests_unit_daemon_test_<unit>_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)

UNIT_TESTS += tests/unit/daemon/test_block_token
tests_unit_daemon_test_block_token_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
UNIT_TESTS += tests/unit/daemon/test_grant
tests_unit_daemon_test_grant_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
# The echo machine is a test's stand-in for a core, so the programs that use it name it.
UNIT_TESTS += tests/unit/daemon/test_shell
tests_unit_daemon_test_shell_SOURCES = \
	tests/unit/daemon/echo.c \
	tests/unit/daemon/echo.h \
	tests/unit/daemon/test_shell.c
tests_unit_daemon_test_shell_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
UNIT_TESTS += \
	tests/unit/daemon/test_groups \
	tests/unit/daemon/test_http_caller \
	tests/unit/daemon/test_log \
	tests/unit/daemon/test_metrics \
	tests/unit/daemon/test_settings
tests_unit_daemon_test_groups_SOURCES = \
	tests/unit/daemon/echo.c \
	tests/unit/daemon/echo.h \
	tests/unit/daemon/test_groups.c
tests_unit_daemon_test_groups_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
tests_unit_daemon_test_metrics_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
tests_unit_daemon_test_http_caller_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
tests_unit_daemon_test_log_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
tests_unit_daemon_test_settings_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
UNIT_TESTS += tests/unit/daemon/test_daemon
tests_unit_daemon_test_daemon_SOURCES = \
	tests/unit/daemon/echo.c \
	tests/unit/daemon/echo.h \
	tests/unit/daemon/test_daemon.c
tests_unit_daemon_test_daemon_LDADD = $(UNIT_LIBS) $(DAEMON_LIBS)
