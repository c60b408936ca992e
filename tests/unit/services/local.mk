# UNIT_TESTS += tests/unit/services/test_<unit>
# tests_unit_services_test_<unit>_LDADD = $(UNIT_LIBS) $(SERVICES_LIBS)
