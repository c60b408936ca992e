# make fuzz builds tests/fuzz/fuzz_<name> for clang's fuzzer with the sanitizers; README.md tells how they
# are run. Their corpora are run through them by replay.c in make check: tests/fuzz/replay_<name> with
# tests/fuzz/corpus/<name>.
EXTRA_DIST += tests/fuzz/corpus
UNIT_TESTS += tests/fuzz/replay_webhdfs
tests_fuzz_replay_webhdfs_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_webhdfs.c
tests_fuzz_replay_webhdfs_LDADD = dfs/libwebhdfs.a $(DAEMON_LIBS)
UNIT_TESTS += tests/fuzz/replay_names
tests_fuzz_replay_names_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_names.c
tests_fuzz_replay_names_LDADD = cli/libcli.a $(DAEMON_LIBS)
UNIT_TESTS += tests/fuzz/replay_settings
tests_fuzz_replay_settings_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_settings.c
tests_fuzz_replay_settings_LDADD = $(DAEMON_LIBS)
UNIT_TESTS += tests/fuzz/replay_journal
tests_fuzz_replay_journal_SOURCES = \
	tests/fuzz/frames.h \
	tests/fuzz/fuzz_journal.c \
	tests/fuzz/journal_folder.h \
	tests/fuzz/memory_folder.h \
	tests/fuzz/replay.c
tests_fuzz_replay_journal_LDADD = $(JOURNAL_LIBS)
UNIT_TESTS += tests/fuzz/replay_checkpoint
tests_fuzz_replay_checkpoint_SOURCES = \
	tests/fuzz/frames.h \
	tests/fuzz/fuzz_checkpoint.c \
	tests/fuzz/journal_folder.h \
	tests/fuzz/memory_folder.h \
	tests/fuzz/replay.c
tests_fuzz_replay_checkpoint_LDADD = $(JOURNAL_LIBS)
UNIT_TESTS += tests/fuzz/replay_sidecar
tests_fuzz_replay_sidecar_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_sidecar.c
tests_fuzz_replay_sidecar_LDADD = $(DAEMON_LIBS)
# The handlers of both daemons without the daemons: what http_daemon.h declares takes the place of the
# functions of the same names.
HTTP_WRAP = -Wl,--wrap=shell_ask,--wrap=shell_local,--wrap=shell_inspect,--wrap=http_put_begin \
	-Wl,--wrap=daemon_groups,--wrap=daemon_rpc_address,--wrap=daemon_settings,--wrap=settings_ms \
	-Wl,--wrap=daemon_shell,--wrap=daemon_host,--wrap=daemon_secret,--wrap=daemon_cluster_directory \
	-Wl,--wrap=daemon_log \
	-Wl,--wrap=web_clients_take,--wrap=web_client_release,--wrap=web_client_dfs,--wrap=dfs_open \
	-Wl,--wrap=dfs_reader_open,--wrap=dfs_reader_length,--wrap=dfs_reader_pread \
	-Wl,--wrap=dfs_reader_close,--wrap=dfs_create,--wrap=dfs_append,--wrap=dfs_writer_write \
	-Wl,--wrap=dfs_writer_complete,--wrap=dfs_writer_close,--wrap=http_request_peer_uid
HTTP_LIBS = $(NAMENODE_DAEMON_LIBS) $(DATANODE_DAEMON_LIBS)
UNIT_TESTS += tests/fuzz/replay_http
tests_fuzz_replay_http_SOURCES = \
	tests/fuzz/fuzz_http.c \
	tests/fuzz/http_daemon.h \
	tests/fuzz/http_datanode.c \
	tests/fuzz/http_namenode.c \
	tests/fuzz/http_side.h \
	tests/fuzz/memory_folder.h \
	tests/fuzz/replay.c
tests_fuzz_replay_http_LDADD = $(HTTP_LIBS)
tests_fuzz_replay_http_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_POSITIONS=20
tests_fuzz_replay_http_LDFLAGS = $(HTTP_WRAP)
UNIT_TESTS += tests/fuzz/replay_reply
tests_fuzz_replay_reply_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_reply.c
tests_fuzz_replay_reply_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_POSITIONS=20
tests_fuzz_replay_reply_LDADD = $(HTTP_LIBS)
UNIT_TESTS += tests/fuzz/replay_wire
tests_fuzz_replay_wire_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_wire.c
tests_fuzz_replay_wire_LDADD = $(DAEMON_LIBS)

