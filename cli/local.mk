# Programs stand together in bin/ of the build folder, so that they find each other uninstalled:
# bin_PROGRAMS += bin/mrjob
# bin_mrjob_SOURCES = cli/mrjob.c
# bin_mrjob_LDADD = $(MR_CLIENT_LIBS)
