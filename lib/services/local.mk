noinst_LIBRARIES += lib/libservices.a
lib_libservices_a_SOURCES = \
	lib/services/client.c \
	lib/services/client.h \
	lib/services/server.c \
	lib/services/server.h
nodist_lib_libservices_a_SOURCES = \
	lib/services/calls.h
