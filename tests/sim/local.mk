SIM_TESTS += tests/sim/test_cluster
tests_sim_test_cluster_SOURCES = \
	tests/sim/actors.h \
	tests/sim/clients.c \
	tests/sim/machines.c \
	tests/sim/put.c \
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
