/* lib/crypto/sealed: what was sealed opens; cut, moved, repeated, changed or foreign records do not. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/crypto/sealed.h"

static uint8_t seed[XWING_SEED_BYTES], pk[XWING_PUBLIC_BYTES];
static const struct sealed_context context = { { 1 }, 7, { 2 }, 42 };

struct record {
    uint8_t header[SEALED_HEADER_BYTES];
    struct buf chunks[4], plain;
    size_t n;
};

static void record_release(struct record *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->chunks); i++)
        buf_release(&r->chunks[i]);
    buf_release(&r->plain);
}

static void record_make(struct record *r, size_t bytes, size_t chunk)
{
    CLEANUP(sealed_release) struct sealed s;
    static char text[3 * 65536];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 >> 3);
    memset(r, 0, sizeof *r);
    r->plain.max = sizeof text;
    CHECK(buf_append(&r->plain, text, bytes) == 0);
    CHECK(sealed_begin(&s, pk, &context, r->header) == 0);
    do {
        size_t n = size_min(chunk, bytes);

        r->chunks[r->n].max = SEALED_CHUNK_MAX + SEALED_OVERHEAD_BYTES;
        CHECK(sealed_push(&s, str_of(text + r->plain.n - bytes, n), n == bytes, &r->chunks[r->n]) == 0);
        CHECK(r->chunks[r->n].n == n + SEALED_OVERHEAD_BYTES);
        r->n++;
        bytes -= n;
    } while (bytes);
    CHECK(sealed_push(&s, STR("x"), true, &r->chunks[0]) == E_BUG);
}

static int record_open(const struct record *r, const struct sealed_context *c, struct buf *out,
                       bool *complete)
{
    CLEANUP(sealed_release) struct sealed s;
    int e = sealed_open(&s, seed, c, str_of(r->header, sizeof r->header));

    for (size_t i = 0; i < r->n && e == 0; i++)
        e = sealed_pull(&s, buf_str(&r->chunks[i]), out);
    *complete = e == 0 && sealed_complete(&s);
    return e;
}

static void test_round_trip(void **state UNUSED)
{
    static const size_t sizes[][2] = {
        { 0, 1 }, { 1, 1 }, { 1000, 400 }, { 65536, 65536 }, { 3 * 65536, 65536 }
    };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP(record_release) struct record r;
        CLEANUP(buf_release) struct buf out = { .max = 3 * 65536 };
        uint32_t generation;
        bool complete;

        record_make(&r, sizes[i][0], sizes[i][1]);
        CHECK(sealed_key_generation(str_of(r.header, sizeof r.header), &generation) == 0 && generation == 7);
        CHECK(record_open(&r, &context, &out, &complete) == 0 && complete);
        CHECK(str_eq(buf_str(&out), buf_str(&r.plain)));
    }
}

static void test_cut_and_order(void **state UNUSED)
{
    CLEANUP(record_release) struct record r;
    CLEANUP(buf_release) struct buf out = { .max = 100000 };
    struct buf swap;
    bool complete;

    record_make(&r, 1500, 500);
    r.n = 2; /* cut between chunks: nothing is false, but it is not complete */
    CHECK(record_open(&r, &context, &out, &complete) == 0 && !complete);
    r.n = 0;
    CHECK(record_open(&r, &context, &out, &complete) == 0 && !complete);
    r.n = 3;
    r.chunks[2].n--;
    CHECK(record_open(&r, &context, &out, &complete) == E_CORRUPT && !complete);
    r.chunks[2].n = 16;
    CHECK(record_open(&r, &context, &out, &complete) == E_CORRUPT);
    r.chunks[2].n = 500 + SEALED_OVERHEAD_BYTES;
    swap = r.chunks[0], r.chunks[0] = r.chunks[1], r.chunks[1] = swap;
    CHECK(record_open(&r, &context, &out, &complete) == E_CORRUPT);
    swap = r.chunks[0], r.chunks[0] = r.chunks[1], r.chunks[1] = swap;
    r.chunks[3] = (struct buf){ .max = 10000 }; /* something after the last */
    CHECK(buf_puts(&r.chunks[3], buf_str(&r.chunks[2])) == 0);
    r.n = 4;
    CHECK(record_open(&r, &context, &out, &complete) == E_CORRUPT);
}

static void test_foreign(void **state UNUSED)
{
    CLEANUP(record_release) struct record r;
    CLEANUP(buf_release) struct buf out = { .max = 100000 };
    struct sealed_context c[4] = { context, context, context, context };
    bool complete;

    record_make(&r, 100, 100);
    c[0].mailbox[11] ^= 1;
    c[1].key_generation++;
    c[2].delivery[31] ^= 1;
    c[3].seq++;
    for (size_t i = 0; i < ARRAY_LEN(c); i++)
        CHECK(record_open(&r, &c[i], &out, &complete) == E_CORRUPT);
    seed[0] ^= 1;
    CHECK(record_open(&r, &context, &out, &complete) == E_CORRUPT);
    seed[0] ^= 1;
    for (size_t i = 0; i < sizeof r.header; i++) {
        r.header[i] ^= 1;
        CHECK(record_open(&r, &context, &out, &complete) < 0);
        r.header[i] ^= 1;
    }
    for (size_t i = 0; i < r.chunks[0].n; i++) {
        r.chunks[0].p[i] ^= 1;
        CHECK(record_open(&r, &context, &out, &complete) == E_CORRUPT);
        r.chunks[0].p[i] ^= 1;
    }
    CHECK(out.n == 0 && record_open(&r, &context, &out, &complete) == 0);
    r.header[4] = 2;
    CHECK(record_open(&r, &context, &out, &complete) == E_VERSION);
}

