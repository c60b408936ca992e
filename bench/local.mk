# Benchmarks print ratios and are never part of make check:
# noinst_PROGRAMS += bench/<name>
noinst_PROGRAMS += bench/namenode_calls
bench_namenode_calls_SOURCES = bench/namenode_calls.c
bench_namenode_calls_LDADD = $(NAMENODE_CORE_LIBS)
