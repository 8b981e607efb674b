/* lib/spam/scan.h
 *
 * A letter in, evidence out: rules that hold, the numbers its words are for a classifier, the hosts its links lead
 * to. One pass over slices cut anywhere, beside the parser of lib/mime. Memory is bounded whatever comes (about
 * 500 KiB with an archive in an archive), and so is the work: time grows with the bytes of the letter and at most
 * SPAM_ARCHIVE_BYTES_MAX of what is packed in it. It knows nothing of who sent it, of files and of networks. */
#ifndef LIB_SPAM_SCAN_H
#define LIB_SPAM_SCAN_H
#include "lib/mime/text.h"
#include "lib/spam/attach.h"
#include "lib/spam/links.h"
#include "lib/spam/tokens.h"

struct spam_facts {
    struct str own;              /* the recipient's domain; may be empty. Borrowed until the scan is freed */
    const struct psl *psl;       /* may be NULL */
    uint8_t key[SPAM_KEY_BYTES]; /* of the classifier whose tokens are wanted */
    int64_t now_ms;              /* wall; 0: dates are not judged */
};

struct spam_evidence {
    struct spam_hits hits;
    const uint64_t *tokens;
    size_t ntokens;
    const struct spam_host *hosts;
    size_t nhosts;
};

struct spam_scan; /* opaque */

/* NULL without memory. */
struct spam_scan *spam_scan_new(const struct spam_facts *facts);
/* E_NOMEM, E_LIMIT: no evidence will come. */
MUST_CHECK int spam_scan_feed(struct spam_scan *s, struct str bytes);
/* The letter has ended. What *out points at lives until the scan is freed. */
MUST_CHECK int spam_scan_finish(struct spam_scan *s, struct spam_evidence *out);
/* Frees; sets NULL, accepts NULL. */
void spam_scan_free(struct spam_scan **s);
#endif
