/* Every language says all that one says, in lines that mail can carry; and which one is taken. */
#include "lib/base/test.h"
#include "src/common/report_words.h"

static void check_words(const struct report_words *w, const char *const *v, size_t n, bool may_be_empty)
{
    for (size_t i = 0; i < n; i++) {
        check_case = w->tag;
        CHECK(v[i] && (may_be_empty || v[i][0]));
        for (const char *p = v[i]; *p; p++)
            CHECK((*p != '\r' || p[1] == '\n') && (*p != '\n' || p[-1] == '\r') && *p != '%');
    }
}

static void test_complete(void **state UNUSED)
{
    for (size_t i = 0; report_words_at(i); i++) {
        const struct report_words *w = report_words_at(i);
        const char *const rest[] = { w->tag,      w->system,          w->message_of, w->its_server,
                                     w->answered, w->hidden_answered, w->tried,      w->days,
                                     w->hours,    w->minutes,         w->no_more,    w->told };

        check_words(w, w->subject, REPORT_ABOUT, false);
        check_words(w, w->begin, REPORT_ABOUT, false);
        check_words(w, w->why, REPORT_WHY, false);
        check_words(w, rest, ARRAY_LEN(rest), false);
        check_words(w, w->end, REPORT_ABOUT, true);
        for (size_t k = 0; k < REPORT_ABOUT; k++)
            CHECK((k == REPORT_EXPIRED) == (w->end[k][0] == '\0'));
    }
}

static void test_find(void **state UNUSED)
{
    static const struct {
        const char *asked, *tag; /* NULL: none */
    } cases[] = { { "de", "de" },
                  { "DE-ch", "de" },
                  { "xx, fr;q=0.8", "fr" },
                  { "x, y;q=1,pl-PL ; q=0.1", "pl" },
                  { "", NULL },
                  { "tlh", NULL },
                  { ",,;;", NULL },
                  { "e", NULL },
                  { " pt-BR , en ", "pt" } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct report_words *w = report_words_find(str_from(cases[i].asked));

        check_case = cases[i].asked;
        CHECK(cases[i].tag ? w && strcmp(w->tag, cases[i].tag) == 0 : !w);
    }
}

static void test_why(void **state UNUSED)
{
    const struct report_words *w = report_words_find(STR("en"));

    CHECK(report_words_why(w, STR("5.1.1")) == w->why[WHY_NOBODY]);
    CHECK(report_words_why(w, STR("5.1.10")) == w->why[WHY_NO_MAIL]);
    CHECK(report_words_why(w, STR("4.2.2")) == w->why[WHY_FULL]);
    CHECK(!report_words_why(w, STR("2.1.5")) && !report_words_why(w, STR("5.0.0")) &&
          !report_words_why(w, STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_complete), cmocka_unit_test(test_find),
                                        cmocka_unit_test(test_why) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
