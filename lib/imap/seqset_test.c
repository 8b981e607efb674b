#include "lib/base/test.h"
#include "lib/imap/seqset.h"
#include "lib/imap/uidranges.h"

static const struct {
    const char *in;
    uint32_t last;
    int r;
    const char *out;
} sets[] = {
    { "1", 10, 0, "1" },
    { "1:3,7,12:*", 20, 0, "1:3,7,12:20" },
    { "4:2", 9, 0, "2:4" },
    { "*", 9, 0, "9" },
    { "*:4", 9, 0, "4:9" },
    { "12:*", 9, 0, "9:12" },
    { "7,1:3,2:5", 9, 0, "1:5,7" },
    { "1:2,3", 9, 0, "1:3" },
    { "4294967295,4294967294", 9, 0, "4294967294:4294967295" },
    { "*", 0, E_RANGE, "" },
    { "1,*", 0, E_RANGE, "" },
    { "", 9, E_SYNTAX, "" },
    { "0", 9, E_SYNTAX, "" },
    { "1,", 9, E_SYNTAX, "" },
    { "1:", 9, E_SYNTAX, "" },
    { ":1", 9, E_SYNTAX, "" },
    { "1:2:3", 9, E_SYNTAX, "" },
    { "4294967296", 9, E_SYNTAX, "" },
    { "-1", 9, E_SYNTAX, "" },
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        const struct seqset *s = NULL;

        check_case = sets[i].in;
        CHECK(seqset_parse(&a, str_from(sets[i].in), sets[i].last, &s) == sets[i].r);
        CHECK((s != NULL) == (sets[i].r == 0));
        if (!s)
            continue;
        CHECK(seqset_write(s, &out) == 0);
        CHECK(str_eq_z(buf_str(&out), sets[i].out));
    }
    check_case = "";
}

static void test_lenient_and_limits(void **state)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) };
    CLEANUP(buf_release) struct buf b = { .max = KIB(64) };
    const struct seqset *s;

    (void)state;
    CHECK(seqset_parse_lenient(&a, STR("3,*"), 0, &s) == 0);
    CHECK(seqset_count(s) == 1 && seqset_has(s, 3) && !seqset_has(s, 4));
    for (size_t i = 0; i < SEQSET_RANGES_MAX; i++)
        CHECK(buf_putz(&b, "1,") == 0);
    CHECK(buf_putz(&b, "1") == 0);
    CHECK(seqset_parse(&a, buf_str(&b), 1, &s) == E_LIMIT);
    b.n -= 2;
    CHECK(seqset_parse(&a, buf_str(&b), 1, &s) == 0 && seqset_count(s) == 1);
}

static void expect(const struct uidranges *u, const char *text)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(4) };

    CHECK(uidranges_write(u, &b) == 0);
    CHECK(str_eq_z(buf_str(&b), text));
}

