UNIT_TESTS += tests/unit/services/test_services
tests_unit_services_test_services_LDADD = $(UNIT_LIBS) $(SERVICES_LIBS)
