# UNIT_TESTS += tests/unit/appmaster/test_<unit>
# tests_unit_appmaster_test_<unit>_LDADD = $(UNIT_LIBS) $(APPMASTER_CORE_LIBS)
