#include "lib/base/test.h"
#include "lib/match/snippet.h"
#include "lib/mime/fold.h"
#include "lib/mime/text.h"
#include "lib/regex/fold.h"

#define E SNIPPET_EXACT
#define F SNIPPET_FUZZY
#define R SNIPPET_REGEX

static int plain(void *user, struct str field, struct str text, bool end)
{
    return snippet_feed(user, field, text, end);
}

static int nowhere(void *user UNUSED, struct str text UNUSED)
{
    return 0;
}

/* The message's lines as "subject: Gr[üße] aus|…", `step` bytes at a time. */
static const char *show(struct str message, enum snippet_kind kind, const char *field, const char *asked,
                        size_t chars, size_t step, struct buf *out)
{
    CLEANUP(buf_release) struct buf folded = { .max = KIB(64) };
    struct snippet_question q = { .kind = kind, .field = str_from(field) };
    struct arena a = { .max = MIB(4) };
    struct mime_part *root;
    struct mime_text t;
    struct snippet s;

    CHECK((kind == R ? regex_fold : mime_fold_append)(str_from(asked), &folded) == 0);
    q.text = buf_str(&folded);
    snippet_init(&s, chars, 3);
    snippet_ask(&s, &q);
    CHECK(mime_text_init(&t, &a, nowhere, &s) == 0);
    mime_text_also_plain(&t, plain);
    for (; message.n; message = str_skip(message, step))
        CHECK(mime_text_feed(&t, str_slice(message, 0, step)) == 0);
    CHECK(mime_text_finish(&t, &root) == 0);
    buf_clear(out);
    for (size_t i = 0; i < s.nlines; i++) {
        const struct snippet_line *l = &s.line[i];
        struct str text = buf_str(&l->text);
        size_t at = 0;

        CHECK(buf_printf(out, "%s%.*s%s%s", i ? "|" : "", STR_ARG(buf_str(&l->field)), l->field.n ? ": " : "",
                         l->cut_before ? "<" : "") == 0);
        for (size_t m = 0; m < l->nmatches; m++) {
            CHECK(l->match[m].from >= at && l->match[m].to > l->match[m].from && l->match[m].to <= text.n);
            CHECK(buf_printf(out, "%.*s[%.*s]", STR_ARG(str_slice(text, at, l->match[m].from)),
                             STR_ARG(str_slice(text, l->match[m].from, l->match[m].to))) == 0);
            at = l->match[m].to;
        }
        CHECK(buf_printf(out, "%.*s%s", STR_ARG(str_skip(text, at)), l->cut_after ? ">" : "") == 0);
    }
    snippet_release(&s);
    mime_text_release(&t);
    arena_release(&a);
    return buf_z(out);
}

static const char letter[] =
    "From: Ren=?utf-8?Q?=C3=A9?= <rene@example.org>\r\nTo: a@example.org\r\n"
    "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus der STRASSE\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    "Content-Type: text/html; charset=utf-8\r\n\r\n"
    "<style>p { color: red }</style><p>The quick <b>brown</b> fox &amp; the lazy d\xc3\xb6g,\r\n and then there "
    "were many more words about nothing at all until the Stra\xc3\x9f"
    "e came and the fox\r\nslept.</p>\r\n--b\r\n"
    "Content-Disposition: attachment; filename=\"fox.pdf\"\r\n\r\nx\r\n--b--\r\n";

static const struct {
    enum snippet_kind kind;
    const char *field, *asked;
    size_t chars;
    const char *want;
} cases[] = {
    { E, "subject", "gru\xcc\x88ss", 0, "Subject: [Gr\xc3\xbc\xc3\x9f]e aus der STRASSE" },
    { E, "subject", "strasse", 0,
      "Subject: Gr\xc3\xbc\xc3\x9f"
      "e aus der [STRASSE]" },
    { E, "subject", "nothing", 0, "" },
    { E, "",
      "stra\xc3\x9f"
      "e",
      40,
      "Subject: Gr\xc3\xbc\xc3\x9f"
      "e aus der [STRASSE]|<until the [Stra\xc3\x9f"
      "e] came and the fox slept." },
    { E, "", "the fox slept", 60,
      "<nothing at all until the Stra\xc3\x9f"
      "e came and [the fox slept]." },
    { E, "body", "do\xcc\x88g, and", 40, "<the lazy [d\xc3\xb6g, and] then there were many>" },
    { E, "", "do", 24,
      "<lazy [d\xc3\xb6]g, and then there>" }, /* a letter is whole: its mark belongs to it */
    { E, "body", "color", 0, "" },             /* no styles, no tags */
    { E, "body", "fox.pdf", 0, "filename: [fox.pdf]" },
    { F, "", "lzay qiuck", 60, "The [quick] brown fox & the [lazy] d\xc3\xb6g, and then there were many>" },
    { F, "", "rene", 0, "From: [Ren\xc3\xa9] <[rene]@example.org>" },
    { R, "body", "br[a-z]+n", 30, "<quick [brown] fox & the lazy>" },
    { R, "body", "(", 30, "" },
};

static void test_cases(void **state)
{
    CLEANUP(buf_release) struct buf got = { .max = KIB(64) };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t step = 1; step < 5000; step *= 17) {
            check_case = show(str_of(letter, sizeof letter - 1), cases[i].kind, cases[i].field,
                              cases[i].asked, cases[i].chars, step, &got);
            CHECK(strcmp(check_case, cases[i].want) == 0);
        }
    check_case = "";
}

/* A long text is looked at to its end, within bounded memory; whatever bytes come. */
static void test_long(void **state)
{
    CLEANUP(buf_release) struct buf m = { .max = MIB(4) }, got = { .max = KIB(64) };

    (void)state;
    CHECK(buf_putz(&m, "Subject: long\r\n\r\n") == 0);
    for (int i = 0; i < 40000; i++)
        CHECK(buf_printf(&m, "word%d%s", i, i % 10 ? " " : "\r\n") == 0);
    CHECK(buf_putz(&m, "n\xc3\xa4"
                       "dle at the end\r\n") == 0);
    show(buf_str(&m), E, "",
         "na\xcc\x88"
         "dle",
         30, 4096, &got);
    CHECK(strcmp(buf_z(&got), "<word39999 [n\xc3\xa4"
                              "dle] at the end") == 0);
    for (size_t i = 20; i < m.n; i++)
        m.p[i] = (char)(i * 2654435761u >> 13);
    show(buf_str(&m), E, "", "na", 30, 999, &got);
    show(buf_str(&m), F, "", "nadel", 30, 999, &got);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_long) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
