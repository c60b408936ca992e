MR_CORE_TEST_LIBS = tests/unit/mr/libmemoryhost.a $(UNIT_LIBS) $(MR_CORE_LIBS)

check_LIBRARIES += tests/unit/mr/libmemoryhost.a
tests_unit_mr_libmemoryhost_a_SOURCES = \
	tests/unit/mr/memory_host.c \
	tests/unit/mr/memory_host.h

UNIT_TESTS += \
	tests/unit/mr/test_engine \
	tests/unit/mr/test_input \
	tests/unit/mr/test_run \
	tests/unit/mr/test_sort
tests_unit_mr_test_engine_LDADD = $(MR_CORE_TEST_LIBS)
tests_unit_mr_test_input_LDADD = $(MR_CORE_TEST_LIBS)
tests_unit_mr_test_run_LDADD = $(MR_CORE_TEST_LIBS)
tests_unit_mr_test_sort_LDADD = $(MR_CORE_TEST_LIBS)
