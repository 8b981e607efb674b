#include "lib/base/test.h"
#include "lib/match/fuzzy.h"
#include "lib/mime/fold.h"

static double score_of(const char *question, const char *text)
{
    CLEANUP(buf_release) struct buf q = { .max = KIB(64) }, t = { .max = KIB(64) };
    struct fuzzy_tally tally = { .phrase = false };
    struct fuzzy f;

    CHECK(mime_fold_append(str_from(question), &q) == 0 && mime_fold_append(str_from(text), &t) == 0);
    fuzzy_init(&f, buf_str(&q));
    fuzzy_look(&f, buf_str(&t), 1, &tally);
    return fuzzy_score(&f, &tally);
}

static const struct {
    const char *question, *text;
    bool found;
} cases[] = {
    { "Helo", "well, hello there", true },
    { "Helo", "please help", true },
    { "Helo", "his hat", false },
    { "invoice", "two invoices", true },
    { "invioce", "The INVOICE is here", true },
    { "invocie 2026", "invoice of 2026", true },
    { "invoice 2026", "invoice of 2025", false },
    { "meeting agenda", "Agenda of the meeting", true },
    { "resume", "Mon résumé", true },
    { "Müller", "herr muller", true },
    { "smorgasbord", "Smörgåsbord", true },
    { "Lodz", "Łódź", true },
    { "strasse", "Hauptstraße 5", true },
    { "recieve paymnt", "we will receive your payment", true },
    { "one two three", "three and one", true }, /* two of three */
    { "one two", "two and another", false },    /* one of two */
    { "会議室", "明日の会議室です", true },
    { "会議", "明日の会話", false },
    { "会", "明日の会話", true },
    { "hi", "say hi to her", true },
    { "hi", "say hello", false },
    { "to a meeting", "meeting", true },
    { "cat", "cart", false }, /* three letters leave no room for typos */
    { "cat", "category", true },
    { "", "anything", false },
    { "…!", "anything", false },
};

static void test_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].text;
        CHECK((score_of(cases[i].question, cases[i].text) > 0) == cases[i].found);
    }
}

/* Each is better than the next. */
static void test_order(void **state)
{
    static const char *const falling[] = { "quarterly report", "report, quarterly", "quarterly repotr",
                                           "quartely repotr" };

    (void)state;
    for (size_t i = 1; i < ARRAY_LEN(falling); i++) {
        check_case = falling[i];
        CHECK(score_of("quarterly report", falling[i - 1]) > score_of("quarterly report", falling[i]));
        CHECK(score_of("quarterly report", falling[i]) > 0);
    }
}

/* Very long words, and what is no UTF-8, neither hang nor read beyond. */
static void test_hostile(void **state)
{
    static char text[100000];
    struct fuzzy_tally tally = { .phrase = false };
    struct fuzzy f;

    (void)state;
    memset(text, 'a', sizeof text);
    fuzzy_init(&f, str_of(text, sizeof text));
    CHECK(f.n == 1 && f.word[0].letters.n == FUZZY_LETTERS_MAX);
    fuzzy_look(&f, str_of(text, sizeof text), 1, &tally);
    CHECK(fuzzy_score(&f, &tally) > 0);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(0x80 + i * 7 % 128);
    fuzzy_init(&f, str_of(text, 50));
    fuzzy_look(&f, str_of(text, sizeof text), 1, &tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_found), cmocka_unit_test(test_order),
                                        cmocka_unit_test(test_hostile) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
