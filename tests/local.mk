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
	tests/support/unit.h

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
