/* lib/mailauth/check.h
 *
 * All checks of one message that comes in: SPF for the client, DKIM, ARC and DMARC, on one table of look-ups, and
 * the header fields that say what was found. For an event loop:
 *
 *   mailauth_check_start      when MAIL FROM is known; look-ups for SPF can go out at once
 *   mailauth_check_feed, end  the message, as it came
 *   mailauth_check_run        until it says 0; in between answer what lookups_next(&c->lookups) gives out
 *   lookups_give_up           when time is over: what is not known becomes temperror, and run says 0 */
#ifndef LIB_MAILAUTH_CHECK_H
#define LIB_MAILAUTH_CHECK_H
#include "lib/mailauth/arc.h"
#include "lib/mailauth/dkim.h"
#include "lib/mailauth/dmarc.h"
#include "lib/mailauth/spf.h"

struct mailauth_envelope {
    struct str ip;       /* of the client, as text; no address: SPF is not checked */
    struct str helo;     /* foreign */
    struct str sender;   /* of MAIL FROM, A-labels or UTF-8; empty for <> */
    struct str receiver; /* our host name, the authserv-id */
    int64_t now_s;
};

struct mailauth_check {
    struct arena arena; /* the envelope */
    struct lookups lookups;
    struct mailauth_message message;
    const struct psl *psl;
    struct spf_request rq, helo_rq;
    bool has_ip, null_sender, spf_done, helo_done, done;
    struct spf_result spf;  /* of MAIL FROM; for <> of HELO */
    struct spf_result helo; /* of HELO; not looked at for <> */
    struct arc_result arc;
    struct dmarc_result dmarc;
    char from_domain[LOOKUP_NAME_MAX + 1]; /* A-labels; empty: none, or several */
    const char *from_problem;
    bool from_list; /* a list or forwarder had it: ARC passes, or list fields are there */
};

/* Zero or released before. psl: borrowed, may be NULL. E_NOMEM. */
MUST_CHECK int mailauth_check_start(struct mailauth_check *c, const struct mailauth_envelope *e,
                                    const struct psl *psl);
void mailauth_check_release(struct mailauth_check *c);
void mailauth_check_feed(struct mailauth_check *c, struct str in);
void mailauth_check_end(struct mailauth_check *c);
/* 0: everything is known; MAILAUTH_WAITS. Before the end it never says 0. */
MUST_CHECK int mailauth_check_run(struct mailauth_check *c);
/* "Authentication-Results: …\r\nReceived-SPF: …\r\n", appended; after run said 0. Errors of buf; E_NOMEM. */
MUST_CHECK int mailauth_check_fields(const struct mailauth_check *c, struct buf *out);
#endif
