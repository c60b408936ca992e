# UNIT_TESTS += tests/unit/nodemgr/test_<unit>
# tests_unit_nodemgr_test_<unit>_LDADD = $(UNIT_LIBS) $(NODEMGR_CORE_LIBS)
