UNIT_TESTS += tests/unit/appmaster/test_appmaster
tests_unit_appmaster_test_appmaster_LDADD = $(UNIT_LIBS) $(APPMASTER_CORE_LIBS)
