# Benchmarks print ratios and are never part of make check:
# noinst_PROGRAMS += bench/<name>
noinst_PROGRAMS += bench/namenode_calls
bench_namenode_calls_SOURCES = bench/namenode_calls.c bench/namenode_load.h
bench_namenode_calls_LDADD = $(NAMENODE_CORE_LIBS)
noinst_PROGRAMS += bench/namenode_journal
bench_namenode_journal_SOURCES = bench/namenode_journal.c bench/namenode_load.h
bench_namenode_journal_LDADD = $(NAMENODE_CORE_LIBS) $(DAEMON_LIBS)
noinst_PROGRAMS += bench/dfs_bytes
bench_dfs_bytes_SOURCES = bench/dfs_bytes.c
bench_dfs_bytes_LDADD = $(DFS_CLIENT_LIBS)
noinst_PROGRAMS += bench/dfs_calls
bench_dfs_calls_SOURCES = bench/dfs_calls.c
bench_dfs_calls_LDADD = $(DFS_CLIENT_LIBS)
noinst_PROGRAMS += bench/rm_core
bench_rm_core_SOURCES = bench/rm_core.c
bench_rm_core_LDADD = $(RM_CORE_LIBS)

EXTRA_DIST += bench/dfs.py bench/measure.py bench/noop.py bench/repair.py bench/rm.py bench/wordcount.py

bench-dfs: all
	$(PYTHON3) $(top_srcdir)/bench/dfs.py bin bench $(BENCH_ARGUMENTS)

bench-wordcount: all
	$(PYTHON3) $(top_srcdir)/bench/wordcount.py bin jobs $(BENCH_ARGUMENTS)

drill-repair: all
	MILLRACE_BUILD_DIR=$(abs_top_builddir) $(PYTHON3) $(top_srcdir)/bench/repair.py $(BENCH_ARGUMENTS)

bench-rm: bench/rm_core
	$(PYTHON3) $(top_srcdir)/bench/rm.py bench/rm_core $(BENCH_ARGUMENTS)

bench-noop: all
	$(PYTHON3) $(top_srcdir)/bench/noop.py bin jobs $(BENCH_ARGUMENTS)

PYTHON3 = python3

.PHONY: bench-dfs bench-rm bench-wordcount bench-noop drill-repair
