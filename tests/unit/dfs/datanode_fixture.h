/*
 * datanode_fixture.h - a datanode's machine driven with events. What it does is compared as text:
 * its trace lines, then one line for each action, step by step.
 */
#ifndef MILLRACE_TESTS_UNIT_DFS_DATANODE_FIXTURE_H
#define MILLRACE_TESTS_UNIT_DFS_DATANODE_FIXTURE_H

#include "dfs/datanode/core/datanode.h"
#include "lib/base/buf.h"
#include "tests/support/unit.h"

enum {
    BLOCK_BYTES = 1000,
    VOLUME_BYTES = 1000000
};

struct datanode_fixture {
    struct datanode *datanode;
    struct actions actions;
    struct trace trace;
    struct buf text;
    int64_t now_ms;
    uint64_t tag_of[METHOD_COUNT]; /* the newest call of each method */
    uint64_t effect_tag[DATANODE_EFFECT_COUNT];
    uint64_t measure_tag[DATANODE_VOLUMES_MAX];
    uint64_t position_tag[DATANODE_VOLUMES_MAX];
    uint32_t answer_volume; /* of the last ANSWER_RECEIVE */
    struct dfs_datanode_heartbeat_request heartbeat;
    struct dfs_block_report_request report; /* the newest; borrowed from arena */
    struct dfs_block_changes_request changes;
    char address[64]; /* the last call's */
    struct arena *arena;
};

/* Rebuilt for every test. */
extern struct datanode_fixture f;

#define EXPECT(text) expect_text((text), __LINE__)

void expect_text(const char *expected, int line);
void datanode_setup(void);
void datanode_teardown(void);
struct datanode_settings plain_settings(void);
void given_datanode(const struct datanode_settings *settings);
struct dfs_block_info block(uint64_t block_id);
void given_found(uint64_t first, uint64_t last);
void when_answered(enum method method, enum status status, const void *message);
void when_effect_done(enum datanode_effect effect, enum status status, const void *data);
void when_measured(uint64_t free_bytes);
void when_volume_measured(uint32_t volume, enum status status, uint64_t free_bytes);
void given_found_on(uint32_t volume, uint64_t first, uint64_t last);
void given_found_behind(uint32_t volume, uint64_t position, uint64_t first, uint64_t last);
void when_registered(uint64_t cluster_id, uint64_t session);
void when_report_taken(void);
void when_changes_taken(void);
void when_ms_pass(int64_t ms);
void when_deadline_comes(void);
void when_commanded(const struct dfs_datanode_command *commands, size_t count);
void when_commanded_one(enum dfs_datanode_command_kind kind, uint64_t block_id);
void when_receive_asked(uint64_t transfer, uint64_t block_id);
void when_receive_ended(uint64_t transfer, uint64_t block_id, enum status status, bool failed);
void when_seen_corrupt(uint64_t block_id);
void given_active_with(const struct datanode_settings *settings, uint64_t first, uint64_t last);
void given_active(uint64_t first, uint64_t last);
void step(struct event event);

#endif
