/* BODY and BODYSTRUCTURE, whole, against what another server was seen to answer (the stalwart-imap corpus, where
 * it is there). Both texts are read as lists and printed again in one form: one space between things, literals
 * as strings, everything in small letters; then they must be the same, byte for byte, but for what is written
 * down at `settle`, which is done to the tree before it is printed. */
#include "lib/base/test.h"
#include "lib/base/buf.h"
#include "lib/mime/imap_format.h"
#include "lib/mime/structure.h"
#include <unistd.h>

#define DEPTH_MAX 100u

struct node {
    struct str text; /* of a string or an atom; lists have none */
    bool list, string;
    struct node *first, *next;
};

/* ---- reading -------------------------------------------------------------------------------------- */

static struct node *read_node(struct arena *a, struct str *in, unsigned depth);

static void skip_space(struct str *in)
{
    while (in->n && (*in->p == ' ' || *in->p == '\r' || *in->p == '\n'))
        *in = str_skip(*in, 1);
}

static void read_list(struct arena *a, struct str *in, struct node *list, unsigned depth)
{
    struct node **at = &list->first;

    for (;;) {
        skip_space(in);
        CHECK(in->n > 0);
        if (*in->p == ')')
            break;
        *at = read_node(a, in, depth + 1);
        at = &(*at)->next;
    }
    *in = str_skip(*in, 1);
}

static void read_quoted(struct arena *a, struct str *in, struct node *n)
{
    char *p = arena_alloc(a, in->n + 1);
    size_t used = 0, i = 0;

    for (; i < in->n && in->p[i] != '"'; i++) {
        if (in->p[i] == '\\')
            i++;
        p[used++] = in->p[i];
    }
    n->text = str_of(p, used);
    n->string = true;
    *in = str_skip(*in, i + 1);
}

static void read_literal(struct str *in, struct node *n)
{
    struct str size, rest;
    uint64_t bytes = 0;

    CHECK(str_cut(*in, '}', &size, &rest) && str_to_u64(size, &bytes));
    rest = str_skip(rest, 2);
    n->text = str_slice(rest, 0, bytes);
    n->string = true;
    *in = str_skip(rest, bytes);
}

static struct node *read_node(struct arena *a, struct str *in, unsigned depth)
{
    struct node *n = ARENA_NEW(a, struct node);
    size_t i = 0;

    skip_space(in);
    CHECK(n && in->n > 0 && depth < DEPTH_MAX);
    if (*in->p == '(' || *in->p == '"' || *in->p == '{') {
        char c = *in->p;

        *in = str_skip(*in, 1);
        n->list = c == '(';
        if (c == '(')
            read_list(a, in, n, depth);
        else if (c == '"')
            read_quoted(a, in, n);
        else
            read_literal(in, n);
        return n;
    }
    while (i < in->n && !strchr(" ()\r\n", in->p[i]))
        i++;
    n->text = str_slice(*in, 0, i);
    *in = str_skip(*in, i);
    return n;
}

/* ---- one form ------------------------------------------------------------------------------------- */

static void print_node(const struct node *n, struct buf *out)
{
    CHECK((n->list ? buf_putc(out, '(') : n->string ? buf_putc(out, '"') : 0) == 0);
    for (const struct node *c = n->first; c; c = c->next) {
        print_node(c, out);
        CHECK(!c->next || buf_putc(out, ' ') == 0);
    }
    for (size_t i = 0; i < n->text.n; i++)
        CHECK(buf_putc(out, ascii_lower(n->text.p[i])) == 0);
    CHECK((n->list ? buf_putc(out, ')') : n->string ? buf_putc(out, '"') : 0) == 0);
}

static struct node *field(struct node *list, size_t i)
{
    struct node *n = list->first;

    while (n && i--)
        n = n->next;
    return n;
}

static bool says(const struct node *n, const char *z)
{
    return n && !n->list && str_ieq_z(n->text, z);
}

static void make(struct node *n, bool string, struct str text)
{
    struct node *next = n->next;

    *n = (struct node){ .text = text, .string = string, .next = next };
}

/* Where the two may differ, and why ours stays:
 *   - no Content-Transfer-Encoding: they give NIL for what is no text; the grammar wants a string there, and the
 *     default is 7BIT (RFC 9051 9, body-fld-enc; RFC 2045 6.1);
 *   - body-fld-md5: they compute it; it is the Content-MD5 field (RFC 9051 7.5.2), and there is none;
 *   - a text without a charset: they add us-ascii, the default (RFC 2046 4.1.2), also where we give no parameter;
 *   - lines of a text or message: they do not count a last line without its end, and none of a message. */
static void settle(struct arena *a, struct node *body)
{
    static const char charset[] = "(\"charset\" \"us-ascii\")";
    struct node *type = body->first, *n;
    size_t ext = 7;

    if (!body->list || !type)
        return;
    if (type->list) {
        for (n = type; n && n->list; n = n->next)
            settle(a, n);
        return;
    }
    if ((n = field(body, 5)) && says(n, "NIL"))
        make(n, true, STR("7bit"));
    if (says(type, "text")) {
        struct str text = str_from(charset);

        if ((n = field(body, 2)) && says(n, "NIL")) {
            struct node *was = n->next;

            *n = *read_node(a, &text, 0);
            n->next = was;
        }
        if ((n = field(body, 7)))
            make(n, false, STR("lines"));
        ext = 8;
    } else if (says(type, "message") && says(type->next, "rfc822")) {
        if ((n = field(body, 8)))
            settle(a, n);
        if ((n = field(body, 9)))
            make(n, false, STR("lines"));
        ext = 10;
    }
    if ((n = field(body, ext)))
        make(n, false, STR("NIL"));
}

