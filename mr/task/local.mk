noinst_LIBRARIES += mr/libmrtask.a
mr_libmrtask_a_SOURCES = \
	mr/task/job_object.c \
	mr/task/job_object.h \
	mr/task/local.c \
	mr/task/local.h \
	mr/task/local_input.c \
	mr/task/local_input.h \
	mr/task/task_files.c \
	mr/task/task_files.h
