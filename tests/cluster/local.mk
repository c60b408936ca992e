CLUSTER_TESTS += tests/cluster/test_millrace tests/cluster/test_mrjob tests/cluster/test_blackout
EXTRA_DIST += tests/cluster/lib.sh
# CLUSTER_TESTS += tests/cluster/test_<what>
CLUSTER_TESTS += tests/cluster/test_dfs tests/cluster/test_mrfs tests/cluster/test_mradmin
CLUSTER_TESTS += tests/cluster/test_dfs_namespace tests/cluster/test_dfs_nodes
CLUSTER_TESTS += tests/cluster/test_block_tokens
EXTRA_DIST += tests/cluster/dfs_cluster.py
CLUSTER_TESTS += tests/cluster/test_webhdfs
EXTRA_DIST += \
	tests/cluster/webhdfs_fsspec.py \
	tests/cluster/webhdfs_npm/client.js \
	tests/cluster/webhdfs_npm/package-lock.json \
	tests/cluster/webhdfs_npm/package.json
CLUSTER_TESTS += tests/cluster/test_metrics
EXTRA_DIST += tests/cluster/check_metrics.py
CLUSTER_TESTS += tests/cluster/test_grpc_python
EXTRA_DIST += tests/cluster/grpc_client.py
CLUSTER_TESTS += tests/cluster/test_dfs_kill tests/cluster/test_dfs_faults tests/cluster/test_dfs_repair tests/cluster/test_dfs_journals tests/cluster/test_dfs_writers
EXTRA_DIST += tests/cluster/drill_namenode.py tests/cluster/kill_at_write.c tests/cluster/fail_below.c tests/cluster/dying_writer.py

CLUSTER_TESTS += tests/cluster/test_full_disks tests/cluster/test_io_sweep
EXTRA_DIST += tests/cluster/sweep_io.py tests/cluster/whole_cluster.py
CLUSTER_TESTS += tests/cluster/test_mrsubmit
CLUSTER_TESTS += tests/cluster/test_containers tests/cluster/test_limits tests/cluster/test_queues
check_PROGRAMS += tests/cluster/submit_script
tests_cluster_submit_script_SOURCES = tests/cluster/submit_script.c
tests_cluster_submit_script_LDADD = cli/libcli.a $(DAEMON_LIBS)
CLUSTER_TESTS += tests/cluster/test_jobs
EXTRA_DIST += \
	tests/cluster/jobs/misbehave.c \
	tests/cluster/jobs/missing_dependency.c \
	tests/cluster/jobs/no_map.c \
	tests/cluster/jobs/no_symbol.c \
	tests/cluster/jobs/other_version.c \
	tests/cluster/jobs/wait_for_path.c \
	tests/cluster/make_text.py
CLUSTER_TESTS += tests/cluster/test_faults tests/cluster/test_masters tests/cluster/test_rot
EXTRA_DIST += tests/cluster/flip.py
