/* lib/base: strings, buffers, arenas, clocks, the worker pool. */
#include "lib/base/test.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/work.h"
#include <poll.h>

static void test_str(void **state UNUSED)
{
    struct str head, tail;
    uint64_t v;

    CHECK(str_ieq(STR("INBOX"), STR("inBox")));
    CHECK(str_cut(STR("a@b@c"), '@', &head, &tail) && str_eq_z(head, "a") && str_eq_z(tail, "b@c"));
    CHECK(!str_cut(STR("abc"), '@', &head, &tail) && str_eq_z(head, "abc") && tail.n == 0);
    CHECK(str_to_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX);
    CHECK(!str_to_u64(STR("18446744073709551616"), &v) && !str_to_u64(STR(""), &v) &&
          !str_to_u64(STR("1x"), &v));
    CHECK(str_eq_z(str_trim(STR(" \r\nx y\t ")), "x y"));
    CHECK(str_ifind(STR("hello World"), STR("WORLD")) == 6 && str_find(STR("abc"), STR("d")) == -1);
}

static void test_buf_limit(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = 8 };

    CHECK(buf_putz(&b, "12345678") == 0);
    CHECK(buf_putc(&b, '9') == E_LIMIT && b.n == 8);
    CHECK(strcmp(buf_z(&b), "12345678") == 0);
    buf_drop(&b, 5);
    CHECK(buf_printf(&b, "%d", 12345) == 0 && str_eq_z(buf_str(&b), "67812345"));
    CHECK(buf_printf(&b, "x") == E_LIMIT && b.n == 8);
}

static void test_arena(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = 10000 };
    char *p = arena_alloc(&a, 100);

    CHECK(p && ((uintptr_t)p & 15) == 0);
    CHECK(arena_alloc(&a, 9900) == NULL); /* rounded up, over max */
    CHECK(arena_alloc(&a, 9800) != NULL);
    CHECK(arena_array(&a, SIZE_MAX / 2, 4) == NULL);
    arena_reset(&a);
    CHECK(a.used == 0 && str_eq_z(str_from(arena_printf(&a, "%s-%d", "x", 7)), "x-7"));
}

static void test_clock(void **state UNUSED)
{
    char iso[CLOCK_ISO_LEN + 1];
    int64_t ms;

    clock_iso(INT64_C(1787393472345), iso);
    CHECK(clock_from_iso(iso, CLOCK_ISO_LEN, &ms) && ms == INT64_C(1787393472345));
    clock_iso(0, iso);
    CHECK(strcmp(iso, "1970-01-01T00:00:00.000Z") == 0);
    CHECK(!clock_from_iso("1970-13-01T00:00:00.000Z", CLOCK_ISO_LEN, &ms));
    for (int64_t d = -800000; d < 800000; d += 37) {
        int64_t y;
        unsigned m, day;

        clock_civil_from_days(d, &y, &m, &day);
        CHECK(clock_days_from_civil(y, m, day) == d);
    }
}

struct step {
    struct work_job job;
    int n;
};
static int order[64], norder, ndone;

static void step_run(struct work_job *job)
{
    order[norder++] = CONTAINER_OF(job, struct step, job)->n; /* one lane: no lock needed */
}

static void step_done(struct work_job *job UNUSED)
{
    ndone++;
}

static void test_lane_keeps_order(void **state UNUSED)
{
    struct work_pool *p = work_pool_new("test", 4, 64, 0);
    struct work_lane *l = work_lane_new(p);
    struct step steps[64] = { 0 };

    for (int i = 0; i < 64; i++) {
        steps[i] = (struct step){ .job = { .run = step_run, .done = step_done }, .n = i };
        CHECK(work_lane_submit(l, &steps[i].job) == 0);
    }
    while (ndone < 64) {
        struct pollfd pfd = { .fd = work_pool_fd(p), .events = POLLIN };

        CHECK(poll(&pfd, 1, 10000) == 1);
        work_reap(p);
    }
    for (int i = 0; i < 64; i++)
        CHECK(order[i] == i);
    while (!work_lane_idle(l))
        ; /* the last turn is just being put away */
    work_lane_free(&l);
    work_pool_free(&p);
}

static struct {
    struct work_pool *pool;
    struct work_job again;
    int tries, refused;
} last;

static void nothing(struct work_job *job UNUSED)
{
}

static void submit_again(struct work_job *job UNUSED)
{
    last.tries++;
    last.refused += work_submit(last.pool, &last.again) == E_BUSY;
}

/* What is submitted while a pool ends would never run, and nobody would be told. */
static void test_pool_ends(void **state UNUSED)
{
    struct work_job job = { .run = nothing, .done = submit_again };
    struct work_pool *p = work_pool_new("test", 1, 0, 0);

    last.pool = p;
    last.again = (struct work_job){ .run = nothing };
    CHECK(work_submit(p, &job) == 0);
    work_pool_free(&p);
    CHECK(last.tries == 1 && last.refused == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str),
        cmocka_unit_test(test_buf_limit),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_lane_keeps_order),
        cmocka_unit_test(test_pool_ends),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
