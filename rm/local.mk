noinst_LIBRARIES += rm/librmcore.a
rm_librmcore_a_SOURCES = \
	rm/core/allocations.c \
	rm/core/answers.c \
	rm/core/applications.c \
	rm/core/asks.c \
	rm/core/attempts.c \
	rm/core/check_state.c \
	rm/core/commands.c \
	rm/core/explain.c \
	rm/core/masters.c \
	rm/core/moves.c \
	rm/core/nodes.c \
	rm/core/preempt.c \
	rm/core/queue_tree.c \
	rm/core/queues.c \
	rm/core/queues.h \
	rm/core/rank.c \
	rm/core/rank.h \
	rm/core/records.c \
	rm/core/registration.c \
	rm/core/rm.c \
	rm/core/rm.h \
	rm/core/reserve.c \
	rm/core/room.c \
	rm/core/room.h \
	rm/core/scheduler.c \
	rm/core/state.h \
	rm/core/timers.c

noinst_LIBRARIES += rm/librmdaemon.a
rm_librmdaemon_a_SOURCES = \
	rm/daemon/grants.c \
	rm/daemon/pages.c \
	rm/daemon/queues_file.c \
	rm/daemon/queues_file.h \
	rm/daemon/render.c \
	rm/daemon/rm_daemon.c \
	rm/daemon/rm_daemon.h

bin_PROGRAMS += bin/mr-rm
bin_mr_rm_SOURCES = rm/daemon/main.c
bin_mr_rm_LDADD = $(RM_DAEMON_LIBS)
