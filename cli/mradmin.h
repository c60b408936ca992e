/*
 * mradmin.h - what the files of mradmin share: one parsed command line, one session.
 */
#ifndef MILLRACE_CLI_MRADMIN_H
#define MILLRACE_CLI_MRADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/session.h"
#include "cli/word_commands.h"
#include "lib/services/client.h"

/* Options without a letter. */
enum mradmin_key {
    ADMIN_KEY_CLUSTER = 1,
    ADMIN_KEY_TIMEOUT,
    ADMIN_KEY_HELP,
    ADMIN_KEY_JSON,
    ADMIN_KEY_LIVE,
    ADMIN_KEY_STALE,
    ADMIN_KEY_DEAD,
    ADMIN_KEY_DECOMMISSIONING,
    ADMIN_KEY_MAINTENANCE,
    ADMIN_KEY_WAIT,
    ADMIN_KEY_FOR,
    ADMIN_KEY_THRESHOLD,
    ADMIN_KEY_RATE
};

struct mradmin {
    const char *command;
    struct words words;
    struct arena *arena;
    struct cli_session *session;
    struct service_target namenode;
    int64_t deadline_ms; /* of -timeout; INT64_MAX: none */
    bool is_json;
    bool is_terminal; /* progress may be shown on stderr */
};

/* Returns OK, or an error for the last line on stderr; ret_code: where OK is not all there is. */
typedef enum status mradmin_run(struct mradmin *mradmin, int *ret_code, struct error *reterr_error);

bool mradmin_has(const struct mradmin *mradmin, int key);
/* Half a second, or ERR_DEADLINE when -timeout has passed since the command began. */
MUST_USE enum status mradmin_pause(struct mradmin *mradmin, struct error *reterr_error);
/* One JSON object on one line. */
void mradmin_print_json(const struct message_type *type, const void *message);
/* Asks the namenode how the cluster is; from arena. */
MUST_USE enum status mradmin_cluster(struct mradmin *mradmin,
                                     struct arena *arena,
                                     const struct dfs_cluster_status_response **ret_found,
                                     struct error *reterr_error);

/* --- mradmin_report.c ---------------------------------------------------------------------------
 */
mradmin_run mradmin_report;
mradmin_run mradmin_topology;
/* The table of datanodes. */
void mradmin_print_datanodes(const struct dfs_datanode_info *datanodes, size_t count);

/* --- mradmin_service.c --------------------------------------------------------------------------
 */
mradmin_run mradmin_decommission;
mradmin_run mradmin_maintenance;
mradmin_run mradmin_recommission;
mradmin_run mradmin_forget;

/* --- mradmin_balance.c --------------------------------------------------------------------------
 */
mradmin_run mradmin_balance;
mradmin_run mradmin_balance_rate;

/* --- mradmin_queues.c ---------------------------------------------------------------------------
 */
mradmin_run mradmin_queues;

/* --- mradmin_journal.c --------------------------------------------------------------------------
 */
mradmin_run mradmin_journal; /* without a session */

/* --- mradmin_state.c ----------------------------------------------------------------------------
 */
mradmin_run mradmin_safemode;
mradmin_run mradmin_checkpoint;
mradmin_run mradmin_refresh;
mradmin_run mradmin_set_quota;
mradmin_run mradmin_clear_quota;
mradmin_run mradmin_set_space_quota;
mradmin_run mradmin_clear_space_quota;

#endif
