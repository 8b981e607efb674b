/* src/courier/tell.c: how it went with mail that left, to the journal of who sent it or whose forward it is. */
#include "lib/base/hex.h"
#include "src/common/report.h"
#include "src/courier/courier.h"

static const char *event_of(const struct queue_claim *c, const struct queue_outcome *o)
{
    static const char *const
        sent[] = { [QUEUE_DELIVERED] = "sent", [QUEUE_DEFERRED] = "deferred", [QUEUE_FAILED] = "failed" },
        *const forwards[] = { [QUEUE_DELIVERED] = "forwarded",
                              [QUEUE_DEFERRED] = "forward-deferred",
                              [QUEUE_FAILED] = "forward-failed" };

    if (o->again)
        return "forward-rewritten";
    return (c->m.origin == COURIER__ORIGIN__FORWARDED ? forwards : sent)[o->result];
}

static void tell_one(const struct queue_claim *c, const struct queue_target *t, const struct queue_outcome *o)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(2) };
    char id[2 * QUEUE_NAME_BYTES + 1] = "";
    struct note n = { .person = t->alias.n ? t->alias : c->m.submitter,
                      .other = t->to,
                      .event = str_from(event_of(c, o)),
                      .client = c->domain,
                      .bytes = c->m.bytes };

    if (str_starts(t->to, STR("dsn:"))) /* it did not leave */
        return;
    if (c->m.name.n == QUEUE_NAME_BYTES)
        hex_encode(c->m.name.p, c->m.name.n, id);
    if (o->code && buf_printf(&why, "%u %.*s%s%.*s", o->code, STR_ARG(o->enhanced), o->enhanced.n ? " " : "",
                              STR_ARG(o->text)) < 0)
        return;
    if (!o->code && buf_puts(&why, o->text) < 0)
        return;
    n.id = str_from(id);
    n.why = buf_str(&why);
    report_note(&n);
}

void courier_tell(const struct queue_claim *c, const struct queue_outcome *o)
{
    for (size_t i = 0; i < c->n; i++)
        if (o[i].result != QUEUE_UNTRIED)
            tell_one(c, &c->targets[i], &o[i]);
}
