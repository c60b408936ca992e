# UNIT_TESTS += tests/unit/dfs/test_<unit>
# tests_unit_dfs_test_<unit>_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)
DATANODE_FIXTURE = tests/unit/dfs/datanode_fixture.c tests/unit/dfs/datanode_fixture.h

UNIT_TESTS += tests/unit/dfs/test_datanode_core
tests_unit_dfs_test_datanode_core_SOURCES = tests/unit/dfs/test_datanode_core.c $(DATANODE_FIXTURE)
tests_unit_dfs_test_datanode_core_LDADD = $(UNIT_LIBS) $(DATANODE_CORE_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_scrub
tests_unit_dfs_test_datanode_scrub_SOURCES = tests/unit/dfs/test_datanode_scrub.c $(DATANODE_FIXTURE)
tests_unit_dfs_test_datanode_scrub_LDADD = $(UNIT_LIBS) $(DATANODE_CORE_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_session
tests_unit_dfs_test_datanode_session_SOURCES = \
	tests/unit/dfs/test_datanode_session.c $(DATANODE_FIXTURE)
tests_unit_dfs_test_datanode_session_LDADD = $(UNIT_LIBS) $(DATANODE_CORE_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_volumes
tests_unit_dfs_test_datanode_volumes_SOURCES = \
	tests/unit/dfs/test_datanode_volumes.c $(DATANODE_FIXTURE)
tests_unit_dfs_test_datanode_volumes_LDADD = $(UNIT_LIBS) $(DATANODE_CORE_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_folders
tests_unit_dfs_test_datanode_folders_LDADD = \
	$(UNIT_LIBS) dfs/libdatanodedaemon.a $(MODEL_LIBS) $(OS_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_latency
tests_unit_dfs_test_datanode_latency_LDADD = \
	$(UNIT_LIBS) dfs/libdatanodedaemon.a $(MODEL_LIBS) $(OS_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_rate
tests_unit_dfs_test_datanode_rate_LDADD = \
	$(UNIT_LIBS) dfs/libdatanodedaemon.a $(MODEL_LIBS) $(OS_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_random
tests_unit_dfs_test_datanode_random_LDADD = $(UNIT_LIBS) $(DATANODE_CORE_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_store
tests_unit_dfs_test_datanode_store_LDADD = \
	$(UNIT_LIBS) dfs/libdatanodedaemon.a $(MODEL_LIBS) $(OS_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_faults
tests_unit_dfs_test_datanode_faults_LDADD = \
	$(UNIT_LIBS) dfs/libdatanodedaemon.a $(MODEL_LIBS) $(OS_LIBS)

UNIT_TESTS += tests/unit/dfs/test_datanode_power
tests_unit_dfs_test_datanode_power_LDADD = \
	$(UNIT_LIBS) dfs/libdatanodedaemon.a $(MODEL_LIBS) $(OS_LIBS)

UNIT_TESTS += tests/unit/dfs/test_dfs_fetch
tests_unit_dfs_test_dfs_fetch_LDADD = $(UNIT_LIBS) $(DFS_CLIENT_LIBS)
