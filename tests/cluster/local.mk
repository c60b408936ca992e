EXTRA_DIST += tests/cluster/lib.sh tests/cluster/test_millrace
