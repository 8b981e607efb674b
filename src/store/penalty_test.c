/* Laws of the delay of bad logins: it grows for who guesses, whatever he does at once, and nobody else waits. */
#include "lib/base/test.h"
#include "src/store/store.h"

#define GUESSER STR("192.0.2.0/24")
#define OWNER   STR("198.51.100.0/24")

static const uint8_t alice[MAILBOX_ID_LEN] = { 1 }, bob[MAILBOX_ID_LEN] = { 2 };
static struct penalties *p;

static int setup(void **state UNUSED)
{
    p = penalties_new();
    return p ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
    penalties_free(&p);
    return 0;
}

/* One after the other: each waits until it is tried, fails, and tries again at once. */
static void test_grows(void **state UNUSED)
{
    static const int64_t waits[] = { 0, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000 };
    int64_t now = 1000;

    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        int64_t wait = penalty_take(p, GUESSER, alice, now);

        CHECK(wait == waits[i]);
        now += wait;
    }
}

/* All at once: the first ones are spread as if they came one after the other, the others are not tried at all. */
static void test_at_once(void **state UNUSED)
{
    int tried = 0;

    for (int64_t now = 0; now < 60000; now += 10) /* a hundred attempts a second for a minute */
        if (penalty_take(p, GUESSER, alice, now) >= 0)
            tried++;
    CHECK(tried >= 7 && tried <= 12);
}

static void test_nobody_else_waits(void **state UNUSED)
{
    for (int i = 0; i < 1000; i++)
        (void)penalty_take(p, GUESSER, alice, 1000 + i);
    CHECK(penalty_take(p, OWNER, alice, 3000) == 0); /* never locked out */
    penalty_good(p, OWNER, alice, 3000);
    CHECK(penalty_take(p, OWNER, alice, 3000) == 0);
    CHECK(penalty_take(p, GUESSER, bob, 3000) == 0); /* his neighbours */
    CHECK(penalty_take(p, GUESSER, alice, 3000) == E_LIMIT);
}

/* A device with an old password beside the others at home: half a second, whatever it does. */
static void test_known_network(void **state UNUSED)
{
    penalty_good(p, OWNER, alice, 0);
    for (int i = 0; i < 1000; i++)
        CHECK(penalty_take(p, OWNER, alice, 1000 + i) <= 500);
    CHECK(penalty_known(p, OWNER, 1000) && !penalty_known(p, GUESSER, 1000));
}

static void test_forgets(void **state UNUSED)
{
    for (int i = 0; i < 9; i++)
        (void)penalty_take(p, GUESSER, alice, 0);
    CHECK(penalty_take(p, GUESSER, alice, 17 * 60 * 1000) == 0);
    penalty_bad(p, GUESSER, bob, 0); /* a mistyped generated one needs no derivation, and counts */
    CHECK(penalty_take(p, GUESSER, bob, 0) == 250);
    penalty_back(p, GUESSER, bob);
    penalty_good(p, GUESSER, bob, 0);
    CHECK(penalty_take(p, GUESSER, bob, 0) == 0);
}

/* Not tried, because the service was busy: not held against him. */
static void test_back(void **state UNUSED)
{
    for (int i = 0; i < 20; i++) {
        CHECK(penalty_take(p, GUESSER, alice, 0) == 0);
        penalty_back(p, GUESSER, alice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_else_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_network, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
