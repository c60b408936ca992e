noinst_LIBRARIES += lib/libjournal.a
lib_libjournal_a_SOURCES = \
	lib/journal/family.c \
	lib/journal/family.h \
	lib/journal/history.c \
	lib/journal/journal.c \
	lib/journal/journal.h \
	lib/journal/journal_checkpoint.c \
	lib/journal/journal_local.c \
	lib/journal/journal_local.h \
	lib/journal/journal_open.c \
	lib/journal/journal_view.c \
	lib/journal/journal_view.h \
	lib/journal/segment.c \
	lib/journal/segment.h \
	lib/journal/segment_read.c
