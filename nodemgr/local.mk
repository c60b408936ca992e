noinst_LIBRARIES += nodemgr/libnodemgrcore.a
nodemgr_libnodemgrcore_a_SOURCES = \
	nodemgr/core/apps.c \
	nodemgr/core/containers.c \
	nodemgr/core/launch_check.c \
	nodemgr/core/nodemgr.c \
	nodemgr/core/nodemgr.h \
	nodemgr/core/nodemgr_internal.h \
	nodemgr/core/registration.c

noinst_LIBRARIES += nodemgr/libnodemgrdaemon.a
nodemgr_libnodemgrdaemon_a_SOURCES = \
	nodemgr/daemon/disk.c \
	nodemgr/daemon/environment.c \
	nodemgr/daemon/environment.h \
	nodemgr/daemon/folders.c \
	nodemgr/daemon/folders.h \
	nodemgr/daemon/limits.c \
	nodemgr/daemon/localize.c \
	nodemgr/daemon/map_output.c \
	nodemgr/daemon/nodemgr_daemon.c \
	nodemgr/daemon/nodemgr_daemon.h \
	nodemgr/daemon/pages.c \
	nodemgr/daemon/processes.c

bin_PROGRAMS += bin/mr-nodemgr
bin_mr_nodemgr_SOURCES = nodemgr/daemon/main.c
bin_mr_nodemgr_LDADD = $(NODEMGR_DAEMON_LIBS)
