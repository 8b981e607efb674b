/* test/fault/faultfs.h
 *
 * Power loss and failing disks, for tests. Linked into a test program, it stands between the program
 * (SQLite, lib/base/file.h, whatever writes) and the kernel: the C library's open, write, fsync,
 * rename, unlink, ... are replaced for the whole process by ones that keep a journal of every change
 * below one folder. From the journal it makes the disk as power loss at any moment may leave it:
 *
 * - what a file held at its last fsync is there, and nothing else is certain;
 * - of what was written since, any subset of 512-byte sectors, each as it was at some moment; the
 *   file's length likewise; a truncation that is lost takes with it what was written after it;
 * - a name that was made, renamed or removed is so for certain only after an fsync of its folder.
 *   Before, each may be lost or kept, in order for one name, in any order for different names: syncing a
 *   file does not sync its name (POSIX; most file systems are kinder);
 * - SQLite's -shm files do not survive.
 *
 * One journal per process; threads may work under it. Not seen: mmap, writev, link, O_TMPFILE. */
#ifndef TEST_FAULT_FAULTFS_H
#define TEST_FAULT_FAULTFS_H
#include "lib/base/base.h"

/* Begin: all that lies below `root` now counts as safe on disk. Forgets an earlier journal. */
void faultfs_start(const char *root);
/* No more recording and no more failing; the journal stays for replays. */
void faultfs_stop(void);
/* The workload was just told that something is done: it must survive from here on. `value` is the
 * test's own, the latest is given back for every later point. */
void faultfs_ack(uint64_t value);

/* The moments at which to pull the plug: before and after every sync, at every ack, at the end. */
size_t faultfs_points(void);
/* What was acknowledged before that moment: the number of acks; *value_out (may be NULL) the last. */
size_t faultfs_acked(size_t point, uint64_t *value_out);
/* Make the new folder `out`: the tree as it may be found after power loss at `point`. The same seed
 * gives the same tree. Seeds 0 and 1 (mod 4) lose and keep all that was not synced. */
void faultfs_materialize(size_t point, uint64_t seed, const char *out);
/* Call `check` for every point and seeds 0..replays-1 (fewer than 4: other seeds at every point) with the
 * folder made (and removed after);
 * on failure of a CHECK in it, point and seed are on standard error. Returns the replays done. */
size_t faultfs_replay(const char *scratch, size_t replays,
                      void (*check)(const char *folder, size_t point, void *ctx), void *ctx);
/* Remove a tree. */
void faultfs_remove_tree(const char *path);

enum fault_call {
    FAULT_OPEN = 1 << 0, /* that may create or write */
    FAULT_WRITE = 1 << 1,
    FAULT_SYNC = 1 << 2, /* of files and folders */
    FAULT_TRUNCATE = 1 << 3,
    FAULT_RENAME = 1 << 4,
    FAULT_UNLINK = 1 << 5,
    FAULT_MKDIR = 1 << 6,
    FAULT_ANY = (1 << 7) - 1,
};
/* From now on the nth call (from 1) of these kinds fails with errno `err` (ENOSPC, EIO, ...), and with
 * `for_good` all that follow too: a full disk stays full. nth 0: nothing fails. Restarts the count. */
void faultfs_fail(unsigned calls, size_t nth, int err, bool for_good);
/* Calls of those kinds since faultfs_fail: how far nth has to go. */
size_t faultfs_calls(void);
/* `fn` is called by whoever syncs, before it does, with nothing locked. NULL: no longer. */
void faultfs_on_sync(void (*fn)(void));
/* How often a call was made to fail since faultfs_fail. */
size_t faultfs_failures(void);
#endif
