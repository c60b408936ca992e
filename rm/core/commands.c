/*
 * commands.c - what a node is told, and that it is told until it says that it has heard.
 * Owns rm_node.commands (RM-10): kept in the order of their sequence, removed by acknowledgement.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "rm/core/state.h"

static void command_add(struct rm *rm, struct rm_node *node, struct rm_command command)
{
    node->commands = mem_reserve(node->commands, node->command_count, &node->command_capacity,
                                 sizeof(node->commands[0]));
    command.sequence = ++node->command_sequence;
    node->commands[node->command_count++] = command;
    if (!list_node_is_listed(&node->news_link))
        list_append(&rm->news_nodes, &node->news_link, node);
}

void rm_command_kill(struct rm *rm, struct rm_node *node, struct container_id container)
{
    /* What was not yet launched need not be launched to be killed. */
    rm_command_drop_container(node, container);
    command_add(rm, node,
                (struct rm_command){
                    .kind = NODE_KILL_CONTAINER, .container = container, .app = container.app});
}

void rm_command_launch(struct rm *rm, struct rm_node *node, struct container_id container)
{
    command_add(rm, node,
                (struct rm_command){
                    .kind = NODE_LAUNCH_MASTER, .container = container, .app = container.app});
}

void rm_command_forget(struct rm *rm, struct rm_node *node, struct app_id app)
{
    if (node->state != NODE_ACTIVE)
        return; /* it names its folders when it registers again */
    for (size_t i = 0; i < node->command_count; i++) {
        if (node->commands[i].kind == NODE_FORGET_APP && app_id_equal(node->commands[i].app, app))
            return;
    }
    command_add(rm, node, (struct rm_command){.kind = NODE_FORGET_APP, .app = app});
}

static void command_remove(struct rm_node *node, size_t index)
{
    node->command_count--;
    memmove(&node->commands[index], &node->commands[index + 1],
            (node->command_count - index) * sizeof(node->commands[0]));
}

void rm_command_acknowledge(struct rm *rm, struct rm_node *node, uint64_t sequence)
{
    size_t count = 0;
    while (count < node->command_count && node->commands[count].sequence <= sequence) {
        const struct rm_command *command = &node->commands[count++];
        if (command->kind != NODE_LAUNCH_MASTER)
            continue;
        struct rm_allocation *master = rm_allocation_find(rm, command->container);
        if (master != NULL && master->state == RM_ALLOCATION_GRANTED)
            rm_allocation_deliver(rm, master);
    }
    if (count == 0)
        return;
    node->command_count -= count;
    memmove(node->commands, &node->commands[count],
            node->command_count * sizeof(node->commands[0]));
}

void rm_command_restart(struct rm *rm, struct rm_node *node)
{
    for (size_t i = node->command_count; i > 0; i--) {
        if (node->commands[i - 1].kind == NODE_KILL_CONTAINER)
            command_remove(node, i - 1);
    }
    node->command_sequence = 0;
    for (size_t i = 0; i < node->command_count; i++)
        node->commands[i].sequence = ++node->command_sequence;
    if (node->command_count > 0 && !list_node_is_listed(&node->news_link))
        list_append(&rm->news_nodes, &node->news_link, node);
}

void rm_command_drop_container(struct rm_node *node, struct container_id container)
{
    for (size_t i = node->command_count; i > 0; i--) {
        const struct rm_command *command = &node->commands[i - 1];
        if (command->kind != NODE_FORGET_APP && container_id_equal(command->container, container))
            command_remove(node, i - 1);
    }
}

static struct rm_node_command command_message(const struct rm *rm, const struct rm_command *command)
{
    struct rm_node_command message = {.kind = command->kind,
                                      .container = command->container,
                                      .app = command->app,
                                      .sequence = command->sequence};
    if (command->kind != NODE_LAUNCH_MASTER)
        return message;
    const struct rm_allocation *master = rm_allocation_find(rm, command->container);
    CHECK(master != NULL); /* dropped with it */
    message.launch = master->app->submission.master;
    message.resource = master->resource;
    message.user = master->app->report.user;
    return message;
}

void rm_command_send(struct rm *rm, struct rm_node *node)
{
    CHECK(node->hold != NULL);
    size_t count = node->command_count;
    if (count > LIMIT_COMMANDS_PER_HEARTBEAT)
        count = LIMIT_COMMANDS_PER_HEARTBEAT;
    struct rm_node_command *commands =
        ARENA_ARRAY(rm->actions->arena, struct rm_node_command, count);
    for (size_t i = 0; i < count; i++)
        commands[i] = command_message(rm, &node->commands[i]);
    struct rm_node_heartbeat_response response = {.commands = commands,
                                                  .commands_count = count,
                                                  .acknowledged = node->taken,
                                                  .acknowledged_count = node->taken_count};
    actions_reply(rm->actions, node->hold->call, &rm_node_heartbeat_response_type, &response);
    rm_hold_close(rm, node->hold);
    node->hold = NULL;
    node->taken = NULL;
    node->taken_count = 0;
}
