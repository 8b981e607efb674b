/* lib/dns/engine: over a transport that is a list of what was sent, and a clock that stands still. */
#include "lib/dns/engine.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/dns/test_wire.h"

#define SENT_MAX 64u

static struct sent {
    size_t upstream;
    uint64_t token;
    char query[DNS_QUERY_MAX];
    size_t n;
    bool cancelled;
} sent[SENT_MAX];
static size_t nsent;
static int refuse; /* what send returns */
static uint32_t say_age_s;

static int fake_send(void *ctx UNUSED, size_t upstream, uint64_t token, struct str query)
{
    struct sent *s = &sent[nsent];

    if (refuse < 0)
        return refuse;
    CHECK(nsent < SENT_MAX);
    *s = (struct sent){ .upstream = upstream, .token = token, .n = query.n };
    memcpy(s->query, query.p, query.n);
    nsent++;
    return 0;
}

static void fake_cancel(void *ctx UNUSED, size_t upstream, uint64_t token)
{
    for (size_t i = 0; i < nsent; i++)
        if (sent[i].upstream == upstream && sent[i].token == token)
            sent[i].cancelled = true;
}

static void hear(struct dns_engine *e, size_t i, int status, uint32_t age_s, struct str message)
{
    const struct dns_heard h = { .status = status, .took_us = 1000, .age_s = age_s, .message = message };

    dns_engine_heard(e, sent[i].token, &h);
}

static struct dns_engine *make(size_t upstreams, uint32_t flags)
{
    const struct dns_transport t = { .send = fake_send, .cancel = fake_cancel };
    struct dns_engine_conf c = { .upstreams = upstreams,
                                 .cache_bytes = MIB(1),
                                 .questions_max = 8,
                                 .patience_ms = 1000,
                                 .limit_ms = 5000,
                                 .keep_max_s = 3600,
                                 .no_max_s = 600,
                                 .prefetch = true };

    for (size_t i = 0; i < upstreams; i++)
        c.flags[i] = flags;
    nsent = 0;
    refuse = 0;
    clock_fake(0);
    clock_fake_advance(1000);
    return dns_engine_new(&c, &t);
}

struct told {
    int times;
    enum dns_status status;
    bool ad;
    uint32_t ttl_s;
    size_t n;
};

static void told(void *ctx, const struct dns_reply *r)
{
    struct told *t = ctx;

    *t = (struct told){ t->times + 1, r->status, r->ad, r->ttl_s, r->n };
}

static int ask(struct dns_engine *e, const char *name, struct told *t, struct dns_wait **w)
{
    struct dns_name n;
    struct dns_wait *mine;

    CHECK(dns_name_parse(str_from(name), &n) == 0);
    return dns_engine_ask(e, &n, DNS_A, 3000, told, t, w ? w : &mine);
}

/* The answer to what was sent: the name is read from the query, so that it fits whatever its case. */
static void say(struct dns_engine *e, size_t i, const char *name, unsigned rcode, size_t n, uint32_t ttl)
{
    static struct wire w;

    whead(&w, name, DNS_A, rcode, true);
    memcpy(w.b, sent[i].query, 2);
    memcpy(w.b + DNS_HEAD_LEN, sent[i].query + DNS_HEAD_LEN, w.n - DNS_HEAD_LEN);
    for (size_t k = 0; k < n; k++)
        wrr(&w, 1, name, DNS_A, ttl, STR("\x7f\0\0\1"));
    if (n == 0 && rcode != 2)
        wsoa(&w, "example", ttl, ttl);
    hear(e, i, 0, say_age_s, wstr(&w));
}

static void later(struct dns_engine *e, int64_t ms)
{
    for (; ms > 0; ms -= DNS_TICK_MS) {
        clock_fake_advance(DNS_TICK_MS);
        dns_engine_tick(e);
    }
}

static void test_answer_and_cache(void **state UNUSED)
{
    struct dns_engine *e = make(1, DNS_UP_PRIVATE | DNS_UP_TRUST_AD);
    struct told a = { 0 }, b = { 0 }, c = { 0 };

    CHECK(ask(e, "a.example", &a, NULL) == 0 && ask(e, "A.example", &b, NULL) == 0);
    CHECK(nsent == 1); /* one question for both */
    CHECK(sent[0].query[0] == 0 && sent[0].query[1] == 0 && sent[0].n % DNS_PAD_BLOCK == 0);
    say(e, 0, "a.example", 0, 2, 300);
    CHECK(a.times == 1 && b.times == 1 && a.status == DNS_OK && a.n == 2 && a.ttl_s == 300 && a.ad);
    later(e, 100000);
    CHECK(ask(e, "a.example", &c, NULL) == 0);
    CHECK(c.times == 1 && nsent == 1 && c.ttl_s == 200);
    later(e, 200000);
    CHECK(ask(e, "a.example", &c, NULL) == 0);
    CHECK(c.times == 1 && nsent == 2);
    say(e, 1, "a.example", 0, 1, 1000000); /* no longer than keep_max */
    CHECK(c.times == 2 && c.ttl_s == 3600 && a.times == 1);
    CHECK(ask(e, "aged.example", &c, NULL) == 0);
    say_age_s = 60;
    say(e, 2, "aged.example", 0, 1, 100);
    say_age_s = 0;
    CHECK(c.times == 3 && c.ttl_s == 40);
    CHECK(!dns_engine_busy(e));
    dns_engine_free(&e);
}

