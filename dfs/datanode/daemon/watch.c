/*
 * watch.c - how this datanode is: its part of /metrics and /healthz.
 */
#include "dfs/datanode/daemon/node.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/shell.h"

static void take_totals(void *user, const void *machine)
{
    struct datanode_totals *totals = user;
    *totals = datanode_totals(machine);
}

void node_metrics(void *state, struct metrics_page *page)
{
    const struct node *node = state;
    struct datanode_totals totals;
    enum status status = shell_inspect(node->shell, take_totals, &totals);
    if (status != OK) {
        if (page->status == OK)
            page->status = status;
        return;
    }
    metrics_gauge(page, "millrace_datanode_registered", "1 while the namenode knows this datanode.",
                  totals.registration == REGISTRATION_ACTIVE);
    metrics_gauge(page, "millrace_datanode_blocks", "Replicas that can be read.",
                  totals.block_count);
    metrics_gauge(page, "millrace_datanode_corrupt_blocks", "Replicas out of service.",
                  totals.corrupt_count);
    metrics_gauge(page, "millrace_datanode_used_bytes", "Bytes of all replicas.",
                  totals.used_bytes);
    metrics_gauge(page, "millrace_datanode_free_bytes", "Bytes a writer may still get.",
                  totals.free_bytes);
    metrics_gauge(page, "millrace_datanode_reserved_bytes",
                  "Bytes promised to blocks that come in.", totals.reserved_bytes);
    metrics_gauge(page, "millrace_datanode_copies_running", "Copies for repair being sent.",
                  totals.copies_running);
    metrics_gauge(page, "millrace_datanode_copies_waiting", "Copies for repair that wait.",
                  totals.copies_waiting);
    metrics_gauge(page, "millrace_datanode_changes_waiting",
                  "Changes the namenode has not acknowledged.", totals.changes_waiting);
    metrics_counter(page, "millrace_datanode_scrubbed_blocks_total", "Replicas verified on disk.",
                    totals.blocks_scrubbed);
    metrics_gauge(page, "millrace_datanode_volumes", "Data folders.", totals.volumes);
    metrics_gauge(page, "millrace_datanode_volumes_failed",
                  "Data folders retired until the next start.", totals.volumes_failed);
    node_access_metrics(node->access, page);
}

enum status node_health(void *state, struct buf *notes, struct error *reterr_error)
{
    const struct node *node = state;
    struct datanode_totals totals;
    enum status status = shell_inspect(node->shell, take_totals, &totals);
    if (status != OK)
        return error_set(reterr_error, status, "the datanode is starting or stopping");
    if (totals.volumes_failed == totals.volumes)
        return error_set(reterr_error, ERR_IO, "every volume of this datanode has failed");
    if (totals.volumes_failed > 0)
        status = buf_append_format(notes, "%u of %u volumes failed: their blocks are gone\n",
                                   (unsigned)totals.volumes_failed, (unsigned)totals.volumes);
    if (status == OK && totals.registration != REGISTRATION_ACTIVE)
        status = buf_append_format(notes, "not registered with the namenode\n");
    return status;
}

void node_serve_metrics(void *user, struct http_request *request)
{
    const struct node *node = user;
    daemon_serve_metrics(node->daemon, request);
}

void node_serve_health(void *user, struct http_request *request)
{
    const struct node *node = user;
    daemon_serve_health(node->daemon, request);
}
