# UNIT_TESTS += tests/unit/rm/test_<unit>
# tests_unit_rm_test_<unit>_LDADD = $(UNIT_LIBS) $(RM_CORE_LIBS)
