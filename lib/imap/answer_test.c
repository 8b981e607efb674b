#include "lib/imap/answer.h"
#include "lib/base/test.h"
#include "lib/imap/flags.h"

/* Events as one text: "L:line|", "B:line|", and the bytes of bodies. */
static int events(const char *in, size_t slice, struct buf *out)
{
    struct imap_answers a = { .line = { .max = KIB(1) } };
    struct str s = str_from(in);
    int r = 0;

    for (size_t i = 0; i < s.n && r >= 0;) {
        struct str body = STR_NONE;
        size_t used = 0;

        r = imap_answers_feed(&a, str_slice(s, i, i + slice), &used, &body);
        i += used;
        if (r == IMAP_ANSWERS_LINE || r == IMAP_ANSWERS_BEGIN)
            CHECK(buf_printf(out, "%c:%.*s|", r == IMAP_ANSWERS_LINE ? 'L' : 'B',
                             STR_ARG(buf_str(&a.line))) == 0);
        else if (r == IMAP_ANSWERS_BODY)
            CHECK(buf_puts(out, body) == 0);
    }
    imap_answers_release(&a);
    return r < 0 ? r : 0;
}

static const struct {
    const char *name, *in, *out;
    int r;
} streams[] = {
    { "lines", "* OK hi\r\na1 OK\n", "L:* OK hi|L:a1 OK|", 0 },
    { "a body is given away", "* 1 FETCH (UID 2 BODY[] {5}\r\nab\r\nc FLAGS ())\r\n",
      "B:* 1 FETCH (UID 2 BODY[] {0}\r\n|ab\r\ncL:* 1 FETCH (UID 2 BODY[] {0}\r\n FLAGS ())|", 0 },
    { "another literal stays", "* LIST () \"/\" {3}\r\na\nb\r\n", "L:* LIST () \"/\" {3}\r\na\nb|", 0 },
    { "what a literal says is no grammar", "* LIST () \"/\" {3}\r\n{9}\r\n* 1 EXISTS\r\n",
      "L:* LIST () \"/\" {3}\r\n{9}|L:* 1 EXISTS|", 0 },
    { "free text is no literal", "* NO so {5}\r\na OK {7}\r\n", "L:* NO so {5}|L:a OK {7}|", 0 },
    { "two bodies", "* 1 FETCH (BODY[] {0}\r\n BODY[] {1}\r\nx)\r\n", "B:* 1 FETCH (BODY[] {0}\r\n|",
      E_SYNTAX },
    { "a long literal", "* LIST () \"/\" {5000}\r\n", "", E_LIMIT },
    { "a number that is none", "* LIST () \"/\" {99999999999999999999}\r\n", "", E_SYNTAX },
};

static void test_stream(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(streams); i++)
        for (size_t slice = 1; slice <= 64; slice += 63) {
            CLEANUP(buf_release) struct buf out = { .max = KIB(8) };

            check_case = streams[i].name;
            CHECK(events(streams[i].in, slice, &out) == streams[i].r);
            CHECK(str_eq_z(out.n ? buf_str(&out) : STR(""), streams[i].out));
        }
}

static void test_fetched(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct imap_answer r;
    struct imap_fetched f;

    CHECK(imap_answer_parse(
              STR("* 7 FETCH (FLAGS (\\Seen \\Recent \\Odd $Forwarded) X (1 (2)) UID 12 RFC822.SIZE 99 "
                  "INTERNALDATE \" 2-Nov-2026 10:11:12 +0000\" BODY[] {0}\r\n)"),
              &r) == 0);
    CHECK(r.number == 7 && str_eq_z(r.name, "FETCH"));
    CHECK(imap_fetched_parse(&a, r.rest, false, &f) == 0);
    CHECK(f.uid == 12 && f.size == 99 && f.has_date && f.date_ms == INT64_C(1793614272000) && f.has_body);
    CHECK(f.flags == IMAP_FLAG_SEEN && f.nkeywords == 1);
    CHECK(imap_fetched_parse(&a, STR("(UID 3 BODY[] {0}\r\n"), true, &f) == 0 && f.uid == 3);
    CHECK(imap_fetched_parse(&a, STR("(UID 3 BODY[] {0}\r\n"), false, &f) == E_SYNTAX);
    CHECK(imap_fetched_parse(&a, STR("(BODY[] NIL UID 4)"), false, &f) == 0 && f.nil_body && f.uid == 4);
}

static const struct {
    const char *rest, *prefix, *name;
    enum imap_use use;
    bool utf8;
    int r;
} lists[] = {
    { "(\\HasNoChildren \\Sent) \"/\" \"Sent Items\"", "", "Sent Items", IMAP_USE_SENT, false, 0 },
    { "() \".\" INBOX.Work.2026", "INBOX.", "Work/2026", IMAP_USE_NONE, false, 0 },
    { "() \".\" \"a/b.c\"", "", "a-b/c", IMAP_USE_NONE, false, 0 },
    { "() \"/\" &AOQ-", "", "\xc3\xa4", IMAP_USE_NONE, false, 0 },
    { "() \"/\" {2}\r\n\xc3\xa4", "", "\xc3\xa4", IMAP_USE_NONE, true, 0 },
    { "() NIL inbox", "", "INBOX", IMAP_USE_NONE, false, 0 },
    { "() \"/\" \"a//b\"", "", NULL, IMAP_USE_NONE, false, E_RANGE },
    { "() \"//\" a", "", NULL, IMAP_USE_NONE, false, E_SYNTAX },
};

static void test_list(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
        struct imap_listed l;
        struct str name;
        int r = imap_listed_parse(&a, str_from(lists[i].rest), &l);

        check_case = lists[i].rest;
        if (r == 0)
            r = imap_name_ours(&a, &l, str_from(lists[i].prefix), lists[i].utf8, &name);
        CHECK(r == lists[i].r);
        CHECK(r < 0 || (l.use == lists[i].use && str_eq_z(name, lists[i].name)));
    }
}

static void test_words(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    CLEANUP(buf_release) struct buf q = { .max = 100 };
    struct imap_answer r;
    struct str prefix;
    uint32_t n = 0;

    CHECK(imap_answer_parse(STR("* OK [UIDVALIDITY 17] fine"), &r) == 0 && r.status == IMAP_OK);
    CHECK(imap_code_number(r.code, "uidvalidity", &n) && n == 17 && str_eq_z(r.text, "fine"));
    CHECK(imap_words_have(STR("IMAP4rev1 SPECIAL-USE"), "special-use"));
    CHECK(!imap_words_have(STR("IMAP4rev1"), "IMAP4"));
    CHECK(imap_answer_parse(STR("+ more"), &r) == 0 && str_eq_z(r.text, "more"));
    CHECK(imap_answer_parse(STR("a1"), &r) == E_SYNTAX && imap_answer_parse(STR("a1 FETCH"), &r) == E_SYNTAX);
    CHECK(imap_namespace_parse(&a, STR("((\"INBOX.\" \".\")) NIL NIL"), &prefix) == 0 &&
          str_eq_z(prefix, "INBOX."));
    CHECK(imap_namespace_parse(&a, STR("NIL NIL NIL"), &prefix) == 0 && prefix.n == 0);
    CHECK(imap_quote(STR("a\"b\\c"), &q) == 0 && str_eq_z(buf_str(&q), "\"a\\\"b\\\\c\""));
    CHECK(imap_quote(STR("a\r\nb"), &q) == E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_fetched),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
