# UNIT_TESTS += tests/unit/wire/test_<unit>
# tests_unit_wire_test_<unit>_LDADD = $(UNIT_LIBS) $(WIRE_LIBS)
