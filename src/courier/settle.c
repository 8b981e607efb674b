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

/* ---- what was given up, for the journal: the lane makes it, the loop tells ---- */

struct given_up {
    struct queue_claim c;
    struct queue_target t;
    struct queue_outcome o;
    struct given_up *next;
};
static struct given_up *given_up;

static int give_up_note(const struct queue_message *m, const struct queue_target *t,
                        const struct queue_outcome *o)
{
    struct given_up *g = calloc(1, sizeof *g);

    if (!g)
        return E_NOMEM;
    g->c.arena.max = KIB(16);
    g->t.to = arena_dup(&g->c.arena, t->to);
    g->t.alias = arena_dup(&g->c.arena, t->alias);
    g->c.m.submitter = arena_dup(&g->c.arena, m->submitter);
    g->c.m.name = arena_dup(&g->c.arena, m->name);
    g->c.m.bytes = m->bytes;
    g->c.m.origin = m->origin;
    g->o = (struct queue_outcome){ .result = QUEUE_FAILED,
                                   .code = o->code,
                                   .text = arena_dup(&g->c.arena, o->text) };
    g->next = given_up;
    given_up = g;
    return 0;
}

void courier_settle_told(bool committed)
{
    struct given_up *g;

    while ((g = given_up)) {
        given_up = g->next;
        g->c.targets = &g->t;
        g->c.n = 1;
        if (committed)
            courier_tell(&g->c, &g->o);
        arena_release(&g->c.arena);
        free(g);
    }
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
            ((r = courier_bounce_events(q, m, &t[i], &o, "expired")) < 0 ||
             (r = give_up_note(m, &t[i], &o)) < 0))
            return r;
    }
    return courier_report_expired(q, m, t, n);
}

int courier_settle(struct queue *q, const struct queue_claim *c, struct queue_outcome *o, bool trouble,
                   struct queue_counts *counts)
{
    uint64_t n = 0;
    int r;

    if ((r = courier_rewrite(q, c, o)) < 0 || (r = learn(q, c, o)) < 0 ||
        (r = courier_settle_reports(q, c, o, counts)) < 0 || (r = queue_done(q, c, o, trouble, counts)) < 0)
        return r;
    for (size_t i = 0; i < c->n; i++)
        n += o[i].again;
    counts->failed -= n;
    counts->deferred += n;
    return 0;
}
