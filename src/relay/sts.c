/* src/relay/sts.c: policies of MTA-STS (RFC 8461): found by the record of _mta-sts.DOMAIN, fetched from mta-sts.DOMAIN, and kept
 * as long as they say. The courier has them on disk and brings what it has with each message; what is newer here goes back
 * with the answer. A policy that is known counts until its time is over, whatever can be looked up or fetched now. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/dns/name.h"
#include "lib/http/http.h"
#include "src/relay/relay.h"

#define BUCKETS     4096u
#define ENTRIES_MAX 8192u
#define TEXTS_MAX   MIB(16)
#define ASK_MS      20000
#define LOOK_MS     60000             /* so long a record is not looked up again */
#define RETRY_MS    INT64_C(300000)   /* nor a policy that could not be had (RFC 8461 3.3) */
#define REFRESH_MS  INT64_C(86400000) /* a policy in use is fetched again once a day (RFC 8461 10.2) */

struct entry {
    struct dns_name name;
    char id[STS_ID_MAX + 1], want[STS_ID_MAX + 1], host[DNS_TEXT_MAX + 16];
    struct buf text;
    int64_t fetched_ms;          /* wall; 0: there is no policy */
    int64_t looked_ms, retry_ms; /* monotonic; 0: never */
    const char *error;           /* RFC 8460 4.3, of the last fetch; NULL: it went well */
    struct resolve *txt;
    struct lookup *addrs;
    struct http_call *call;
    struct arena arena; /* of the lookup */
    bool telling;
    bool beside; /* it is fetched again, and nobody waits for it */
    struct relay_sts_wait *waits;
    struct entry *next;          /* of the bucket */
    struct entry *newer, *older; /* by use */
};

struct relay_sts_wait {
    struct entry *e;
    struct timer now;
    relay_sts_fn *done;
    void *ctx;
    struct relay_sts_wait *next, **at; /* of those who wait for what is looked for */
};

static struct {
    struct entry *buckets[BUCKETS], *newest, *oldest;
    size_t n, bytes;
    uint8_t key[DNS_HASH_KEY];
    bool keyed;
} all;

/* ---- entries ---- */

static struct entry **bucket(const struct dns_name *name)
{
    if (!all.keyed) {
        rand_bytes(all.key, sizeof all.key);
        all.keyed = true;
    }
    return &all.buckets[dns_name_hash(name, DNS_TXT, all.key) % BUCKETS];
}

static void use_out(struct entry *e)
{
    *(e->newer ? &e->newer->older : &all.newest) = e->older;
    *(e->older ? &e->older->newer : &all.oldest) = e->newer;
}

static void use_in(struct entry *e)
{
    e->newer = NULL;
    e->older = all.newest;
    *(all.newest ? &all.newest->newer : &all.oldest) = e;
    all.newest = e;
}

static bool is_busy(const struct entry *e)
{
    return e->txt || e->addrs || e->call || e->waits || e->telling;
}

static void entry_free(struct entry *e)
{
    struct entry **at = bucket(&e->name);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    use_out(e);
    all.n--;
    all.bytes -= e->text.n;
    buf_release(&e->text);
    arena_release(&e->arena);
    free(e);
}

static void make_room(void)
{
    for (struct entry *e = all.oldest, *next; e && (all.n > ENTRIES_MAX || all.bytes > TEXTS_MAX); e = next) {
        next = e->newer;
        if (!is_busy(e) && e != all.newest)
            entry_free(e);
    }
}

static struct entry *entry_of(struct str domain)
{
    struct dns_name name;
    struct entry **b, *e;

    if (dns_name_parse(domain, &name) < 0)
        return NULL;
    b = bucket(&name);
    for (e = *b; e && !dns_name_eq(&e->name, &name); e = e->next)
        ;
    if (e) {
        use_out(e);
        use_in(e);
        return e;
    }
    if (!(e = calloc(1, sizeof *e)))
        return NULL;
    e->name = name;
    e->text.max = STS_TEXT_MAX;
    e->arena.max = KIB(64);
    e->next = *b;
    *b = e;
    use_in(e);
    all.n++;
    make_room();
    return e;
}

/* Its policy, if it has one whose time is not over. */
static bool is_good(const struct entry *e, struct sts_policy *p)
{
    int64_t now = clock_wall_ms();

    /* a clock that was set back makes nothing eternal */
    return e->fetched_ms && sts_policy_parse(buf_str(&e->text), p) == 0 &&
           e->fetched_ms <= now + REFRESH_MS && now < e->fetched_ms + (int64_t)p->max_age_s * 1000;
}

