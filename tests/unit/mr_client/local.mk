UNIT_TESTS += \
	tests/unit/mr_client/test_job_settings \
	tests/unit/mr_client/test_object_check

# Shared objects that must not be loaded by anybody who wants to live.
MR_CLIENT_TEST_OBJECTS = \
	tests/unit/mr_client/objects/crashes.so \
	tests/unit/mr_client/objects/exits.so \
	tests/unit/mr_client/objects/hangs.so

tests/unit/mr_client/objects/%.so: tests/unit/mr_client/objects/%.c
	@$(MKDIR_P) tests/unit/mr_client/objects
	$(AM_V_CCLD)$(MR_OBJECT_LINK) -o $@ $<

CLEANFILES += $(MR_CLIENT_TEST_OBJECTS)
EXTRA_DIST += $(MR_CLIENT_TEST_OBJECTS:.so=.c)

tests_unit_mr_client_test_job_settings_LDADD = $(UNIT_LIBS) $(MR_CLIENT_LIBS)
tests_unit_mr_client_test_object_check_LDADD = $(UNIT_LIBS) $(MR_CLIENT_LIBS)
EXTRA_tests_unit_mr_client_test_object_check_DEPENDENCIES = $(MR_CLIENT_TEST_OBJECTS) \
	$(MR_TEST_OBJECTS) $(JOB_MODULES) bin/mrsubmit
