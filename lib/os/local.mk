noinst_LIBRARIES += lib/libos.a
lib_libos_a_SOURCES = \
	lib/os/calls.c \
	lib/os/calls.h \
	lib/os/clock.c \
	lib/os/clock.h \
	lib/os/crash.c \
	lib/os/crash.h \
	lib/os/directory.c \
	lib/os/directory.h \
	lib/os/drill.c \
	lib/os/drill.h \
	lib/os/file.c \
	lib/os/file.h \
	lib/os/file_lock.c \
	lib/os/file_map.c \
	lib/os/file_names.c \
	lib/os/host.c \
	lib/os/host.h \
	lib/os/launcher.c \
	lib/os/launcher.h \
	lib/os/launcher_child.c \
	lib/os/launcher_wire.c \
	lib/os/launcher_wire.h \
	lib/os/mailbox.c \
	lib/os/mailbox.h \
	lib/os/proc.c \
	lib/os/proc.h \
	lib/os/process.c \
	lib/os/process_handle.c \
	lib/os/process_handle.h \
	lib/os/process.h \
	lib/os/signals.c \
	lib/os/signals.h \
	lib/os/thread.c \
	lib/os/thread.h \
	lib/os/usage.c \
	lib/os/usage.h
