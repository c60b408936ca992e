UNIT_TESTS += \
	tests/unit/cli/test_cluster_plan \
	tests/unit/cli/test_conf_text \
	tests/unit/cli/test_table

tests_unit_cli_test_cluster_plan_LDADD = $(UNIT_LIBS) cli/libcli.a $(OS_LIBS)
tests_unit_cli_test_conf_text_LDADD = $(UNIT_LIBS) cli/libcli.a $(OS_LIBS)
tests_unit_cli_test_table_LDADD = $(UNIT_LIBS) cli/libcli.a $(OS_LIBS)

UNIT_TESTS += tests/unit/cli/test_mrsubmit_options
tests_unit_cli_test_mrsubmit_options_LDADD = $(UNIT_LIBS) cli/libmrsubmit.a cli/libcli.a \
	mr/libmrclient.a $(MR_TASK_LIBS)

UNIT_TESTS += \
	tests/unit/cli/test_file_mode \
	tests/unit/cli/test_file_text \
	tests/unit/cli/test_glob \
	tests/unit/cli/test_words
tests_unit_cli_test_file_mode_LDADD = $(UNIT_LIBS) cli/libcli.a $(MODEL_LIBS)
tests_unit_cli_test_file_text_LDADD = $(UNIT_LIBS) cli/libcli.a $(MODEL_LIBS) $(OS_LIBS)
tests_unit_cli_test_glob_LDADD = $(UNIT_LIBS) cli/libcli.a $(OS_LIBS)
tests_unit_cli_test_words_LDADD = $(UNIT_LIBS) cli/libcli.a $(MODEL_LIBS)
