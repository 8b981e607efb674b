#include "src/mx/greylist.h"
#include "lib/base/test.h"
#include "lib/base/clock.h"

#define MINUTE INT64_C(60000)
#define DAY    (INT64_C(1440) * MINUTE)

static struct greylist *g;

static bool comes(const char *network, const char *sender, const char *domain)
{
    struct smtp_path p = { .local = STR("") };
    int64_t wait = -1;
    bool passed;

    CHECK(!*sender || smtp_mailbox_parse(str_from(sender), SMTP_PATH_REVERSE, &p) == 0);
    passed = greylist_pass(g, str_from(network), &p, str_from(domain), &wait);
    CHECK(passed || (wait > 0 && wait <= 5 * MINUTE));
    return passed;
}

static void test_life_of_a_sender(void **state UNUSED)
{
    const struct greylist_conf c = { 5 * MINUTE, 2 * DAY, 36 * DAY, 4096 };

    clock_fake(0);
    g = greylist_new(&c);
    CHECK(g && !comes("192.0.2.0/24", "a@b.example", "example.test"));
    clock_fake_advance(4 * MINUTE);
    CHECK(!comes("192.0.2.0/24", "a@b.example", "example.test")); /* coming early does not start anew */
    clock_fake_advance(MINUTE);
    CHECK(!comes("198.51.100.0/24", "a@b.example", "example.test")); /* another network */
    CHECK(!comes("192.0.2.0/24", "c@b.example", "example.test"));    /* another sender */
    CHECK(!comes("192.0.2.0/24", "a@b.example", "example.net"));     /* another domain of ours */
    CHECK(comes("192.0.2.0/24", "A@B.example", "EXAMPLE.test"));
    clock_fake_advance(35 * DAY);
    CHECK(comes("192.0.2.0/24", "a@b.example", "example.test")); /* from here another 36 days */
    clock_fake_advance(35 * DAY);
    CHECK(comes("192.0.2.0/24", "a@b.example", "example.test"));
    clock_fake_advance(36 * DAY);
    CHECK(!comes("192.0.2.0/24", "a@b.example", "example.test"));
    clock_fake_advance(3 * DAY);
    CHECK(!comes("192.0.2.0/24", "a@b.example", "example.test")); /* an attempt of long ago does not count */
    greylist_free(&g);
    clock_real();
}

static void test_senders_that_change(void **state UNUSED)
{
    static const struct {
        const char *name, *first, *then;
        bool same;
    } cases[] = {
        { "tag", "news+1234@l.example", "news+99@l.example", true },
        { "numbers", "bounce-4711-x@l.example", "bounce-15-x@l.example", true },
        { "SRS", "SRS0=abcd=XY=a.example=b@f.example", "SRS0=zzzz=XX=c.example=d@f.example", true },
        { "null", "", "", true },
        { "other", "a@l.example", "b@l.example", false },
        { "other domain", "a@l.example", "a@m.example", false },
    };
    const struct greylist_conf c = { 5 * MINUTE, 2 * DAY, 36 * DAY, 4096 };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].name;
        clock_fake(0);
        g = greylist_new(&c);
        CHECK(g && !comes("n", cases[i].first, "d"));
        clock_fake_advance(5 * MINUTE);
        CHECK(comes("n", cases[i].then, "d") == cases[i].same);
        greylist_free(&g);
    }
    check_case = "";
    clock_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_sender),
        cmocka_unit_test(test_senders_that_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
