/*
 * draw_states.c - writes every state table of the machines as <folder>/<table>.dot (Graphviz).
 * The drawings in docs/states are its output; tests/tools/test_draw_states fails when they are
 * stale.
 */
#include <stdio.h>

#include "appmaster/core/appmaster.h"
#include "dfs/datanode/core/datanode.h"
#include "dfs/namenode/core/namenode.h"
#include "lib/base/transition.h"
#include "nodemgr/core/nodemgr.h"
#include "rm/core/rm.h"

static int draw(const char *folder, const struct transition_table *table)
{
    char path[4096];
    struct buf text = {0};
    int length = snprintf(path, sizeof path, "%s/%s.dot", folder, table->name);
    if (length < 0 || (size_t)length >= sizeof path || transition_draw(table, &text) != OK)
        return 1;
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        buf_close(&text);
        return 1;
    }
    bool is_written = fwrite(text.data, 1, text.length, file) == text.length;
    is_written = fclose(file) == 0 && is_written;
    if (!is_written)
        perror(path);
    buf_close(&text);
    return is_written ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct transition_table *const tables[] = {
        &appmaster_job_table,    &appmaster_task_table,        &appmaster_attempt_table,
        &appmaster_worker_table, &nodemgr_container_table,     &nodemgr_registration_table,
        &datanode_replica_table, &datanode_registration_table, &datanode_volume_table,
    };
    int failed = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: draw-states FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        failed += draw(argv[1], tables[i]);
    for (size_t i = 0; i < RM_TABLE_COUNT; i++)
        failed += draw(argv[1], rm_table(i));
    for (size_t i = 0; namenode_table(i) != NULL; i++)
        failed += draw(argv[1], namenode_table(i));
    return failed == 0 ? 0 : 1;
}
