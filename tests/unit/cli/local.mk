UNIT_TESTS += \
	tests/unit/cli/test_cluster_plan \
	tests/unit/cli/test_conf_text \
	tests/unit/cli/test_table

tests_unit_cli_test_cluster_plan_LDADD = $(UNIT_LIBS) cli/libcli.a $(OS_LIBS)
tests_unit_cli_test_conf_text_LDADD = $(UNIT_LIBS) cli/libcli.a $(OS_LIBS)
tests_unit_cli_test_table_LDADD = $(UNIT_LIBS) cli/libcli.a $(OS_LIBS)