static void test_no_is_kept(void **state UNUSED)
{
    struct dns_engine *e = make(1, 0);
    struct told a = { 0 };

    CHECK(ask(e, "a.example", &a, NULL) == 0);
    say(e, 0, "a.example", 3, 0, 100);
    CHECK(a.status == DNS_NXDOMAIN && a.ttl_s == 100 && !a.ad); /* this upstream's AD is not believed */
    later(e, 99000);
    CHECK(ask(e, "a.example", &a, NULL) == 0);
    CHECK(a.times == 2 && a.ttl_s == 1 && nsent == 1);
    later(e, 1000);
    CHECK(ask(e, "a.example", &a, NULL) == 0);
    CHECK(a.times == 2 && nsent == 2);
    say(e, 1, "a.example", 0, 0, 100000);
    CHECK(a.status == DNS_NODATA && a.ttl_s == 600);
    dns_engine_free(&e);
}

static void test_failover(void **state UNUSED)
{
    struct dns_engine *e = make(2, DNS_UP_PRIVATE);
    struct told a = { 0 };
    size_t first;

    CHECK(ask(e, "a.example", &a, NULL) == 0);
    first = sent[0].upstream;
    hear(e, 0, E_CLOSED, 0, STR_NONE);
    CHECK(nsent == 2 && sent[1].upstream == 1 - first && a.times == 0); /* at once */
    say(e, 1, "a.example", 0, 1, 0);
    CHECK(a.times == 1 && a.status == DNS_OK);
    CHECK(dns_engine_health(e, first)->failed == 1);
    for (int i = 0; i < 10; i++) { /* not asked while its pause lasts */
        CHECK(ask(e, "a.example", &a, NULL) == 0);
        CHECK(sent[nsent - 1].upstream == 1 - first);
        say(e, nsent - 1, "a.example", 0, 1, 0);
    }
    later(e, 1000);
    CHECK(ask(e, "a.example", &a, NULL) == 0);
    CHECK(sent[nsent - 1].upstream == first);
    say(e, nsent - 1, "a.example", 0, 1, 0);
    CHECK(dns_engine_health(e, first)->failed == 0);
    dns_engine_free(&e);
}

static void test_silence(void **state UNUSED)
{
    struct dns_engine *e = make(2, DNS_UP_PRIVATE);
    struct told a = { 0 }, b = { 0 };
    size_t silent;

    CHECK(ask(e, "a.example", &a, NULL) == 0);
    silent = sent[0].upstream;
    later(e, 1000);
    CHECK(nsent == 2 && sent[1].upstream != silent && !sent[0].cancelled); /* it may still win */
    CHECK(dns_engine_health(e, silent)->failed == 1);
    say(e, 1, "a.example", 0, 1, 60);
    CHECK(a.times == 1 && sent[0].cancelled);
    say(e, 0, "a.example", 0, 2, 60); /* too late: nobody listens */
    CHECK(a.times == 1);
    /* nobody at all: whoever waits is told when the time is over, then the question ends */
    CHECK(ask(e, "b.example", &b, NULL) == 0);
    later(e, 3000);
    CHECK(b.times == 1 && b.status == DNS_TIMEOUT);
    CHECK(dns_engine_busy(e));
    later(e, 2000);
    CHECK(!dns_engine_busy(e) && b.times == 1);
    CHECK(dns_engine_counts(e).given_up == 1);
    dns_engine_free(&e);
}

static void test_slow_domain(void **state UNUSED)
{
    struct dns_engine *e = make(1, DNS_UP_PRIVATE);
    struct told slow = { 0 }, fast = { 0 };

    CHECK(ask(e, "slow.example", &slow, NULL) == 0);
    clock_fake_advance(500);
    CHECK(ask(e, "fast.example", &fast, NULL) == 0);
    say(e, 1, "fast.example", 0, 1, 60);
    later(e, 4600); /* slow is given up, but the upstream is alive */
    CHECK(slow.times == 1 && slow.status == DNS_TIMEOUT && fast.times == 1);
    dns_engine_free(&e);
}

