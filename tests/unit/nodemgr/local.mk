NODEMGR_FIXTURE = tests/unit/nodemgr/nodemgr_fixture.c tests/unit/nodemgr/nodemgr_fixture.h

UNIT_TESTS += tests/unit/nodemgr/test_nodemgr_containers
tests_unit_nodemgr_test_nodemgr_containers_SOURCES = \
	tests/unit/nodemgr/test_nodemgr_containers.c $(NODEMGR_FIXTURE)
tests_unit_nodemgr_test_nodemgr_containers_LDADD = $(UNIT_LIBS) $(NODEMGR_CORE_LIBS)

UNIT_TESTS += tests/unit/nodemgr/test_nodemgr_registration
tests_unit_nodemgr_test_nodemgr_registration_SOURCES = \
	tests/unit/nodemgr/test_nodemgr_registration.c $(NODEMGR_FIXTURE)
tests_unit_nodemgr_test_nodemgr_registration_LDADD = $(UNIT_LIBS) $(NODEMGR_CORE_LIBS)

UNIT_TESTS += tests/unit/nodemgr/test_nodemgr_random
tests_unit_nodemgr_test_nodemgr_random_LDADD = $(UNIT_LIBS) $(NODEMGR_CORE_LIBS)

NODEMGR_FOLDER_LIBS = nodemgr/libnodemgrdaemon.a $(MR_CORE_LIBS) $(OS_LIBS)

UNIT_TESTS += tests/unit/nodemgr/test_nodemgr_folders
tests_unit_nodemgr_test_nodemgr_folders_LDADD = $(UNIT_LIBS) $(NODEMGR_FOLDER_LIBS)

UNIT_TESTS += tests/unit/nodemgr/test_nodemgr_environment
tests_unit_nodemgr_test_nodemgr_environment_LDADD = $(UNIT_LIBS) $(NODEMGR_FOLDER_LIBS)

UNIT_TESTS += tests/unit/nodemgr/test_nodemgr_disk
tests_unit_nodemgr_test_nodemgr_disk_LDADD = $(UNIT_LIBS) $(NODEMGR_DAEMON_LIBS)

UNIT_TESTS += tests/unit/nodemgr/test_nodemgr_daemon
tests_unit_nodemgr_test_nodemgr_daemon_SOURCES = \
	tests/unit/nodemgr/daemon_fixture.c \
	tests/unit/nodemgr/daemon_fixture.h \
	tests/unit/nodemgr/test_nodemgr_daemon.c
tests_unit_nodemgr_test_nodemgr_daemon_LDADD = $(UNIT_LIBS) $(NODEMGR_DAEMON_LIBS)
