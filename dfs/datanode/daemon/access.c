/*
 * access.c - see access.h.
 */
#include "dfs/datanode/daemon/access.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/daemon/audit.h"
#include "lib/daemon/block_token.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/serve.h"
#include "lib/os/clock.h"

struct node_access {
    struct token_secret secret;
    struct block_keys *keys;
    struct log *log;
    atomic_ullong strangers; /* without a bearer token that is good */
    atomic_ullong refusals[BLOCK_VERDICT_COUNT];
};

struct node_access *node_access_open(const struct token_secret *secret, struct log *log)
{
    struct node_access *access = MEM_NEW(struct node_access);
    access->secret = *secret;
    access->keys = block_keys_open(secret);
    access->log = log;
    return access;
}

void node_access_close(struct node_access *access)
{
    if (access == NULL)
        return;
    block_keys_close(access->keys);
    token_secret_close(&access->secret);
    mem_free(access);
}

static void log_refusal(struct node_access *access,
                        const struct node_wanted *wanted,
                        struct slice user,
                        const char *object,
                        const struct error *error)
{
    const struct audit audit = {
        .user = user,
        .from = slice_from_string(wanted->from),
        .what = slice_from_string(wanted->what),
        .object = slice_from_string(object),
        .status = error->status,
        .why = slice_from_string(error->text),
    };
    audit_refusal(access->log, &audit);
}

enum status node_access_identify(struct node_access *access,
                                 const struct node_wanted *wanted,
                                 struct arena *arena,
                                 struct slice *ret_user,
                                 struct error *reterr_error)
{
    struct error error = {0};
    enum status status =
        serve_authenticate(&access->secret, wanted->bearer, arena, ret_user, &error);
    if (status == OK)
        return OK;
    atomic_fetch_add(&access->strangers, 1);
    log_refusal(access, wanted, slice_make(NULL, 0), "-", &error);
    return error_set(reterr_error, status, "%s", error.text);
}

enum status node_access_check(struct node_access *access,
                              const struct node_wanted *wanted,
                              struct slice user,
                              uint64_t block_id,
                              struct error *reterr_error)
{
    struct error error = {0};
    enum block_verdict verdict = block_token_judge(access->keys, wanted->block_token, block_id,
                                                   user, wanted->modes, clock_wall_ms(), &error);
    if (verdict == BLOCK_VERDICT_GOOD)
        return OK;
    char name[BLOCK_NAME_BYTES];
    block_name_format(block_id, name);
    atomic_fetch_add(&access->refusals[verdict], 1);
    log_refusal(access, wanted, user, name, &error);
    return error_set(reterr_error, ERR_DENIED, "block %s: %s", name, error.text);
}

void node_access_metrics(const struct node_access *access, struct metrics_page *page)
{
    metrics_family(page, "millrace_datanode_refusals_total", METRICS_COUNTER,
                   "Requests for blocks that were refused, by what their tokens lacked.");
    metrics_sample(page, "reason", slice_from_string("bearer"), atomic_load(&access->strangers));
    for (int i = 0; i < BLOCK_VERDICT_COUNT; i++) {
        if (i != BLOCK_VERDICT_GOOD)
            metrics_sample(page, "reason",
                           slice_from_string(block_verdict_name((enum block_verdict)i)),
                           atomic_load(&access->refusals[i]));
    }
}