static void canonical(struct arena *a, struct str text, struct buf *out)
{
    struct node *n = read_node(a, &text, 0);

    settle(a, n);
    print_node(n, out);
}

/* ---- comparing ------------------------------------------------------------------------------------ */

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    size_t n = 1;

    while (f && n) {
        char *at = buf_reserve(out, KIB(64));

        n = at ? fread(at, 1, KIB(64), f) : 0;
        out->n += n;
    }
    if (f)
        fclose(f);
    return f != NULL;
}

/* Whole messages where ours is another answer, for one reason each; they must stay different, or this list is old. */
static const struct {
    const char *name, *why;
} known[] = {
    { "007", "a message without From: they invent unknown@localhost, we give NIL (RFC 9051 7.5.2)" },
    { "008",
      "a message/rfc822 in base64, which RFC 2046 5.2.1 forbids: they look inside, we give it as it stands" },
    { "009", "RFC 2231 parameters: they decode them, we give them as they stand in the message" },
    { "015", "encoded words: they put them into UTF-8, we give them as they stand in the message" },
};
static unsigned same, other, expected;

static bool is_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return true;
    return false;
}

static void compare(const struct mime_part *root, struct str answers, const char *head, bool extended,
                    bool utf8, const char *name)
{
    CLEANUP(buf_release)
    struct buf ours = { .max = MIB(1) }, theirs = { .max = MIB(1) }, text = { .max = MIB(1) };
    struct arena a = { .max = MIB(8) };
    ptrdiff_t at = str_starts(answers, str_from(head)) ? 0 : str_find(answers, str_from(head));

    if (at >= 0) {
        CHECK(mime_imap_body(root, extended, utf8, &text) == 0);
        canonical(&a, buf_str(&text), &ours);
        canonical(&a, str_skip(answers, (size_t)at + strlen(head) - 1), &theirs);
        if (is_known(name)) {
            expected++;
            CHECK(!str_eq(buf_str(&ours), buf_str(&theirs)));
        } else if (str_eq(buf_str(&ours), buf_str(&theirs))) {
            same++;
        } else {
            other++;
            fprintf(stderr, "%s %s:\n  ours   %.*s\n  theirs %.*s\n", name, head, STR_ARG(buf_str(&ours)),
                    STR_ARG(buf_str(&theirs)));
        }
    }
    arena_release(&a);
}

static void compare_file(const char *folder, const char *name)
{
    CLEANUP(buf_release) struct buf message = { .max = MIB(1) }, answers = { .max = MIB(1) };
    struct arena a = { .max = MIB(4) };
    const struct mime_part *root;
    char path[4200];

    snprintf(path, sizeof path, "%s/%s.txt", folder, name);
    if (!read_file(path, &message))
        return;
    snprintf(path, sizeof path, "%s/%s.imap", folder, name);
    CHECK(read_file(path, &answers));
    root = mime_scan_all(&a, buf_str(&message));
    compare(root, buf_str(&answers), "BODY (", false, false, name);
    compare(root, buf_str(&answers), "\nBODYSTRUCTURE (", true, false, name);
    compare(root, buf_str(&answers), "\nBODYSTRUCTURE UTF8=ACCEPT (", true, true, name);
    arena_release(&a);
}

static void test_stalwart(void **state UNUSED)
{
    const char *env = getenv("LETTERLOCK_CORPUS"), *src = getenv("SRCDIR");
    char folder[4096];

    snprintf(folder, sizeof folder, "%s%s/stalwart-imap/share",
             env   ? env
             : src ? src
                   : ".",
             env ? "" : "/../shared/corpus");
    if (access(folder, R_OK) != 0) {
        print_message("SKIPPED: no %s (set LETTERLOCK_CORPUS)\n", folder);
        return;
    }
    for (unsigned i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof name, "%03u", i);
        compare_file(folder, name);
    }
    print_message("BODY and BODYSTRUCTURE: %u the same, %u differ for a reason that is known, %u not\n", same,
                  expected, other);
    CHECK(same > 0 && other == 0);
}

static void test_one_form(void **state UNUSED)
{
    struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf one = { .max = KIB(4) }, two = { .max = KIB(4) };

    canonical(
        &a,
        STR("((\"TEXT\" \"plain\" NIL NIL NIL \"7BIT\" 1 0)(\"a\" \"b\" ({1}\r\nx {2}\r\n)( ) NIL NIL NIL 3)\n \"mixed\")"),
        &one);
    canonical(
        &a,
        STR("((\"text\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7bit\" 1 7) (\"a\" \"b\" (\"x\" \")(\") NIL NIL \"7bit\" 3) \"mixed\")"),
        &two);
    CHECK(str_eq(buf_str(&one), buf_str(&two)));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_one_form), cmocka_unit_test(test_stalwart) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
