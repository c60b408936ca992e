noinst_LIBRARIES += lib/libmodel.a
lib_libmodel_a_SOURCES = \
	lib/model/block.c \
	lib/model/block.h \
	lib/model/ids.c \
	lib/model/ids.h \
	lib/model/limits.h \
	lib/model/machine.c \
	lib/model/machine.h \
	lib/model/message.c \
	lib/model/message.h \
	lib/model/path.c \
	lib/model/path.h \
	lib/model/rack.h \
	lib/model/text.c \
	lib/model/text.h
nodist_lib_libmodel_a_SOURCES = \
	lib/model/block.c \
	lib/model/block.h \
	lib/model/messages.c \
	lib/model/messages.h
