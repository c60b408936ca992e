noinst_LIBRARIES += mr/libmrtask.a
mr_libmrtask_a_SOURCES = \
	mr/task/attempt.c \
	mr/task/attempt.h \
	mr/task/job_object.c \
	mr/task/job_object.h \
	mr/task/local.c \
	mr/task/local.h \
	mr/task/local_input.c \
	mr/task/local_input.h \
	mr/task/reporter.c \
	mr/task/reporter.h \
	mr/task/shuffle.c \
	mr/task/shuffle.h \
	mr/task/task_files.c \
	mr/task/task_files.h \
	mr/task/umbilical.c \
	mr/task/umbilical.h

bin_PROGRAMS += bin/mr-task
bin_mr_task_SOURCES = mr/task/main.c
bin_mr_task_LDADD = $(MR_TASK_LIBS)
