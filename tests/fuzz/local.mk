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
	tests/fuzz/replay.c
tests_fuzz_replay_journal_LDADD = $(JOURNAL_LIBS)
UNIT_TESTS += tests/fuzz/replay_checkpoint
tests_fuzz_replay_checkpoint_SOURCES = \
	tests/fuzz/frames.h \
	tests/fuzz/fuzz_checkpoint.c \
	tests/fuzz/journal_folder.h \
	tests/fuzz/replay.c
tests_fuzz_replay_checkpoint_LDADD = $(JOURNAL_LIBS)
UNIT_TESTS += tests/fuzz/replay_sidecar
tests_fuzz_replay_sidecar_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_sidecar.c
tests_fuzz_replay_sidecar_LDADD = $(DAEMON_LIBS)

FUZZ_CC = clang-14
FUZZ_FLAGS = -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined -DSEGMENT_WINDOW_BYTES=256 -I. -I$(top_srcdir) -Ilib/wire
FUZZ_LIBS = -lprotobuf-c -linih -ljansson -lxxhash -lisal -lpthread
FUZZ_TARGETS = \
	tests/fuzz/fuzz_checkpoint \
	tests/fuzz/fuzz_journal \
	tests/fuzz/fuzz_names \
	tests/fuzz/fuzz_run \
	tests/fuzz/fuzz_settings \
	tests/fuzz/fuzz_sidecar \
	tests/fuzz/fuzz_webhdfs \
	tests/fuzz/fuzz_wire
FUZZ_BASE = $(wildcard $(top_srcdir)/lib/base/*.c)
FUZZ_OS = $(FUZZ_BASE) $(wildcard $(top_srcdir)/lib/os/*.c)
FUZZ_MODEL = $(FUZZ_BASE) $(wildcard $(top_srcdir)/lib/model/*.c) lib/model/messages.c
fuzz_journal_PARTS = $(FUZZ_OS) $(wildcard $(top_srcdir)/lib/journal/*.c)
fuzz_checkpoint_PARTS = $(fuzz_journal_PARTS)
fuzz_names_PARTS = $(FUZZ_MODEL) $(wildcard $(top_srcdir)/lib/os/*.c) \
	$(top_srcdir)/cli/glob.c $(top_srcdir)/cli/words.c $(top_srcdir)/cli/file_mode.c \
	$(top_srcdir)/cli/file_text.c
fuzz_run_PARTS = $(FUZZ_BASE) $(wildcard $(top_srcdir)/mr/core/run_*.c)
fuzz_settings_PARTS = $(FUZZ_MODEL) $(wildcard $(top_srcdir)/lib/os/*.c) \
	$(wildcard $(top_srcdir)/lib/daemon/setting*.c)
fuzz_sidecar_PARTS = $(FUZZ_MODEL)
fuzz_webhdfs_PARTS = $(FUZZ_MODEL) $(top_srcdir)/dfs/webhdfs/request.c \
	$(top_srcdir)/dfs/webhdfs/answer.c
fuzz_wire_PARTS = $(FUZZ_MODEL) $(wildcard $(top_srcdir)/lib/wire/*.c) $(wildcard lib/wire/*.c)

# The libraries' sources are compiled anew, so that the fuzzer sees their branches.
fuzz: $(BUILT_SOURCES)
	@$(MKDIR_P) tests/fuzz
	@for target in $(FUZZ_TARGETS); do $(MAKE) $(AM_MAKEFLAGS) $$target.fuzz || exit 1; done

%.fuzz:
	$(FUZZ_CC) $(FUZZ_FLAGS) -o $* $(top_srcdir)/$*.c $($(notdir $*)_PARTS) $(FUZZ_LIBS)

.PHONY: fuzz
CLEANFILES += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/README.md
