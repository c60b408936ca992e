# CLUSTER_TESTS += tests/cluster/test_<what>
