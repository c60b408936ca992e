# UNIT_TESTS += tests/unit/os/test_<unit>
# tests_unit_os_test_<unit>_LDADD = $(UNIT_LIBS) $(OS_LIBS)
