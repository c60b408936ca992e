noinst_LIBRARIES += lib/libwire.a
lib_libwire_a_SOURCES = \
	lib/wire/wire.c \
	lib/wire/wire.h \
	lib/wire/wire_bindings.h
nodist_lib_libwire_a_SOURCES = \
	lib/wire/wire_bindings.c
