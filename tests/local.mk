# CUnit programs: UNIT_TESTS += tests/unit/<folder>/test_<unit>, made from the .c file of that name
# alone; with more files or libraries set its _SOURCES and _LDADD.
LDADD = $(UNIT_LIBS) $(BASE_LIBS)

check_LIBRARIES += tests/support/libunit.a
tests_support_libunit_a_SOURCES = \
	tests/support/power_loss.c \
	tests/support/power_loss.h \
	tests/support/power_loss_names.c \
	tests/support/power_loss_play.c \
	tests/support/power_loss_private.h \
	tests/support/unit.c \
	tests/support/unit.h \
	tests/support/unit_memory.c

# Tests of the machines and of what they are made from that allocate, without files, threads and
# processes: they can be cut off at every allocation (tests/support/unit_memory.c).
MEMORY_TESTS = $(filter-out $(MEMORY_TESTS_OTHERS), $(filter $(MEMORY_TESTS_FOLDERS), $(UNIT_TESTS)))
MEMORY_TESTS_FOLDERS = \
	tests/unit/model/% tests/unit/wire/% tests/unit/namenode/% tests/unit/dfs/% tests/unit/rm/% \
	tests/unit/nodemgr/% tests/unit/appmaster/% tests/unit/mr/%
MEMORY_TESTS_OTHERS = \
	tests/unit/model/test_ids tests/unit/dfs/test_datanode_faults tests/unit/dfs/test_datanode_folders \
	tests/unit/dfs/test_datanode_latency tests/unit/dfs/test_datanode_power \
	tests/unit/dfs/test_datanode_rate tests/unit/dfs/test_datanode_store tests/unit/dfs/test_dfs_fetch \
	tests/unit/rm/test_daemon tests/unit/rm/test_tables \
	tests/unit/nodemgr/test_nodemgr_daemon tests/unit/nodemgr/test_nodemgr_disk \
	tests/unit/nodemgr/test_nodemgr_environment tests/unit/nodemgr/test_nodemgr_folders $(filter-out tests/unit/mr/test_engine, \
	    $(filter tests/unit/mr/%, $(UNIT_TESTS)))

TOOL_TESTS += \
	tests/tools/test_draw_states \
	tests/tools/test_check_layers \
	tests/tools/test_gen_messages \
	tests/tools/test_jobs_outside

include tests/unit/base/local.mk
include tests/unit/model/local.mk
include tests/unit/os/local.mk
include tests/unit/wire/local.mk
include tests/unit/net/local.mk
include tests/unit/journal/local.mk
include tests/unit/services/local.mk
include tests/unit/daemon/local.mk
include tests/unit/rm/local.mk
include tests/unit/nodemgr/local.mk
include tests/unit/appmaster/local.mk
include tests/unit/mr/local.mk
include tests/unit/mr_client/local.mk
include tests/unit/dfs/local.mk
include tests/unit/namenode/local.mk
include tests/unit/webhdfs/local.mk
include tests/unit/cli/local.mk
include tests/sim/local.mk
include tests/cluster/local.mk
include tests/fuzz/local.mk
