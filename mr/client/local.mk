noinst_LIBRARIES += mr/libmrclient.a
mr_libmrclient_a_SOURCES = \
	mr/client/client.c \
	mr/client/client.h \
	mr/client/client_internal.h \
	mr/client/follow.c \
	mr/client/job_settings.c \
	mr/client/job_settings.h \
	mr/client/object_check.c \
	mr/client/object_check.h \
	mr/client/paths.c \
	mr/client/submit.c
