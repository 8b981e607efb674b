/* src/store/keybox.h
 *
 * Where `.keys` and the mailbox file meet: opening one with the other, also in the middle of a change of
 * keys that a crash cut off. Synchronous, worker threads only. */
#ifndef SRC_STORE_KEYBOX_H
#define SRC_STORE_KEYBOX_H
#include "src/store/keys.h"

/* The mailbox file under the data key, or, while a rotation is under way, under the next one.
 * *generation_out: whose key it was. E_* of mailbox_open. */
MUST_CHECK int keybox_open(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                           const struct mailbox_options *o, struct mailbox **out, uint32_t *generation_out);
/* The mailbox says which keys it knew last: E_STALE, E_CORRUPT when `.keys` is not them or newer ones.
 * `kf` was opened with its keys, so its MAC holds: a newer one is no forgery, even with another public
 * key (a rotation that was cut off between `.keys` and here); it is noted in the mailbox. */
MUST_CHECK int keybox_settle(struct mailbox *box, const struct keyfile *kf, uint32_t generation,
                             const uint8_t mac_key[KEY_BYTES]);
/* Note it in the mailbox, in a transaction of its own. */
MUST_CHECK int keybox_note(struct mailbox *box, uint64_t generation, const uint8_t state[KEYSTATE_BYTES]);
/* The middle of a rotation, `.keys` naming both keys already, in two steps.
 * copy: the mailbox, which is `box` or, when that is NULL, opened for it, goes into a file beside it under
 * the next key; the copy is verified page by page and has as many rows in every table and the same number of
 * commits: *commits_out. 1: the file is under the next key already, nothing to do. E_FULL: it would not fit.
 * swap: while nothing is written to it and nobody has it open, the copy takes its place. E_STALE: the
 * mailbox was changed after the copy; E_BUSY: somebody has it open. */
MUST_CHECK int keybox_copy(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                           struct mailbox *box, uint64_t *commits_out);
MUST_CHECK int keybox_swap(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                           uint64_t commits);
/* Has the copy of a mailbox as many rows in every table, and the same number of commits? E_CORRUPT. */
MUST_CHECK int keybox_compare(struct db *of, struct db *copy);
/* Both; fine when they were done before. Nobody may have it open. */
MUST_CHECK int keybox_exchange(const struct files *f, const struct keyfile *kf,
                               const struct keyfile_keys *keys);
#endif
