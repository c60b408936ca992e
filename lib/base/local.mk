noinst_LIBRARIES += lib/libbase.a
lib_libbase_a_SOURCES = \
	lib/base/arena.c \
	lib/base/arena.h \
	lib/base/base64.c \
	lib/base/base64.h \
	lib/base/buf.c \
	lib/base/buf.h \
	lib/base/check.c \
	lib/base/check.h \
	lib/base/crc32c.c \
	lib/base/crc32c.h \
	lib/base/error.c \
	lib/base/error.h \
	lib/base/fault.c \
	lib/base/fault.h \
	lib/base/heap.c \
	lib/base/heap.h \
	lib/base/list.c \
	lib/base/list.h \
	lib/base/map.c \
	lib/base/map.h \
	lib/base/mem.c \
	lib/base/mem.h \
	lib/base/rng.c \
	lib/base/rng.h \
	lib/base/slice.c \
	lib/base/slice.h \
	lib/base/status.c \
	lib/base/status.h \
	lib/base/trace.c \
	lib/base/trace.h \
	lib/base/transition.c \
	lib/base/transition.h \
	lib/base/varint.c \
	lib/base/varint.h
