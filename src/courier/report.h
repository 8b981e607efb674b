/* src/courier/report.h
 *
 * What a sender hears of a message (RFC 3464; RFC 6533 where it was internationalized): that it failed, that it is
 * late, that it was handed on to a server which will not tell. A report is a message of the queue, made in the
 * transaction that notes the outcome: neither is without the other, and it is made once. Whoever has no return
 * address hears nothing, and nobody hears of a report. Knows the queue only. */
#ifndef SRC_COURIER_REPORT_H
#define SRC_COURIER_REPORT_H
#include "src/courier/queue.h"

#define REPORT_WHOLE_MAX MIB(10) /* of a message that is given back, though RET=FULL asks for more */

/* hostname: what we call ourselves; borrowed for good. A message of at most whole_bytes comes back whole when nothing
 * was said (RET), a larger one with its header only. */
void courier_report_open(struct str hostname, uint64_t whole_bytes);

/* Who a rewritten sender (SRS) was, appended; E_NOTFOUND: it is none. For good; unless set nobody is looked for. */
void courier_report_origin(int (*origin)(struct queue *q, struct str sender, struct buf *out));

/* Between begin and commit. Before queue_done: who must hear of these outcomes. */
MUST_CHECK int courier_report_done(struct queue *q, const struct queue_claim *c,
                                   const struct queue_outcome *o);
/* Before queue_told. */
MUST_CHECK int courier_report_late(struct queue *q, const struct queue_message *m,
                                   const struct queue_target *t, size_t n);
/* Before queue_expired; what is under way or held is not over. */
MUST_CHECK int courier_report_expired(struct queue *q, const struct queue_message *m,
                                      const struct queue_target *t, size_t n);

/* What the mx took for recipients here, who asked with NOTIFY=SUCCESS. */
enum courier_arrived { COURIER_DELIVERED, COURIER_EXPANDED, COURIER_RELAYED };
struct courier_arrival {
    enum courier_arrived action;
    struct str to, orcpt;
};
/* A report for each action. m: sender, envid, smtputf8, requiretls, created_ms, and the message's header as `prepend`.
 * E_FULL: the queue is; it is somebody else's message, and he can come again. */
MUST_CHECK int courier_report_arrived(struct queue *q, const struct queue_message *m,
                                      const struct courier_arrival *v, size_t n);
/* NOTIFY for the next server. Where a forward goes is its owner's secret, which "delivered" of the next server would tell
 * to anybody who asks: the forward's SUCCESS ends here, with "relayed" (RFC 3461 5.2.7.4; 5.2.7.3 a). */
uint32_t courier_notify_onward(const struct queue_message *m, uint32_t notify);

/* dest.c: "example.org" in lower-case A-labels, in the arena. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int courier_address_dest(struct arena *a, struct str address, struct str *dest_out);
/* An address as two are compared: ASCII letters small, the domain as above. The same errors. */
MUST_CHECK int courier_address_key(struct arena *a, struct str address, struct str *key_out);
#endif
