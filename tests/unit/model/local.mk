UNIT_TESTS += \
	tests/unit/model/test_block \
	tests/unit/model/test_ids \
	tests/unit/model/test_machine \
	tests/unit/model/test_message \
	tests/unit/model/test_path
tests_unit_model_test_block_LDADD = $(UNIT_LIBS) $(MODEL_LIBS)
tests_unit_model_test_ids_LDADD = $(UNIT_LIBS) $(MODEL_LIBS)
tests_unit_model_test_machine_LDADD = $(UNIT_LIBS) $(MODEL_LIBS)
tests_unit_model_test_message_SOURCES = \
	tests/support/random_message.c \
	tests/support/random_message.h \
	tests/unit/model/test_message.c
tests_unit_model_test_message_LDADD = $(UNIT_LIBS) $(MODEL_LIBS)
tests_unit_model_test_path_LDADD = $(UNIT_LIBS) $(MODEL_LIBS)