static void test_servfail(void **state UNUSED)
{
    struct dns_engine *e = make(2, DNS_UP_PRIVATE);
    struct told a = { 0 };

    CHECK(ask(e, "a.example", &a, NULL) == 0);
    say(e, 0, "a.example", 2, 0, 0);
    CHECK(a.times == 0 && nsent == 2); /* the other one may know better */
    say(e, 1, "a.example", 2, 0, 0);
    CHECK(a.times == 1 && a.status == DNS_SERVFAIL);
    CHECK(dns_engine_health(e, 0)->failed == 0 && dns_engine_health(e, 1)->failed == 0);
    CHECK(ask(e, "a.example", &a, NULL) == 0);
    CHECK(a.times == 2 && nsent == 2); /* kept for a moment (RFC 9520) */
    later(e, 5000);
    CHECK(ask(e, "a.example", &a, NULL) == 0);
    CHECK(a.times == 2 && nsent == 3);
    dns_engine_free(&e);
}

static void test_forged(void **state UNUSED)
{
    struct dns_engine *e = make(1, DNS_UP_MIX_CASE);
    struct told a = { 0 };
    unsigned capitals = 0;
    static struct wire w;

    CHECK(ask(e, "abcdefghijklmnopqrstuvwxyz.example", &a, NULL) == 0);
    for (size_t i = DNS_HEAD_LEN; i < sent[0].n; i++)
        capitals += sent[0].query[i] >= 'A' && sent[0].query[i] <= 'Z';
    CHECK(capitals > 0);
    whead(&w, "abcdefghijklmnopqrstuvwxyz.example", DNS_A, 0, true); /* right, but for the case of letters */
    memcpy(w.b, sent[0].query, 2);
    hear(e, 0, 0, 0, wstr(&w));
    CHECK(a.times == 0 && dns_engine_counts(e).forged == 1 && nsent == 2);
    say(e, 1, "abcdefghijklmnopqrstuvwxyz.example", 0, 1, 60);
    CHECK(a.times == 1 && a.status == DNS_OK);
    dns_engine_free(&e);
}

static void test_bounds(void **state UNUSED)
{
    struct dns_engine *e = make(1, 0);
    struct told t[9] = { 0 }, more = { 0 };
    struct dns_wait *w;
    struct dns_name n = { { 0 }, 1 };
    char name[16];

    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        CHECK(ask(e, name, &t[i], NULL) == 0);
    }
    CHECK(ask(e, "n8.example", &t[8], NULL) == E_BUSY && t[8].times == 0);
    for (int i = 0; i < 7; i++)
        CHECK(ask(e, "n0.example", &more, &w) == 0);
    CHECK(ask(e, "n0.example", &more, NULL) == E_BUSY);
    dns_engine_forget(w);
    say(e, 0, "n0.example", 0, 1, 60);
    CHECK(t[0].times == 1 && more.times == 6);
    CHECK(dns_engine_ask(e, &n, 99, 1000, told, &more, &w) == E_UNSUPPORTED);
    refuse = E_IO;
    CHECK(ask(e, "x.example", &t[8], NULL) == 0);
    CHECK(t[8].times == 1 && t[8].status == DNS_TIMEOUT);
    dns_engine_free(&e); /* with questions under way */
}

static void test_prefetch(void **state UNUSED)
{
    struct dns_engine *e = make(1, DNS_UP_PRIVATE);
    struct told a = { 0 };

    CHECK(ask(e, "a.example", &a, NULL) == 0);
    say(e, 0, "a.example", 0, 1, 100);
    for (int i = 0; i < 4; i++)
        CHECK(ask(e, "a.example", &a, NULL) == 0);
    later(e, 95000);
    CHECK(ask(e, "a.example", &a, NULL) == 0);
    CHECK(a.times == 6 && a.ttl_s == 5 && nsent == 2); /* answered, and asked for again behind it */
    hear(e, 1, E_CLOSED, 0, STR_NONE);
    CHECK(nsent == 3);
    say(e, 2, "a.example", 0, 3, 100);
    later(e, 6000);
    CHECK(ask(e, "a.example", &a, NULL) == 0);
    CHECK(a.times == 7 && a.n == 3 && a.ttl_s == 94);
    dns_engine_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_and_cache), cmocka_unit_test(test_no_is_kept),
        cmocka_unit_test(test_failover),         cmocka_unit_test(test_silence),
        cmocka_unit_test(test_slow_domain),      cmocka_unit_test(test_servfail),
        cmocka_unit_test(test_forged),           cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_prefetch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
