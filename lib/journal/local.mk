noinst_LIBRARIES += lib/libjournal.a
lib_libjournal_a_SOURCES = \
	lib/journal/journal.c \
	lib/journal/journal.h \
	lib/journal/journal_local.c \
	lib/journal/segment.c \
	lib/journal/segment.h \
	lib/journal/segment_read.c
