noinst_LIBRARIES += mr/libmrcore.a
mr_libmrcore_a_SOURCES = \
	mr/core/collector.c \
	mr/core/collector.h \
	mr/core/combine_table.c \
	mr/core/combine_table.h \
	mr/core/counters.c \
	mr/core/counters.h \
	mr/core/fold.c \
	mr/core/fold.h \
	mr/core/group.c \
	mr/core/group.h \
	mr/core/host.h \
	mr/core/hot_keys.c \
	mr/core/hot_keys.h \
	mr/core/input.c \
	mr/core/input.h \
	mr/core/map_task.c \
	mr/core/map_task.h \
	mr/core/merge.c \
	mr/core/merge.h \
	mr/core/output.c \
	mr/core/output.h \
	mr/core/record.h \
	mr/core/reduce_task.c \
	mr/core/reduce_task.h \
	mr/core/run.h \
	mr/core/run_index.c \
	mr/core/run_reader.c \
	mr/core/run_writer.c \
	mr/core/sort.c \
	mr/core/sort.h \
	mr/core/sort_buffer.c \
	mr/core/sort_buffer.h \
	mr/core/task_context.c \
	mr/core/task_context.h
