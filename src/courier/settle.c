/* src/courier/settle.c: what follows from how deliveries went, in the transaction that notes it. */
#include "src/courier/courier.h"

int courier_settle_reports(struct queue *q, const struct queue_claim *c, const struct queue_outcome *o,
                           struct queue_counts *counts)
{
    int r;

    for (size_t i = 0; i < c->n; i++) {
        counts->failed += o[i].suppressed;
        if (o[i].result == QUEUE_FAILED &&
            (r = courier_bounce_events(q, &c->m, &c->targets[i], &o[i],
                                       o[i].suppressed ? "suppressed" : "smtp")) < 0)
            return r;
    }
    return courier_report_done(q, c, o);
}

static int learn(struct queue *q, const struct queue_claim *c, const struct queue_outcome *o)
{
    int r = 0;

    for (size_t i = 0; i < c->n && r == 0; i++)
        if (c->targets[i].kind == COURIER__TARGET__KIND__ADDRESS && o[i].result == QUEUE_FAILED &&
            courier_is_hard(o[i].code, o[i].enhanced, o[i].text))
            r = courier_suppress(q, &c->m, c->targets[i].to, o[i].code, o[i].enhanced, o[i].text);
    return r;
}

int courier_settle_expired(struct queue *q, const struct queue_message *m, const struct queue_target *t,
                           size_t n)
{
    int r;

    for (size_t i = 0; i < n; i++) {
        const struct queue_outcome o = {
            .result = QUEUE_FAILED, .code = t[i].code, .enhanced = STR("4.4.7"), .text = t[i].answer
        };

        if (t[i].state != QUEUE_HELD && t[i].state != QUEUE_UNDER_WAY &&
            (r = courier_bounce_events(q, m, &t[i], &o, "expired")) < 0)
            return r;
    }
    return courier_report_expired(q, m, t, n);
}

int courier_settle(struct queue *q, const struct queue_claim *c, struct queue_outcome *o, bool trouble,
                   struct queue_counts *counts)
{
    int r;

    if ((r = learn(q, c, o)) < 0 || (r = courier_settle_reports(q, c, o, counts)) < 0)
        return r;
    return queue_done(q, c, o, trouble, counts);
}
