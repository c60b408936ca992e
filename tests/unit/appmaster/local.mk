UNIT_TESTS += tests/unit/appmaster/test_appmaster tests/unit/appmaster/test_master_journal
tests_unit_appmaster_test_appmaster_LDADD = $(UNIT_LIBS) $(APPMASTER_CORE_LIBS)
tests_unit_appmaster_test_master_journal_LDADD = $(UNIT_LIBS) $(APPMASTER_CORE_LIBS)
