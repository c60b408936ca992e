/*
 * render.c - applications and nodes as YARN's REST interface shows them, so that tools that know
 * YARN read them. Only fields that mean the same here are shown.
 */
#include <inttypes.h>

#include "lib/base/buf.h"
#include "lib/daemon/metrics.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "rm/daemon/rm_daemon.h"

enum {
    BYTES_PER_MB_SHIFT = 20
};

/* What YARN counts, from lists. */
struct totals {
    uint64_t apps_by_state[RM_APP_STATE_COUNT];
    uint64_t nodes_by_state[RM_NODE_STATE_COUNT];
    struct resource capacity;
    uint64_t capacity_vcores;
    struct resource used;
    uint64_t used_vcores;
    uint64_t containers;
};

static const char *final_status_text(enum rm_final_status status)
{
    static const char *const texts[] = {"UNDEFINED", "SUCCEEDED", "FAILED", "KILLED"};
    _Static_assert(sizeof(texts) / sizeof(texts[0]) == RM_FINAL_STATUS_COUNT, "one text for each");
    return (unsigned)status < RM_FINAL_STATUS_COUNT ? texts[status] : "UNDEFINED";
}

/* YARN's name: ours without the enum's prefix. */
static const char *app_state_text(enum rm_app_state state)
{
    return rm_app_state_name(state) + sizeof("APP_") - 1;
}

static const char *node_state_text(enum rm_node_state state)
{
    return state == NODE_ACTIVE ? "RUNNING" : rm_node_state_name(state) + sizeof("NODE_") - 1;
}

/* ,"name":"text" */
static enum status add_text(struct buf *page, const char *name, struct slice text)
{
    enum status status = buf_append_format(page, ",\"%s\":", name);
    if (status == OK)
        status = message_print_json_string(text, page);
    return status;
}

static enum status add_number(struct buf *page, const char *name, uint64_t number)
{
    return buf_append_format(page, ",\"%s\":%" PRIu64, name, number);
}

enum status rm_render_app(const struct rm_app_report *report, struct buf *page)
{
    enum status status = buf_append_format(page, "{\"id\":\"%s\"", app_id_text(report->app).text);

    const struct {
        const char *name;
        struct slice text;
    } texts[] = {
        {"user",            report->user                                              },
        {"name",            report->name                                              },
        {"queue",           report->queue                                             },
        {"state",           slice_from_string(app_state_text(report->state))          },
        {"finalStatus",     slice_from_string(final_status_text(report->final_status))},
        {"applicationType", slice_from_string("MAPREDUCE")                            },
        {"amRPCAddress",    report->tracking_address                                  },
        {"historyPath",     report->history_path                                      },
        {"diagnostics",     report->diagnostics                                       },
    };

    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        {"clusterId",         report->app.cluster_timestamp},
        {"currentAppAttempt", report->app_attempt          },
        {"startedTime",       report->submitted_ms         }, /* YARN's, too, is the time of the submission */
        {"launchTime",        report->started_ms           },
        {"finishedTime",      report->finished_ms          },
        {"runningContainers", report->containers_running   },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && status == OK; i++)
        status = add_text(page, texts[i].name, texts[i].text);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && status == OK; i++)
        status = add_number(page, numbers[i].name, numbers[i].number);
    if (status == OK)
        status = buf_append_format(page, ",\"progress\":%.1f}", (double)report->progress * 100);
    return status;
}

enum status rm_render_apps(const struct rm_list_apps_response *apps, struct buf *page)
{
    enum status status = buf_append_format(page, "{\"apps\":{\"app\":[");
    for (size_t i = 0; i < apps->apps_count && status == OK; i++) {
        if (i > 0)
            status = buf_append(page, ",", 1);
        if (status == OK)
            status = rm_render_app(&apps->apps[i], page);
    }
    return status == OK ? buf_append_format(page, "]}}") : status;
}

static uint64_t megabytes(uint64_t bytes)
{
    return bytes >> BYTES_PER_MB_SHIFT;
}

static uint64_t left_of(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

static enum status render_node(const struct rm_node_report *report, struct buf *page)
{
    const struct endpoint *node = &report->node;
    enum status status = buf_append_format(page, "{\"nodeId\":\"%016" PRIx64 "\"", node->node_id);

    const struct {
        const char *name;
        struct slice text;
    } texts[] = {
        {"id",              node->rpc_address                                },
        {"nodeHostName",    node->host                                       },
        {"rack",            node->rack                                       },
        {"nodeHTTPAddress", node->http_address                               },
        {"state",           slice_from_string(node_state_text(report->state))},
        {"healthReport",    report->unusable                                 },
    };

    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        {"numContainers",       report->containers                  },
        {"usedMemoryMB",        megabytes(report->used.memory_bytes)},
        {"availMemoryMB",
         megabytes(left_of(report->capacity.memory_bytes,             report->used.memory_bytes))},
        {"usedVirtualCores",                     report->used.vcores                                       },
        {"availableVirtualCores",                     left_of(report->capacity.vcores,report->used.vcores)},
        {"silentMs", report->silent_ms                                         },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && status == OK; i++)
        status = add_text(page, texts[i].name, texts[i].text);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && status == OK; i++)
        status = add_number(page, numbers[i].name, numbers[i].number);
    return status == OK ? buf_append(page, "}", 1) : status;
}

enum status rm_render_nodes(const struct rm_list_nodes_response *nodes, struct buf *page)
{
    enum status status = buf_append_format(page, "{\"nodes\":{\"node\":[");
    for (size_t i = 0; i < nodes->nodes_count && status == OK; i++) {
        if (i > 0)
            status = buf_append(page, ",", 1);
        if (status == OK)
            status = render_node(&nodes->nodes[i], page);
    }
    return status == OK ? buf_append_format(page, "]}}") : status;
}

