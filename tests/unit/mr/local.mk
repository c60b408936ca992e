MR_CORE_TEST_LIBS = tests/unit/mr/libmemoryhost.a $(UNIT_LIBS) $(MR_CORE_LIBS)

check_LIBRARIES += tests/unit/mr/libmemoryhost.a
tests_unit_mr_libmemoryhost_a_SOURCES = \
	tests/unit/mr/memory_host.c \
	tests/unit/mr/memory_host.h

UNIT_TESTS += \
	tests/unit/mr/test_engine \
	tests/unit/mr/test_hot_keys \
	tests/unit/mr/test_input \
	tests/unit/mr/test_run \
	tests/unit/mr/test_sort
tests_unit_mr_test_engine_LDADD = $(MR_CORE_TEST_LIBS)
tests_unit_mr_test_hot_keys_LDADD = $(MR_CORE_TEST_LIBS)
tests_unit_mr_test_input_LDADD = $(MR_CORE_TEST_LIBS)
tests_unit_mr_test_run_LDADD = $(MR_CORE_TEST_LIBS)
tests_unit_mr_test_sort_LDADD = $(MR_CORE_TEST_LIBS)

# Shared objects that tests load: one good one, and one for each thing that can be wrong.
MR_TEST_OBJECTS = \
	tests/unit/mr/objects/misbehave.so \
	tests/unit/mr/objects/needs_gone.so \
	tests/unit/mr/objects/no_job.so \
	tests/unit/mr/objects/no_map.so \
	tests/unit/mr/objects/other_version.so \
	tests/unit/mr/objects/undefined.so \
	tests/unit/mr/objects/without_header.so
MR_OBJECT_LINK = $(CC) -I$(top_srcdir) $(CPPFLAGS) $(WARN_CFLAGS) $(CFLAGS) -fPIC -shared $(LDFLAGS)

tests/unit/mr/objects/%.so: tests/unit/mr/objects/%.c mr/mr.h
	@$(MKDIR_P) tests/unit/mr/objects
	$(AM_V_CCLD)$(MR_OBJECT_LINK) -o $@ $<

tests/unit/mr/objects/needs_gone.so: tests/unit/mr/objects/needs_gone.c \
		tests/unit/mr/objects/gone.c mr/mr.h
	@$(MKDIR_P) tests/unit/mr/objects
	$(AM_V_CCLD)cd tests/unit/mr/objects && \
	    source=$$(cd $(abs_top_srcdir)/tests/unit/mr/objects && pwd) && \
	    $(CC) $(CFLAGS) -fPIC -shared $(LDFLAGS) -o libgone.so $$source/gone.c && \
	    $(CC) -I$(abs_top_srcdir) $(CFLAGS) -fPIC -shared $(LDFLAGS) -o needs_gone.so \
	        $$source/needs_gone.c -L. -lgone && rm -f libgone.so

CLEANFILES += $(MR_TEST_OBJECTS)
EXTRA_DIST += $(MR_TEST_OBJECTS:.so=.c) tests/unit/mr/objects/gone.c

UNIT_TESTS += \
	tests/unit/mr/test_job_object \
	tests/unit/mr/test_local
tests_unit_mr_test_job_object_LDADD = $(UNIT_LIBS) $(MR_TASK_LIBS)
EXTRA_tests_unit_mr_test_job_object_DEPENDENCIES = $(MR_TEST_OBJECTS) $(JOB_MODULES)
tests_unit_mr_test_local_LDADD = $(UNIT_LIBS) $(MR_TASK_LIBS)
EXTRA_tests_unit_mr_test_local_DEPENDENCIES = $(MR_TEST_OBJECTS) $(JOB_MODULES)

UNIT_TESTS += tests/unit/mr/test_shuffle tests/unit/mr/test_task_files
tests_unit_mr_test_task_files_LDADD = $(UNIT_LIBS) $(MR_TASK_LIBS)
tests_unit_mr_test_shuffle_LDADD = tests/unit/mr/libmemoryhost.a $(UNIT_LIBS) $(MR_TASK_LIBS)