static void test_uidranges(void **state)
{
    CLEANUP(uidranges_release) struct uidranges u = { 0 }, gone = { 0 }, pick = { 0 };
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    const struct seqset *s;

    (void)state;
    CHECK(uidranges_count(&u) == 0 && uidranges_last(&u) == 0 && uidranges_uid(&u, 1) == 0);
    CHECK(uidranges_add(&u, 10, 20) == 0 && uidranges_add(&u, 30, 30) == 0 && uidranges_add(&u, 1, 2) == 0);
    expect(&u, "1:2,10:20,30");
    CHECK(uidranges_add(&u, 3, 9) == 0);
    expect(&u, "1:20,30");
    CHECK(uidranges_count(&u) == 21 && uidranges_uid(&u, 21) == 30 && uidranges_seq(&u, 30) == 21);
    CHECK(uidranges_remove(&u, 5, 5) == 0 && uidranges_remove(&u, 25, 26) == 0);
    expect(&u, "1:4,6:20,30");
    CHECK(uidranges_uid(&u, 5) == 6 && uidranges_seq(&u, 5) == 0 && uidranges_rank(&u, 5) == 4);
    CHECK(uidranges_next(&u, 4) == 6 && uidranges_next(&u, 0) == 1 && uidranges_next(&u, 30) == 0);
    CHECK(uidranges_add(&gone, 1, 1) == 0 && uidranges_add(&gone, 7, 25) == 0);
    CHECK(seqset_parse(&a, STR("2:5"), 9, &s) == 0 && uidranges_pick_seqs(&u, s, &pick) == 0);
    expect(&pick, "2:4,6");
    CHECK(seqset_parse(&a, STR("19:21"), 9, &s) == 0);
    CHECK(uidranges_pick_seqs(&u, s, &pick) == E_RANGE);
    uidranges_clear(&pick);
    CHECK(seqset_parse(&a, STR("4:7,20:99"), 9, &s) == 0 && uidranges_pick_uids(&u, s, &pick) == 0);
    expect(&pick, "4,6:7,20,30");
    CHECK(uidranges_subtract(&u, &gone) == 0);
    expect(&u, "2:4,6,30");
    CHECK(uidranges_remove(&u, 1, UINT32_MAX) == 0 && uidranges_count(&u) == 0);
    CHECK(uidranges_add(&u, UINT32_MAX, UINT32_MAX) == 0 &&
          uidranges_add(&u, UINT32_MAX - 1, UINT32_MAX) == 0);
    CHECK(u.n == 1 && uidranges_count(&u) == 2);
}

/* Against a plain bitmap: every operation, pseudo-random, must agree. */
static void test_uidranges_model(void **state)
{
    CLEANUP(uidranges_release) struct uidranges u = { 0 };
    bool has[200] = { false };
    uint32_t x = 12345;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint32_t lo, hi, n = 0;

        x = x * 1103515245u + 12345u;
        lo = 1 + (x >> 16) % 190;
        hi = lo + (x >> 8) % 9;
        if (x & 0x80)
            CHECK(uidranges_add(&u, lo, hi) == 0);
        else
            CHECK(uidranges_remove(&u, lo, hi) == 0);
        for (uint32_t k = lo; k <= hi; k++)
            has[k] = (x & 0x80) != 0;
        for (uint32_t k = 1; k < 200; k++) {
            n += has[k];
            CHECK(uidranges_has(&u, k) == has[k]);
            CHECK(uidranges_rank(&u, k) == n);
            CHECK(!has[k] || (uidranges_seq(&u, k) == n && uidranges_uid(&u, n) == k));
        }
        CHECK(uidranges_count(&u) == n);
    }
}

static void test_uidranges_size(void **state)
{
    CLEANUP(uidranges_release) struct uidranges u = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 4000; i++) /* a million messages, 4,000 gaps */
        CHECK(uidranges_add(&u, 1 + i * 260, i * 260 + 250) == 0);
    CHECK(uidranges_count(&u) == 1000000);
    CHECK(u.cap * sizeof *u.r <= KIB(64));
}

/* In the order of a SORT: each other UID of many, scattered. One by one, each would move all that follow. */
static void test_uidranges_scattered(void **state)
{
    CLEANUP(uidranges_release) struct uidranges u = { 0 };
    static uint32_t v[200003];

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LEN(v); i++) /* a prime: every number once */
        v[i] = 1 + 2 * (uint32_t)((uint64_t)i * 77777 % ARRAY_LEN(v));
    CHECK(uidranges_add_all(&u, v, ARRAY_LEN(v)) == 0 && uidranges_add_all(&u, NULL, 0) == 0);
    CHECK(u.n == ARRAY_LEN(v) && uidranges_count(&u) == ARRAY_LEN(v) && uidranges_last(&u) == 400005);
    CHECK(uidranges_add_all(&u, (uint32_t[]){ 4, 2 }, 2) == 0);
    CHECK(u.r[0].lo == 1 && u.r[0].hi == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_lenient_and_limits),
        cmocka_unit_test(test_uidranges),      cmocka_unit_test(test_uidranges_model),
        cmocka_unit_test(test_uidranges_size), cmocka_unit_test(test_uidranges_scattered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
