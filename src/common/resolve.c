#include "src/common/resolve.h"
#include "lib/base/errors.h"
#include "lib/dns/message.h"
#include "proto/resolver.pb-c.h"

#define ANSWER_MAX (16 * DNS_RDATA_MAX) /* protobuf's structs and ours, for each record */

struct resolve {
    struct rpc_call *call;
    uint16_t type;
    resolve_fn *done;
    void *ctx;
};

int resolve_unpack(struct arena *a, struct str body, uint16_t type, struct dns_answer *out)
{
    const Resolver__ResolveResponse *m = RPC_UNPACK(a, body, resolver__resolve_response);
    struct dns_reply r = { .n = 0 };

    if (!m || m->status > DNS_TIMEOUT || m->n_records > DNS_RECORDS_MAX)
        return E_CORRUPT;
    r.status = (enum dns_status)m->status;
    r.ad = m->ad;
    r.ttl_s = m->ttl_s;
    if (m->name.len > 0 && dns_name_from_wire(pb_str(m->name), &r.name) < 0)
        return E_CORRUPT;
    if (m->n_records > 0 && !(r.v = ARENA_ARRAY(a, m->n_records, struct dns_rdata)))
        return E_NOMEM;
    for (; r.n < m->n_records; r.n++)
        r.v[r.n] = (struct dns_rdata){ m->records[r.n]->ttl_s, pb_str(m->records[r.n]->rdata) };
    return dns_answer_decode(&r, type, a, out);
}

static void answered(void *ctx, int status, struct str body)
{
    struct resolve k = *(struct resolve *)ctx;
    struct arena a = { .max = ANSWER_MAX };
    struct dns_answer ans = { .status = status == E_TIMEOUT ? DNS_TIMEOUT : DNS_SERVFAIL };

    free(ctx);
    if (status == 0 && resolve_unpack(&a, body, k.type, &ans) < 0)
        ans = (struct dns_answer){ .status = DNS_SERVFAIL };
    k.done(k.ctx, &ans);
    arena_release(&a);
}

struct resolve *resolve_ask(struct rpc_link *l, const struct dns_question *q, int64_t wait_ms,
                            resolve_fn *done, void *ctx)
{
    Resolver__ResolveRequest m = RESOLVER__RESOLVE_REQUEST__INIT;
    struct resolve *k = calloc(1, sizeof *k);
    struct rpc_ask ask = {
        .op = RESOLVER__OP__RESOLVE, .body = &m.base, .deadline_ms = wait_ms, .done = answered, .ctx = k
    };

    if (!k)
        return NULL;
    *k = (struct resolve){ .type = q->type, .done = done, .ctx = ctx };
    m.name = str_pb(str_slice(q->name, 0, DNS_TEXT_MAX + 1)); /* longer ones are no names either */
    m.type = q->type;
    if (!(k->call = rpc_link_ask(l, &ask))) {
        free(k);
        return NULL;
    }
    return k;
}

void resolve_cancel(struct resolve **rp)
{
    struct resolve *k = *rp;

    *rp = NULL;
    if (!k)
        return;
    rpc_call_cancel(k->call);
    free(k);
}
