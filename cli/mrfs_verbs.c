/*
 * mrfs_verbs.c - every command with its options. docs/commands.md lists the same.
 */
#include <stdio.h>

#include "cli/mrfs.h"

/* clang-format off */
#define END_OPTIONS {NULL, 0, NULL, NULL}
#define JSON_OPTION {"json", KEY_JSON, NULL, "print a JSON array"}
#define REMOTE_OPTION {"remote", KEY_REMOTE, NULL, "fetch over HTTP even what is on this host"}
#define THREADS_OPTION {"t threads", 't', "N", "files copied at a time (4)"}
#define DURABILITY_OPTION \
    {"durability", KEY_DURABILITY, "HOW", "synced: blocks are on disks (the default); or replicated"}
#define CREATE_OPTIONS \
    DURABILITY_OPTION, \
    {"replication", KEY_REPLICATION, "N", "copies of each block"}, \
    {"block-size", KEY_BLOCK_SIZE, "BYTES", "bytes of a block; suffixes k, m, g"}, \
    {"parents", KEY_PARENTS, NULL, "make missing parent directories"}

static const struct words_option put_options[] = {
    {"f force", 'f', NULL, "replace files that exist"},
    {"p", 'p', NULL, "keep times and owner"},
    {"l", 'l', NULL, "one copy of each block, if --replication says nothing else"},
    {"d", 'd', NULL, "write under the name itself, not beside it first"},
    {"r R recursive", 'r', NULL, "taken and not needed: folders are copied anyway"},
    THREADS_OPTION,
    CREATE_OPTIONS,
    END_OPTIONS};
static const struct words_option get_options[] = {
    {"f force", 'f', NULL, "replace local files that exist"},
    {"p", 'p', NULL, "keep times and permission, whatever the umask says"},
    {"r R recursive", 'r', NULL, "taken and not needed: directories are copied anyway"},
    {"crc ignoreCrc", 'c', NULL, "taken and not needed: every byte is verified"},
    THREADS_OPTION,
    REMOTE_OPTION,
    END_OPTIONS};
static const struct words_option cp_options[] = {
    {"f force", 'f', NULL, "replace files that exist"},
    {"p", 'p', NULL, "keep times, owner, group and permission"},
    {"d", 'd', NULL, "write under the name itself, not beside it first"},
    THREADS_OPTION,
    CREATE_OPTIONS,
    END_OPTIONS};
static const struct words_option cat_options[] = {
    REMOTE_OPTION,
    {"ignoreCrc", 'i', NULL, "taken and not heeded: every byte is verified"},
    END_OPTIONS};
static const struct words_option part_options[] = {
    {"c", 'c', "N", "bytes to show (1024)"},
    REMOTE_OPTION,
    END_OPTIONS};
static const struct words_option tail_options[] = {
    {"c", 'c', "N", "bytes to show (1024)"},
    {"f", 'f', NULL, "go on with what is appended, for ever"},
    REMOTE_OPTION,
    END_OPTIONS};
static const struct words_option touch_options[] = {
    {"a", 'a', NULL, "the time of access only"},
    {"m", 'm', NULL, "the time of change only"},
    {"t", 't', "TIME", "yyyyMMdd:HHmmss, UTC (now)"},
    {"c", 'c', NULL, "make no file that is missing"},
    END_OPTIONS};
static const struct words_option truncate_options[] = {
    {"w", 'w', NULL, "taken and not needed: it is done when it returns"},
    END_OPTIONS};
static const struct words_option setrep_options[] = {
    {"w", 'w', NULL, "wait until there are as many copies"},
    {"R recursive", 'R', NULL, "taken and not needed: directories are done as a whole"},
    END_OPTIONS};
static const struct words_option expunge_options[] = {
    {"immediate", KEY_IMMEDIATE, NULL, "everything, however young"},
    END_OPTIONS};
