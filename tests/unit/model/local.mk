# UNIT_TESTS += tests/unit/model/test_<unit>
# tests_unit_model_test_<unit>_LDADD = $(UNIT_LIBS) $(MODEL_LIBS)
