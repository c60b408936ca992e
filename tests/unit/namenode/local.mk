NAMENODE_FIXTURE = tests/unit/namenode/fixture.c tests/unit/namenode/fixture.h \
	tests/unit/namenode/fixture_tokens.c

UNIT_TESTS += tests/unit/namenode/test_namenode_tree
tests_unit_namenode_test_namenode_tree_SOURCES = \
	tests/unit/namenode/test_namenode_tree.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_tree_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_grants
tests_unit_namenode_test_namenode_grants_SOURCES = \
	tests/unit/namenode/test_namenode_grants.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_grants_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_write
tests_unit_namenode_test_namenode_write_SOURCES = \
	tests/unit/namenode/test_namenode_write.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_write_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_attributes
tests_unit_namenode_test_namenode_attributes_SOURCES = \
	tests/unit/namenode/test_namenode_attributes.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_attributes_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_append
tests_unit_namenode_test_namenode_append_SOURCES = \
	tests/unit/namenode/test_namenode_append.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_append_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_trash
tests_unit_namenode_test_namenode_trash_SOURCES = \
	tests/unit/namenode/test_namenode_trash.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_trash_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_compact
tests_unit_namenode_test_namenode_compact_SOURCES = \
	tests/unit/namenode/test_namenode_compact.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_compact_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_failures
tests_unit_namenode_test_namenode_failures_SOURCES = \
	tests/unit/namenode/test_namenode_failures.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_failures_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_retries
tests_unit_namenode_test_namenode_retries_SOURCES = \
	tests/unit/namenode/test_namenode_retries.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_retries_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_nodes
tests_unit_namenode_test_namenode_nodes_SOURCES = \
	tests/unit/namenode/test_namenode_nodes.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_nodes_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_repair
tests_unit_namenode_test_namenode_repair_SOURCES = \
	tests/unit/namenode/test_namenode_repair.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_repair_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_random
tests_unit_namenode_test_namenode_random_SOURCES = \
	tests/unit/namenode/test_namenode_random.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_random_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_settings
tests_unit_namenode_test_namenode_settings_LDADD = $(UNIT_LIBS) $(NAMENODE_DAEMON_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_safemode
tests_unit_namenode_test_namenode_safemode_SOURCES = \
	tests/unit/namenode/test_namenode_safemode.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_safemode_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_fsck
tests_unit_namenode_test_namenode_fsck_SOURCES = \
	tests/unit/namenode/test_namenode_fsck.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_fsck_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_service
tests_unit_namenode_test_namenode_service_SOURCES = \
	tests/unit/namenode/test_namenode_service.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_service_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_durability
tests_unit_namenode_test_namenode_durability_SOURCES = \
	tests/unit/namenode/test_namenode_durability.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_durability_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_racks
tests_unit_namenode_test_namenode_racks_SOURCES = \
	tests/unit/namenode/test_namenode_racks.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_racks_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_rates
tests_unit_namenode_test_namenode_rates_SOURCES = \
	tests/unit/namenode/test_namenode_rates.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_rates_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_identity
tests_unit_namenode_test_namenode_identity_SOURCES = \
	tests/unit/namenode/test_namenode_identity.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_identity_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)

UNIT_TESTS += tests/unit/namenode/test_namenode_balance
tests_unit_namenode_test_namenode_balance_SOURCES = \
	tests/unit/namenode/test_namenode_balance.c $(NAMENODE_FIXTURE)
tests_unit_namenode_test_namenode_balance_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)
