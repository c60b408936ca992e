# UNIT_TESTS += tests/unit/cli/test_<unit>
# tests_unit_cli_test_<unit>_LDADD = $(UNIT_LIBS) $(MR_CLIENT_LIBS)
