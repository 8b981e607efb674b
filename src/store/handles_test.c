#include "src/store/handles.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"

#define CHECK_INT(a, b) assert_int_equal((a), (b))
#define BOXES           10u
#define MAX             3u

struct opener {
    unsigned opened, fails; /* fails: so many times from now */
};

static unsigned closing_calls;

static void closing(struct handle *h)
{
    CHECK(h->box && h->closing);
    closing_calls++;
}

static int open_one(void *ctx, struct handle *h UNUSED, struct mailbox **out)
{
    struct opener *o = ctx;

    if (o->fails) {
        o->fails--;
        return E_IO;
    }
    o->opened++;
    return mailbox_open_memory(out);
}

static void use(struct handles *p, struct handle *h, struct opener *o, int want)
{
    int r = handle_take(p, h, open_one, o);

    CHECK_INT(r, want);
    if (r >= 0) {
        CHECK(h->box != NULL);
        handle_give(p, h);
    }
}

/* Ten mailboxes share three files: each finds its file open, or opens it again; never are there more. */
static void test_budget(void **state UNUSED)
{
    struct handles *p = handles_new(MAX, MIB(64), closing);
    struct handle v[BOXES] = { 0 };
    struct opener o = { 0 };
    struct handles_figures f;

    closing_calls = 0;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < BOXES; i++) {
            use(p, &v[i], &o, 0);
            handles_get_figures(p, &f);
            CHECK(f.open <= MAX);
        }
    CHECK_INT(o.opened, 30);
    CHECK_INT(closing_calls, 27);
    use(p, &v[9], &o, 1); /* the last three are open */
    use(p, &v[8], &o, 1);
    use(p, &v[7], &o, 1);
    use(p, &v[0], &o, 0); /* 9 was longest unused */
    use(p, &v[8], &o, 1);
    use(p, &v[9], &o, 0);
    for (unsigned i = 0; i < BOXES; i++)
        CHECK_INT(handle_drop(p, &v[i]), 0);
    handles_get_figures(p, &f);
    CHECK_INT(f.open, 0);
    CHECK_INT(f.bytes, 0);
    handles_free(&p);
}

/* A file that does not open leaves nothing behind, and is tried again; others go on. */
static void test_failure_to_open(void **state UNUSED)
{
    struct handles *p = handles_new(MAX, MIB(64), NULL);
    struct handle v[BOXES] = { 0 };
    struct opener o = { 0 };
    struct handles_figures f;

    for (unsigned i = 0; i < BOXES; i++)
        use(p, &v[i], &o, 0);
    o.fails = 2;
    use(p, &v[0], &o, E_IO);
    CHECK(v[0].box == NULL);
    use(p, &v[0], &o, E_IO);
    use(p, &v[0], &o, 0);
    handles_get_figures(p, &f);
    CHECK(f.open <= MAX && f.open > 0);
    CHECK_INT(handle_take(p, &v[1], NULL, NULL), E_CLOSED); /* only if it is open: it is not */
    for (unsigned i = 0; i < BOXES; i++)
        CHECK_INT(handle_drop(p, &v[i]), 0);
    handles_free(&p);
}

/* Taken ones are never closed, not even when that goes over the budget; nobody waits. */
static void test_in_use(void **state UNUSED)
{
    struct handles *p = handles_new(MAX, MIB(64), NULL);
    struct handle v[BOXES] = { 0 };
    struct opener o = { 0 };
    struct handles_figures f;

    for (unsigned i = 0; i < 5; i++)
        CHECK_INT(handle_take(p, &v[i], open_one, &o), 0);
    handles_get_figures(p, &f);
    CHECK_INT(f.open, 5);
    for (unsigned i = 0; i < 5; i++)
        handle_give(p, &v[i]);
    handles_trim(p);
    handles_get_figures(p, &f);
    CHECK(f.open <= MAX);
    for (unsigned i = 0; i < 5; i++)
        CHECK_INT(handle_drop(p, &v[i]), 0);
    handles_free(&p);
}

/* Readers go first, unless the writer was not used for a minute more; what is not ours counts. */
static void test_order(void **state UNUSED)
{
    struct handles *p = handles_new(MAX, MIB(64), NULL);
    struct handle w[4] = { 0 }, r = { .reader = true };
    struct opener o = { 0 };

    use(p, &w[0], &o, 0);
    use(p, &w[1], &o, 0);
    use(p, &r, &o, 0); /* used last, and the first to go */
    use(p, &w[2], &o, 0);
    CHECK(r.box == NULL && w[0].box && w[1].box && w[2].box);
    CHECK(!handles_other(p, 0));
    CHECK(handles_other(p, 1));
    use(p, &w[3], &o, 0); /* two of ours for one of theirs */
    CHECK(!w[0].box && !w[1].box && w[2].box && w[3].box);
    CHECK(!handles_other(p, -1));
    for (unsigned i = 0; i < 4; i++)
        CHECK_INT(handle_drop(p, &w[i]), 0);
    CHECK_INT(handle_drop(p, &r), 0);
    handles_free(&p);
}

/* What nobody uses keeps its place and gives its memory back. */
static void test_slim(void **state UNUSED)
{
    struct handles *p = handles_new(100, MIB(64), NULL);
    struct handle v[BOXES] = { 0 };
    struct opener o = { 0 };
    struct handles_figures f;

    for (unsigned i = 0; i < BOXES; i++)
        use(p, &v[i], &o, 0);
    v[0].used_ms -= 20000; /* not in order, to see that time decides */
    CHECK_INT(handles_slim(p, 10000), 1);
    CHECK_INT(handles_slim(p, 10000), 0);
    use(p, &v[0], &o, 1);
    CHECK_INT(handle_drop(p, &v[1]), 0);
    v[1].reader = true;
    use(p, &v[1], &o, 0);
    v[1].used_ms -= 10000 + HANDLES_READER_MS;
    CHECK_INT(handles_slim(p, 10000), 3); /* slimmer, at rest, then closed */
    CHECK_INT(handles_slim(p, 10000), 0);
    v[2].used_ms -= 10000 + HANDLES_REST_MS;
    CHECK_INT(handles_slim(p, 10000), 2);
    CHECK(v[2].resting);
    use(p, &v[2], &o, 1);
    handles_get_figures(p, &f);
    CHECK_INT(f.open, BOXES - 1);
    for (unsigned i = 0; i < BOXES; i++)
        CHECK_INT(handle_drop(p, &v[i]), 0);
    handles_get_figures(p, &f);
    CHECK_INT(f.bytes, 0);
    handles_free(&p);
}

/* By memory. */
static void test_bytes(void **state UNUSED)
{
    struct handles *p = handles_new(1000, MIB(3), NULL);
    struct handle v[BOXES] = { 0 };
    struct opener o = { 0 };
    struct handles_figures f;

    for (unsigned i = 0; i < BOXES; i++)
        use(p, &v[i], &o, 0);
    handles_trim(p); /* what a handle takes shows when it is given back */
    handles_get_figures(p, &f);
    CHECK(f.bytes <= MIB(3) && f.open < BOXES && f.open > 1);
    for (unsigned i = 0; i < BOXES; i++)
        CHECK_INT(handle_drop(p, &v[i]), 0);
    handles_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget), cmocka_unit_test(test_failure_to_open), cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_order),  cmocka_unit_test(test_bytes),           cmocka_unit_test(test_slim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
