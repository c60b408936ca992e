noinst_LIBRARIES += appmaster/libappmastercore.a
appmaster_libappmastercore_a_SOURCES = \
	appmaster/core/allocation.c \
	appmaster/core/appmaster.c \
	appmaster/core/appmaster.h \
	appmaster/core/appmaster_internal.h \
	appmaster/core/commit.c \
	appmaster/core/report.c \
	appmaster/core/setup.c \
	appmaster/core/tasks.c \
	appmaster/core/umbilical.c \
	appmaster/core/workers.c

noinst_LIBRARIES += appmaster/libappmasterdaemon.a
appmaster_libappmasterdaemon_a_SOURCES =
