UNIT_TESTS += \
	tests/unit/rm/test_allocate \
	tests/unit/rm/test_applications \
	tests/unit/rm/test_attempts \
	tests/unit/rm/test_daemon \
	tests/unit/rm/test_nodes \
	tests/unit/rm/test_preempt \
	tests/unit/rm/test_queues \
	tests/unit/rm/test_queues_file \
	tests/unit/rm/test_random \
	tests/unit/rm/test_restart \
	tests/unit/rm/test_room \
	tests/unit/rm/test_shares \
	tests/unit/rm/test_tables

check_LIBRARIES += tests/unit/rm/libfixture.a
tests_unit_rm_libfixture_a_SOURCES = \
	tests/unit/rm/fixture.c \
	tests/unit/rm/fixture.h

tests_unit_rm_test_shares_SOURCES = \
	tests/unit/rm/share_judge.c \
	tests/unit/rm/share_world.c \
	tests/unit/rm/share_world.h \
	tests/unit/rm/test_shares.c

RM_UNIT_LIBS = tests/unit/rm/libfixture.a $(UNIT_LIBS) $(RM_CORE_LIBS)
tests_unit_rm_test_allocate_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_applications_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_attempts_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_daemon_LDADD = $(UNIT_LIBS) $(RM_DAEMON_LIBS)
tests_unit_rm_test_nodes_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_preempt_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_queues_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_queues_file_LDADD = $(UNIT_LIBS) $(RM_DAEMON_LIBS)
tests_unit_rm_test_random_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_restart_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_room_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_shares_LDADD = $(RM_UNIT_LIBS)
tests_unit_rm_test_tables_LDADD = $(RM_UNIT_LIBS)
