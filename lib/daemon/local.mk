noinst_LIBRARIES += lib/libdaemon.a
lib_libdaemon_a_SOURCES = \
	lib/daemon/grant.c \
	lib/daemon/grant.h
