# Fuzz entries are built by hand with clang -fsanitize=fuzzer; see each file. Their corpora are run
# through them by replay.c in make check: tests/fuzz/replay_<name> with tests/fuzz/corpus/<name>.
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
