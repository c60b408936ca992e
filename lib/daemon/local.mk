noinst_LIBRARIES += lib/libdaemon.a
lib_libdaemon_a_SOURCES = \
	lib/daemon/caller.c \
	lib/daemon/caller.h \
	lib/daemon/cluster.c \
	lib/daemon/cluster.h \
	lib/daemon/daemon.c \
	lib/daemon/daemon.h \
	lib/daemon/daemon_identity.c \
	lib/daemon/daemon_options.c \
	lib/daemon/daemon_pages.c \
	lib/daemon/daemon_private.h \
	lib/daemon/grant.c \
	lib/daemon/grant.h \
	lib/daemon/groups.c \
	lib/daemon/groups.h \
	lib/daemon/http_caller.c \
	lib/daemon/http_caller.h \
	lib/daemon/log.c \
	lib/daemon/log.h \
	lib/daemon/metrics.c \
	lib/daemon/metrics.h \
	lib/daemon/serve.c \
	lib/daemon/serve.h \
	lib/daemon/setting_value.c \
	lib/daemon/setting_value.h \
	lib/daemon/settings.c \
	lib/daemon/settings.h \
	lib/daemon/shell.c \
	lib/daemon/shell.h \
	lib/daemon/shell_checkpoint.c \
	lib/daemon/shell_item.h \
	lib/daemon/shell_journal.c \
	lib/daemon/shell_loop.c \
	lib/daemon/workers.c \
	lib/daemon/workers.h