static const struct words_option fsck_options[] = {
    {"files", KEY_FILES, NULL, "every file, not only those with problems"},
    {"blocks", KEY_BLOCKS, NULL, "and their blocks"},
    {"locations", KEY_LOCATIONS, NULL, "and the hosts of their replicas"},
    {"racks", KEY_RACKS, NULL, "and the racks"},
    {"openforwrite", KEY_OPEN, NULL, "files that are being written, too"},
    {"list-corruptfileblocks", KEY_LIST_CORRUPT, NULL, "only blocks that are lost, and their files"},
    {"delete", KEY_DELETE, NULL, "remove files that have lost blocks"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option getmerge_options[] = {
    {"nl", KEY_NEWLINE, NULL, "add a newline after each file"},
    {"skip-empty-file", KEY_SKIP_EMPTY, NULL, "and none for empty files"},
    END_OPTIONS};
static const struct words_option ls_options[] = {
    {"C", 'C', NULL, "names only"},
    {"d directory", 'd', NULL, "directories themselves, not what is in them"},
    {"h human", 'h', NULL, "sizes as 1.5 K, 20.3 G"},
    {"q", 'q', NULL, "? for characters that do not print"},
    {"R recursive", 'R', NULL, "directories below, too"},
    {"t", 't', NULL, "the newest first"},
    {"S", 'S', NULL, "the largest first"},
    {"r reverse", 'r', NULL, "the other way round"},
    {"u", 'u', NULL, "times of access instead of change"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option du_options[] = {
    {"s summarize", 's', NULL, "one line for each PATH"},
    {"h human", 'h', NULL, "sizes as 1.5 K, 20.3 G"},
    {"v", 'v', NULL, "a line of titles"},
    {"x", 'x', NULL, "taken and not needed: there are no snapshots"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option df_options[] = {
    {"h human", 'h', NULL, "sizes as 1.5 K, 20.3 G"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option count_options[] = {
    {"h human", 'h', NULL, "sizes as 1.5 K, 20.3 G"},
    {"q", 'q', NULL, "quotas and what is left of them, too"},
    {"u", 'u', NULL, "quotas only"},
    {"v", 'v', NULL, "a line of titles"},
    {"x", 'x', NULL, "taken and not needed: there are no snapshots"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option stat_options[] = {
    {"blocks", KEY_BLOCKS, NULL, "show every block and where its replicas are"},
    JSON_OPTION,
    END_OPTIONS};
static const struct words_option test_options[] = {
    {"e", 'e', NULL, "is there anything"},
    {"d", 'd', NULL, "is it a directory"},
    {"f", 'f', NULL, "is it a file"},
    {"s", 's', NULL, "is it not empty"},
    {"z", 'z', NULL, "is it an empty file"},
    {"r", 'r', NULL, "may you read it"},
    {"w", 'w', NULL, "may you write it"},
    END_OPTIONS};
static const struct words_option mkdir_options[] = {
    {"p parents", 'p', NULL, "make missing parents; an existing directory is fine"},
    {"m mode", 'm', "MODE", "permission (755)"},
    END_OPTIONS};
static const struct words_option rm_options[] = {
    {"r R recursive", 'r', NULL, "remove directories with all that is in them"},
    {"f force", 'f', NULL, "what does not exist is no failure"},
    {"skipTrash", KEY_SKIP_TRASH, NULL, "do not move it to the trash"},
    {"safely", KEY_SAFELY, NULL, "ask before removing a directory of more than 100 files"},
    END_OPTIONS};
static const struct words_option rmdir_options[] = {
    {"ignore-fail-on-non-empty", KEY_IGNORE_NON_EMPTY, NULL, "leave a directory that is not empty"},
    END_OPTIONS};
static const struct words_option change_options[] = {
    {"R recursive", 'R', NULL, "change everything below, too"},
    END_OPTIONS};
static const struct words_option append_options[] = {DURABILITY_OPTION, END_OPTIONS};
static const struct words_option no_options[] = {END_OPTIONS};

static const struct mrfs_command commands[] = {
    {{"appendToFile", "LOCAL... PATH", "write local files at the end of a file; \"-\" is stdin", 2, SIZE_MAX,
      append_options, WORDS_REFUSE}, mrfs_append_to_file, true},
    {{"cat", "PATH...", "print files", 1, SIZE_MAX,
      cat_options, WORDS_REFUSE}, mrfs_cat, false},
    {{"checksum", "PATH...", "print the CRC-32C of files", 1, SIZE_MAX,
      no_options, WORDS_REFUSE}, mrfs_checksum, false},
    {{"chgrp", "GROUP PATH...", "change the group", 2, SIZE_MAX,
      change_options, WORDS_REFUSE}, mrfs_chgrp, false},
    {{"chmod", "MODE PATH...", "change permissions: 755, or u=rwx,g+w,o-rwx,+t", 2, SIZE_MAX,
      change_options, WORDS_ARGUMENT}, mrfs_chmod, false},
    {{"chown", "[OWNER][:GROUP] PATH...", "change owner and group", 2, SIZE_MAX,
      change_options, WORDS_REFUSE}, mrfs_chown, false},
    {{"concat", "PATH PATH...", "move the blocks of files to the end of the first", 2, SIZE_MAX,
      no_options, WORDS_REFUSE}, mrfs_concat, false},
    {{"count", "PATH...", "count directories, files and bytes", 1, SIZE_MAX,
      count_options, WORDS_REFUSE}, mrfs_count, false},
    {{"cp", "PATH... PATH", "copy within the filesystem", 2, SIZE_MAX,
      cp_options, WORDS_REFUSE}, mrfs_cp, true},
    {{"df", "[PATH...]", "show how much room there is", 0, SIZE_MAX,
      df_options, WORDS_REFUSE}, mrfs_df, false},
    {{"du", "[PATH...]", "show bytes, bytes of all copies, and names", 0, SIZE_MAX,
      du_options, WORDS_REFUSE}, mrfs_du, false},
    {{"expunge", "", "remove what is old in your trash", 0, 0,
      expunge_options, WORDS_REFUSE}, mrfs_expunge, false},
    {{"find", "[PATH...] [-name P] [-iname P] [-print0]", "list what is below, by name", 0, SIZE_MAX,
      no_options, WORDS_ARGUMENT}, mrfs_find, false},
    {{"fsck", "[PATH]", "check files: are all blocks there, and often enough", 0, 1,
      fsck_options, WORDS_REFUSE}, mrfs_fsck, false},
    {{"get copyToLocal", "PATH... [LOCAL]", "copy files and directories out; \"-\" is stdout", 1, SIZE_MAX,
      get_options, WORDS_REFUSE}, mrfs_get, true},
    {{"getmerge", "PATH... LOCAL", "copy files, or those of directories, into one", 2, SIZE_MAX,
      getmerge_options, WORDS_REFUSE}, mrfs_getmerge, true},
    {{"head", "PATH...", "print the begin of files", 1, SIZE_MAX,
      part_options, WORDS_REFUSE}, mrfs_head, false},
    {{"ls", "[PATH...]", "list directories", 0, SIZE_MAX,
      ls_options, WORDS_REFUSE}, mrfs_ls, false},
    {{"lsr", "[PATH...]", "the same as ls -R", 0, SIZE_MAX,
      ls_options, WORDS_REFUSE}, mrfs_lsr, false},
    {{"mkdir", "PATH...", "make directories", 1, SIZE_MAX,
      mkdir_options, WORDS_REFUSE}, mrfs_mkdir, false},
    {{"moveFromLocal", "LOCAL... PATH", "put, and remove what was copied", 2, SIZE_MAX,
      put_options, WORDS_REFUSE}, mrfs_move_from_local, true},
    {{"moveToLocal", "PATH... LOCAL", "get, and remove what was copied", 2, SIZE_MAX,
      get_options, WORDS_REFUSE}, mrfs_move_to_local, true},
    {{"mv", "PATH... PATH", "rename, or move into a directory", 2, SIZE_MAX,
      no_options, WORDS_REFUSE}, mrfs_mv, false},
    {{"put copyFromLocal", "LOCAL... [PATH]", "copy local files and folders in; \"-\" is stdin", 1, SIZE_MAX,
      put_options, WORDS_REFUSE}, mrfs_put, true},
    {{"rm", "PATH...", "remove files and, with -r, directories", 1, SIZE_MAX,
      rm_options, WORDS_REFUSE}, mrfs_rm, false},
    {{"rmdir", "PATH...", "remove empty directories", 1, SIZE_MAX,
      rmdir_options, WORDS_REFUSE}, mrfs_rmdir, false},
    {{"setrep", "N PATH...", "change how many copies there are of files", 2, SIZE_MAX,
      setrep_options, WORDS_REFUSE}, mrfs_setrep, true},
    {{"stat", "[FORMAT] PATH...", "show what is known of files", 1, SIZE_MAX,
      stat_options, WORDS_REFUSE}, mrfs_stat, false},
    {{"tail", "PATH...", "print the end of files", 1, SIZE_MAX,
      tail_options, WORDS_REFUSE}, mrfs_tail, false},
    {{"test", "PATH", "answer a question by exit code 0 or 1", 1, 1,
      test_options, WORDS_REFUSE}, mrfs_test, false},
    {{"text", "PATH...", "print files, unpacked when they are gzip", 1, SIZE_MAX,
      cat_options, WORDS_REFUSE}, mrfs_text, false},
    {{"touch", "PATH...", "change times, and make files that are missing", 1, SIZE_MAX,
      touch_options, WORDS_REFUSE}, mrfs_touch, false},
    {{"touchz", "PATH...", "make empty files", 1, SIZE_MAX,
      no_options, WORDS_REFUSE}, mrfs_touchz, false},
    {{"truncate", "LENGTH PATH...", "cut files to their first LENGTH bytes", 2, SIZE_MAX,
      truncate_options, WORDS_REFUSE}, mrfs_truncate, true},
};

/* clang-format on */

const struct mrfs_command *mrfs_find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (word_command_is(&commands[i].words, name))
            return &commands[i];
    }
    return NULL;
}

void mrfs_print_commands(void)
{
    printf("Usage: mrfs COMMAND [OPTION...] PATH...\n"
           "Works with files in the Millrace filesystem. COMMAND may have a dash in front.\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        word_command_print_row(&commands[i].words);
    printf(
        "\n\"mrfs help COMMAND\" tells the arguments and options of a command.\n"
        "In names * ? [a-z] [^a] {a,b} are patterns, \\ makes them plain; names that begin with\n"
        "no slash are below /user/NAME. The cluster is the folder in MILLRACE_DIR, else\n"
        "$HOME/.millrace/cluster. Exit codes: 0 done, 1 something failed, 2 wrong command line,\n"
        "3 cluster not reached.\n");
}
