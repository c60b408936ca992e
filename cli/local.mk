# Programs stand together in bin/ of the build folder, so that they find each other uninstalled.

noinst_LIBRARIES += cli/libcli.a
cli_libcli_a_SOURCES = \
	cli/cluster_plan.c \
	cli/cluster_plan.h \
	cli/command.c \
	cli/command.h \
	cli/conf_text.c \
	cli/conf_text.h \
	cli/file_mode.c \
	cli/file_mode.h \
	cli/file_text.c \
	cli/file_text.h \
	cli/glob.c \
	cli/glob.h \
	cli/session.c \
	cli/session.h \
	cli/table.c \
	cli/table.h \
	cli/word_commands.c \
	cli/word_commands.h \
	cli/words.c \
	cli/words.h

bin_PROGRAMS += bin/millrace
bin_millrace_SOURCES = \
	cli/cluster_daemons.c \
	cli/cluster_daemons.h \
	cli/cluster_folder.c \
	cli/cluster_folder.h \
	cli/cluster_state.c \
	cli/cluster_state.h \
	cli/millrace.c \
	cli/millrace_cluster.c \
	cli/millrace_down.c \
	cli/millrace_status.c \
	cli/millrace_up.c \
	cli/millrace_verbs.h
bin_millrace_LDADD = cli/libcli.a $(DAEMON_LIBS)

bin_PROGRAMS += bin/mrjob
bin_mrjob_SOURCES = \
	cli/job_logs.c \
	cli/job_logs.h \
	cli/job_view.c \
	cli/job_view.h \
	cli/mrjob.c
bin_mrjob_LDADD = cli/libcli.a $(DFS_CLIENT_LIBS)

bin_PROGRAMS += bin/mrfs
bin_mrfs_SOURCES = \
	cli/mrfs.c \
	cli/mrfs.h \
	cli/mrfs_append.c \
	cli/mrfs_change.c \
	cli/mrfs_cp.c \
	cli/mrfs_find.c \
	cli/mrfs_fsck.c \
	cli/mrfs_get.c \
	cli/mrfs_json.c \
	cli/mrfs_list.c \
	cli/mrfs_names.c \
	cli/mrfs_paths.c \
	cli/mrfs_put.c \
	cli/mrfs_read.c \
	cli/mrfs_stat.c \
	cli/mrfs_text.c \
	cli/mrfs_transfer.c \
	cli/mrfs_transfer.h \
	cli/mrfs_transfer_file.c \
	cli/mrfs_trash.c \
	cli/mrfs_trash.h \
	cli/mrfs_usage.c \
	cli/mrfs_verbs.c
bin_mrfs_LDADD = cli/libcli.a $(DFS_CLIENT_LIBS) $(ZLIB_LIBS)

noinst_LIBRARIES += cli/libmrsubmit.a
cli_libmrsubmit_a_SOURCES = \
	cli/mrsubmit.h \
	cli/mrsubmit_cluster.c \
	cli/mrsubmit_local.c \
	cli/mrsubmit_options.c \
	cli/mrsubmit_show.c
bin_PROGRAMS += bin/mrsubmit
bin_mrsubmit_SOURCES = cli/mrsubmit.c
bin_mrsubmit_LDADD = cli/libmrsubmit.a cli/libcli.a mr/libmrclient.a $(MR_TASK_LIBS)

bin_PROGRAMS += bin/mradmin
bin_mradmin_SOURCES = \
	cli/mradmin.c \
	cli/mradmin.h \
	cli/mradmin_balance.c \
	cli/mradmin_journal.c \
	cli/mradmin_queues.c \
	cli/mradmin_report.c \
	cli/mradmin_service.c \
	cli/mradmin_state.c
bin_mradmin_LDADD = cli/libcli.a $(DAEMON_LIBS)
