SIM_TESTS += tests/sim/test_cluster
tests_sim_test_cluster_SOURCES = \
	tests/sim/actors.h \
	tests/sim/clients.c \
	tests/sim/journals.c \
	tests/sim/machines.c \
	tests/sim/put.c \
	tests/sim/runner.c \
	tests/sim/runner.h \
	tests/sim/scenario.c \
	tests/sim/scenario.h \
	tests/sim/tasks.c \
	tests/sim/test_cluster.c \
	tests/sim/verify.c \
	tests/sim/world.c \
	tests/sim/world.h
tests_sim_test_cluster_LDADD = $(UNIT_LIBS) \
	$(APPMASTER_CORE_LIBS) $(NODEMGR_CORE_LIBS) $(RM_CORE_LIBS) \
	$(NAMENODE_CORE_LIBS) $(DATANODE_CORE_LIBS)

SIM_TESTS += tests/sim/test_dfs
tests_sim_test_dfs_SOURCES = \
	tests/sim/dfs.h \
	tests/sim/dfs_admin.c \
	tests/sim/dfs_bugs.c \
	tests/sim/dfs_calls.c \
	tests/sim/dfs_client.h \
	tests/sim/dfs_clients.c \
	tests/sim/dfs_data.c \
	tests/sim/dfs_faults.c \
	tests/sim/dfs_fsck.c \
	tests/sim/dfs_identity.c \
	tests/sim/dfs_journal.c \
	tests/sim/dfs_nodes.c \
	tests/sim/dfs_rules.c \
	tests/sim/dfs_scenario.c \
	tests/sim/dfs_tokens.c \
	tests/sim/dfs_verify.c \
	tests/sim/dfs_watch.c \
	tests/sim/dfs_writer.c \
	tests/sim/model.c \
	tests/sim/model.h \
	tests/sim/modelnames.c \
	tests/sim/modelreads.c \
	tests/sim/modelsteps.c \
	tests/sim/modeltrash.c \
	tests/sim/modelwrites.c \
	tests/sim/runner.c \
	tests/sim/runner.h \
	tests/sim/test_dfs.c \
	tests/sim/world.c \
	tests/sim/world.h
tests_sim_test_dfs_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS) $(DATANODE_CORE_LIBS)
