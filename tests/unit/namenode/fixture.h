/*
 * fixture.h - a namenode's machine, its journal, and datanodes that do what they are told.
 * After every step the invariants are checked; the journal so far, replayed, must give the same
 * snapshot (each time, or every replay_every steps). Datanodes keep one heartbeat open while alive,
 * and follow commands at once while they are obedient.
 */
#ifndef MILLRACE_TESTS_UNIT_NAMENODE_FIXTURE_H
#define MILLRACE_TESTS_UNIT_NAMENODE_FIXTURE_H

#include "dfs/namenode/core/namenode.h"
#include "lib/base/buf.h"
#include "lib/model/message.h"
#include "tests/support/unit.h"

enum {
    NODES_MAX = 16,
    DISK_BLOCKS_MAX = 4096,
    EFFECTS_MAX = 64,
    CLIENT = 7,
    BLOCK_SIZE = 1000,
    NODE_BYTES = 1000000,
};

struct test_node {
    uint64_t id; /* from 1 */
    char host[16];
    char rack[16];
    uint64_t incarnation;
    uint64_t registered; /* the incarnation that did so last */
    uint64_t session;
    uint64_t free_bytes;
    bool is_alive;    /* beats */
    bool is_obedient; /* follows copies and deletions */
    bool has_rot;     /* what it is to verify is bad */
    bool is_beating;  /* a heartbeat is held */
    uint64_t held_call;
    uint32_t report_commands;
    /* For its heartbeats. */
    uint64_t used_bytes; /* beside its disk */
    uint32_t transfers_active;
    struct dfs_latency_report latencies;
    const struct dfs_peer_latency *peers;
    size_t peers_count;
    char address[32]; /* of its data; "": none */
    struct dfs_block_info disk[DISK_BLOCKS_MAX];
    size_t disk_count;
};

/* What the machine asked its shell to do. */
struct asked {
    uint64_t tag;
    int effect;
    char host[64]; /* NAMENODE_EFFECT_ASK_RACK */
};

struct record {
    const struct message_type *type;
    void *message;
};

struct fixture {
    struct namenode_settings settings;
    struct namenode *nn;
    uint64_t seed;
    struct actions actions;
    struct trace trace;
    struct buf traced; /* trace lines and commands since the last clear */
    int64_t now_ms;
    int64_t wall_ms;
    const char *user;
    const struct slice *groups; /* of user */
    size_t groups_count;
    uint64_t next_call;
    uint64_t next_request;
    uint64_t report_serial;
    uint64_t client;
    /* The journal. */
    struct record *records;
    size_t record_count;
    size_t record_capacity;
    struct arena *journal;
    size_t replay_every; /* 1: after each step; 0: never */
    size_t steps;
    /* The answer to the last call. */
    struct arena *answers;
    bool is_answered;
    enum status status;
    char text[256];
    const void *response;
    struct asked asked[EFFECTS_MAX]; /* and not answered by the test */
    size_t asked_count;
    struct test_node nodes[NODES_MAX];
    size_t node_count;
};

/* Rebuilt for every test. */
extern struct fixture f;

void fixture_setup(void);
void fixture_teardown(void);

/* --- given --------------------------------------------------------------------------- */

/* Opens and starts with f.settings; done by the first call otherwise. */
void given_started(void);
struct test_node *given_node(const char *host, const char *rack);
/* h1 in /r1, h2 in /r2, h3 in /r1 ...; all registered, reported and beating. */
void given_nodes(size_t count);
void given_directory(const char *path);
/* A complete file with so many full blocks, written to all targets; returns its id. */
uint64_t given_file(const char *path, size_t blocks, uint32_t replication);
/* Safe mode is over, copies may begin at once. */
void given_repairing(void);

/* --- when ---------------------------------------------------------------------------- */

void step(struct event event);
/* As f.user. The status of the answer; ERR_INTERNAL when there is none yet. */
enum status call(enum method method, const void *request);
/* Time passes deadline by deadline. */
void when_ms_pass(int64_t ms);
void when_restarted(void);
/* A stopped process: time passes without a step. */
void when_paused(int64_t ms);
void node_register(struct test_node *node);
void node_report(struct test_node *node);
void node_beat(struct test_node *node);
void node_die(struct test_node *node);
/* Its connection breaks; what becomes of it otherwise is the test's to say. */
void node_hang_up(struct test_node *node);
void node_received(struct test_node *node, const struct dfs_block_info *info);
void node_says_corrupt(struct test_node *node, uint64_t block_id);
/* It has looked. */
void node_says_verified(struct test_node *node, uint64_t block_id, bool is_bad);
/* What it was told to copy or merge came to nothing. */
void node_says_failed(struct test_node *node, const struct dfs_failed_work *work);

enum status do_mkdirs(const char *path, uint32_t permission, bool parents);
enum status do_delete(const char *path, bool recursive);
enum status do_rename(const char *source, const char *destination);
enum status do_create(const char *path,
                      bool overwrite,
                      uint32_t replication,
                      uint64_t *ret_file_id);
enum status do_add_block(uint64_t file_id,
                         const char *host,
                         struct dfs_add_block_response *ret_block);
/* Sealed on the first count targets, which store it. */
enum status do_seal(uint64_t file_id,
                    const struct dfs_add_block_response *block,
                    uint64_t length,
                    size_t count);
enum status do_complete(uint64_t file_id, uint64_t length);
/* Add, store on all targets, seal. */
enum status do_write_block(uint64_t file_id, uint64_t length, uint64_t *ret_block_id);
enum status do_status(const char *path, struct dfs_file_status *ret_status);
enum status do_blocks(const char *path,
                      const char *host,
                      struct dfs_get_blocks_response *ret_blocks);

/* --- then ---------------------------------------------------------------------------- */

struct test_node *node_by_id(uint64_t id);
bool node_has(const struct test_node *node, uint64_t block_id);
/* Nodes that have it on disk. */
size_t count_on_disk(uint64_t block_id);
/* Readable replicas of the n-th block. */
size_t count_readable(const char *path, size_t nth);
struct dfs_cluster_status_response cluster(void);
bool was_traced(const char *text);
void forget_traced(void);
/* The names in a directory, joined with blanks, in f.answers. */
const char *names_in(const char *path);
void expect_replay_equal(int line);
struct slice text_of(const char *string);

#define EXPECT_REPLAY_EQUAL() expect_replay_equal(__LINE__)

/* --- fixture_tokens.c: tokens that say in words what the machine wanted signed ---------- */

void fixture_sign(struct namenode *nn); /* every machine of the fixture's own has it */
/* A token of now. Those of every copy and merge are looked at by the datanodes. */
void expect_token(struct slice token, uint64_t block_id, enum block_mode mode, const char *user);

#endif
