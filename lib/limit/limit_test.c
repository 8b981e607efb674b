#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/limit/keytable.h"
#include "lib/limit/limit.h"
#include <stdio.h>

static struct str key_of(unsigned i)
{
    static char text[32];

    return str_of(text, (size_t)snprintf(text, sizeof text, "198.51.%u.%u", i >> 8, i & 255));
}

static void test_bucket(void **state UNUSED)
{
    const struct limit_rule r = { "connections", 3, 60000 }, other = { "recipients", 1, 60000 },
                            none = { "none", 0, 60000 };
    struct limits *l = limits_new(64);
    int64_t wait = 0;

    clock_fake(0);
    CHECK(l);
    for (int i = 0; i < 3; i++)
        CHECK(limit_take(l, &r, STR("a"), 1, NULL) == 0);
    CHECK(limit_take(l, &r, STR("a"), 1, &wait) == E_LIMIT && wait > 19990 && wait <= 20001);
    CHECK(limit_take(l, &r, STR("b"), 1, NULL) == 0);     /* another key */
    CHECK(limit_take(l, &other, STR("a"), 1, NULL) == 0); /* another rule */
    clock_fake_advance(wait);
    CHECK(limit_take(l, &r, STR("a"), 1, NULL) == 0 && limit_take(l, &r, STR("a"), 1, NULL) == E_LIMIT);
    clock_fake_advance(120000);
    CHECK(limit_take(l, &r, STR("a"), 100, NULL) == 0); /* more than there can ever be: all of it */
    CHECK(limit_take(l, &r, STR("a"), 1, NULL) == E_LIMIT);
    for (int i = 0; i < 1000; i++)
        CHECK(limit_take(l, &none, STR("a"), 1, NULL) == 0);
    limits_free(&l);
    CHECK(!l);
    clock_real();
}

/* Law: over any time t a key gets at most count + count * t / per. */
static void test_rate(void **state UNUSED)
{
    const struct limit_rule r = { "r", 10, 1000 };
    struct limits *l = limits_new(8);
    unsigned got = 0;

    clock_fake(0);
    for (unsigned ms = 0; ms < 10000; ms += 7) {
        got += limit_take(l, &r, STR("k"), 1, NULL) == 0;
        CHECK(got <= 10 + ms / 100 + 1);
        clock_fake_advance(7);
    }
    CHECK(got >= 105);
    limits_free(&l);
    clock_real();
}

/* A flood of new keys takes the places of what runs out first. */
static void test_flood(void **state UNUSED)
{
    struct keytable *t = keytable_new(4096);
    unsigned known = 0;

    for (unsigned i = 0; i < 256; i++)
        keytable_put(t, "known", key_of(i), 0, 1000000, i);
    for (unsigned i = 0; i < 100000; i++)
        keytable_put(t, "flood", key_of(i), 0, 1000, i);
    for (unsigned i = 0; i < 256; i++) {
        const struct keytable_entry *e = keytable_find(t, "known", key_of(i), 500);

        known += e && e->value == (int64_t)i;
    }
    CHECK(known == 256);
    CHECK(!keytable_find(t, "known", key_of(1), 1000000) && !keytable_find(t, "never", key_of(1), 0));
    keytable_put(t, "known", key_of(1), 0, 2000, 7);
    CHECK(keytable_find(t, "known", key_of(1), 1999)->value == 7);
    CHECK(!keytable_find(t, "known", key_of(1), 2000)); /* put again: over what was there */
    keytable_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
