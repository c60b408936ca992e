UNIT_TESTS += \
	tests/unit/os/test_cgroup \
	tests/unit/os/test_crash \
	tests/unit/os/test_directory \
	tests/unit/os/test_drill \
	tests/unit/os/test_file \
	tests/unit/os/test_launcher \
	tests/unit/os/test_mailbox \
	tests/unit/os/test_process \
	tests/unit/os/test_process_handle

tests_unit_os_test_cgroup_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_crash_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_directory_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_drill_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_file_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_launcher_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_mailbox_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_process_LDADD = $(UNIT_LIBS) $(OS_LIBS)
tests_unit_os_test_process_handle_LDADD = $(UNIT_LIBS) $(OS_LIBS)
