/* src/store/check.h
 *
 * Is a mailbox file what it should be? Pages and their tags, foreign keys, what is counted against what is
 * there, the change log against the messages, every byte of every email. Looks only; the one thing it can
 * do about what it finds is mailbox_sweep, which removes what nothing refers to.
 *
 * In slices, so that whoever shares the handle need not wait: everything a check needs to go on later, on
 * another handle or after a restart, is step, cursor and found. Between two slices the mailbox may change:
 * each question is asked of one snapshot. Findings hold numbers and names of our own tables, no mail. */
#ifndef SRC_STORE_CHECK_H
#define SRC_STORE_CHECK_H
#include "src/store/mailbox.h"

#define CHECK_FINDINGS_MAX 100u /* listed; more are counted */
#define CHECK_DETAIL_MAX   160u

struct check_finding {
    const char *what; /* "pages", "counts", ... */
    char detail[CHECK_DETAIL_MAX];
};

/* Zeroed to begin. */
struct check {
    bool whole; /* nobody else waits: all pages in one go, free ones too */
    uint32_t step;
    int64_t cursor;
    uint64_t found;
    struct check_finding list[CHECK_FINDINGS_MAX];
    size_t n;
    struct parts_check parts;
    uint64_t folders, messages, emails, bytes; /* looked at by this process */
    uint64_t orphans;                          /* rows that can be swept */
    uint64_t leftovers;                        /* findings of these; all others are damage */
};

/* Go on for about slice_ms (0: to the end). 1: there is more; 0: done; E_* when it could not be looked at:
 * E_CORRUPT is a finding, never returned. */
MUST_CHECK int mailbox_check(struct mailbox *box, struct check *c, int64_t slice_ms);
/* (w) Remove up to `max` emails that no message refers to, and rows that belong to no email. How many. */
MUST_CHECK int mailbox_sweep(struct mailbox *box, size_t max);

/* ---- when the mailbox was looked after, kept in itself ------------------------------------------- */

struct care_dates {
    int64_t created_ms, checked_ms; /* checked 0: never */
    uint64_t findings;              /* of the check that ended then */
    uint32_t step;                  /* of the check under way; 0: none is */
    int64_t cursor;
    uint64_t found;
};
MUST_CHECK int mailbox_care_get(struct mailbox *box, struct care_dates *out);
/* (w) */
MUST_CHECK int mailbox_care_set(struct mailbox *box, const struct care_dates *d);

/* ---- what goes by itself -------------------------------------------------------------------------- */

/* (w) Expunge up to `max` messages that came into folders of this use (Store__SpecialUse) before
 * before_ms (SAVEDATE, RFC 8514). How many; the change log has them. */
MUST_CHECK int mailbox_retain_due(struct mailbox *box, int special_use, int64_t before_ms); /* 1, 0 */
MUST_CHECK int mailbox_retain(struct mailbox *box, int special_use, int64_t before_ms, size_t max);
/* Give free pages back, up to `pages`, when more than a tenth of the file and SHRINK_LEAST of them are
 * free. 1: there is more to give back; 0. Not inside a transaction. */
#define SHRINK_LEAST 256u /* 1 MiB */
MUST_CHECK int mailbox_shrink(struct mailbox *box, uint32_t pages);
#endif
