/*
 * http_daemon.h - what the linker gives the handlers of a daemon in place of the functions of the
 * same names without __wrap_ (--wrap in local.mk): they come without a daemon, a shell, a client.
 * The linker does not look at types, but the compiler does: each has the type of what it replaces.
 */
#ifndef MILLRACE_TESTS_FUZZ_HTTP_DAEMON_H
#define MILLRACE_TESTS_FUZZ_HTTP_DAEMON_H

#include "dfs/client/dfs.h"
#include "dfs/datanode/daemon/web_clients.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/shell.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"

/* http_namenode.c */
__typeof__(shell_ask) __wrap_shell_ask;
__typeof__(http_request_peer_uid) __wrap_http_request_peer_uid;
__typeof__(daemon_groups) __wrap_daemon_groups;
__typeof__(daemon_rpc_address) __wrap_daemon_rpc_address;
__typeof__(daemon_settings) __wrap_daemon_settings;
__typeof__(settings_ms) __wrap_settings_ms;
__typeof__(dfs_open) __wrap_dfs_open;

/* http_datanode.c */
__typeof__(daemon_shell) __wrap_daemon_shell;
__typeof__(daemon_host) __wrap_daemon_host;
__typeof__(daemon_log) __wrap_daemon_log;
__typeof__(daemon_secret) __wrap_daemon_secret;
__typeof__(daemon_cluster_directory) __wrap_daemon_cluster_directory;
__typeof__(shell_local) __wrap_shell_local;
__typeof__(shell_inspect) __wrap_shell_inspect;
__typeof__(http_put_begin) __wrap_http_put_begin;
__typeof__(web_clients_take) __wrap_web_clients_take;
__typeof__(web_client_release) __wrap_web_client_release;
__typeof__(web_client_dfs) __wrap_web_client_dfs;
__typeof__(dfs_reader_open) __wrap_dfs_reader_open;
__typeof__(dfs_reader_length) __wrap_dfs_reader_length;
__typeof__(dfs_reader_pread) __wrap_dfs_reader_pread;
__typeof__(dfs_reader_close) __wrap_dfs_reader_close;
__typeof__(dfs_create) __wrap_dfs_create;
__typeof__(dfs_append) __wrap_dfs_append;
__typeof__(dfs_writer_write) __wrap_dfs_writer_write;
__typeof__(dfs_writer_complete) __wrap_dfs_writer_complete;
__typeof__(dfs_writer_close) __wrap_dfs_writer_close;

#endif
