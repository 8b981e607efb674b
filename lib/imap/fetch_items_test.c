#include "lib/base/test.h"
#include "lib/imap/fetch_items.h"

static const struct {
    const char *in, *out; /* out: names as the response has them; NULL: refused */
} cases[] = {
    { "FAST", "FLAGS INTERNALDATE RFC822.SIZE" },
    { "all", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE" },
    { "FULL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY" },
    { "UID", "UID" },
    { "(UID FLAGS uid)", "UID FLAGS" },
    { "body[]", "BODY[]" },
    { "BODY.PEEK[]<0.100>", "BODY[]<0>" },
    { "BODY[1.2.mime]", "BODY[1.2.MIME]" },
    { "BODY[3]", "BODY[3]" },
    { "BODY[TEXT]<5.1>", "BODY[TEXT]<5>" },
    { "BODY.PEEK[HEADER.FIELDS (Subject \"From\")]", "BODY[HEADER.FIELDS (Subject From)]" },
    { "BODY[4.2.HEADER.FIELDS.NOT ({2}\r\nTo)]", "BODY[4.2.HEADER.FIELDS.NOT (To)]" },
    { "(BODY BODYSTRUCTURE BODY[] BODY.PEEK[])", "BODY BODYSTRUCTURE BODY[]" },
    { "(RFC822 RFC822.HEADER RFC822.TEXT)", "RFC822 RFC822.HEADER RFC822.TEXT" },
    { "BINARY.PEEK[1]<2.3>", "BINARY[1]<2>" },
    { "BINARY.SIZE[1.2]", "BINARY.SIZE[1.2]" },
    { "(EMAILID THREADID MODSEQ SAVEDATE PREVIEW (LAZY) UID)",
      "EMAILID THREADID MODSEQ SAVEDATE PREVIEW UID" },
    { "FLAGS (CHANGEDSINCE 12 VANISHED)", "FLAGS" },
    { "(FAST)", NULL },
    { "()", NULL },
    { "(UID", NULL },
    { "UID FLAGS", NULL },
    { "BODY[", NULL },
    { "BODY[0]", NULL },
    { "BODY[1.]", NULL },
    { "BODY[.1]", NULL },
    { "BODY[MIME]", NULL },
    { "BODY[1.2.FOO]", NULL },
    { "BODY[HEADER.FIELDS]", NULL },
    { "BODY[HEADER.FIELDS ()]", NULL },
    { "BODY[HEADER.FIELDS (a:b)]", NULL },
    { "BODY[]<0>", NULL },
    { "BODY[]<0.0>", NULL },
    { "BODY.PEEK", NULL },
    { "BINARY[TEXT]", NULL },
    { "FLAGS[]", NULL },
    { "NOSUCH", NULL },
};

static void test_fetch_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
        CLEANUP(buf_release) struct buf b = { .max = KIB(1) };
        struct args a = args_of(&arena, str_from(cases[i].in), false);
        struct resp w = { .out = &b };
        struct fetch_items f = { .n = 0 };

        check_case = cases[i].in;
        CHECK(fetch_items_parse(&a, &f) == (cases[i].out ? 0 : E_SYNTAX));
        for (size_t k = 0; k < f.n; k++) {
            resp_z(&w, k ? " " : "");
            fetch_item_name(&w, &f.v[k]);
        }
        CHECK(w.r == 0);
        CHECK(!cases[i].out || str_eq_z(buf_str(&b), cases[i].out));
    }
    check_case = "";
}

static void test_details(void **state)
{
    CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
    struct args a = args_of(&arena, STR("(BODY.PEEK[1.2.TEXT]<7.9> BODY[]) (CHANGEDSINCE 5)"), false);
    struct fetch_items f;

    (void)state;
    CHECK(fetch_items_parse(&a, &f) == 0 && f.n == 2 && f.has_changedsince && f.changedsince == 5);
    CHECK(f.v[0].peek && f.v[0].has_partial && f.v[0].partial_off == 7 && f.v[0].partial_len == 9);
    CHECK(f.v[0].section.npath == 2 && f.v[0].section.path[1] == 2 && f.v[0].section.text == FETCH_TEXT_TEXT);
    CHECK(!f.v[1].peek && fetch_items_have(&f, FETCH_BODY) && !fetch_items_have(&f, FETCH_UID));
    a = args_of(&arena, STR("(BODY.PEEK[] BODY[])"), false);
    CHECK(fetch_items_parse(&a, &f) == 0 && f.n == 1 && !f.v[0].peek);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fetch_items), cmocka_unit_test(test_details) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