/* Two records of one encapsulation: each opens under its own context only, remembered or not. */
static void test_shared(void **state UNUSED)
{
    uint8_t header[2][SEALED_HEADER_BYTES], foreign[XWING_SEED_BYTES];
    struct sealed_context c[2] = { context, context };
    struct sealed_opened last = { 0 };
    struct sealed_shared shared = { 0 };
    struct xwing_ready *ready = NULL;
    struct buf chunk[2] = { { .max = 100 }, { .max = 100 } }, out = { .max = 100 };
    struct sealed s;

    c[1].seq++;
    CHECK(sealed_begin_shared(&s, &shared, &c[0], header[0]) == E_BUG);
    CHECK(xwing_ready_new(pk, &ready) == 0 && sealed_shared_make(&shared, ready) == 0);
    for (size_t i = 0; i < 2; i++)
        CHECK(sealed_begin_shared(&s, &shared, &c[i], header[i]) == 0 &&
              sealed_push(&s, STR("letter"), true, &chunk[i]) == 0);
    CHECK(memcmp(header[0], header[1], SEALED_HEADER_BYTES - 24) == 0 &&
          !str_eq(buf_str(&chunk[0]), buf_str(&chunk[1])));
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&out);
        CHECK(sealed_open_next(&s, seed, &c[i & 1], str_of(header[i & 1], sizeof header[0]), &last) == 0);
        CHECK(sealed_pull(&s, buf_str(&chunk[i & 1]), &out) == 0 && str_eq(buf_str(&out), STR("letter")));
        CHECK(sealed_open_next(&s, seed, &c[~i & 1], str_of(header[i & 1], sizeof header[0]), &last) == 0);
        CHECK(sealed_pull(&s, buf_str(&chunk[i & 1]), &out) == E_CORRUPT);
    }
    memcpy(foreign, seed, sizeof foreign);
    foreign[0] ^= 1; /* what is remembered is another seed's */
    CHECK(sealed_open_next(&s, foreign, &c[0], str_of(header[0], sizeof header[0]), &last) == 0);
    CHECK(sealed_pull(&s, buf_str(&chunk[0]), &out) == E_CORRUPT);
    xwing_ready_free(&ready);
    for (size_t i = 0; i < 2; i++)
        buf_release(&chunk[i]);
    buf_release(&out);
}

static void test_limits(void **state UNUSED)
{
    CLEANUP(sealed_release) struct sealed s;
    CLEANUP(buf_release) struct buf out = { .max = 100 };
    static char big[SEALED_CHUNK_MAX + 1];
    uint8_t header[SEALED_HEADER_BYTES], bad[XWING_PUBLIC_BYTES];

    CHECK(sealed_begin(&s, pk, &context, header) == 0);
    CHECK(sealed_push(&s, str_of(big, sizeof big), true, &out) == E_LIMIT);
    CHECK(sealed_push(&s, str_of(big, 84), true, &out) == E_LIMIT && out.n == 0);
    CHECK(sealed_push(&s, str_of(big, 83), true, &out) == 0 && out.n == 100);
    memset(bad, 0xff, sizeof bad);
    CHECK(sealed_begin(&s, bad, &context, header) == E_CORRUPT);
}

static void test_chain(void **state UNUSED)
{
    uint8_t key[KEY_BYTES] = { 1 }, header[3][SEALED_HEADER_BYTES] = { { 1 }, { 2 }, { 3 } };
    uint8_t start[SEALED_LINK_BYTES], one[SEALED_LINK_BYTES], two[SEALED_LINK_BYTES],
        other[SEALED_LINK_BYTES];
    struct sealed_context c = context, d = context;

    d.seq++;
    sealed_chain_start(key, context.mailbox, 1, start);
    sealed_chain_next(key, start, &c, header[0], one);
    sealed_chain_next(key, one, &d, header[1], two);
    sealed_chain_next(key, start, &d, header[1], other); /* gap */
    CHECK(!bytes_same(two, other, sizeof two));
    sealed_chain_next(key, one, &d, header[2], other); /* another record in this place */
    CHECK(!bytes_same(two, other, sizeof two));
    sealed_chain_next(key, one, &c, header[1], other); /* another number */
    CHECK(!bytes_same(two, other, sizeof two));
    sealed_chain_start(key, context.mailbox, 2, other); /* an earlier temporary file */
    CHECK(!bytes_same(start, other, sizeof start));
    sealed_chain_next(key, one, &d, header[1], other);
    CHECK(bytes_same(two, other, sizeof two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cut_and_order),
        cmocka_unit_test(test_foreign),    cmocka_unit_test(test_shared),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_chain),
    };
    CHECK(crypto_init() == 0 && xwing_keypair(seed, pk) == 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
