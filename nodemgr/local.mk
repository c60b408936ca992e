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
nodemgr_libnodemgrdaemon_a_SOURCES =