FUZZ_CC = clang-14
FUZZ_FLAGS = -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined -DSEGMENT_WINDOW_BYTES=256 -I. -I$(top_srcdir) -Ilib/wire
FUZZ_LIBS = -lprotobuf-c -linih -ljansson -lxxhash -lisal -lpthread
FUZZ_TARGETS = \
	tests/fuzz/fuzz_checkpoint \
	tests/fuzz/fuzz_http \
	tests/fuzz/fuzz_journal \
	tests/fuzz/fuzz_names \
	tests/fuzz/fuzz_reply \
	tests/fuzz/fuzz_run \
	tests/fuzz/fuzz_settings \
	tests/fuzz/fuzz_sidecar \
	tests/fuzz/fuzz_webhdfs \
	tests/fuzz/fuzz_wire
FUZZ_BASE = $(wildcard $(top_srcdir)/lib/base/*.c)
FUZZ_OS = $(FUZZ_BASE) $(wildcard $(top_srcdir)/lib/os/*.c)
FUZZ_MODEL_ONLY = $(wildcard $(top_srcdir)/lib/model/*.c) lib/model/messages.c
FUZZ_MODEL = $(FUZZ_BASE) $(FUZZ_MODEL_ONLY)
fuzz_journal_PARTS = $(FUZZ_OS) $(wildcard $(top_srcdir)/lib/journal/*.c)
fuzz_checkpoint_PARTS = $(fuzz_journal_PARTS)
# The machine of the datanode and what else is behind the handlers is taken from the libraries.
fuzz_http_PARTS = $(FUZZ_OS) $(FUZZ_MODEL_ONLY) $(HTTP_WRAP) \
	$(top_srcdir)/tests/fuzz/http_namenode.c $(top_srcdir)/tests/fuzz/http_datanode.c \
	$(wildcard $(top_srcdir)/dfs/webhdfs/*.c) $(wildcard $(top_srcdir)/dfs/namenode/core/*.c) \
	$(wildcard $(top_srcdir)/dfs/namenode/daemon/webhdfs*.c) \
	$(wildcard $(top_srcdir)/dfs/datanode/daemon/store*.c) \
	$(addprefix $(top_srcdir)/dfs/datanode/daemon/,access.c node.c receive.c serve.c volumes.c) \
	$(top_srcdir)/dfs/datanode/daemon/webhdfs.c $(top_srcdir)/lib/daemon/block_token.c \
	$(addprefix $(top_srcdir)/lib/net/,http_reply.c http_server.c http_status.c token.c) \
	$(top_srcdir)/lib/daemon/http_caller.c
fuzz_http_LIBS = $(HTTP_LIBS)
fuzz_names_PARTS = $(FUZZ_MODEL) $(wildcard $(top_srcdir)/lib/os/*.c) \
	$(top_srcdir)/cli/glob.c $(top_srcdir)/cli/words.c $(top_srcdir)/cli/file_mode.c \
	$(top_srcdir)/cli/file_text.c
fuzz_reply_PARTS = $(FUZZ_OS) $(FUZZ_MODEL_ONLY) $(top_srcdir)/dfs/datanode/daemon/node.c \
	$(addprefix $(top_srcdir)/lib/net/,http_client.c http_transfer.c http_status.c)
fuzz_reply_LIBS = $(HTTP_LIBS)
fuzz_run_PARTS = $(FUZZ_BASE) $(wildcard $(top_srcdir)/mr/core/run_*.c)
fuzz_settings_PARTS = $(FUZZ_MODEL) $(wildcard $(top_srcdir)/lib/os/*.c) \
	$(wildcard $(top_srcdir)/lib/daemon/setting*.c)
fuzz_sidecar_PARTS = $(FUZZ_MODEL)
fuzz_webhdfs_PARTS = $(FUZZ_MODEL) $(top_srcdir)/dfs/webhdfs/request.c \
	$(top_srcdir)/dfs/webhdfs/answer.c
fuzz_wire_PARTS = $(FUZZ_MODEL) $(wildcard $(top_srcdir)/lib/wire/*.c) $(wildcard lib/wire/*.c)

# What of the parts reads the input: their lines are what fuzz-coverage counts.
fuzz_checkpoint_PARSER = lib/journal/segment_read.c lib/journal/history.c lib/journal/journal_open.c
fuzz_http_PARSER = dfs/webhdfs/request.c dfs/webhdfs/failure.c lib/daemon/http_caller.c \
	$(addprefix dfs/namenode/daemon/webhdfs,.c _read.c _redirect.c _write.c) \
	$(addprefix dfs/datanode/daemon/,access.c node.c receive.c serve.c webhdfs.c) \
	lib/daemon/block_token.c \
	lib/net/http_reply.c lib/net/http_server.c
fuzz_journal_PARSER = lib/journal/segment_read.c
fuzz_names_PARSER = cli/glob.c cli/words.c cli/file_mode.c cli/file_text.c lib/model/path.c
fuzz_reply_PARSER = lib/net/http_client.c lib/net/http_transfer.c
fuzz_run_PARSER = mr/core/run_index.c mr/core/run_reader.c
fuzz_settings_PARSER = lib/daemon/settings.c lib/daemon/setting_value.c
fuzz_sidecar_PARSER = lib/model/block.c
fuzz_webhdfs_PARSER = dfs/webhdfs/request.c
fuzz_wire_PARSER = lib/wire/wire.c

# The sources are compiled anew, so that the fuzzer sees their branches.
FUZZ_NAMES = $(patsubst tests/fuzz/fuzz_%,%,$(FUZZ_TARGETS))
FUZZ_ARCHIVES = $(filter %.a,$(HTTP_LIBS))
FUZZ_INPUTS = $(top_srcdir)/tests/fuzz/fuzz_$*.c $(fuzz_$*_PARTS) $(fuzz_$*_LIBS) $(FUZZ_LIBS)
fuzz: $(BUILT_SOURCES) $(FUZZ_ARCHIVES)
	@$(MKDIR_P) tests/fuzz
	@for name in $(FUZZ_NAMES); do $(MAKE) $(AM_MAKEFLAGS) $$name.fuzz || exit 1; done

%.fuzz:
	$(FUZZ_CC) $(FUZZ_FLAGS) -o tests/fuzz/fuzz_$* $(FUZZ_INPUTS)

# Each target for so long; what is found is kept from one time to the next.
FUZZ_SECONDS = 3600
FUZZ_FOUND = fuzz-found
fuzz-hour: fuzz
	$(top_srcdir)/tests/fuzz/fuzz-for $(FUZZ_SECONDS) $(top_srcdir) $(FUZZ_FOUND) $(FUZZ_NAMES)

# Lines of the parsers that the corpora and what was found reach.
fuzz-coverage: $(BUILT_SOURCES) $(FUZZ_ARCHIVES)
	@$(MKDIR_P) tests/fuzz
	@for name in $(FUZZ_NAMES); do $(MAKE) $(AM_MAKEFLAGS) -s $$name.coverage || exit 1; done

%.coverage:
	@$(MKDIR_P) $(FUZZ_FOUND)/$* $(FUZZ_FOUND)/none
	@$(FUZZ_CC) $(FUZZ_FLAGS) -fno-sanitize=address,undefined -fprofile-instr-generate \
		-fcoverage-mapping -o tests/fuzz/cover_$* $(FUZZ_INPUTS)
	@LLVM_PROFILE_FILE=tests/fuzz/cover_$*.raw tests/fuzz/cover_$* -runs=0 $(FUZZ_FOUND)/$* \
		$(or $(wildcard $(top_srcdir)/tests/fuzz/corpus/$*),$(FUZZ_FOUND)/none) 2> tests/fuzz/cover_$*.log
	@llvm-profdata-14 merge -o tests/fuzz/cover_$*.data tests/fuzz/cover_$*.raw
	@llvm-cov-14 report -instr-profile tests/fuzz/cover_$*.data tests/fuzz/cover_$* \
		$(addprefix $(top_srcdir)/,$(fuzz_$*_PARSER)) | awk '$$1 == "TOTAL" { \
		print "$*: " $$8 - $$9 " of " $$8 " lines of the parser, " $$10 }'

.PHONY: fuzz fuzz-hour fuzz-coverage
CLEANFILES += $(FUZZ_TARGETS) tests/fuzz/cover_*
EXTRA_DIST += tests/fuzz/README.md tests/fuzz/fuzz-for tests/fuzz/dictionary
