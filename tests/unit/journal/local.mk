UNIT_TESTS += \
	tests/unit/journal/test_journal \
	tests/unit/journal/test_journal_checkpoint \
	tests/unit/journal/test_journal_crash \
	tests/unit/journal/test_journal_power \
	tests/unit/journal/test_journal_trouble

tests_unit_journal_test_journal_LDADD = $(UNIT_LIBS) $(JOURNAL_LIBS)
tests_unit_journal_test_journal_checkpoint_LDADD = $(UNIT_LIBS) $(JOURNAL_LIBS)
tests_unit_journal_test_journal_crash_LDADD = $(UNIT_LIBS) $(JOURNAL_LIBS)
tests_unit_journal_test_journal_power_LDADD = $(UNIT_LIBS) $(JOURNAL_LIBS)
tests_unit_journal_test_journal_trouble_LDADD = $(UNIT_LIBS) $(JOURNAL_LIBS)
EXTRA_DIST += tests/unit/journal/checkpoint_fixture.h