static bool keep(struct entry *e, struct str id, struct str text, int64_t fetched_ms)
{
    struct sts_policy p;

    if (id.n == 0 || id.n > STS_ID_MAX || sts_policy_parse(text, &p) < 0)
        return false;
    all.bytes -= e->text.n;
    buf_clear(&e->text);
    if (buf_puts(&e->text, text) < 0) {
        e->fetched_ms = 0;
        return false;
    }
    all.bytes += e->text.n;
    memcpy(e->id, id.p, id.n);
    e->id[id.n] = '\0';
    e->fetched_ms = fetched_ms;
    return true;
}

/* ---- telling ---- */

static void wait_out(struct relay_sts_wait *w)
{
    if (w->at) {
        *w->at = w->next;
        if (w->next)
            w->next->at = w->at;
    }
    timer_release(&w->now);
    free(w);
}

static void tell(struct relay_sts_wait *w)
{
    struct entry *e = w->e;
    struct relay_sts s = { .error = e->error };
    relay_sts_fn *done = w->done;
    void *ctx = w->ctx;

    s.known = is_good(e, &s.policy);
    s.applies = s.known && s.policy.mode != STS_NONE;
    if (e->fetched_ms) {
        s.id = str_from(e->id);
        s.text = buf_str(&e->text);
        s.fetched_ms = e->fetched_ms;
    }
    wait_out(w);
    done(ctx, &s);
}

static void tell_all(struct entry *e)
{
    e->telling = true;
    while (e->waits)
        tell(e->waits);
    e->telling = false;
    make_room();
}

static void tell_now(struct timer *t)
{
    tell(CONTAINER_OF(t, struct relay_sts_wait, now));
}

/* ---- fetching (RFC 8461 3.3) ---- */

static void fetch_end(struct entry *e, const char *error, const char *why)
{
    e->error = error;
    e->retry_ms = error ? clock_mono_ms() + RETRY_MS : 0;
    if (error)
        log_event(LOG_INFO, "relay.mta_sts_fetch_failed", F_Z("result", error), F_Z("why", why));
    arena_release(&e->arena);
    tell_all(e);
}

static bool is_text_plain(const char *type)
{
    struct str t = str_from(type), rest;

    (void)str_cut(t, ';', &t, &rest);
    return str_ieq_z(str_trim(t), "text/plain");
}

static void fetched(void *ctx, const struct http_answer *a)
{
    struct entry *e = ctx;

    e->call = NULL;
    if (a->status == E_AUTH)
        fetch_end(e, "sts-webpki-invalid", "the certificate");
    else if (a->status != 200)
        fetch_end(e, "sts-policy-fetch-error", a->status > 0 ? "the status" : error_text(a->status));
    else if (!is_text_plain(a->type))
        fetch_end(e, "sts-policy-invalid", "it is not text/plain");
    else if (!keep(e, str_from(e->want), a->body, clock_wall_ms()))
        fetch_end(e, "sts-policy-invalid", "not well-formed");
    else
        fetch_end(e, NULL, "");
}

static void addrs_came(void *ctx, const struct route_addrs *r)
{
    CLEANUP(buf_release) struct buf url = { .max = KIB(2) }, where = { .max = KIB(4) };
    struct entry *e = ctx;
    struct http_request q = { .accept = "text/plain",
                              .answer_max = STS_TEXT_MAX,
                              .deadline_ms = (int64_t)relay_conf.sts_timeout_ms,
                              .done = fetched,
                              .ctx = e };

    e->addrs = NULL;
    if (r->n == 0) {
        fetch_end(e, "sts-policy-fetch-error",
                  r->refused ? "its address is a private one" : "it has no address");
        return;
    }
    if (buf_printf(&url, "https://%s:%u/.well-known/mta-sts.txt", e->host, (unsigned)relay_conf.sts_port) <
            0 ||
        relay_resolve_text(&where, str_from(e->host), (uint16_t)relay_conf.sts_port, r) < 0 ||
        !(q.url = buf_z(&url)) || !(q.resolve = buf_z(&where)) || !relay_http() ||
        !(e->call = http_ask(relay_http(), &q)))
        fetch_end(e, "sts-policy-fetch-error", "out of memory");
}

static void fetch(struct entry *e)
{
    CLEANUP(buf_release) struct buf b = { .max = DNS_TEXT_MAX };
    struct route_host h = { .port = (uint16_t)relay_conf.sts_port };
    const char *text;

    if (dns_name_print(&e->name, &b) < 0 || !(text = buf_z(&b)))
        return;
    snprintf(e->host, sizeof e->host, "mta-sts.%s", text);
    h.name = str_from(e->host);
    if (dns_is_host(h.name))
        e->addrs = relay_route_addrs(&e->arena, &h, addrs_came, e);
}

/* ---- the record (RFC 8461 3.1) ---- */

/* Of several, or of one that cannot be read, none counts. */
static bool the_record(const struct dns_answer *a, struct str *id)
{
    size_t n = 0;
    bool good = false;

    for (size_t i = 0; i < a->n; i++) {
        int r = a->records[i].type == DNS_TXT ? sts_record_parse(a->records[i].txt, id) : E_NOTFOUND;

        n += r != E_NOTFOUND;
        good = r == 0;
    }
    return n == 1 && good;
}

