noinst_LIBRARIES += appmaster/libappmastercore.a
appmaster_libappmastercore_a_SOURCES = \
	appmaster/core/allocation.c \
	appmaster/core/appmaster.c \
	appmaster/core/appmaster.h \
	appmaster/core/appmaster_internal.h \
	appmaster/core/commit.c \
	appmaster/core/journal.c \
	appmaster/core/report.c \
	appmaster/core/setup.c \
	appmaster/core/tasks.c \
	appmaster/core/umbilical.c \
	appmaster/core/workers.c

noinst_LIBRARIES += appmaster/libappmasterdaemon.a
appmaster_libappmasterdaemon_a_SOURCES = \
	appmaster/daemon/job.c \
	appmaster/daemon/job.h \
	appmaster/daemon/journal.c \
	appmaster/daemon/journal.h

bin_PROGRAMS += bin/mr-appmaster
bin_mr_appmaster_SOURCES = appmaster/daemon/main.c
bin_mr_appmaster_LDADD = $(APPMASTER_DAEMON_LIBS)
