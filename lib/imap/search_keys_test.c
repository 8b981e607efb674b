#include "lib/base/test.h"
#include "lib/imap/search_keys.h"

/* The tree as text: kind number(s) with what the key carries. */
static void show(struct buf *b, const struct search_key *k)
{
    static const char *const names[] = {
        [KEY_AND] = "and",         [KEY_OR] = "or",         [KEY_NOT] = "not",
        [KEY_FUZZY] = "fuzzy",     [KEY_ALL] = "all",       [KEY_FLAG] = "flag",
        [KEY_KEYWORD] = "keyword", [KEY_SEQ] = "seq",       [KEY_UID] = "uid",
        [KEY_SAVED] = "$",         [KEY_BEFORE] = "before", [KEY_LARGER] = "larger",
        [KEY_YOUNGER] = "younger", [KEY_MODSEQ] = "modseq", [KEY_FROM] = "from",
        [KEY_SUBJECT] = "subject", [KEY_HEADER] = "header", [KEY_TEXT] = "text",
        [KEY_EMAILID] = "emailid",
    };

    CHECK(buf_printf(b, "(%s", names[k->kind]) == 0);
    if (k->flag)
        CHECK(buf_printf(b, " %u", k->flag) == 0);
    if (k->day)
        CHECK(buf_printf(b, " day%d", k->day) == 0);
    if (k->number)
        CHECK(buf_printf(b, " %llu", (unsigned long long)k->number) == 0);
    if (k->field.p)
        CHECK(buf_printf(b, " %.*s:", STR_ARG(k->field)) == 0);
    if (k->text.p)
        CHECK(buf_printf(b, " %.*s", STR_ARG(k->text)) == 0);
    if (k->set)
        CHECK(buf_putc(b, ' ') == 0 && seqset_write(k->set, b) == 0);
    for (const struct search_key *c = k->child; c; c = c->next)
        show(b, c);
    CHECK(buf_putc(b, ')') == 0);
}

static const struct {
    const char *in, *out;
} cases[] = {
    { "ALL", "(and(all))" },
    { "1:3,* UID 5:*", "(and(seq 1:3,9)(uid 5:77))" },
    { "UIDAFTER 25000 UIDBEFORE 25002", "(and(uid 25001:4294967295)(uid 1:25001))" },
    { "UIDAFTER 4294967295 UIDBEFORE 1", "(and(uid )(uid ))" },
    { "UIDAFTER 1:2", NULL },
    { "UIDAFTER *", NULL },
    { "UNSEEN", "(and(not(flag 8)))" },
    { "NEW", "(and(and(flag 32)(not(flag 8))))" },
    { "OLD", "(and(not(flag 32)))" },
    { "OR FROM \"a b\" NOT SUBJECT {3}\r\nx y LARGER 5", "(and(or(from a b)(not(subject x y)))(larger 5))" },
    { "(DELETED (NOT ANSWERED)) TEXT x", "(and(and(flag 4)(and(not(flag 1))))(text x))" },
    { "HEADER Message-ID \"\"", "(and(header Message-ID: ))" },
    { "unkeyword $Junk", "(and(not(keyword $Junk)))" },
    { "BEFORE 2-Jan-1970", "(and(before day1))" },
    { "BEFORE \"2-Jan-1970\"", "(and(before day1))" },
    { "YOUNGER 60 MODSEQ 12 MODSEQ \"/flags/\\\\draft\" all 5", "(and(younger 60)(modseq 12)(modseq 5))" },
    { "FUZZY TEXT x $ EMAILID M1", "(and(fuzzy(text x))($)(emailid M1))" },
    { "CHARSET UTF-8 TEXT \"\xc3\xa9\"", "(and(text \xc3\xa9))" },
    { "RETURN () ALL", "(and(all))" },
    { "RETURN (RELEVANCY) NOT FUZZY ALL", "(and(not(fuzzy(all))))" },
    { "RETURN (MIN PARTIAL -1:-5) ALL", "(and(all))" },
    { "", NULL },
    { "ALL ", NULL },
    { "NOSUCH", NULL },
    { "OR ALL", NULL },
    { "NOT", NULL },
    { "(ALL", NULL },
    { "ALL)", NULL },
    { "()", NULL },
    { "SINCE 32-Jan-2000", NULL },
    { "YOUNGER 0", NULL },
    { "1:x", NULL },
    { "FROM", NULL },
    { "RETURN (PARTIAL 1:-5) ALL", NULL },
    { "RETURN (X) ALL", NULL },
    { "RETURN (RELEVANCY) ALL", NULL },
    { "RETURN (UPDATE ()) ALL", NULL },
    { "RETURN (UPDATE (FAST)) ALL", NULL },
    { "RETURN (UPDATE (UID) (FLAGS)) ALL", NULL },
};

static void test_search(void **state)
{
    const struct search_view view = { .last_seq = 9, .last_uid = 77 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
        CLEANUP(buf_release) struct buf b = { .max = KIB(1) };
        struct args a = args_of(&arena, str_from(cases[i].in), false);
        struct search_program p;

        check_case = cases[i].in;
        CHECK(search_program_parse(&a, &view, &p) == (cases[i].out ? 0 : E_SYNTAX));
        if (!cases[i].out)
            continue;
        show(&b, p.root);
        CHECK(str_eq_z(buf_str(&b), cases[i].out));
    }
    check_case = "";
}

/* RFC 5465 7: what is fetched of new messages; its example has a space, its grammar none. */
static void test_update(void **state)
{
    static const char *const rows[][2] = { { "RETURN (UPDATE) ALL", "" },
                                           { "RETURN (UPDATE COUNT) ALL", "" },
                                           { "RETURN (COUNT UPDATE (UID BODY[TEXT])) ALL",
                                             "(UID BODY[TEXT])" },
                                           { "RETURN (UPDATE(FLAGS) COUNT) ALL", "(FLAGS)" } };
    const struct search_view view = { 0, 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
        struct args a = args_of(&arena, str_from(rows[i][0]), false);
        struct search_program p;

        check_case = rows[i][0];
        CHECK(search_program_parse(&a, &view, &p) == 0 && (p.returns & SEARCH_RETURN_UPDATE));
        CHECK(str_eq_z(p.update, rows[i][1]));
    }
    check_case = "";
}

static void test_limits(void **state)
{
    CLEANUP(arena_release) struct arena arena = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf b = { .max = KIB(64) };
    const struct search_view view = { 0, 0 };
    struct search_program p;
    struct args a;

    (void)state;
    for (int i = 0; i < 5000; i++)
        CHECK(buf_putz(&b, "NOT ") == 0);
    CHECK(buf_putz(&b, "ALL") == 0);
    a = args_of(&arena, buf_str(&b), false);
    CHECK(search_program_parse(&a, &view, &p) == E_LIMIT);
    buf_clear(&b);
    for (int i = 0; i < 5000; i++)
        CHECK(buf_putz(&b, "ALL ") == 0);
    a = args_of(&arena, buf_str(&b), false);
    CHECK(search_program_parse(&a, &view, &p) == E_LIMIT);
    a = args_of(&arena, STR("RETURN (COUNT SAVE) CHARSET x 5,* MODSEQ 3"), false);
    CHECK(search_program_parse(&a, &view, &p) == 0); /* '*' in an empty mailbox is no error here */
    CHECK(p.has_return && p.returns == (SEARCH_RETURN_COUNT | SEARCH_RETURN_SAVE) && p.modseq);
    CHECK(str_eq_z(p.charset, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_search), cmocka_unit_test(test_update),
                                        cmocka_unit_test(test_limits) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
