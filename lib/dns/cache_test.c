#include "lib/dns/cache.h"
#include "lib/base/clock.h"
#include "lib/dns/health.h"
#include "lib/dns/test_wire.h"

static struct dns_name name_of(const char *text)
{
    struct dns_name n;

    CHECK(dns_name_parse(str_from(text), &n) == 0);
    return n;
}

static void put(struct dns_cache *c, const char *name, uint32_t ttl_s, size_t bytes)
{
    static char filler[DNS_RDATA_MAX];
    struct dns_rdata v = { ttl_s, str_of(filler, bytes) };
    struct dns_name n = name_of(name);
    struct dns_reply r = { .status = DNS_OK, .ttl_s = ttl_s, .name = n, .n = 1, .v = &v };

    dns_cache_put(c, &n, DNS_TXT, &r, ttl_s);
}

/* What is left of its life; -1: not there. */
static int64_t left(struct dns_cache *c, const char *name, bool *hot)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    struct dns_name n = name_of(name);
    struct dns_cached got;

    if (!dns_cache_get(c, &n, DNS_TXT, &a, &got))
        return -1;
    CHECK(got.reply.n == 1 && got.reply.v[0].ttl_s <= got.reply.ttl_s);
    if (hot)
        *hot = got.hot;
    return got.reply.ttl_s;
}

static void test_life(void **state UNUSED)
{
    struct dns_cache *c = dns_cache_new(MIB(1));

    clock_fake(0);
    put(c, "a.example", 10, 4);
    put(c, "zero.example", 0, 4);
    CHECK(left(c, "a.example", NULL) == 10);
    CHECK(left(c, "A.Example.", NULL) == 10);
    CHECK(left(c, "zero.example", NULL) == -1);
    clock_fake_advance(9500);
    CHECK(left(c, "a.example", NULL) == 0);
    clock_fake_advance(500);
    CHECK(left(c, "a.example", NULL) == -1); /* nothing stale */
    CHECK(dns_cache_counts(c).entries == 0 && dns_cache_counts(c).bytes == 0);
    put(c, "a.example", 10, 4);
    put(c, "a.example", 0, 4); /* replaced by what is not to be kept */
    CHECK(left(c, "a.example", NULL) == -1);
    dns_cache_free(&c);
    clock_real();
}

static void test_hot(void **state UNUSED)
{
    struct dns_cache *c = dns_cache_new(MIB(1));
    bool hot;

    clock_fake(0);
    put(c, "a.example", 100, 4);
    put(c, "b.example", 100, 4);
    for (int i = 0; i < 5; i++)
        CHECK(left(c, "a.example", &hot) == 100 && !hot);
    clock_fake_advance(90000);
    CHECK(left(c, "a.example", &hot) == 10 && hot);
    CHECK(left(c, "a.example", &hot) == 10 && !hot); /* said once */
    CHECK(left(c, "b.example", &hot) == 10 && !hot); /* nobody wanted it */
    dns_cache_free(&c);
    clock_real();
}

static void test_bounds(void **state UNUSED)
{
    struct dns_cache *c = dns_cache_new(KIB(64));
    char name[32];

    put(c, "first.example", 100, 100);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        put(c, name, 100, 100);
        CHECK(dns_cache_counts(c).bytes <= KIB(64));
        CHECK(left(c, "first.example", NULL) >= 0); /* used all the time: stays */
    }
    CHECK(left(c, "n4999.example", NULL) >= 0 && left(c, "n0.example", NULL) == -1);
    CHECK(dns_cache_counts(c).evicted > 4000);
    put(c, "big.example", 100, KIB(20));
    CHECK(left(c, "big.example", NULL) == -1);
    dns_cache_clear(c);
    CHECK(dns_cache_counts(c).entries == 0 && dns_cache_counts(c).bytes == 0);
    dns_cache_free(&c);
}

static void test_many(void **state UNUSED)
{
    struct dns_cache *c = dns_cache_new(MIB(16));
    char name[32];

    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        put(c, name, 1000, 4);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        CHECK(left(c, name, NULL) >= 0);
    }
    dns_cache_free(&c);
}

/* ---- health ---- */

static void test_pick(void **state UNUSED)
{
    struct dns_health h[3] = { 0 };
    unsigned count[3] = { 0 };

    clock_fake(0);
    clock_fake_advance(1000);
    CHECK(dns_health_pick(h, 3, 7) == -1);
    dns_health_answered(&h[0], 10000);
    dns_health_answered(&h[1], 100000);
    dns_health_answered(&h[2], 10000);
    for (int i = 0; i < 20000; i++)
        count[dns_health_pick(h, 3, 0)]++;
    CHECK(count[1] > 20 && count[1] < 400); /* a fiftieth of the others' weight: a hundredth is below it */
    CHECK(count[0] > 9000 && count[2] > 9000);
    h[1].took_us = 5000000; /* one answer that was very late is not held against it for ever */
    count[1] = 0;
    for (int i = 0; i < 20000; i++)
        count[dns_health_pick(h, 3, 0)]++;
    CHECK(count[1] > 20 && count[1] < 400);
    dns_health_failed(&h[0]);
    dns_health_failed(&h[2]);
    for (int i = 0; i < 100; i++)
        CHECK(dns_health_pick(h, 3, 0) == 1);
    clock_fake_advance(5000); /* pauses are over: each is tried once */
    count[0] = count[1] = count[2] = 0;
    for (int i = 0; i < 100; i++)
        count[dns_health_pick(h, 3, 0)]++;
    CHECK(count[0] == 1 && count[2] == 1);
    for (int i = 0; i < 20; i++)
        dns_health_failed(&h[1]);
    CHECK(h[1].retry_ms - clock_mono_ms() == DNS_BACKOFF_MAX_MS);
    dns_health_answered(&h[1], 10);
    CHECK(h[1].failed == 0);
    clock_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_life), cmocka_unit_test(test_hot),
                                        cmocka_unit_test(test_bounds), cmocka_unit_test(test_many),
                                        cmocka_unit_test(test_pick) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
