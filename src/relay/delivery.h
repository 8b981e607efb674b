/* src/relay/delivery.h: what the files of one delivery share.
 *
 * delivery.c  its life: the envelope's answers, the body, how it went
 * hosts.c     which server gets it
 * envelope.c  MAIL and RCPT as that server can take them
 * tls_note.c  what TLS reports are made of */
#ifndef SRC_RELAY_DELIVERY_H
#define SRC_RELAY_DELIVERY_H
#include "src/relay/relay.h"

#define DELIVERY_NOTES_MAX 32u

enum step { AT_ROUTE, AT_ADDRS, AT_TLSA, AT_DIAL, AT_SESSION, AT_ENVELOPE, AT_BODY, AT_DOT, AT_END };

struct delivery {
    struct rpc_req *q;
    Relay__SendRequest *m;
    enum step step;
    const struct route *route;
    size_t host;
    struct lookup *lookup;
    struct relay_sts_wait *sts;
    struct dane_find *dane;
    struct safety safety;
    struct need need;  /* of the host that is tried */
    Relay__Sts *newer; /* a policy for the courier */
    Relay__TlsNote *notes[DELIVERY_NOTES_MAX];
    size_t nnotes;
    struct dial *dial;
    struct dial_addr addrs[DIAL_ADDRS_MAX];
    size_t naddrs, addr;
    struct session *s;
    Relay__Outcome *out, **outs;
    struct str *rcpt;
    size_t accepted;
    uint32_t offer;
    struct buf body; /* came, and has not been sent */
    uint64_t sent;
    bool body_end, clear, cancelled, trouble, uncertain, needs_7bit; /* clear: TLS failed with this host */
    bool unfit;            /* no host can do what REQUIRETLS asks for */
    const char *sts_error; /* the policy could not be had */
    unsigned code;         /* why the last host did not do, for when none does */
    const char *enhanced;
    char text[SMTP_ANSWER_TEXT_MAX + 80], peer[330], tls[80];
    struct delivery *next, **at;
};

/* ---- delivery.c ---- */
/* It ends. Whoever has no outcome yet gets this one. */
void delivery_give_up(struct delivery *d, Relay__Outcome__Kind kind, unsigned code, const char *enhanced,
                      const char *text);
void delivery_no_memory(struct delivery *d);
void delivery_session_end(struct delivery *d, bool clean);
const char *delivery_why_text(int why); /* E_* of a connection, in words; static */

/* ---- hosts.c ---- */
/* Where it can go is asked. E_NOMEM. */
MUST_CHECK int delivery_find(struct delivery *d);
const struct route_host *delivery_host(const struct delivery *d); /* that is tried */
/* Tries the next one that may be tried; when there is none it is given up, for the last reason. */
void delivery_next_host(struct delivery *d);
void delivery_skip_host(struct delivery *d);
void delivery_reason(struct delivery *d, unsigned code, const char *enhanced, const char *text);
/* "MTA-STS: …": who asks stands first. */
void delivery_reason_tls(struct delivery *d, const char *enhanced, const char *why, const char *more);

/* ---- tls_note.c ---- */
/* result NULL: it went well. Without memory there is one note less. */
void delivery_note(struct delivery *d, const struct session *s, const char *result, const char *why);
/* A connection is made: what became of its TLS. */
void delivery_note_session(struct delivery *d);

/* ---- envelope.c ---- */
/* Lines with their CRLF. E_SYNTAX: an address that cannot be written. Errors of buf. */
MUST_CHECK int envelope_mail(const Relay__SendRequest *m, const struct smtp_offer *o, struct buf *b);
MUST_CHECK int envelope_rcpt(const Relay__Recipient *to, const struct smtp_offer *o, struct buf *b);
/* What this server lacks that the message cannot do without: NULL, or why, with its enhanced code. */
const char *envelope_lacks(const Relay__SendRequest *m, const struct smtp_offer *o, const char **enhanced);
#endif
