# Benchmarks print ratios and are never part of make check:
# noinst_PROGRAMS += bench/<name>
