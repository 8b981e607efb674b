#include "lib/imap/append_args.h"
#include "lib/base/test.h"

/* Segments separated by '|'; the events as text: M(flags,date)C if catenated, L<n>, U<url>, E end of message,
 * ! the end, or the error. */
static const struct {
    const char *segments, *events;
} cases[] = {
    { " {5}\r\n|", "M L5 E !" },
    { " ~{5+}\r\n|", "M L5b E !" },
    { " (\\Seen) {329}\r\n| (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {295}\r\n|", "M8 L329 E M8d L295 E !" },
    { " {1}\r\n| {2}\r\n| {3}\r\n|", "M L1 E M L2 E M L3 E !" },
    { " CATENATE (URL \"/a/;UID=1\" TEXT {42}\r\n| URL /b/;UID=2 URL /c/;UID=3 TEXT {44}\r\n|)",
      "MC U/a/;UID=1 L42 U/b/;UID=2 U/c/;UID=3 L44 E !" },
    { " (\\Draft) catenate (url {3}\r\nabc)", "M16C Uabc E !" },
    { " CATENATE (TEXT {1}\r\n|) (\\Seen) {2}\r\n| CATENATE (URL x)", "MC L1 E M8 L2 E MC Ux E !" },
    { " UTF8 (~{5}\r\n|)", "M L5b E !" },
    { " CATENATE (UTF8 (~{5}\r\n|) TEXT {3}\r\n|)", "MC L5b L3 E !" },
    { " UTF8 ({5}\r\n|)", "M syntax" },
    { " UTF8 (~{5}\r\n|", "M L5b syntax" },
    { " CATENATE ()", "MC syntax" },
    { " CATENATE (TEXT {1}\r\n|", "MC L1 syntax" },
    { " CATENATE (TEXT {1}\r\n|x", "MC L1 syntax" },
    { " CATENATE (URL)", "MC syntax" },
    { " CATENATE (FILE x)", "MC syntax" },
    { " CATENATE TEXT {1}\r\n|", "syntax" },
    { " {5}\r\n|x", "M L5 E syntax" },
    { " {5}\r\n| ", "M L5 E M syntax" },
    { "", "syntax" },
    { " (\\Recent) {5}\r\n|", "syntax" },
    { " \"no date\" {5}\r\n|", "syntax" },
};

static void note(struct buf *out, const struct append_event *e)
{
    int r = out->n ? buf_putc(out, ' ') : 0;

    CHECK(r == 0);
    switch (e->kind) {
    case APPEND_EV_MESSAGE:
        r = buf_putc(out, 'M');
        if (e->flags.system)
            r |= buf_printf(out, "%u", e->flags.system);
        r |= e->has_date ? buf_putc(out, 'd') : 0;
        r |= e->catenate ? buf_putc(out, 'C') : 0;
        break;
    case APPEND_EV_LITERAL:
        r = buf_printf(out, "L%llu%s", (unsigned long long)e->literal.n, e->literal.binary ? "b" : "");
        break;
    case APPEND_EV_URL: r = buf_printf(out, "U%.*s", STR_ARG(e->url)); break;
    case APPEND_EV_MESSAGE_END: r = buf_putc(out, 'E'); break;
    case APPEND_EV_END: r = buf_putc(out, '!'); break;
    }
    CHECK(r == 0);
}

static void run(struct append_reader *p, struct str segments, struct buf *out)
{
    CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
    struct append_event e = { .kind = APPEND_EV_MESSAGE };
    struct str segment, rest = segments;
    struct args a;
    int r = 0;

    while (r == 0 && e.kind != APPEND_EV_END) {
        segment = rest;
        if (str_chr(rest, '|') >= 0)
            CHECK(str_cut(rest, '|', &segment, &rest));
        a = args_of(&arena, segment, false);
        do
            if ((r = append_next(p, &a, &e)) == 0)
                note(out, &e);
        while (r == 0 && e.kind != APPEND_EV_LITERAL && e.kind != APPEND_EV_END);
    }
    if (r == E_SYNTAX)
        CHECK(buf_putz(out, out->n ? " syntax" : "syntax") == 0);
    else
        CHECK(r == 0);
}

static void test_append_args(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct append_reader p = { .single = false };

        check_case = cases[i].segments;
        run(&p, str_from(cases[i].segments), &out);
        CHECK(str_eq_z(buf_str(&out), cases[i].events));
    }
    check_case = "";
}

static void test_single(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    struct append_reader p = { .single = true };

    run(&p, STR(" {5}\r\n| {5}\r\n|"), &out); /* RFC 8508 4.7: REPLACE is not for several */
    CHECK(str_eq_z(buf_str(&out), "M L5 E syntax"));
}

static void test_limits(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena arena = { .max = MIB(1) };
    struct append_reader p = { .single = false };
    struct append_event e;
    struct args a;

    for (unsigned n = 0; n < APPEND_MESSAGES_MAX; n++) {
        a = args_of(&arena, STR(" {1}\r\n"), false);
        CHECK(append_next(&p, &a, &e) == 0 && append_next(&p, &a, &e) == 0 && append_next(&p, &a, &e) == 0);
    }
    a = args_of(&arena, STR(" {1}\r\n"), false);
    CHECK(append_next(&p, &a, &e) == E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_append_args), cmocka_unit_test(test_single),
                                        cmocka_unit_test(test_limits) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
