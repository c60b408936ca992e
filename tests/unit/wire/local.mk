UNIT_TESTS += tests/unit/wire/test_wire
tests_unit_wire_test_wire_SOURCES = \
	tests/support/random_message.c \
	tests/support/random_message.h \
	tests/unit/wire/test_wire.c
tests_unit_wire_test_wire_LDADD = $(UNIT_LIBS) $(WIRE_LIBS)
