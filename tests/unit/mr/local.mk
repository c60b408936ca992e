# UNIT_TESTS += tests/unit/mr/test_<unit>
# tests_unit_mr_test_<unit>_LDADD = $(UNIT_LIBS) $(MR_CORE_LIBS)
