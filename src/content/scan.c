#include "src/content/scan.h"
#include "lib/spam/scan.h"

struct job {
    struct rpc_req *req;
    void (*done)(void *ctx);
    void *ctx;
    struct spam_scan *scan;
};

static void job_reply(struct job *j, int status, const ProtobufCMessage *body)
{
    rpc_req_on_data(j->req, NULL, NULL);
    rpc_reply(j->req, status, body, NULL);
    spam_scan_free(&j->scan);
    j->done(j->ctx);
    free(j);
}

static void answer(struct job *j)
{
    Content__ScanResponse out = CONTENT__SCAN_RESPONSE__INIT;
    ProtobufCBinaryData hosts[SPAM_HOSTS_MAX];
    uint32_t rules[SPAM_RULES];
    struct spam_evidence ev;
    int r = spam_scan_finish(j->scan, &ev);

    if (r < 0) {
        job_reply(j, r, NULL);
        return;
    }
    out.rules = rules;
    for (uint32_t i = 0; i < SPAM_RULES; i++)
        if (ev.hits.hit[i])
            rules[out.n_rules++] = i;
    out.tokens = (uint64_t *)(uintptr_t)ev.tokens;
    out.n_tokens = ev.ntokens;
    out.hosts = hosts;
    for (; out.n_hosts < ev.nhosts; out.n_hosts++)
        hosts[out.n_hosts] = str_pb(str_of(ev.hosts[out.n_hosts].text, ev.hosts[out.n_hosts].n));
    job_reply(j, 0, &out.base);
}

static void take_data(void *ctx, struct str data, bool end)
{
    struct job *j = ctx;
    int r = spam_scan_feed(j->scan, data);

    if (r < 0)
        job_reply(j, r, NULL);
    else if (end)
        answer(j);
    else
        rpc_req_consumed(j->req, data.n);
}

static void cancelled(void *ctx)
{
    job_reply(ctx, E_CANCELED, NULL);
}

int scan_start(struct rpc_req *q, const Content__ScanRequest *m, const struct psl *psl,
               void (*done)(void *ctx), void *ctx)
{
    struct spam_facts facts = { .own = pb_str(m->domain), .psl = psl, .now_ms = m->now_ms };
    struct job *j;

    if (m->key.len != SPAM_KEY_BYTES)
        return E_RANGE;
    memcpy(facts.key, m->key.data, SPAM_KEY_BYTES);
    j = calloc(1, sizeof *j);
    if (!j || !(j->scan = spam_scan_new(&facts))) {
        free(j);
        return E_NOMEM;
    }
    j->req = q;
    j->done = done;
    j->ctx = ctx;
    rpc_req_on_data(q, take_data, j);
    rpc_req_on_cancel(q, cancelled, j);
    return 0;
}
