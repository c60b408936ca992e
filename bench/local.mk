# Benchmarks print ratios and are never part of make check:
# noinst_PROGRAMS += bench/<name>
noinst_PROGRAMS += bench/namenode_calls
bench_namenode_calls_SOURCES = bench/namenode_calls.c
bench_namenode_calls_LDADD = $(NAMENODE_CORE_LIBS)

EXTRA_DIST += bench/measure.py bench/noop.py bench/wordcount.py

bench-wordcount: all
	$(PYTHON3) $(top_srcdir)/bench/wordcount.py bin jobs $(BENCH_ARGUMENTS)

bench-noop: all
	$(PYTHON3) $(top_srcdir)/bench/noop.py bin jobs $(BENCH_ARGUMENTS)

PYTHON3 = python3

.PHONY: bench-wordcount bench-noop
