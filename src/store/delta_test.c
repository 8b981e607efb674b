#include "lib/base/test.h"
#include "src/store/delta.h"
#include <string.h>

static void test_round(void **state)
{
    static const struct {
        const char *name;
        struct str in, like;
        size_t most; /* bytes of the delta; 0: none is made */
    } rows[] = {
        { "the same", STR("the quick brown fox jumps over"), STR("the quick brown fox jumps over"), 3 },
        { "a line end for a space", STR("subject: hello world\nfrom: a fox in a box"),
          STR("subject: hello world from: a fox in a box"), 8 },
        { "something left out", STR("the quick brown fox jumps over the lazy dog"),
          STR("the quick brown fox <b class=x>jumps over the lazy dog</b>"), 6 },
        { "a word put in", STR("the quick brown fox never jumps over the lazy dog"),
          STR("the quick brown fox jumps over the lazy dog"), 14 },
        { "nothing alike", STR("completely different words, every one"), STR("the quick brown fox jumps"),
          0 },
        { "too short to be alike", STR("fox"), STR("fox"), 0 },
        { "in another order", STR("jumps over the lazy dog, the quick brown fox "),
          STR("the quick brown fox, jumps over the lazy dog"), 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char delta[64], out[64];
        size_t n = delta_make(rows[i].in, rows[i].like, delta, rows[i].in.n / 2);

        check_case = rows[i].name;
        CHECK((n == 0) == (rows[i].most == 0) && n <= rows[i].most);
        if (n == 0)
            continue;
        CHECK(delta_apply(str_of(delta, n), rows[i].like, out, rows[i].in.n));
        CHECK(memcmp(out, rows[i].in.p, rows[i].in.n) == 0);
        CHECK(!delta_apply(str_of(delta, n), rows[i].like, out, rows[i].in.n - 1));
        CHECK(!delta_apply(str_of(delta, n), rows[i].like, out, rows[i].in.n + 1));
        CHECK(!delta_apply(str_of(delta, n - 1), rows[i].like, out, rows[i].in.n));
        CHECK(!delta_apply(str_of(delta, n), str_slice(rows[i].like, 0, 12), out, rows[i].in.n));
    }
}

static void test_refused(void **state)
{
    static const struct str bad[] = {
        STR("\x80"),                     /* a number that does not end */
        STR("\xff\xff\xff\xff\xff\x01"), /* one that is too long */
        STR("\x05"
            "abc"),          /* more of its own than there is */
        STR("\x00\x09\x01"), /* behind the end of the other text */
        STR("\x00\x00\x09"), /* longer than it */
        STR("\x04"
            "abcd\x00\x01"), /* longer than what is wanted */
        STR("\x03"
            "abc"), /* cut off */
        STR(""),
    };
    char out[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!delta_apply(bad[i], STR("likewise"), out, sizeof out));
    CHECK(delta_apply(STR("\x01"
                          "a\x02\x03"),
                      STR("likewise"), out, 4) &&
          memcmp(out, "akew", 4) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_refused) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
