#include "lib/schedule/schedule.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"

#define AFTER "2026-11-22T11:30:31.500Z" /* a Sunday */

static const struct {
    const char *text, *after, *next; /* next NULL: never; "": E_SYNTAX; "range": E_RANGE */
} cases[] = {
    { "hourly", AFTER, "2026-11-22T12:00:00.000Z" },
    { "Hourly at 15", AFTER, "2026-11-22T12:15:00.000Z" },
    { "daily", AFTER, "2026-11-23T00:00:00.000Z" },
    { " daily  at 03:10 ", AFTER, "2026-11-23T03:10:00.000Z" },
    { "daily at 11:31", AFTER, "2026-11-22T11:31:00.000Z" },
    { "daily at 11:30", AFTER, "2026-11-23T11:30:00.000Z" },
    { "daily at 11:30", "2026-11-22T11:30:00.000Z", "2026-11-23T11:30:00.000Z" },
    { "daily at 11:30", "2026-11-22T11:29:59.999Z", "2026-11-22T11:30:00.000Z" },
    { "weekly", AFTER, "2026-11-23T00:00:00.000Z" },
    { "weekly at Sun 03:10", AFTER, "2026-11-29T03:10:00.000Z" },
    { "monthly", AFTER, "2026-12-01T00:00:00.000Z" },
    { "monthly at 28 23:59", AFTER, "2026-11-28T23:59:00.000Z" },
    { "every 6 hours", AFTER, "2026-11-22T12:00:00.000Z" },
    { "every 10 minutes", AFTER, "2026-11-22T11:40:00.000Z" },
    { "every day", AFTER, "2026-11-23T00:00:00.000Z" },
    { "*/15 * * * *", AFTER, "2026-11-22T11:45:00.000Z" },
    { "10 3 * * 1-5", AFTER, "2026-11-23T03:10:00.000Z" },
    { "10 3 * * sat,sun", AFTER, "2026-11-28T03:10:00.000Z" },
    { "0 0 1 * 7", AFTER, "2026-11-29T00:00:00.000Z" }, /* either is enough */
    { "0 12 29 feb *", AFTER, "2028-02-29T12:00:00.000Z" },
    { "0 0 29 2 *", "2096-03-01T00:00:00.000Z", "2104-02-29T00:00:00.000Z" }, /* 2100 has none */
    { "5/20 * * * *", AFTER, "2026-11-22T11:45:00.000Z" },
    { "2026-12-31", AFTER, "2026-12-31T00:00:00.000Z" },
    { "2026-12-31 23:50", AFTER, "2026-12-31T23:50:00.000Z" },
    { "2026-01-01", AFTER, NULL },
    { "never", AFTER, NULL },
    { "0 0 30 2 *", AFTER, "range" },
    { "2026-02-29", AFTER, "range" },
    { "2026-13-01", AFTER, "range" },
    { "", AFTER, "" },
    { "sometimes", AFTER, "" },
    { "daily at", AFTER, "" },
    { "daily at 24:00", AFTER, "" },
    { "daily at 3:1", AFTER, "" },
    { "weekly at 03:10", AFTER, "" },
    { "weekly at Foo 03:10", AFTER, "" },
    { "monthly at 31 03:10", AFTER, "" },
    { "every 0 hours", AFTER, "" },
    { "every 6 fortnights", AFTER, "" },
    { "60 * * * *", AFTER, "" },
    { "* * 0 * *", AFTER, "" },
    { "5-1 * * * *", AFTER, "" },
    { "*/0 * * * *", AFTER, "" },
    { "* * * *", AFTER, "" },
    { "* * * * * *", AFTER, "" },
    { "1,,2 * * * *", AFTER, "" },
};

static void test_next(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct schedule s;
        int r = schedule_parse(str_from(cases[i].text), &s);
        const char *want = cases[i].next;
        int64_t after = 0, next;
        char iso[CLOCK_ISO_LEN + 1];

        check_case = cases[i].text;
        CHECK(r == (want && !*want ? E_SYNTAX : want && strcmp(want, "range") == 0 ? E_RANGE : 0));
        if (r < 0)
            continue;
        CHECK(clock_from_iso(cases[i].after, CLOCK_ISO_LEN, &after));
        next = schedule_next(&s, after);
        CHECK(want ? next != SCHEDULE_NEVER : next == SCHEDULE_NEVER);
        if (!want)
            continue;
        clock_iso(next, iso);
        CHECK(strcmp(iso, want) == 0);
        CHECK(next > after && schedule_matches(&s, next));
    }
    check_case = "";
}

/* Between one moment and the next there is none. */
static void test_none_between(void **state UNUSED)
{
    struct schedule s;
    int64_t at = 0, next;

    CHECK(schedule_parse(STR("7,33 */5 * * 2,4"), &s) == 0);
    CHECK(clock_from_iso(AFTER, CLOCK_ISO_LEN, &at));
    for (int i = 0; i < 50; i++, at = next) {
        next = schedule_next(&s, at);
        for (int64_t m = (at / 60000 + 1) * 60000; m < next; m += 60000)
            CHECK(!schedule_matches(&s, m));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_next), cmocka_unit_test(test_none_between) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
