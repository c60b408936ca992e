noinst_LIBRARIES += lib/libdaemon.a
lib_libdaemon_a_SOURCES = \
	lib/daemon/grant.c \
	lib/daemon/grant.h \
	lib/daemon/log.c \
	lib/daemon/log.h \
	lib/daemon/setting_value.c \
	lib/daemon/setting_value.h \
	lib/daemon/settings.c \
	lib/daemon/settings.h \
	lib/daemon/shell.c \
	lib/daemon/shell.h \
	lib/daemon/shell_item.h \
	lib/daemon/shell_journal.c \
	lib/daemon/shell_loop.c \
	lib/daemon/workers.c \
	lib/daemon/workers.h
