# UNIT_TESTS += tests/unit/dfs/test_<unit>
# tests_unit_dfs_test_<unit>_LDADD = $(UNIT_LIBS) $(NAMENODE_CORE_LIBS)
