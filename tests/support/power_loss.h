/*
 * power_loss.h - power cuts, modelled in the I/O layer: a recorder of everything that a protocol
 * does to its files, and a player that builds the disks a power cut may leave (ALICE, OSDI'14;
 * CrashMonkey, OSDI'18).
 *
 * The model is stricter than ext4:
 *   - a write, truncation or reservation of a file is only sure after a sync of that file; a name
 *     that was made, changed or removed is only sure after a sync of its directory;
 *   - what is not sure at the cut is there or not, each by itself, in any combination;
 *   - a write that is not sure may be there in part: up to, or from, a border of 512 or 4096 bytes
 *     near its middle, or with its length but zeros for its bytes;
 *   - a rename is one change of names; a name keeps pointing at its own file, whatever happened to
 *     the file's bytes.
 * A cut comes after every single call. With at most pending_max changes that are not sure, all
 * combinations are built; with more, none, all, and a number of random ones.
 *
 * How to use it (of a block store, say; see tests/unit/journal/test_journal_power.c):
 *     struct power_loss *power = power_loss_open(root);   root exists; all in it is sure
 *     power_loss_start(power);                            os_calls are recorded from here
 *     power_loss_attempt(power, 1);                       the first block is about to be written
 *     ... what the datanode does, on real files below root, on one thread ...
 *     power_loss_promise(power, 1);                       it was acknowledged
 *     ...
 *     power_loss_stop(power);
 *     power_loss_each(power, &options, scratch, check, &state);
 *     power_loss_close(power);
 * where check(state, directory, promised, attempted) opens the store found in directory and must
 * find everything up to promised, nothing beyond attempted, and nothing by half. It may write
 * there. Only calls of lib/os's table are seen (no maps, no copy_file_range).
 */
#ifndef MILLRACE_TESTS_SUPPORT_POWER_LOSS_H
#define MILLRACE_TESTS_SUPPORT_POWER_LOSS_H

#include <stddef.h>
#include <stdint.h>

struct power_loss;

struct power_loss_options {
    uint64_t seed;
    size_t pending_max;    /* all combinations up to so many changes that are not sure; 0: 3 */
    size_t random_images;  /* else so many per cut; 0: 16 */
    size_t directory_step; /* of directories made one after the other: a cut after so many; 0: 1 */
};

/* The directory is the disk as it would be found; its content is thrown away afterwards. */
typedef void power_loss_check(void *user,
                              const char *directory,
                              uint64_t promised,
                              uint64_t attempted);

/* Reads what is below root, which must be no link; borrowed. */
struct power_loss *power_loss_open(const char *root);
void power_loss_start(struct power_loss *power);
void power_loss_stop(struct power_loss *power);
/* Marks in the record: value is about to be done; value was acknowledged. */
void power_loss_attempt(struct power_loss *power, uint64_t value);
void power_loss_promise(struct power_loss *power, uint64_t value);
/* Changes recorded so far. */
size_t power_loss_changes(const struct power_loss *power);
/*
 * Builds every disk below scratch, a directory of its own, and calls check for each; of disks that
 * are alike only one. Returns how many that were.
 */
size_t power_loss_each(struct power_loss *power,
                       const struct power_loss_options *options,
                       const char *scratch,
                       power_loss_check *check,
                       void *user);
/* What the last call of check got, in words, for a failing test: cut, changes left out. */
const char *power_loss_describe(const struct power_loss *power);
void power_loss_close(struct power_loss *power);

#endif