static struct totals count_totals(const struct rm_list_apps_response *apps,
                                  const struct rm_list_nodes_response *nodes)
{
    struct totals totals = {0};
    for (size_t i = 0; i < apps->apps_count; i++)
        totals.apps_by_state[apps->apps[i].state]++;
    for (size_t i = 0; i < nodes->nodes_count; i++) {
        const struct rm_node_report *node = &nodes->nodes[i];
        totals.nodes_by_state[node->state]++;
        if (node->state != NODE_ACTIVE)
            continue;
        totals.capacity.memory_bytes += node->capacity.memory_bytes;
        totals.capacity_vcores += node->capacity.vcores;
        totals.used.memory_bytes += node->used.memory_bytes;
        totals.used_vcores += node->used.vcores;
        totals.containers += node->containers;
    }
    return totals;
}

enum {
    METRIC_COUNT = 17
};

struct metric {
    const char *name; /* YARN's */
    uint64_t value;
};

enum status rm_render_metrics(const struct rm_list_apps_response *apps,
                              const struct rm_list_nodes_response *nodes,
                              struct buf *page)
{
    struct totals totals = count_totals(apps, nodes);
    uint64_t free_bytes = left_of(totals.capacity.memory_bytes, totals.used.memory_bytes);
    const struct metric metrics[METRIC_COUNT] = {
        {"appsSubmitted",         apps->apps_count                       },
        {"appsPending",           totals.apps_by_state[APP_ACCEPTED]     },
        {"appsRunning",           totals.apps_by_state[APP_RUNNING]      },
        {"appsCompleted",         totals.apps_by_state[APP_FINISHED]     },
        {"appsFailed",            totals.apps_by_state[APP_FAILED]       },
        {"appsKilled",            totals.apps_by_state[APP_KILLED]       },
        {"containersAllocated",   totals.containers                      },
        {"totalMB",               megabytes(totals.capacity.memory_bytes)},
        {"allocatedMB",           megabytes(totals.used.memory_bytes)    },
        {"availableMB",           megabytes(free_bytes)                  },
        {"totalVirtualCores",     totals.capacity_vcores                 },
        {"allocatedVirtualCores", totals.used_vcores                     },
        {"availableVirtualCores", left_of(totals.capacity_vcores,          totals.used_vcores)},
        {"totalNodes",                       nodes->nodes_count                                                  },
        {"activeNodes",                       totals.nodes_by_state[NODE_ACTIVE]},
        {"lostNodes",                       totals.nodes_by_state[NODE_LOST]                                                    },
        {"shutdownNodes",                       totals.nodes_by_state[NODE_SHUTDOWN]},
    };
    enum status status = buf_append_format(page, "{\"clusterMetrics\":{");
    for (size_t i = 0; i < METRIC_COUNT && status == OK; i++)
        status = buf_append_format(page, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",", metrics[i].name,
                                   metrics[i].value);
    return status == OK ? buf_append_format(page, "}}") : status;
}

/* What is offered, and of it what is granted. */
static void write_resource(
    struct metrics_page *page, const char *name, const char *help, uint64_t capacity, uint64_t used)
{
    metrics_family(page, name, METRICS_GAUGE, help);
    metrics_sample(page, "part", slice_from_string("used"), used);
    metrics_sample(page, "part", slice_from_string("free"), left_of(capacity, used));
}

void rm_render_prometheus(const struct rm_list_apps_response *apps,
                          const struct rm_list_nodes_response *nodes,
                          struct metrics_page *page)
{
    static const struct {
        enum rm_app_state state;
        const char *name;
    } app_rows[] = {
        {APP_ACCEPTED, "accepted"},
        {APP_RUNNING,  "running" },
        {APP_FINISHED, "finished"},
        {APP_FAILED,   "failed"  },
        {APP_KILLED,   "killed"  },
    };

    static const struct {
        enum rm_node_state state;
        const char *name;
    } node_rows[] = {
        {NODE_ACTIVE,   "active"  },
        {NODE_LOST,     "lost"    },
        {NODE_SHUTDOWN, "shutdown"},
    };
    struct totals totals = count_totals(apps, nodes);
    metrics_family(page, "millrace_rm_apps", METRICS_GAUGE, "Applications known, by state.");
    for (size_t i = 0; i < sizeof(app_rows) / sizeof(app_rows[0]); i++)
        metrics_sample(page, "state", slice_from_string(app_rows[i].name),
                       totals.apps_by_state[app_rows[i].state]);
    metrics_family(page, "millrace_rm_nodes", METRICS_GAUGE, "Node managers known, by state.");
    for (size_t i = 0; i < sizeof(node_rows) / sizeof(node_rows[0]); i++)
        metrics_sample(page, "state", slice_from_string(node_rows[i].name),
                       totals.nodes_by_state[node_rows[i].state]);
    metrics_gauge(page, "millrace_rm_containers", "Containers that hold resources.",
                  totals.containers);
    write_resource(page, "millrace_rm_memory_bytes", "Memory of active nodes.",
                   totals.capacity.memory_bytes, totals.used.memory_bytes);
    write_resource(page, "millrace_rm_vcores", "Virtual cores of active nodes.",
                   totals.capacity_vcores, totals.used_vcores);
}

enum status rm_render_info(const struct rm_list_nodes_response *nodes,
                           uint64_t started_wall_ms,
                           struct buf *page)
{
    return buf_append_format(page,
                             "{\"clusterInfo\":{\"id\":%" PRIu64 ",\"startedOn\":%" PRIu64
                             ",\"state\":\"STARTED\",\"haState\":\"ACTIVE\",\"epoch\":%" PRIu32
                             "}}",
                             nodes->cluster_timestamp, started_wall_ms, nodes->epoch);
}
