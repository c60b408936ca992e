# UNIT_TESTS += tests/unit/journal/test_<unit>
# tests_unit_journal_test_<unit>_LDADD = $(UNIT_LIBS) $(JOURNAL_LIBS)