static void txt_came(void *ctx, const struct dns_answer *a)
{
    struct entry *e = ctx;
    struct sts_policy p;
    struct str id = STR_NONE;
    bool good = is_good(e, &p), same, old;

    e->txt = NULL;
    e->looked_ms = clock_mono_ms();
    if (!the_record(a, &id)) {
        tell_all(e); /* what is known counts on (RFC 8461 5.1) */
        return;
    }
    same = str_eq_z(id, e->id);
    old = good && same && clock_wall_ms() - e->fetched_ms > REFRESH_MS;
    if ((good && same && !old) || (e->retry_ms > e->looked_ms && str_eq_z(id, e->want))) {
        tell_all(e);
        return;
    }
    memcpy(e->want, id.p, id.n);
    e->want[id.n] = '\0';
    e->beside = old;
    fetch(e);
    if (old || !e->addrs) /* nobody needs to wait for what only makes it younger */
        tell_all(e);
}

static bool look(struct entry *e)
{
    CLEANUP(buf_release) struct buf b = { .max = DNS_TEXT_MAX };
    char name[DNS_TEXT_MAX + 16];
    struct dns_question q = { .type = DNS_TXT };
    const char *text;

    if (dns_name_print(&e->name, &b) < 0 || !(text = buf_z(&b)))
        return false;
    snprintf(name, sizeof name, "_mta-sts.%s", text);
    q.name = str_from(name);
    return (e->txt = resolve_ask(role_link(relay.role, ROLE_RESOLVER), &q, ASK_MS, txt_came, e)) != NULL;
}

/* ---- asking ---- */

struct relay_sts_wait *relay_sts_find(struct str domain, const Relay__Sts *had, relay_sts_fn *done, void *ctx)
{
    struct entry *e = entry_of(domain);
    struct relay_sts_wait *w = e ? calloc(1, sizeof *w) : NULL;
    int64_t now = clock_mono_ms();
    bool wait;

    if (!w)
        return NULL;
    w->e = e;
    w->done = done;
    w->ctx = ctx;
    if (timer_init(&w->now, role_loop(relay.role), tell_now) < 0) {
        free(w);
        return NULL;
    }
    if (had && had->fetched_ms > e->fetched_ms)
        (void)keep(e, pb_str(had->id), pb_str(had->text), had->fetched_ms);
    wait = e->txt || ((e->addrs || e->call) && !e->beside);
    if (!wait && !e->addrs && !e->call && (!e->looked_ms || now - e->looked_ms > LOOK_MS))
        wait = look(e);
    if (!wait) {
        timer_set(&w->now, 0);
        return w;
    }
    w->next = e->waits;
    w->at = &e->waits;
    if (w->next)
        w->next->at = &w->next;
    e->waits = w;
    return w;
}

void relay_sts_cancel(struct relay_sts_wait **w)
{
    if (*w)
        wait_out(*w);
    *w = NULL;
}

/* ---- REFRESH ---- */

struct refresh {
    struct rpc_req *q;
    Relay__RefreshRequest *m;
    struct relay_sts_wait *w;
};

static void refreshed(void *ctx, const struct relay_sts *s)
{
    struct refresh *f = ctx;
    Relay__RefreshResponse m = RELAY__REFRESH_RESPONSE__INIT;
    Relay__Sts sts = RELAY__STS__INIT;
    int64_t had = f->m->sts ? f->m->sts->fetched_ms : 0;

    if (s->fetched_ms > had) {
        sts.id = str_pb(s->id);
        sts.text = str_pb(s->text);
        sts.fetched_ms = s->fetched_ms;
        m.sts = &sts;
    }
    rpc_req_on_cancel(f->q, NULL, NULL);
    rpc_reply(f->q, 0, &m.base, NULL);
}

static void refresh_cancelled(void *ctx)
{
    struct refresh *f = ctx;

    relay_sts_cancel(&f->w);
    rpc_reply(f->q, E_CANCELED, NULL, NULL);
}

/* A policy that is good and old is fetched beside; what comes of it is told at the next look. */
int relay_op_refresh(struct rpc_req *q, struct str body)
{
    struct arena *a = rpc_req_arena(q);
    struct refresh *f = ARENA_NEW(a, struct refresh);
    Relay__RefreshRequest *m = RPC_UNPACK(a, body, relay__refresh_request);

    if (!m || !f)
        return m ? E_NOMEM : E_SYNTAX;
    if (relay.stopping || !relay_conf.mta_sts)
        return E_UNAVAIL;
    f->q = q;
    f->m = m;
    if (!(f->w = relay_sts_find(pb_str(m->domain), m->sts, refreshed, f)))
        return E_UNAVAIL;
    rpc_req_on_cancel(q, refresh_cancelled, f);
    return 0;
}
