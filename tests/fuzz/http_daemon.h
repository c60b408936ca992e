/*
 * http_daemon.h - what the linker gives the handlers of a daemon in place of the functions of the
 * same names without __wrap_ (--wrap in local.mk): they come without a daemon, a shell, a client.
 */
#ifndef MILLRACE_TESTS_FUZZ_HTTP_DAEMON_H
#define MILLRACE_TESTS_FUZZ_HTTP_DAEMON_H

#include "dfs/client/dfs.h"
#include "dfs/datanode/daemon/web_clients.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/shell.h"
#include "lib/net/http_client.h"

/* http_namenode.c */
enum status __wrap_shell_ask(struct shell *shell,
                             enum method method,
                             const void *message,
                             struct slice user,
                             struct slice peer,
                             int64_t deadline_ms,
                             struct arena *arena,
                             void **ret_message,
                             struct error *reterr_error);
enum status __wrap_http_request_peer_uid(const struct http_request *request,
                                         uint32_t *ret_uid,
                                         struct error *reterr_error);
struct groups *__wrap_daemon_groups(const struct daemon *daemon);
const char *__wrap_daemon_rpc_address(const struct daemon *daemon);
const struct settings *__wrap_daemon_settings(const struct daemon *daemon);
int64_t __wrap_settings_ms(const struct settings *settings, const char *name);
enum status __wrap_dfs_open(const struct dfs_settings *settings,
                            struct dfs **ret_dfs,
                            struct error *reterr_error);

/* http_datanode.c */
struct shell *__wrap_daemon_shell(const struct daemon *daemon);
const char *__wrap_daemon_host(const struct daemon *daemon);
const struct token_secret *__wrap_daemon_secret(const struct daemon *daemon);
const char *__wrap_daemon_cluster_directory(const struct daemon *daemon);
void __wrap_shell_local(struct shell *shell, int effect, void *data, shell_release *release);
enum status __wrap_shell_inspect(struct shell *shell,
                                 void (*function)(void *user, const void *machine),
                                 void *user);
enum status __wrap_http_put_begin(struct http_client *client,
                                  const struct http_request_options *options,
                                  uint64_t length,
                                  struct http_put **ret_put,
                                  struct error *reterr_error);
enum status __wrap_web_clients_take(struct web_clients *clients,
                                    struct slice user,
                                    enum web_use use,
                                    struct web_client **ret_client,
                                    struct error *reterr_error);
void __wrap_web_client_release(struct web_client *client, enum web_use use);
struct dfs *__wrap_web_client_dfs(struct web_client *client);
enum status __wrap_dfs_reader_open(struct dfs *dfs,
                                   struct slice path,
                                   uint64_t offset,
                                   uint64_t length,
                                   struct dfs_reader **ret_reader,
                                   struct error *reterr_error);
uint64_t __wrap_dfs_reader_length(const struct dfs_reader *reader);
enum status __wrap_dfs_reader_pread(struct dfs_reader *reader,
                                    uint64_t offset,
                                    void *data,
                                    size_t length,
                                    size_t *ret_length,
                                    struct error *reterr_error);
void __wrap_dfs_reader_close(struct dfs_reader *reader);
enum status __wrap_dfs_create(struct dfs *dfs,
                              struct slice path,
                              const struct dfs_create_options *options,
                              struct dfs_writer **ret_writer,
                              struct error *reterr_error);
enum status __wrap_dfs_append(struct dfs *dfs,
                              struct slice path,
                              struct dfs_writer **ret_writer,
                              struct error *reterr_error);
enum status __wrap_dfs_writer_write(struct dfs_writer *writer,
                                    const void *data,
                                    size_t length,
                                    struct error *reterr_error);
enum status __wrap_dfs_writer_complete(struct dfs_writer *writer, struct error *reterr_error);
void __wrap_dfs_writer_close(struct dfs_writer *writer);

#endif
