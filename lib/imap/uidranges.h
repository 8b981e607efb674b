/* lib/imap/uidranges.h
 *
 * The UIDs of a folder, kept as ranges: how a session knows its view of a mailbox. The message with
 * sequence number n is the n-th smallest UID. Look-ups are O(log ranges), adding at the end O(1);
 * a million messages with a few thousand gaps cost under 64 KiB. Also a plain sorted set of UIDs.
 *
 * Start with {0} and end with uidranges_release. Errors leave it as it was: E_LIMIT (more than
 * UIDRANGES_MAX ranges), E_NOMEM. */
#ifndef LIB_IMAP_UIDRANGES_H
#define LIB_IMAP_UIDRANGES_H
#include "lib/imap/seqset.h"

#define UIDRANGES_MAX 4000000u

struct uidranges {
    struct uidranges_row {
        uint32_t lo, hi, before; /* before: UIDs in the rows before this one */
    } * r;
    size_t n, cap;
};

void uidranges_release(struct uidranges *u);
void uidranges_clear(struct uidranges *u);
/* lo..hi; those that are there already are no error. lo > 0, lo <= hi. */
MUST_CHECK int uidranges_add(struct uidranges *u, uint32_t lo, uint32_t hi);
/* All of these, in whatever order: SORT's, of a hundred thousand, one by one would take seconds. E_NOMEM, E_LIMIT. */
MUST_CHECK int uidranges_add_all(struct uidranges *u, const uint32_t *v, size_t n);
/* Those that are not there are no error. */
MUST_CHECK int uidranges_remove(struct uidranges *u, uint32_t lo, uint32_t hi);
/* All of `gone` at once, O(n + m). */
MUST_CHECK int uidranges_subtract(struct uidranges *u, const struct uidranges *gone);
MUST_CHECK int uidranges_copy(struct uidranges *to, const struct uidranges *from);

uint32_t uidranges_count(const struct uidranges *u);
/* The largest UID, 0 when empty. */
uint32_t uidranges_last(const struct uidranges *u);
bool uidranges_has(const struct uidranges *u, uint32_t uid);
/* UID of sequence number `seq` (from 1), 0 when there is none. */
uint32_t uidranges_uid(const struct uidranges *u, uint32_t seq);
/* Sequence number of `uid`, 0 when it is not there. */
uint32_t uidranges_seq(const struct uidranges *u, uint32_t uid);
/* How many UIDs are <= uid. */
uint32_t uidranges_rank(const struct uidranges *u, uint32_t uid);
/* The smallest UID greater than `uid`, 0 when there is none. */
uint32_t uidranges_next(const struct uidranges *u, uint32_t uid);
/* The last UID of the run without gaps that `uid`, which must be there, stands in. */
uint32_t uidranges_run(const struct uidranges *u, uint32_t uid);

/* `out` (empty) = the UIDs of `u` that `uids` names; or that have the sequence numbers `seqs`: then
 * E_RANGE when one of them is larger than the count (RFC 9051 9: a BAD). */
MUST_CHECK int uidranges_pick_uids(const struct uidranges *u, const struct seqset *uids,
                                   struct uidranges *out);
MUST_CHECK int uidranges_pick_seqs(const struct uidranges *u, const struct seqset *seqs,
                                   struct uidranges *out);
/* "1:3,5" */
MUST_CHECK int uidranges_write(const struct uidranges *u, struct buf *out);
#endif
