/* lib/imap/seqset.h
 *
 * Sets of message numbers as IMAP writes them: "1:3,7,12:*" (RFC 9051 9, sequence-set).
 * Grammar and arithmetic only: no mailbox, no I/O, no globals. '*' is resolved while
 * parsing, so a set is good for one view of one mailbox and no longer. A set is kept sorted and
 * without overlaps; the order a client wrote means nothing (RFC 9051 9). */
#ifndef LIB_IMAP_SEQSET_H
#define LIB_IMAP_SEQSET_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define SEQSET_RANGES_MAX 4096u /* a longer list is an attack or a bug, not a mailbox */

struct seqset; /* opaque, immutable; lives and dies with its arena */

struct seq_range {
    uint32_t lo, hi; /* both belong to it */
};

/* Parse `text`; `last` is what '*' means, 0 in an empty mailbox. Returns 0 and sets *set_out,
 * or E_SYNTAX, E_LIMIT, E_RANGE ('*' when last is 0), E_NOMEM. On error *set_out is untouched. */
MUST_CHECK int seqset_parse(struct arena *a, struct str text, uint32_t last, const struct seqset **set_out);
/* For UIDs, and for SEARCH: '*' in an empty mailbox names nothing, which is no error. */
MUST_CHECK int seqset_parse_lenient(struct arena *a, struct str text, uint32_t last,
                                    const struct seqset **set_out);
/* From ranges in any order (lo <= hi, lo > 0). E_NOMEM. */
MUST_CHECK int seqset_make(struct arena *a, const struct seq_range *r, size_t n,
                           const struct seqset **set_out);
bool seqset_has(const struct seqset *s, uint32_t n);
/* Numbers in it. */
uint64_t seqset_count(const struct seqset *s);
/* The largest, 0 when empty. */
uint32_t seqset_max(const struct seqset *s);
/* Its ranges, ascending, with gaps between them. */
size_t seqset_ranges(const struct seqset *s);
struct seq_range seqset_range(const struct seqset *s, size_t i);
/* "1:3,7". Errors of the buf. */
MUST_CHECK int seqset_write(const struct seqset *s, struct buf *out);
MUST_CHECK int seq_range_write(struct seq_range r, bool first, struct buf *out);
#endif
