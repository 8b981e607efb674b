#include "src/mx/scan_call.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "proto/content.pb-c.h"
#include "src/mx/service.h"

#define LONGEST_MS \
    (60 * 60000) /* of a scan while its message comes; slow senders are not the scanner's fault */

static void cancel(struct mx_scan_call *c);

static void no_room(struct timer *t)
{
    struct mx_scan_call *c = CONTAINER_OF(t, struct mx_scan_call, timer);

    cancel(c);
    mx_spam_scanned(c->session, E_TIMEOUT, NULL);
    c->go_on(c->ctx);
}

int mx_scan_call_init(struct mx_scan_call *c, struct role *role, struct smtp_session *s, int64_t timeout_ms,
                      void (*go_on)(void *ctx), void *ctx)
{
    *c = (struct mx_scan_call){
        .session = s, .role = role, .timeout_ms = timeout_ms, .go_on = go_on, .ctx = ctx
    };
    return timer_init(&c->timer, role_loop(role), no_room);
}

void mx_scan_call_release(struct mx_scan_call *c)
{
    cancel(c);
    timer_release(&c->timer);
}

static void scanned(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Content__ScanResponse *m = NULL;
    struct mx_scan_call *c = ctx;
    struct mx_scanned found = { .nrules = 0 };
    struct str hosts[SPAM_HOSTS_MAX];

    c->call = NULL;
    timer_clear(&c->timer);
    if (status == 0 && !(m = RPC_UNPACK(&a, body, content__scan_response)))
        status = E_BUG;
    if (m) {
        found = (struct mx_scanned){ m->rules, m->n_rules, m->tokens, m->n_tokens, hosts, 0 };
        for (; found.nhosts < m->n_hosts && found.nhosts < SPAM_HOSTS_MAX; found.nhosts++)
            hosts[found.nhosts] = pb_str(m->hosts[found.nhosts]);
    }
    mx_spam_scanned(c->session, status, &found);
    c->go_on(c->ctx);
}

static void has_room(void *ctx)
{
    struct mx_scan_call *c = ctx;

    timer_clear(&c->timer);
    c->waits = false;
    c->go_on(c->ctx);
}

static int start(struct mx_scan_call *c, struct str domain, const uint8_t key[SPAM_KEY_BYTES])
{
    Content__ScanRequest m = CONTENT__SCAN_REQUEST__INIT;
    struct rpc_ask ask = { .op = CONTENT__OP__SCAN,
                           .body = &m.base,
                           .flags = RPC_NO_REPEAT,
                           .upload = true,
                           .done = scanned,
                           .on_room = has_room,
                           .ctx = c,
                           .deadline_ms = LONGEST_MS };
    struct rpc_link *link = role_link(c->role, ROLE_CONTENT);

    if (!rpc_link_is_up(link))
        return E_UNAVAIL; /* it would wait for it to come up again */
    m.domain = str_pb(domain);
    m.key = str_pb(str_of(key, SPAM_KEY_BYTES));
    m.now_ms = clock_wall_ms();
    c->waits = false;
    c->call = rpc_link_ask(link, &ask);
    return c->call ? 0 : E_NOMEM;
}

static int send_bytes(struct mx_scan_call *c, struct str bytes)
{
    return c->call ? rpc_call_send(c->call, bytes) : E_CLOSED;
}

static void end(struct mx_scan_call *c)
{
    if (!c->call)
        return;
    rpc_call_hurry(c->call, c->timeout_ms);
    rpc_call_end(c->call);
}

static void cancel(struct mx_scan_call *c)
{
    if (c->call)
        rpc_call_cancel(c->call);
    c->call = NULL;
    c->waits = false;
    timer_clear(&c->timer);
}

size_t mx_scan_call_room(struct mx_scan_call *c)
{
    size_t room = c->call ? rpc_call_room(c->call) : SIZE_MAX;

    if (room == 0 && !c->waits) {
        c->waits = true;
        timer_set(&c->timer, c->timeout_ms);
    }
    return room;
}

int mx_scan_open(struct mx_spam_all *all, const struct mx_conf *conf, int model)
{
    static const struct mx_spam_io io = { start, send_bytes, end, cancel };
    int e;

    if (!conf->spam) {
        fd_close(&model);
        return 0;
    }
    if ((e = peer_lists_parse(str_from(conf->spam_url_lists), &all->url_lists)) < 0) {
        fd_close(&model);
        log_event(LOG_ERROR, "mx.bad_lists", F_Z("keys", "mx.spam_url_lists"), F_ERR(e));
        return E_RANGE;
    }
    all->io = &io;
    return mx_spam_open(all, conf, model);
}
